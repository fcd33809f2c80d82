"""The exchange of a simulated machine: the product's own, with the policy that a station of its role has."""

from __future__ import annotations

from edge.exercise.field import Machine
from sync.exchange import Exchange, Policy


def exchange(machine: Machine) -> Exchange:
    """A fresh exchange over a machine's log, as at each start of the program."""
    policy = Policy(machine.field.central, relay=machine.actor.role == "relay", members=frozenset(machine.field.roles))
    return Exchange(machine.log, machine.ring, policy, machine.chance)

"""The exchange between nodes: frames in, frames out, for every bearer of one node. No socket, clock or thread inside."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from radios.bearer import Arrival, Budget, Limits
from sync.exchange.core import Core
from sync.exchange.hearing import Hearing
from sync.exchange.ledger import NEVER
from sync.exchange.lines import Debt, Line
from sync.exchange.policy import Policy
from sync.exchange.sending import Outgoing, Sender
from sync.log import Log
from sync.seal.keyring import Keyring


class Exchange:
    """One node's exchange over its log. Times are monotonic seconds; every method belongs to the thread of the log."""

    def __init__(self, log: Log, sealer: Keyring, policy: Policy, chance: random.Random) -> None:
        self._core = Core(log, sealer, policy, chance)
        self._hearing, self._sender = Hearing(self._core), Sender(self._core)

    def attach(self, bearer: str, limits: Limits, now: float) -> None:
        """A bearer is up."""
        core = self._core
        line = core.lines[bearer] = Line(bearer, limits, core.policy, now)
        core.look(now)
        core.review_all(line.anyone)
        if limits.two_way:
            line.debts[0] = Debt(due=now + core.chance.uniform(0.0, 0.5) * line.ack_s(now))

    def detach(self, bearer: str, now: float) -> None:
        """It is down: what was on its way by it may go by another at once."""
        core = self._core
        if core.lines.pop(bearer, None) is not None:
            for target in core.targets():
                target.void(bearer)

    def changed(self) -> None:
        """The log changed behind the exchange's back: rows, events or blocks came from elsewhere."""
        self._core.stale = True

    def received(self, bearer: str, arrival: Arrival) -> int:
        """Take a frame in; how many blocks it brought that were not here. StoreError when they could not be stored."""
        line = self._core.lines.get(bearer)
        return 0 if line is None else self._hearing.received(line, arrival)

    def outgoing(self, bearer: str, budget: Budget, now: float) -> Outgoing | None:
        """The next frame for a bearer within its budget, None when there is none now."""
        line = self._core.lines.get(bearer)
        return None if line is None else self._sender.outgoing(line, budget, now)

    def next_at(self, bearer: str, now: float) -> float:
        """When to ask for a frame again; infinity: after the next arrival or `changed`."""
        line = self._core.lines.get(bearer)
        return NEVER if line is None else self._sender.next_at(line, now)

    def status(self, now: float) -> Mapping[str, Any]:
        """Plain values for the status file."""
        return {"refused": dict(self._core.refused)}

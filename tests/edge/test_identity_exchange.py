"""Trust over the exchange alone: small frames, a relay between, a node that slept through a re-keying, a revoked one shut out."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.identity.enrol import complete, create, file_of, invite, join, let_in, revoke
from edge.identity.identity import load
from radios.bearer import Arrival, Budget, Limits
from sync.exchange import Exchange
from sync.exchange.policy import Policy
from sync.ids import Level
from sync.seal.contract import Role
from tests.edge.test_identity_steward import ANCHOR, Post

ROLES = {1: Role.COMMAND, 2: Role.MEMBER, 3: Role.RELAY, 4: Role.MEMBER}
LORA = Limits(mtu=200, rate=330.0, gap_s=0.1, broadcast=True, cost=3)


class Station(Post):
    """A post with its exchange on one radio channel."""

    def open(self) -> None:
        super().open()
        role = self.identity.role
        policy = Policy(central=frozenset((1,)), relay=role is Role.RELAY, members=self.ring.directory.keys())
        self.exchange = Exchange(self.log, self.ring, policy, random.Random(self.identity.node))
        self.exchange.attach("lora", LORA, self.clock.now)

    def turn(self, others: list[Station]) -> None:
        """Everything due now, to everybody in reach."""
        self.steward.step()
        self.exchange.changed()
        while self.log.unpack():
            pass
        frame = self.exchange.outgoing("lora", Budget(1 << 16, 100), self.clock.now)
        if frame is not None:
            for other in others:
                other.exchange.received("lora", Arrival(frame.frame, str(self.identity.node), other.clock.now))


def talk(stations: list[Station], seconds: int, *deaf: Station) -> None:
    """Everybody on one channel for some time; the deaf ones are out of reach."""
    here = [each for each in stations if each not in deaf]
    for _ in range(seconds):
        for each in stations:
            each.clock.advance(1.0)
        for each in here:
            each.turn([other for other in here if other is not each])


@pytest.fixture
def stations(tmp_path: Path) -> Iterator[dict[int, Station]]:
    create(tmp_path, ROLES, anchor=ANCHOR)
    made = {node: Station(tmp_path, load(file_of(tmp_path, node), node)) for node in ROLES}
    yield made
    for each in made.values():
        each.close()


def test_a_revocation_reaches_everybody_by_radio_and_the_late_one_too(stations: dict[int, Station]) -> None:
    command, sleeper, relay, captured = (stations[node] for node in (1, 2, 3, 4))
    everybody = list(stations.values())
    captured.order("first")
    talk(everybody, 40)
    assert sleeper.levels(4) == [Level.ORIGIN]
    revoke(command.identity, [4], {4: {}})
    talk(everybody, 90, sleeper)
    assert (command.ring.epoch, relay.ring.epoch, sleeper.ring.epoch) == (2, 2, 1)
    before = {source: list(numbers) for source, numbers in command.log.end_of(4).items()}
    captured.order("second")
    talk(everybody, 600)
    assert sleeper.ring.epoch == 2 and 4 in sleeper.ring.revoked
    assert sleeper.levels(4)[0] == Level.QUARANTINE and set(sleeper.levels(4)) == {Level.QUARANTINE}
    command.order("go")
    sleeper.order("yes")
    talk(everybody, 60)
    assert sleeper.levels(1) == [Level.COMMAND] and command.levels(2) == [Level.ORIGIN]
    assert captured.levels(1) == [] and captured.ring.epoch == 1
    assert {source: list(numbers) for source, numbers in command.log.end_of(4).items()} == before


def test_a_new_node_is_known_before_it_speaks_or_after(stations: dict[int, Station], tmp_path: Path) -> None:
    command, member = stations[1], stations[2]
    offer = invite(command.identity, "NEW", Role.MEMBER)
    identity, asked = join(tmp_path / "new.keys", command.identity.lock, offer)
    complete(identity, let_in(command.identity, asked))
    fresh = Station(tmp_path, identity)
    try:
        fresh.order("hello")
        talk([fresh, member], 30)
        assert identity.node not in member.ring.directory and not member.levels(identity.node)
        talk([*stations.values(), fresh], 90)
        assert member.levels(identity.node) == [Level.ORIGIN]
        assert len(fresh.identity.roster) == 5
    finally:
        fresh.close()

"""Many nodes on one channel: one answers for all, whoever lacks something says so, nobody repeats blindly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from sync.carried import ENDS
from sync.exchange import State
from sync.exchange.frame import Behind, Delta, Digest, Listing, Need, Part, Whole
from sync.exchange.havelist import Vector
from sync.exchange.lines import SILENT, Line
from sync.exchange.policy import Policy
from sync.ids import Lane
from tests.sync.exchange_field import LAN, LORA, Field, id_of, parts_of

CROWD = (1, 2, 3, 4, 5)
FAR = 6  # reaches the crowd by a line of the second node
LISTS = (Digest, Delta, Listing)


class Ear:
    """What went over a field's radio from now on."""

    def __init__(self, field: Field) -> None:
        self.parts: list[tuple[str, Part]] = []
        field.media["x"].taps.append(lambda sender, data: self.parts.extend((sender, part) for part in parts_of(data)))

    def of(self, *kinds: type) -> list[str]:
        """Who sent parts of these kinds."""
        return [sender for sender, part in self.parts if isinstance(part, kinds)]


def acquainted() -> Field:
    """All have heard each other's lists."""
    field = Field(1, {"x": (CROWD, LORA, {"shared": True}), "y": ((2, FAR), LAN, {})})
    field.world.run(3000)
    return field


def deafen(field: Field, lost: Callable[[Part], bool]) -> None:
    """The fifth node hears nothing of frames with such parts."""
    sim = field.nodes[5].sim

    def heard(data: bytes, peer: str) -> None:
        if not any(lost(part) for part in parts_of(data)):
            sim._heard("x", data, peer)

    field.media["x"].join("N5", heard)


def test_what_is_handed_on_is_answered_by_one_for_all_and_what_is_one_s_own_by_everybody() -> None:
    field = acquainted()
    ear = Ear(field)
    field.nodes[FAR].write(Lane.COMMAND, b"from beyond the line")
    field.till_equal(60, Lane.COMMAND)
    field.world.run(field.world.now + 60)
    assert ear.of(Whole) == ["N2"]
    handed_on = set(ear.of(*LISTS)) - {"N2"}
    assert 1 <= len(handed_on) <= 2
    ear = Ear(field)
    field.nodes[3].write(Lane.COMMAND, b"of the crowd's own")
    field.world.run(field.world.now + 300)
    assert ear.of(Whole) == ["N3"]
    assert set(ear.of(*LISTS)) >= {"N1", "N2", "N4", "N5"}


def test_who_is_heard_at_the_very_edge_of_silence_stays() -> None:
    """A frame may be older by a moment than the last look at who is still alive."""
    line = Line("x", LORA, Policy(), 0.0)
    assert line.hear(2, "N2", 0.0) and line.nodes(1.0) == [2]
    edge = SILENT * line.beacon_s
    assert line.nodes(edge + 0.01) == []
    assert line.hear(2, "N2", edge - 0.01) and line.nodes(edge) == [2]


def test_who_missed_it_hears_of_it_says_so_and_gets_it_once() -> None:
    field = acquainted()
    lost: list[Part] = []

    def first(part: Part) -> bool:
        if isinstance(part, Whole) and not lost:
            lost.append(part)
            return True
        return False

    deafen(field, first)
    ear = Ear(field)
    field.nodes[FAR].write(Lane.COMMAND, b"from beyond the line")
    field.till_equal(180, Lane.COMMAND)
    field.world.run(field.world.now + 900)
    assert lost and ear.of(Behind) and set(ear.of(Behind)) == {"N5"}
    assert len(ear.of(Whole)) == 2


def test_who_calls_for_ever_is_answered_some_times_only() -> None:
    field = acquainted()
    deafen(field, lambda part: isinstance(part, Whole))
    ear = Ear(field)
    field.nodes[FAR].write(Lane.COMMAND, b"never taken in")
    field.world.run(field.world.now + 4 * 3600)
    assert 16 <= len(ear.of(Behind)) <= 40
    assert 4 <= len(ear.of(Whole)) <= 40


def test_a_newcomer_is_served_by_one_of_many() -> None:
    field = acquainted()
    field.nodes[5].sim.crash(None)
    for at in range(20):
        field.nodes[3].write(Lane.COMMAND, b"order %d" % at)
        field.world.run(field.world.now + 60)
    ear = Ear(field)
    field.nodes[5].sim.boot()
    field.till_equal(600, Lane.COMMAND)
    field.world.run(field.world.now + 900)
    assert len(ear.of(Whole)) <= 22


def test_who_hears_only_one_of_a_crowd_calls_too() -> None:
    hidden = {("N1", "N3"): 1.0, ("N3", "N1"): 1.0}
    for lane in (Lane.FLASH, Lane.COMMAND):
        field = Field(1, {"x": ((1, 2, 3), LORA, {"shared": True, "pair_loss": hidden})})
        field.world.run(1000)
        field.nodes[1].write(lane, b"to both")
        field.till_equal(60, lane)


def test_who_heard_nothing_of_flash_is_called_long_before_the_next_sign_of_life() -> None:
    hidden = {("N1", "N5"): 1.0, ("N5", "N1"): 1.0}
    for origin in (1, FAR):
        field = Field(1, {"x": ((1, 2, 5), LORA, {"shared": True, "pair_loss": hidden}), "y": ((2, FAR), LAN, {})})
        field.world.run(3000)
        until = field.world.now + 10

        def lost(part: Part, field: Field = field, until: float = until) -> bool:
            return field.world.now < until

        deafen(field, lost)
        field.nodes[origin].write(Lane.FLASH, b"get out")
        took = field.till_equal(300, Lane.FLASH) - until
        assert 0 < took < 200


def test_an_author_out_of_a_central_s_reach_hears_of_its_receipt_when_it_sends_again() -> None:
    hidden = {("N1", "N2"): 1.0, ("N2", "N1"): 1.0}
    field = Field(1, {"x": ((1, 2, 4), LORA, {"shared": True, "pair_loss": hidden})})
    field.world.run(1000)
    field.nodes[2].write(Lane.FLASH, b"buried")
    field.world.run(field.world.now + 120)
    assert field.nodes[2].exchange.states(id_of(field.nodes[2].disk, Lane.FLASH, 0), [1]) == {1: State.STORED}


def test_where_all_hear_the_central_nobody_passes_its_receipts_on() -> None:
    field = acquainted()
    passed: list[str] = []
    field.media["x"].taps.append(lambda sender, data: passed.extend([sender] if data[0] == ENDS else []))
    for origin in (3, 2, 5):
        field.nodes[origin].write(Lane.FLASH, b"alarm")
        field.world.run(field.world.now + 600)
    assert passed and set(passed) == {"N1"}


def test_a_receipt_goes_as_often_as_a_crowd_s_losses_ask_for() -> None:
    field = acquainted()
    sent: Counter[bytes] = Counter()
    field.media["x"].taps.append(lambda sender, data: sent.update([data] if data[0] == ENDS else []))
    for copies in (1, 2):
        for node in field.nodes.values():
            node.exchange._core.lines["x" if node.origin != FAR else "y"].copies = float(copies)
        sent.clear()
        field.nodes[3].write(Lane.TRACK, b"here")
        field.world.run(field.world.now + 600)
        assert set(sent.values()) == {copies}


def test_another_crowd_does_not_silence_who_calls_in_this_one() -> None:
    field = Field(1, {"x": ((1, 2, 3, 5), LORA, {"shared": True}), "z": ((4, 5, 6), LORA, {"shared": True})})
    field.world.run(3000)
    deafen(field, lambda part: isinstance(part, Whole))
    ear = Ear(field)
    field.nodes[3].write(Lane.COMMAND, b"never taken in")
    field.world.run(field.world.now + 500)
    assert len(ear.of(Behind)) >= 15


def test_what_is_sent_again_for_another_s_sake_is_under_way_once() -> None:
    field = Field(3, {"x": ((1, 2, 3, 5), LORA, {"shared": True, "loss": 0.6})})
    field.world.run(600)
    for at in range(40):
        field.nodes[2].write(Lane.COMMAND, b"order %d" % at * 10)
        field.world.run(field.world.now + 60)
    field.till_equal(4 * 3600, Lane.COMMAND)
    field.world.run(field.world.now + 1800)
    core = field.nodes[2].exchange._core
    for neighbour in core.neighbours.values():
        leases = [lease for flight in neighbour.target.flight.values() for lease in flight.values()]
        assert neighbour.target.in_flight.get("x", 0) == sum(lease.size for lease in leases)


def test_a_list_guessed_rightly_is_confirmed_to_who_asks_for_it() -> None:
    nodes = {f"N{at}": at for at in CROWD}
    apart = {(one, other): 1.0 for one in nodes for other in nodes if abs(nodes[one] - nodes[other]) > 1}
    field = Field(7, {"x": (CROWD, LORA, {"shared": True, "loss": 0.3, "pair_loss": apart})})
    field.world.run(1000)
    for at in range(6):
        field.nodes[1].write(Lane.COMMAND, b"c%d" % at * 12)
    field.till_equal(5400, Lane.COMMAND)


def test_vectors_of_one_short_name_are_soon_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two bytes each, a few hundred vectors hold two of one name; here eight names are shared by all."""
    whole = Vector.digest
    monkeypatch.setattr(
        Vector, "digest", lambda self, scope: bytes((0, (told := whole(self, scope))[0] & 7)) + told[2:]
    )
    hidden = {("N2", "N3"): 1.0, ("N3", "N2"): 1.0}
    field = Field(1, {"x": ((2, 3, 4), LORA, {"shared": True, "pair_loss": hidden})})
    field.world.run(600)
    ear = Ear(field)
    for at in range(30):
        field.nodes[2 + at % 2].write(Lane.COMMAND, b"over the ridge")
        field.world.run(field.world.now + 100)
    assert len(ear.of(Need)) < 30
    field.till_equal(900, Lane.COMMAND)

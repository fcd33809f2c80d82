"""What a store gives up for room, in which order, and that other nodes learn of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from shutil import _ntuple_diskusage as usage

import pytest

from edge.store.retention import STEPS, Keep, Retention
from edge.store.space import Ballast
from edge.store.store import Fresh
from hardware.driver import Health
from sync.ids import BlockId, Content, Lane, Level
from sync.log import Verdict
from sync.ranges import Ranges
from tests.edge.store_nodes import CENTRAL, OTHER, VEHICLE, Node, cut_all


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[dict[int, Node]]:
    opened = {origin: Node(tmp_path, origin) for origin in (CENTRAL, VEHICLE, OTHER)}
    yield opened
    for node in opened.values():
        node.close()


class Pressure:
    """A disk that never has enough room, for one node."""

    def __init__(self, node: Node, central: int = CENTRAL) -> None:
        keep = Keep(central=frozenset({central}), share=1.0, most=1 << 60)
        self.node, store = node, node.store

        def grown(lane: Lane, rows: int) -> None:
            store.grown(lane, rows, Fresh())

        self.retention = Retention(store.path, store.origin, keep, grown, store.index.forget)
        store.writer.submit(lambda tx: self.retention.pressed(tx.conn)).result()

    def slice(self) -> bool:
        """Give up one slice."""
        return self.node.store.writer.submit(self.retention.slice).result()

    def until(self, words: str) -> None:
        """Give up everything before the step whose words begin so, and its first slice."""
        while words not in self.retention.why:
            assert self.slice()


def sealed(node: Node, count: int, budget: int = 120) -> list[BlockId]:
    node.write(count)
    node.flush()
    return cut_all(node, Lane.HISTORY, budget)


def times(node: Node) -> list[object]:
    return [row[0] for row in node.rows("SELECT mono_ms / 1000 FROM observation ORDER BY mono_ms")]


def test_what_central_has_goes_first_bytes_before_rows(nodes: dict[int, Node]) -> None:
    vehicle = nodes[VEHICLE]
    ids = sealed(vehicle, 100)
    vehicle.event("kept")
    [event] = cut_all(vehicle, Lane.COMMAND)
    vehicle.log.merge_end(CENTRAL, {ids[0].source: Ranges([(0, 2)]), event.source: Ranges([(0, 0)])})
    vehicle.log.merge_end(OTHER, {ids[0].source: Ranges([(0, len(ids) - 1)])})
    had, rows = vehicle.log.have(), len(times(vehicle))
    pressure = Pressure(vehicle)
    assert pressure.slice()
    assert [block_id for block_id in ids if vehicle.log.read(block_id) is None] == ids[:3]
    assert vehicle.log.held(ids[0].source) == Ranges([(3, len(ids) - 1)])
    assert len(times(vehicle)) == rows
    assert pressure.slice()
    left = len(times(vehicle))
    assert 0 < left < rows
    assert times(vehicle) == list(range(1101 - left, 1101))
    assert vehicle.log.have() == had
    assert vehicle.log.read(event) is not None
    assert vehicle.rows("SELECT count(*) FROM hole") == [(0,)]


def test_thinned_history_travels_in_new_blocks_and_nobody_waits_for_the_old(nodes: dict[int, Node]) -> None:
    vehicle, central = nodes[VEHICLE], nodes[CENTRAL]
    ids = sealed(vehicle, 200)
    vehicle.write(100, first=200)
    vehicle.flush()
    Pressure(vehicle).until("one row in 10 s")
    kept = times(vehicle)
    assert len(kept) <= 40
    assert {int(str(second)) // 10 for second in kept} == set(range(100, 131))
    assert vehicle.log.pending(Lane.HISTORY).rows == len(kept)
    assert vehicle.rows("SELECT DISTINCT reason FROM hole") == [("replaced",)]
    vehicle.give([*cut_all(vehicle, Lane.COMMAND), *cut_all(vehicle, Lane.HISTORY)], central)
    vehicle.give(ids[:1], central)  # the descriptor, which is never given up
    central.log.unpack(100)
    assert times(central) == kept
    assert central.log.have() == vehicle.log.have()
    assert len(central.log.have()[ids[0].source]) > len(ids)
    assert vehicle.log.pending(Lane.COMMAND).rows == 0
    [(rows,)] = central.rows("SELECT sum(rows) FROM hole")
    assert 160 <= rows <= 200 - 20


def test_a_late_original_still_wins(nodes: dict[int, Node]) -> None:
    vehicle, central = nodes[VEHICLE], nodes[CENTRAL]
    ids = sealed(vehicle, 100)
    late = [vehicle.incoming(block_id, central) for block_id in ids]
    Pressure(vehicle).until("one row in 10 s")
    vehicle.give([*cut_all(vehicle, Lane.COMMAND), *cut_all(vehicle, Lane.HISTORY)], central)
    central.log.unpack(100)
    assert central.rows("SELECT count(*) FROM observation") == [(len(times(vehicle)),)]
    assert set(central.log.commit(late)) == {Verdict.NEW}
    central.log.unpack(100)
    assert times(central) == list(range(1001, 1101))


def test_rows_that_are_seldom_anyway_are_not_thinned(nodes: dict[int, Node]) -> None:
    vehicle = nodes[VEHICLE]
    for minute in range(30):
        vehicle.clock.advance(59.0)
        vehicle.write(1, first=minute)
    vehicle.flush()
    ids = cut_all(vehicle, Lane.HISTORY, 150)
    pressure = Pressure(vehicle)
    pressure.until("one row a minute")
    assert len(times(vehicle)) == 30
    assert vehicle.rows("SELECT count(*) FROM hole") == [(0,)]
    assert all(vehicle.log.read(block_id) is not None for block_id in ids)


def test_in_the_end_the_oldest_history_goes_and_the_urgent_stays(nodes: dict[int, Node]) -> None:
    vehicle, central = nodes[VEHICLE], nodes[CENTRAL]
    for number in range(10):
        vehicle.event(f"order {number}", wait=False)
        vehicle.event(f"help {number}", "sos", wait=False)
        vehicle.clock.advance(59.0)
        vehicle.write(3, first=number)
    vehicle.flush()
    urgent = [*cut_all(vehicle, Lane.FLASH), *cut_all(vehicle, Lane.COMMAND)]
    bulk = [vehicle.log.put(Lane.BULK, Content.PICTURE, bytes((number,)) * 500) for number in range(4)]
    ids = cut_all(vehicle, Lane.HISTORY, 150)
    pressure = Pressure(vehicle)
    while pressure.slice():
        pass
    assert pressure.retention.why.endswith("(已无可舍弃)")
    assert times(vehicle) == []
    assert all(vehicle.log.read(block_id) is not None for block_id in urgent)
    assert vehicle.log.read(ids[0]) is not None  # the descriptor
    assert not any(vehicle.log.held(block_id.source).minus(Ranges([(0, 0)])) for block_id in (ids[0], bulk[0]))
    assert vehicle.rows("SELECT count(*) FROM event") == [(20,)]
    assert vehicle.rows("SELECT sum(last - first + 1) FROM hole WHERE lane = 5 AND reason = 'dropped'") == [(4,)]
    vehicle.give([*urgent, *cut_all(vehicle, Lane.COMMAND), ids[0]], central)
    assert central.log.have() == vehicle.log.have()
    assert vehicle.store.waiting == dict.fromkeys(Lane, 0)


def test_others_bytes_go_before_own_history_is_thinned(nodes: dict[int, Node]) -> None:
    vehicle, other = nodes[VEHICLE], nodes[OTHER]
    own = sealed(vehicle, 50)
    foreign = sealed(other, 50)
    other.give(foreign[:-2], vehicle)
    vehicle.log.unpack(100)
    other.give(foreign[-2:], vehicle)
    pressure = Pressure(vehicle)
    pressure.until("other nodes' sealed blocks")
    while "10 s" not in pressure.retention.why and any(vehicle.log.read(block_id) for block_id in foreign[:-2]):
        assert pressure.slice()
    waiting = foreign[-2:]
    assert all(vehicle.log.read(block_id) is not None for block_id in (*own, *waiting))
    assert not vehicle.log.purge(waiting) and all(
        block_id.number in vehicle.log.held(block_id.source) for block_id in waiting
    )
    assert len(vehicle.log.have()[foreign[0].source]) == len(foreign)
    vehicle.log.unpack(100)
    assert len(times(vehicle)) == 100


def test_central_keeps_the_only_copy_of_what_it_has_not_unpacked(nodes: dict[int, Node]) -> None:
    vehicle, central = nodes[VEHICLE], nodes[CENTRAL]
    ids = sealed(vehicle, 100)
    vehicle.give(ids[:-2], central)
    central.log.unpack(100)
    vehicle.give(ids[-2:], central)
    pressure = Pressure(central)
    while pressure.slice():
        pass
    assert [central.log.read(block_id) is None for block_id in ids] == [True] * (len(ids) - 2) + [False, False]
    central.log.unpack(100)
    assert times(central)


def test_health_and_status_tell_what_is_given_up(nodes: dict[int, Node], tmp_path: Path) -> None:
    vehicle = nodes[VEHICLE]
    sealed(vehicle, 200)
    vehicle.store.retention._keep = Keep(share=1.0, most=1 << 60)
    for _ in range(2):  # the writer looks at the disk by itself, after each commit
        vehicle.event("x")
    state, why = vehicle.store.health
    assert state is Health.DEGRADED
    assert "disk is nearly full" in why
    vehicle.store.retention._keep = Keep(share=0.0)
    for _ in range(2):  # the look follows the commit
        vehicle.event("x")
    assert vehicle.store.health == (Health.UP, "")
    assert vehicle.store.retention.given["thinned_rows"] > 100


def test_a_quota_is_kept(tmp_path: Path) -> None:
    quota = 24 << 20
    node = Node(tmp_path, VEHICLE, keep=Keep(quota=quota))
    largest = 0
    for number in range(100):
        node.log.put(Lane.BULK, Content.PICTURE, number.to_bytes(2) * 200_000)
        largest = max(largest, sum(path.stat().st_size for path in tmp_path.glob("2.db*")))
    assert 16 << 20 < largest <= quota
    assert node.store.retention.given["bytes"] > 16 << 20
    node.event("still writes")
    assert node.rows("SELECT level FROM event") == [(Level.ORIGIN,)]
    node.close()


def test_every_step_has_words_in_both_languages() -> None:
    assert all(step.words.isprintable() and "(" in step.words and not step.words.isascii() for step in STEPS)


def test_ballast_takes_real_room_and_only_where_there_is_plenty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ballast = Ballast(tmp_path / "ballast", 1 << 20)
    assert ballast.hold()
    status = ballast.path.stat()
    assert status.st_size == 1 << 20
    assert status.st_blocks * 512 >= 1 << 20
    assert ballast.give_up()
    assert not ballast.give_up()
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage(100 << 20, 97 << 20, 3 << 20))
    assert not ballast.hold()
    assert not ballast.path.exists()
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage(8 << 20, 0, 8 << 20))
    assert ballast.hold()
    assert ballast.path.stat().st_size == 1 << 19

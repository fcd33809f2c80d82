"""StoreLog over real files: cutting, committing, conflicts, end lists, unpacking, new lives."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge.store.log import StoreLog
from edge.store.reader import Reader
from edge.store.writer import Tx
from hardware.clock import Stamp
from hardware.kinds import Quality
from hardware.observation import PROFILE_NAMED, Observation
from sync.events import BY_NAME
from sync.ids import BlockId, Content, KeyClass, Lane, Level, Source
from sync.log import Held, Incoming, Log, Verdict, mark_of
from sync.ranges import Ranges
from tests.edge.store_nodes import CENTRAL, FIX, OTHER, VEHICLE, Node, cut_all


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[dict[int, Node]]:
    opened = {origin: Node(tmp_path, origin) for origin in (CENTRAL, VEHICLE, OTHER)}
    yield opened
    for node in opened.values():
        node.close()


def test_it_is_a_log(nodes: dict[int, Node]) -> None:
    log: Log = nodes[VEHICLE].log
    assert (log.origin, log.incarnation) == (VEHICLE, nodes[VEHICLE].store.life.incarnation)


def test_descriptors_travel_before_the_rows_and_nothing_is_left(nodes: dict[int, Node]) -> None:
    vehicle, central = nodes[VEHICLE], nodes[CENTRAL]
    vehicle.write(300)
    vehicle.write(300, "P07", private=True)
    vehicle.flush()
    assert vehicle.log.pending(Lane.HISTORY).rows == 600
    assert 599 <= vehicle.log.pending(Lane.HISTORY).oldest_s <= 600
    ids = cut_all(vehicle, Lane.HISTORY)
    assert [block_id.number for block_id in ids] == list(range(len(ids)))
    assert vehicle.log.pending(Lane.HISTORY).rows == 0
    contents = [row[0] for row in vehicle.rows("SELECT content FROM block ORDER BY number")]
    assert contents[0] == Content.STREAMS
    assert set(contents) == {Content.STREAMS, Content.ROWS}
    assert all(len(vehicle.log.read(block_id) or b"") <= 2000 for block_id in ids)
    assert set(vehicle.give(ids, central)) == {Verdict.NEW}
    while central.log.unpack(3):
        pass
    sql = (
        "SELECT s.subject, s.source, o.boot, o.mono_ms, o.wall_ms, o.clock, o.vals, o.quals FROM observation o "
        "JOIN stream s ON s.id = o.stream ORDER BY s.subject, o.mono_ms"
    )
    assert central.rows(sql) == vehicle.rows(sql)
    assert len(central.rows(sql)) == 600
    assert central.log.have() == vehicle.log.have()


def test_a_stretch_is_what_is_held_of_it_newest_first(nodes: dict[int, Node]) -> None:
    vehicle = nodes[VEHICLE]
    vehicle.write(400)
    vehicle.flush()
    ids = cut_all(vehicle, Lane.HISTORY, 300)
    vehicle.log.purge([ids[2]])
    blocks = [(block_id.number, vehicle.log.read(block_id) or b"") for block_id in ids]
    expected = [Held(number, block, mark_of(block)) for number, block in blocks if block]
    source = ids[0].source
    assert len(expected) == len(ids) - 1 > 4
    assert list(vehicle.log.stretch(source, 0, 1 << 40)) == expected[::-1]
    assert [each.number for each in vehicle.log.stretch(source, 1, 3)] == [3, 1]
    assert not vehicle.log.stretch(source._replace(lane=Lane.BULK), 0, 9)


def test_vital_signs_travel_under_the_vital_key_only(nodes: dict[int, Node]) -> None:
    vehicle, other = nodes[VEHICLE], nodes[OTHER]
    vehicle.write(5)
    vehicle.write(5, "P07", private=True)
    vehicle.flush()
    ids = cut_all(vehicle, Lane.HISTORY)
    classes = {(vehicle.log.read(block_id) or b"")[0] >> 1 & 3 for block_id in ids}
    assert classes == {KeyClass.FIELD, KeyClass.VITAL}
    blocks = [vehicle.log.read(block_id) or b"" for block_id in ids]
    came = [
        vehicle.incoming(block_id, other)
        if block[0] >> 1 & 3 == KeyClass.FIELD
        else Incoming(block_id, block, None, Level.MEMBER, 0, "lan")
        for block_id, block in zip(ids, blocks)
    ]
    verdicts = other.log.commit(came)
    assert verdicts.count(Verdict.SEALED) == sum(block[0] >> 1 & 3 == KeyClass.VITAL for block in blocks) > 0
    other.log.unpack(100)
    assert other.rows("SELECT DISTINCT subject FROM stream WHERE subject = 'G1'") == [("G1",)]
    assert other.rows("SELECT count(*) FROM observation") == [(5,)]


def test_events_go_first_in_first_out_by_lane(nodes: dict[int, Node]) -> None:
    vehicle, central = nodes[VEHICLE], nodes[CENTRAL]
    for number in range(40):
        vehicle.event(f"第{number}条消息 {'x' * (number % 7)}", wait=False)
    vehicle.flush()
    vehicle.event("help", "sos")
    flash, command = cut_all(vehicle, Lane.FLASH, 300), cut_all(vehicle, Lane.COMMAND, 200)
    assert len(flash) == 1
    assert len(command) > 3
    vehicle.give([*flash, *command], central)
    texts = [row[0] for row in central.rows("SELECT body FROM event WHERE kind = 1 ORDER BY id")]
    assert texts == [row[0] for row in vehicle.rows("SELECT body FROM event WHERE kind = 1 ORDER BY number")]
    assert central.rows("SELECT kind, level FROM event WHERE lane = 0") == [(6, Level.ORIGIN)]


def test_one_item_larger_than_the_budget_still_travels(nodes: dict[int, Node]) -> None:
    vehicle = nodes[VEHICLE]
    vehicle.event("".join(chr(0x4E00 + index * 37 % 20000) for index in range(400)))
    vehicle.event("short")
    ids = cut_all(vehicle, Lane.COMMAND, 150)
    assert len(ids) == 2
    assert len(vehicle.log.read(ids[0]) or b"") > 150


def test_committing_twice_changes_nothing(nodes: dict[int, Node]) -> None:
    vehicle, central = nodes[VEHICLE], nodes[CENTRAL]
    vehicle.event("once")
    ids = cut_all(vehicle, Lane.COMMAND)
    assert vehicle.give(ids, central) == [Verdict.NEW]
    assert vehicle.give(ids * 2, central) == [Verdict.DUPLICATE] * 2
    assert central.rows("SELECT count(*) FROM event") == [(1,)]


def test_same_id_with_other_bytes_sets_both_aside(nodes: dict[int, Node], tmp_path: Path) -> None:
    vehicle, central = nodes[VEHICLE], nodes[CENTRAL]
    vehicle.event("true or false")
    [block_id] = cut_all(vehicle, Lane.COMMAND)
    good = vehicle.incoming(block_id, central)
    forged = vehicle.ring.seal(block_id, KeyClass.FIELD, b"\x02other")
    central.log.commit([good])
    unsigned = Incoming(block_id, forged[:-1] + b"x", b"\x02other", Level.MEMBER, 0, "radio")
    assert list(central.log.commit([unsigned])) == [Verdict.REFUSED]
    assert central.log.read(block_id) is not None
    conflict = Incoming(block_id, forged, b"\x02other", Level.ORIGIN, 0, "radio")
    assert list(central.log.commit([conflict])) == [Verdict.CONFLICT]
    assert list(central.log.commit([conflict])) == [Verdict.CONFLICT]
    assert central.rows("SELECT count(*) FROM quarantine") == [(3,)]
    assert central.rows("SELECT level FROM event") == [(Level.QUARANTINE,)]
    assert central.log.read(block_id) is None
    assert not central.log.held(block_id.source)
    assert block_id.number in central.log.have()[block_id.source]


def test_a_body_that_cannot_be_read_goes_aside_and_the_lane_moves_on(nodes: dict[int, Node]) -> None:
    vehicle, central = nodes[VEHICLE], nodes[CENTRAL]
    for lane in (Lane.COMMAND, Lane.HISTORY):
        bad = vehicle.log.put(lane, Content.EVENTS, b"\xff\xff\xff")
        vehicle.event("after")
        vehicle.write(1)
        vehicle.flush()
        verdicts = vehicle.give([bad, *cut_all(vehicle, lane)], central)
        assert verdicts[0] is (Verdict.UNREADABLE if lane is Lane.COMMAND else Verdict.NEW)
        central.log.unpack(10)
    assert central.rows("SELECT count(*) FROM block WHERE state = 'unreadable'") == [(2,)]
    assert central.rows("SELECT count(*) FROM event") == [(1,)]
    assert central.rows("SELECT count(*) FROM observation") == [(2,)]


def test_what_is_committed_survives_reopening(nodes: dict[int, Node], tmp_path: Path) -> None:
    vehicle, central = nodes[VEHICLE], nodes[CENTRAL]
    vehicle.write(50)
    vehicle.event("x")
    ids = cut_all(vehicle, Lane.HISTORY, 120)
    vehicle.give([*cut_all(vehicle, Lane.COMMAND), *ids], central)
    end = {ids[0].source: Ranges([(0, 0), (2, len(ids) - 1)])}
    vehicle.log.merge_end(CENTRAL, end)
    have, waiting = central.log.have(), dict(vehicle.store.waiting)
    central.close()
    vehicle.close()
    nodes[CENTRAL], nodes[VEHICLE] = Node(tmp_path, CENTRAL), Node(tmp_path, VEHICLE)
    assert nodes[CENTRAL].log.have() == have
    assert nodes[VEHICLE].log.end_of(CENTRAL) == end
    assert nodes[VEHICLE].store.waiting == waiting
    assert nodes[VEHICLE].store.life.predecessor is None
    assert nodes[CENTRAL].log.unpack(100) > 0
    assert nodes[CENTRAL].rows("SELECT count(*) FROM observation") == [(50,)]


def test_end_lists_only_grow(nodes: dict[int, Node]) -> None:
    vehicle = nodes[VEHICLE]
    source = Source(7, 77, Lane.HISTORY)
    vehicle.log.merge_end(CENTRAL, {source: Ranges([(0, 5)])})
    vehicle.log.merge_end(CENTRAL, {source: Ranges([(3, 9)]), Source(7, 77, Lane.PICTURE): Ranges([(0, 3)])})
    vehicle.log.merge_end(CENTRAL, {source: Ranges([(2, 2)])})
    assert vehicle.log.end_of(CENTRAL) == {source: Ranges([(0, 9)])}


def test_purging_forgets_bytes_and_not_the_fact(nodes: dict[int, Node]) -> None:
    vehicle = nodes[VEHICLE]
    vehicle.write(30)
    vehicle.flush()
    ids = cut_all(vehicle, Lane.HISTORY, 120)
    size = sum(len(vehicle.log.read(block_id) or b"") for block_id in ids[:2])
    assert vehicle.log.purge(ids[:2]) == size
    assert vehicle.log.purge(ids[:2]) == 0
    assert [vehicle.log.read(block_id) is None for block_id in ids[:3]] == [True, True, False]
    assert ids[0].number in vehicle.log.have()[ids[0].source]
    assert ids[0].number not in vehicle.log.held(ids[0].source)


def test_only_the_newest_picture_is_kept_and_none_is_listed(nodes: dict[int, Node]) -> None:
    vehicle, central = nodes[VEHICLE], nodes[CENTRAL]
    ids, sent = [], []
    for number in range(3):
        ids.append(vehicle.log.put(Lane.PICTURE, Content.PICTURE, bytes((number,)) * 9))
        sent.append(vehicle.incoming(ids[-1], central))
    assert [vehicle.log.read(block_id) is None for block_id in ids] == [True, True, False]
    assert central.log.commit([sent[1]]) == [Verdict.NEW]
    assert central.log.commit([sent[0]]) == [Verdict.DUPLICATE]
    assert central.log.commit([sent[2]]) == [Verdict.NEW]
    assert central.log.read(ids[1]) is None
    assert central.log.read(ids[2]) is not None
    assert not any(source.lane is Lane.PICTURE for source in [*central.log.have(), *vehicle.log.have()])


def test_a_restored_copy_begins_a_new_life_and_gives_its_rows_once(nodes: dict[int, Node], tmp_path: Path) -> None:
    vehicle, central = nodes[VEHICLE], nodes[CENTRAL]
    vehicle.write(40)
    vehicle.event("before")
    vehicle.store.close()
    shutil.copy(vehicle.path, tmp_path / "backup")
    vehicle.log.close()
    vehicle = nodes[VEHICLE] = Node(tmp_path, VEHICLE)
    old = vehicle.log.incarnation
    vehicle.give([*cut_all(vehicle, Lane.COMMAND), *cut_all(vehicle, Lane.HISTORY)], central)
    vehicle.close()
    vehicle.path.unlink()
    shutil.copy(tmp_path / "backup", vehicle.path)
    vehicle = nodes[VEHICLE] = Node(tmp_path, VEHICLE)
    assert vehicle.store.life.predecessor == old
    assert vehicle.log.incarnation != old
    vehicle.write(10, first=40)
    vehicle.flush()
    vehicle.give([*cut_all(vehicle, Lane.COMMAND), *cut_all(vehicle, Lane.HISTORY)], central)
    central.log.unpack(100)
    assert central.rows("SELECT count(*), count(DISTINCT vals) FROM observation") == [(50, 50)]
    texts = [row[0] for row in central.rows("SELECT body FROM event ORDER BY id")]
    assert len(texts) == 2
    assert f"predecessor {old:04x}" in str(texts[1])


def test_a_peer_that_signs_for_numbers_we_never_gave_out_ends_this_life_once(
    nodes: dict[int, Node], tmp_path: Path
) -> None:
    vehicle = nodes[VEHICLE]
    vehicle.event("mine")
    source = Source(VEHICLE, vehicle.log.incarnation, Lane.COMMAND)
    vehicle.log.merge_end(CENTRAL, {source: Ranges([(0, 3)])}, signed=True)
    assert "never gave out" in vehicle.store.alarm
    assert vehicle.log.cut(Lane.COMMAND, 1000) == []
    vehicle.close()
    vehicle = nodes[VEHICLE] = Node(tmp_path, VEHICLE)
    assert vehicle.store.life.predecessor == source.incarnation
    assert len(cut_all(vehicle, Lane.COMMAND)) == 1
    again = Source(VEHICLE, vehicle.log.incarnation, Lane.COMMAND)
    vehicle.log.merge_end(CENTRAL, {again: Ranges([(0, 1 << 40)])}, signed=True)
    assert not vehicle.store.alarm  # or a captured node could have us begin life after life


def test_what_a_member_says_of_numbers_we_never_gave_out_is_left_out(nodes: dict[int, Node]) -> None:
    vehicle = nodes[VEHICLE]
    vehicle.event("mine")
    (block,) = cut_all(vehicle, Lane.COMMAND)
    source, silent = block.source, Source(VEHICLE, vehicle.log.incarnation, Lane.FLASH)
    vehicle.log.merge_end(CENTRAL, {source: Ranges([(0, 1 << 40)]), silent: Ranges([(0, 9)])})
    assert not vehicle.store.alarm
    assert vehicle.log.end_of(CENTRAL) == {source: Ranges([(0, block.number)])}
    vehicle.event("more")
    (later,) = cut_all(vehicle, Lane.COMMAND)
    assert later.number not in vehicle.log.end_of(CENTRAL)[source]


def test_a_foreign_block_under_our_own_id_is_set_aside(nodes: dict[int, Node]) -> None:
    vehicle = nodes[VEHICLE]
    block_id = BlockId(VEHICLE, vehicle.log.incarnation, Lane.HISTORY, 5)
    block = vehicle.ring.seal(block_id, KeyClass.FIELD, b"\x01x")
    assert list(vehicle.log.commit([Incoming(block_id, block, b"\x01x", Level.MEMBER, 0, "lan")])) == [Verdict.REFUSED]
    assert not vehicle.store.alarm  # any member could have sealed that
    assert list(vehicle.log.commit([Incoming(block_id, block, b"\x01x", Level.ORIGIN, 0, "lan")])) == [Verdict.CONFLICT]
    assert "another copy" in vehicle.store.alarm


def test_a_packet_heard_by_two_vehicles_is_one_observation(nodes: dict[int, Node]) -> None:
    mesh = PROFILE_NAMED["mesh.position"]
    for origin, signal in ((VEHICLE, -80), (OTHER, -95)):
        node = nodes[origin]
        values = (313000000, 1043000000, 5000, 9, 424242, signal, -250, 1, 0)
        item = Observation("R1", f"mesh{origin}/!a1b2c3d4", mesh, node.clock.stamp(), values)
        assert [node.store.write([item]).result() for _ in range(2)] == [1, 0]
        node.give(cut_all(node, Lane.HISTORY), nodes[CENTRAL])
    nodes[CENTRAL].log.unpack(10)
    assert nodes[CENTRAL].rows("SELECT count(*) FROM observation") == [(1,)]
    assert nodes[CENTRAL].rows("SELECT heard FROM radio_packet") == [(2,)]


def test_rows_before_their_descriptor_enter_the_latest_state_with_it(nodes: dict[int, Node]) -> None:
    vehicle, central = nodes[VEHICLE], nodes[CENTRAL]
    vehicle.write(3)
    vehicle.flush()
    ids = cut_all(vehicle, Lane.HISTORY)
    vehicle.give(ids[1:], central)
    central.log.unpack(10)
    assert central.rows("SELECT count(*) FROM latest") == [(0,)]
    vehicle.give(ids[:1], central)
    central.log.unpack(10)
    assert central.rows("SELECT subject, value FROM latest WHERE kind = 32") == [("G1", 1000 + 7919 * 4 % 997)]


def test_age_of_remote_values_counts_their_journey(nodes: dict[int, Node]) -> None:
    vehicle, central = nodes[VEHICLE], nodes[CENTRAL]
    vehicle.clock._offset_ms = None
    vehicle.write(1)
    vehicle.flush()
    central.log.commit([vehicle.incoming(block_id, central, age_s=90.0) for block_id in cut_all(vehicle, Lane.HISTORY)])
    central.log.unpack(10)
    reader = Reader(central.path, CENTRAL, clock=lambda boot: central.clock)
    central.clock.advance(5.0)
    assert reader.snapshot().latest["G1"][32].age_s == pytest.approx(95.0)
    reader.close()


def test_a_signature_that_comes_later_raises_the_level(nodes: dict[int, Node]) -> None:
    vehicle, central = nodes[VEHICLE], nodes[CENTRAL]
    vehicle.write(3)
    vehicle.flush()
    ids = cut_all(vehicle, Lane.HISTORY)
    vehicle.give(ids, central)
    central.log.unpack(10)
    assert central.rows("SELECT DISTINCT level FROM observation") == [(Level.MEMBER,)]
    central.log.prove(ids, Level.ORIGIN)
    assert central.rows("SELECT DISTINCT level FROM observation") == [(Level.ORIGIN,)]


def test_a_signature_proves_the_node_not_the_guests_it_speaks_for(nodes: dict[int, Node]) -> None:
    vehicle, central = nodes[VEHICLE], nodes[CENTRAL]
    sos = BY_NAME["sos"].number
    vehicle.store.write_event(sos, "guest P3", {0: "P3"}, level=Level.GUEST).result()
    vehicle.store.write_event(sos, "P01", {0: "P01"}).result()
    ids = cut_all(vehicle, Lane.FLASH)
    vehicle.give(ids, central)
    for node in (vehicle, central):
        node.log.prove(ids, Level.COMMAND)
        levels = node.rows("SELECT actor, level FROM event WHERE kind = 6 ORDER BY actor")
        assert levels == [("P01", Level.COMMAND), ("guest P3", Level.GUEST)]


@pytest.mark.parametrize("late", [False, True], ids=["its name first", "its name last"])
def test_a_signature_proves_the_node_not_the_strangers_it_hears(nodes: dict[int, Node], late: bool) -> None:
    vehicle, central = nodes[VEHICLE], nodes[CENTRAL]
    place = (313000000, 1043000000, 5000, 9, 4711, -80, 500, 1, 0)
    for subject in ("!a1b2c3d4", "P01"):
        stamp = vehicle.clock.stamp()
        item = Observation(subject, f"mesh0/{subject}", PROFILE_NAMED["mesh.position"], stamp, place)
        vehicle.store.write([item]).result()
    ids = cut_all(vehicle, Lane.HISTORY)
    for block_id in reversed(ids) if late else ids:
        vehicle.give([block_id], central)
        central.log.unpack(10)
    sql = "SELECT s.subject, {0}.level FROM {0} JOIN stream s ON {1} GROUP BY s.subject, {0}.level ORDER BY s.subject"
    for node in (vehicle, central):
        for level in (Level.ORIGIN, Level.COMMAND):
            node.log.prove(ids, level)
            for table, on in (("observation", "s.id = observation.stream"), ("latest", "s.subject = latest.subject")):
                found = dict(node.rows(sql.format(table, on)))
                assert found["!a1b2c3d4"] == Level.GUEST < found["P01"]


def test_events_of_people_keep_every_field(nodes: dict[int, Node]) -> None:
    vehicle, central = nodes[VEHICLE], nodes[CENTRAL]
    first = vehicle.store.write_event(
        2, "P01", {0: "撤", 2: [1, "a", b"\x00\xff", None, True]}, to=[3], valid_s=60
    ).result()
    second = vehicle.store.write_event(
        3, "P02", {1: 2}, parents=[first.id], time=Stamp(vehicle.clock.boot, 5, None, vehicle.clock.stamp().quality)
    ).result()
    vehicle.give(cut_all(vehicle, Lane.COMMAND), central)
    reader = Reader(central.path, CENTRAL)
    assert [line.event for line in reader.events("ORDER BY e.id")] == [first, second]
    reader.close()
    assert central.store.write_event(1, "", {}).result().lamport == second.lamport + 1


def test_what_waits_to_be_unpacked_is_opened_again_and_kept_in_no_other_form(nodes: dict[int, Node]) -> None:
    """A store of an earlier version kept what had opened beside it: that counts too, even where the block's bytes are gone."""
    vehicle, central = nodes[VEHICLE], nodes[CENTRAL]
    vehicle.write(120)
    vehicle.flush()
    ids = cut_all(vehicle, Lane.HISTORY, 200)
    vehicle.give(ids, central)
    assert central.rows("SELECT sum(length(body)), count(*) FROM unpacking") == [(0, len(ids))]
    older = central.ring.open(central.log.read(ids[-1]) or b"", ids[-1].incarnation).body
    waiting = "(SELECT max(block) FROM unpacking)"

    def as_before(tx: Tx) -> None:
        tx.conn.execute(f"UPDATE unpacking SET body = ? WHERE block = {waiting}", (older,))
        tx.conn.execute(f"DELETE FROM payload WHERE block = {waiting}")

    central.store.writer.submit(as_before).result()
    while central.log.unpack():
        pass
    assert central.rows("SELECT count(*) FROM observation") == [(120,)]


def test_a_block_that_opens_no_more_stays_as_one_that_is_sealed(nodes: dict[int, Node]) -> None:
    vehicle, central = nodes[VEHICLE], nodes[CENTRAL]
    vehicle.write(5)
    vehicle.flush()
    first, second = cut_all(vehicle, Lane.HISTORY)
    came = vehicle.incoming(first, central)
    bent = replace(came, block=came.block[:-1] + bytes([came.block[-1] ^ 1]))
    assert list(central.log.commit([bent])) == [Verdict.NEW]
    vehicle.give([second], central)
    assert central.log.unpack() == 2 and central.log.unpack() == 0
    assert central.rows("SELECT state FROM block ORDER BY number") == [("sealed",), ("unpacked",)]
    assert central.log.read(first) == bent.block and first.number in central.log.have()[first.source]


def test_quality_survives(nodes: dict[int, Node]) -> None:
    vehicle, central = nodes[VEHICLE], nodes[CENTRAL]
    values, marks = (5, None, None, 7), (Quality.SUSPECT, Quality.OVER_RANGE, Quality.BAD, Quality.GOOD)
    vehicle.store.write([Observation("G1", "dev", FIX, vehicle.clock.stamp(), values, marks)]).result()
    vehicle.give(cut_all(vehicle, Lane.HISTORY), central)
    central.log.unpack(1)
    central.log.unpack(1)
    assert central.rows("SELECT vals, quals FROM observation") == [("[5,null,null,7]", "[1,6,2,0]")]
    assert central.rows("SELECT kind, value, quality FROM latest ORDER BY kind") == [
        (32, 5, 1),
        (35, None, 6),
        (96, 7, 0),
    ]


def test_many_waiting_rows_are_sealed_ahead_by_a_worker(
    nodes: dict[int, Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a log of its own; what it seals is there for every log of the store, and two never seal the same rows."""
    monkeypatch.setattr("edge.store.log.MAX_ROWS", 100)
    vehicle = nodes[VEHICLE]
    worker = StoreLog(vehicle.store, vehicle.ring)
    fresh: list[int] = []
    vehicle.store.watch(lambda told: fresh.append(told.blocks))
    vehicle.write(100)
    vehicle.flush()
    assert not worker.ripe()
    assert not worker.work()
    vehicle.write(300)
    vehicle.flush()
    assert worker.ripe()
    with vehicle.store.sealing:
        assert vehicle.log.cut(Lane.HISTORY, 1000) == []
    while worker.work():
        pass
    assert not worker.ripe()
    assert sum(fresh) > 0
    source = Source(VEHICLE, vehicle.log.incarnation, Lane.HISTORY)
    assert vehicle.log.have()[source] == worker.have()[source] == vehicle.log.held(source)
    assert vehicle.log.read(BlockId(*source, vehicle.log.held(source).top)) is not None
    worker.close()

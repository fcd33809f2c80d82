"""What screens read, and the views for people who open the file with another program."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlite_utils import Database

from edge.store.reader import Reader
from hardware.clock import ClockQuality, Stamp
from hardware.kinds import Quality
from hardware.observation import PROFILE_NAMED, Observation
from sync.events import BY_NAME
from sync.ids import Lane, Level
from sync.ranges import Ranges
from tests.edge.store_nodes import CENTRAL, VEHICLE, Node, cut_all

HEART, FIX, MESH = (PROFILE_NAMED[name] for name in ("oximeter", "fix", "mesh.position"))
SPO2, PULSE, LAT, ALT = 2, 13, 38, 40


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    node = Node(tmp_path, VEHICLE)
    yield node
    node.close()


@pytest.fixture
def reader(node: Node) -> Iterator[Reader]:
    reader = Reader(node.path, VEHICLE, (CENTRAL,), clock=lambda boot: node.clock)
    yield reader
    reader.close()


def measure(node: Node, spo2: int | None, pulse: int | None, level: Level = Level.ORIGIN, source: str = "clip") -> None:
    item = Observation("P1", source, HEART, node.clock.stamp(), (spo2, pulse))
    node.store.write([item], level=level).result()


def test_the_latest_of_each_kind_with_its_age(node: Node, reader: Reader) -> None:
    measure(node, 97, 80)
    node.clock.advance(5)
    measure(node, None, 82)
    node.clock.advance(2)
    latest = reader.snapshot().latest["P1"]
    assert (latest[SPO2].value, latest[SPO2].age_s) == (97, 7.0)
    assert (latest[PULSE].value, latest[PULSE].age_s, latest[PULSE].source) == (82, 2.0, "clip")


def test_a_guests_value_never_takes_a_members_place(node: Node, reader: Reader) -> None:
    measure(node, 97, 80)
    node.clock.advance(1)
    measure(node, 50, 180, Level.GUEST, "unknown")
    latest = reader.snapshot().latest["P1"]
    assert (latest[SPO2].value, latest[SPO2].level) == (97, Level.ORIGIN)


def test_a_value_out_of_range_is_shown_as_that_and_never_as_zero(node: Node, reader: Reader) -> None:
    values = (None, None, None, *(None,) * 6)
    marks = (Quality.GOOD, Quality.GOOD, Quality.OVER_RANGE, *(Quality.GOOD,) * 6)
    node.store.write([Observation("V1", "gnss0", FIX, node.clock.stamp(), values, marks)]).result()
    latest = reader.snapshot().latest["V1"]
    assert set(latest) == {ALT}
    assert latest[ALT].value is latest[ALT].real is None
    assert latest[ALT].quality is Quality.OVER_RANGE


def test_what_a_radio_heard_late_is_as_old_as_it_says(node: Node, reader: Reader) -> None:
    values = (313000000, 1043000000, 5000, 9, 4711, -80, 500, 1, 90)
    node.store.write([Observation("R1", "mesh0/!a1", MESH, node.clock.stamp(), values)]).result()
    latest = reader.snapshot().latest["R1"][LAT]
    assert latest.age_s == 90.0
    assert latest.real == pytest.approx(31.3)


def test_older_values_never_replace_newer_ones(node: Node, reader: Reader) -> None:
    measure(node, 97, 80)
    early = Stamp(node.clock.boot, 10_000, None, ClockQuality.NONE)
    node.store.write([Observation("P1", "clip", HEART, early, (90, 60))]).result()
    assert reader.snapshot().latest["P1"][SPO2].value == 97


def test_people_are_the_newest_word_on_each(node: Node, reader: Reader) -> None:
    kind = BY_NAME["person"].number
    for name in ("old name", "new name"):
        node.store.write_event(kind, "", {0: "P1", 1: name}).result()
    node.store.write_event(kind, "", {0: "P9", 1: "nobody"}, level=Level.GUEST).result()
    people = reader.snapshot().people
    assert {person: line.event.body[1] for person, line in people.items()} == {"P1": "new name"}


def test_events_show_how_far_they_got(node: Node, reader: Reader) -> None:
    node.event("sealed and stored there")
    [block_id] = cut_all(node, Lane.COMMAND)
    node.log.sent("lan", {block_id: 80})
    node.log.merge_end(CENTRAL, {block_id.source: Ranges([(0, 0)])})
    node.clock.advance(3)
    node.event("new")
    new, old = reader.snapshot().events
    assert (new.event.body[0], new.block, new.sent, new.stored, new.age_s) == ("new", None, (), (), 0.0)
    assert (old.block, old.sent, old.stored, old.age_s) == (block_id, ("lan",), (CENTRAL,), 3.0)


def test_the_backlog_by_lane_with_the_oldest_age(node: Node, reader: Reader) -> None:
    node.write(100)
    node.flush()
    ids = cut_all(node, Lane.HISTORY, 120)
    node.write(7)
    node.flush()
    assert len(ids) > 3
    node.log.merge_end(CENTRAL, {ids[0].source: Ranges([(0, 1)])})
    backlog = reader.snapshot().backlog[Lane.HISTORY]
    assert backlog.unsealed == 7
    assert 50 < backlog.sealed < 100
    assert backlog.waiting == backlog.sealed + 7
    assert backlog.oldest_s == pytest.approx(backlog.waiting - 1)
    assert reader.snapshot().backlog[Lane.FLASH].oldest_s is None


def test_only_a_change_is_a_change(node: Node, reader: Reader) -> None:
    assert reader.changed()
    assert not reader.changed()
    node.event("x")
    assert reader.changed()
    assert not reader.changed()


def test_the_status_is_told_with_its_age_and_the_stores_own_health(node: Node, reader: Reader) -> None:
    assert reader.snapshot().status == {}
    assert node.store.write_status({"links": [{"name": "lan", "state": "up"}]})
    node.clock.advance(4)
    found = reader.snapshot()
    assert found.status["links"] == [{"name": "lan", "state": "up"}]
    assert found.status["store"]["state"] == "up"
    assert found.status_age_s == 4.0
    assert not node.store.write_status({"too much": "x" * (1 << 17)})
    assert reader.snapshot().status == found.status


def test_a_screen_that_stays_open_never_holds_the_log_back(node: Node, reader: Reader) -> None:
    """A reader with an open cursor would keep the write-ahead log growing; one that fetches everything does not."""
    wal = node.path.with_name(node.path.name + "-wal")
    node.store.writer.submit(lambda tx: tx.conn.execute("PRAGMA wal_autocheckpoint=50").fetchall()).result()
    sizes = []
    for turn in range(8):
        reader.snapshot()
        items = [Observation("P1", "clip", HEART, node.clock.stamp(), (90 + at % 9, turn)) for at in range(1500)]
        node.store.write(items).result()
        sizes.append(wal.stat().st_size)
    assert sizes[-1] <= 2 * sizes[0]


def test_history_of_one_subject_oldest_first(node: Node, reader: Reader) -> None:
    for value in range(10):
        node.clock.advance(1)
        measure(node, 90 + value, 70)
    assert [row.values[0] for row in reader.history("P1", "oximeter", 4)] == [96, 97, 98, 99]
    assert reader.history("P2", "oximeter") == []


def test_ages_after_a_restart_come_from_the_wall_clock(node: Node, tmp_path: Path) -> None:
    measure(node, 97, 80)
    node.close()
    again = Node(tmp_path, VEHICLE)
    again.clock.advance(-600)  # its monotonic clock begins anew
    again.clock._offset_ms = 1_790_000_000_000 + 60_000 - 400_000
    with closing(Reader(node.path, VEHICLE, clock=lambda boot: again.clock)) as reader:
        assert reader.snapshot().latest["P1"][SPO2].age_s == 60.0
        again.clock._offset_ms = None
        assert reader.snapshot().latest["P1"][SPO2].age_s is None
    node.store, node.log = again.store, again.log  # closed by the fixture


# for people


@pytest.fixture
def in_china(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def rows(node: Node, view: str) -> list[dict[str, object]]:
    """As Datasette reads it: another library, nothing of this program."""
    node.flush()
    return list(Database(sqlite3.connect(f"file:{node.path}?mode=ro", uri=True))[view].rows)


def test_views_have_names_units_and_local_times(node: Node, in_china: None) -> None:
    values = (31_300_123, 104_300_456, 5123, 12, 271, 4, 17, 9, 8)
    stamp = Stamp(node.clock.boot, 5000, 1_790_000_000_000, ClockQuality.GNSS)
    node.store.write([Observation("V1", "gnss0", FIX, stamp, values)]).result()
    seen = {row["kind"]: row for row in rows(node, "v_observations")}
    assert seen["pos.lat"]["value"] == 31.300123
    assert (seen["pos.alt"]["value"], seen["pos.alt"]["unit"], seen["pos.alt"]["zh"]) == (512.3, "m", "高程")
    assert {row["time"] for row in seen.values()} == {"2026-09-21 22:13:20"}  # 14:13:20 UTC
    assert {row["subject"] for row in seen.values()} == {"V1"}
    latest = {row["kind"]: row for row in rows(node, "v_latest")}
    assert (latest["pos.speed"]["value"], latest["pos.speed"]["en"]) == (1.2, "ground speed")
    assert latest["pos.speed"]["time"] == "2026-09-21 22:13:20"


def test_rows_from_before_the_first_fix_are_dated_in_the_views(node: Node, in_china: None) -> None:
    early = Stamp(node.clock.boot, 5000, None, ClockQuality.NONE)
    later = Stamp(node.clock.boot, 65_000, 1_790_000_000_000, ClockQuality.GNSS)
    for stamp in (early, later):
        node.store.write([Observation("P1", "clip", HEART, stamp, (97, 80))]).result()
    assert [row["time"] for row in rows(node, "v_observations")][::2] == ["2026-09-21 22:12:20", "2026-09-21 22:13:20"]
    node.store.write([Observation("P2", "clip", HEART, early, (97, 80))]).result()
    assert {row["time"] for row in rows(node, "v_latest") if row["subject"] == "P2"} == {"2026-09-21 22:12:20"}


def test_events_and_blocks_can_be_read(node: Node) -> None:
    node.event("水位上涨")
    [block_id] = cut_all(node, Lane.COMMAND)
    node.log.sent("lan", {block_id: 80})
    [event] = rows(node, "v_events")
    assert (event["kind"], event["zh"], event["actor"]) == ("message", "消息", "P01")
    assert "水位上涨" in str(event["body"])
    [block] = rows(node, "v_blocks")
    assert (block["origin"], block["lane"], block["sent_by"], block["held"]) == (VEHICLE, Lane.COMMAND, "lan", 1)


def test_every_table_is_strict_and_every_view_works(node: Node) -> None:
    database = Database(sqlite3.connect(f"file:{node.path}?mode=ro", uri=True))
    own = [table for table in database.tables if not table.name.startswith("_") and table.name != "sqlite_sequence"]
    assert len(own) > 15
    assert [table.name for table in own if not table.strict] == []
    assert {view.name for view in database.views} >= {"v_observations", "v_latest", "v_events", "v_blocks"}
    for view in database.views:
        list(view.rows)

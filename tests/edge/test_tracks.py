"""Bounded tracks end to end: drawn at one node, shown at another with their bound, and replaced where history comes."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from edge.store.log import StoreLog
from edge.store.reader import Reader
from edge.store.ways import SILENCE_MS, Stretch, merged
from edge.tracks import BOUND_M, Tracker
from hardware.kinds import BY_NAME as KIND
from hardware.observation import PROFILE_NAMED, Observation
from sync.codec.simplify import Fix
from sync.codec.track import TrackSpan
from sync.ids import BlockId, Lane, Level
from sync.records import Anchor, Truth
from tests.edge.store_nodes import CENTRAL, VEHICLE, Node, cut_all

ANCHOR = Anchor(335_200_000, 1_079_800_000, 1_790_000_000_000)
WEARABLE = PROFILE_NAMED["wearable"]
METRE = 8.983  # 1e-6 degrees of latitude


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[dict[int, Node]]:
    made = {origin: Node(tmp_path, origin, anchor=ANCHOR) for origin in (CENTRAL, VEHICLE)}
    yield made
    for node in made.values():
        node.close()


@pytest.fixture
def tracker(nodes: dict[int, Node]) -> Iterator[Tracker]:
    node = nodes[VEHICLE]
    with closing(Tracker(node.store, StoreLog(node.store, node.ring, ANCHOR), ANCHOR)) as made:
        yield made


def wander(node: Node, subject: str, rows: int, step_s: float = 5.0) -> list[Fix]:
    """Somebody walks; returns what was measured."""
    chance, out = random.Random(subject), []
    north, east, heading = 33_521_000.0, 107_982_000.0, 1.0
    for _ in range(rows):
        node.clock.advance(step_s)
        heading += chance.gauss(0, 0.15)
        north += 1.2 * step_s * METRE * math.cos(heading) + chance.gauss(0, 4)
        east += 1.2 * step_s * METRE * 1.2 * math.sin(heading) + chance.gauss(0, 4)
        values = (round(north), round(east), 8120, 11, 96, 97, 366, 80)
        stamp = node.clock.stamp()
        node.store.write([Observation(subject, f"ble/{subject}", WEARABLE, stamp, values)])
        assert stamp.wall_ms is not None
        out.append(Fix(stamp.wall_ms, round(north) * 10, round(east) * 10))
    node.flush()
    return out


def carry(ids: list[BlockId], start: Node, end: Node) -> int:
    end.log.commit([start.incoming(block_id, end) for block_id in ids])
    while end.log.unpack():
        pass
    return sum(len(start.log.read(block_id) or b"") for block_id in ids)


def way(node: Node, subject: str) -> list[Stretch]:
    with closing(Reader(node.path, node.store.origin, clock=lambda _: node.clock)) as reader:
        return reader.way(subject, 0, 1 << 62)


def metres(a: Fix, b: Fix) -> float:
    east = (a.lon_e7 - b.lon_e7) * math.cos(math.radians(a.lat_e7 / 1e7))
    return math.hypot(a.lat_e7 - b.lat_e7, east) * 0.0111319491


def test_a_track_comes_before_history_and_history_replaces_it(nodes: dict[int, Node], tracker: Tracker) -> None:
    vehicle, central = nodes[VEHICLE], nodes[CENTRAL]
    fixes = wander(vehicle, "P01", 360)
    ids = tracker.trace()
    assert {block_id.lane for block_id in ids} == {Lane.TRACK}
    assert carry(ids, vehicle, central) < 250, "half an hour of a person with its name, sealed"
    (stretch,) = way(central, "P01")
    assert (stretch.truth, stretch.bound_m) == (Truth.BOUNDED, BOUND_M)
    span = TrackSpan(0, stretch.bound_m, stretch.points)
    places = [span.at(fix.ms) for fix in fixes]
    assert all(place and metres(fix, place) <= BOUND_M for fix, place in zip(fixes, places, strict=True))
    with closing(Reader(central.path, CENTRAL, clock=lambda _: central.clock)) as reader:
        latest = reader.snapshot().latest["P01"][KIND["pos.lat"].number]
    assert (latest.truth, latest.bound_m) == (Truth.BOUNDED, BOUND_M)
    carry(cut_all(vehicle, Lane.HISTORY), vehicle, central)
    (stretch,) = way(central, "P01")
    assert stretch.truth is Truth.EXACT and list(stretch.points) == fixes


def test_the_next_track_goes_on_where_the_last_one_ended(nodes: dict[int, Node], tracker: Tracker) -> None:
    vehicle, central = nodes[VEHICLE], nodes[CENTRAL]
    wander(vehicle, "P01", 100)
    first = tracker.trace()
    assert tracker.trace() == [], "nothing new, nothing drawn"
    wander(vehicle, "P01", 20)
    wander(vehicle, "P02", 100)
    carry([*first, *tracker.trace()], vehicle, central)
    one, two = way(central, "P01")
    assert one.points[-1].ms == two.points[0].ms
    assert [stretch.truth for stretch in way(central, "P02")] == [Truth.BOUNDED]


def test_a_span_stands_at_its_block_s_level(nodes: dict[int, Node], tracker: Tracker) -> None:
    vehicle, central = nodes[VEHICLE], nodes[CENTRAL]
    wander(vehicle, "P01", 40)
    ids = tracker.trace()
    carry(ids, vehicle, central)
    assert central.rows("SELECT DISTINCT level FROM span") == [(int(Level.MEMBER),)]
    central.log.prove(ids, Level.ORIGIN)
    assert central.rows("SELECT DISTINCT level FROM span") == [(int(Level.ORIGIN),)]


def test_exact_fixes_cut_pieces_out_of_a_span() -> None:
    span = TrackSpan(1, 25, (Fix(0, 0, 0), Fix(400_000, 4000, 0), Fix(1_000_000, 4000, 6000)))
    exact = [Fix(ms, ms // 100, 0) for ms in range(100_000, 300_001, SILENCE_MS // 2)]
    stretches = merged(exact, [span, span])
    assert [(each.truth, each.points[0].ms, each.points[-1].ms) for each in stretches] == [
        (Truth.BOUNDED, 0, 100_000),
        (Truth.EXACT, 100_000, 280_000),
        (Truth.BOUNDED, 280_000, 1_000_000),
    ]
    assert stretches[2].points == (Fix(280_000, 2800, 0), *span.points[1:])


def test_streams_without_places_are_not_drawn(nodes: dict[int, Node], tracker: Tracker) -> None:
    nodes[VEHICLE].write(50)
    nodes[VEHICLE].flush()
    assert tracker.trace() == []

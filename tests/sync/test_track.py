"""Bounded tracks: the bound holds for every fix, frames stand alone, damage is one exception."""

from __future__ import annotations

import json
import math
import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware.errors import DecodeError
from sync.codec.simplify import REACH_MS, Fix, Vertex, split
from sync.codec.stack import LAPLACE, StackReader, StackWriter
from sync.codec.track import MAX_VERTICES, TrackSpan, Way, bound, decode_tracks, encode_tracks
from sync.records import Anchor

PAGE = Path(__file__).parents[2] / "docs/wire/track.md"
VECTORS = json.loads((Path(__file__).parents[1] / "data/codec/tracks.json").read_text(encoding="utf-8"))
ANCHOR = Anchor(335_200_000, 1_079_800_000, 1_784_290_200_000)


def walk(seed: int, minutes: int, every_ms: int = 1000, metres: float = 1.3) -> list[Fix]:
    """A walker who turns, pauses and whose receiver wanders."""
    rng = random.Random(seed)
    lat, lon, heading = 335_210_000.0, 1_079_790_000.0, rng.uniform(0, 6.3)
    out, noise = [], [0.0, 0.0]
    for at in range(minutes * 60_000 // every_ms):
        heading += rng.gauss(0, 0.06)
        pace = 0 if at // 120 % 5 == 4 else metres * every_ms / 1000
        lat += pace * math.cos(heading) / 0.0111319
        lon += pace * math.sin(heading) / 0.0111319 / math.cos(math.radians(33.5))
        noise = [0.9 * n + rng.gauss(0, 8) for n in noise]
        out.append(Fix(ANCHOR.start_ms + at * every_ms, int(lat + noise[0]), int(lon + noise[1])))
    return out


def metres(a: Fix, b: Fix) -> float:
    east = (a.lon_e7 - b.lon_e7) * math.cos(math.radians(a.lat_e7 / 1e7))
    return math.hypot(a.lat_e7 - b.lat_e7, east) * 0.0111319


def worst(fixes: list[Fix], spans: list[TrackSpan]) -> float:
    """The largest distance of a fix from the spans' way at its own time."""
    out = 0.0
    for fix in fixes:
        places = [place for span in spans if (place := span.at(fix.ms))]
        assert places, f"no span covers {fix}"
        out = max(out, *(metres(fix, place) for place in places))
    return out


def frames(fixes: list[Fix], bound_m: int, budget: int) -> list[bytes]:
    left, out = bound(7, fixes, bound_m), []
    while left:
        body, left = encode_tracks(left, ANCHOR, budget)
        assert 0 < len(body) <= budget
        out.append(body)
    return out


@pytest.mark.parametrize("bound_m", [5, 10, 25])
@pytest.mark.parametrize("budget", [63, 200, 1750])
def test_every_fix_stays_within_the_bound(bound_m: int, budget: int) -> None:
    fixes = walk(bound_m, 12, 4000)
    spans = [span for body in frames(fixes, bound_m, budget) for span in decode_tracks(body, ANCHOR)]
    assert {span.bound_m for span in spans} == {bound_m} and {span.stream for span in spans} == {7}
    assert worst(fixes, spans) <= bound_m
    for before, after in pairwise(spans):
        assert before.points[-1] == after.points[0], "a cut way goes on where it was cut"


def test_a_person_hour_costs_less_than_the_bar() -> None:
    fixes = walk(3, 60, 10_000)
    for bound_m, bar in ((10, 130), (25, 70)):
        assert sum(map(len, frames(fixes, bound_m, 200))) <= bar


def test_jumps_gaps_fine_clocks_and_the_far_ends_of_the_earth() -> None:
    start = ANCHOR.start_ms
    jump = [Fix(start + at * 100, 335_000_000 + (at % 7) * 90_000, 1_079_000_000) for at in range(60)]
    gap = walk(1, 3) + [fix._replace(ms=fix.ms + 2 * REACH_MS) for fix in walk(2, 3)]
    edges = [Fix(start + at * 1000, -899_990_000 + at * 300, -1_799_999_000 + at) for at in range(50)]
    odd = [Fix(start + at * 997 + 13, 335_000_000 + at * 200, 1_079_000_000 - at * 100) for at in range(100)]
    for fixes in (jump, gap, edges, odd):
        spans = [span for body in frames(fixes, 10, 200) for span in decode_tracks(body, ANCHOR)]
        assert worst(fixes, spans) <= 10
    assert sum(1 for _ in split(gap)) == 2, "nobody draws a way through a silence"


def test_a_lone_fix_and_a_doubled_instant_are_no_track() -> None:
    lone = walk(1, 1)[:1]
    assert bound(1, lone, 10) == [] and bound(1, lone * 2, 10) == []


def test_a_way_of_more_corners_than_a_reader_takes_is_cut() -> None:
    way = Way(1, 10, 64, 1, tuple(Vertex(5 * at, 0, 0) for at in range(MAX_VERTICES + 9)))
    body, left = encode_tracks([way], None)
    (span,) = decode_tracks(body, None)
    assert len(span.points) == MAX_VERTICES and [len(rest.corners) for rest in left] == [10]


@pytest.mark.parametrize("bound_m", [0, -3, 1001])
def test_a_bound_must_be_metres_that_mean_something(bound_m: int) -> None:
    with pytest.raises(ValueError, match="not within"):
        bound(1, walk(1, 1), bound_m)


def test_damage_is_one_exception() -> None:
    body = frames(walk(5, 12), 10, 200)[0]
    rng = random.Random(5)
    for _ in range(800):
        broken = bytearray(body)
        for _ in range(rng.randrange(1, 4)):
            broken[rng.randrange(len(broken))] = rng.randrange(256)
        try:
            decode_tracks(bytes(broken[: rng.randrange(len(broken) + 1)]), ANCHOR)
        except DecodeError:
            continue


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector["name"]))
def test_golden_vectors_hold_both_ways(vector: dict[str, Any]) -> None:
    anchor = Anchor(*vector["anchor"]) if vector["anchor"] else None
    spans = [
        TrackSpan(stream, metres, tuple(Fix(*point) for point in points)) for stream, metres, points in vector["spans"]
    ]
    ways = [
        Way(stream, metres, stretch, tick, tuple(Vertex(*corner) for corner in corners))
        for stream, metres, stretch, tick, corners in vector["ways"]
    ]
    body = bytes.fromhex(vector["body"])
    assert decode_tracks(body, anchor) == spans
    assert encode_tracks(ways, anchor, vector["budget"])[0] == body


def test_the_page_has_the_vectors() -> None:
    page, bodies = PAGE.read_text(encoding="utf-8"), {each["name"]: each["body"] for each in VECTORS}
    for name in ("ten minutes within 10 m", "an odd clock near the pole"):
        assert f"| {name} | `{bodies[name]}` |" in page


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(LAPLACE) - 1), st.integers(-(1 << 61), 1 << 61)), max_size=60))
def test_the_stack_gives_back_what_was_put_on(items: list[tuple[int, int]]) -> None:
    writer = StackWriter()
    for table, value in items:
        writer.signed(LAPLACE[table], value)
        writer.uniform(abs(value) % 7, 7)
    reader = StackReader(writer.bytes())
    for table, value in items:
        assert reader.signed(LAPLACE[table]) == value
        assert reader.uniform(7) == abs(value) % 7
    reader.end()
    assert len(writer.bytes()) * 8 <= writer.cost / 256 + 24

"""Bounded tracks: a way of few vertices that never leaves the stated metres of any original fix (docs/wire/track.md).

A reader shows such a span as class "bounded" with its bound; exact history of the same span replaces it when it comes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from hardware.errors import DecodeError
from sync.codec.simplify import MAX_STRETCH, TICKS_MS, Fix, Grid, Vertex, fitting, split, vertices
from sync.codec.stack import LAPLACE, MAX_BYTES, StackReader, StackWriter, Table
from sync.records import Anchor

VERSION: Final = 1
MAX_BOUND_M: Final = 1000
MAX_SPANS: Final = 256
MAX_VERTICES: Final = 4096
_STEP = 1 << 44  # no coordinate or time of a track is this many steps away
_LEADS: Final = 5  # how far the last leg's speed is believed: 0, 1/4 .. 4/4


@dataclass(frozen=True, slots=True)
class TrackSpan:
    """A stretch of one stream's way: between two points the way is straight and even in time, true to `bound_m` metres."""

    stream: int
    bound_m: int
    points: tuple[Fix, ...]

    def at(self, ms: int) -> Fix | None:
        """Where the way was at an instant; None outside the span."""
        for before, after in pairwise(self.points):
            if before.ms <= ms <= after.ms:
                passed, span = ms - before.ms, after.ms - before.ms
                lat = before.lat_e7 + (after.lat_e7 - before.lat_e7) * passed // span
                return Fix(ms, lat, before.lon_e7 + (after.lon_e7 - before.lon_e7) * passed // span)
        return self.points[0] if self.points and ms == self.points[0].ms else None


@dataclass(frozen=True, slots=True)
class Way:
    """A span on its grid, as it is written: vertices count ticks, rows and columns from zero time and place."""

    stream: int
    bound_m: int
    stretch: int
    tick: int
    corners: tuple[Vertex, ...]

    @property
    def grid(self) -> Grid:
        """Its grid."""
        return Grid.of(self.bound_m, self.stretch, self.tick)


@dataclass(frozen=True, slots=True)
class _Law:
    """How a span's legs are spread: middle and spread of their times in raster steps, lead and spread of their ends."""

    middle: int
    time: int
    lead: int
    place: int


def bound(stream: int, fixes: Sequence[Fix], bound_m: int) -> list[Way]:
    """The cheapest ways within `bound_m` of every fix: one for each run without a gap (`split`); lone fixes have none."""
    if not 0 < bound_m <= MAX_BOUND_M:
        raise ValueError(f"a bound of {bound_m} m is not within 1..{MAX_BOUND_M}")
    ways = []
    for run in split(fixes):
        if len(run) > 1:
            stretch, tick = fitting(run)
            steps = Grid.of(bound_m, stretch, tick)
            start = run[0].ms // steps.tick_ms
            corners = (corner._replace(tick=corner.tick + start) for corner in vertices(run, bound_m, steps))
            ways.append(Way(stream, bound_m, stretch, tick, tuple(corners)))
    return ways


def encode_tracks(ways: Sequence[Way], anchor: Anchor | None, budget: int = MAX_BYTES) -> tuple[bytes, list[Way]]:
    """As much of the ways as fits `budget` bytes, and what is left; a way cut in two goes on from its last vertex sent."""
    for reserve in range(
        2, 6
    ):  # the two bytes in front, and what the coder's last symbol may cost beyond its information
        body, left = _encode(ways, anchor, (budget - reserve) * 8 * 256)
        if len(body) <= budget:
            return body, left
    return b"", list(ways)


def _encode(ways: Sequence[Way], anchor: Anchor | None, limit: int) -> tuple[bytes, list[Way]]:
    writer = StackWriter()
    for parts, way in enumerate(ways[: MAX_SPANS - 1]):
        mark, cost = writer.mark(), writer.cost
        sent = _write_way(writer, way, anchor, limit)
        if sent == len(way.corners):
            continue
        if sent >= 2:
            rest = Way(way.stream, way.bound_m, way.stretch, way.tick, way.corners[sent - 1 :])
            return _body(parts + 1, writer), [rest, *ways[parts + 1 :]]
        writer.back(mark, cost)
        return _body(parts, writer), list(ways[parts:])
    return _body(len(ways[: MAX_SPANS - 1]), writer), list(ways[MAX_SPANS - 1 :])


def _body(parts: int, writer: StackWriter) -> bytes:
    return bytes((VERSION << 4, parts)) + writer.bytes() if parts else b""


def decode_tracks(data: bytes, anchor: Anchor | None) -> list[TrackSpan]:
    """The spans of a body; DecodeError on anything that encode_tracks would not have made."""
    if len(data) < 2 or data[0] != VERSION << 4:
        raise DecodeError("track: unknown version")
    reader = StackReader(data[2:])
    spans = [_read_way(reader, anchor) for _ in range(data[1])]
    reader.end()
    return spans


def _origin(steps: Grid, anchor: Anchor | None) -> Vertex:
    """The anchor in steps of the grid."""
    if anchor is None:
        return Vertex(0, 0, 0)
    return Vertex(anchor.start_ms // steps.tick_ms, anchor.lat_e7 // steps.lat, anchor.lon_e7 // steps.lon)


def _write_way(writer: StackWriter, way: Way, anchor: Anchor | None, limit: int) -> int:
    """Write the leading vertices whose cost stays below `limit`; returns how many."""
    law = _choose(way)
    mark, cost = writer.mark(), writer.cost
    count = min(len(way.corners), MAX_VERTICES)
    while True:
        _write_head(writer, way, count, law, anchor)
        fits = _write_legs(writer, way, law, count, limit)
        if fits == count or fits < 2:
            return fits
        writer.back(mark, cost)
        count = fits


def _write_head(writer: StackWriter, way: Way, count: int, law: _Law, anchor: Anchor | None) -> None:
    steps = way.grid
    origin, first = _origin(steps, anchor), way.corners[0]
    writer.plain(way.stream)
    writer.uniform(way.bound_m - 1, MAX_BOUND_M)
    writer.plain(way.stretch - 64)
    writer.uniform(way.tick, len(TICKS_MS))
    for value, zero in zip(first, origin, strict=True):
        writer.uniform(int(value < zero), 2)
        writer.plain(abs(value - zero))
    writer.plain(count)
    writer.uniform(law.middle, 64)
    writer.uniform(law.time, len(LAPLACE))
    writer.uniform(law.lead, _LEADS)
    writer.uniform(law.place, len(LAPLACE))


def _write_legs(writer: StackWriter, way: Way, law: _Law, count: int, limit: int) -> int:
    """Write legs while they fit; returns how many vertices are written, the first included."""
    raster = way.grid.raster
    before = Vertex(0, 0, 0)
    for at, (start, end) in enumerate(pairwise(way.corners[:count]), 1):
        span = end.tick - start.tick
        coarse, fine = divmod(span, raster)
        writer.signed(LAPLACE[law.time], (0 if fine else coarse) - law.middle)
        if fine:
            writer.plain(span)
        row, column = _led(before, span, law.lead)
        table = _wider(law, span, raster)
        writer.signed(table, end.row - start.row - row)
        writer.signed(table, end.column - start.column - column)
        if writer.cost > limit:
            return at
        before = Vertex(span, end.row - start.row, end.column - start.column)
    return count


def _led(before: Vertex, span: int, lead: int) -> tuple[int, int]:
    """Where a leg of `span` ticks ends when the leg before it is carried on by `lead` quarters of its speed."""
    if not before.tick:
        return 0, 0
    share = 4 * before.tick
    half = share // 2
    return (before.row * span * lead + half) // share, (before.column * span * lead + half) // share


def _wider(law: _Law, span: int, raster: int) -> Table:
    """The law's table for places after a leg of `span` ticks: the longer the leg, the wider."""
    longer = (span // raster).bit_length() - law.middle.bit_length()
    return LAPLACE[min(max(law.place + longer, 0), len(LAPLACE) - 1)]


def _read_way(reader: StackReader, anchor: Anchor | None) -> TrackSpan:
    stream, bound_m = reader.plain(), reader.uniform(MAX_BOUND_M) + 1
    stretch, tick = reader.plain() + 64, reader.uniform(len(TICKS_MS))
    if stretch >= MAX_STRETCH:
        raise DecodeError("track: grid out of range")
    steps = Grid.of(bound_m, stretch, tick)
    signs_sizes = [(reader.uniform(2), reader.plain()) for _ in range(3)]
    place = Vertex(
        *(zero - v if s else zero + v for zero, (s, v) in zip(_origin(steps, anchor), signs_sizes, strict=True))
    )
    count = reader.plain()
    if not 2 <= count <= MAX_VERTICES:
        raise DecodeError("track: vertices out of range")
    law = _Law(reader.uniform(64), reader.uniform(len(LAPLACE)), reader.uniform(_LEADS), reader.uniform(len(LAPLACE)))
    points = [_point(place, steps)]
    before = Vertex(0, 0, 0)
    for _ in range(count - 1):
        before = _read_leg(reader, law, steps.raster, before)
        place = Vertex(*(a + b for a, b in zip(place, before, strict=True)))
        points.append(_point(place, steps))
    return TrackSpan(stream, bound_m, tuple(points))


def _read_leg(reader: StackReader, law: _Law, raster: int, before: Vertex) -> Vertex:
    coarse = reader.signed(LAPLACE[law.time]) + law.middle
    span = coarse * raster if coarse else reader.plain()
    if not 0 < span < _STEP:
        raise DecodeError("track: time does not rise")
    row, column = _led(before, span, law.lead)
    table = _wider(law, span, raster)
    return Vertex(span, row + reader.signed(table), column + reader.signed(table))


def _point(place: Vertex, steps: Grid) -> Fix:
    if max(abs(value) for value in place) >= _STEP:
        raise DecodeError("track: out of range")
    fix = Fix(place.tick * steps.tick_ms, place.row * steps.lat, place.column * steps.lon)
    if abs(fix.lat_e7) > 910_000_000 or abs(fix.lon_e7) > 1_810_000_000:
        raise DecodeError("track: not on this planet")
    return fix


def _choose(way: Way) -> _Law:
    """The law under which the way's legs cost least."""
    raster = way.grid.raster
    legs = [Vertex(*(b - a for a, b in zip(start, end, strict=True))) for start, end in pairwise(way.corners)]
    times = [0 if leg.tick % raster else leg.tick // raster for leg in legs]
    middle = min(sorted(times)[len(times) // 2], 63) if times else 0
    time = _cheapest([time - middle for time in times])[1]
    best = (1 << 60, 0, 0)
    for lead in range(_LEADS):
        misses = []
        before = Vertex(0, 0, 0)
        for leg in legs:
            row, column = _led(before, leg.tick, lead)
            misses.append((leg.tick, leg.row - row, leg.column - column))
            before = leg
        for place in range(len(LAPLACE)):
            law, writer = _Law(middle, time, lead, place), StackWriter()
            for span, row, column in misses:
                table = _wider(law, span, raster)
                writer.signed(table, row)
                writer.signed(table, column)
            best = min(best, (writer.cost, lead, place))
    return _Law(middle, time, best[1], best[2])


def _cheapest(values: Sequence[int]) -> tuple[int, int]:
    """Cost and number of the LAPLACE table under which the values cost least."""
    costs = []
    for number, table in enumerate(LAPLACE):
        writer = StackWriter()
        for value in values:
            writer.signed(table, value)
        costs.append((writer.cost, number))
    return min(costs)

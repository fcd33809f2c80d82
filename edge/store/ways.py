"""Where somebody went, as the tables know it: exact fixes of observations, and bounded spans where those have not come (yet)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from edge.store.ingest import Entry, Ingest, Place, Stream
from edge.store.rows import compact, profile_of
from edge.store.writer import Tx
from hardware.clock import ClockQuality
from hardware.kinds import BY_NAME as KIND
from hardware.kinds import Quality
from hardware.observation import Column, Profile
from sync.codec.simplify import Fix
from sync.codec.track import TrackSpan
from sync.ids import Lane, Level
from sync.records import Truth

SILENCE_MS: Final = 60_000  # exact fixes farther apart leave what is between them to a bounded span
LAT, LON = KIND["pos.lat"].number, KIND["pos.lon"].number
PLACE: Final = Profile(0, "track.place", (Column(LAT, -7), Column(LON, -7)))
_KEEP: Final = (
    "INSERT INTO span (origin, incarnation, stream, first_ms, last_ms, bound_m, points, block, level) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)
_WHO: Final = (
    "SELECT subject, source FROM stream WHERE (origin, incarnation, number) = (?, ?, ?) AND subject IS NOT NULL"
)
SPANS: Final = (
    "SELECT n.stream, n.bound_m, n.points FROM span n JOIN stream s ON (s.origin, s.incarnation, s.number) = "
    "(n.origin, n.incarnation, n.stream) WHERE s.subject = ? AND n.last_ms >= ? AND n.first_ms <= ? AND n.level >= ? ORDER BY n.first_ms"
)
FIXES: Final = (
    "SELECT o.wall_ms, o.vals, o.quals, p.number, p.name, p.fields FROM observation o JOIN stream s ON s.id = o.stream "
    "JOIN profile p ON p.id = s.profile WHERE {} AND o.wall_ms BETWEEN ? AND ? AND o.level >= ? ORDER BY o.wall_ms LIMIT ?"
)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a way: every instant of it within `bound_m` metres of `points` (0: the points are what was measured)."""

    truth: Truth
    bound_m: int
    points: tuple[Fix, ...]


def keep(tx: Tx, place: Place, spans: Iterable[TrackSpan], level: Level, block: int | None = None) -> None:
    """Store spans of a node's streams; what is here already is not stored twice."""
    for span in spans:
        first, last, points = span.points[0].ms, span.points[-1].ms, compact([list(point) for point in span.points])
        tx.conn.execute(_KEEP, (*place, span.stream, first, last, span.bound_m, points, block, int(level)))


def show(tx: Tx, ingest: Ingest, place: Place, span: TrackSpan, at: tuple[int, int], level: Level) -> None:
    """The end of a span as its subject's latest place; at: (boot, ms) of that on this store's own clock."""
    who = tx.conn.execute(_WHO, (*place, span.stream)).fetchone()
    if who is not None:
        ms, *values = span.points[-1]
        stream = Stream(0, who[0], who[1], PLACE)
        entry = Entry(
            stream, 0, 0, ms, int(ClockQuality.NONE), tuple(values), (0, 0), Lane.TRACK, level, at,
            truth=Truth.BOUNDED, bound_m=span.bound_m,
        )  # fmt: skip
        ingest.latest(tx, [entry])


def span_of(stream: int, bound_m: int, points: str) -> TrackSpan:
    """A span from its row."""
    return TrackSpan(stream, bound_m, tuple(Fix(*point) for point in json.loads(points)))


def fixes_of(rows: Iterable[Sequence[Any]]) -> Iterator[Fix]:
    """The places in rows of FIXES, those without a good one left out."""
    for wall_ms, vals, quals, *profile in rows:
        found = _place(json.loads(vals), json.loads(quals) if quals else None, profile_of(*profile))
        if found is not None:
            yield Fix(wall_ms, *found)


def _place(values: Sequence[int | None], grades: Sequence[int] | None, profile: Profile) -> tuple[int, int] | None:
    """1e-7 degrees of latitude and longitude."""
    out: list[int] = []
    for at, column in enumerate(profile.columns):
        if column.kind not in (LAT, LON):
            continue
        value = values[at]
        if value is None or (grades is not None and grades[at] > Quality.SUSPECT):
            return None
        shift = column.exponent + 7
        out.append(value * 10**shift if shift >= 0 else value // 10**-shift)
    return (out[0], out[1]) if len(out) == 2 else None


def merged(fixes: Sequence[Fix], spans: Iterable[TrackSpan]) -> list[Stretch]:
    """One way from both, in order of time: exact wherever fixes follow each other closely, bounded where only a span knows."""
    runs = list(_runs(fixes))
    out = [Stretch(Truth.EXACT, 0, tuple(run)) for run in runs]
    known = [(run[0].ms, run[-1].ms) for run in runs]
    for span in spans:
        out += [Stretch(Truth.BOUNDED, span.bound_m, part) for part in _parts(span, known)]
        known = sorted([*known, (span.points[0].ms, span.points[-1].ms)])
    return sorted(out, key=lambda stretch: stretch.points[0].ms)


def _runs(fixes: Sequence[Fix]) -> Iterator[list[Fix]]:
    run: list[Fix] = []
    for fix in fixes:
        if run and fix.ms - run[-1].ms > SILENCE_MS:
            yield run
            run = []
        run.append(fix)
    if run:
        yield run


def _parts(span: TrackSpan, known: Sequence[tuple[int, int]]) -> Iterator[tuple[Fix, ...]]:
    """What of a span lies outside the sorted times that are known already."""
    at, last = span.points[0].ms, span.points[-1].ms
    for first, end in [*known, (last + 1, last + 1)]:
        if end < at:
            continue
        if min(first, last) > at:
            yield tuple(_between(span, at, min(first, last)))
        at = max(at, end)
        if at >= last:
            return


def _between(span: TrackSpan, first: int, last: int) -> Iterator[Fix]:
    """The way from one instant of a span to another."""
    ends = {ms: place for ms in (first, last) if (place := span.at(ms)) is not None}
    inner = {point.ms: point for point in span.points if first < point.ms < last}
    yield from (point for _, point in sorted({**ends, **inner}.items()))

"""Bounded tracks: bytes per person-hour on foot at a guaranteed distance, checked at every original sample at its own time."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, Final

from bench.tracks import anchor_of, table, whole
from bench.tracks import tracks as tracks_of
from sync.codec.simplify import Fix, split
from sync.codec.track import TrackSpan, bound, decode_tracks, encode_tracks
from sync.records import Anchor

TRACKS: Final = "tests/data/tracks"
BOUNDS_M: Final = (10, 25)
BUDGET: Final = 200
ON_FOOT: Final = 2.0  # m/s: the median pace up to which a track counts as walked
LEAST_H: Final = 0.25
HOUR_MS: Final = 3_600_000
E7_METRES: Final = 0.0111319491
POLE: Final = 900_000_000


def run(tracks: str = TRACKS) -> dict[str, Any]:
    """Every walked track of a directory, as recorded.

    files: name -> hours, bytes an hour at each bound in metres, the worst distance found, milliseconds of processor time an hour.
    medians: over tracks of a quarter of an hour and more; a shorter one is mostly its head.
    """
    found = {}
    for path, batch in tracks_of(Path(tracks))[0].items():
        fixes = list(_fixes(path))
        runs = [each for each in split(fixes) if len(each) > 1]
        if runs and _pace(fixes) <= ON_FOOT:
            found[path.stem] = _measure(fixes, runs, anchor_of(batch))
    long = [each for each in found.values() if each["hours"] >= LEAST_H]
    medians = {str(m): round(median(each[str(m)] for each in long), 1) for m in BOUNDS_M} if long else {}
    return {"files": found, "medians": medians, "ok": all(each["kept"] for each in found.values())}


def _fixes(path: Path) -> Iterator[Fix]:
    """Every row's place, at full resolution; rows that are nowhere on the planet left out."""
    header, lines = table(path)
    for line in lines:
        cells = dict(zip(header, line, strict=False))
        ms, lat, lon = (whole(cells.get(name, "")) for name in ("t_ms", "lat_e7", "lon_e7"))
        if ms is not None and lat is not None and lon is not None and abs(lat) <= POLE and abs(lon) <= 2 * POLE:
            yield Fix(ms, lat, lon)


def _metres(a: Fix, b: Fix) -> float:
    east = (a.lon_e7 - b.lon_e7) * math.cos(math.radians((a.lat_e7 + b.lat_e7) / 2e7))
    return math.hypot(a.lat_e7 - b.lat_e7, east) * E7_METRES


def _pace(fixes: Sequence[Fix]) -> float:
    """The median speed in m/s of steps that move."""
    steps = [(_metres(a, b), b.ms - a.ms) for a, b in pairwise(fixes) if b.ms > a.ms]
    moving = [1000 * far / passed for far, passed in steps if far > 0]
    return median(moving) if moving else math.inf


def _measure(fixes: Sequence[Fix], runs: Sequence[Sequence[Fix]], anchor: Anchor) -> dict[str, Any]:
    hours = sum(each[-1].ms - each[0].ms for each in runs) / HOUR_MS
    out: dict[str, Any] = {"hours": round(hours, 2), "kept": True}
    for metres in BOUNDS_M:
        started = time.process_time()
        left, size, spans = bound(1, fixes, metres), 0, list[TrackSpan]()
        while left:
            body, left = encode_tracks(left, anchor, BUDGET)
            size += len(body)
            spans += decode_tracks(body, anchor)
        out[f"{metres}_ms"] = round((time.process_time() - started) * 1000 / hours)
        worst = max(min(_metres(fix, place) for place in _places(spans, fix)) for each in runs for fix in each)
        out |= {str(metres): round(size / hours, 1), f"{metres}_worst_m": round(worst, 2)}
        out["kept"] = out["kept"] and worst <= metres
    return out


def _places(spans: Sequence[TrackSpan], fix: Fix) -> list[Fix]:
    """Where the spans say it was, more than one place after a clock that went back; ValueError where none does."""
    found = [
        place for span in spans if span.points[0].ms <= fix.ms <= span.points[-1].ms and (place := span.at(fix.ms))
    ]
    if not found:
        raise ValueError(f"no span covers {fix}")
    return found

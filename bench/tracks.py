"""Recorded tracks as batches: CSV files with t_ms, lat_e7, lon_e7, alt_cm, spd_cms, crs_cdeg, hr, spo2_d, temp_c, x1..x4."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from hardware.clock import ClockQuality
from hardware.kinds import BY_NAME, Quality
from hardware.observation import PROFILES, Column, Predictor, Profile
from sync.records import Anchor, Batch, Row

HOUR_MS: Final = 3_600_000
UNKNOWN_KIND: Final = 1000  # x1..x4 become kinds that no registry names
# CSV column -> kind, exponent carried, divisor from the CSV's integers
_CARRIED: Final = {
    "lat_e7": ("pos.lat", -6, 10),
    "lon_e7": ("pos.lon", -6, 10),
    "alt_cm": ("pos.alt", -1, 10),
    "spd_cms": ("pos.speed", -1, 10),
    "crs_cdeg": ("pos.course", 0, 100),
    "hr": ("vital.hr", 0, 1),
    "spo2_d": ("vital.spo2", 0, 10),
    "temp_c": ("vital.temp", -1, 10),
}
_MOVES: Final = {"lat_e7": Predictor.POSITION, "lon_e7": Predictor.POSITION, "crs_cdeg": Predictor.ANGLE}


def _column(name: str) -> tuple[Column, int]:
    if name not in _CARRIED:
        return Column(UNKNOWN_KIND + int(name.lstrip("x") or 0), 0), 1
    kind, exponent, divisor = _CARRIED[name]
    return Column(BY_NAME[kind].number, exponent, _MOVES.get(name, Predictor.GENERIC)), divisor


def _profile(columns: Sequence[Column]) -> Profile:
    """The smallest registered profile that has these columns, else one written out in line."""
    fitting = [profile for profile in PROFILES.values() if set(columns) <= set(profile.columns)]
    return min(fitting, key=lambda p: len(p.columns)) if fitting else Profile(0, "", tuple(columns))


def read_track(path: Path, stream: int = 1) -> Batch:
    """One file as one batch of one stream, at the resolution of the measured reference (1e-6 degrees, 0.1 m, 0.1 m/s)."""
    with path.open(newline="") as file:
        header, *lines = csv.reader(file)
    columns = [_column(name) for name in header[1:]]
    profile = _profile([column for column, _ in columns])
    places = [profile.columns.index(column) for column, _ in columns]
    width = len(profile.columns)
    start = int(lines[0][0]) // HOUR_MS * HOUR_MS
    rows = []
    for time, *cells in lines:
        values: list[int | None] = [None] * width
        for place, (column, divisor), cell in zip(places, columns, cells):
            value = (2 * int(cell) + divisor) // (2 * divisor)
            values[place] = value % 360 if column.predictor is Predictor.ANGLE else value
        grades = tuple(int(Quality.BAD if value is None else Quality.GOOD) for value in values)
        rows.append(Row(int(time) - start, int(time), int(ClockQuality.GNSS), tuple(values), grades))
    return Batch(stream, 1, profile, tuple(rows))


def thinned(batch: Batch, seconds: int) -> Batch:
    """The rows at least `seconds` after the last one kept."""
    if not seconds:
        return batch
    rows: list[Row] = []
    for row in batch.rows:
        if not rows or row.mono_ms - rows[-1].mono_ms >= seconds * 1000:
            rows.append(row)
    return Batch(batch.stream, batch.boot, batch.profile, tuple(rows))


def anchor_of(batch: Batch) -> Anchor:
    """An incident's fixed point within a kilometre of the first fix, and its start: the hour that had begun."""
    kinds = [column.kind for column in batch.profile.columns]
    first = batch.rows[0]
    lat, lon = ((first.values[kinds.index(kind)] or 0) if kind in kinds else 0 for kind in (38, 39))
    coarse = 10_000
    near = [(2 * value + coarse) // (2 * coarse) * coarse * 10 for value in (lat, lon)]
    return Anchor(near[0], near[1], (first.wall_ms or 0) // HOUR_MS * HOUR_MS)


def frames(batch: Batch, limit: int = 1 << 30) -> Iterable[Batch]:
    """A batch cut to at most `limit` rows each."""
    for at in range(0, len(batch.rows), limit):
        yield Batch(batch.stream, batch.boot, batch.profile, batch.rows[at : at + limit])

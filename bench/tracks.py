"""Recorded tracks as batches: CSV files with t_ms, lat_e7, lon_e7, alt_cm, spd_cms, crs_cdeg, hr, spo2_d, temp_c, x1..x4.

Other columns become kinds that no registry names; a cell that is no number of 64 bits is a value that is missing.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from hardware.clock import ClockQuality
from hardware.kinds import BY_NAME, Quality
from hardware.observation import PROFILES, Column, Predictor, Profile
from sync.codec.octets import HALF, MAX_COLUMNS
from sync.records import Anchor, Batch, Row

HOUR_MS: Final = 3_600_000
RATES_S: Final = (0, 10, 30, 60)
MIN_ROWS: Final = (
    100  # fewer are mostly a block's head: not thinned further, and no part of a median that has longer ones
)
FAR: Final = 1 << 62  # times beyond are none: differences of the others fit 64 bits
COARSE: Final = (
    100_000  # 1e-7 degrees, about a kilometre: the incident's fixed point is somewhere near, not at the first fix
)
UNKNOWN_KIND: Final = 1000
_TIME: Final = "t_ms"
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


class Series(NamedTuple):
    """A track at one rate: file's name, seconds between rows (0: as recorded), rows, and the incident's anchor."""

    name: str
    seconds: int
    batch: Batch
    anchor: Anchor


def _column(place: int, name: str) -> tuple[Column, int]:
    """A CSV column as it is carried, and what its integers are divided by."""
    if name not in _CARRIED:
        return Column(UNKNOWN_KIND + place, 0), 1
    kind, exponent, divisor = _CARRIED[name]
    return Column(BY_NAME[kind].number, exponent, _MOVES.get(name, Predictor.GENERIC)), divisor


def _profile(columns: Sequence[Column]) -> Profile:
    """The smallest registered profile that has these columns, else one written out in line."""
    fitting = [profile for profile in PROFILES.values() if set(columns) <= set(profile.columns)]
    return min(fitting, key=lambda p: len(p.columns)) if fitting else Profile(0, "", tuple(columns))


def whole(cell: str) -> int | None:
    """A cell's number, rounded; None where it is empty, not a number, or beyond 64 bits."""
    try:
        value = int(cell)
    except ValueError:
        try:
            value = round(float(cell))
        except (ValueError, OverflowError):
            return None
    return value if -HALF <= value < HALF else None


def _value(cell: str, column: Column, divisor: int) -> int | None:
    found = whole(cell)
    if found is None:
        return None
    value = (2 * found + divisor) // (2 * divisor)
    return value % 360 if column.predictor is Predictor.ANGLE else value


def table(path: Path) -> tuple[list[str], list[list[str]]]:
    """A file's header and the lines that have a time; ValueError when it is no CSV file of this form."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            header, *lines = list(csv.reader(file)) or [[]]
    except csv.Error as error:
        raise ValueError(f"not CSV: {error}") from error
    header = [name.strip() for name in header]
    if _TIME not in header:
        raise ValueError(f"no column {_TIME}")
    at = header.index(_TIME)
    return header, [
        line for line in lines if len(line) > at and (time := whole(line[at])) is not None and abs(time) < FAR
    ]


def read_track(path: Path, stream: int = 1) -> Batch:
    """One file as one batch of one stream, at the resolution of the measured reference (1e-6 degrees, 0.1 m, 0.1 m/s).

    The recorder's monotonic clock began with the incident: a block's first row carries it and none of its bits are counted.
    ValueError when it is no such file.
    """
    header, lines = table(path)
    names = [name for name in header if name != _TIME]
    if len(names) > MAX_COLUMNS:
        raise ValueError(f"more than {MAX_COLUMNS} columns")
    columns = [_column(place, name) for place, name in enumerate(names)]
    profile = _profile([column for column, _ in columns])
    places = [profile.columns.index(column) for column, _ in columns]
    rows: list[Row] = []
    for line in lines:
        cells = dict(zip(header, line, strict=False))
        time = whole(cells[_TIME]) or 0
        values: list[int | None] = [None] * len(profile.columns)
        for place, name, (column, divisor) in zip(places, names, columns, strict=True):
            values[place] = _value(cells.get(name, ""), column, divisor)
        grades = tuple(int(Quality.BAD if value is None else Quality.GOOD) for value in values)
        began = rows[0].wall_ms if rows else time
        mono = time - (began or 0) // HOUR_MS * HOUR_MS
        rows.append(Row(mono, time, int(ClockQuality.GNSS), tuple(values), grades))
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
    kinds = {column.kind: (at, column.exponent) for at, column in enumerate(batch.profile.columns)}
    near = []
    for kind in (BY_NAME["pos.lat"].number, BY_NAME["pos.lon"].number):
        at, exponent = kinds.get(kind, (-1, 0))
        found = next((row.values[at] for row in batch.rows if row.values[at] is not None), 0) if at >= 0 else 0
        value = (found or 0) * 10 ** (7 + exponent)
        near.append((value + COARSE // 2) // COARSE * COARSE)
    return Anchor(near[0], near[1], (batch.rows[0].wall_ms or 0) // HOUR_MS * HOUR_MS)


def tracks(directory: Path) -> tuple[dict[Path, Batch], dict[str, str]]:
    """Every CSV file with rows; and why others are left out, by name."""
    found, left_out = {}, {}
    for path in sorted(directory.glob("*.[cC][sS][vV]")):
        try:
            batch = read_track(path)
        except (OSError, ValueError) as error:
            left_out[path.name] = str(error)
            continue
        if batch.rows:
            found[path] = batch
        else:
            left_out[path.name] = "no rows"
    return found, left_out


def series(found: Mapping[Path, Batch]) -> Iterator[Series]:
    """Every track as recorded and, where that leaves a quarter of the rows out, thinned to one row in 10, 30, 60 seconds."""
    for path, recorded in found.items():
        anchor, before = anchor_of(recorded), 2 * len(recorded.rows)
        for seconds in RATES_S:
            batch = thinned(recorded, seconds)
            if not seconds or (len(batch.rows) >= MIN_ROWS and 4 * len(batch.rows) <= 3 * before):
                yield Series(path.stem, seconds, batch, anchor)
                before = len(batch.rows)

"""The plain form of rows: column by column, runs of marks and series of integers. Simple, fast, large; zstd packs it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeAlias

from hardware.clock import ClockQuality
from hardware.errors import DecodeError
from hardware.kinds import Quality
from sync.codec.octets import Reader, check64, read_profile, wrap, write_profile
from sync.ids import varint, zigzag
from sync.records import Batch, Row

MAX_ROWS: Final = 1 << 17
MAX_CELLS: Final = 1 << 20


WriteSeries: TypeAlias = Callable[[Sequence[int]], bytes]
ReadSeries: TypeAlias = Callable[[Reader, int], list[int]]


def write_columns(batches: Sequence[Batch], series: WriteSeries) -> bytes:
    """All batches, column by column, integers written by `series`."""
    out = bytearray(varint(len(batches)))
    for batch in batches:
        out += varint(batch.stream) + varint(batch.boot) + write_profile(batch.profile) + varint(len(batch.rows))
        if batch.rows:
            out += _write_rows(batch, series)
    return bytes(out)


def read_columns(data: bytes, series: ReadSeries) -> list[Batch]:
    """The inverse of write_columns; DecodeError on anything else."""
    reader = Reader(data)
    count = reader.uint(len(data) + 1)
    cells = 0
    batches = []
    for _ in range(count):
        stream, boot, profile = reader.uint(), reader.uint(), read_profile(reader)
        rows = reader.uint(MAX_ROWS + 1)
        cells += (rows + 1) * (len(profile.columns) + 1)  # a batch's head is work too
        if cells > MAX_CELLS:
            raise DecodeError("too many values for one block")
        batches.append(Batch(stream, boot, profile, _read_rows(reader, series, rows, len(profile.columns))))
    reader.end()
    return batches


def _write_rows(batch: Batch, series: WriteSeries) -> bytes:
    rows = batch.rows
    walls = [row.wall_ms for row in rows]
    out = _write_runs([row.clock << 1 | (row.wall_ms is None) for row in rows])
    out += series([wall for wall in walls if wall is not None])
    out += series([row.mono_ms - (row.wall_ms or 0) for row in rows])
    for index in range(len(batch.profile.columns)):
        cells = [(row.values[index], row.qualities[index]) for row in rows]
        out += _write_runs([quality << 1 | (value is None) for value, quality in cells])
        out += series([value for value, _ in cells if value is not None])
    return out


def _read_rows(reader: Reader, series: ReadSeries, count: int, width: int) -> tuple[Row, ...]:
    if not count:
        return ()
    marks = _read_runs(reader, count, len(ClockQuality))
    walls = _spread(marks, series(reader, count - sum(mark & 1 for mark in marks)))
    monos = [wrap(offset + (wall or 0)) for offset, wall in zip(series(reader, count), walls)]
    values, qualities = [], []
    for _ in range(width):
        flags = _read_runs(reader, count, len(Quality))
        values.append(_spread(flags, series(reader, count - sum(flag & 1 for flag in flags))))
        qualities.append([flag >> 1 for flag in flags])
    clocks = [mark >> 1 for mark in marks]
    rows = zip(monos, walls, clocks, _transpose(values, count), _transpose(qualities, count))
    return tuple(Row(*row) for row in rows)


def _transpose(columns: list[list[int | None]] | list[list[int]], count: int) -> Iterable[tuple[int, ...]]:
    return zip(*columns) if columns else [()] * count


def write_deltas(values: Sequence[int]) -> bytes:
    """Differences as zigzag varints; ValueError beyond 64 bits."""
    out = bytearray()
    last = 0
    for value in values:
        out += varint(zigzag(wrap(check64(value) - last)))
        last = value
    return bytes(out)


def read_deltas(reader: Reader, count: int) -> list[int]:
    """The inverse of write_deltas for `count` values."""
    out = []
    last = 0
    for _ in range(count):
        last = wrap(last + reader.sint())
        out.append(last)
    return out


def _write_runs(marks: list[int]) -> bytes:
    out = bytearray()
    start = 0
    for index in range(1, len(marks) + 1):
        if index == len(marks) or marks[index] != marks[start]:
            out += varint(marks[start]) + varint(index - start)
            start = index
    return bytes(out)


def _read_runs(reader: Reader, count: int, qualities: int) -> list[int]:
    marks: list[int] = []
    while len(marks) < count:
        mark, length = reader.uint(qualities * 2), reader.uint()
        if not 0 < length <= count - len(marks):
            raise DecodeError("run too long")
        marks += [mark] * length
    return marks


def _spread(marks: list[int], values: list[int]) -> list[int | None]:
    source = iter(values)
    return [None if mark & 1 else next(source) for mark in marks]

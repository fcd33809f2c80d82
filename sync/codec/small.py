"""Rows through the range coder: for each batch its plan, then row by row; a budget is filled by running cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

from hardware.errors import DecodeError
from sync.codec.model import Column, Pace, Sets
from sync.codec.octets import HALF
from sync.codec.plan import LAT, LON, UNITS, Plan, class_of, code_columns, code_plan, follows, make_plan
from sync.codec.priors import CLASS, UNKNOWN
from sync.codec.range_coder import FREE, Coder, Decoder, Encoder, Mark
from sync.records import Anchor, Batch, Row

MAX_VALUES: Final = 1 << 18  # of one block, as `cells` counts them: what bounds a reader's time
DRIFT_MS: Final = 1000  # a derived monotonic time may be this far off before it is sent anew
_SPECIAL, _END, _STATUS, _RESET, _CHANGED = FREE, FREE + 1, FREE + 2, FREE + 3, FREE + 4  # slots of the flags' set
_TYPICAL: Final = {1: (90, 0), 13: (90, 0), 2: (97, 0), 3: (366, -1), 41: (10, -1)}  # first guesses: value, exponent


class Block:
    """What the batches of one block share: coder, anchor, context sets."""

    def __init__(self, coder: Coder, anchor: Anchor | None) -> None:
        self.coder, self.anchor = coder, anchor
        self.start = anchor.start_ms if anchor else 0
        self.since: int | None = None  # where the batch before began, in ms since the start
        self.places: dict[int, tuple[int, int]] = {}  # where it ended: kind -> value, exponent
        self.offsets: dict[int, int] = {}  # boot -> monotonic less wall time
        self._sets: dict[tuple[int, int], Sets] = {}
        self.flags = self.shared(CLASS["flags"], 0).get(UNKNOWN)

    def shared(self, cls: int, nth: int) -> Sets:
        """The context sets of a profile's nth column of a class."""
        key = cls, nth
        if key not in self._sets:
            self._sets[key] = Sets(cls)
        return self._sets[key]

    def open(self, given: Plan | None) -> Rows:
        """A batch's head, and what codes its rows; None while reading."""
        plan = code_plan(self.coder, given)
        count: dict[int, int] = {}
        sets = []
        for column in plan.profile.columns:
            cls = class_of(column)
            nth = count[cls] = count.get(cls, -1) + 1
            sets.append(self.shared(cls, nth))
        code_columns(self.coder, given, plan, sets)
        return Rows(self, plan, sets)

    def first(self, kind: int, exponent: int) -> int:
        """What the first value of a kind is told relative to."""
        if kind in self.places:
            return _scale(*self.places[kind], exponent)
        if self.anchor and kind in (LAT, LON):
            return _scale(self.anchor.lat_e7 if kind == LAT else self.anchor.lon_e7, -7, exponent)
        return _scale(*_TYPICAL[kind], exponent) if kind in _TYPICAL else 0


class Rows:
    """One batch's rows, in either direction."""

    def __init__(self, block: Block, plan: Plan, sets: Sequence[Sets]) -> None:
        self.block, self.plan, self.unit = block, plan, UNITS[plan.unit]
        described = plan.profile.columns
        self.columns: list[Column | None] = []
        for index, column in enumerate(described):
            divisor, phase = plan.lattice[index]
            first = (block.first(column.kind, column.exponent) - phase) // divisor
            near = column.kind in block.places
            series = Column(sets[index], plan.modes[index], first, plan.turns[index], near)
            self.columns.append(None if plan.absent[index] >= 0 else series)
        self.pairs = [follows(described, index) for index in range(len(described))]
        since = block.since
        self.wall = Pace(block.shared(CLASS["time"], 0), (since or 0) // self.unit, since is not None)
        self.mono = Pace(block.shared(CLASS["time"], 1))
        self.shift = Column(block.shared(CLASS["mono"], 0), 0, block.offsets.get(plan.boot, -block.start) + block.start)
        self.offset: int | None = None
        self.clock, self.dated = 3, True
        self.qualities = tuple([max(0, quality) for quality in plan.absent])
        self.nulls = tuple([quality >= 0 for quality in plan.absent])

    def code(self, row: Row | None) -> Row | None:
        """The next row; None is the end of the batch, in both directions."""
        coder, flags = self.block.coder, self.block.flags
        nulls = tuple([value is None for value in row.values]) if row else self.nulls
        reset = row is not None and self._drifts(row)
        if coder.bit(flags, _SPECIAL, row is None or reset or not self._same(row, nulls)):
            if coder.bit(flags, _END, row is None):
                self._leave()
                return None
            if coder.bit(flags, _RESET, reset):
                self.offset = None
            self._status(row, nulls)
        mono, wall, dt, ratio = self._time(row)
        if not -HALF <= mono < HALF or (wall is not None and not -HALF <= wall < HALF):
            raise DecodeError("time beyond 64 bits")
        return Row(mono, wall, self.clock, self._values(row, dt, ratio), self.qualities)

    def _leave(self) -> None:
        """The batch is over: where it ended is where the next may begin."""
        for described, column, (divisor, phase) in zip(
            self.plan.profile.columns, self.columns, self.plan.lattice, strict=True
        ):
            if described.kind in (LAT, LON) and column is not None and column.last is not None:
                self.block.places[described.kind] = column.last * divisor + phase, described.exponent

    def _same(self, row: Row, nulls: tuple[bool, ...]) -> bool:
        return (
            row.qualities == self.qualities
            and nulls == self.nulls
            and row.clock == self.clock
            and self.dated == (row.wall_ms is not None)
        )

    def _drifts(self, row: Row) -> bool:
        offset = self.offset
        return offset is not None and row.wall_ms is not None and abs(row.mono_ms - row.wall_ms - offset) > DRIFT_MS

    def _status(self, row: Row | None, nulls: tuple[bool, ...]) -> None:
        """Clock quality, whether there is a wall time, and each column's quality and presence, where they change."""
        coder, flags = self.block.coder, self.block.flags
        dated = row is not None and row.wall_ms is not None
        if coder.bit(flags, _STATUS, row is not None and (row.clock != self.clock or dated != self.dated)):
            self.clock = coder.raw(2, row.clock if row else 0)
            self.dated = bool(coder.raw(1, dated))
        qualities, empty = list(self.qualities), list(self.nulls)
        for index, column in enumerate(self.columns):
            if column is None:
                continue
            now = (row.qualities[index], nulls[index]) if row else (0, False)
            if coder.bit(flags, _CHANGED, now != (qualities[index], empty[index])):
                qualities[index] = coder.raw(3, now[0])
                empty[index] = bool(coder.raw(1, now[1]))
        self.qualities, self.nulls = tuple(qualities), tuple(empty)

    def _time(self, row: Row | None) -> tuple[int, int | None, int, int]:
        """Monotonic and wall time of a row, the time since the last, and that in sixteenths of the usual."""
        coder, start, phase = self.block.coder, self.block.start, self.plan.phase
        if not self.dated:
            self.offset = None
            before = self.mono.last
            mono = self.mono.code(coder, row.mono_ms if row else 0)
            dt = 0 if before is None else mono - before
            return mono, None, dt, self.mono.ratio(dt)
        before = self.wall.last
        given = (row.wall_ms - start - phase) // self.unit if row and row.wall_ms is not None else 0
        now = self.wall.code(coder, given)
        wall = now * self.unit + phase + start
        if before is None:
            self.block.since = wall - start
        if self.offset is None:
            shift = row.mono_ms - wall + start if row else 0
            self.offset = self.block.offsets[self.plan.boot] = self.shift.code(coder, shift, 1) - start
        if self.mono.last is not None:
            self.mono.last = wall + self.offset
        dt = 0 if before is None else now - before
        return wall + self.offset, wall, dt, self.wall.ratio(dt)

    def _values(self, row: Row | None, dt: int, ratio: int) -> tuple[int | None, ...]:
        coder, source = self.block.coder, row.values if row else ()
        values: list[int | None] = []
        error = -1
        for index, column in enumerate(self.columns):
            if column is None or self.nulls[index]:
                values.append(None)
                error = -1
                continue
            given = (source[index] or 0) if source else 0
            divisor, phase = self.plan.lattice[index]
            value = column.code(coder, (given - phase) // divisor, dt, ratio, error if self.pairs[index] else -1)
            error = column.step if column.fast >= 0 else -1
            value = value * divisor + phase
            if not -HALF <= value < HALF:
                raise DecodeError("value beyond 64 bits")
            values.append(value)
        return tuple(values)


def _scale(value: int, exponent: int, wanted: int) -> int:
    power = exponent - wanted
    return int(value * 10**power if power >= 0 else value // 10 ** min(-power, 40))


def cells(batch: Batch) -> int:
    """How many values a batch has, times included; its head counts as one row more."""
    return (len(batch.rows) + 1) * (len(batch.profile.columns) + 1)


def write_small(batches: Sequence[Batch], anchor: Anchor | None, budget: int | None) -> tuple[bytes, int]:
    """The range-coded body and how many leading rows it carries: at most MAX_VALUES, and as many as fit `budget` bytes."""
    coder = Encoder()
    coder.raw(1, 0)
    block = Block(coder, anchor)
    marks: list[_Mark] = []
    taken, room = 0, MAX_VALUES
    for batch in batches:
        coder.raw(1, 1)
        window = len(batch.rows) if budget is None else min(len(batch.rows), 8 + (budget - len(coder.out)) * 2 // 5)
        rows = block.open(make_plan(batch, block.start, window))
        room -= len(batch.profile.columns) + 1
        for row in batch.rows:
            rows.code(row)
            taken += 1
            room -= len(row.values) + 1
            if budget is not None:
                marks.append((coder.mark(), block.flags[:], taken))
                if len(coder.out) + coder.pending > budget or room < 0:
                    return _fit(coder, block, marks if room >= 0 else marks[:-1], budget)
        rows.code(None)
    coder.raw(1, 0)
    body = coder.close()
    if budget is not None and len(body) > budget:
        return _fit(coder, block, marks, budget)
    return body, taken


_Mark: TypeAlias = tuple[Mark, list[int], int]  # coder's and flags' state after a row, and how many rows that makes


def _fit(coder: Encoder, block: Block, marks: Sequence[_Mark], budget: int) -> tuple[bytes, int]:
    """Take back the last rows until the block closes within its budget."""
    for mark, flags, taken in reversed(marks):
        coder.back(mark)
        block.flags[:] = flags
        coder.bit(block.flags, _SPECIAL, 1)
        coder.bit(block.flags, _END, 1)
        coder.raw(1, 0)
        body = coder.close()
        if len(body) <= budget:
            return body, taken
    return b"", 0


def read_small(data: bytes, anchor: Anchor | None) -> list[Batch]:
    """The inverse of write_small; DecodeError on anything else."""
    coder = Decoder(data)
    coder.raw(1)
    block = Block(coder, anchor)
    out = []
    room = MAX_VALUES
    while coder.raw(1):
        rows = block.open(None)
        plan = rows.plan
        got: list[Row] = []
        width = len(plan.profile.columns) + 1
        room -= width
        while (row := rows.code(None)) is not None:
            room -= width
            if room < 0:
                raise DecodeError("too many values for one block")
            got.append(row)
        if room < 0:
            raise DecodeError("too many values for one block")
        out.append(Batch(plan.stream, plan.boot, plan.profile, tuple(got)))
    return out

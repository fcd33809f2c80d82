"""Rows through the range coder: block header, plan of each batch, then row by row; stops when the budget is full."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import gcd
from typing import Final

from hardware.errors import DecodeError
from hardware.observation import PROFILES, Predictor, Profile
from sync.codec.columns import MAX_CELLS, MAX_ROWS
from sync.codec.model import LINEAR, MODES, Column, Sets
from sync.codec.octets import Reader, read_profile, write_profile
from sync.codec.priors import CLASS, UNKNOWN
from sync.codec.range_coder import FREE, Coder, Decoder, Encoder
from sync.records import Anchor, Batch, Row

UNITS: Final = (1, 10, 20, 50, 100, 200, 250, 500, 1000, 2000, 5000, 10_000, 30_000, 60_000, 300_000, 3_600_000)
SECOND: Final = UNITS.index(1000)
DRIFT_MS: Final = 1000  # a derived monotonic time may be this far off before it is sent anew
_SPECIAL, _MORE, _STATUS, _RESET, _CHANGED = FREE, FREE + 1, FREE + 2, FREE + 3, FREE + 4
_BY_KIND: Final = {
    38: "lat",
    39: "lon",
    40: "alt",
    41: "speed",
    1: "heart",
    13: "heart",
    2: "saturation",
    3: "temp",
    48: "temp",
}
_BY_PREDICTOR: Final = {
    Predictor.GENERIC: "generic",
    Predictor.POSITION: "lat",
    Predictor.ANGLE: "angle",
    Predictor.COUNTER: "counter",
    Predictor.HOLD: "hold",
    Predictor.RAW: "raw",
}
_TYPICAL: Final = {1: (90, 0), 13: (90, 0), 2: (97, 0), 3: (366, -1), 41: (10, -1)}  # first guesses: value, exponent
_INLINE: Final = 31


@dataclass(slots=True)
class Plan:
    """What both ends agree on before a batch's rows."""

    stream: int = 0
    boot: int = 0
    profile: Profile = PROFILES[1]
    unit: int = 0
    phase: int = 0
    absent: list[int] = field(default_factory=list)  # a column's quality where the whole batch has no value, else -1
    lattice: list[tuple[int, int]] = field(default_factory=list)
    modes: list[int] = field(default_factory=list)
    turns: list[int] = field(default_factory=list)  # a full turn of an angle that keeps within it, else 0

    @classmethod
    def blank(cls, stream: int, boot: int, profile: Profile) -> Plan:
        """The plan of a profile of which nothing else is known."""
        width = len(profile.columns)
        return cls(stream, boot, profile, 0, 0, [-1] * width, [(1, 0)] * width, [0] * width, [0] * width)


def gamma(coder: Coder, value: int) -> int:
    """A non-negative integer in twice its bits."""
    bits = (value + 1).bit_length() - 1
    length = 0
    while coder.raw(1, length < bits):
        length += 1
        if length > 64:
            raise DecodeError("integer too long")
    out, left, value = 1, length, value + 1
    while left:
        width = min(left, 16)
        left -= width
        out = out << width | coder.raw(width, value >> left & (1 << width) - 1)
    return out - 1


class Block:
    """What the batches of one block share: anchor, context sets, flags."""

    def __init__(self, coder: Coder, anchor: Anchor | None) -> None:
        self.coder, self.anchor = coder, anchor
        self.start = anchor.start_ms if anchor else 0
        self.sets: dict[tuple[int, int], Sets] = {}
        self.flags = Sets(CLASS["flags"]).get(UNKNOWN)

    def shared(self, cls: int, index: int) -> Sets:
        """The context sets of the `index`-th column of a class."""
        key = cls, index
        if key not in self.sets:
            self.sets[key] = Sets(cls)
        return self.sets[key]

    def plan(self, given: Plan | None) -> Plan:
        """A batch's header; None while reading."""
        coder = self.coder
        out = Plan.blank(
            gamma(coder, given.stream if given else 0),
            gamma(coder, given.boot if given else 0),
            self._profile(given.profile if given else PROFILES[1]),
        )
        plan = given or out
        out.unit = coder.raw(4, plan.unit)
        if coder.raw(1, plan.phase != 0):
            out.phase = gamma(coder, plan.phase) % UNITS[out.unit]
        if coder.raw(1, any(quality >= 0 for quality in plan.absent)):
            for index, quality in enumerate(plan.absent):
                if coder.raw(1, quality >= 0):
                    out.absent[index] = coder.raw(3, max(quality, 0))
        mode = 0
        for index, column in enumerate(out.profile.columns):
            if out.absent[index] >= 0:
                continue
            if coder.bit(self.flags, _CHANGED + 1, plan.lattice[index] != (1, 0)):
                divisor = gamma(coder, plan.lattice[index][0] - 1) + 1
                out.lattice[index] = divisor, gamma(coder, plan.lattice[index][1]) % divisor
            if column.predictor is Predictor.POSITION and column.kind != 39:
                mode = MODES[coder.raw(2, MODES.index(plan.modes[index]))]
            if column.predictor is Predictor.POSITION:
                out.modes[index] = mode
            elif column.predictor is Predictor.COUNTER:
                out.modes[index] = LINEAR
            elif column.predictor is Predictor.ANGLE and coder.raw(1, plan.turns[index] != 0):
                out.turns[index] = turn(column.exponent)
        return out

    def _profile(self, profile: Profile) -> Profile:
        known = PROFILES.get(profile.number) == profile and profile.number < _INLINE
        number = self.coder.raw(5, profile.number if known else _INLINE)
        if number != _INLINE:
            if number not in PROFILES:
                raise DecodeError(f"profile {number} is unknown")
            return PROFILES[number]
        raw = write_profile(profile)
        size = gamma(self.coder, len(raw))
        if size > 2048:
            raise DecodeError("profile too long")
        return read_profile(Reader(bytes(self.coder.raw(8, byte) for byte in raw.ljust(size, b"\0")[:size])))


def turn(exponent: int) -> int:
    """A full circle in units of 10**exponent degrees; 0 where it is not a whole number of them."""
    return int(360 * 10**-exponent) if -9 <= exponent <= 0 else 36 if exponent == 1 else 0


class Rows:
    """One batch's rows, in either direction."""

    def __init__(self, block: Block, plan: Plan) -> None:
        self.block, self.plan = block, plan
        self.unit = UNITS[plan.unit]
        count: dict[int, int] = {}
        self.columns: list[Column | None] = []
        for index, column in enumerate(plan.profile.columns):
            name = _BY_KIND.get(column.kind) or _BY_PREDICTOR[column.predictor]
            cls = CLASS[name]
            nth = count[cls] = count.get(cls, -1) + 1
            divisor, phase = plan.lattice[index]
            first = (self._first(column.kind, column.exponent) - phase) // divisor
            absent = plan.absent[index] >= 0
            sets, mode = block.shared(cls, nth), plan.modes[index]
            self.columns.append(None if absent else Column(sets, mode, first, plan.turns[index]))
        self.pairs = [column.kind == 39 for column in plan.profile.columns]
        self.wall = Column(block.shared(CLASS["time"], 0), LINEAR, 0)
        self.mono = Column(block.shared(CLASS["time"], 1), LINEAR, 0)
        self.shift = Column(block.shared(CLASS["mono"], 0), 0, 0)
        self.offset: int | None = None
        self.clock, self.dated = 3, True
        self.qualities = tuple(max(0, quality) for quality in plan.absent)
        self.nulls = tuple(quality >= 0 for quality in plan.absent)
        self.last_ms = 0

    def _first(self, kind: int, exponent: int) -> int:
        anchor = self.block.anchor
        if anchor and kind in (38, 39):
            return _scale(anchor.lat_e7 if kind == 38 else anchor.lon_e7, -7, exponent)
        return _scale(*_TYPICAL[kind], exponent) if kind in _TYPICAL else 0

    def code(self, row: Row | None) -> Row | None:
        """The next row; None is the end of the batch, in both directions."""
        block = self.block
        coder = block.coder
        reset = False
        nulls = self.nulls
        if row is not None:
            nulls = tuple([value is None for value in row.values])
            same = (
                row.qualities == self.qualities
                and nulls == self.nulls
                and row.clock == self.clock
                and self.dated == (row.wall_ms is not None)
            )
            if self.offset is not None and row.wall_ms is not None:
                reset = abs(row.mono_ms - row.wall_ms - self.offset) > DRIFT_MS
        if coder.bit(block.flags, _SPECIAL, row is None or not same or reset):
            if coder.bit(block.flags, _MORE, row is None):
                return None
            if coder.bit(block.flags, _RESET, reset):
                self.offset = None
            self._status(row, nulls)
        mono, wall, dt = self._time(row)
        values: list[int | None] = []
        error = -1
        source = row.values if row is not None else ()
        for index, column in enumerate(self.columns):
            if column is None or self.nulls[index]:
                values.append(None)
                continue
            divisor, phase = self.plan.lattice[index]
            hint = error if self.pairs[index] else -1
            if divisor == 1:
                value = column.code(coder, source[index] if source else 0, dt, hint)  # type: ignore[arg-type]
            else:
                given = (source[index] - phase) // divisor if source else 0  # type: ignore[operator]
                value = column.code(coder, given, dt, hint) * divisor + phase
            error = column.step if column.dt else -1
            values.append(value)
        return Row(mono, wall, self.clock, tuple(values), self.qualities)

    def _status(self, row: Row | None, nulls: tuple[bool, ...]) -> None:
        coder, flags = self.block.coder, self.block.flags
        if coder.bit(
            flags, _STATUS, row is not None and (row.clock != self.clock or (row.wall_ms is None) == self.dated)
        ):
            self.clock = coder.raw(2, row.clock if row else 0)
            self.dated = bool(coder.raw(1, row is not None and row.wall_ms is not None))
        qualities, empty = list(self.qualities), list(self.nulls)
        for index, column in enumerate(self.columns):
            if column is None:
                continue
            now = (row.qualities[index], nulls[index]) if row else (0, False)
            if coder.bit(flags, _CHANGED, now != (qualities[index], empty[index])):
                qualities[index] = coder.raw(3, now[0])
                empty[index] = bool(coder.raw(1, now[1]))
        self.qualities, self.nulls = tuple(qualities), tuple(empty)

    def _time(self, row: Row | None) -> tuple[int, int | None, int]:
        """Monotonic and wall time of a row, and the time since the last."""
        coder, block = self.block.coder, self.block
        if not self.dated:
            before = self.mono.last
            mono = self.mono.code(coder, row.mono_ms if row else 0, 1)
            self.offset = None
            return mono, None, 0 if before is None else mono - before
        before = self.wall.last
        given = (row.wall_ms - block.start - self.plan.phase) // self.unit if row and row.wall_ms is not None else 0
        now = self.wall.code(coder, given, 1)
        wall = now * self.unit + self.plan.phase + block.start
        if self.offset is None:
            shift = row.mono_ms - wall + block.start if row else 0
            self.offset = self.shift.code(coder, shift, 1) - block.start
        mono = wall + self.offset
        if self.mono.last is not None:
            self.mono.last = mono
        return mono, wall, 0 if before is None else now - before


def _scale(value: int, exponent: int, wanted: int) -> int:
    power = exponent - wanted
    return int(value * 10**power if power >= 0 else value // 10 ** min(-power, 40))


def make_plan(batch: Batch, block: Block, window: int) -> Plan:
    """What the encoder knows of a batch's next `window` rows: everything here is true of all rows, and best for those."""
    rows = batch.rows
    columns = batch.profile.columns
    plan = Plan(batch.stream, batch.boot, batch.profile)
    plan.unit, plan.phase = _time_unit([row.wall_ms - block.start for row in rows if row.wall_ms is not None])
    near = rows[:window]
    for index, column in enumerate(columns):
        values = [value for row in rows if (value := row.values[index]) is not None]
        grades = {row.qualities[index] for row in rows}
        plan.absent.append(grades.pop() if not values and len(grades) == 1 else -1)
        circle = turn(column.exponent) if column.predictor is Predictor.ANGLE else 0
        plan.turns.append(circle if values and min(values) >= 0 and max(values) < circle else 0)
        plan.lattice.append((1, 0) if plan.turns[-1] else _lattice(values, window))
        position = column.predictor is Predictor.POSITION
        if position and column.kind == 39 and index and columns[index - 1].kind == 38:
            plan.modes.append(plan.modes[-1])
        else:
            plan.modes.append(_best_mode(near, index) if position else 0)
    return plan


def _time_unit(times: list[int]) -> tuple[int, int]:
    step = 0
    for time in times:
        step = gcd(step, time - times[0])
        if step == 1:
            return 0, 0
    if not step:
        return (SECOND if times and times[0] % 1000 == 0 else 0), 0
    unit = max(index for index, size in enumerate(UNITS) if step % size == 0)
    return unit, times[0] % UNITS[unit]


def _lattice(values: list[int], window: int) -> tuple[int, int]:
    """The common divisor of all differences, where knowing it pays within `window` rows."""
    step = moves = 0
    for before, after in pairwise(values):
        if after != before:
            moves += 1
            step = gcd(step, after - before)
            if step == 1:
                return 1, 0
    bits = step.bit_length() - 1
    moves = moves * min(window, len(values)) // max(1, len(values))
    return (step, values[0] % step) if step > 1 and moves * bits > 4 * bits + 8 else (1, 0)


def _best_mode(rows: Sequence[Row], index: int) -> int:
    """Which share of the last velocity predicts best, by the bits of the errors of this column and the next."""
    best, cost = 0, 0
    for mode in MODES:
        bits = 0
        for a, b, c in zip(rows, rows[1:], rows[2:]):
            x, y, z = a.values[index], b.values[index], c.values[index]
            if x is not None and y is not None and z is not None:
                bits += abs(4 * (z - y) - mode * (y - x)).bit_length()
        if mode == MODES[0] or bits < cost:
            best, cost = mode, bits
    return best


def write_small(batches: Sequence[Batch], anchor: Anchor | None, budget: int | None) -> tuple[bytes, int]:
    """The range-coded body and how many leading rows it carries: all, or as many as fit `budget` bytes."""
    coder = Encoder()
    block = Block(coder, anchor)
    marks: list[tuple[tuple[int, int, int, int, int], list[int], int]] = []
    taken = 0
    for batch in batches:
        coder.raw(1, 1)
        window = len(batch.rows) if budget is None else min(len(batch.rows), 8 + (budget - len(coder.out)) * 2 // 5)
        rows = Rows(block, block.plan(make_plan(batch, block, window)))
        for row in batch.rows:
            rows.code(row)
            taken += 1
            if budget is not None:
                marks.append((coder.mark(), block.flags[:], taken))
                if len(coder.out) + coder.pending > budget:
                    return _fit(coder, block, marks, budget)
        rows.code(None)
    coder.raw(1, 0)
    body = coder.close()
    if budget is not None and len(body) > budget:
        return _fit(coder, block, marks, budget)
    return body, taken


def _fit(
    coder: Encoder, block: Block, marks: list[tuple[tuple[int, int, int, int, int], list[int], int]], budget: int
) -> tuple[bytes, int]:
    for mark, flags, taken in reversed(marks):
        coder.back(mark)
        block.flags[:] = flags
        coder.bit(block.flags, _SPECIAL, 1)
        coder.bit(block.flags, _MORE, 1)
        coder.raw(1, 0)
        body = coder.close()
        if len(body) <= budget:
            return body, taken
    return b"", 0


def read_small(data: bytes, anchor: Anchor | None) -> list[Batch]:
    """The inverse of write_small; DecodeError on anything else."""
    coder = Decoder(data)
    block = Block(coder, anchor)
    out = []
    cells = 0
    while coder.raw(1, 0):
        plan = block.plan(None)
        rows = Rows(block, plan)
        got: list[Row] = []
        width = len(plan.profile.columns) + 1
        while (row := rows.code(None)) is not None:
            cells += width
            if cells > MAX_CELLS or len(got) >= MAX_ROWS:
                raise DecodeError("too many values for one block")
            got.append(row)
        out.append(Batch(plan.stream, plan.boot, plan.profile, tuple(got)))
    return out

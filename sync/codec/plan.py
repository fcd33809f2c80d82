"""The head of a range-coded batch: what its encoder knows of all its rows, and chooses for them (docs/wire/rows.md)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import gcd
from typing import Final

from hardware.errors import DecodeError
from hardware.kinds import KINDS, Quality
from hardware.observation import PROFILES, Column, Predictor, Profile
from sync.codec.model import EVEN, FILTERED, LINEAR, MODES, Filter, Sets
from sync.codec.octets import MAX_COLUMNS, check64
from sync.codec.priors import CLASS, FIRST
from sync.codec.range_coder import FREE, Coder
from sync.ids import unzigzag, zigzag
from sync.records import Batch, Row

LAT: Final = 38
LON: Final = 39
UNITS: Final = (1, 10, 20, 50, 100, 200, 250, 500, 1000, 2000, 5000, 10_000, 30_000, 60_000, 300_000, 3_600_000)
SECOND: Final = UNITS.index(1000)
WAVE: Final = 512  # rows from which a column may be a waveform
TRIED: Final = 2048  # rows at most that are tried for it
ROUGH: Final = 9  # bits of the usual error in 1/64 below which a filter has nothing to find
MAX_NAME: Final = 255  # bytes of a profile's name
MAX_EXPONENT: Final = 99
_INLINE: Final = 31
_ABSENT, _LATTICE, _MOVES, _MODE, _TURN, _FILTER = (
    FREE,
    FREE + 1,
    FREE + 2,
    FREE + 3,
    FREE + 5,
    FREE + 6,
)  # of a FIRST set
_BY_KIND: Final = {
    LAT: "lat", LON: "lon", 40: "alt", 41: "speed", 1: "heart", 13: "heart", 2: "saturation", 3: "temp", 48: "temp",
}  # fmt: skip
_BY_PREDICTOR: Final = {
    Predictor.GENERIC: "generic",
    Predictor.POSITION: "lat",
    Predictor.ANGLE: "angle",
    Predictor.COUNTER: "counter",
    Predictor.HOLD: "hold",
    Predictor.RAW: "raw",
}
_MOVING: Final = (Predictor.GENERIC, Predictor.POSITION)


@dataclass(slots=True)
class Plan:
    """What both ends agree on before a batch's rows; lists have one entry for each column."""

    stream: int
    boot: int
    profile: Profile
    unit: int = 0
    phase: int = 0
    absent: list[int] = field(default_factory=list)  # a column's quality where the whole batch has no value, else -1
    lattice: list[tuple[int, int]] = field(default_factory=list)  # divisor and remainder of all values
    modes: list[int] = field(default_factory=list)
    turns: list[int] = field(default_factory=list)  # a full turn of an angle that keeps within it, else 0

    @classmethod
    def blank(cls, stream: int, boot: int, profile: Profile) -> Plan:
        """The plan of a profile of which nothing else is known."""
        width = len(profile.columns)
        modes = [LINEAR if column.predictor is Predictor.COUNTER else 0 for column in profile.columns]
        return cls(stream, boot, profile, 0, 0, [-1] * width, [(1, 0)] * width, modes, [0] * width)


def class_of(column: Column) -> int:
    """The class of priors by which a column is expected to move."""
    return CLASS[_BY_KIND.get(column.kind) or _BY_PREDICTOR[column.predictor]]


def turn(exponent: int) -> int:
    """A full circle in units of 10**exponent degrees; 0 where it is not a whole number of them."""
    return int(360 * 10**-exponent) if -9 <= exponent <= 0 else 36 if exponent == 1 else 0


def follows(columns: Sequence[Column], index: int) -> bool:
    """Whether a column is the longitude beside a latitude, which moves when that moves."""
    return columns[index].kind == LON and index > 0 and columns[index - 1].kind == LAT


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


def code_plan(coder: Coder, given: Plan | None) -> Plan:
    """The first part of a plan, up to the profile's columns; None while reading."""
    out = Plan.blank(
        gamma(coder, given.stream if given else 0),
        gamma(coder, given.boot if given else 0),
        _code_profile(coder, given.profile if given else PROFILES[1]),
    )
    plan = given or out
    if coder.raw(1, plan.unit == SECOND):
        out.unit = SECOND
    else:
        out.unit = coder.raw(4, plan.unit)
    if coder.raw(1, plan.phase != 0):
        out.phase = gamma(coder, plan.phase) % UNITS[out.unit]
    return out


def code_columns(coder: Coder, given: Plan | None, out: Plan, sets: Sequence[Sets]) -> None:
    """The rest of a plan: which columns are absent, on a lattice, moving, turning."""
    plan = given or out
    columns = out.profile.columns
    usual = coder.raw(1, all(quality in (-1, Quality.BAD) for quality in plan.absent))
    for index, column in enumerate(columns):
        states = sets[index].get(FIRST)
        if coder.bit(states, _ABSENT, plan.absent[index] >= 0):
            out.absent[index] = int(Quality.BAD) if usual else coder.raw(3, max(plan.absent[index], 0))
            continue
        if coder.bit(states, _LATTICE, plan.lattice[index] != (1, 0)):
            divisor = gamma(coder, plan.lattice[index][0] - 1) + 1
            out.lattice[index] = divisor, gamma(coder, plan.lattice[index][1]) % divisor
        if follows(columns, index):
            out.modes[index] = out.modes[index - 1]
        elif column.predictor in _MOVING:
            out.modes[index] = _code_mode(coder, states, plan.modes[index])
        elif column.predictor is Predictor.ANGLE and coder.bit(states, _TURN, plan.turns[index] != 0):
            out.turns[index] = turn(column.exponent)


def _code_mode(coder: Coder, states: list[int], mode: int) -> int:
    if not coder.bit(states, _MOVES, mode != 0):
        return 0
    if coder.bit(states, _FILTER, mode == FILTERED):
        return FILTERED
    if coder.bit(states, _MODE, mode != LINEAR):
        return 3 - coder.bit(states, _MODE + 1, mode == 2)
    return LINEAR


def _code_profile(coder: Coder, profile: Profile) -> Profile:
    """A registered profile by its number; any other by its columns, and by number and name where it has them."""
    known = PROFILES.get(profile.number) == profile and profile.number < _INLINE
    number = coder.raw(5, profile.number if known else _INLINE)
    if number != _INLINE:
        if number not in PROFILES:
            raise DecodeError(f"profile {number} is unknown")
        return PROFILES[number]
    if len(profile.columns) > MAX_COLUMNS:
        raise ValueError("profile has too many columns")
    number, name = 0, ""
    if coder.raw(1, profile.number != 0 or profile.name != ""):
        number, name = gamma(coder, profile.number), _code_text(coder, profile.name)
    count = gamma(coder, len(profile.columns))
    if count > MAX_COLUMNS:
        raise DecodeError("profile has too many columns")
    given = (Column(0, 0),) * count if known else profile.columns
    return Profile(number, name, tuple([_code_column(coder, column) for column in given]))


def _code_column(coder: Coder, column: Column) -> Column:
    kind = gamma(coder, column.kind)
    usual = KINDS[kind].exponent if kind in KINDS else 0
    exponent = usual
    if coder.raw(1, column.exponent != usual):
        exponent = unzigzag(gamma(coder, zigzag(column.exponent)))
        if abs(exponent) > MAX_EXPONENT:
            raise DecodeError("exponent out of range")
    predictor = coder.raw(3, column.predictor.value)
    if predictor >= len(Predictor):
        raise DecodeError("unknown predictor")
    return Column(kind, exponent, Predictor(predictor))


def _code_text(coder: Coder, text: str) -> str:
    raw = text.encode()
    if len(raw) > MAX_NAME:
        raise ValueError("profile's name is too long")
    size = gamma(coder, len(raw))
    if size > MAX_NAME:
        raise DecodeError("profile's name is too long")
    got = bytes(coder.raw(8, byte) for byte in raw.ljust(size, b"\0")[:size])
    try:
        return got.decode()
    except UnicodeDecodeError as error:
        raise DecodeError("profile's name is not UTF-8") from error


def make_plan(batch: Batch, start_ms: int, window: int) -> Plan:
    """What the encoder knows of a batch: true of all rows, best for the next `window`; ValueError beyond 64 bits."""
    rows, columns = batch.rows, batch.profile.columns
    if any(abs(column.exponent) > MAX_EXPONENT for column in columns):
        raise ValueError("exponent out of range")
    for row in rows:
        check64(row.mono_ms)
        check64(row.wall_ms or 0)
    plan = Plan.blank(batch.stream, batch.boot, batch.profile)
    plan.unit, plan.phase = _time_unit([row.wall_ms - start_ms for row in rows if row.wall_ms is not None])
    near = rows[: max(window, 3)]
    ratios = _ratios(near)
    for index, column in enumerate(columns):
        values = [value for row in rows if (value := row.values[index]) is not None]
        for value in (min(values), max(values)) if values else ():
            check64(value)
        grades = {row.qualities[index] for row in rows}
        plan.absent[index] = grades.pop() if not values and len(grades) == 1 else -1
        circle = turn(column.exponent) if column.predictor is Predictor.ANGLE else 0
        plan.turns[index] = circle if values and min(values) >= 0 and max(values) < circle else 0
        plan.lattice[index] = (1, 0) if plan.turns[index] else _lattice(values, window)
        if follows(columns, index):
            plan.modes[index] = plan.modes[index - 1]
        elif column.predictor in _MOVING:
            wave = window >= WAVE and column.predictor is Predictor.GENERIC
            plan.modes[index] = _best_mode([row.values[index] for row in near], ratios, wave)
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


def _ratios(rows: Sequence[Row]) -> list[int]:
    """Each row's step of time in sixteenths of the one before it; 0 where there is none or it leaps."""
    times = [row.mono_ms if row.wall_ms is None else row.wall_ms for row in rows]
    steps = [after - before for before, after in pairwise(times)]
    return [b * EVEN // a if 0 < b < EVEN * a else 0 for a, b in pairwise(steps)]


def _best_mode(values: Sequence[int | None], ratios: Sequence[int], wave: bool) -> int:
    """Which share of the last velocity predicts best, by the bits of the errors; a filter where it saves enough of a wave."""
    steps = [
        (64 * (c - b), ratio * (b - a))
        for a, b, c, ratio in zip(values, values[1:], values[2:], ratios, strict=False)
        if a is not None and b is not None and c is not None
    ]
    best = min(MODES, key=lambda mode: _errors_bits(steps, mode))
    if wave and len(steps) == len(values) - 2:
        first = [value for value in values[:TRIED] if value is not None]
        bits = _errors_bits(steps[: len(first) - 2], best)
        if bits > ROUGH * len(first) and _filtered_bits(first) * 32 < bits * 31:
            return FILTERED
    return best


def _errors_bits(steps: Sequence[tuple[int, int]], mode: int) -> int:
    return sum((step - mode * usual).bit_length() for step, usual in steps)


def _filtered_bits(values: Sequence[int]) -> int:
    model, bits = Filter(), 0
    for a, b in pairwise(values):
        error = b - a - model.guess()
        model.learn(b - a, error)
        bits += (64 * error).bit_length()
    return bits

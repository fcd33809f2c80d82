"""A second reader of range-coded rows, written from docs/wire/rows.md alone: it shares no line with sync/codec."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import zstandard

from hardware.kinds import KINDS
from hardware.observation import PROFILES

TABLE: Final = zstandard.ZstdDecompressor().decompress(
    (Path(__file__).parents[2] / "sync/codec/priors_1.bin").read_bytes(), max_output_size=23_040
)
SURE: Final = (0, 1, 2, 3, 4, 6, 8, 11, 15, 20, 27, 35, 44, 52, 58, 60)
CLASSES: Final = {
    "generic": (0, 8, 4, False), "lat": (1, 14, 7, True), "lon": (2, 14, 7, True), "alt": (3, 12, 4, True),
    "speed": (4, 5, 3, False), "angle": (5, 8, 5, False), "heart": (6, 5, 2, False), "saturation": (7, 3, 1, False),
    "temp": (8, 5, 1, False), "hold": (9, 4, 1, False), "counter": (10, 12, 4, False), "raw": (11, 31, 31, False),
    "time": (12, 12, 1, False), "mono": (13, 3, 12, False), "flags": (14, 0, 0, False),
}  # fmt: skip
OF_KIND: Final = {
    38: "lat", 39: "lon", 40: "alt", 41: "speed", 1: "heart", 13: "heart", 2: "saturation", 3: "temp", 48: "temp",
}  # fmt: skip
OF_PREDICTOR: Final = ("generic", "lat", "angle", "counter", "hold", "raw")
UNITS: Final = (1, 10, 20, 50, 100, 200, 250, 500, 1000, 2000, 5000, 10_000, 30_000, 60_000, 300_000, 3_600_000)
FIRST: Final = {1: (90, 0), 13: (90, 0), 2: (97, 0), 3: (366, -1), 41: (10, -1)}


class Bits:
    """The interval, and integers out of it."""

    def __init__(self, body: bytes) -> None:
        self.bytes, self.at = body + bytes(8), 5
        self.code, self.span = int.from_bytes((body + bytes(5))[:5]), 1 << 40
        self.sets: dict[tuple[str, int, int], list[list[int]]] = {}
        self.since: int | None = None
        self.places: dict[int, tuple[int, int]] = {}
        self.offsets: dict[int, int] = {}

    def set(self, name: str, nth: int, scale: int) -> list[list[int]]:
        key = name, nth, scale
        if key not in self.sets:
            at = (CLASSES[name][0] * 16 + scale) * 96
            pairs = zip(TABLE[at : at + 96 : 2], TABLE[at + 1 : at + 96 : 2], strict=True)
            self.sets[key] = [[p * 256, SURE[n]] for p, n in pairs]
        return self.sets[key]

    def more(self) -> None:
        while self.span < 1 << 32:
            self.code, self.span = self.code << 8 | self.bytes[self.at], self.span << 8
            self.at += 1

    def bit(self, context: list[int]) -> int:
        p, n = context
        bound, rate = (self.span >> 16) * p, 131_072 // (2 * n + 3)
        bit = int(self.code >= bound)
        if bit:
            self.code, self.span, context[0] = self.code - bound, self.span - bound, p - (p * rate >> 16)
        else:
            self.span, context[0] = bound, p + ((65_536 - p) * rate >> 16)
        context[1] = min(n + 1, 250)
        self.more()
        return bit

    def raw(self, width: int) -> int:
        self.span >>= width
        value = self.code // self.span
        self.code -= value * self.span
        self.more()
        return value

    def wide(self, value: int, width: int) -> int:
        while width:
            step = min(width, 16)
            value, width = value << step | self.raw(step), width - step
        return value

    def gamma(self) -> int:
        size = 0
        while self.raw(1):
            size += 1
        return self.wide(1, size) - 1

    def number(self, contexts: list[list[int]], e: int, sign: int) -> int:
        b = e
        if self.bit(contexts[0]):
            b = e + 1
            while self.bit(contexts[1 + min(b - e - 1, 9)]):
                b += 1
        else:
            while b > 0 and self.bit(contexts[11 + min(e - b, 9)]):
                b -= 1
        if b == 0:
            return 0
        negative, size = self.bit(contexts[21 + sign]), 1
        if b > 1:
            w = min(max(b - e, -2), 2) + 2
            h = self.bit(contexts[24 + w])
            size = 2 + h
            if b > 2:
                size = self.wide(size << 1 | self.bit(contexts[29 + 2 * w + h]), b - 3)
        return -size if negative else size


class Errors:
    """What fast, slow and sign remember of the errors so far."""

    def __init__(self, start: int) -> None:
        self.fast = self.slow = start
        self.sign = 0

    def note(self, error: int, step: int) -> None:
        self.sign = (error > 0) + 2 * (error < 0)
        if self.fast < 0:
            self.fast = self.slow = step
        else:
            self.fast += (step - self.fast) * 3 >> 3
            self.slow += (step - self.slow) * 3 >> 5


class Pace:
    """A paced series of instants."""

    def __init__(self, bits: Bits, nth: int, first: int | None = None) -> None:
        self.bits, self.nth, self.errors, self.first = bits, nth, Errors(0), first
        self.last: int | None = None
        self.pace: int | None = None

    def next(self) -> int:
        """The step of time; 0 at the first."""
        bits, e = self.bits, self.errors
        if self.last is None:
            near = self.first is not None
            self.last = (self.first or 0) + bits.number(
                bits.set("time", self.nth, 0 if near else 1), 1 if near else 12, 0
            )
            return 0
        if self.pace is None:
            step = bits.number(bits.set("time", self.nth, 0), 1, 0)
            self.pace = max(step, 0) * 16
        else:
            size = ((3 * e.fast + e.slow) | 2).bit_length()
            error = bits.number(bits.set("time", self.nth, min(size, 15)), max(size - 6, 0), e.sign)
            step = ((self.pace + 8) >> 4) + error
            e.note(error, 16 * abs(error))
            reach = self.pace + 16
            self.pace = max(self.pace + (min(max(error * 16, -reach), reach) >> 3), 0)
        self.last += step
        return step

    def ratio(self, dt: int) -> int:
        pace = self.pace or 0
        return 16 if dt <= 0 or pace <= 0 else min(max(dt * 256 // pace, 1), 4096)


class Series:
    """A series of values."""

    def __init__(self, bits: Bits, name: str, nth: int, mode: int, first: int, turn: int, near: bool = False) -> None:
        self.near = near
        self.bits, self.name, self.nth, self.mode, self.first, self.turn = bits, name, nth, mode, first, turn
        self.errors = Errors(-1)
        self.last: int | None = None
        self.velocity = self.before = 0
        self.taps, self.past = [32_768] + [0] * 15, [0] * 16
        self.hint: int | None = None

    def next(self, dt: int, ratio: int, hint: int | None) -> int:
        bits, e = self.bits, self.errors
        _, first_bits, error_bits, grows = CLASSES[self.name]
        if self.last is None:
            own = bits.set(self.name, self.nth, 0 if self.near else 1)
            self.last = self.first + bits.number(own, error_bits if self.near else first_bits, 0)
            return self.last
        guess = self.last
        if self.mode == 5:
            told = (sum(a * b for a, b in zip(self.taps, self.past, strict=True)) + 32_768) >> 16
            guess += told if abs(told) < 1 << 62 else 0
        elif self.mode and 0 < dt < 16 * self.before:
            guess += (self.velocity * dt * self.mode + 2 * self.before) // (4 * self.before)
        if e.fast < 0 and hint is None:
            scale, expected = 0, error_bits
        else:
            size = 64 * (hint or 0) + 1
            if e.fast >= 0:
                size = 3 * e.fast + e.slow
                size = size * ratio >> 4 if grows else size
                size = (5 * size + 3 * 64 * hint) >> 3 if hint is not None else size
            b = (size | 2).bit_length()
            scale, expected = min(b, 15), max(b - 6, 0)
        error = bits.number(bits.set(self.name, self.nth, scale), expected, e.sign)
        value = guess + error
        value = value % self.turn if self.turn else value
        e.note(error, 256 * abs(error) // ratio if grows else 16 * abs(error))
        if self.mode == 5:
            self.taps = [
                tap + (512 if (past > 0) == (error > 0) else -512) if past and error else tap
                for tap, past in zip(self.taps, self.past, strict=True)
            ]
            self.past = [value - self.last, *self.past[:15]]
        elif self.mode:
            self.velocity, self.before = value - self.last, dt
        self.last, self.hint = value, abs(error)
        return value


def read(body: bytes, anchor: tuple[int, int, int] | None) -> list[Any]:
    """Batches as (stream, boot, columns, rows): columns (kind, exponent, predictor), rows (mono, wall, clock, values, qualities)."""
    bits, out = Bits(body), []
    bits.raw(1)
    while bits.raw(1):
        out.append(_batch(bits, anchor))
    return out


def _columns(bits: Bits) -> list[tuple[int, int, int]]:
    number = bits.raw(5)
    if number < 31:
        return [(c.kind, c.exponent, c.predictor.value) for c in PROFILES[number].columns]
    if bits.raw(1):
        bits.gamma()
        for _ in range(bits.gamma()):
            bits.raw(8)
    columns = []
    for _ in range(bits.gamma()):
        kind = bits.gamma()
        exponent = KINDS[kind].exponent if kind in KINDS else 0
        if bits.raw(1):
            folded = bits.gamma()
            exponent = -(folded + 1 >> 1) if folded & 1 else folded >> 1
        columns.append((kind, exponent, bits.raw(3)))
    return columns


def _first(kind: int, exponent: int, anchor: tuple[int, int, int] | None, places: dict[int, tuple[int, int]]) -> int:
    value, own = FIRST.get(kind, (0, exponent))
    if kind in (38, 39):
        value, own = (anchor[kind - 38] if anchor else 0), -7
    value, own = places.get(kind, (value, own))
    shift = own - exponent
    return int(value * 10**shift if shift >= 0 else value // 10 ** min(-shift, 40))


def _batch(bits: Bits, anchor: tuple[int, int, int] | None) -> Any:
    start = anchor[2] if anchor else 0
    stream, boot, columns = bits.gamma(), bits.gamma(), _columns(bits)
    unit = 1000 if bits.raw(1) else UNITS[bits.raw(4)]
    phase = bits.gamma() % unit if bits.raw(1) else 0
    usual, count = bits.raw(1), dict[str, int]()
    series: list[Any] = []
    modes: list[int] = []
    for at, (kind, exponent, predictor) in enumerate(columns):
        name = OF_KIND.get(kind) or OF_PREDICTOR[predictor]
        nth = count[name] = count.get(name, -1) + 1
        own = bits.set(name, nth, 1)
        modes.append(4 if predictor == 3 else 0)
        if bits.bit(own[40]):
            series.append((2 if usual else bits.raw(3), None, 1, 0))
            continue
        divisor, rest, turn = 1, 0, 0
        if bits.bit(own[41]):
            divisor = bits.gamma() + 1
            rest = bits.gamma() % divisor
        if kind == 39 and at and columns[at - 1][0] == 38:
            modes[at] = modes[at - 1]
        elif predictor in (0, 1):
            modes[at] = _mode(bits, own)
        elif predictor == 2 and bits.bit(own[45]):
            turn = 36 if exponent == 1 else 360 * 10**-exponent if -9 <= exponent <= 0 else 0
        first = (_first(kind, exponent, anchor, bits.places) - rest) // divisor
        series.append((0, Series(bits, name, nth, modes[at], first, turn, kind in bits.places), divisor, rest))
    rows = list(_rows(bits, columns, series, (boot, start, unit, phase)))
    for (kind, exponent, _), (_, one, divisor, rest) in zip(columns, series, strict=True):
        if kind in (38, 39) and one is not None and one.last is not None:
            bits.places[kind] = one.last * divisor + rest, exponent
    return stream, boot, columns, rows


def _mode(bits: Bits, own: list[list[int]]) -> int:
    if not bits.bit(own[42]):
        return 0
    if bits.bit(own[46]):
        return 5
    if not bits.bit(own[43]):
        return 4
    return 2 if bits.bit(own[44]) else 3


def _rows(bits: Bits, columns: list[Any], series: list[Any], head: tuple[int, int, int, int]) -> Any:
    boot, start, unit, phase = head
    flags, clock, dated, offset = bits.set("flags", 0, 0), 3, True, None
    grades = [each[0] for each in series]
    empty = [each[1] is None for each in series]
    begun, fresh = bits.since, True
    wall_pace, mono_pace = Pace(bits, 0, None if begun is None else begun // unit), Pace(bits, 1)
    shifts = Series(bits, "mono", 0, 0, bits.offsets.get(boot, -start) + start, 0)
    while True:
        if bits.bit(flags[40]):
            if bits.bit(flags[41]):
                return
            if bits.bit(flags[43]):
                offset = None
            if bits.bit(flags[42]):
                clock, dated = bits.raw(2), bool(bits.raw(1))
            for at, each in enumerate(series):
                if each[1] is not None and bits.bit(flags[44]):
                    grades[at], empty[at] = bits.raw(3), bool(bits.raw(1))
        wall = None
        if dated:
            dt = wall_pace.next()
            wall = (wall_pace.last or 0) * unit + phase + start
            if fresh:
                bits.since, fresh = wall - start, False
            if offset is None:
                offset = bits.offsets[boot] = shifts.next(1, 16, None) - start
            mono, ratio = wall + offset, wall_pace.ratio(dt)
            mono_pace.last = None if mono_pace.last is None else mono
        else:
            offset, dt = None, mono_pace.next()
            mono, ratio = mono_pace.last or 0, mono_pace.ratio(dt)
        values: list[int | None] = []
        hint: int | None = None
        for at, (_, one, divisor, rest) in enumerate(series):
            if one is None or empty[at]:
                values.append(None)
                hint = None
                continue
            paired = columns[at][0] == 39 and at > 0 and columns[at - 1][0] == 38
            values.append(one.next(dt, ratio, hint if paired else None) * divisor + rest)
            hint = one.hint
        yield mono, wall, clock, tuple(values), tuple(grades)

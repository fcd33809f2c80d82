"""A second decoder of pictures, texts, events and forms, written from the pages in docs/wire alone: it shares no code with the first.

Only the word list is read from its file, as text.md says.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import zstandard

ROOT = Path(__file__).parents[2]


def table(weights: list[int]) -> list[int]:
    """Starts of the shares of 16384."""
    total, spare = sum(weights), 16_384 - len(weights)
    shares = [1 + weight * spare // total for weight in weights]
    shares[shares.index(max(shares))] += 16_384 - sum(shares)
    return [0, *accumulate(shares)]


def shares(starts: list[int]) -> list[int]:
    return [after - before for before, after in pairwise(starts)]


def laplace(num: int, den: int, size: int) -> list[int]:
    weights = [max(1, 2**40 * num ** ((s + 1) // 2) // den ** ((s + 1) // 2)) for s in range(size)]
    raw = 2**40 * num ** (size // 2) // den ** (size // 2)
    return table([*weights, max(1, raw * num // (den - num))])


SIZES = (
    (1, 20, 8), (1, 6, 16), (1, 3, 24), (1, 2, 32), (2, 3, 48), (3, 4, 64), (5, 6, 96), (8, 9, 128), (12, 13, 192), (20, 21, 320),
    (32, 33, 448), (50, 51, 640), (80, 81, 1024), (128, 129, 1600), (208, 209, 2400), (336, 337, 3200),
)  # fmt: skip
LAPLACE = [laplace(*row) for row in SIZES]


def parts(n: int, narrow: list[int], m: int, wide: list[int]) -> list[int]:
    """n parts of one table and m of another, over the second's symbols."""
    one = shares(narrow)[:-1]
    return table([m * share + (n * one[at] if at < len(one) else 0) for at, share in enumerate(shares(wide))])


class Stack:
    """The stacked message."""

    def __init__(self, data: bytes) -> None:
        self.x = int.from_bytes(data, "big")

    def uniform(self, count: int) -> int:
        self.x, value = divmod(self.x, count)
        return value

    def symbol(self, starts: list[int]) -> int:
        slot = self.x % 16_384
        at = max(s for s in range(len(starts) - 1) if starts[s] <= slot)
        self.x = self.x // 16_384 * (starts[at + 1] - starts[at]) + slot - starts[at]
        return at

    def plain(self) -> int:
        bits = self.uniform(64)
        return bits if bits < 2 else 2 ** (bits - 1) + self.uniform(2 ** (bits - 1))

    def signed(self, starts: list[int]) -> int:
        s = self.symbol(starts)
        if s == len(starts) - 2:
            s += self.plain()
        return zigzag(s)

    def number(self, weights: list[int]) -> int:
        bits = self.symbol(table(weights))
        return bits if bits < 2 else 2 ** (bits - 1) + self.uniform(2 ** (bits - 1))


def zigzag(folded: int) -> int:
    return folded // 2 if folded % 2 == 0 else -(folded + 1) // 2


# picture.md

WALK = [
    LAPLACE[2], LAPLACE[3], parts(8, LAPLACE[3], 8, LAPLACE[4]), LAPLACE[4], parts(8, LAPLACE[4], 8, LAPLACE[5]), *LAPLACE[5:12],
]  # fmt: skip
MEANS = (1, 1, 2, 2, 3, 3, 5, 8, 12, 20, 32, 50)
REST = [[parts(13, LAPLACE[0], 3, wide) for wide in WALK], [parts(12, LAPLACE[1], 4, wide) for wide in WALK]]
PULSES = [LAPLACE[1], parts(8, LAPLACE[1], 8, LAPLACE[3]), parts(12, LAPLACE[2], 4, LAPLACE[4]), LAPLACE[3]]
NEW_PULSE = table([40, 1, 2, 4, 8, 14, 18, 20, 20, 18, 16, 14, 11, 8, 6, 4, 3, 2])
AGES = [
    [600, 14, 18, 4, 3, 3, 2, 1, 1, 1], [60, 60, 30, 12, 8, 5, 2, 1, 1, 1], [120, 50, 30, 20, 12, 10, 2, 1, 1, 1],
    [24, 40, 24, 24, 20, 16, 4, 1, 1, 1], [20, 30, 20, 20, 24, 24, 8, 1, 1, 1], [20, 20, 12, 12, 16, 40, 24, 1, 1, 1],
    [10, 3, 3, 3, 3, 6, 90, 20, 1, 1], [6, 1, 1, 1, 1, 1, 2, 120, 4, 1], [4, 1, 1, 1, 1, 1, 1, 1, 120, 2], [4, 1, 1, 1, 1, 1, 1, 1, 1, 120],
]  # fmt: skip
NEW_AGE = [100, 14, 10, 8, 7, 6, 5, 4, 4, 10]


@dataclass
class Shown:
    """One person: middle of a cell or None, metres of the grid, heart-rate cell, age class, alarm, way since the base."""

    place: tuple[int, int] | None
    grid: int
    pulse: int
    age: int = 0
    alarm: bool = False
    moved: tuple[int, int] | None = None


def steps(lat: int, metres: int) -> tuple[int, int]:
    high = metres * 89_832 // 1000
    a = abs(lat) * 1_874_033_054 // 10**9
    s, t = a * a >> 30, 2**30
    for n in (132, 90, 56, 30, 12, 2):
        t = 2**30 - (t * s >> 30) // n
    return high, high * 2**30 // max(t, 2**24)


def round_turn(lon: int) -> int:
    return (lon + 1_800_000_000) % 3_600_000_000 - 1_800_000_000


def force(
    data: bytes,
    block: int,
    anchor: tuple[int, int],
    known: dict[int, dict[int, Shown]],
    spans: dict[int, tuple[int, int]],
) -> dict[int, Shown]:
    """People by place; `known` and `spans` have earlier pictures by block number."""
    x = Stack(data)
    vital = x.uniform(4) == 2
    named = x.uniform(33)
    base, same = {}, False
    if named:
        number = max(n for n in range(block - 32, block) if n % 32 == named - 1)
        base, same = known[number], x.symbol(table([30, 1])) == 0
    first, count = spans[number] if same else (x.number([1] * 11), x.number([1] * 11))
    metres = (10, 14, 20, 28, 40, 56, 80, 112)[x.symbol(table([16, 4, 3, 2, 2, 1, 1, 1]))]
    near = lead = spread = pulse = 0
    if not named:
        near = x.uniform(16)
    else:
        lead = (0, 4, 6, 7, 8, 12, 18, 28)[x.symbol(table([2, 2, 4, 8, 4, 3, 2, 2]))]
        spread = x.symbol(table([1, 2, 6, 8, 6, 5, 4, 2, 1, 1]))
        pulse = x.symbol(table([1, 6, 4, 1])) if vital else 0
    high, wide = steps(anchor[0], metres)
    out = dict(base)
    last: tuple[int, int] | None = None
    for at in range(first, first + count):
        before = base.get(at)
        cell = None
        if x.symbol(table([1, 120] if before and before.place else [1, 4])):
            cell = last = place(x, before, last, near if not named else None, lead, spread, anchor, high, wide)
        beats = 0
        if vital:
            beats = before.pulse + x.signed(PULSES[pulse]) if before else x.symbol(NEW_PULSE)
        shown = Shown(None, 0, beats)
        if cell:
            shown.place = anchor[0] + cell[0] * high + high // 2, round_turn(anchor[1] + cell[1] * wide + wide // 2)
            shown.grid = metres
            if before and before.place:
                shown.moved = shown.place[0] - before.place[0], shown.place[1] - before.place[1]
        out[at] = shown
    for at in range(first, first + count):
        out[at].age = x.symbol(table(AGES[base[at].age] if at in base else NEW_AGE))
    for at in range(first, first + count):
        out[at].alarm = bool(x.symbol(table([1, 8] if at in base and base[at].alarm else [120, 1])))
    assert x.x == 0
    spans[block], known[block] = (first, count), out
    return out


def place(
    x: Stack,
    before: Shown | None,
    last: tuple[int, int] | None,
    near: int | None,
    lead: int,
    spread: int,
    anchor: tuple[int, int],
    high: int,
    wide: int,
) -> tuple[int, int]:
    """The cell of one person."""
    if before is None or before.place is None:
        law = LAPLACE[13] if last is None else LAPLACE[8 if near is None else near]
        row, column = last or (0, 0)
        return row + x.signed(law), column + x.signed(law)
    row = (before.place[0] - anchor[0]) // high
    column = round_turn(before.place[1] - anchor[1]) // wide
    if before.moved is not None:
        north = (2 * before.moved[0] + high) // (2 * high)
        east = (2 * before.moved[1] + wide) // (2 * wide)
        if abs(north) + abs(east) < 2:
            law = REST[abs(north) + abs(east)][spread]
            return row + x.signed(law), column + x.signed(law)
        row, column = row + (north * lead + 4) // 8, column + (east * lead + 4) // 8
    miss = x.signed(WALK[spread])
    k = 2 * abs(miss) // MEANS[spread]
    step = -1 if k == 0 else 0 if k < 4 else 1 if k < 7 else 2
    return row + miss, column + x.signed(WALK[max(0, spread + step)])


def scene(data: bytes) -> tuple[dict[int, int], dict[tuple[int, bool], int]]:
    """Rows by number, and what was heard."""
    x = Stack(data)
    assert x.uniform(4) == 3
    lengths = [20, 20, 20, 18, 16, 14, 12, 10, 8, 7, 6, 5, 4, *[3] * 8, *[1] * 11]
    rows = {row: zigzag(x.number(lengths)) for row in range(x.uniform(65)) if x.symbol(table([1, 3]))}
    heard = {}
    for _ in range(x.uniform(33)):
        origin, vital = x.number([1, 3, 4, 4, 4, 3, 2, 2, *[1] * 7]), bool(x.uniform(2))
        heard[origin, vital] = x.uniform(64)
    assert x.x == 0
    return rows, heard


# text.md

LIST: dict[str, Any] = json.loads(
    zstandard.ZstdDecompressor().decompress((ROOT / "sync/codec/words_1.bin").read_bytes(), max_output_size=1 << 22)
)
GROUPS = [group.split("\n") for group in LIST["groups"]]
LAWS = [table(row) for row in LIST["laws"]]


def words(x: Stack) -> str:
    """A text on a stack."""
    out, before = "", 0
    while symbol := x.symbol(LAWS[before]):
        if symbol == 1:
            out, before = out + chr(x.uniform(1_114_112)), 0
        else:
            group = GROUPS[symbol - 2]
            out, before = out + group[x.uniform(len(group))], LIST["classes"][symbol - 2]
    return out


def text(data: bytes) -> str:
    """A text of its own, of the first and the third way."""
    if data[-1] % 8 == 0:
        return data[:-1].decode()
    x = Stack(data)
    assert x.uniform(8) == 2
    out = words(x)
    assert x.x == 0
    return out


# report.md

USUAL = {1: (14, 4, 3, 7, 13, 7, 11, 10, 11, 13, 13, 12, 18, 15), 2: (10, 9, 7, 6, 6, 4, 4, 4, 7, 9, 5, 5, 4, 5)}


def report(x: Stack) -> dict[int, Any]:
    """A filled form, as the body of its event."""
    out: dict[str, Any] = {"form": x.uniform(16), "stage": x.uniform(4)}
    out["serial"] = x.number([2, 8, 8, 6, 4, 2, 1, 1, 1, 1, 1])
    out["disaster"], digits = x.uniform(32), (0, 6, 9, 12)[x.uniform(4)]
    out["division"] = str(x.uniform(10**digits)).zfill(digits) if digits else ""
    has = x.uniform(2), x.uniform(2)
    start = x.uniform(2**24) + 26_297_280 if any(has) else None
    out["occurred"], out["until"] = start if has[0] else None, start if has[1] else None
    if all(has) and start is not None:
        out["until"] = start + zigzag(x.number([1, *[2] * 6, *[6] * 8, *[2] * 12]))
    usual = USUAL.get(out["form"], ())
    count = x.uniform(33) if x.symbol(table([31, 1])) else len(usual)
    out["indicators"] = [figure(x, usual[at] if at < len(usual) else 8) for at in range(count)]
    usually = {"stage": 0, "serial": 1, "disaster": 0, "division": "", "occurred": None, "until": None}
    keys = ("form", "indicators", "text", "stage", "serial", "division", "disaster", "occurred", "until")
    return {keys.index(name): value for name, value in out.items() if name not in usually or value != usually[name]}


def figure(x: Stack, usual: int) -> int | None:
    state = x.symbol(table([13, 2, 1]))
    if state:
        return 0 if state == 1 else None
    bits = usual + x.signed(LAPLACE[4])
    return int(2 ** (bits - 1)) + x.uniform(int(2 ** (bits - 1)))


# events.md

LENGTHS = [*[12] * 8, 11, 11, 10, 10, *[8] * 24, *[2] * 29]
COUNTS = [40, 12, 5, 4, 3, 3, 2, 2, 1, 1, 1]
GAPS = [30, 30, 12, 8, 6, 4, 3, 2, 2, *[1] * 56]


def events(body: bytes, source: tuple[int, int], start_ms: int) -> list[dict[str, Any]]:
    """The events of a body of method 2."""
    assert body[0] == 0x12
    x, out = Stack(body[1:]), list[dict[str, Any]]()
    before: dict[str, Any] = {"id": (*source, -1), "actor": "", "lamport": 0, "time": (0, 0, None, 0)}
    while True:
        before = event(x, before, not out, source, start_ms)
        out.append(before)
        if not x.symbol(table([3, 1])):
            assert x.x == 0
            return out


def event(x: Stack, before: dict[str, Any], first: bool, source: tuple[int, int], start_ms: int) -> dict[str, Any]:
    def after(value: int) -> int:
        return x.number(LENGTHS) if first else value + 1 + x.signed(LAPLACE[5])

    def ident() -> tuple[int, int, int]:
        if x.symbol(table([60, 1])):
            return x.number(LENGTHS), x.number(LENGTHS), x.number(LENGTHS)
        return (*source, after(before["id"][2]))

    new: dict[str, Any] = {"id": ident(), "kind": x.uniform(64)}
    if new["kind"] == 63:
        new["kind"] += x.number(LENGTHS)
    new["actor"] = words(x) if x.symbol(table([12, 1])) else before["actor"]
    new["lamport"] = after(before["lamport"])
    boot, (old_boot, old_mono, old_wall, _) = after(before["time"][0] - 1), before["time"]
    near = not first and boot == old_boot
    mono = old_mono + zigzag(x.number(LENGTHS)) if near else x.number(LENGTHS)
    wall = None
    if x.symbol(table([3, 1])):
        wall = zigzag(x.number(LENGTHS)) + (old_wall + mono - old_mono if near and old_wall is not None else start_ms)
    new["time"] = boot, mono, wall, x.uniform(4)
    new["to"] = tuple(x.number(LENGTHS) for _ in range(x.number(COUNTS)))
    new["valid_s"] = zigzag(x.number(LENGTHS)) if x.symbol(table([3, 1])) else None
    new["parents"] = tuple(ident() for _ in range(x.number(COUNTS)))
    new["body"], at = report(x) if new["kind"] == 15 and not x.symbol(table([3, 1])) else {}, -1
    while gap := x.symbol(table(GAPS)):
        at += gap
        new["body"][at] = value(x)
    return new


def value(x: Stack) -> Any:
    kind = x.symbol(table([20, 20, 2, 2, 2, 3, 2]))
    if kind == 0:
        return zigzag(x.number(LENGTHS))
    if kind == 1:
        return words(x)
    if kind < 5:
        return (None, True, False)[kind - 2]
    count = x.number(COUNTS)
    return [value(x) for _ in range(count)] if kind == 5 else bytes(x.uniform(256) for _ in range(count))

"""Paper and voice: a small block as groups of four digits, to be read over any voice radio or written in a letter.

The block, behind one marker byte, is a number in base 9973, the largest prime below 10000, so every group is a
symbol of the field GF(9973). Check groups make it a Reed-Solomon code (evaluations of one polynomial at 0, 1, 2, …):
c check groups find and repair e misheard groups and m missing ones whenever 2e + m <= c, whatever the digits were. Where
c - m is odd one misheard group more is found, by doubting each group in turn, if only one block can have been meant. A group left
out altogether, or one too many, moves all behind it: every place is tried for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Final

from hardware.errors import DecodeError

PRIME: Final = 9973
MOST_BYTES: Final = 240
LINE: Final = 5  # groups to a line when written down
SHORT: Final = 40  # groups up to which each place is doubted in turn: longer messages have checks enough
CERTAIN: Final = (
    2  # checks that must be left over where every place was tried: chance fits two once in 100 million tries
)

Reading = tuple[
    list[int], list[int]
]  # the code word, and the positions (from 1) at which it differs from what was heard
Solver = Callable[[Sequence[tuple[int, int]], int, int, int], "list[int] | None"]


def checks(data_groups: int) -> int:
    """Check groups for so many data groups: five, and one more for every ten beyond twenty-five."""
    return 5 + max(0, data_groups - 25 + 9) // 10


def data_groups(groups: int) -> int:
    """How many of a message's groups are data; DecodeError when no message has that length."""
    for count in range(groups, 0, -1):
        if count + checks(count) == groups:
            return count
    raise DecodeError(f"a message never has {groups} groups")


def encode(block: bytes) -> list[str]:
    """A block of 1..240 bytes as groups of four digits; 40 bytes make 30 groups."""
    if not 0 < len(block) <= MOST_BYTES:
        raise ValueError(f"{len(block)} bytes: 1 to {MOST_BYTES} can be read aloud")
    symbols, rest = [], int.from_bytes(b"\x01" + block, "big")
    while rest:
        rest, symbol = divmod(rest, PRIME)
        symbols.append(symbol)
    points = list(enumerate(symbols))
    extra = [_interpolate(points, at) for at in range(len(symbols), len(symbols) + checks(len(symbols)))]
    return [f"{symbol:04d}" for symbol in symbols + extra]


def decode(groups: Sequence[str]) -> tuple[bytes, list[int]]:
    """The block, and the positions (from 1) of groups that were wrong or missing and have been repaired.

    A group not understood is given as "" or anything that is not four digits, in its place. One group left out altogether, or
    one too many, is found too. DecodeError when too much is wrong.
    """
    as_heard = _fit(groups, _nearest)
    tiers: tuple[Callable[[], list[Reading]], ...] = (
        lambda: [*as_heard, *(_moved(groups, _exact) if not as_heard or as_heard[0][1] else ())],
        lambda: _moved(groups, _one_off) if len(groups) < SHORT else [],
        lambda: _fit(groups, _doubting),
    )
    for tier in tiers:
        if blocks := _blocks(tier()):
            if len(blocks) > 1:
                raise DecodeError("two blocks fit as well: ask for the first and last groups and their number again")
            return blocks.popitem()
    raise DecodeError(_why_not(groups))


def _fit(groups: Sequence[str], solve: Solver) -> list[Reading]:
    """The code word for groups each in its place, and the positions (from 1) where it differs; empty where `solve` has none."""
    if _why_lost(groups):
        return []
    count = data_groups(len(groups))
    heard = [(at, int(group)) for at, group in enumerate(groups) if _is_group(group)]
    values = solve(heard, count, len(heard) - count, len(groups))
    if values is None:
        return []
    return [
        (values, [at for at, group in enumerate(groups, 1) if not _is_group(group) or int(group) != values[at - 1]])
    ]


def _moved(groups: Sequence[str], solve: Solver) -> list[Reading]:
    """The same where one group was left out, or is one too many, at whatever place."""
    found: list[Reading] = []
    for at in range(len(groups), -1, -1):
        found += _fit([*groups[:at], "", *groups[at:]], solve)
        found += [(values, [at + 1, *wrong]) for values, wrong in _fit([*groups[:at], *groups[at + 1 :]], solve)]
    return found


def _blocks(readings: Iterable[Reading]) -> dict[bytes, list[int]]:
    """The blocks among the readings. Groups moved at either end still fit one polynomial: only the marker byte tells."""
    found: dict[bytes, list[int]] = {}
    for values, wrong in readings:
        with suppress(DecodeError):
            found[_block(values[: data_groups(len(values))])] = sorted({*wrong})
    return found


def _why_lost(groups: Sequence[str]) -> str:
    """Why no checks are left to repair with, "" when there are some."""
    try:
        count = data_groups(len(groups))
    except DecodeError as error:
        return str(error)
    missing = sum(not _is_group(group) for group in groups)
    spare = len(groups) - count
    return f"{missing} groups are missing, at most {spare} can be repaired" if missing > spare else ""


def _why_not(groups: Sequence[str]) -> str:
    wrong = "too many groups are wrong: ask for them again, or mark the doubtful ones as missing"
    return _why_lost(groups) or wrong


def lines(groups: Sequence[str]) -> list[str]:
    """Written form: numbered lines of five groups."""
    return [f"{at // LINE + 1:2d}  {' '.join(groups[at : at + LINE])}" for at in range(0, len(groups), LINE)]


def _is_group(text: str) -> bool:
    return len(text) == 4 and text.isascii() and text.isdigit() and int(text) < PRIME


def _block(symbols: Sequence[int]) -> bytes:
    number = 0
    for symbol in reversed(symbols):
        number = number * PRIME + symbol
    raw = number.to_bytes((number.bit_length() + 7) // 8, "big")
    if raw[:1] != b"\x01" or len(raw) < 2 or symbols[-1] == 0:
        raise DecodeError("the groups fit together but are no block")
    return raw[1:]


def _interpolate(points: Sequence[tuple[int, int]], at: int) -> int:
    """Value at `at` of the polynomial through the points (Lagrange, modulo PRIME)."""
    total = 0
    for x, y in points:
        above = below = 1
        for other, _ in points:
            if other != x:
                above, below = above * (at - other) % PRIME, below * (x - other) % PRIME
        total += y * above * pow(below, -1, PRIME)
    return total % PRIME


def _exact(heard: Sequence[tuple[int, int]], count: int, spare: int, total: int) -> list[int] | None:
    """The code word without an error, if two checks are left to tell it from chance."""
    points = heard[:count]
    if spare < CERTAIN or any(_interpolate(points, x) != y for x, y in heard[count:]):
        return None
    known = dict(heard)
    return [known[x] if x in known else _interpolate(points, x) for x in range(total)]


def _one_off(heard: Sequence[tuple[int, int]], count: int, spare: int, total: int) -> list[int] | None:
    """The code word one error away, likewise."""
    return _solve(heard, count, 1, total) if spare >= CERTAIN + 2 else None


def _nearest(heard: Sequence[tuple[int, int]], count: int, spare: int, total: int) -> list[int] | None:
    """The code word with the fewest errors, if half of the spare checks suffice."""
    tries = (_solve(heard, count, errors, total) for errors in range(spare // 2 + 1))
    return next((values for values in tries if values is not None), None)


def _doubting(heard: Sequence[tuple[int, int]], count: int, spare: int, total: int) -> list[int] | None:
    """The code word one error farther away than half of an odd number of spare checks, if there is only one."""
    if spare % 2 == 0 or total > SHORT:
        return None
    found = {
        tuple(values)
        for at in range(len(heard))
        if (values := _solve([*heard[:at], *heard[at + 1 :]], count, spare // 2, total)) is not None
    }
    return list(found.pop()) if len(found) == 1 else None


def _solve(heard: Sequence[tuple[int, int]], count: int, errors: int, total: int) -> list[int] | None:
    """Berlekamp-Welch: the code word at most `errors` symbols away from what was heard, or None."""
    width = count + 2 * errors
    rows = []
    for x, y in heard:
        powers = [pow(x, power, PRIME) for power in range(count + errors)]
        locator = [-y * pow(x, power, PRIME) % PRIME for power in range(errors)]
        rows.append([*powers, *locator, y * pow(x, errors, PRIME) % PRIME])
    solved = _eliminate(rows, width)
    if solved is None:
        return None
    quotient = _divide(solved[: count + errors], [*solved[count + errors :], 1])
    if quotient is None:
        return None
    values = [_evaluate(quotient, x) for x in range(total)]
    return values if sum(values[x] != y for x, y in heard) <= errors else None


def _eliminate(rows: list[list[int]], width: int) -> list[int] | None:
    """Gauss-Jordan modulo PRIME; free unknowns are 0, None when there is no solution."""
    pivots: list[int] = []
    for column in range(width):
        at = len(pivots)
        found = next((row for row in range(at, len(rows)) if rows[row][column]), None)
        if found is None:
            continue
        rows[at], rows[found] = rows[found], rows[at]
        inverse = pow(rows[at][column], -1, PRIME)
        rows[at] = [value * inverse % PRIME for value in rows[at]]
        for other, row in enumerate(rows):
            if other != at and row[column]:
                factor = row[column]
                rows[other] = [(value - factor * pivot) % PRIME for value, pivot in zip(row, rows[at])]
        pivots.append(column)
    if any(row[width] for row in rows[len(pivots) :]):
        return None
    solution = [0] * width
    for row, column in zip(rows, pivots):
        solution[column] = row[width]
    return solution


def _divide(above: list[int], below: list[int]) -> list[int] | None:
    """Quotient of two polynomials (lowest power first, `below` monic), None when a rest remains."""
    rest = list(above)
    quotient = [0] * (len(above) - len(below) + 1)
    for at in range(len(quotient) - 1, -1, -1):
        factor = quotient[at] = rest[at + len(below) - 1]
        for index, value in enumerate(below):
            rest[at + index] = (rest[at + index] - factor * value) % PRIME
    return None if any(rest) else quotient


def _evaluate(polynomial: Sequence[int], x: int) -> int:
    total = 0
    for factor in reversed(polynomial):
        total = (total * x + factor) % PRIME
    return total

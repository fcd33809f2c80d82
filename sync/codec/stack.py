"""An exact entropy coder for short messages: one big integer on which symbols are stacked (asymmetric numeral system).

No state is flushed and no bits are rounded, so a message costs the sum of its symbols' information rounded up to one byte.
Symbols are taken off in the order in which they were put on, because the writer stacks them from the last to the first.
Laws of chance are integer tables (LAPLACE below), the same on every machine. For messages up to about 2 kB.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from typing import Final

from hardware.errors import DecodeError
from sync.ids import unzigzag, zigzag

SCALE: Final = 1 << 14
MAX_BYTES: Final = 4096


@dataclass(frozen=True, slots=True)
class Table:
    """A law of chance over 0 .. n-1: `starts` are the cumulative shares of SCALE, n+1 of them."""

    starts: tuple[int, ...]

    @classmethod
    def of(cls, weights: Sequence[int]) -> Table:
        """From positive weights; every symbol keeps at least one share."""
        total, spare = sum(weights), SCALE - len(weights)
        shares = [1 + weight * spare // total for weight in weights]
        shares[shares.index(max(shares))] += SCALE - sum(shares)
        return cls((0, *accumulate(shares)))


def _laplace(num: int, den: int, size: int) -> Table:
    """0, -1, 1, -2, 2 … with the chance of a magnitude falling by num/den; the last symbol stands for all beyond."""
    weights, over, under = [1 << 40], 1 << 40, 1
    while len(weights) < size:
        over, under = over * num, under * den
        weights += [over // under] * 2
    del weights[size:]
    return Table.of([*(max(weight, 1) for weight in weights), max(weights[-1] * num // (den - num), 1)])


# One table for each spread: mean magnitudes of about 0.1, 0.3, 0.6, 1, 2, 3, 5, 8, 12, 20, 32, 50 and more steps.
LAPLACE: Final = tuple(
    _laplace(num, den, size)
    for num, den, size in (
        (1, 20, 8), (1, 6, 16), (1, 3, 24), (1, 2, 32), (2, 3, 48), (3, 4, 64), (5, 6, 96), (8, 9, 128),
        (12, 13, 192), (20, 21, 320), (32, 33, 448), (50, 51, 640), (80, 81, 1024), (128, 129, 1600),
        (208, 209, 2400), (336, 337, 3200),
    )
)  # fmt: skip


class StackWriter:
    """Collects symbols; `bytes` stacks them. `cost` runs along in 1/256 bit."""

    def __init__(self) -> None:
        self._symbols: list[tuple[int, int, int]] = []
        self.cost = 0

    def put(self, table: Table, symbol: int) -> None:
        """One symbol of a table."""
        start = table.starts[symbol]
        self._add(start, table.starts[symbol + 1] - start, SCALE)

    def uniform(self, value: int, count: int) -> None:
        """One of `count` equally likely values."""
        if not 0 <= value < count:
            raise ValueError(f"{value} is not below {count}")
        self._add(value, 1, count)

    def signed(self, table: Table, value: int) -> None:
        """Any integer of at most 62 bits by a LAPLACE table; those beyond it by their length."""
        folded, last = zigzag(value), len(table.starts) - 2
        self.put(table, min(folded, last))
        if folded >= last:
            self.plain(folded - last)

    def plain(self, value: int) -> None:
        """A non-negative integer of unknown size below 2**63."""
        bits = value.bit_length()
        self.uniform(bits, 64)
        if bits > 1:
            self.uniform(value - (1 << bits - 1), 1 << bits - 1)

    def mark(self) -> int:
        """A point to which `back` can return."""
        return len(self._symbols)

    def back(self, mark: int, cost: int) -> None:
        """Take off what was put on since `mark`, when `cost` was the cost."""
        del self._symbols[mark:]
        self.cost = cost

    def bytes(self) -> bytes:
        """The message; its length is part of what carries it."""
        stack = 0
        for start, share, total in reversed(self._symbols):
            stack = stack // share * total + start + stack % share
        return stack.to_bytes((stack.bit_length() + 7) // 8, "big")

    def _add(self, start: int, share: int, total: int) -> None:
        self._symbols.append((start, share, total))
        self.cost += _bits256(total) - _bits256(share)


class StackReader:
    """Takes symbols off a message; DecodeError on one that a writer would not have made."""

    def __init__(self, data: bytes) -> None:
        if len(data) > MAX_BYTES or data[:1] == b"\0":
            raise DecodeError("stacked message too long or not minimal")
        self._stack = int.from_bytes(data, "big")

    def take(self, table: Table) -> int:
        """One symbol of a table."""
        slot = self._stack % SCALE
        symbol = bisect_right(table.starts, slot) - 1
        start = table.starts[symbol]
        self._stack = self._stack // SCALE * (table.starts[symbol + 1] - start) + slot - start
        return symbol

    def uniform(self, count: int) -> int:
        """One of `count` equally likely values."""
        self._stack, value = divmod(self._stack, count)
        return value

    def signed(self, table: Table) -> int:
        """An integer that `StackWriter.signed` put on."""
        last = len(table.starts) - 2
        folded = self.take(table)
        return unzigzag(folded + self.plain() if folded == last else folded)

    def plain(self) -> int:
        """An integer that `StackWriter.plain` put on."""
        bits = self.uniform(64)
        return bits if bits < 2 else (1 << bits - 1) + self.uniform(1 << bits - 1)

    def end(self) -> None:
        """DecodeError unless everything was taken off."""
        if self._stack:
            raise DecodeError("stacked message has symbols left")


@cache
def _bits256(value: int) -> int:
    """log2 in 1/256 of a bit, by integers alone: the 256th power's length."""
    return _LOGS[value] if value < len(_LOGS) else (value**256).bit_length() - 1


_LOGS: Final = tuple((value**256).bit_length() - 1 if value else 0 for value in range(1025))

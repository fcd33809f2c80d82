"""One description of a stacked message for both ends: what the sender puts on, the reader takes off in the same order.

A layout is written once, as functions over a Coder. Every method takes the value and returns the value: a Reading ignores what
it is given and returns what it read, a Writing puts it on and returns it.
"""

from __future__ import annotations

from typing import Protocol

from sync.codec.stack import StackReader, StackWriter, Table


class Coder(Protocol):
    """Either end."""

    def symbol(self, table: Table, value: int) -> int:
        """A symbol of a table."""

    def signed(self, table: Table, value: int) -> int:
        """An integer by a LAPLACE table."""

    def uniform(self, count: int, value: int) -> int:
        """One of `count` equally likely values."""


class Writing:
    """The sender's end; `stack` has the cost and the bytes. ValueError for what a table or a count does not hold."""

    def __init__(self) -> None:
        self.stack = StackWriter()

    def symbol(self, table: Table, value: int) -> int:
        """Put a symbol on."""
        if not 0 <= value < len(table.starts) - 1:
            raise ValueError(f"{value} is not among {len(table.starts) - 1} symbols")
        self.stack.put(table, value)
        return value

    def signed(self, table: Table, value: int) -> int:
        """Put an integer on."""
        self.stack.signed(table, value)
        return value

    def uniform(self, count: int, value: int) -> int:
        """Put one of `count` values on."""
        self.stack.uniform(value, count)
        return value


class Reading:
    """The reader's end; raises DecodeError for a message that is none."""

    def __init__(self, data: bytes) -> None:
        self.stack = StackReader(data)

    def symbol(self, table: Table, value: int = 0) -> int:
        """Take a symbol off."""
        return self.stack.take(table)

    def signed(self, table: Table, value: int = 0) -> int:
        """Take an integer off."""
        return self.stack.signed(table)

    def uniform(self, count: int, value: int = 0) -> int:
        """Take one of `count` values off."""
        return self.stack.uniform(count)


def number(coder: Coder, lengths: Table, value: int) -> int:
    """A non-negative integer: its bit length by a table, then, above 1, the bits below the highest."""
    bits = coder.symbol(lengths, value.bit_length() if value >= 0 else -1)
    if bits < 2:
        return bits
    high = 1 << bits - 1
    return high + coder.uniform(high, value - high)

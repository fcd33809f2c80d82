"""Bit strings for have-lists: fixed fields, Rice and Elias gamma codes; reading is total."""

from __future__ import annotations

from typing import Final

from hardware.errors import DecodeError

MOST: Final = 42  # bits of the largest number
_UNARY: Final = 4096  # equal bits in a row at most
_OCTETS: Final = tuple(f"{octet:08b}" for octet in range(256))


class Writer:
    """Appends codes, most significant bit first."""

    def __init__(self) -> None:
        self._value = self._size = 0

    def fixed(self, value: int, bits: int) -> None:
        """`value` in exactly `bits` bits."""
        self._value, self._size = self._value << bits | value, self._size + bits

    def rice(self, value: int, k: int) -> None:
        """value >> k ones, a zero, the low k bits."""
        ones = value >> k
        self.fixed((1 << ones) - 1 << 1, ones + 1)
        self.fixed(value & (1 << k) - 1, k)

    def gamma(self, value: int) -> None:
        """Any number from 0: Elias gamma of value + 1."""
        bits = (value + 1).bit_length()
        self.fixed(value + 1, 2 * bits - 1)

    def done(self) -> bytes:
        """Whole bytes, padded with zeros."""
        size = -(-self._size // 8)
        return (self._value << size * 8 - self._size).to_bytes(size, "big")


class Reader:
    """Takes codes off again; DecodeError past the end or out of range."""

    def __init__(self, data: bytes) -> None:
        self._bits, self._at = "".join(map(_OCTETS.__getitem__, data)), 0

    def fixed(self, bits: int) -> int:
        """The next `bits` bits."""
        begin = self._at
        self._at += bits
        if self._at > len(self._bits):
            raise DecodeError("bits cut short")
        return int(self._bits[begin : self._at], 2) if bits else 0

    def rice(self, k: int) -> int:
        """A Rice code."""
        return self._unary("0") << k | self.fixed(k)

    def gamma(self) -> int:
        """An Elias gamma code."""
        zeros = self._unary("1")
        if zeros > MOST:
            raise DecodeError("number too large")
        return (1 << zeros | self.fixed(zeros)) - 1

    def _unary(self, end: str) -> int:
        """How many bits stand before the next `end`, which is taken off too."""
        begin = self._at
        self._at = self._bits.find(end, begin) + 1
        if not self._at or self._at - begin > _UNARY:
            raise DecodeError("number cut short or too large")
        return self._at - 1 - begin

    def end(self) -> None:
        """DecodeError unless only padding is left."""
        left = self._bits[self._at :]
        if len(left) > 7 or "1" in left:
            raise DecodeError("bits behind the end")


def rice_bits(values: list[int], k: int) -> int:
    """Bits that Rice codes of `values` take."""
    return sum((value >> k) + 1 + k for value in values)


def best_k(values: list[int]) -> int:
    """The parameter (0..15) with the fewest bits."""
    return min(range(16), key=lambda k: rice_bits(values, k)) if values else 0

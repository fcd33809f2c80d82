"""A binary adaptive range coder in integers: 40-bit interval, 16-bit probabilities, each with a confidence of its own.

A context set is a list of 2 * SLOTS integers: for slot i the probability (of 65,536) that the next bit is 0, and at
SLOTS + i how often it has adapted, which sets the step of the next adaptation. Encoder and Decoder have the same methods with
the same arguments, so that one model drives both; the decoder ignores the value it is given and returns the one it read.
"""

from __future__ import annotations

from typing import Final, Protocol, TypeAlias

from hardware.errors import DecodeError

SLOTS: Final = 48
LIMIT: Final = 250
RATE: Final = tuple((1 << 17) // (2 * n + 3) for n in range(LIMIT + 1))
MAX_BITS: Final = 72
ZEROS: Final = 8  # bytes that a decoder may read behind the end
_FULL: Final = 1 << 40
_LOW: Final = 1 << 32
_MASK: Final = _LOW - 1

UP: Final = 0  # slots of a number's context set: first question, going up, going down, sign, mantissa
UPS: Final = 1
DOWNS: Final = 11
SIGN: Final = 21
HIGH: Final = 24
NEXT: Final = 29
FREE: Final = 40  # slots that numbers do not use
_CHAIN: Final = 9

Mark: TypeAlias = tuple[int, int, int, int, int]  # an encoder's state: interval, bytes not yet out, bytes out


class Coder(Protocol):
    """What a model needs of either end."""

    def bit(self, states: list[int], slot: int, bit: int) -> int:
        """One adaptive bit in a context."""

    def raw(self, width: int, value: int = 0) -> int:
        """`width` equally likely bits, at most 16."""

    def number(self, states: list[int], expected: int, sign: int, value: int = 0) -> int:
        """A signed integer of about `expected` bits, `sign` 0..2 being what was seen before."""


class Encoder:
    """Bits in, bytes out."""

    def __init__(self) -> None:
        self.low, self.span = 0, _FULL
        self.cache, self.pending = -1, 0
        self.out = bytearray()

    def bit(self, states: list[int], slot: int, bit: int) -> int:
        """Append one adaptive bit."""
        p = states[slot]
        n = states[slot + SLOTS]
        bound = (self.span >> 16) * p
        if bit:
            self.low += bound
            self.span -= bound
            states[slot] = p - (p * RATE[n] >> 16)
        else:
            self.span = bound
            states[slot] = p + ((65536 - p) * RATE[n] >> 16)
        if n < LIMIT:
            states[slot + SLOTS] = n + 1
        while self.span < _LOW:
            self._shift()
            self.span <<= 8
        return bit

    def raw(self, width: int, value: int = 0) -> int:
        """Append `width` bits as they are."""
        self.span >>= width
        self.low += value * self.span
        while self.span < _LOW:
            self._shift()
            self.span <<= 8
        return value

    def number(self, states: list[int], expected: int, sign: int, value: int = 0) -> int:
        """Append a signed integer: its bit length around `expected`, its sign, its bits."""
        size = abs(value)
        bits = size.bit_length()
        bit = self.bit
        if bit(states, UP, bits > expected):
            at = expected + 1
            while bit(states, UPS + min(at - expected - 1, _CHAIN), bits > at):
                at += 1
        else:
            at = expected
            while at and bit(states, DOWNS + min(expected - at, _CHAIN), bits < at):
                at -= 1
        if not bits:
            return 0
        bit(states, SIGN + sign, value < 0)
        if bits > 1:
            where = max(-2, min(2, bits - expected)) + 2
            high = bit(states, HIGH + where, size >> bits - 2 & 1)
            if bits > 2:
                bit(states, NEXT + 2 * where + high, size >> bits - 3 & 1)
                self._tail(size, bits - 3)
        return value

    def _tail(self, size: int, left: int) -> None:
        while left > 0:
            width = min(left, 16)
            left -= width
            self.raw(width, size >> left & (1 << width) - 1)

    def mark(self) -> Mark:
        """The state to return to with `back`."""
        return self.low, self.span, self.cache, self.pending, len(self.out)

    def back(self, mark: Mark) -> None:
        """Forget everything since `mark`; bytes already out are never changed by later bits."""
        self.low, self.span, self.cache, self.pending, length = mark
        del self.out[length:]

    def size(self) -> int:
        """Bytes when closed now, at most (two fewer at best)."""
        return len(self.out) + self.pending + (self.cache >= 0) + 2

    def close(self) -> bytes:
        """The fewest bytes that name a point of the interval; up to ZEROS zeros behind them are implied."""
        top = self.low + self.span - 1
        width = self.span.bit_length()
        while (top >> width << width) < self.low:
            width -= 1
        self.low = top >> width << width
        for _ in range(6):
            self._shift()
        return bytes(max(self.out[:-ZEROS], self.out.rstrip(b"\0"), key=len))

    def _shift(self) -> None:
        low = self.low
        if low < 0xFF << 32 or low >= _FULL:
            carry = low >> 40
            if self.cache >= 0:
                self.out.append(self.cache + carry & 255)
            if self.pending:
                self.out += bytes((255 + carry & 255,)) * self.pending
                self.pending = 0
            self.cache = low >> 32 & 255
        else:
            self.pending += 1
        self.low = (low & _MASK) << 8


class Decoder:
    """Bytes in, bits out; beyond the end it reads up to ZEROS zeros, which may mean many bits: the caller bounds those."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.code = int.from_bytes(data[at : at + 5].ljust(5, b"\0"))
        self.data, self.at = data + bytes(ZEROS), at + 5
        self.end = len(data) + ZEROS
        self.span = _FULL

    def bit(self, states: list[int], slot: int, bit: int = 0) -> int:
        """The next adaptive bit."""
        p = states[slot]
        n = states[slot + SLOTS]
        bound = (self.span >> 16) * p
        if self.code >= bound:
            self.code -= bound
            self.span -= bound
            states[slot] = p - (p * RATE[n] >> 16)
            bit = 1
        else:
            self.span = bound
            states[slot] = p + ((65536 - p) * RATE[n] >> 16)
            bit = 0
        if n < LIMIT:
            states[slot + SLOTS] = n + 1
        while self.span < _LOW:
            self._fill()
        return bit

    def raw(self, width: int, value: int = 0) -> int:
        """The next `width` bits."""
        self.span >>= width
        value = self.code // self.span
        if value >> width:
            raise DecodeError("range coder: outside the interval")
        self.code -= value * self.span
        while self.span < _LOW:
            self._fill()
        return value

    def number(self, states: list[int], expected: int, sign: int, value: int = 0) -> int:
        """The next signed integer; DecodeError beyond MAX_BITS bits."""
        bit = self.bit
        if bit(states, UP):
            bits = expected + 1
            while bit(states, UPS + min(bits - expected - 1, _CHAIN)):
                bits += 1
                if bits > MAX_BITS:
                    raise DecodeError("range coder: integer too long")
        else:
            bits = expected
            while bits and bit(states, DOWNS + min(expected - bits, _CHAIN)):
                bits -= 1
        if not bits:
            return 0
        negative = bit(states, SIGN + sign)
        size = 1
        if bits > 1:
            where = max(-2, min(2, bits - expected)) + 2
            size = high = bit(states, HIGH + where)
            size |= 2
            if bits > 2:
                size = size << 1 | bit(states, NEXT + 2 * where + high)
                left = bits - 3
                while left > 0:
                    width = min(left, 16)
                    left -= width
                    size = size << width | self.raw(width)
        return -size if negative else size

    def _fill(self) -> None:
        if self.at >= self.end:
            raise DecodeError("range coder: read past the end")
        byte = self.data[self.at]
        self.at += 1
        self.code = self.code << 8 | byte
        self.span <<= 8

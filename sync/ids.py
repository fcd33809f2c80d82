"""Identity on the wire: lanes, block ids, the block's clear header, integers of variable length.

Header (docs/wire/seal.md): byte 0 = suite (bits 7..6) | lane (5..3) | key class (2..1) | 0; byte 1 = key epoch mod 16
(high nibble) | incarnation mod 16 (low nibble); then origin and number as varints. 4 bytes usually, 7 at most in practice.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from hardware.errors import DecodeError


class Lane(IntEnum):
    """Urgency, not type; each lane is a number space of its own."""

    FLASH = 0
    COMMAND = 1
    PICTURE = 2
    TRACK = 3
    HISTORY = 4
    BULK = 5


class KeyClass(IntEnum):
    """Whose key opens a block: every member's, the roles that may see vital signs, one addressee's pairwise key, or the
    trust key, which every node of the incident holds for ever, relays included; what travels under it is always signed."""

    FIELD = 0
    VITAL = 1
    PAIR = 2
    TRUST = 3


class Level(IntEnum):
    """How far the author of a row is proven; stored per row and shown. Below MEMBER nothing is drawn as fact."""

    QUARANTINE = 0
    GUEST = 1
    MEMBER = 2
    ORIGIN = 3
    COMMAND = 4


class Content(IntEnum):
    """First byte of a block's body: what follows."""

    ROWS = 1
    EVENTS = 2
    STREAMS = 3
    SIGNATURE = 4
    HASHES = 5
    PICTURE = 6
    HOLES = 7
    TRUST = 8
    END_LIST = 9
    TRACK = 10


class Source(NamedTuple):
    """One number space: what have-lists are kept for."""

    origin: int
    incarnation: int
    lane: Lane


class BlockId(NamedTuple):
    """One id means one byte string for ever."""

    origin: int
    incarnation: int
    lane: Lane
    number: int

    @property
    def next(self) -> BlockId:
        """The id behind it in the same number space."""
        return self._replace(number=self.number + 1)

    @property
    def source(self) -> Source:
        """The number space this id belongs to."""
        return Source(self.origin, self.incarnation, self.lane)

    def __str__(self) -> str:
        return f"{self.origin}.{self.incarnation:04x}.{self.lane.name.lower()}.{self.number}"


@dataclass(frozen=True, slots=True)
class Header:
    """A block's clear header; `epoch` and `incarnation` are the low 4 bits only."""

    suite: int
    lane: Lane
    key_class: KeyClass
    epoch: int
    incarnation: int
    origin: int
    number: int

    def encode(self) -> bytes:
        """4 to 12 bytes."""
        first = self.suite << 6 | self.lane << 3 | self.key_class << 1
        second = (self.epoch & 15) << 4 | self.incarnation & 15
        return bytes((first, second)) + varint(self.origin) + varint(self.number)

    @classmethod
    def decode(cls, data: bytes) -> tuple[Header, int]:
        """The header and its length; DecodeError when cut short or out of range."""
        if len(data) < 4:
            raise DecodeError("block header cut short")
        lane, key_class = data[0] >> 3 & 7, data[0] >> 1 & 3
        if data[0] & 1 or lane > Lane.BULK:
            raise DecodeError("block header: reserved bits set")
        origin, at = read_varint(data, 2, limit=1 << 14)
        number, at = read_varint(data, at, limit=1 << 42)
        return cls(data[0] >> 6, Lane(lane), KeyClass(key_class), data[1] >> 4, data[1] & 15, origin, number), at

    def id(self, incarnation: int) -> BlockId:
        """The full id, once the whole incarnation is known; its low bits must agree."""
        if incarnation & 15 != self.incarnation:
            raise DecodeError("incarnation does not match the header")
        return BlockId(self.origin, incarnation, self.lane, self.number)


def class_of(block: bytes) -> KeyClass:
    """A sealed block's key class, by its first byte."""
    return KeyClass(block[0] >> 1 & 3)


def varint(value: int) -> bytes:
    """A non-negative integer, 7 bits a byte, least significant first."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_varint(data: bytes, at: int, limit: int = 1 << 64) -> tuple[int, int]:
    """The integer at `at` and the offset behind it; DecodeError when cut short, not minimal, or not below `limit`."""
    if at < len(data) and data[at] < 128 and data[at] < limit:
        return data[at], at + 1
    value = shift = 0
    for index in range(at, min(at + 10, len(data))):
        byte = data[index]
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            if value >= limit or (byte == 0 and index > at):
                raise DecodeError("integer out of range")
            return value, index + 1
    raise DecodeError("integer cut short")


def zigzag(value: int) -> int:
    """Signed to unsigned: 0, -1, 1, -2 -> 0, 1, 2, 3."""
    return value << 1 if value >= 0 else (-value << 1) - 1


def unzigzag(value: int) -> int:
    """Unsigned back to signed."""
    return value >> 1 if value & 1 == 0 else -((value + 1) >> 1)

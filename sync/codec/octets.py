"""Reading and writing the byte-aligned parts of a body: varints, texts, profiles; every read is checked."""

from __future__ import annotations

from typing import Final

from hardware.errors import DecodeError
from hardware.observation import PROFILES, Column, Predictor, Profile
from sync.ids import read_varint, unzigzag, varint, zigzag

MAX_COLUMNS: Final = 64
MAX_TEXT: Final = 1024
HALF: Final = 1 << 63
_WHOLE: Final = 1 << 64


def wrap(value: int) -> int:
    """An integer folded into signed 64 bits, so that a difference of two such integers is one again."""
    return (value + HALF) % _WHOLE - HALF


def check64(value: int) -> int:
    """The value itself; ValueError when it does not fit signed 64 bits."""
    if not -HALF <= value < HALF:
        raise ValueError(f"{value} does not fit 64 bits")
    return value


class Reader:
    """A cursor over bytes from outside; every method raises DecodeError rather than read past the end."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data, self.at = data, at

    def byte(self) -> int:
        """The next byte."""
        if self.at >= len(self.data):
            raise DecodeError("body cut short")
        self.at += 1
        return self.data[self.at - 1]

    def uint(self, limit: int = _WHOLE) -> int:
        """A varint below `limit`."""
        value, self.at = read_varint(self.data, self.at, limit)
        return value

    def sint(self) -> int:
        """A zigzag varint."""
        return unzigzag(self.uint())

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        if size > len(self.data) - self.at:
            raise DecodeError("body cut short")
        self.at += size
        return self.data[self.at - size : self.at]

    def text(self) -> str:
        """A UTF-8 text after its length in bytes."""
        raw = self.take(self.uint(MAX_TEXT + 1))
        try:
            return raw.decode()
        except UnicodeDecodeError as error:
            raise DecodeError("text is not UTF-8") from error

    def rest(self) -> bytes:
        """All bytes that are left."""
        return self.take(len(self.data) - self.at)

    def end(self) -> None:
        """DecodeError unless everything was read."""
        if self.at != len(self.data):
            raise DecodeError("bytes behind the end")


def text(value: str) -> bytes:
    """UTF-8 after its length; ValueError beyond MAX_TEXT bytes."""
    raw = value.encode()
    if len(raw) > MAX_TEXT:
        raise ValueError("text too long")
    return varint(len(raw)) + raw


def write_profile(profile: Profile) -> bytes:
    """The table's number where the table has this very profile; else 0, number, name and columns."""
    if PROFILES.get(profile.number) == profile and 0 < profile.number < 128:
        return varint(profile.number)
    if len(profile.columns) > MAX_COLUMNS:
        raise ValueError("profile has too many columns")
    out = b"\0" + varint(profile.number) + text(profile.name) + varint(len(profile.columns))
    for column in profile.columns:
        out += varint(column.kind) + varint(zigzag(column.exponent) << 3 | column.predictor.value)
    return out


def read_profile(reader: Reader) -> Profile:
    """A profile by number or written out; DecodeError on a number this version's table lacks."""
    number = reader.uint(128)
    if number:
        if number not in PROFILES:
            raise DecodeError(f"profile {number} is unknown")
        return PROFILES[number]
    number, name, count = reader.uint(), reader.text(), reader.uint(MAX_COLUMNS + 1)
    return Profile(number, name, tuple(_column(reader) for _ in range(count)))


def _column(reader: Reader) -> Column:
    kind, packed = reader.uint(), reader.uint(1 << 16)
    if packed & 7 >= len(Predictor):
        raise DecodeError("unknown predictor")
    return Column(kind, unzigzag(packed >> 3), Predictor(packed & 7))

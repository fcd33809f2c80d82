"""The content of a short message: Chinese characters, code nibbles, or mixed text; and binary through code mode."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from hardware.errors import DecodeError

CHARSET: Final = "gbk"  # a superset of GB2312
CHARACTER_BITS: Final = 14
MIXED_MARK: Final = 0xA4
_HEX: Final = re.compile(rb"[0-9A-Fa-f]*")
_CHECK: Final = 97  # a prime: catches every single wrong digit and swap of neighbours


class Mode(IntEnum):
    """How a payload is coded; the number in CCTXA and BDTXR."""

    TEXT = 0
    CODE = 1
    MIXED = 2


@dataclass(frozen=True, slots=True)
class Payload:
    """value: GBK bytes (TEXT), ASCII hex digits (CODE), or the GBK bytes behind the A4 mark (MIXED)."""

    mode: Mode
    value: bytes

    def __post_init__(self) -> None:
        if self.mode is Mode.CODE and not _HEX.fullmatch(self.value):
            raise DecodeError(f"rdss: {self.value[:20]!r} is no code")

    @property
    def bits(self) -> int:
        """What the card is charged: 14 for a character, 4 for a digit, 8 for a byte and the mark."""
        if self.mode is Mode.TEXT:
            return CHARACTER_BITS * len(self.text)
        return 4 * len(self.value) if self.mode is Mode.CODE else 8 * (len(self.value) + 1)

    @property
    def text(self) -> str:
        """As words; undecodable bytes become U+FFFD; code stays its digits."""
        return self.value.decode("ascii" if self.mode is Mode.CODE else CHARSET, "replace")


def mixed(text: str) -> Payload:
    """Text in mixed mode: a byte for a Latin character, two for a Chinese one; ValueError for what GBK lacks."""
    return Payload(Mode.MIXED, text.encode(CHARSET))


def _as_digits(data: bytes) -> bytes:
    """A decimal number of even length: the bytes behind a 1, then two digits that make it 0 mod 97."""
    number = int.from_bytes(b"\x01" + data) * 100
    digits = str(number + -number % _CHECK)
    return digits.rjust(len(digits) + len(digits) % 2, "0").encode("ascii")


def _from_digits(digits: bytes) -> bytes | None:
    """The bytes of `_as_digits`; None for anything else."""
    if len(digits) % 2 or not digits.isdigit() or len(digits) > 4000 or int(digits) % _CHECK:
        return None
    number = int(digits) // 100
    data = number.to_bytes((number.bit_length() + 7) // 8)
    return data[1:] if data[:1] == b"\x01" and _as_digits(data[1:]) == digits else None


def binary(data: bytes, letters: bool = True) -> Payload:
    """Bytes in code mode: two hex digits each; as decimal digits alone where the terminal spoils A to F.

    Bytes whose hex digits would read as the decimal form go in the decimal form, so that the reader is never in doubt.
    """
    plain = data.hex().upper().encode("ascii")
    if letters and _from_digits(plain) is None:
        return Payload(Mode.CODE, plain)
    return Payload(Mode.CODE, _as_digits(data))


def octets(payload: Payload) -> bytes:
    """The bytes that `binary` was given; DecodeError when it is not of that kind."""
    if payload.mode is not Mode.CODE or len(payload.value) % 2:
        raise DecodeError("rdss: not binary in code mode")
    data = _from_digits(payload.value)
    return bytes.fromhex(payload.value.decode("ascii")) if data is None else data


def room(bits: int, letters: bool = True) -> int:
    """The most bytes that `binary` fits into a card's `bits`."""
    if letters:
        return bits // 8
    size = bits // 8
    while size > 0 and len(_as_digits(b"\xff" * size)) * 4 > bits:
        size -= 1
    return size

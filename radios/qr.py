"""A block as QR code on a screen or on paper, and the scanned text back in. docs/wire/paper-and-voice.md has the form.

The text is "SD1:" and the block in Base45 (RFC 9285), which a QR code packs at 5.5 bits a character and every phone or
hand scanner gives back as it stands; a longer block becomes several codes, "SD1/2/3:" being the second of three.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import segno

from hardware.errors import DecodeError

ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
PART_BYTES: Final = 400  # of one code: 81 modules a side at level M, which a phone reads from a screen
MOST_PARTS: Final = 9
SUFFIXES: Final = (".svg", ".png")
_VALUES: Final = {letter: value for value, letter in enumerate(ALPHABET)}
_HEAD: Final = re.compile(r"\s*SD1(?:/([1-9])/([1-9]))?:")
_QUIET: Final = 4  # modules of margin that ISO/IEC 18004 asks for


def base45(data: bytes) -> str:
    """RFC 9285 §4: two bytes to three characters, a last single byte to two."""
    out = []
    for at in range(0, len(data), 2):
        pair = data[at : at + 2]
        value = int.from_bytes(pair, "big")
        for _ in range(len(pair) + 1):
            value, digit = divmod(value, 45)
            out.append(ALPHABET[digit])
    return "".join(out)


def from_base45(text: str) -> bytes:
    """RFC 9285 §5; DecodeError on a character, length or value that no encoder writes."""
    out = bytearray()
    for at in range(0, len(text), 3):
        group = text[at : at + 3]
        try:
            value = sum(_VALUES[letter] * 45**power for power, letter in enumerate(group))
        except KeyError as error:
            raise DecodeError(f"{error.args[0]!r} is no Base45 character") from None
        if len(group) == 1 or value >= 256 ** (len(group) - 1):
            raise DecodeError("not Base45")
        out += value.to_bytes(len(group) - 1, "big")
    return bytes(out)


def texts(block: bytes) -> list[str]:
    """The text of each code that carries the block; ValueError when it is empty or longer than 3,600 bytes."""
    parts = [block[at : at + PART_BYTES] for at in range(0, len(block), PART_BYTES)]
    if not 0 < len(parts) <= MOST_PARTS:
        raise ValueError(f"{len(block)} bytes: 1 to {PART_BYTES * MOST_PARTS} fit on QR codes")
    if len(parts) == 1:
        return ["SD1:" + base45(block)]
    return [f"SD1/{number}/{len(parts)}:{base45(part)}" for number, part in enumerate(parts, 1)]


def block_of(scanned: Iterable[str]) -> bytes:
    """The block from scanned texts, in any order, copies allowed; DecodeError names the codes that are missing."""
    parts: dict[int, bytes] = {}
    total = 0
    for text in scanned:
        number, count, part = _part(text)
        if total not in (0, count) or parts.get(number, part) != part:
            raise DecodeError("these codes belong to different blocks")
        total, parts[number] = count, part
    missing = [str(number) for number in range(1, total + 1) if number not in parts]
    if missing or not total:
        raise DecodeError(f"code {', '.join(missing)} of {total} is missing" if total else "no code was scanned")
    return b"".join(parts[number] for number in sorted(parts))


def screen(text: str) -> str:
    """One code in half blocks, dark on light by the terminal's own colours reversed, with its margin."""
    out = io.StringIO()
    _code(text).terminal(out, border=_QUIET, compact=True)
    return out.getvalue()


def save(text: str, path: Path, module: int = 8) -> None:
    """One code as SVG or PNG by the suffix, `module` pixels to a module; ValueError for any other suffix."""
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"{path.name}: .svg or .png")
    _code(text).save(str(path), scale=module, border=_QUIET)


def _code(text: str) -> segno.QRCode:
    return segno.make(text, error="m", mode="alphanumeric", micro=False)


def _part(text: str) -> tuple[int, int, bytes]:
    """Number, count and bytes of one code; line ends and blanks that a scanner appends are no part of it."""
    head = _HEAD.match(text)
    if head is None:
        raise DecodeError("no code of ours: it begins with SD1")
    number, count = int(head[1] or 1), int(head[2] or 1)
    if number > count:
        raise DecodeError("not a code's number")
    body = text[head.end() :].rstrip("\r\n\t")
    try:
        return number, count, from_base45(body)
    except DecodeError:
        if body == body.rstrip(" "):
            raise
    return number, count, from_base45(body.rstrip(" "))

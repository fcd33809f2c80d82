"""Short texts as trust puts them on the wire; the rest is sync.codec.octets."""

from __future__ import annotations

from hardware.errors import DecodeError
from sync.codec.octets import Reader
from sync.ids import varint


def short_text(value: str, limit: int) -> bytes:
    """Length and UTF-8; ValueError when longer than `limit` bytes or not fit for one line, so that whatever is written can be read."""
    raw = value.encode()
    if len(raw) > limit or not value.isprintable():
        raise ValueError(f"at most {limit} bytes of printable text: {value!r}")
    return varint(len(raw)) + raw


def read_text(reader: Reader, limit: int) -> str:
    """A text of at most `limit` bytes that can be shown on one line; DecodeError."""
    try:
        value = reader.take(reader.uint(limit + 1)).decode()
    except UnicodeDecodeError:
        raise DecodeError("text is not UTF-8") from None
    if not value.isprintable():
        raise DecodeError("text has control characters")
    return value

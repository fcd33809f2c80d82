"""Rows of observations <-> a block's body, by the best method for the block. Byte 0: version (high nibble), method (low)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hardware.errors import DecodeError
from sync.codec.columns import read_columns, write_columns
from sync.codec.packing import deflate, inflate
from sync.records import Anchor, Batch

VERSION: Final = 1
MAX_PLAIN: Final = 1 << 23
_PLAIN, _ZSTD = 0, 1


def encode_batches(batches: Sequence[Batch], anchor: Anchor | None) -> bytes:
    """The smallest body that carries these rows; ValueError when a value does not fit signed 64 bits."""
    plain = write_columns(batches)
    packed = deflate(plain)
    if len(packed) < len(plain):
        return bytes((VERSION << 4 | _ZSTD,)) + packed
    return bytes((VERSION << 4 | _PLAIN,)) + plain


def decode_batches(data: bytes, anchor: Anchor | None) -> list[Batch]:
    """The rows of a body; DecodeError on anything that encode_batches would not have made."""
    if not data or data[0] >> 4 != VERSION:
        raise DecodeError("rows: unknown version")
    method = data[0] & 15
    if method == _PLAIN:
        return read_columns(data[1:])
    if method == _ZSTD:
        return read_columns(inflate(data[1:], min(MAX_PLAIN, 4096 + 1024 * len(data))))
    raise DecodeError("rows: unknown method")


def encode_within(batches: Sequence[Batch], anchor: Anchor | None, budget: int) -> tuple[bytes, int]:
    """As many leading rows as fit `budget` bytes, and how many those are; (b"", 0) when not even one fits."""
    total = sum(len(batch.rows) for batch in batches)
    good, best = 0, b""
    low, high = 1, total
    while low <= high:
        middle = (low + high) // 2
        body = encode_batches(leading(batches, middle), anchor)
        if len(body) <= budget:
            good, best, low = middle, body, middle + 1
        else:
            high = middle - 1
    return best, good


def leading(batches: Sequence[Batch], rows: int) -> list[Batch]:
    """The first `rows` rows, in the batches they belong to."""
    out = []
    for batch in batches:
        if rows <= 0:
            break
        part = batch.rows[:rows]
        out.append(Batch(batch.stream, batch.boot, batch.profile, part))
        rows -= len(part)
    return out

"""Rows of observations <-> a block's body, by whichever method makes it smallest (docs/wire/rows.md).

A first byte below 0x80 is the range coder's own (its first bit is 0); else version 1, 0x90, with the method in the low nibble.
Large blocks cost tens of microseconds a row: call from a worker, not from the event loop.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hardware.errors import DecodeError
from sync.codec.columns import read_columns, read_deltas, write_columns, write_deltas
from sync.codec.packing import deflate, inflate
from sync.codec.planes import read_planes, write_planes
from sync.codec.small import MAX_VALUES, cells, read_small, write_small
from sync.records import Anchor, Batch

VERSION: Final = 0x90
MAX_PLAIN: Final = 1 << 23
LARGE: Final = 512  # budgets from which the methods for large blocks are tried too
MIN_OFFER: Final = 16
MIN_PART: Final = 128  # fewer rows show nothing
HOPE: Final = 1.35  # the methods of zstd gain by length alone, but hardly more
_PLAIN, _ZSTD, _PLANES = range(3)


def encode_batches(batches: Sequence[Batch], anchor: Anchor | None) -> bytes:
    """The smallest body that carries these rows; ValueError when a value does not fit signed 64 bits."""
    if sum(map(cells, batches)) > MAX_VALUES:
        return min(_large(batches), key=len)
    body, taken = write_small(batches, anchor, None)
    return min((body, *_large(batches)), key=len) if _promising(batches, len(body), taken) else body


def decode_batches(data: bytes, anchor: Anchor | None) -> list[Batch]:
    """The rows of a body; DecodeError on anything that encode_batches would not have made."""
    if not data or data[0] < 0x80:
        return read_small(data, anchor)
    method = data[0] - VERSION
    if not 0 <= method <= _PLANES:
        raise DecodeError("rows: unknown version or method")
    plain = data[1:] if method == _PLAIN else inflate(data[1:], min(MAX_PLAIN, 4096 + 1024 * len(data)))
    return read_columns(plain, read_planes if method == _PLANES else read_deltas)


def encode_within(batches: Sequence[Batch], anchor: Anchor | None, budget: int) -> tuple[bytes, int]:
    """As many leading rows as fit `budget` bytes, and how many those are; (b"", 0) when not even one fits."""
    total = sum(len(batch.rows) for batch in batches)
    body, taken = _small_within(batches, anchor, budget, total)
    if budget < LARGE or not _promising(batches, len(body), taken):
        return body, taken
    more = min(total, max(taken + 1, taken * 9 // 8))
    other = min(_large(leading(batches, more)), key=len)
    if len(other) > budget:
        return body, taken
    if more == total:
        return (body, taken) if taken == total and len(body) <= len(other) else (other, more)
    return _stretch(batches, budget, other, more, total)


def _small_within(batches: Sequence[Batch], anchor: Anchor | None, budget: int, total: int) -> tuple[bytes, int]:
    """By the range coder; more rows are looked at only when those at two bytes each leave room."""
    offered = MIN_OFFER + budget // 2
    while True:
        body, taken = write_small(leading(batches, offered), anchor, budget)
        if taken < offered or offered >= total:
            return body, taken
        offered *= 4


def _stretch(batches: Sequence[Batch], budget: int, best: bytes, good: int, total: int) -> tuple[bytes, int]:
    """By halving, how many more than `good` rows the methods for large blocks fit in."""
    high = total
    while good < high:
        middle = (good + high + 1) // 2
        body = min(_large(leading(batches, middle)), key=len)
        if len(body) <= budget:
            good, best = middle, body
        else:
            high = middle - 1
    return best, good


def _promising(batches: Sequence[Batch], size: int, taken: int) -> bool:
    """Whether the methods for large blocks may beat the range coder's `size` for `taken` rows: a quarter of them is tried."""
    part = taken // 4
    return part < MIN_PART or min(map(len, _large(leading(batches, part)))) * taken < HOPE * size * part


def _large(batches: Sequence[Batch]) -> list[bytes]:
    """Bodies by the methods that need no model."""
    plain = write_columns(batches, write_deltas)
    planes = write_columns(batches, write_planes)
    methods = ((_PLAIN, plain), (_ZSTD, deflate(plain)), (_PLANES, deflate(planes)))
    return [bytes((VERSION | method,)) + body for method, body in methods]


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

"""Hole records on the wire (docs/wire/holes.md): numbers of a source that its origin thinned or dropped on purpose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hardware.errors import DecodeError
from sync.ids import Lane, read_varint, varint
from sync.records import Hole

REASONS: Final = ("replaced", "dropped")
_LIMITS: Final = (1 << 14, 1 << 16, Lane.BULK + 1, 1 << 42, 1 << 42, len(REASONS), 1 << 42)


def encode_holes(holes: Sequence[Hole]) -> bytes:
    """Records one after another, 7 varints each."""
    return b"".join(
        varint(number)
        for hole in holes
        for number in (
            hole.origin, hole.incarnation, hole.lane, hole.first, hole.last - hole.first, REASONS.index(hole.reason), hole.rows,
        )
    )  # fmt: skip


def decode_holes(data: bytes) -> list[Hole]:
    """The records; DecodeError when cut short or out of range."""
    holes, at = [], 0
    while at < len(data):
        numbers = []
        for limit in _LIMITS:
            number, at = read_varint(data, at, limit)
            numbers.append(number)
        origin, incarnation, lane, first, more, reason, rows = numbers
        if first + more >= 1 << 42:
            raise DecodeError("hole beyond the last number")
        holes.append(Hole(origin, incarnation, lane, first, first + more, REASONS[reason], rows))
    return holes

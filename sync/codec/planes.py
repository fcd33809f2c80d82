"""A series of integers as planes of bytes: residuals of the best order, low bytes first. What zstd packs best of large series."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from struct import unpack
from typing import Final

from hardware.errors import DecodeError
from sync.codec.octets import Reader, check64, wrap
from sync.ids import unzigzag, zigzag

ORDERS: Final = 3  # 0: the values, 1: their differences, 2: the differences' differences
_WIDEST: Final = 8


def write_planes(values: Sequence[int]) -> bytes:
    """Order and width in one byte, then one plane of len(values) bytes for each byte of width; ValueError beyond 64 bits."""
    if not values:
        return b""
    series = [[check64(value) for value in values]]
    while len(series) < ORDERS:
        last = series[-1]
        series.append([last[0], *(wrap(b - a) for a, b in pairwise(last))])
    order = min(range(ORDERS), key=lambda at: sum(value.bit_length() for value in series[at]))
    folded = [zigzag(value) for value in series[order]]
    width = (max(folded).bit_length() + 7) // 8
    plain = b"".join(value.to_bytes(_WIDEST, "little") for value in folded)
    return bytes((order << 4 | width,)) + b"".join(plain[at::_WIDEST] for at in range(width))


def read_planes(reader: Reader, count: int) -> list[int]:
    """The inverse of write_planes for `count` values."""
    if not count:
        return []
    order, width = divmod(reader.byte(), 16)
    if order >= ORDERS or width > _WIDEST:
        raise DecodeError("planes: unknown order or width")
    plain = bytearray(_WIDEST * count)
    for at in range(width):
        plain[at::_WIDEST] = reader.take(count)
    values = [unzigzag(value) for value in unpack(f"<{count}Q", plain)]
    for _ in range(order):
        last = 0
        for at, step in enumerate(values):
            values[at] = last = wrap(last + step)
    return values

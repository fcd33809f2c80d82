"""Repair symbols: any of them mends any loss, so that one sending serves listeners who miss different pieces. Sans-IO.

A block is cut into source symbols of `size` bytes, the last one filled up with zeros: symbols 0 .. k-1. Symbols k .. 255 are
combinations of all of them over GF(256) (polynomial 0x11D) with the coefficients of a Cauchy matrix, 1 / (index ^ source):
any k different symbols give back the block, so none is ever superfluous. docs/wire/repair.md has vectors.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Final

from hardware.errors import DecodeError
from sync.ranges import Ranges

INDEXES: Final = 256
MOST: Final = 128  # source symbols; a longer block travels without repair
_POLYNOMIAL: Final = 0x11D


def _tables() -> tuple[bytes, bytes]:
    powers, logs, value = bytearray(510), bytearray(256), 1
    for exponent in range(255):
        powers[exponent] = powers[exponent + 255] = value
        logs[value] = exponent
        value = value << 1 ^ (_POLYNOMIAL if value & 0x80 else 0)
    return bytes(powers), bytes(logs)


_POWERS, _LOGS = _tables()


def count(total: int, size: int) -> int:
    """Source symbols of a block of `total` bytes."""
    return -(-total // size)


def mendable(total: int, size: int) -> bool:
    """Whether repair symbols of this size exist for such a block."""
    return size > 0 and 1 < count(total, size) <= MOST


def symbol(block: bytes, size: int, index: int) -> bytes:
    """The symbol `index` (0..255) of a block, `size` bytes; ValueError where there is none."""
    if not mendable(len(block), size) or not 0 <= index < INDEXES:
        raise ValueError(f"no symbol {index} of {len(block)} bytes by {size}")
    sources = count(len(block), size)
    if index < sources:
        return _source(block, size, index)
    mixed = 0
    for at in range(sources):
        mixed ^= _times(_inverse(index ^ at), _source(block, size, at))
    return mixed.to_bytes(size, "big")


def whole_symbols(total: int, size: int, got: Ranges) -> list[int]:
    """Source symbols of which every byte is among the byte ranges `got`."""
    lacking = Ranges([(0, total - 1)]).minus(got)
    hit = {at for first, last in lacking for at in range(first // size, last // size + 1)}
    return [at for at in range(count(total, size)) if at not in hit]


def lacking(total: int, size: int, got: Ranges, repairs: int) -> int:
    """How many more symbols, of any index not held yet, make the block whole; 0 when it can be solved."""
    return max(count(total, size) - len(whole_symbols(total, size, got)) - repairs, 0)


def solve(total: int, size: int, data: bytes | bytearray, got: Ranges, repairs: Mapping[int, bytes]) -> bytes | None:
    """The block from the bytes of `data` that are in `got` and the repair symbols by index; None while too few are here.

    DecodeError when a repair symbol is none of such a block.
    """
    sources = count(total, size) if mendable(total, size) else INDEXES
    if any(not sources <= at < INDEXES or len(repairs[at]) != size for at in repairs):
        raise DecodeError("no such repair symbol")
    known = whole_symbols(total, size, got)
    unknown = sorted(set(range(sources)) - set(known))
    if len(unknown) > len(repairs):
        return None
    chosen = sorted(repairs)[: len(unknown)]
    rows = [[_inverse(index ^ at) for at in unknown] for index in chosen]
    sums = [_less(repairs[index], index, data, size, known) for index in chosen]
    out = bytearray(sources * size)
    out[: len(data)] = data
    for at, value in zip(unknown, _eliminate(rows, sums, size)):
        out[at * size : (at + 1) * size] = value.to_bytes(size, "big")
    return bytes(out[:total])


def _source(data: bytes | bytearray, size: int, at: int) -> bytes:
    return bytes(data[at * size : (at + 1) * size]).ljust(size, b"\0")


def _less(repair: bytes, index: int, data: bytes | bytearray, size: int, known: list[int]) -> int:
    """What is left of a repair symbol without the source symbols that are known."""
    rest = int.from_bytes(repair, "big")
    for at in known:
        rest ^= _times(_inverse(index ^ at), _source(data, size, at))
    return rest


def _eliminate(rows: list[list[int]], sums: list[int], size: int) -> list[int]:
    """Gauss and Jordan; every square part of a Cauchy matrix has an inverse."""
    for at in range(len(rows)):
        pivot = next(row for row in range(at, len(rows)) if rows[row][at])
        rows[at], rows[pivot], sums[at], sums[pivot] = rows[pivot], rows[at], sums[pivot], sums[at]
        scale = _inverse(rows[at][at])
        rows[at] = [_product(scale, value) for value in rows[at]]
        sums[at] = _times(scale, sums[at].to_bytes(size, "big"))
        plain = sums[at].to_bytes(size, "big")
        for row in range(len(rows)):
            if row != at and (factor := rows[row][at]):
                rows[row] = [value ^ _product(factor, other) for value, other in zip(rows[row], rows[at])]
                sums[row] ^= _times(factor, plain)
    return sums


def _times(factor: int, data: bytes) -> int:
    """Every byte times a factor, as one large integer that adds by XOR."""
    return int.from_bytes(data.translate(_table(factor)), "big")


@cache
def _table(factor: int) -> bytes:
    return bytes(_product(factor, value) for value in range(256))


def _product(one: int, other: int) -> int:
    return _POWERS[_LOGS[one] + _LOGS[other]] if one and other else 0


def _inverse(value: int) -> int:
    return _POWERS[255 - _LOGS[value]]

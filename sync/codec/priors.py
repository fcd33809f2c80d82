"""Shipped knowledge: for each class of column and scale of error, how each bit usually falls and how surely.

priors_1.bin (zstd) holds, for class, scale and slot in this order, two bytes: probability of 0 in 256ths (0: not known) and
the confidence's index. Where a class does not know a slot, the generic class answers; where that does not, even odds.
Made by `python -m bench train_priors`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import zstandard

from sync.codec.range_coder import SLOTS

VERSION: Final = 1
SCALES: Final = 96
UNKNOWN: Final = 0
FIRST: Final = 1
CONFIDENCE: Final = (0, 1, 2, 3, 4, 6, 8, 11, 15, 20, 27, 35, 44, 52, 58, 60)


class Class(NamedTuple):
    """A class of column: expected bits of its first value and of its first error."""

    name: str
    first: int
    unknown: int


CLASSES: Final = (
    Class("generic", 8, 4),
    Class("lat", 14, 7),
    Class("lon", 14, 7),
    Class("alt", 12, 4),
    Class("speed", 5, 3),
    Class("angle", 8, 5),
    Class("heart", 5, 2),
    Class("saturation", 3, 1),
    Class("temp", 5, 1),
    Class("hold", 4, 1),
    Class("counter", 12, 4),
    Class("raw", 31, 31),
    Class("time", 12, 1),
    Class("mono", 3, 12),
    Class("flags", 0, 0),
)
CLASS: Final = {row.name: number for number, row in enumerate(CLASSES)}


@cache
def table() -> bytes:
    """Two bytes for each class, scale and slot."""
    size = len(CLASSES) * SCALES * SLOTS * 2
    path = Path(__file__).parent / f"priors_{VERSION}.bin"
    if not path.exists():
        return bytes(size)
    return zstandard.ZstdDecompressor().decompress(path.read_bytes(), max_output_size=size)


@cache
def _prior(cls: int, scale: int) -> tuple[int, ...]:
    data = table()
    odds, sure = [], []
    for slot in range(SLOTS):
        p = n = 0
        for where in (cls, 0):
            at = ((where * SCALES + scale) * SLOTS + slot) * 2
            p, n = data[at], data[at + 1]
            if p:
                break
        odds.append(p << 8 or 1 << 15)
        sure.append(CONFIDENCE[n])
    return (*odds, *sure)


def load(cls: int, scale: int) -> list[int]:
    """A fresh context set for the range coder."""
    return list(_prior(cls, scale))

"""Shipped knowledge: for each class of column and scale of error, how each bit usually falls and how surely.

priors_1.bin (zstd) holds, for class, scale and slot in this order, two bytes: probability of 0 in 256ths and the
confidence's index; bench/priors.py trains it. A block names no version of its own: other priors are another method.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import zstandard

from sync.codec.range_coder import SLOTS

SCALES: Final = 16  # context sets of a class: by the bit length of the expected error, the last for all larger ones
UNKNOWN: Final = 0  # the set of a column's first error, when nothing is expected
FIRST: Final = 1  # the set of a column's first value and of its plan
CONFIDENCE: Final = (0, 1, 2, 3, 4, 6, 8, 11, 15, 20, 27, 35, 44, 52, 58, 60)
PATH: Final = Path(__file__).parent / "priors_1.bin"


class Class(NamedTuple):
    """A class of column: expected bits of its first value and of its first error; whether errors grow with time passed."""

    name: str
    first: int
    unknown: int
    paced: bool = False


CLASSES: Final = (
    Class("generic", 8, 4),
    Class("lat", 14, 7, True),
    Class("lon", 14, 7, True),
    Class("alt", 12, 4, True),
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
def _table() -> bytes:
    size = len(CLASSES) * SCALES * SLOTS * 2
    return zstandard.ZstdDecompressor().decompress(PATH.read_bytes(), max_output_size=size)


def unpack(table: bytes, cls: int, scale: int) -> tuple[int, ...]:
    """One context set of a table: SLOTS probabilities in 65536ths, SLOTS confidences."""
    at = (cls * SCALES + scale) * SLOTS * 2
    part = table[at : at + SLOTS * 2]
    return (*(chance << 8 for chance in part[::2]), *(CONFIDENCE[sure] for sure in part[1::2]))


@cache
def prior(cls: int, scale: int) -> tuple[int, ...]:
    """The shipped context set of a class and scale."""
    return unpack(_table(), cls, scale)

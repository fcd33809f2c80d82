"""Make sync/codec/priors_1.bin: how each bit of each context of the range coder usually falls, over frames of many tracks.

`python -m bench.train_rows DIR…`: directories of CSV files as in bench/tracks.py; synthetic stations come by themselves. Only how bits fell enters the table, never
a value of a track. The shipped table's sources are in docs/wire/rows.md.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import product
from math import lgamma
from pathlib import Path
from typing import Any, Final, TypeAlias

import zstandard

from bench.tracks import Series, series, tracks
from bench.walkers import stations
from sync.codec import priors, small
from sync.codec.priors import CLASSES, CONFIDENCE, SCALES
from sync.codec.range_coder import SLOTS, Encoder
from sync.records import Batch

BUDGET: Final = 200
MAX_ROWS: Final = 1500  # of one series, so that long ones do not drown the others
PULL: Final = 100.0  # how many frames of its own outweigh what is known of a context's neighbours
FULL: Final = 8  # bits of one frame that count; further ones are much the same

Context: TypeAlias = tuple[int, int, int]  # class, scale, slot
Counts: TypeAlias = "dict[Context, Counter[tuple[int, int]]]"  # how many frames saw (zeros, ones)


class _Recorder(Encoder):
    """An encoder that remembers which bits fell in which context; context sets carry their name as their last item."""

    seen: dict[Context, list[int]]

    def __init__(self) -> None:
        super().__init__()
        self.seen = defaultdict(lambda: [0, 0])

    def bit(self, states: list[int], slot: int, bit: int) -> int:
        self.seen[*divmod(states[-1], SCALES), slot][bit] += 1
        return super().bit(states, slot, bit)


@contextmanager
def _patched(**names: Any) -> Iterator[None]:
    """Other context sets, another encoder: for the length of a `with`."""
    kept = {name: getattr(small if name == "Encoder" else priors, name) for name in names}
    for name, value in names.items():
        setattr(small if name == "Encoder" else priors, name, value)
    try:
        yield
    finally:
        for name, value in kept.items():
            setattr(small if name == "Encoder" else priors, name, value)


def installed(table: bytes) -> Any:
    """A `with` in which the codec uses this table of priors instead of the shipped one."""
    return _patched(prior=lambda cls, scale: priors.unpack(table, cls, scale))


def count(batch: Series) -> Counts:
    """What the frames of one series show."""
    out: Counts = defaultdict(Counter)
    made: list[_Recorder] = []

    def recorder() -> _Recorder:
        made.append(_Recorder())
        return made[-1]

    rows, at = batch.batch.rows[:MAX_ROWS], 0
    cold = [1 << 15] * SLOTS + [0] * SLOTS
    with _patched(prior=lambda cls, scale: (*cold, cls * SCALES + scale), Encoder=recorder):
        while at < len(rows):
            part = Batch(1, 1, batch.batch.profile, rows[at : at + 4 * BUDGET])
            at += small.write_small([part], batch.anchor, BUDGET)[1]
            for context, (zeros, ones) in made.pop().seen.items():
                out[context][zeros, ones] += 1
    return out


def merge(parts: Iterable[Counts]) -> Counts:
    """Counts of several series."""
    out: Counts = defaultdict(Counter)
    for part in parts:
        for context, frames in part.items():
            out[context].update(frames)
    return out


def fit(counts: Counts) -> bytes:
    """The table (see sync/codec/priors.py) under which such frames are expected to cost least."""
    weights = {context: _weigh(frames) for context, frames in counts.items()}
    by_scale, by_class = _pooled(weights)
    out = bytearray()
    for cls, scale, slot in product(range(len(CLASSES)), range(SCALES), range(SLOTS)):
        general = _share(by_scale.get((scale, slot), (0.0, 0.0)), 0.5, 1.0)
        mean = _share(by_class.get((cls, _group(scale), slot), (0.0, 0.0)), general, PULL)
        chance = min(max(_share(_around(weights, cls, scale, slot), mean, PULL), 1 / 250), 249 / 250)
        sure = _confidence(counts, cls, scale, slot, chance)
        out += bytes((min(max(round(chance * 256), 1), 255), sure))
    return bytes(out)


def _weigh(frames: Mapping[tuple[int, int], int]) -> tuple[float, float]:
    zeros = ones = 0.0
    for (a, b), times in frames.items():
        share = times * min(1.0, FULL / (a + b))
        zeros, ones = zeros + a * share, ones + b * share
    return zeros, ones


def _share(pair: tuple[float, float], mean: float, pull: float) -> float:
    return (pair[0] + pull * mean) / (pair[0] + pair[1] + pull)


def _group(scale: int) -> int:
    return scale if scale < 2 else 2 if scale < 9 else 3


_Pool: TypeAlias = "dict[tuple[int, ...], tuple[float, float]]"


def _pooled(weights: Mapping[Context, tuple[float, float]]) -> tuple[_Pool, _Pool]:
    """The same over all classes, and over a class's small or large scales."""
    by_scale: _Pool = defaultdict(lambda: (0.0, 0.0))
    by_class: _Pool = defaultdict(lambda: (0.0, 0.0))
    for (cls, scale, slot), (zeros, ones) in weights.items():
        for pool, key in ((by_scale, (scale, slot)), (by_class, (cls, _group(scale), slot))):
            before = pool[key]
            pool[key] = before[0] + zeros, before[1] + ones
    return by_scale, by_class


def _around(weights: Mapping[Context, tuple[float, float]], cls: int, scale: int, slot: int) -> tuple[float, float]:
    """A context's own counts and part of its neighbouring scales'."""
    zeros = ones = 0.0
    for offset, share in ((0, 1.0), (-1, 0.5), (1, 0.5), (-2, 0.25), (2, 0.25)):
        if offset == 0 or (scale >= 2 and 2 <= scale + offset < SCALES):
            a, b = weights.get((cls, scale + offset, slot), (0.0, 0.0))
            zeros, ones = zeros + share * a, ones + share * b
    return zeros, ones


def _confidence(counts: Counts, cls: int, scale: int, slot: int, chance: float) -> int:
    """How surely to begin: the index under which the frames' counts are likeliest (beta-binomial)."""
    frames: Counter[tuple[int, int]] = Counter()
    for near in (scale,) if scale < 2 else range(max(2, scale - 1), min(SCALES, scale + 2)):
        frames.update(counts.get((cls, near, slot), {}))
    if not frames:
        return 4
    return max(range(len(CONFIDENCE)), key=lambda at: _likelihood(frames, chance, CONFIDENCE[at] + 0.5))


def _likelihood(frames: Mapping[tuple[int, int], int], chance: float, sure: float) -> float:
    a, b = chance * sure, (1 - chance) * sure
    alone = lgamma(a) + lgamma(b) - lgamma(sure)
    total = -0.02 * abs(sure - 15)  # where the frames say little, neither rashly nor never
    for (zeros, ones), times in frames.items():
        total += times * (lgamma(a + zeros) + lgamma(b + ones) - lgamma(sure + zeros + ones) - alone)
    return total


def train(found: Iterable[Series]) -> bytes:
    """The table that these series teach."""
    return fit(merge(count(each) for each in found))


def main(directories: Sequence[str]) -> int:
    """Train on all series of the directories and write the shipped table."""
    table = train([*(each for name in directories for each in series(tracks(Path(name))[0])), *stations()])
    priors.PATH.write_bytes(zstandard.ZstdCompressor(level=19).compress(table))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

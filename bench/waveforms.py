"""Waveforms of MiniSEED 2 files (integers, Steim 1 or 2) as batches; only what the wire bench needs (SEED manual 2.4, appendix B)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from struct import error as StructError
from struct import iter_unpack, unpack_from
from typing import Final

from bench.tracks import UNKNOWN_KIND, Series, anchor_of
from hardware.clock import ClockQuality
from hardware.kinds import Quality
from hardware.observation import Column, Profile
from sync.records import Batch, Row

FRAME: Final = 64
START_MS: Final = 1_784_494_800_000
STEIM1, STEIM2 = 10, 11
# (encoding, two-bit code of a word, its own first two bits where they count) -> how many differences of how many bits
_PACKED: Final = {
    (STEIM1, 1, 0): (4, 8), (STEIM1, 2, 0): (2, 16), (STEIM1, 3, 0): (1, 32), (STEIM2, 1, 0): (4, 8),
    (STEIM2, 2, 1): (1, 30), (STEIM2, 2, 2): (2, 15), (STEIM2, 2, 3): (3, 10),
    (STEIM2, 3, 0): (5, 6), (STEIM2, 3, 1): (6, 5), (STEIM2, 3, 2): (7, 4),
}  # fmt: skip


def _differences(data: bytes, encoding: int) -> Iterator[int]:
    for at in range(0, len(data) - FRAME + 1, FRAME):
        codes, *words = (word for (word,) in iter_unpack(">I", data[at : at + FRAME]))
        for place, word in enumerate(words):
            code = codes >> 28 - 2 * place & 3
            own = word >> 30 if encoding == STEIM2 and code > 1 else 0
            count, width = _PACKED.get((encoding, code, own), (0, 0))
            for left in range(count - 1, -1, -1):
                value = word >> left * width & (1 << width) - 1
                yield value - (value >> width - 1 << width)


def samples(path: Path) -> tuple[list[int], float]:
    """All samples of a file's records in order, and their rate in Hz; ValueError for what this reader does not know."""
    data, at, out, rate = path.read_bytes(), 0, [], 1.0
    while at + 48 <= len(data):
        count, factor, multiplier = unpack_from(">Hhh", data, at + 30)
        begins, blockette = unpack_from(">HH", data, at + 44)
        encoding, _, power = unpack_from(">BBB", data, at + blockette + 4)
        if encoding not in (STEIM1, STEIM2) or not factor or not multiplier:
            raise ValueError("no MiniSEED of Steim 1 or 2 with a rate")
        rate = (factor if factor > 0 else -1 / factor) * (multiplier if multiplier > 0 else -1 / multiplier)
        body = data[at + begins : at + (1 << power)]
        (value,) = unpack_from(">i", body, 4)
        out.append(value)
        for place, step in enumerate(_differences(body, encoding)):
            if 0 < place < count:
                value += step
                out.append(value)
        at += 1 << power
    return out, rate


def waveform(path: Path) -> Series:
    """A file as one series of one column."""
    values, rate = samples(path)
    if not values:
        raise ValueError("no samples")
    profile = Profile(0, "", (Column(UNKNOWN_KIND, 0),))
    rows = []
    for at, value in enumerate(values):
        mono = round(at * 1000 / rate)
        rows.append(Row(mono, START_MS + mono, int(ClockQuality.GNSS), (value,), (int(Quality.GOOD),)))
    batch = Batch(1, 1, profile, tuple(rows))
    return Series(path.stem, 0, batch, anchor_of(batch))


def waveforms(directory: Path) -> tuple[list[tuple[Series, int]], dict[str, str]]:
    """Every MiniSEED file with samples and its size in bytes; and why others are left out."""
    found, left_out = [], {}
    for path in sorted(directory.glob("*.mseed")):
        try:
            each = waveform(path)
        except (OSError, ValueError, StructError) as error:
            left_out[path.name] = str(error)
        else:
            found.append((each, path.stat().st_size))
    return found, left_out

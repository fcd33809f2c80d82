"""Synthetic people and stations, the same for the same seed: for training, for tests, and for a figure anyone can repeat.

`python -m bench.walkers DIR` writes the walkers as CSV files in the form of bench/tracks.py.
"""

from __future__ import annotations

import csv
import math
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from bench.tracks import Series, anchor_of
from hardware.clock import ClockQuality
from hardware.kinds import Quality
from hardware.observation import PROFILE_NAMED, Column, Predictor
from sync.records import Batch, Row

START_MS: Final = 1_784_495_400_000
METRE: Final = 1 / 111_195  # degrees of latitude
HOLDS: Final = 90  # rows between two changes of a value that holds


class Walker(NamedTuple):
    """How one person goes: pace in m/s, how much a heading turns in a second, receiver's noise in metres, seconds between fixes."""

    name: str
    seed: int
    rows: int
    pace: float
    turn: float
    noise: float
    steps_s: Sequence[int]
    wearable: bool


WALKERS: Final = (
    Walker("walker_1hz", 1, 900, 1.3, 0.05, 0.5, (1,), True),
    Walker("walker_smart", 2, 600, 1.1, 0.09, 1.2, (1, 2, 3, 4, 4, 5, 6, 7, 9, 12), False),
    Walker("runner_1hz", 3, 700, 2.8, 0.03, 0.6, (1,), True),
)


def walk(walker: Walker) -> Iterator[dict[str, int]]:
    """CSV rows: t_ms, lat_e7, lon_e7, alt_cm, and for a wearable spd_cms, hr, temp_c."""
    chance = random.Random(walker.seed)
    lat, lon, heading, height = 30.15, 119.1, chance.uniform(0, math.tau), 180.0
    off = [0.0, 0.0, 0.0]
    heart, slope, second, resting = 95.0, 0.0, 0, 0
    for _ in range(walker.rows):
        step = chance.choice(walker.steps_s)
        second += step
        resting = resting - step if resting > 0 else 60 if chance.random() < 0.004 * step else 0
        pace = 0.0 if resting > 0 else walker.pace * chance.uniform(0.8, 1.2)
        heading += chance.gauss(0, walker.turn * math.sqrt(step))
        slope = 0.98 * slope + chance.gauss(0, 0.02)
        lat += pace * step * math.cos(heading) * METRE
        lon += pace * step * math.sin(heading) * METRE / math.cos(math.radians(lat))
        height += pace * step * slope
        off = [0.9 * each + chance.gauss(0, walker.noise / 4) for each in off]
        heart += 0.05 * ((90 if resting > 0 else 120) - heart) + chance.gauss(0, 0.7)
        row = {
            "t_ms": START_MS + second * 1000,
            "lat_e7": round((lat + off[0] * METRE) * 1e7),
            "lon_e7": round((lon + off[1] * METRE) * 1e7),
            "alt_cm": round((height + 2 * off[2]) * 5) * 20,
        }
        if walker.wearable:
            row |= {"spd_cms": round(pace * 100), "hr": round(heart), "temp_c": round(366 + second / 400) * 10}
        yield row


def write_csv(directory: Path) -> None:
    """Each walker as a file."""
    for walker in WALKERS:
        rows = list(walk(walker))
        with (directory / f"{walker.name}.csv").open("w", newline="", encoding="utf-8") as file:
            out = csv.DictWriter(file, rows[0], lineterminator="\n")
            out.writeheader()
            out.writerows(rows)


def _held(chance: random.Random, column: Column) -> Callable[[], int]:
    value = chance.randint(0, 12)

    def step() -> int:
        nonlocal value
        if chance.randrange(HOLDS) == 0:
            value = max(0, value + chance.choice((-1, 1)))
        return value

    return step


def _counted(chance: random.Random, column: Column) -> Callable[[], int]:
    value = chance.randint(0, 100_000)

    def step() -> int:
        nonlocal value
        value += chance.choice((10, 10, 10, 11))
        return value

    return step


def _turned(chance: random.Random, column: Column) -> Callable[[], int]:
    circle = int(360 * 10**-column.exponent)
    value = chance.uniform(0, circle)

    def step() -> int:
        nonlocal value
        value += chance.gauss(0, circle / 60)
        return round(value) % circle

    return step


def _drifting(chance: random.Random, column: Column) -> Callable[[], int]:
    wide = float(chance.choice((2, 5, 15, 60, 300)))
    value = off = chance.uniform(0, 20 * wide)

    def step() -> int:
        nonlocal value, off
        value += chance.gauss(0, wide / 20)
        off = 0.7 * off + chance.gauss(0, wide / 20)
        return round(value + off)

    return step


def _random(chance: random.Random, column: Column) -> Callable[[], int]:
    return lambda: chance.getrandbits(32)


_MOVES: Final = {
    Predictor.HOLD: _held,
    Predictor.COUNTER: _counted,
    Predictor.ANGLE: _turned,
    Predictor.RAW: _random,
    Predictor.GENERIC: _drifting,
    Predictor.POSITION: _drifting,
}
_STATIONS: Final = (
    ("fix", 1), ("battery", 60), ("gas4", 5), ("gauge", 300), ("weather", 60), ("vehicle", 1), ("power", 30),
    ("oximeter", 1), ("heart", 1), ("mesh.device", 900), ("mesh.position", 60), ("mesh.environment", 300),
)  # fmt: skip


def stations(rows: int = 400) -> Iterator[Series]:
    """Devices of the registered profiles, each column moving as its predictor says."""
    for seed, (name, seconds) in enumerate(_STATIONS, 100):
        chance, profile = random.Random(seed), PROFILE_NAMED[name]
        steps = [_MOVES[column.predictor](chance, column) for column in profile.columns]
        out = []
        for at in range(rows):
            values = tuple(step() for step in steps)
            mono = at * seconds * 1000
            out.append(Row(mono, START_MS + mono, int(ClockQuality.GNSS), values, (int(Quality.GOOD),) * len(values)))
        batch = Batch(1, 1, profile, tuple(out))
        yield Series(name, 0, batch, anchor_of(batch))


def main(directory: str) -> int:
    """Write the walkers' files."""
    write_csv(Path(directory))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))

"""Simulated field stations: each profile is a row of movements, one for each of its columns."""

from __future__ import annotations

import asyncio
import math
import random
from dataclasses import dataclass
from typing import Final, Protocol

from hardware.driver import DriverContext, Health
from hardware.errors import PortMissing
from hardware.observation import PROFILE_NAMED, Column, Observation


class Movement(Protocol):
    """How one column moves, in real units."""

    def start(self, rng: random.Random) -> float:
        """The first value."""

    def step(self, value: float, seconds: float, rng: random.Random, row: list[float]) -> float:
        """The next value; `row` holds the whole station's last values."""


@dataclass(frozen=True, slots=True)
class Wander:
    """Pulled back to `centre` within about `tau_s`, spread by `sigma`; the kind's range bounds it."""

    centre: float
    sigma: float
    tau_s: float = 600

    def start(self, rng: random.Random) -> float:
        """Somewhere near the centre."""
        return rng.gauss(self.centre, self.sigma / 2)

    def step(self, value: float, seconds: float, rng: random.Random, row: list[float]) -> float:
        """One step of an Ornstein-Uhlenbeck process."""
        keep = math.exp(-seconds / self.tau_s)
        return self.centre + (value - self.centre) * keep + rng.gauss(0, self.sigma * math.sqrt(1 - keep * keep))


@dataclass(frozen=True, slots=True)
class Switch:
    """Stays at one of `levels` for about `hold_s` each time; the first level is the normal one."""

    levels: tuple[float, ...]
    hold_s: float

    def start(self, rng: random.Random) -> float:
        """The normal level."""
        return self.levels[0]

    def step(self, value: float, seconds: float, rng: random.Random, row: list[float]) -> float:
        """Perhaps another level."""
        return rng.choice(self.levels) if rng.random() < seconds / self.hold_s else value


@dataclass(frozen=True, slots=True)
class Follow:
    """Moves with another column of the row: `gain` x that column + `offset`, with a spread."""

    column: int
    gain: float
    offset: float = 0
    sigma: float = 0

    def start(self, rng: random.Random) -> float:
        """The offset, until the first step."""
        return self.offset

    def step(self, value: float, seconds: float, rng: random.Random, row: list[float]) -> float:
        """A value tied to the other column's."""
        return self.gain * row[self.column] + self.offset + rng.gauss(0, self.sigma)


@dataclass(frozen=True, slots=True)
class Total:
    """Grows by another column's value per hour."""

    column: int

    def start(self, rng: random.Random) -> float:
        """A counter that has run for a while."""
        return rng.uniform(0, 50)

    def step(self, value: float, seconds: float, rng: random.Random, row: list[float]) -> float:
        """Never less than before."""
        return value + max(0.0, row[self.column]) * seconds / 3600


STATIONS: Final[dict[str, tuple[Movement, ...]]] = {
    "gas4": (Wander(20.8, 0.1), Wander(6, 6), Wander(0.6, 0.8), Wander(2, 2)),
    "gauge": (Wander(312.4, 0.8, 3600), Total(2), Wander(6, 8, 1800), Wander(12.6, 0.1)),
    "weather": (
        Wander(9, 3, 7200),
        Wander(78, 10, 3600),
        Wander(892, 3, 7200),
        Wander(4, 2.5, 120),
        Switch((290, 305, 270, 340), 120),
        Follow(3, 1.5, 0.5, 0.4),
        Wander(2, 3, 1800),
    ),
    "trigger": (Wander(0.8, 0.6, 5), Wander(1.2, 0.4, 5)),
    "vehicle": (
        Wander(25, 20, 60),
        Follow(0, 32, 800, 30),
        Wander(86, 4, 900),
        Wander(62, 2, 36000),
        Wander(13.9, 0.2, 60),
    ),
    "power": (Switch((1, 0), 600), Wander(88, 6, 3600), Wander(13.1, 0.2), Follow(1, 6, 0, 2)),
}


class SimStation:
    """A station of one profile, every `rate_s` seconds; `emitted` counts every observation given to the context."""

    def __init__(self, name: str, subject: str, profile: str, seed: int = 0, rate_s: float = 1.0) -> None:
        if profile not in STATIONS:
            raise PortMissing(f"no simulated station {profile!r}; there are {', '.join(STATIONS)}")
        self.name, self.subject, self.emitted = name, subject, 0
        self._profile, self._moves, self._rate_s = PROFILE_NAMED[profile], STATIONS[profile], rate_s
        self._rng = random.Random(seed)
        self._row = [move.start(self._rng) for move in self._moves]

    async def run(self, context: DriverContext) -> None:
        """Emit until cancelled, at fixed instants of the loop's clock."""
        loop = asyncio.get_running_loop()
        context.health(Health.UP)
        due = loop.time()
        while True:
            values = self.next()
            self.emitted += 1
            context.emit(Observation(self.subject, self.name, self._profile, context.clock.stamp(), values))
            due = max(due + self._rate_s, loop.time())
            await asyncio.sleep(due - loop.time())

    def next(self) -> tuple[int, ...]:
        """The next row of the profile, as integers in its columns' exponents."""
        last = self._row
        self._row = [
            _within(column, move.step(value, self._rate_s, self._rng, last))
            for column, move, value in zip(self._profile.columns, self._moves, last, strict=True)
        ]
        return tuple(
            round(value * 10.0**-column.exponent)
            for column, value in zip(self._profile.columns, self._row, strict=True)
        )


def _within(column: Column, value: float) -> float:
    return min(column.meaning.hi, max(column.meaning.lo, value))

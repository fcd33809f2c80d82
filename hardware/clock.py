"""The only place that reads a clock; everything else is handed a Clock."""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Protocol

BUILD_WALL_MS: Final = 1_767_225_600_000  # 2026-01-01: no honest clock is earlier
HORIZON_MS: Final = 20 * 365 * 86_400_000  # nor later than this after the build


class ClockQuality(IntEnum):
    """How far a wall time can be trusted; goes on the wire in 2 bits."""

    NONE = 0
    RTC = 1
    NTP = 2
    GNSS = 3


@dataclass(frozen=True, slots=True)
class Stamp:
    """An instant: boot counter of this store, monotonic ms within it, wall ms UTC or None, quality of the wall time."""

    boot: int
    mono_ms: int
    wall_ms: int | None
    quality: ClockQuality


class Clock(Protocol):
    """Time as a node knows it: monotonic seconds, and a stamp whose wall time is a claim."""

    def mono(self) -> float:
        """Monotonic seconds; the same base as the running event loop's time."""

    def stamp(self) -> Stamp:
        """The instant now."""

    def discipline(self, wall_ms: int, mono_ms: int, quality: ClockQuality) -> None:
        """Learn that `wall_ms` UTC was true at `mono_ms`; a lower quality never overrides a higher one."""


def plausible(wall_ms: int) -> bool:
    """Whether a wall time lies between this build and twenty years on."""
    return BUILD_WALL_MS <= wall_ms < BUILD_WALL_MS + HORIZON_MS


class SystemClock:
    """The machine's clocks; the wall time is untrusted until `discipline`d, and absent while implausible."""

    def __init__(self, boot: int = 0) -> None:
        self.boot = boot
        self._offset_ms: int | None = None
        self._quality = ClockQuality.NONE

    def mono(self) -> float:
        """Monotonic seconds."""
        return time.monotonic()

    def stamp(self) -> Stamp:
        """The instant now, from the best source so far."""
        mono_ms = int(self.mono() * 1000)
        if self._offset_ms is not None:
            return Stamp(self.boot, mono_ms, mono_ms + self._offset_ms, self._quality)
        wall_ms = time.time_ns() // 1_000_000
        if plausible(wall_ms):
            return Stamp(self.boot, mono_ms, wall_ms, ClockQuality.RTC)
        return Stamp(self.boot, mono_ms, None, ClockQuality.NONE)

    def discipline(self, wall_ms: int, mono_ms: int, quality: ClockQuality) -> None:
        """Learn the wall time from GNSS or NTP."""
        if plausible(wall_ms) and quality >= self._quality:
            self._offset_ms, self._quality = wall_ms - mono_ms, quality


class ManualClock:
    """A clock that tests and simulations set by hand, in seconds."""

    def __init__(self, mono: float = 0.0, wall_ms: int | None = None, boot: int = 1) -> None:
        self.now, self.boot = mono, boot
        self._offset_ms = None if wall_ms is None else wall_ms - int(mono * 1000)
        self._quality = ClockQuality.NONE if wall_ms is None else ClockQuality.GNSS

    def mono(self) -> float:
        """Monotonic seconds as last set."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Move the clock on."""
        self.now += seconds

    def stamp(self) -> Stamp:
        """The instant as last set."""
        mono_ms = round(self.now * 1000)
        wall = None if self._offset_ms is None else mono_ms + self._offset_ms
        return Stamp(self.boot, mono_ms, wall, self._quality)

    def discipline(self, wall_ms: int, mono_ms: int, quality: ClockQuality) -> None:
        """Take the wall time, unless a better one is known."""
        if quality >= self._quality:
            self._offset_ms, self._quality = wall_ms - mono_ms, quality

"""A fix -> an observation of profile `fix`, or `fix.rtk` for the qualities 4 and 5."""

from __future__ import annotations

from typing import Final

from hardware.clock import Clock, ClockQuality, Stamp
from hardware.gnss.epoch import Fix
from hardware.gnss.satellites import Constellation
from hardware.gnss.trust import TimeTrust, discipline
from hardware.kinds import Quality
from hardware.observation import PROFILE_NAMED, Column, Observation

_RTK: Final = (4, 5)
_ESTIMATED: Final = (6, 7, 8)  # dead reckoning, manual, simulator
_POSITION: Final = 2  # columns


def _integer(column: Column, value: float | None) -> tuple[int | None, Quality]:
    """A real value in a column's unit -> its integer; outside the plausible range it is null and OVER_RANGE."""
    if value is None:
        return None, Quality.BAD
    kind = column.meaning
    if not kind.lo <= value <= kind.hi:
        return None, Quality.OVER_RANGE
    return round(value * 10**-column.exponent), Quality.GOOD


def observe(fix: Fix, subject: str, source: str, stamp: Stamp) -> Observation:
    """All columns of the profile; null with BAD where the receiver said nothing, estimated positions SUSPECT."""
    profile = PROFILE_NAMED["fix.rtk" if fix.quality in _RTK else "fix"]
    beidou = fix.used.get(Constellation.BEIDOU, 0) if fix.used else None
    real = (
        *(fix.lat, fix.lon, fix.alt, fix.speed, fix.course),
        *(fix.quality, fix.satellites, beidou, fix.hdop),
    )
    cells = [_integer(column, value) for column, value in zip(profile.columns, real, strict=True)]
    if fix.quality in _ESTIMATED:
        cells[:_POSITION] = [(value, max(quality, Quality.SUSPECT)) for value, quality in cells[:_POSITION]]
    return Observation(subject, source, profile, stamp, tuple(v for v, _ in cells), tuple(q for _, q in cells))


class Observer:
    """Fixes in, stamped observations out; sets the clock when the receiver's time is trusted and `sets_clock`."""

    def __init__(self, clock: Clock, subject: str, source: str, sets_clock: bool) -> None:
        self._clock, self._subject, self._source, self._sets_clock = clock, subject, source, sets_clock
        self._trust = TimeTrust()

    def take(self, fix: Fix) -> Observation:
        """The observation of a fix, at the receiver's time if that is trusted, else at the time it was read."""
        trusted = self._trust.judge(fix) and self._sets_clock
        if trusted:
            discipline(self._clock, fix)
        now = self._clock.stamp()
        if trusted:
            stamp = Stamp(now.boot, fix.mono_ms, fix.wall_ms, ClockQuality.GNSS)
        else:
            wall = None if now.wall_ms is None else now.wall_ms - now.mono_ms + fix.mono_ms
            stamp = Stamp(now.boot, fix.mono_ms, wall, now.quality)
        return observe(fix, self._subject, self._source, stamp)

"""When a receiver's time may set a clock: receivers announce 1980 and last year's dates as valid while they start."""

from __future__ import annotations

from typing import Final

from hardware.clock import Clock, ClockQuality, plausible
from hardware.gnss.epoch import Fix

CONSISTENT: Final = 3  # epochs in a row
TOLERANCE_MS: Final = 1500  # between the receiver's and our own passing of time
_DRIFT_MS: Final = 250  # below this a disciplined clock is left alone: line delays jitter


class TimeTrust:
    """Believes a receiver after three epochs in a row with a fix, a date of their own, a plausible year, and our own pace."""

    def __init__(self) -> None:
        self._run = 0
        self._last: tuple[int, int] | None = None

    @property
    def trusted(self) -> bool:
        """Whether the last fix judged may set a clock."""
        return self._run >= CONSISTENT

    def judge(self, fix: Fix) -> bool:
        """Take the next fix; whether its time can be trusted. An epoch without a fix begins the count again."""
        if fix.wall_ms is None or not fix.quality or fix.mode < 2 or not plausible(fix.wall_ms):
            self._run, self._last = 0, None
            return False
        if not fix.dated:  # RMC or ZDA come less often than GGA: neither for nor against
            return self.trusted and self._keeps_pace(fix.wall_ms, fix.mono_ms)
        self._run = self._run + 1 if self._keeps_pace(fix.wall_ms, fix.mono_ms) else 1
        self._last = fix.wall_ms, fix.mono_ms
        return self.trusted

    def _keeps_pace(self, wall_ms: int, mono_ms: int) -> bool:
        if self._last is None:
            return False
        wall, mono = self._last
        return wall_ms > wall and abs((wall_ms - wall) - (mono_ms - mono)) <= TOLERANCE_MS


def discipline(clock: Clock, fix: Fix) -> None:
    """Set a clock from a trusted fix, unless it agrees already."""
    now = clock.stamp()
    if fix.wall_ms is None:
        return
    ours = None if now.wall_ms is None else now.wall_ms - now.mono_ms + fix.mono_ms
    if now.quality < ClockQuality.GNSS or ours is None or abs(fix.wall_ms - ours) > _DRIFT_MS:
        clock.discipline(fix.wall_ms, fix.mono_ms, ClockQuality.GNSS)

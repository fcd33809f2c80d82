"""When the card may send next. The terminal remembers over our restarts, so this does too, in a small file."""

from __future__ import annotations

from pathlib import Path

from hardware.clock import Clock
from radios.notes import NoteFile


class Slots:
    """A bucket of one send, refilled every `period_s` seconds. file: where the last send is noted, None for nowhere.

    A full or read-only disk stops no send.
    What was noted under another wall clock, or none, or cannot be read, counts as a send just now.
    """

    def __init__(self, clock: Clock, file: Path | None = None) -> None:
        self._clock, self._notes = clock, NoteFile(file)
        self._free_at = clock.mono() + self._restored_s()

    def wait_s(self) -> float:
        """Seconds until a send is free; 0 when it is."""
        return max(self._free_at - self._clock.mono(), 0.0)

    def free_s(self) -> float:
        """Seconds since a send became free; 0 while none is."""
        return max(self._clock.mono() - self._free_at, 0.0)

    def take(self, period_s: float) -> None:
        """A send begins: the next is free a period later. Noted before the terminal hears of it."""
        self._set(period_s, period_s)

    def told(self, wait_s: float, period_s: float) -> None:
        """The terminal has refused and says when it is free."""
        self._set(wait_s, period_s)

    def at_least(self, wait_s: float, period_s: float) -> None:
        """The terminal has sent and says when it is free; never sooner than we think ourselves."""
        if wait_s > self.wait_s():
            self._set(wait_s, period_s)

    def _set(self, wait_s: float, period_s: float) -> None:
        self._free_at = self._clock.mono() + wait_s
        wall_ms = self._clock.stamp().wall_ms
        self._notes.write({"at_ms": wall_ms, "wait_ms": round(wait_s * 1000), "period_ms": round(period_s * 1000)})

    def _restored_s(self) -> float:
        """Seconds still to wait after a restart."""
        note = self._notes.read()
        if note is None:
            return 0.0
        longest = _number(note.get("period_ms"), 120_000)
        waited = _number(note.get("wait_ms"), longest)
        noted, now = note.get("at_ms"), self._clock.stamp().wall_ms
        if noted is None or now is None or now < noted:
            return max(waited, 0) / 1000
        return max(waited - (now - noted), 0) / 1000


def _number(value: int | None, otherwise: int) -> int:
    return value if value is not None and 0 <= value <= 3_600_000 else otherwise

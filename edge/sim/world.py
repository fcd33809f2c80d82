"""Virtual time for many nodes: a queue of what happens next. Sleeping costs nothing, and one seed gives one trace."""

from __future__ import annotations

import gc
import hashlib
import heapq
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from hardware.virtual import Deadlock

Call = Callable[[], None]
SELDOM: Final = (50_000, 20, 50)
SAME: Final = 1e-9  # seconds; what is due within this happens in the order in which it was scheduled


@contextmanager
def seldom_collected() -> Iterator[None]:
    """Look for garbage in cycles less often meanwhile: a simulation makes millions of objects, and hardly a cycle."""
    usual = gc.get_threshold()
    gc.set_threshold(*SELDOM)
    try:
        yield
    finally:
        gc.set_threshold(*usual)


class Handle:
    """Something scheduled; `cancel` makes it not happen."""

    __slots__ = ("call", "when")

    def __init__(self, when: float, call: Call) -> None:
        self.when = when
        self.call: Call | None = call

    def cancel(self) -> None:
        """Let it not happen; harmless when it already did."""
        self.call = None


class World:
    """Time, chance and the trace of one run. Times are seconds since its beginning."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.now = 0.0
        self.events = 0
        self._queue: list[tuple[float, int, Handle]] = []
        self._order = 0
        self._trace = hashlib.blake2b(digest_size=16)

    def time(self) -> float:
        """Seconds since the beginning (a hardware.virtual.Timeline)."""
        return self.now

    def chance(self, name: str) -> random.Random:
        """A source of randomness of its own for `name`: one more node or link leaves the others' luck as it was."""
        return random.Random(f"{self.seed}/{name}")

    def at(self, when: float, call: Call) -> Handle:
        """Have `call` run at `when`, or now if that is past."""
        handle = Handle(max(when, self.now), call)
        self._order += 1
        heapq.heappush(self._queue, (handle.when, self._order, handle))
        return handle

    def after(self, delay_s: float, call: Call) -> Handle:
        """Have `call` run so many seconds from now."""
        return self.at(self.now + delay_s, call)

    def every(self, period_s: float, call: Call, first: float = 0.0, until: float = float("inf")) -> None:
        """Have `call` run at `first` and then every `period_s` seconds, up to and including `until`."""

        def again() -> None:
            call()
            if self.now + period_s <= until + SAME:
                self.after(period_s, again)

        self.at(first, again)

    def note(self, *words: object) -> None:
        """Put words into the trace, with the time."""
        self._trace.update(repr((round(self.now * 1000), *words)).encode())

    @property
    def trace(self) -> str:
        """32 hex digits over everything noted so far: equal for equal runs."""
        return self._trace.copy().hexdigest()

    def run(self, until: float) -> None:
        """Let everything due up to `until` happen, then stand at `until`."""
        while self._queue and self._queue[0][0] <= until:
            self._step()
        self.now = max(self.now, until)

    def run_till(self, done: Callable[[], bool], limit: float, check_s: float = 10.0) -> float:
        """Run until `done()`, looked at every `check_s`; the time it took to hold. Deadlock when nothing is scheduled
        before, or when the limit passes."""
        while not done():
            if not any(handle.call for _, _, handle in self._queue):
                raise Deadlock(f"nothing scheduled at {self.now:.1f} s")
            if self.now >= limit:
                raise Deadlock(f"not there after {limit:.0f} s")
            self.run(min(self.now + check_s, limit))
        return self.now

    def _step(self) -> None:
        when, _, handle = heapq.heappop(self._queue)
        self.now = when
        call, handle.call = handle.call, None
        if call is not None:
            self.events += 1
            call()

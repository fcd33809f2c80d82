"""Virtual time: an event loop that never waits. Sleeping tasks cost nothing, and "nothing scheduled" is a deadlock found.

The same coroutines run unchanged; work handed to an executor runs inline, so one seed gives one trace.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Executor, Future
from typing import Any, ParamSpec, Protocol, TypeVar, TypeVarTuple

from hardware.clock import ClockQuality, Stamp
from hardware.errors import SanduanError

T = TypeVar("T")
P = ParamSpec("P")
Ts = TypeVarTuple("Ts")


class Deadlock(SanduanError):
    """Every task waits and nothing is scheduled: the simulated system would hang for ever."""


class _Instant(selectors.BaseSelector):
    """A selector whose waiting moves the clock on instead of taking time."""

    def __init__(self) -> None:
        self.now = 0.0
        self._keys: dict[int, selectors.SelectorKey] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        number = fileobj if isinstance(fileobj, int) else int(fileobj.fileno())
        key = selectors.SelectorKey(fileobj, number, events, data)
        self._keys[number] = key
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj if isinstance(fileobj, int) else int(fileobj.fileno()))

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Deadlock("nothing scheduled")
        self.now += max(timeout, 0.0)
        return []

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys


class _Inline(Executor):
    """Runs what it is given at once, on the caller's thread."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except SanduanError as error:
            future.set_exception(error)
        return future


class VirtualLoop(asyncio.SelectorEventLoop):
    """An asyncio loop under virtual time that starts at 0 seconds."""

    def __init__(self) -> None:
        self._instant = _Instant()
        super().__init__(self._instant)
        self._clock_resolution = 1e-9

    def time(self) -> float:
        """Virtual seconds since the loop began."""
        return self._instant.now

    def run_in_executor(self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts) -> Any:
        """Run `func` inline: threads would make the trace depend on the machine."""
        return asyncio.wrap_future(_Inline().submit(func, *args), loop=self)


class Timeline(Protocol):
    """Whatever moves virtual time on: a VirtualLoop, or a simulator's own queue of events."""

    def time(self) -> float:
        """Virtual seconds since the beginning."""


class VirtualClock:
    """A node's clock on a Timeline: own skew, drift, steps and knowledge of the wall time.

    true_ms: wall time at loop second 0; the node itself knows it only as far as `discipline` or `rtc` told it.
    """

    def __init__(self, loop: Timeline, true_ms: int, boot: int = 1) -> None:
        self._loop, self.true_ms, self.boot = loop, true_ms, boot
        self._base = loop.time()
        self._offset_ms: int | None = None
        self._quality = ClockQuality.NONE

    def mono(self) -> float:
        """Seconds of the loop: what timers use."""
        return self._loop.time()

    def true_wall_ms(self) -> int:
        """What an ideal clock would show: for judges, never for nodes."""
        return self.true_ms + round(self._loop.time() * 1000)

    def stamp(self) -> Stamp:
        """The instant as this node knows it; its monotonic ms begin with its boot."""
        mono_ms = round((self._loop.time() - self._base) * 1000)
        wall = None if self._offset_ms is None else mono_ms + self._offset_ms
        return Stamp(self.boot, mono_ms, wall, self._quality)

    def discipline(self, wall_ms: int, mono_ms: int, quality: ClockQuality) -> None:
        """Take the wall time, unless a better one is known."""
        if quality >= self._quality:
            self._offset_ms, self._quality = wall_ms - mono_ms, quality

    def set(self, wall_ms: int | None, quality: ClockQuality) -> None:
        """Force the node's idea of the wall time: a clock jump, a dead RTC (None), a wrong setting."""
        mono_ms = round((self._loop.time() - self._base) * 1000)
        self._offset_ms = None if wall_ms is None else wall_ms - mono_ms
        self._quality = quality

    def reboot(self) -> None:
        """A new boot: monotonic time begins again, and the wall time is forgotten."""
        self.boot, self._base = self.boot + 1, self._loop.time()
        self._offset_ms, self._quality = None, ClockQuality.NONE


def run_virtual(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine to its end under a fresh VirtualLoop; Deadlock when nothing is scheduled before it ends."""
    loop = VirtualLoop()
    try:
        asyncio.set_event_loop(loop)
        return loop.run_until_complete(main())
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        asyncio.set_event_loop(None)
        loop.close()

"""The one place that catches broadly: every device, bearer and service is a supervised task.

A task that fails is started again after a back-off, its reason kept; the others go on. A change of state is logged once and
reported once. Work that may block runs on a thread with a loop of its own, so that nothing can wedge the node's loop.
"""

from __future__ import annotations

import asyncio
import logging
import random
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final

from hardware.clock import Clock, Stamp
from hardware.driver import Health
from hardware.errors import ConfigError, SanduanError, StoreNewer

log = logging.getLogger(__name__)

STABLE_S: Final = 60.0  # running this long starts the back-off anew
STOP_S: Final = 3.0  # how long a task may take to stop before it is left behind
NEVER_RETRY: Final = (ConfigError, StoreNewer)


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waiting times between starts: first, then times factor up to the ceiling; each varied by +-jitter of itself."""

    first: float = 1.0
    factor: float = 2.0
    ceiling: float = 60.0
    jitter: float = 0.2

    def wait(self, failures: int, chance: float) -> float:
        """Seconds after the n-th failure in a row (from 1); `chance` in 0..1."""
        plain = min(self.first * self.factor ** min(failures - 1, 30), self.ceiling)
        return plain * (1 + self.jitter * (2 * chance - 1))


@dataclass(frozen=True, slots=True)
class HealthRow:
    """The state of one supervised thing as store, screen and log share it. kind: device, wearable, bearer or service."""

    name: str
    kind: str
    state: Health
    why: str
    since: Stamp
    restarts: int


class Reporter:
    """What a supervised task says about itself; repeating the same state is free."""

    def __init__(self, supervisor: Supervisor, name: str, kind: str) -> None:
        self._supervisor = supervisor
        self.row = HealthRow(name, kind, Health.OFF, "not started", supervisor.clock.stamp(), 0)

    def health(self, state: Health, why: str = "") -> None:
        """Report a change of state, from any thread."""
        if (state, why) != (self.row.state, self.row.why):
            self._supervisor.call(lambda: self._supervisor.note(self, state, why))


Work = Callable[[Reporter], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Task:
    """One thing to keep running. blocking: give it a thread of its own."""

    name: str
    kind: str
    work: Work
    backoff: Backoff = Backoff()
    blocking: bool = False


class Supervisor:
    """Keeps tasks running until cancelled; `report` gets every change of state, on the loop."""

    def __init__(
        self,
        clock: Clock,
        report: Callable[[HealthRow], None] = lambda row: None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.clock = clock
        self._report = report
        self._chance = chance
        self._tasks: list[tuple[Task, Reporter]] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    def add(self, task: Task) -> Reporter:
        """Take a task on; before `run`."""
        reporter = Reporter(self, task.name, task.kind)
        self._tasks.append((task, reporter))
        return reporter

    @property
    def rows(self) -> list[HealthRow]:
        """The state of everything, in the order in which it was added."""
        return [reporter.row for _, reporter in self._tasks]

    async def run(self) -> None:
        """Run everything until cancelled."""
        self._loop = asyncio.get_running_loop()
        try:
            async with asyncio.TaskGroup() as group:
                for task, reporter in self._tasks:
                    group.create_task(self._keep(task, reporter), name=task.name)
        finally:
            for _, reporter in self._tasks:
                self.note(reporter, Health.OFF, "stopped")

    def call(self, function: Callable[[], None]) -> None:
        """Run something on the supervisor's loop, from any thread; at once when already there."""
        if self._loop is None or _running() is self._loop:
            function()
        else:
            self._loop.call_soon_threadsafe(function)

    def note(self, reporter: Reporter, state: Health, why: str, restarts: int | None = None) -> None:
        """Keep, log and report a state; nothing happens when it is the old one."""
        row = reporter.row
        count = row.restarts if restarts is None else restarts
        if (state, why) == (row.state, row.why):
            return
        since = row.since if state is row.state else self.clock.stamp()
        reporter.row = HealthRow(row.name, row.kind, state, why, since, count)
        if state is not row.state:
            level = logging.INFO if state in (Health.UP, Health.OFF) else logging.WARNING
            log.log(level, "%s %s: %s%s", row.kind, row.name, state.value, f" ({why})" if why else "")
        self._report(reporter.row)

    async def _keep(self, task: Task, reporter: Reporter) -> None:
        """Run one task for ever."""
        failures = 0
        while True:
            started = self.clock.mono()
            why, fatal = await self._once(task, reporter)
            failures = 1 if self.clock.mono() - started >= STABLE_S else failures + 1
            self.note(reporter, Health.DOWN, why, reporter.row.restarts + 1)
            if fatal:
                return
            await asyncio.sleep(task.backoff.wait(failures, self._chance()))

    async def _once(self, task: Task, reporter: Reporter) -> tuple[str, bool]:
        """One run to its end: the reason, and whether trying again is pointless."""
        try:
            if task.blocking:
                await on_thread(lambda: task.work(reporter), task.name)
            else:
                await task.work(reporter)
        except NEVER_RETRY as error:
            return str(error), True
        except SanduanError as error:
            return str(error) or type(error).__name__, False
        except Exception as error:
            log.exception("%s %s: defect", task.kind, task.name)
            return f"{type(error).__name__}: {error}", False
        return "ended by itself", False


def _running() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


async def on_thread(work: Callable[[], Awaitable[None]], name: str) -> None:
    """Run a coroutine on a daemon thread with its own loop; cancelled, it is given STOP_S and then left behind."""
    done: Future[None] = Future()
    inside: dict[str, Any] = {}

    async def body() -> None:
        inside["loop"], inside["task"] = asyncio.get_running_loop(), asyncio.current_task()
        await work()

    def thread() -> None:
        try:
            asyncio.run(body())
        except BaseException as error:  # noqa: BLE001 (raised again where it is awaited)
            done.set_exception(SanduanError("stopped") if isinstance(error, asyncio.CancelledError) else error)
        else:
            done.set_result(None)

    threading.Thread(target=thread, name=name, daemon=True).start()
    waiting = asyncio.wrap_future(done)
    try:
        await asyncio.shield(waiting)
    except asyncio.CancelledError:
        if "task" in inside and not done.done():
            inside["loop"].call_soon_threadsafe(inside["task"].cancel)
        _, late = await asyncio.wait([waiting], timeout=STOP_S)
        if late:
            log.warning("%s does not stop; left behind", name)
        elif not waiting.cancelled():
            waiting.exception()
        raise


async def first(*works: Coroutine[Any, Any, None]) -> None:
    """Run several coroutines until one of them ends; end the others, then raise what the first one raised."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


def run(main: Coroutine[Any, Any, int]) -> int:
    """asyncio.run on a loop that every library here can work with (on Windows the selector loop, for MQTT)."""
    factory = asyncio.SelectorEventLoop if sys.platform == "win32" else None
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main)

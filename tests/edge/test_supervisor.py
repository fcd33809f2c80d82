"""Everything supervised is kept running, each failure has its reason, and nothing of it stops the rest."""

from __future__ import annotations

import asyncio
import logging
import time

import pytest

from edge.supervisor import Backoff, HealthRow, Reporter, Supervisor, Task, first
from hardware.driver import Health
from hardware.errors import ConfigError, PortLost, SanduanError
from hardware.virtual import VirtualClock, run_virtual


class Failing:
    """A work that is up for a while, then fails; `runs` are the instants at which it began."""

    def __init__(self, error: Exception | None, up_s: float = 0.0) -> None:
        self.error, self.up_s = error, up_s
        self.runs: list[float] = []

    async def __call__(self, reporter: Reporter) -> None:
        self.runs.append(asyncio.get_running_loop().time())
        reporter.health(Health.UP)
        await asyncio.sleep(self.up_s)
        if self.error is not None:
            raise self.error


def watch(work: Failing, seconds: float, backoff: Backoff | None = None) -> list[HealthRow]:
    """What was reported of one task within so much virtual time, beside another that always works."""
    told: list[HealthRow] = []

    async def main() -> None:
        supervisor = Supervisor(VirtualClock(asyncio.get_running_loop(), None), told.append, lambda: 0.5)
        supervisor.add(Task("gnss0", "device", work, backoff or Backoff()))
        steady = Failing(None, 1e9)
        supervisor.add(Task("mesh0", "device", steady))
        running = asyncio.create_task(supervisor.run())
        await asyncio.sleep(seconds)
        assert len(steady.runs) == 1
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert {row.state for row in supervisor.rows} == {Health.OFF}

    run_virtual(main)
    return [row for row in told if row.name == "gnss0"]


def test_waits_grow_to_a_ceiling() -> None:
    work = Failing(PortLost("gone"))
    rows = watch(work, 400.0, Backoff(first=1, factor=2, ceiling=60))
    waits = [round(later - before) for before, later in zip(work.runs, work.runs[1:])]
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60]
    assert rows[0].state is Health.UP and rows[1].state is Health.DOWN and rows[1].why == "gone"
    assert max(row.restarts for row in rows) == len(work.runs)


def test_long_good_running_starts_the_waits_anew() -> None:
    work = Failing(PortLost("gone"), up_s=100)
    watch(work, 1000.0)
    assert {round(later - before) for before, later in zip(work.runs, work.runs[1:])} == {101}


def test_a_wrong_configuration_is_not_tried_again() -> None:
    work = Failing(ConfigError("file", "port", "x", "a port"))
    rows = watch(work, 1000.0)
    assert len(work.runs) == 1 and rows[-2].state is Health.DOWN and "port" in rows[-2].why


def test_a_defect_is_logged_whole_and_the_task_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    work = Failing(ZeroDivisionError("oops"))
    rows = watch(work, 10.0)
    assert len(work.runs) == 4 and rows[1].why == "ZeroDivisionError: oops"
    assert "defect" in caplog.text and "Traceback" in caplog.text


def test_a_change_of_state_is_logged_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    async def repeating(reporter: Reporter) -> None:
        for _ in range(5):
            reporter.health(Health.UP)
            reporter.health(Health.UP, "")
        await asyncio.sleep(1e9)

    told: list[HealthRow] = []

    async def main() -> None:
        supervisor = Supervisor(VirtualClock(asyncio.get_running_loop(), None), told.append)
        supervisor.add(Task("x", "service", repeating))
        running = asyncio.create_task(supervisor.run())
        await asyncio.sleep(1)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    run_virtual(main)
    assert [row.state for row in told] == [Health.UP, Health.OFF]
    assert caplog.text.count("service x: up") == 1


async def test_blocking_work_has_a_thread_of_its_own_and_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.supervisor.STOP_S", 0.05)
    began = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def wedged(reporter: Reporter) -> None:
        reporter.health(Health.UP)
        loop.call_soon_threadsafe(began.set)
        time.sleep(0.3)  # noqa: ASYNC251 (a driver from outside that blocks)

    supervisor = Supervisor(VirtualClock(loop, None))
    supervisor.add(Task("outside", "device", wedged, blocking=True))
    running = asyncio.create_task(supervisor.run())
    await began.wait()
    before = loop.time()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert loop.time() - before < 0.25  # the loop was never blocked by it
    await asyncio.sleep(0.4)


async def test_first_ends_the_others_and_raises_what_ended_it() -> None:
    ended: list[str] = []

    async def long() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("long")

    async def failing() -> None:
        await asyncio.sleep(0)
        raise SanduanError("down")

    with pytest.raises(SanduanError, match="down"):
        await first(long(), failing())
    assert ended == ["long"]

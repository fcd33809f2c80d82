"""Virtual time: a day passes in no time, the order is the schedule's, and a hang is found."""

from __future__ import annotations

import asyncio

import pytest

from hardware.clock import ClockQuality
from hardware.virtual import Deadlock, VirtualClock, run_virtual


def test_a_day_of_two_tasks_keeps_order() -> None:
    async def main() -> list[tuple[float, str]]:
        trace: list[tuple[float, str]] = []

        async def beat(name: str, period: float) -> None:
            while True:
                await asyncio.sleep(period)
                trace.append((asyncio.get_running_loop().time(), name))

        tasks = [asyncio.create_task(beat("a", 3600)), asyncio.create_task(beat("b", 5400))]
        await asyncio.sleep(86_000)
        for task in tasks:
            task.cancel()
        return trace

    trace = run_virtual(main)
    assert [time for time, name in trace if name == "b"] == pytest.approx([5400 * n for n in range(1, 16)], abs=1e-3)
    assert trace == sorted(trace, key=lambda pair: pair[0]) and len(trace) == 23 + 15


def test_nothing_scheduled_is_a_deadlock() -> None:
    async def main() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(Deadlock):
        run_virtual(main)


def test_threads_run_inline() -> None:
    async def main() -> int:
        return await asyncio.to_thread(lambda: 7)

    assert run_virtual(main) == 7


def test_a_node_knows_only_what_it_was_told() -> None:
    async def main() -> None:
        clock = VirtualClock(asyncio.get_running_loop(), true_ms=1_784_000_000_000)
        await asyncio.sleep(10)
        assert clock.stamp().wall_ms is None
        clock.discipline(clock.true_wall_ms(), clock.stamp().mono_ms, ClockQuality.GNSS)
        await asyncio.sleep(5)
        assert clock.stamp().wall_ms == clock.true_wall_ms()
        clock.reboot()
        assert (clock.stamp().boot, clock.stamp().mono_ms, clock.stamp().wall_ms) == (2, 0, None)

    run_virtual(main)

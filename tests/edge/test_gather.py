"""What devices emit reaches the store; when it cannot be held, the loss is counted and said."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge import gather
from edge.gather import Context, Gather
from edge.store.reader import Reader
from edge.store.store import Store
from edge.supervisor import Supervisor, Task
from hardware.clock import SystemClock
from hardware.driver import Health, Heard
from hardware.observation import PROFILE_NAMED, Observation

FIX = PROFILE_NAMED["thermometer"]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store.open(tmp_path / "sanduan.db", 2, ballast=0, machine=tmp_path / "machine-id")
    yield made
    made.close()


def reading(number: int) -> Observation:
    """One reading of a thermometer."""
    return Observation("P1", "t0", FIX, SystemClock(1).stamp(), (number,))


def count(store: Store) -> int:
    reader = Reader(store.path, 2)
    try:
        return reader.counts()["observation"]
    finally:
        reader.close()


async def running(store: Store, emit: Any, heard: list[Heard] | None = None) -> tuple[Gather, Health]:
    """A gather service and one device, whose state is told last; `emit` is called with the device's context."""
    supervisor = Supervisor(store.clock)
    gathered = Gather(store, (heard if heard is not None else []).append)
    supervisor.add(Task("gather", "service", gathered.run))
    reporter = supervisor.add(Task("t0", "device", lambda _: asyncio.sleep(3600)))
    task = asyncio.create_task(supervisor.run())
    await asyncio.sleep(0.05)
    await asyncio.to_thread(emit, Context(gathered, store.clock, reporter))
    await asyncio.sleep(0.3)
    state = reporter.row.state
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    gathered.flush()
    return gathered, state


async def test_a_burst_from_another_thread_is_stored_whole(store: Store) -> None:
    await running(store, lambda context: [context.emit(reading(n)) for n in range(20_000)])
    await asyncio.to_thread(store.close)
    assert count(store) == 20_000


async def test_what_finds_the_queue_full_is_counted_and_said(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gather, "QUEUE", 10)
    monkeypatch.setattr(gather, "GATHER_S", 5.0)

    def emit(context: Context) -> None:
        context.emit(reading(0))
        threading.Event().wait(0.1)  # the first is on its way, the service pauses
        for number in range(1, 16):
            context.emit(reading(number))

    gathered, state = await running(store, emit)
    assert gathered.lost == 5 and state is Health.DEGRADED
    await asyncio.to_thread(store.close)
    assert count(store) == 11


async def test_what_is_no_measurement_goes_to_the_guests_desk(store: Store) -> None:
    heard: list[Heard] = []
    item = Heard("mesh0/!1", "text", "!1", {"text": "到"})
    await running(store, lambda context: context.heard(item), heard)
    assert heard == [item]

"""From devices to the store: a bounded queue of observations written in batches; what was heard goes to the guests' desk."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from edge.store.store import Store
from edge.supervisor import Reporter
from hardware.clock import Clock
from hardware.driver import Health, Heard
from hardware.observation import Observation

QUEUE: Final = 20_000
BATCH: Final = 250  # rows handed to the writer at once, so that urgent ones come between
GATHER_S: Final = 0.05


class Gather:
    """What every device of a node emits, on its way into the store. lost: how much found the queue full; tell: takes what
    is not a measurement."""

    def __init__(self, store: Store, tell: Callable[[Heard], None]) -> None:
        self.lost = 0
        self.tell = tell
        self._store = store
        self._queue: deque[Observation] = deque()
        self._wake = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def put(self, observation: Observation) -> bool:
        """Queue one, from any thread; False when there is no room."""
        if len(self._queue) >= QUEUE:
            self.lost += 1
            return False
        self._queue.append(observation)
        if len(self._queue) == 1 and self._loop is not None:
            self._loop.call_soon_threadsafe(self._wake.set)
        return True

    async def run(self, reporter: Reporter) -> None:
        """Hand the queue to the store until cancelled; what is left then is written by `flush`."""
        self._loop = asyncio.get_running_loop()
        reporter.health(Health.UP)
        while True:
            if not self._queue:
                self._wake.clear()
                if not self._queue:
                    await self._wake.wait()
            self.flush()
            await asyncio.sleep(GATHER_S)

    def flush(self) -> None:
        """Everything queued goes to the store's writer now."""
        while self._queue:
            self._store.write([self._queue.popleft() for _ in range(min(BATCH, len(self._queue)))])


class Context:
    """What the node lends to one running driver."""

    def __init__(self, gather: Gather, clock: Clock, reporter: Reporter) -> None:
        self.clock = clock
        self._gather, self._reporter = gather, reporter

    def emit(self, observation: Observation) -> None:
        """Queue one observation for the store; never blocks."""
        if not self._gather.put(observation):
            self._reporter.health(Health.DEGRADED, "readings lost: the store does not keep up (读数丢失)")

    def heard(self, item: Heard) -> None:
        """Take what is not a measurement."""
        self._gather.tell(item)

    def health(self, state: Health, why: str = "") -> None:
        """Report a change of state."""
        self._reporter.health(state, why)

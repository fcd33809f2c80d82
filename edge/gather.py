"""From devices to the store: a bounded queue of observations written in batches, and what was heard turned into events."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Final

from edge.store.store import Store
from edge.supervisor import Reporter
from hardware.clock import Clock
from hardware.driver import Health, Heard
from hardware.observation import Observation
from sync.events import BY_NAME, key
from sync.ids import Level
from sync.records import Value

QUEUE: Final = 20_000
BATCH: Final = 250  # rows handed to the writer at once, so that urgent ones come between
GATHER_S: Final = 0.05
GUEST: Final = "guest.text"
SPOKEN: Final = ("text", "alert")


class Gather:
    """What every device of a node emits, on its way into the store. lost: how much found the queue full."""

    def __init__(self, store: Store, carriers: Mapping[str, str]) -> None:
        self.lost = 0
        self._store, self._carriers = store, carriers
        self._names: dict[str, str] = {}
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

    def tell(self, item: Heard) -> None:
        """A guest's words become an event at once; a name is kept for the next of them."""
        if item.kind == "name":
            self._names[item.sender] = str(item.body.get("name") or "")
        elif item.kind in SPOKEN:
            self._store.write_event(
                BY_NAME[GUEST].number, self._carriers.get(item.sender, ""), self._words(item), level=Level.GUEST
            )

    def _words(self, item: Heard) -> dict[int, Value]:
        body = item.body
        told: dict[str, Value] = {
            "guest": item.sender,
            "text": str(body.get("text") or item.kind),
            "packet": item.packet,
            "snr": _whole(body.get("snr")),
            "hops": _whole(body.get("hops")),
            "age_s": int(item.age_s),
            "name": self._names.get(item.sender),
        }
        return {key(GUEST, name): value for name, value in told.items() if value is not None}

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


def _whole(value: str | float | None) -> int | None:
    return round(value) if isinstance(value, int | float) else None

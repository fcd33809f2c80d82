"""Brokers for tests: a real mosquitto, and the embedded one; both can be killed, losing their memory, and started again."""

from __future__ import annotations

import asyncio
from typing import Protocol

from bench.rig import free_port
from edge.broker import EmbeddedBroker


class AnyBroker(Protocol):
    """What a test does with a broker."""

    port: int

    async def start(self) -> None: ...
    async def kill(self) -> None: ...


class Embedded:
    """The embedded broker within the test's own loop."""

    def __init__(self, users: dict[str, str] | None = None) -> None:
        self.port = free_port()
        self._users = users
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start, and wait until it listens."""
        broker = EmbeddedBroker("127.0.0.1", self.port, self._users)
        self._task = asyncio.create_task(broker.run())
        await asyncio.wait_for(broker.ready.wait(), 5)

    async def kill(self) -> None:
        """Stop it; its sessions and queues go with it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

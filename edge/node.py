"""A node's moving parts: an exchange, its bearers under the supervisor, and the one thread that both are called on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from edge.link import Link
from edge.supervisor import Backoff, Supervisor, Task
from hardware.clock import Clock
from radios.bearer import Bearer
from sync.exchange import Exchange

P = ParamSpec("P")
T = TypeVar("T")
LINK_BACKOFF = Backoff(first=0.5, ceiling=15.0)


class Node:
    """Exchange and log belong to one thread: reach them through `call` only. Under a VirtualLoop calls run inline."""

    def __init__(self, exchange: Exchange, supervisor: Supervisor, executor: Executor | None = None) -> None:
        self.exchange, self.supervisor = exchange, supervisor
        self.clock: Clock = supervisor.clock
        self.links: dict[str, Link] = {}
        self._executor = executor or ThreadPoolExecutor(1, "exchange")
        self._loop: asyncio.AbstractEventLoop | None = None

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a blocking function on the node's thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, lambda: function(*args, **kwargs))

    def add(self, bearer: Bearer) -> Link:
        """Take a bearer on; before `run`."""
        link = Link(bearer, self.exchange, self.call, self.clock, self._moved)
        self.links[bearer.name] = link
        self.supervisor.add(Task(bearer.name, "link", link.run, LINK_BACKOFF))
        return link

    def nudge(self) -> None:
        """Something was committed: every link asks again."""
        self.exchange.changed()
        self._moved()

    def _moved(self) -> None:
        """A frame came in: every link asks again."""
        for link in self.links.values():
            link.nudge()

    def nudge_from(self, *_: Any) -> None:
        """`nudge` from any thread, such as the store's after a commit."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.nudge)

    async def run(self) -> None:
        """Run every supervised task until cancelled."""
        self._loop = asyncio.get_running_loop()
        await self.supervisor.run()

    def close(self) -> None:
        """Let the thread finish its last call and end."""
        self._executor.shutdown()

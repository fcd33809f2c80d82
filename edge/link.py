"""One bearer and the exchange: frames both ways for as long as the bearer is up, and not a byte more than its budget."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final, Protocol

from edge.supervisor import Reporter, first
from hardware.clock import Clock
from hardware.driver import Health
from hardware.errors import LinkBusy, LinkDown, LinkError, StoreError
from radios.bearer import Bearer, Limits
from sync.exchange import Exchange, Outgoing

log = logging.getLogger(__name__)

LEAST_S: Final = 0.01  # a bearer without budget is asked again no sooner
LINKED: Final = (Health.UP, Health.DEGRADED)


class Caller(Protocol):
    """Runs a blocking function on the node's one thread and gives its result."""

    def __call__(self, function: Callable[..., Any], *args: Any) -> Awaitable[Any]:
        """Run it."""


class Link:
    """A supervised bearer. `nudge` makes it ask the exchange again at once; `moved` is called after each arrival."""

    def __init__(
        self, bearer: Bearer, exchange: Exchange, call: Caller, clock: Clock, moved: Callable[[], None]
    ) -> None:
        self.bearer = bearer
        self._exchange, self._call, self._clock, self._moved = exchange, call, clock, moved
        self._attached: Limits | None = None
        self._held: Outgoing | None = None
        self._wake = asyncio.Event()

    def nudge(self) -> None:
        """Something was committed or came in: ask again."""
        self._wake.set()

    async def run(self, reporter: Reporter) -> None:
        """Keep the bearer open and its frames moving until cancelled, or until the bearer fails."""
        health = self.bearer.health

        def told() -> None:
            if health.state is not reporter.row.state:
                log.info("link %s: %s", self.bearer.name, health.said(self._clock.mono(), self.bearer.budget()))
            reporter.health(health.state, health.why)
            self._wake.set()

        health.told = told
        told()
        try:
            await first(self.bearer.run(), self._receive(), self._send())
        finally:
            await self._detach()

    async def _receive(self) -> None:
        while True:
            arrival = await self.bearer.receive()
            with suppress(StoreError):  # the store tells its own state; the frame will be asked for again
                await self._call(self._exchange.received, self.bearer.name, arrival)
            self._moved()

    async def _send(self) -> None:
        while True:
            self._wake.clear()
            await self._follow()
            wait = await self._step() if self._attached else math.inf
            await self._pause(wait)

    async def _pause(self, wait: float) -> None:
        """Until nudged, or for `wait` seconds."""
        if wait <= 0:
            await asyncio.sleep(0)
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(None if wait == math.inf else wait):
                await self._wake.wait()

    async def _follow(self) -> None:
        """Attach and detach as the bearer's state says."""
        if self.bearer.health.state not in LINKED or self.bearer.limits.mtu <= 0:
            await self._detach()
        elif self._attached != self.bearer.limits:
            await self._detach()
            self._attached = self.bearer.limits
            try:
                await self._call(self._exchange.attach, self.bearer.name, self._attached, self._clock.mono())
            except ValueError as error:  # a card or a setting that is of no use: people are told
                raise LinkError(str(error)) from None

    async def _detach(self) -> None:
        if self._attached is not None:
            self._attached = self._held = None
            await self._call(self._exchange.detach, self.bearer.name, self._clock.mono())

    async def _step(self) -> float:
        """Send at most one frame; seconds until it is worth asking again."""
        wait = 0.0
        if self._held is None:
            budget = self.bearer.budget()
            if budget.bytes_left <= 0 or budget.messages_left <= 0:
                return max(budget.wait_s, LEAST_S)
            self._held, wait = await self._call(self._next, budget)
        if self._held is None:
            return wait
        try:
            await self.bearer.send(self._held.frame, self._held.to)
        except LinkBusy as busy:
            return max(busy.wait_s, LEAST_S)
        except LinkDown:
            pass  # the state that follows detaches; what was lost is sent again
        self._held = None
        return self.bearer.limits.gap_s

    def _next(self, budget: Any) -> tuple[Outgoing | None, float]:
        """On the node's thread: the next frame, or how long to wait for one."""
        now = self._clock.mono()
        frame = self._exchange.outgoing(self.bearer.name, budget, now)
        if frame is not None:
            return frame, 0.0
        return None, max(self._exchange.next_at(self.bearer.name, now) - now, LEAST_S)

"""The positioning receiver inside an RDSS terminal: its NMEA comes over the bearer's port."""

from __future__ import annotations

import asyncio
from typing import Final

from hardware.driver import DriverContext, Health
from hardware.errors import PortSilent
from hardware.gnss.driver import IDLE_S, PAUSE_S
from hardware.gnss.epoch import Fix
from hardware.gnss.observe import Observer
from hardware.gnss.receiver import Receiver

_KEPT: Final = 256  # sentences that may wait for the driver; older ones are dropped


class SharedGnss:
    """A Driver fed by `hear` (the `nmea` of an RdssBearer) instead of a port of its own; PortSilent when nothing comes."""

    def __init__(self, name: str, subject: str, *, sets_clock: bool = True, idle_s: float = IDLE_S) -> None:
        self.name, self.subject, self.sets_clock, self.idle_s = name, subject, sets_clock, idle_s
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue(_KEPT)

    def hear(self, data: bytes) -> None:
        """Take a sentence from the shared line."""
        if self._waiting.full():
            self._waiting.get_nowait()
        self._waiting.put_nowait(data)

    async def run(self, context: DriverContext) -> None:
        """Emit an observation for each epoch until cancelled."""
        receiver, observer = Receiver(), Observer(context.clock, self.subject, self.name, self.sets_clock)
        context.health(Health.DEGRADED, "no fix yet")
        alive_at = context.clock.mono()
        while True:
            data = await self._next()
            now = context.clock.mono()
            for fix in receiver.feed(data, int(now * 1000)):
                self._emit(fix, observer, context)
            if data:
                alive_at = now
                continue
            self._emit(receiver.flush(), observer, context)
            if now - alive_at >= self.idle_s:
                raise PortSilent(f"{self.name}: no positions from the RDSS terminal for {self.idle_s:g} s")

    async def _next(self) -> bytes:
        try:
            async with asyncio.timeout(PAUSE_S):
                return await self._waiting.get()
        except TimeoutError:
            return b""

    def _emit(self, fix: Fix | None, observer: Observer, context: DriverContext) -> None:
        if fix is not None:
            context.emit(observer.take(fix))
            context.health(*((Health.UP, "") if fix.quality else (Health.DEGRADED, "no fix")))

"""The driver of a receiver that speaks NMEA on a port."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from hardware.driver import DriverContext, Health
from hardware.errors import PortError
from hardware.gnss.epoch import Fix
from hardware.gnss.observe import Observer
from hardware.gnss.receiver import Receiver
from hardware.ports import Port, open_port

PAUSE_S: Final = 0.2  # silence on the line that ends an epoch
IDLE_S: Final = 5.0


class GnssDriver:
    """Listens to a receiver, never writes to it; one observation per epoch, of subject `subject`.

    aside: gets every RDSS body when a terminal shares the line. sets_clock: whether trusted time disciplines the
    node's clock and stamps observations (not for recordings of other days). health: UP with a fix, DEGRADED without.
    """

    def __init__(
        self,
        name: str,
        port: str,
        subject: str,
        *,
        baud: int = 115_200,
        idle_s: float = IDLE_S,
        sets_clock: bool | None = None,
        aside: Callable[[bytes], None] | None = None,
    ) -> None:
        self.name, self.port, self.subject, self.baud, self.idle_s = name, port, subject, baud, idle_s
        self.sets_clock = not port.startswith("replay:") if sets_clock is None else sets_clock
        self._aside = aside
        self.receiver = Receiver(aside)

    async def run(self, context: DriverContext) -> None:
        """Open, read and emit until cancelled; PortMissing, PortBusy, PortLost, PortSilent."""
        self.receiver = receiver = Receiver(self._aside)
        observer = Observer(context.clock, self.subject, self.name, self.sets_clock)
        async with await open_port(self.port, baud=self.baud, idle_s=self.idle_s) as port:
            context.health(Health.DEGRADED, "no fix yet")
            try:
                while True:
                    await self._step(port, receiver, observer, context)
            except PortError:
                self._emit(receiver.flush(), observer, context)
                raise

    async def _step(self, port: Port, receiver: Receiver, observer: Observer, context: DriverContext) -> None:
        data = await port.read(PAUSE_S)
        heard = receiver.framer.good
        for fix in receiver.feed(data, int(context.clock.mono() * 1000)):
            self._emit(fix, observer, context)
        if not data:
            self._emit(receiver.flush(), observer, context)
        if receiver.framer.good > heard:
            port.alive()

    def _emit(self, fix: Fix | None, observer: Observer, context: DriverContext) -> None:
        if fix is None:
            return
        context.emit(observer.take(fix))
        if fix.quality:
            context.health(Health.UP)
        else:
            context.health(Health.DEGRADED, f"no fix, {sum(fix.in_view.values())} satellites in view")

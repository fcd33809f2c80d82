"""A bearer within one process, and a hostile one: whatever links do to frames, this one does on purpose and from a seed."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass
from typing import Final

from hardware.clock import Clock
from hardware.driver import Health
from hardware.errors import FrameTooLong, LinkBusy, LinkDown
from radios.bearer import Arrival, Budget, Inbox, Limits, LinkHealth

ARRIVALS: Final = 256
LIMITS: Final = Limits(mtu=65_000, rate=10_000_000.0, broadcast=True)


@dataclass(frozen=True, slots=True)
class Harm:
    """What befalls each frame, for each listener anew. Probabilities 0..1; a reordered frame takes up to `late_s` more.

    corrupt: one bit is turned over; shorten: the frame is cut off somewhere.
    """

    drop: float = 0.0
    duplicate: float = 0.0
    corrupt: float = 0.0
    shorten: float = 0.0
    reorder: float = 0.0
    delay_s: float = 0.0
    late_s: float = 1.0


class Loopback:
    """What its ends are connected by. done: how often each harm was done; `harm` may be changed at any time."""

    def __init__(self, limits: Limits = LIMITS, harm: Harm | None = None, seed: int = 0) -> None:
        self.limits, self.harm = limits, harm or Harm()
        self.done: Counter[str] = Counter()
        self.chance = random.Random(seed)
        self.ends: dict[str, LoopbackBearer] = {}

    def end(self, address: str, clock: Clock, name: str = "loopback") -> LoopbackBearer:
        """One more end; the others know it by `address`."""
        bearer = self.ends[address] = LoopbackBearer(self, address, clock, name)
        return bearer

    def cut(self, *addresses: str) -> None:
        """Take these ends off the link, all of them when none is named; what is under way to them is lost."""
        self._turn(addresses, False)

    def mend(self, *addresses: str) -> None:
        """Put them back."""
        self._turn(addresses, True)

    def carry(self, by: str, frame: bytes, to: str) -> None:
        """Send a frame as the end `by` does: to one end, or to all others when `to` is empty."""
        for address in self.ends:
            if address != by and (not to or to == address):
                for copy in self._copies(frame):
                    asyncio.get_running_loop().call_later(self._delay_s(), self._arrive, by, copy, address)

    def _turn(self, addresses: tuple[str, ...], connected: bool) -> None:
        for address in addresses or tuple(self.ends):
            self.ends[address].plugged(connected)

    def _copies(self, frame: bytes) -> list[bytes]:
        """What a listener gets of a frame: none, one or two copies, each perhaps damaged."""
        if self._befalls("drop", self.harm.drop):
            return []
        return [self._damaged(frame) for _ in range(2 if self._befalls("duplicate", self.harm.duplicate) else 1)]

    def _damaged(self, frame: bytes) -> bytes:
        if frame and self._befalls("corrupt", self.harm.corrupt):
            at = self.chance.randrange(len(frame))
            frame = frame[:at] + bytes([frame[at] ^ 1 << self.chance.randrange(8)]) + frame[at + 1 :]
        if frame and self._befalls("shorten", self.harm.shorten):
            frame = frame[: self.chance.randrange(len(frame))]
        return frame

    def _delay_s(self) -> float:
        late = self._befalls("reorder", self.harm.reorder)
        return self.harm.delay_s + (self.chance.random() * self.harm.late_s if late else 0.0)

    def _befalls(self, what: str, probability: float) -> bool:
        struck = self.chance.random() < probability
        self.done[what] += struck
        return struck

    def _arrive(self, by: str, frame: bytes, address: str) -> None:
        self.ends[address].take(Arrival(frame, by, self.ends[address].clock.mono()))


class LoopbackBearer:
    """One end of a Loopback; `to` and Arrival.peer are the addresses of its ends."""

    def __init__(self, link: Loopback, address: str, clock: Clock, name: str) -> None:
        self.name, self.address, self.clock = name, address, clock
        self.limits, self.health = link.limits, LinkHealth(since=clock.mono())
        self._link = link
        self._plugged, self._running = True, False
        self._free_at = 0.0
        self._inbox = Inbox(ARRIVALS)

    async def run(self) -> None:
        """Be on the link until cancelled."""
        self._running = True
        try:
            self.plugged(self._plugged)
            await asyncio.Event().wait()
        finally:
            self._running = False
            self.health.turn(Health.OFF, "stopped", self.clock.mono())

    async def send(self, frame: bytes, to: str = "") -> None:
        """Put a frame on the link at the link's rate; LinkDown, LinkBusy or FrameTooLong."""
        if len(frame) > self.limits.mtu:
            raise FrameTooLong(f"{len(frame)} bytes, at most {self.limits.mtu}")
        if self.health.state is not Health.UP:
            raise LinkDown(self.health.why)
        if not self.budget().messages_left:
            raise LinkBusy("the last frames are still under way", self.budget().wait_s)
        now = self.clock.mono()
        self._free_at = now + max(self.limits.gap_s, len(frame) / self.limits.rate)
        before = self._link.done["drop"]
        self._link.carry(self.address, frame, to)
        self.health.proved(float(self._link.done["drop"] > before))
        self.health.sent(len(frame), now)

    async def receive(self) -> Arrival:
        """The next frame."""
        return await self._inbox.get()

    def budget(self) -> Budget:
        """One frame as soon as the last has gone out; none without the link."""
        if self.health.state is not Health.UP:
            return Budget(0, 0, 1.0)
        wait = self._free_at - self.clock.mono()
        return Budget(0, 0, wait) if wait > 0 else Budget(self.limits.mtu, 1)

    def plugged(self, connected: bool) -> None:
        """The link is cut or mended for this end."""
        self._plugged = connected
        if self._running:
            state, why = (Health.UP, f"{len(self._link.ends)} ends") if connected else (Health.DOWN, "cut")
            self.health.turn(state, why, self.clock.mono())

    def take(self, arrival: Arrival) -> None:
        """A frame has come; nobody hears it while this end is off the link."""
        if self.health.state is Health.UP:
            self._inbox.take(arrival, self.health)

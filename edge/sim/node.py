"""A simulated node: the real exchange over a log on a simulated disk, its links, and everything that can befall a machine."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from edge.sim.disk import PowerCut
from edge.sim.medium import Medium
from edge.sim.world import Handle, World
from hardware.errors import StoreError
from radios.bearer import Arrival, Budget, Limits

BOOT_S: Final = 5.0  # from power to the first frame
LEAST_S: Final = 0.05  # a link is asked again no sooner


class Sent(Protocol):
    """A frame to be sent, and to whom: "" for everybody in reach."""

    @property
    def frame(self) -> bytes:
        """The frame."""

    @property
    def to(self) -> str:
        """The bearer's address of the receiver."""


class Talker(Protocol):
    """What the simulator asks of an exchange (sync.exchange.Exchange); times are the node's own monotonic seconds."""

    def attach(self, bearer: str, limits: Limits, now: float) -> None:
        """The link came up."""

    def detach(self, bearer: str, now: float) -> None:
        """The link went down."""

    def changed(self) -> None:
        """The log changed from elsewhere."""

    def received(self, bearer: str, arrival: Arrival) -> object:
        """A frame came in."""

    def outgoing(self, bearer: str, budget: Budget, now: float) -> Sent | None:
        """The next frame for a link, None when there is none now."""

    def next_at(self, bearer: str, now: float) -> float:
        """When to ask again; infinity: after the next nudge."""


Build = Callable[[], Talker]  # an exchange over what the disk holds


class SimNode:
    """One machine. `build` is called at each boot, so that whatever was only in memory is gone after a crash.

    Monotonic time begins anew at each boot. refused: frames whose storing failed.
    """

    def __init__(self, world: World, name: str, build: Build, media: Iterable[Medium]) -> None:
        self.world, self.name = world, name
        self.media = {medium.name: medium for medium in media}
        self.exchange: Talker | None = None
        self.lose_power: Callable[[], None] = self.crash  # what a power cut in a write does to the machine
        self.boots = self.refused = 0
        self._build = build
        self._booted = 0.0
        self._attached: dict[str, None] = {}  # in order, so that one seed gives one trace
        self._due: dict[str, Handle] = {}
        for medium in self.media.values():
            medium.watch(self._links_changed)

    @property
    def running(self) -> bool:
        """Whether the machine is on."""
        return self.exchange is not None

    def mono(self) -> float:
        """The node's own monotonic seconds."""
        return self.world.now - self._booted

    # what befalls it

    def boot(self) -> None:
        """Power on: everything is built anew from the disk."""
        if self.exchange is not None:
            return
        self._booted, self.boots = self.world.now, self.boots + 1
        self.exchange = self._build()
        self.world.note(self.name, "boot")
        for medium in self.media.values():
            medium.join(self.name, self._hears(medium.name))
        self._links_changed()

    def crash(self, back_s: float | None = BOOT_S) -> None:
        """Power cut or SIGKILL: memory is gone, the disk stays; back after so many seconds, None for never."""
        self.world.note(self.name, "crash")
        self.exchange = None
        self._attached.clear()
        for handle in self._due.values():
            handle.cancel()
        for medium in self.media.values():
            medium.leave(self.name)
        if back_s is not None:
            self.world.after(back_s, self.boot)

    # the pump

    def nudge(self) -> None:
        """Something was committed: every link asks again now."""
        if self.exchange is not None:
            self.exchange.changed()
        for name in self._attached:
            self._ask(name, self.world.now)

    def _links_changed(self) -> None:
        """Attach and detach as the links come and go."""
        exchange = self.exchange
        if exchange is None:
            return
        for name, medium in self.media.items():
            up = medium.up(self.name)
            if up and name not in self._attached:
                self._attached[name] = None
                exchange.attach(name, medium.limits, self.mono())
                self._ask(name, self.world.now)
            elif not up and name in self._attached:
                self._attached.pop(name, None)
                exchange.detach(name, self.mono())

    def _hears(self, bearer: str) -> Callable[[bytes, str], None]:
        return lambda frame, peer: self._heard(bearer, frame, peer)

    def _heard(self, bearer: str, frame: bytes, peer: str) -> None:
        exchange = self.exchange
        if exchange is None:
            return
        try:
            exchange.received(bearer, Arrival(frame, peer, self.mono()))
        except PowerCut:
            self.lose_power()
        except StoreError as error:
            self.refused += 1
            self.world.note(self.name, "store", str(error))
        self._follow()

    def _follow(self) -> None:
        """Ask each link when the exchange says it has something for it."""
        exchange = self.exchange
        if exchange is None:
            return
        for name in self._attached:
            self._ask(name, self.world.now + exchange.next_at(name, self.mono()) - self.mono())

    def _ask(self, name: str, when: float) -> None:
        """Have the link pumped at `when`, unless it is due earlier anyway."""
        due = self._due.get(name)
        if when == math.inf or (due is not None and due.call is not None and due.when <= when):
            return
        if due is not None:
            due.cancel()
        self._due[name] = self.world.at(when, lambda: self._pump(name))

    def _pump(self, name: str) -> None:
        """Send one frame, if there is one and the budget allows, and come back for the next."""
        exchange, medium = self.exchange, self.media[name]
        if exchange is None or name not in self._attached:
            return
        budget = medium.budget(self.name)
        if budget.bytes_left <= 0 or budget.messages_left <= 0:
            self._ask(name, self.world.now + max(budget.wait_s, LEAST_S))
            return
        try:
            frame = exchange.outgoing(name, budget, self.mono())
        except PowerCut:
            self.lose_power()
            return
        least = LEAST_S
        if frame is not None:
            medium.send(self.name, frame.frame, frame.to)
            least = max(least, medium.budget(self.name).wait_s)
        wait = exchange.next_at(name, self.mono()) - self.mono()
        self._ask(name, self.world.now + max(wait, least))

"""A configured node as it runs: store, devices, links and services under one supervisor, for every role.

Roles differ by rows of ROLES, not by code. `run_role` keeps a node running until SIGTERM or Ctrl-C, then stops it cleanly:
what was emitted is stored, links say goodbye, the store is closed.
"""

from __future__ import annotations

import asyncio
import logging
import random
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge import desk, keys
from edge.alone import alone
from edge.bearers import Site, bearer, hub
from edge.carry import Courier
from edge.config import Config, Named
from edge.drivers import Place, builtin, factory
from edge.gather import Context, Gather
from edge.guests import Guests
from edge.identity.steward import Steward
from edge.intents import Intents
from edge.link import LINKED
from edge.node import Node
from edge.people import write_people
from edge.pictures import Painter, plan_of
from edge.privacy import Privacy
from edge.status import Status
from edge.sticks import usual_places
from edge.store.log import StoreLog
from edge.store.retention import Keep
from edge.store.store import Fresh, Store
from edge.supervisor import Reporter, Supervisor, Task, Work, first
from edge.supervisor import run as run_loop
from edge.tracks import Tracker
from hardware.driver import Driver, Health
from radios.bearer import Limits
from sync.exchange import Exchange
from sync.exchange.policy import Policy
from sync.seal.contract import Role

if TYPE_CHECKING:
    from radios.rdss.gnss import SharedGnss

log = logging.getLogger(__name__)

UNPACK: Final = 16  # blocks turned into rows at a time
LIFE_S: Final = 10.0  # seconds that a life of the store lasts at least, whatever others prove
LOG_FILES: Final = 2
TO_GUESTS: Final = ("meshtastic", "rdss")  # links that reach stock radios and terminals too
FORM: Final = "%(asctime)s %(levelname)s %(message)s"


@dataclass(frozen=True, slots=True)
class Part:
    """What a role is beside its configuration. hub: the far end of MQTT; passes: keeps and forwards what it cannot read;
    tracks: draws the ways of whom its own devices place."""

    hub: bool = False
    passes: bool = False
    tracks: bool = False


ROLES: Final = {
    "agent": Part(tracks=True),
    "unit": Part(tracks=True),
    "relay": Part(passes=True),
    "central": Part(hub=True),
}


def run_role(config: Config) -> int:
    """Run a node until it is told to stop; exit status. ConfigError and StoreError when it cannot start."""
    _log_to(config)
    return run_loop(_run(config))


def _log_to(config: Config) -> None:
    """Log lines to the configured file, rotated, or to standard error."""
    file = config.log["file"]
    handler: logging.Handler = logging.StreamHandler(sys.stderr)
    if file:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        handler = RotatingFileHandler(
            file, maxBytes=config.log["size_mb"] << 20, backupCount=LOG_FILES, encoding="utf-8"
        )
    logging.basicConfig(level=config.log["level"].upper(), format=FORM, handlers=[handler], force=True)


async def _run(config: Config) -> int:
    held = keys.of(config)
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    disk = config.station["disk_mb"]
    keep = Keep(central=frozenset(config.incident["central"]), quota=None if disk is None else disk << 20)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
    with alone(config.store):
        while not stop.is_set():
            with closing(Store.open(config.store, held.node, keep=keep, incident=held.charter.incident)) as store:
                station = Station(config, held, store)
                try:
                    await first(station.run(), _until(stop), _outlived(store))
                finally:
                    station.close()
    log.info("%s: stopped", config.station["id"])
    return 0


async def _until(stop: asyncio.Event) -> None:
    await stop.wait()


async def _outlived(store: Store) -> None:
    """Until another copy of the store uses its numbers; never sooner than LIFE_S after it was opened."""
    await asyncio.sleep(LIFE_S)
    while True:
        if store.alarm:
            log.warning("%s: a new life of the store begins (存储启用新编号): %s", store.path, store.alarm)
            return
        await asyncio.sleep(1.0)


class Station:
    """One node over an open store: made from its configuration, run by `run`, ended by cancelling that and `close`."""

    def __init__(self, config: Config, held: keys.Identity, store: Store) -> None:
        self.config, self.keys, self.store = config, held, store
        self.part = ROLES[config.station["role"]]
        self.keyring = held.keyring(store.life.incarnation)
        self.anchor = desk.anchor(config, held)
        self.log = StoreLog(store, self.keyring, self.anchor)
        self.steward = Steward(held, self.keyring, store, self.log)
        self.supervisor = Supervisor(store.clock)
        chance = random.Random()
        exchange = Exchange(self.log, self.keyring, self._policy(), chance)
        self.node = Node(exchange, self.supervisor)
        self.guests = Guests(store, self._carriers())
        self.gather = Gather(store, self.guests.heard)
        self.courier: Courier | None = None
        self.place = Place(config.station["id"], store.clock, self._carriers())
        self.painter = self._painter()
        self.tracker = (
            Tracker(store, StoreLog(store, self.keyring, self.anchor), self.anchor) if self.part.tracks else None
        )
        self._services()
        self._devices()
        self._links()
        store.watch(self.node.nudge_from)
        if not self.part.passes:
            write_people(store, config)

    def _policy(self) -> Policy:
        """Whose receipts count as delivered, and whether this node passes on what it cannot read."""
        central, disk = frozenset(self.config.incident["central"]), self.config.station["disk_mb"]
        policy = Policy(central=central, relay=self.part.passes, members=self.keyring.directory.keys())
        return policy if disk is None else replace(policy, quota_disk=(disk << 20) * 3 // 4)

    def _carriers(self) -> dict[str, str]:
        """Radio address -> who carries it."""
        return {person.options["device"]: person.name for person in self.config.people if person.options["device"]}

    # what runs

    def _services(self) -> None:
        self._add("gather", "service", self.gather.run)
        status = Status(self.config, self.store, self.node, self.gather, lambda: self.courier, self.keys)
        self._add("status", "service", status.run)
        self._add("unpack", "service", self._unpack)
        self._add("trust", "service", partial(self.steward.run, self.node.call, self.node.nudge))
        privacy = Privacy(self.store, self.log, self.config.privacy["vital_days"])
        self._add("privacy", "service", partial(privacy.run, self.node.call))
        if self.painter is not None:
            paint = partial(self.painter.run, self.node.call, self._limits, self.node.exchange.shows, self.node.nudge)
            self._add("pictures", "service", paint)
        if self.tracker is not None:
            self._add("tracks", "service", partial(self.tracker.run, self.node.nudge))
        if not self.part.passes:
            self._add("intents", "service", Intents(self.store, self.keys.role is Role.COMMAND).run)
        watch = self.config.sticks["watch"]
        places = usual_places() if watch is None else tuple(map(Path, watch))
        if places:
            self.courier = Courier(
                self.log, self.keyring, self.store.clock, self.node.call, places, moved=self.node.nudge_from
            )
            self._add("sticks", "service", self.courier.run)

    def _painter(self) -> Painter | None:
        """Who shows others what this node knows, in its role's way."""
        plan = plan_of(self.config.station["role"], self.config.incident["central"], self.keys.node)
        if plan is None or not self.config.station["pictures"]:
            return None
        return Painter(self.store, self.log, self.anchor, plan, self._up)

    def _limits(self) -> list[Limits]:
        """What the links that are up can carry."""
        return [link.bearer.limits for link in self.node.links.values() if link.bearer.health.state in LINKED]

    def _up(self) -> set[str]:
        """Kinds of the links that are up."""
        kinds = {named.name: named.kind for named in self.config.bearers}
        up = (name for name, link in self.node.links.items() if link.bearer.health.state in LINKED)
        return {kinds.get(name, name) for name in up}

    def _devices(self) -> None:
        for named in self.config.devices:
            self._device(named, "device")
        for named in self.config.wearables:
            self._device(named, "wearable")

    def _device(self, named: Named, kind: str) -> None:
        driver = factory(named.kind)(named.name, named.options, self.place)
        if self.part.passes:
            return  # its radio carries links; what it hears is not for this node to read
        self._add(named.name, kind, partial(self._drive, driver), blocking=not builtin(named.kind))

    async def _drive(self, driver: Driver, reporter: Reporter) -> None:
        await driver.run(Context(self.gather, self.store.clock, reporter))

    def _links(self) -> None:
        hear = dict(self._terminals())
        site = Site(
            self.keys.node, self.part.hub, self.store.clock, self.keyring, self.config.store.parent, self.place.shared,
            {named.name: hear[named.name].hear if named.name in hear else _unheard for named in self.config.bearers},
            self.gather.tell,
        )  # fmt: skip
        for name, terminal in hear.items():
            self._add(f"{name}.gnss", "device", partial(self._drive, terminal))
        if self.part.hub and not self.config.bearers:
            serve, link = hub(self.config.broker, site)
            self._add("broker", "service", serve)
            self.node.add(link)
        for named in self.config.bearers:
            link = bearer(named, site)
            self.node.add(link)
            if named.kind in TO_GUESTS:
                from edge.outlets import outlet

                if (reached := outlet(link)) is not None:
                    self.guests.add(reached)
        if not self.part.passes:
            self._add("guests", "service", self.guests.run)

    def _terminals(self) -> Iterator[tuple[str, SharedGnss]]:
        """The receivers inside RDSS terminals, by their bearer's name."""
        for named in self.config.bearers:
            if named.kind == "rdss" and named.options["gnss"]:
                from radios.rdss.gnss import SharedGnss

                yield named.name, SharedGnss(f"{named.name}.gnss", named.options["subject"] or self.place.station)

    def _add(self, name: str, kind: str, work: Work, blocking: bool = False) -> None:
        self.supervisor.add(Task(name, kind, work, blocking=blocking))

    async def _unpack(self, reporter: Reporter) -> None:
        """On a thread of its own, behind whatever the links bring: committed blocks to rows, many waiting rows to blocks."""
        loop, came = asyncio.get_running_loop(), asyncio.Event()
        worker, thread = StoreLog(self.store, self.keyring, self.anchor), ThreadPoolExecutor(1, "unpack")

        def told(fresh: Fresh) -> None:
            if fresh.blocks or worker.ripe():
                loop.call_soon_threadsafe(came.set)

        self.store.watch(told)
        reporter.health(Health.UP)
        try:
            while True:
                came.clear()
                while await loop.run_in_executor(thread, worker.work, UNPACK):
                    pass
                await came.wait()
        finally:
            thread.shutdown()  # it may be at work still
            worker.close()

    async def run(self) -> None:
        """Run everything until cancelled."""
        name, role = self.config.station["id"], self.config.station["role"]
        log.info("%s: %s, node %d, store %s", name, role, self.keys.node, self.config.store)
        await self.node.run()

    def close(self) -> None:
        """Store what is still queued and let go of the log; the store stays open."""
        self.gather.flush()
        self.node.close()
        self.steward.close()
        if self.painter is not None:
            self.painter.close()
        if self.tracker is not None:
            self.tracker.close()
        self.log.close()


def _unheard(data: bytes) -> None:
    """Nobody listens to the terminal's positions."""

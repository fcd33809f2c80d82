"""The simulated field of a scenario: machines with real stores, seals and exchanges, and a record of what each came to know."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from edge.exercise.devices import SPAN_S, Devices
from edge.exercise.scenario import Actor, Scenario
from edge.exercise.trust import identities
from edge.identity.steward import Steward
from edge.pictures import LOOK_S, Painter, plan_of, room
from edge.sim.medium import Medium
from edge.sim.node import SimNode
from edge.sim.world import Handle, World
from edge.store.connect import fetch, open_reader
from edge.store.log import StoreLog
from edge.store.reader import Reader
from edge.store.retention import Keep
from edge.store.store import Fresh, Store
from hardware.clock import ClockQuality, plausible
from hardware.virtual import VirtualClock
from sync.events import BY_NAME, KINDS, key
from sync.exchange import Exchange
from sync.ids import Lane, Level, Source
from sync.intake import Report
from sync.manifest import Manifest
from sync.ranges import Ranges
from sync.records import Event, EventId, Value
from sync.seal.contract import Role
from sync.seal.keyring import Keyring

TRUST_S: Final = 10.0  # from a commit of blocks until what they tell of trust is looked at
FIX_S: Final = 60.0  # from boot to the first position, which sets the clock


@dataclass(slots=True)
class Knowledge:
    """What one machine came to know. seen: events by id with the true second of their commit; shown: how often each was new."""

    seen: dict[EventId, float] = field(default_factory=dict)
    events: dict[EventId, Event] = field(default_factory=dict)
    shown: dict[EventId, int] = field(default_factory=lambda: defaultdict(int))
    observations: int = 0


@dataclass(slots=True)
class Notes:
    """What acts leave for judges, by node and mule: what was known before a power cut or a full disk, its rows by minute, and when
    it was back; what was loaded with what the loader then held; what unloading brought and how many events were new; true
    casualties; recorded frames."""

    before: dict[str, tuple[frozenset[EventId], int]] = field(default_factory=dict)
    rows: dict[str, Mapping[int, int]] = field(default_factory=dict)
    back: dict[str, float] = field(default_factory=dict)
    loaded: dict[str, tuple[Manifest, Mapping[Source, Ranges]]] = field(default_factory=dict)
    unloaded: dict[tuple[str, str], tuple[Report, int]] = field(default_factory=dict)
    casualties: dict[str, str] = field(default_factory=dict)
    recorded: list[bytes] = field(default_factory=list)


class Usage(NamedTuple):
    """How full a simulated disk is, in bytes."""

    total: int
    free: int


class Machine:
    """One node of the field: its disk, clock, keys and, while it runs, its exchange."""

    def __init__(self, field: Field, actor: Actor, media: Sequence[Medium]) -> None:
        self.field, self.actor = field, actor
        self.name, self.origin = actor.name, actor.origin
        self.known = Knowledge()
        self.rtc_ms: int | None = None  # what a dead RTC shows after a power cut
        self.node = SimNode(field.world, actor.name, self._build, media)
        self.store: Store
        self.log: StoreLog
        self.ring: Keyring
        self.steward: Steward
        self.exchange: Exchange
        self.clock: VirtualClock
        self._path = field.folder / f"{actor.name}.db"
        self.chance = field.world.chance(f"machine {actor.name}")
        self._devices = Devices(actor, field.scenario.anchor, field.world.chance(f"devices {actor.name}"))
        self.plan = plan_of(actor.role, field.central, actor.origin) if actor.pictures else None
        self._painter: Painter | None = None
        self._painting: Handle | None = None
        self._open = self._called = False
        self._disk, self._others = 0, 0  # of a disk that is nearly full: its size, and what others fill of it

    def _build(self) -> Exchange:
        """Everything anew from the disk, as at each start of the program."""
        self.close()
        field = self.field
        machine = field.folder / "machine-id"
        self.store = Store.open(
            self._path, self.origin, clock=self._clock, ballast=0, threaded=False, machine=machine, below=self.chance.randrange,
            keep=Keep(field.central, usage=self._usage),
        )  # fmt: skip
        identity = field.identities[self.origin]
        self.ring = identity.keyring(self.store.life.incarnation)
        self.log = StoreLog(self.store, self.ring, field.scenario.anchor)
        self.steward = Steward(identity, self.ring, self.store, self.log)
        if self.plan is not None:
            self._painter = Painter(self.store, self.log, field.scenario.anchor, self.plan, self._up)
        self._open = True
        self.store.watch(self._saw)
        self.exchange = field.exchange(self)
        if self._painting is not None:
            self._painting.cancel()
        self._painting = field.world.after(self.chance.uniform(0.1, SPAN_S), self.paint)
        return self.exchange

    def _clock(self, boot: int) -> VirtualClock:
        """The clock after a start: the RTC's time where it is plausible, GNSS time from the first fix on."""
        world = self.field.world
        self.clock = VirtualClock(world, self.field.scenario.start_ms, boot)
        rtc, self.rtc_ms = self.rtc_ms, None
        if rtc is None:
            self.clock.set(self.clock.true_wall_ms(), ClockQuality.RTC)
        elif plausible(rtc):
            self.clock.set(rtc, ClockQuality.RTC)
        clock = self.clock
        world.after(FIX_S, lambda: clock.set(clock.true_wall_ms(), ClockQuality.GNSS))
        return clock

    def close(self) -> None:
        """Let the store's file go."""
        if self._open:
            if self._painter is not None:
                self._painter.close()
            self.steward.close()
            self.log.close()
            self.store.close()
            self._open = False

    def fill(self, total: int, share: float) -> None:
        """From now on the disk has `total` bytes, of which others and the store fill a share."""
        self._disk, self._others = total, int(total * share) - self._size()

    def _usage(self, folder: Path) -> Usage:
        return Usage(self._disk, self._disk - self._others - self._size()) if self._disk else Usage(1 << 40, 1 << 40)

    def _size(self) -> int:
        files = (self._path, self._path.with_name(self._path.name + "-wal"))
        return sum(each.stat().st_size for each in files if each.exists())

    def _up(self) -> set[str]:
        """Kinds of its links that are up now."""
        return {medium.name for medium in self.node.media.values() if medium.up(self.name)}

    @property
    def running(self) -> bool:
        """Whether it is on."""
        return self.node.running

    def crash(self, back_s: float | None, rtc_ms: int | None = None) -> None:
        """Power cut: what was acknowledged is on the disk, everything else is gone."""
        self.node.crash(None)
        self.close()
        self.rtc_ms = rtc_ms
        if back_s is not None:
            self.field.world.after(back_s, self.node.boot)

    def event(
        self, kind: str, body: Mapping[str, Value], to: Sequence[int] = (), valid_s: int | None = None, actor: str = ""
    ) -> Event:
        """Store an event of this machine, as a person or a rule would."""
        keyed = {key(kind, name): value for name, value in body.items()}
        event = self.store.write_event(BY_NAME[kind].number, actor, keyed, to=to, valid_s=valid_s).result()
        self.node.nudge()
        return event

    def stored(self) -> frozenset[EventId]:
        """The events on its disk, read anew."""
        conn = open_reader(self._path)
        found = fetch(conn, self._path, "SELECT origin, incarnation, number FROM event")
        conn.close()
        return frozenset(EventId(*row) for row in found)

    def heard(self, link: str) -> set[int]:
        """Whom its link board shows as heard lately."""
        lines = self.exchange.status(self.node.mono())["lines"] if self.running else ()
        return {node for line in lines if line["name"] == link for node in line["heard"]}

    def refused(self) -> int:
        """How much its exchange refused since it was switched on."""
        return sum(self.exchange.status(self.node.mono())["refused"].values()) if self.running else 0

    def look(self) -> Reader:
        """What a screen at this machine reads; to be closed."""
        return Reader(self._path, self.origin, self.field.central, clock=lambda _: self.clock)

    def rows(self) -> dict[int, int]:
        """Rows of its own devices on its disk by the minute of their measuring, of this boot."""
        conn = open_reader(self._path)
        boot = self.clock.stamp().boot
        found = fetch(conn, self._path, _ROWS, (*self.store.place, boot))
        conn.close()
        return dict(found)

    def trust(self) -> None:
        """Take in what blocks tell of keys and revocations, and tell one's own."""
        self._called = False
        if self.running and self.steward.step():
            self.node.nudge()

    def observe(self) -> None:
        """Store the latest observations of everybody and everything here."""
        if self.running and (rows := list(self._devices.due(self.field.world.now, self.clock.stamp()))):
            self.known.observations += self.store.write(rows).result()
            self.node.nudge()

    def paint(self) -> None:
        """Show others what this machine knows, in one short block for the narrowest of its links; again when that has left."""
        if not self.running or self._painter is None:
            return
        now = self.node.mono()
        pause = self._painter.pause_s(self.exchange.shows(now), self.clock.mono())
        if pause <= 0:
            self.observe()
            links = [medium.limits for medium in self.node.media.values() if medium.up(self.name)]
            if self._painter.paint(room(links)) is not None:
                self.node.nudge()
        self._painting = self.field.world.after(max(pause, LOOK_S), self.paint)

    def _saw(self, fresh: Fresh) -> None:
        """After each commit: note which events this machine knows since when."""
        known, now = self.known, self.field.world.now
        if fresh.blocks and not self._called:
            self._called = True
            self.field.world.after(TRUST_S, self.trust)
        for event, level in fresh.events:
            if level is Level.QUARANTINE:
                continue
            known.shown[event.id] += 1
            if event.id not in known.seen:
                known.seen[event.id] = now
                known.events[event.id] = event
                self.field.world.note(self.name, "knows", event.id)
                self.field.react(self, event)


_ROWS: Final = (
    "SELECT o.mono_ms / 60000, count(*) FROM observation o JOIN stream s ON s.id = o.stream WHERE s.origin = ? AND s.incarnation = ? "
    "AND o.boot = ? GROUP BY 1"
)
Exchanges = Callable[[Machine], Exchange]  # the exchange of a machine that starts, over its log


class Field:
    """All machines and links of a scenario under one seed and loss."""

    def __init__(self, scenario: Scenario, folder: Path, seed: int, loss: float, exchange: Exchanges) -> None:
        self.scenario, self.folder, self.exchange = scenario, folder, exchange
        self.world = World(seed)
        self.seed = f"{scenario.name}/{seed}".encode()
        self.central = frozenset(actor.origin for actor in scenario.actors.values() if actor.role == "central")
        self.roles = {actor.origin: _role(actor) for actor in scenario.actors.values()}
        names = {actor.origin: actor.name for actor in scenario.actors.values()}
        self.identities = identities(folder, self.seed, scenario.name, scenario.anchor, self.roles, names)
        self.media = {spec.name: Medium(self.world, spec) for spec in scenario.with_loss(loss)}
        for name, groups in scenario.groups.items():
            if groups:
                self.media[name].split(*groups)
        self.machines = {
            actor.name: Machine(self, actor, [medium for medium in self.media.values() if actor.name in medium.spec.members])
            for actor in scenario.actors.values()
        }  # fmt: skip
        self.facts: dict[str, Event] = {}  # events of the timeline by their key
        self.written: dict[str, float] = {}  # and the second at which each was written
        self.sticks: dict[str, Path] = {}
        self.notes = Notes()
        self.reactions: list[Callable[[Machine, Event], None]] = []
        (folder / "machine-id").write_text("one machine stands for all of them")

    def start(self) -> None:
        """Switch everything on that the timeline does not keep off at first, and let observations come in."""
        late = {step.args.get("node") for step in self.scenario.timeline if step.do == "off" and step.at == 0}
        for machine in self.machines.values():
            if machine.name not in late:
                machine.node.boot()
            end = self.scenario.hours * 3600
            self.world.every(SPAN_S, machine.observe, first=SPAN_S, until=end)

    def react(self, machine: Machine, event: Event) -> None:
        """People and rules answer what they see."""
        for reaction in self.reactions:
            reaction(machine, event)

    def reached(self, name: str) -> set[str]:
        """Machines from which frames may get to this one now, over others too."""
        found, todo = {name}, [name]
        while todo:
            machine = self.machines[todo.pop()]
            near = {each for medium in machine.node.media.values() for each in medium.reaches(machine.name)} - found
            todo += near
            found |= near
        return found

    def close(self) -> None:
        """Let every file go."""
        for machine in self.machines.values():
            machine.close()

    def urgent(self, machine: Machine) -> frozenset[EventId]:
        """The flash and command events that a machine knows."""
        return frozenset(each for each, event in machine.known.events.items() if KINDS[event.kind].lane in (Lane.FLASH, Lane.COMMAND))  # fmt: skip


def _role(actor: Actor) -> Role:
    if actor.role == "relay":
        return Role.RELAY
    if actor.command or actor.role == "central":
        return Role.COMMAND
    return Role.MEDIC if actor.medic else Role.MEMBER

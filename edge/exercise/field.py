"""The simulated field of a scenario: machines with real stores, seals and exchanges, and a record of what each came to know."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from edge.exercise.scenario import Actor, Scenario
from edge.sim.medium import Medium
from edge.sim.node import SimNode, Talker
from edge.sim.world import World
from edge.store.connect import fetch, open_reader
from edge.store.log import StoreLog
from edge.store.store import Fresh, Store
from hardware.clock import ClockQuality, plausible
from hardware.observation import PROFILE_NAMED, Observation, Profile
from hardware.virtual import VirtualClock
from sync.events import BY_NAME, KINDS, key
from sync.ids import Lane, Level, Source
from sync.intake import Report
from sync.manifest import Manifest
from sync.ranges import Ranges
from sync.records import Event, EventId, Value
from sync.seal.contract import Role
from sync.seal.demo import demo_keyring
from sync.seal.keyring import Keyring

BEAT_S: Final = 60.0  # observations of a minute are stored together
WORN_S: Final = 10.0  # one observation each from wearables and receivers
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
    """What acts leave for judges, by node and mule: what was known before a power cut and when it was back; what was loaded
    with what the loader then held; what unloading brought and how many events were new; true casualties; recorded frames."""

    before: dict[str, tuple[frozenset[EventId], int]] = field(default_factory=dict)
    back: dict[str, float] = field(default_factory=dict)
    loaded: dict[str, tuple[Manifest, Mapping[Source, Ranges]]] = field(default_factory=dict)
    unloaded: dict[tuple[str, str], tuple[Report, int]] = field(default_factory=dict)
    casualties: dict[str, str] = field(default_factory=dict)
    recorded: list[bytes] = field(default_factory=list)


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
        self.clock: VirtualClock
        self._path = field.folder / f"{actor.name}.db"
        self.chance = field.world.chance(f"machine {actor.name}")
        self._open = False

    def _build(self) -> Talker:
        """Everything anew from the disk, as at each start of the program."""
        self.close()
        field = self.field
        machine = field.folder / "machine-id"
        self.store = Store.open(
            self._path, self.origin, clock=self._clock, ballast=0, threaded=False, machine=machine, below=self.chance.randrange
        )  # fmt: skip
        self.ring = demo_keyring(field.seed, field.roles, self.origin, self.store.life.incarnation)
        self.log = StoreLog(self.store, self.ring, field.scenario.anchor)
        self._open = True
        self.store.watch(self._saw)
        return field.exchange(self)

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
            self.log.close()
            self.store.close()
            self._open = False

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

    def observe(self) -> None:
        """Store a minute's observations of everybody and everything here."""
        if self.running and (rows := list(self._minute())):
            self.known.observations += self.store.write(rows).result()
            self.node.nudge()

    def _minute(self) -> list[Observation]:
        stamp = self.clock.stamp()
        rows = []
        for person in range(1, self.actor.people + 1):
            subject = f"{self.name}-{person}"
            rows += [self._row(subject, "strap", PROFILE_NAMED["wearable"], at) for at in range(int(BEAT_S // WORN_S))]
        for number, device in enumerate(self.actor.devices):
            count = int(BEAT_S // WORN_S) if device == "fix" else 1
            rows += [
                self._row(f"{self.name}/{device}{number}", device, PROFILE_NAMED[device], at) for at in range(count)
            ]
        return rows if stamp is not None else []

    def _row(self, subject: str, source: str, profile: Profile, at: int) -> Observation:
        """One reading, `at` periods ago: a slow walk of every value."""
        stamp = self.clock.stamp()
        back = int(at * WORN_S * 1000)
        wall = None if stamp.wall_ms is None else stamp.wall_ms - back
        then = type(stamp)(stamp.boot, max(0, stamp.mono_ms - back), wall, stamp.quality)
        values = tuple(100 + column + self.chance.randrange(8) for column in range(len(profile.columns)))
        return Observation(subject, source, profile, then, values)

    def _saw(self, fresh: Fresh) -> None:
        """After each commit: note which events this machine knows since when."""
        known, now = self.known, self.field.world.now
        for event, level in fresh.events:
            if level is Level.QUARANTINE:
                continue
            known.shown[event.id] += 1
            if event.id not in known.seen:
                known.seen[event.id] = now
                known.events[event.id] = event
                self.field.world.note(self.name, "knows", event.id)
                self.field.react(self, event)


Exchanges = Callable[[Machine], Talker]  # the exchange of a machine that starts, over its log


class Field:
    """All machines and links of a scenario under one seed and loss."""

    def __init__(self, scenario: Scenario, folder: Path, seed: int, loss: float, exchange: Exchanges) -> None:
        self.scenario, self.folder, self.exchange = scenario, folder, exchange
        self.world = World(seed)
        self.seed = f"{scenario.name}/{seed}".encode()
        self.roles = {actor.origin: _role(actor) for actor in scenario.actors.values()}
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
            self.world.every(BEAT_S, machine.observe, first=BEAT_S, until=self.scenario.hours * 3600)

    def react(self, machine: Machine, event: Event) -> None:
        """People and rules answer what they see."""
        for reaction in self.reactions:
            reaction(machine, event)

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

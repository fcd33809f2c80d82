"""A node's pictures: its people, and what it counts of the scene, sealed into the picture lane at a steady pace.

One short block tells of everybody, never one packet for each wearable. Forms take turns by a schedule: the force with heart-rate
cells for those who may see vital signs, the force for all, the scene. The newest replaces the older on every link.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from edge.folds import ALARM_KINDS, alarms, text
from edge.scenes import scene_values
from edge.store.connect import open_reader
from edge.store.log import StoreLog
from edge.store.reader import Latest, Reader, Sight
from edge.store.sights import FORCE, force_list
from edge.store.store import Store
from edge.supervisor import Reporter
from hardware.driver import Health
from hardware.kinds import BY_NAME as KIND
from radios.bearer import Limits
from sync.codec.picture_chain import Chain
from sync.codec.picture_people import MAX_PEOPLE, Form, Member
from sync.codec.scene import Scene, encode_scene
from sync.events import key
from sync.ids import BlockId, Content, KeyClass, Lane
from sync.records import Anchor, Value

ROOM: Final = 63  # bytes of a body that one BeiDou message of 78 bytes carries, sealed
LEAST_ROOM: Final = 24
MOST_ROOM: Final = 185
SEALED: Final = 15  # bytes around a body that travels bare, where the network names the sender
FRAMED: Final = 27  # and at most in a frame with a hop MAC
IDLE_S: Final = 5.0  # nothing to show yet: look again
LOOK_S: Final = 1.0  # whether a picture has left is looked at so often
PULSE_S: Final = 180  # an older heart rate is not shown
LAT, LON = KIND["pos.lat"].number, KIND["pos.lon"].number
PULSES: Final = (KIND["vital.hr"].number, KIND["vital.pulse"].number)
SIGNS: Final = (KIND["vital.alarm"].number, KIND["vital.man_down"].number)
WORN: Final = frozenset(
    kind.number for kind in KIND.values() if kind.name.startswith("vital.")
)  # who has these is a person


VITAL, PLAIN = Form.FORCE_VITAL, Form.FORCE


@dataclass(frozen=True, slots=True)
class Plan:
    """everyone: all the force that this node knows of, or only those whom its own devices measure; turns: forms one after
    another, one each `every_s`, an odd number of them, so that a link that takes every second picture shows each form;
    listeners: whose word decides what may be built upon (roster indexes)."""

    everyone: bool
    turns: tuple[Form, ...] = (VITAL, PLAIN, VITAL, VITAL, PLAIN, VITAL, VITAL, PLAIN, Form.SCENE)
    listeners: frozenset[int] = frozenset()
    every_s: float = 58.0  # so that the next one is there when a card that sends once a minute can take it


# What each role shows: a unit its own people, a vehicle everybody and the scene, a centre the scene and what it heard.
PLANS: Final = {
    "agent": Plan(True),
    "unit": Plan(False, (Form.FORCE_VITAL, Form.FORCE), every_s=30.0),
    "central": Plan(True, (Form.SCENE,)),
}


def plan_of(role: str, central: Collection[int], node: int) -> Plan | None:
    """What a node of a role shows, for the centrals of its incident to follow; None where it shows nothing."""
    plan = PLANS.get(role)
    return None if plan is None else replace(plan, listeners=frozenset(central) - {node})


class Painter:
    """Makes a node's pictures; `paint` belongs to the thread on which its log is used. up: kinds of links that work now."""

    def __init__(
        self, store: Store, log: StoreLog, anchor: Anchor, plan: Plan, up: Callable[[], Collection[str]] = tuple
    ) -> None:
        self.plan, self._up = plan, up
        self._store, self._log = store, log
        self._chains = {vitals: Chain(anchor, vitals, plan.listeners) for vitals in (False, True)}
        self._turn, self._waits = 0, False
        self._since = store.clock.mono() - plan.every_s
        self._places: list[str] = []
        self._conn = open_reader(store.path)
        self._reader = Reader(store.path, store.origin, clock=lambda _: store.clock)

    def close(self) -> None:
        """Let the reading connections go."""
        self._reader.close()
        self._conn.close()

    async def run(
        self,
        call: Callable[..., Awaitable[Any]],
        links: Callable[[], Iterable[Limits]],
        waits: Callable[[float], bool],
        painted: Callable[[], None],
        reporter: Reporter,
    ) -> None:
        """Paint at the plan's pace until cancelled; links: what those that are up can carry; waits: whether the last picture still
        waits for one of them."""
        reporter.health(Health.UP)
        clock = self._store.clock
        while True:
            pause = self.pause_s(await call(waits, clock.mono()), clock.mono())
            if pause > 0:
                await asyncio.sleep(pause)
            elif await call(self.paint, room(links())) is not None:
                painted()

    def pause_s(self, waits: bool, now: float) -> float:
        """Seconds until it is worth looking again; 0 when the next picture is due: `every_s` after the last one left by all links,
        so that it is made when a link that takes one a minute can take it, or after it was made while it still waits."""
        if self._waits and not waits:
            self._waits, self._since, self._turn = False, now, self._turn + 1
        pause = max(0.0, self._since + self.plan.every_s - now)
        return min(pause, LOOK_S) if self._waits else pause

    def paint(self, budget: int = ROOM) -> BlockId | None:
        """The next picture, durable and in its lane; None when there is nothing to show."""
        budget, now = min(max(budget, LEAST_ROOM), MOST_ROOM), self._store.clock.mono()
        sight = self._reader.sight()
        for _ in self.plan.turns:
            form = self.plan.turns[self._turn % len(self.plan.turns)]
            made = self._scene(sight, budget) if form is Form.SCENE else self._force(sight, form, budget)
            if made is not None:
                self._waits, self._since = True, now
                return made
            self._turn += 1
        self._since = now - self.plan.every_s + IDLE_S
        return None

    def _scene(self, sight: Sight, budget: int) -> BlockId | None:
        """What is counted, and as many of the pictures heard as there is room for."""
        values = scene_values(self._reader, sight, self._up())
        heard = self._log.album.heard() if not self.plan.listeners else {}
        body = encode_scene(Scene(values, heard=heard))
        while len(body) > budget and heard:
            heard.popitem()
            body = encode_scene(Scene(values, heard=heard))
        return self._put(body, KeyClass.FIELD)

    def _force(self, sight: Sight, form: Form, budget: int) -> BlockId | None:
        vitals = form is Form.FORCE_VITAL
        alarmed = self._alarmed()
        self._enlist(sight)
        if not self._places:
            return None
        people = [_member(sight.latest.get(subject, {}), subject in alarmed) for subject in self._places]
        chain, number = self._chains[vitals], self._next()
        if self._waits:
            chain.undo()
        for listener in self.plan.listeners:
            if (told := self._log.album.told.get(listener)) is not None:
                chain.told(listener, told.get((self._store.origin, vitals)))
        base = chain.base(number, len(people))
        body, force = chain.next(number, people, budget)
        made = self._put(body, KeyClass.VITAL if vitals else KeyClass.FIELD)
        if made.number == number:
            chain.keep(force, base)
        return made

    def _put(self, body: bytes, key_class: KeyClass) -> BlockId:
        return self._log.put(Lane.PICTURE, Content.PICTURE, body, key_class)

    def _next(self) -> int:
        """The number that the next block of the picture lane will have."""
        sql = "SELECT next FROM counter WHERE incarnation = ? AND name = ?"
        found = self._conn.execute(sql, (self._store.place.incarnation, f"block{int(Lane.PICTURE)}")).fetchone()
        return int(found[0]) if found else 0

    def _alarmed(self) -> set[str]:
        marks = ", ".join("?" * len(ALARM_KINDS))
        lines = self._reader.events(
            f"WHERE e.kind IN ({marks}) ORDER BY e.lamport, e.origin, e.number", ALARM_KINDS, {}
        )
        return {alarm.subject for alarm in alarms(lines) if alarm.active}

    def _enlist(self, sight: Sight) -> None:
        """Give everybody who has none a place in the force list, and tell the others; places are never given anew."""
        if not self._places:
            known = force_list(self._conn, self._store.origin, self._store.place.incarnation)
            self._places = [known[place] for place in sorted(known)]
        missing = sorted(self._wanted(sight) - set(self._places), key=lambda who: _rank(sight, who))
        missing = missing[: MAX_PEOPLE - len(self._places)]
        if missing:
            body: dict[int, Value] = {key("force", "first"): len(self._places), key("force", "subjects"): list(missing)}
            self._store.write_event(FORCE, "", body).result()
            self._places += missing

    def _wanted(self, sight: Sight) -> set[str]:
        """Whom the plan shows: people with a name, or who wear something that measures."""
        people = set(sight.people) | {who for who, values in sight.latest.items() if WORN & set(values)}
        if self.plan.everyone:
            return people
        own = self._conn.execute("SELECT DISTINCT subject FROM stream WHERE origin = ?", (self._store.origin,))
        return people & {subject for (subject,) in own}


def room(links: Iterable[Limits]) -> int:
    """Bytes of a body that the narrowest of these links carries in one frame; ROOM without any."""
    rooms = [each.mtu - (SEALED if each.names_sender else FRAMED) for each in links if Lane.PICTURE in each.lanes]
    return min(rooms, default=ROOM)


def _rank(sight: Sight, subject: str) -> tuple[str, str]:
    """People of one unit stand together."""
    line = sight.people.get(subject)
    return (text(line.event, "unit") if line else "", subject)


def _member(values: Mapping[int, Latest], alarmed: bool) -> Member:
    """A person as the latest state knows them; age is that of the place, else of the pulse."""
    lat, lon = (_degrees(values.get(kind)) for kind in (LAT, LON))
    pulses = [each for each in (values.get(kind) for kind in PULSES) if each is not None and each.value is not None]
    fresh = [each for each in pulses if each.age_s is not None and each.age_s <= PULSE_S]
    dated = values.get(LAT) if lat is not None else (pulses[0] if pulses else None)
    age = None if dated is None or dated.age_s is None else int(dated.age_s)
    sign = any(_set(values.get(kind)) for kind in SIGNS)
    return Member(
        lat if lon is not None else None, lon if lat is not None else None, _beats(fresh), alarmed or sign, age
    )


def _degrees(reading: Latest | None) -> int | None:
    """1e-7 degrees."""
    if reading is None or reading.value is None:
        return None
    shift = reading.exponent + 7
    scale: int = 10 ** abs(shift)
    return reading.value * scale if shift >= 0 else reading.value // scale


def _beats(pulses: Iterable[Latest]) -> int | None:
    return next((round(each.real) for each in pulses if each.real is not None), None)


def _set(reading: Latest | None) -> bool:
    return reading is not None and reading.value == 1 and reading.age_s is not None and reading.age_s <= PULSE_S

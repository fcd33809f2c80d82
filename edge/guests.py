"""Guests: stock Meshtastic phones and ordinary BeiDou terminals, taking part in plain words at a level of their own.

What they say is kept as they said it, and what the grammar understands (edge/guest_words.py) becomes an event besides; all of
it at level GUEST, by an actor whose name says so, and never a command. Orders, evacuations and roll calls of command go out to
them as text, marks as waypoints, alarms as alerts. docs/guests.md tells people how.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import random
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Final, Protocol

from edge import guest_words
from edge.crowd import SENDERS, WINDOW_S, Crowd, Weight
from edge.folds import EPISODE, EVACUATE, OVER, field, lifted
from edge.store.reader import EventLine, Reader
from edge.store.store import Fresh, Store
from edge.supervisor import Reporter
from hardware.clock import Clock
from hardware.driver import Health, Heard
from hardware.errors import FrameTooLong, LinkBusy, LinkDown
from sync.events import BY_NAME, KINDS, key
from sync.ids import Level
from sync.records import Event, EventId, Value
from sync.trust.standing import GUEST_ACTOR, Standing, standing

LATE_S: Final = 120.0  # after a start, what is older was told before
MARK: Final = "◆"  # begins what nodes write to guests, so that no other node takes it for a guest's words
QUEUE: Final = 64
JITTER_S: Final = 8.0  # so that of several nodes in reach one speaks and the others hear it
PATIENCE_S: Final = 900.0
LOOK_S: Final = 0.2  # events that come together are looked at together
CROWDED: Final = "guests say more than is taken (来宾信息过多,部分未收)"
SPOKEN: Final = ("text", "alert")


@dataclass(frozen=True, slots=True)
class Note:
    """What guests are told: words, whether it should ring, and a place in 1e-7 degrees with a number that names it."""

    text: str
    rings: bool = False
    place: tuple[int, int, int] | None = None


class Outlet(Protocol):
    """A link that reaches guests."""

    async def say(self, note: Note, to: str) -> None:
        """Tell one guest by address, or all where `to` is empty; raises LinkDown, LinkBusy or FrameTooLong."""

    def whom(self, present: Sequence[str]) -> Sequence[str]:
        """How to reach those of the guests present that this link reaches: addresses, or [""] for one send to all."""


@dataclass(frozen=True, slots=True)
class Telling:
    """How events of a kind are told. again_s: seconds after the event at which it is said; format: of the body's fields."""

    zh: str
    en: str
    fields: tuple[str, ...]
    rings: bool = False
    again_s: tuple[float, ...] = (0.0,)


TELLINGS: Final[dict[int, Telling]] = {
    BY_NAME[name].number: telling
    for name, telling in {
        "evacuate": Telling("撤离", "EVACUATE", ("area", "text", "route"), True, (0.0, 60.0, 300.0)),
        "rollcall": Telling("点名 回 安N缺M", "ROLL CALL reply PAR N", ("area", "text"), False, (0.0, 120.0)),
        "order": Telling("命令 回 收到", "ORDER reply ROGER", ("text", "place"), False, (0.0, 120.0)),
        "mark": Telling("标注", "MARK", ("what", "text")),
        "sos": Telling("求救", "SOS", ("subject", "text"), True),
    }.items()
}
LIFTED: Final = Telling("解除撤离", "EVACUATION OVER", ("area", "text"), True, (0.0, 60.0))
_MEMBERS: Final = frozenset(BY_NAME[name].number for name in ("mark", "sos"))  # not commands, but told from members on
_LATEST: Final = f"WHERE e.kind IN ({', '.join(str(kind) for kind in TELLINGS)}) ORDER BY e.id DESC LIMIT 32"


class Guests:
    """Takes what radios heard (`heard`), and as a service tells guests what concerns them."""

    def __init__(
        self,
        store: Store,
        carriers: Mapping[str, str],
        chance: random.Random | None = None,
    ) -> None:
        self.refused = 0  # sayings beyond the bounds of edge/crowd.py
        self._store, self._carriers, self._chance = store, carriers, chance or random.Random()
        self._names: OrderedDict[str, str] = OrderedDict()
        self._crowds: defaultdict[str, Crowd] = defaultdict(Crowd)  # by the link that heard them
        self._packets: OrderedDict[tuple[str, int], None] = OrderedDict()
        self._rollcall: EventId | None = None
        self._order: EventId | None = None
        self._known: OrderedDict[EventId, str] = OrderedDict()  # with the words for it
        self._channels: list[Channel] = []
        self._wake = asyncio.Event()

    def add(self, outlet: Outlet) -> None:
        """Reach guests over this one too; before `run`."""
        self._channels.append(Channel(outlet, self._store.clock))

    # ---- what guests say

    def heard(self, item: Heard) -> None:
        """Words, a place or a name of a guest, as a driver or bearer reports it."""
        if item.kind == "name":
            self._keep_name(item.sender, str(item.body.get("name") or ""))
        elif item.kind in SPOKEN and not self._again(item):
            self._words(item, str(item.body.get("text") or item.kind))
        elif item.kind == "waypoint" and not self._again(item):
            self._place(item)

    def _words(self, item: Heard, text: str) -> None:
        if text.startswith(MARK):
            if item.body.get("to") == "":  # by another node, to everybody; said to us alone it has told nobody
                for channel in self._channels:
                    channel.said(text)
            return
        acts, crowd, now = guest_words.read(text), self._crowd(item), self._store.clock.mono()
        sos = any(_begins(act) for act in acts) and crowd.cries(item.sender, now)
        weight = crowd.weigh(item.sender, now)
        if weight is Weight.REFUSED and not sos:
            self._refuse()
            return
        told: dict[str, Value] = {
            "guest": item.sender,
            "text": text,
            "packet": item.packet,
            "snr": _whole(item.body.get("snr")),
            "hops": _whole(item.body.get("hops")),
            "age_s": int(item.age_s),
            "name": self._names.get(item.sender),
        }
        urgent = sos or weight is Weight.URGENT
        self._write("guest.text" if urgent else "guest.words", item, told)
        for act in acts:
            if sos if _begins(act) else weight is Weight.URGENT:
                self._act(item, act)

    def _act(self, item: Heard, act: guest_words.Said) -> None:
        """One act as an event, completed with what only this node knows."""
        who = self._carriers.get(item.sender, item.sender)
        fields: dict[str, Value] = dict(act.fields)
        if act.kind == "sos":
            fields |= {"subject": who, "episode": _episode(item)}
            if not _begins(act):
                self._crowd(item).calmed(item.sender)
        elif act.kind == "checkin":
            fields |= {"subject": who}
        elif act.kind == guest_words.ANSWER:
            fields |= {"unit": who, "of": _id(self._rollcall)}
        elif act.kind == "receipt":
            if self._order is None:
                return  # of nothing: the words are kept
            fields |= {"of": _id(self._order)}
        self._write(act.kind, item, fields)

    def _place(self, item: Heard) -> None:
        """A waypoint is a mark."""
        if item.body.get("lat_e7") is None:
            return
        if self._crowd(item).weigh(item.sender, self._store.clock.mono()) is not Weight.URGENT:
            self._refuse()
            return
        number, lat, lon = (_whole(item.body.get(name)) for name in ("id", "lat_e7", "lon_e7"))
        what = str(item.body.get("name") or "")
        told: dict[str, Value] = {
            "mark": f"{item.sender}.{number}",
            "what": what,
            "lat": None if lat is None else lat // 10,
            "lon": None if lon is None else lon // 10,
            "text": str(item.body.get("text") or ""),
        }
        self._write("mark", item, told)

    def _write(self, kind: str, item: Heard, fields: Mapping[str, Value]) -> None:
        body = {key(kind, name): value for name, value in fields.items() if value is not None}
        actor = f"{GUEST_ACTOR}{self._carriers.get(item.sender, item.sender)}"
        self._store.write_event(BY_NAME[kind].number, actor, body, level=Level.GUEST)

    def _keep_name(self, sender: str, name: str) -> None:
        self._names[sender] = name
        if len(self._names) > SENDERS:
            self._names.popitem(last=False)

    def _again(self, item: Heard) -> bool:
        """Whether another radio of this node brought the same packet before."""
        if item.packet is None:
            return False
        each = (item.sender, item.packet)
        known = each in self._packets
        self._packets[each] = None
        if len(self._packets) > 4 * SENDERS:
            self._packets.popitem(last=False)
        return known

    def _crowd(self, item: Heard) -> Crowd:
        """Each link has its own bounds: its addresses are as good as it makes them, and BeiDou's cannot be made up."""
        return self._crowds[item.source.partition("/")[0]]

    def _refuse(self) -> None:
        self.refused += 1
        self._wake.set()

    def _crowded(self) -> bool:
        """Whether something was refused of late."""
        now = self._store.clock.mono()
        return any(each.refused_at is not None and now - each.refused_at < WINDOW_S for each in self._crowds.values())

    # ---- what guests are told

    @property
    def present(self) -> list[str]:
        """Addresses of the guests heard within the last hours."""
        now = self._store.clock.mono()
        return [sender for crowd in self._crowds.values() for sender in crowd.present(now)]

    async def run(self, reporter: Reporter) -> None:
        """Watch the store and tell guests until cancelled."""
        loop, first = asyncio.get_running_loop(), True

        def told(fresh: Fresh) -> None:
            if fresh.events and not loop.is_closed():
                loop.call_soon_threadsafe(self._wake.set)

        self._store.watch(told)
        async with asyncio.TaskGroup() as group:
            for channel in self._channels:
                group.create_task(channel.run(lambda: self.present))
            with closing(Reader(self._store.path, self._store.origin, clock=lambda boot: self._store.clock)) as reader:
                while True:
                    self._wake.clear()
                    self._look(reader.events(_LATEST, (), {}), LATE_S if first else math.inf)
                    first = False
                    crowded = self._crowded()
                    reporter.health(*((Health.DEGRADED, CROWDED) if crowded else (Health.UP, "")))
                    with suppress(TimeoutError):
                        async with asyncio.timeout(WINDOW_S if crowded else None):
                            await self._wake.wait()
                    await asyncio.sleep(LOOK_S)

    def _look(self, lines: Iterable[EventLine], latest_s: float) -> None:
        """Plan the tellings of events not seen before, and no more of evacuations that were taken back."""
        lines = sorted(lines, key=lambda line: line.event.lamport)
        gone = lifted(lines)
        for text in (self._known[each] for each in gone if each in self._known):
            for channel in self._channels:
                channel.said(text)
        for line in lines:
            event = line.event
            if event.id in self._known or not self._concerns_guests(line):
                continue
            self._known[event.id] = note_of(line).text
            if len(self._known) > 4 * SENDERS:
                self._known.popitem(last=False)
            if KINDS[event.kind].name == "rollcall":
                self._rollcall = event.id
            if KINDS[event.kind].command:
                self._order = event.id
            if (line.age_s or 0.0) <= latest_s and event.id not in gone:
                self._plan(line)

    def _concerns_guests(self, line: EventLine) -> bool:
        """Commands that may be acted on, and members' marks and SOS; addressed to everybody, or to this node's people."""
        event = line.event
        if event.to and self._store.origin not in event.to:
            return False
        stands = standing(event, line.level, line.age_s or 0.0)
        if event.kind in _MEMBERS:
            return stands is Standing.SHOWN and line.level >= Level.MEMBER and field(event, "state") != guest_words.OVER
        return stands is Standing.ACTIONABLE

    def _plan(self, line: EventLine) -> None:
        now, note = self._store.clock.mono() + self._chance.random() * JITTER_S, note_of(line)
        for again in telling_of(line.event).again_s:
            for channel in self._channels:
                channel.plan(now + again, note)


class Channel:
    """What waits to be told over one outlet, in its time and as the link has room."""

    def __init__(self, outlet: Outlet, clock: Clock) -> None:
        self._outlet, self._clock = outlet, clock
        self._due: list[
            tuple[float, float, Note, str | None]
        ] = []  # when to try, since when, what, whom (None: all present)
        self._wake = asyncio.Event()

    def plan(self, at: float, note: Note, to: str | None = None) -> None:
        """Tell this at a monotonic time; the latest to come is refused when too much waits."""
        if len(self._due) < QUEUE:
            self._due.append((at, at, note, to))
            self._wake.set()

    def said(self, text: str) -> None:
        """Somebody else said it."""
        self._due = [each for each in self._due if each[2].text != text]

    async def run(self, present: Callable[[], list[str]]) -> None:
        """Tell until cancelled."""
        while True:
            self._wake.clear()
            now = self._clock.mono()
            self._due.sort(key=lambda each: (max(each[0], now), each[1]))  # of what is due the longest waiting first
            wait = self._due[0][0] - self._clock.mono() if self._due else None
            if wait is not None and wait <= 0:
                await self._next(present())
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._wake.wait()

    async def _next(self, present: list[str]) -> None:
        _, since, note, to = self._due.pop(0)
        now = self._clock.mono()
        if to is None:
            self._due += [(now, since, note, each) for each in self._outlet.whom(present)]
            return
        with suppress(LinkDown, FrameTooLong):
            try:
                await self._outlet.say(note, to)
            except LinkBusy as busy:
                if now - since < PATIENCE_S:
                    self._due.append((now + max(busy.wait_s, LOOK_S), since, note, to))


def telling_of(event: Event) -> Telling:
    """How an event is told to guests; KeyError where it is not."""
    return LIFTED if event.kind == EVACUATE and field(event, "state") == OVER else TELLINGS[event.kind]


def note_of(line: EventLine) -> Note:
    """An event in one line for people without a node, Chinese first."""
    event, telling = line.event, telling_of(line.event)
    said = [str(value) for name in telling.fields if (value := field(event, name))]
    lat, lon = field(event, "lat"), field(event, "lon")
    place = None
    if isinstance(lat, int) and isinstance(lon, int):
        place = (int.from_bytes(_digest(repr(tuple(event.id)), 4), "big"), lat * 10, lon * 10)
    return Note(f"{MARK}{telling.zh} {telling.en}: {' · '.join(said)}".rstrip(": "), telling.rings, place)


def _begins(act: guest_words.Said) -> bool:
    return act.kind == "sos" and "state" not in act.fields


def _episode(item: Heard) -> bytes | None:
    """The same at every node that heard the packet; None where packets have no number, and each SOS is an episode of its own."""
    return None if item.packet is None else _digest(f"guest sos {item.sender} {item.packet}", EPISODE)


def _digest(text: str, size: int) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=size).digest()


def _id(event: EventId | None) -> list[Value] | None:
    return None if event is None else list(event)


def _whole(value: str | float | None) -> int | None:
    return round(value) if isinstance(value, int | float) else None

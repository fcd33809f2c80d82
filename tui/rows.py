"""From a snapshot of the store to the rows of a scene: pure functions; `late` is how many seconds ago the snapshot was taken."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from edge.folds import ACK, EVACUATE, OVER, ROLLCALL, Alarm, Stage, answers, episode_of, field, progress, receipts, text
from edge.store.reader import EventLine, Latest, Snapshot
from hardware.kinds import BY_NAME, KINDS, Kind, unknown
from sync.events import KINDS as EVENTS
from sync.ids import Lane, Level
from sync.records import Event, EventId, Truth
from sync.trust.standing import GUEST_ACTOR, GUEST_SAYINGS, Standing, standing
from tui.scene import AlarmRow, Answer, EventRow, LaneRow, PersonRow, Reach, Reading, RollCall, Where
from tui.telling import tell
from tui.words import Said

LAT, LON, ALT = (BY_NAME[name].number for name in ("pos.lat", "pos.lon", "pos.alt"))
FIX, SATS, BEIDOU = (BY_NAME[name].number for name in ("pos.fix", "pos.sats", "pos.sats_beidou"))
ALARM_BITS: Final = ("vital.alarm", "vital.man_down")
URGENT: Final = ("alarm", "sos", "evacuate", "rollcall")
ASKING: Final = ("message", "order", "evacuate", "rollcall")  # what somebody wants an answer to
QUIET: Final = ("receipt", "person", "roster", "force")  # shown in what they change, not as news
PLACE_S: Final = 60.0
AREA: Final = 64  # characters of an area in an intent
NOTHING: Final = ("", "")
EARTH_M: Final = 6_371_000.0
Latests = Mapping[int, Latest]


def kind_of(number: int) -> Kind:
    """The registry's row of a kind, or a plain one."""
    return KINDS.get(number) or unknown(number)


def aged(age_s: float | None, late: float) -> float | None:
    """An age of a while ago, now."""
    return None if age_s is None else age_s + late


def where(latest: Latests, late: float) -> Where | None:
    """Where the newest fix puts a subject; None without one."""
    lat, lon = _real(latest, LAT), _real(latest, LON)
    if lat is None or lon is None:
        return None
    fix, sats, beidou = (_whole(latest, kind) for kind in (FIX, SATS, BEIDOU))
    return Where(lat, lon, _real(latest, ALT), fix or 0, sats, beidou, aged(latest[LAT].age_s, late))


def _real(latest: Latests, kind: int) -> float | None:
    return latest[kind].real if kind in latest else None


def _whole(latest: Latests, kind: int) -> int | None:
    value = _real(latest, kind)
    return None if value is None else int(value)


def apart(here: tuple[float, float], there: tuple[float, float]) -> tuple[float, float]:
    """Metres and bearing (degrees from north) from one place to another; good to a few metres over tens of kilometres."""
    mean = math.radians((here[0] + there[0]) / 2)
    north = math.radians(there[0] - here[0]) * EARTH_M
    east = math.radians((there[1] - here[1] + 180) % 360 - 180) * EARTH_M * math.cos(mean)
    return math.hypot(north, east), math.degrees(math.atan2(east, north)) % 360


def reading(number: int, latest: Latest, late: float) -> Reading:
    """One newest value."""
    kind = kind_of(number)
    decimals = min(max(0, -latest.exponent), 1 if kind.name.startswith(("vital.", "dev.")) else 7)
    return Reading(
        latest.real, aged(latest.age_s, late), kind.stale_s, latest.quality, decimals, latest.source, latest.level
    )


def people(
    snapshot: Snapshot,
    known: Mapping[str, tuple[str, str]],
    station: str,
    alarms: Iterable[Alarm],
    checked: Mapping[str, EventLine],
    late: float,
) -> tuple[PersonRow, ...]:
    """Everyone the roster knows, and every other subject with a pulse, a place, an alarm or a check-in. known: id -> name and unit."""
    told = {subject: (text(line.event, "name"), text(line.event, "unit")) for subject, line in snapshot.people.items()}
    names = {**known, **told}
    here = where(snapshot.latest.get(station, {}), late)
    alarmed = {alarm.subject: alarm for alarm in alarms if alarm.active}
    alive = (subject for subject, latest in snapshot.latest.items() if _alive(latest))
    subjects = {*names, *alive, *filter(None, (*alarmed, *checked))}
    rows = []
    for subject in sorted(subjects):
        if subject == station or subject.startswith(f"{station}."):
            continue  # this node and its further receivers
        name, unit = names.get(subject, ("", ""))
        trouble = _without(subject, alarmed[subject].line.event) if subject in alarmed else None
        row = _person(subject, name, unit, snapshot.latest.get(subject, {}), here, trouble, late)
        rows.append(replace(row, checked_s=aged(checked[subject].age_s, late)) if subject in checked else row)
    return tuple(rows)


def _without(subject: str, event: Event) -> Said:
    """What is wrong, without repeating with whom; an SOS without a word is still one."""
    kind = EVENTS[event.kind]
    zh, en = (text.removeprefix(subject).strip() for text in tell(event))
    return zh or kind.zh, en or kind.en


def _alive(latest: Latests) -> bool:
    return any(number == LAT or kind_of(number).name.startswith("vital.") for number in latest)


def _person(
    subject: str, name: str, unit: str, latest: Latests, here: Where | None, trouble: Said | None, late: float
) -> PersonRow:
    readings = {kind_of(number).name: reading(number, value, late) for number, value in latest.items()}
    ages = [each.age_s for each in readings.values() if each.age_s is not None]
    spot = where(latest, late)
    place = None if spot is None else (spot.lat, spot.lon)
    metres = bearing = None
    if here is not None and spot is not None and _recent(here) and _recent(spot):
        metres, bearing = apart((here.lat, here.lon), (spot.lat, spot.lon))
    bits = [bit for bit in ALARM_BITS if bit in readings and readings[bit].fresh and readings[bit].value == 1]
    newest = min(latest.values(), key=lambda value: math.inf if value.age_s is None else value.age_s, default=None)
    level = Level.ORIGIN if newest is None else newest.level
    alarm = trouble or ((BY_NAME[bits[0]].zh, BY_NAME[bits[0]].en) if bits else NOTHING)
    truth, within_m = (latest[LAT].truth, latest[LAT].bound_m) if place else (Truth.EXACT, 0)
    age = min(ages, default=None)
    return PersonRow(subject, name, readings, age, unit, place, metres, bearing, alarm, level, truth, within_m)


def _recent(spot: Where) -> bool:
    return spot.age_s is not None and spot.age_s <= PLACE_S


def backlog(snapshot: Snapshot, late: float) -> tuple[LaneRow, ...]:
    """What has not reached central, by lane, most urgent first."""
    rows = (row for row in snapshot.backlog if row.lane is not Lane.PICTURE)
    return tuple(LaneRow(row.lane.name.lower(), row.waiting, aged(row.oldest_s, late)) for row in rows)


class Telling:
    """What events need to be drawn as rows: which node this is, names of nodes, whose having it is delivery, whom a command to
    everybody is for, what relays hold, what each episode of an alarm is about, and which evacuations were taken back."""

    def __init__(
        self,
        node: int,
        names: Mapping[int, str],
        everyone: tuple[int, ...],
        others: tuple[int, ...],
        relayed: frozenset[str],
        episodes: Mapping[bytes, Said],
        lifted: frozenset[EventId],
    ) -> None:
        self.node, self.names, self.everyone, self.others = node, names, everyone, others
        self.relayed, self.episodes, self.lifted = relayed, episodes, lifted

    def events(self, lines: Iterable[EventLine], said: Iterable[EventLine], late: float) -> tuple[EventRow, ...]:
        """Evacuations that wait for an answer, then other orders that do, then news in the order of `lines`; said: the receipts that may be about them."""
        told = receipts(said)
        rows = (self._event(line, told, late) for line in lines if stands(line) is not Standing.ASIDE)
        shown = (row for row in rows if row.kind not in QUIET)
        return tuple(sorted(shown, key=lambda row: (not row.open, row.open and row.kind != "evacuate")))

    def rollcall(self, lines: Iterable[EventLine], said: Iterable[EventLine], late: float) -> RollCall | None:
        """The latest roll call in force among `lines`, newest first; said: receipts and answers."""
        call = next(
            (line for line in lines if line.event.kind == ROLLCALL and stands(line) is Standing.ACTIONABLE), None
        )
        if call is None:
            return None
        due, age_s = field(call.event, "due_s"), aged(call.age_s, late)
        told = tuple(self._said(line, late) for line in answers(said, call.event.id))
        left_s = due - age_s if isinstance(due, int) and age_s is not None else None
        return RollCall(self._event(call, receipts(said), late), left_s, told)

    def _said(self, line: EventLine, late: float) -> Answer:
        safe, missing = (
            value if isinstance(value := field(line.event, name), int) else 0 for name in ("safe", "missing")
        )
        who = " ".join((self.name(line.event.id.origin), line.event.actor.removeprefix(GUEST_ACTOR))).strip()
        return Answer(text(line.event, "unit"), who, safe, missing, aged(line.age_s, late), line.level)

    def _event(self, line: EventLine, said: Mapping[EventId, Mapping[int, Stage]], late: float) -> EventRow:
        event = line.event
        kind = EVENTS.get(event.kind)
        title = (kind.zh, kind.en) if kind else (f"类别{event.kind}", f"kind {event.kind}")
        name = kind.name if kind else ""
        own = event.id.origin == self.node
        writer = "" if own else self.name(event.id.origin)
        actor = event.actor.removeprefix(GUEST_ACTOR)
        who = " ".join(part for part in (writer, actor) if part)
        to_us = not own and (self.node in event.to or not event.to)
        about = self.episodes.get(episode_of(event)) if event.kind == ACK else None
        stands_here = stands(line, self.lifted)
        return EventRow(
            aged(line.age_s, late), title, about or tell(event), who, line.level,
            urgent=name in URGENT and (line.level >= Level.MEMBER or name == "sos"), id=event.id, kind=name, wall_ms=event.time.wall_ms,
            to_us=to_us, standing=stands_here, answer=self._answer(event, said) if to_us and name in ASKING else None,
            reached=self._reached(line, said) if own and name not in GUEST_SAYINGS else (),
            episode=episode_of(event) if name in ("alarm", "sos") else b"",
            lift=_lift(event) if event.kind == EVACUATE and stands_here is Standing.ACTIONABLE else None,
        )  # fmt: skip

    def _answer(self, event: Event, said: Mapping[EventId, Mapping[int, Stage]]) -> Stage:
        """What was said here of something that came for this node."""
        return said.get(event.id, {}).get(self.node, Stage.QUEUED)

    def _reached(self, line: EventLine, said: Mapping[EventId, Mapping[int, Stage]]) -> tuple[Reach, ...]:
        kind = EVENTS.get(line.event.kind)
        everybody = self.others if kind is not None and kind.command else self.everyone
        to = tuple(node for node in line.event.to or everybody if node != self.node)
        stages = progress(line, to, said, str(line.block) in self.relayed)
        return tuple(Reach(node, self.name(node), stage) for node, stage in stages.items())

    def name(self, node: int) -> str:
        """A node for people."""
        return self.names.get(node, f"#{node}")


def stands(line: EventLine, lifted: frozenset[EventId] = frozenset()) -> Standing:
    """How an event stands here and now; lifted: what was taken back."""
    if line.event.id in lifted:
        return Standing.LIFTED
    return standing(line.event, line.level, math.inf if line.age_s is None else line.age_s)


def _lift(event: Event) -> dict[str, Any] | None:
    """What takes an evacuation back, told to whom it was given; nothing does for what takes one back itself."""
    if field(event, "state") == OVER:
        return None
    area = (text(event, "area") or tell(event)[0])[:AREA]
    return {"area": area, "state": OVER, "of": list(event.id), "to": list(event.to)}


def alarm_rows(alarms: Iterable[Alarm], late: float) -> tuple[AlarmRow, ...]:
    """Alarms that stand, worst first."""
    return tuple(
        AlarmRow(
            alarm.episode, alarm.priority, alarm.subject, tell(alarm.line.event),
            aged(alarm.line.age_s, late), alarm.acked, alarm.active, EVENTS[alarm.line.event.kind].name == "sos", alarm.line.level,
        )
        for alarm in alarms
    )  # fmt: skip

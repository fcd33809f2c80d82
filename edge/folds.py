"""What events come to, the same on every node that has the same set: alarms that stand, and how far a message got.

Folds take what came over the air: a body may hold anything, and what does not fit counts as not said.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final

from edge.store.reader import EventLine
from sync.events import BY_NAME, KINDS
from sync.ids import Level
from sync.records import Event, EventId, Value

ALARM, ACK, SOS, RECEIPT = (BY_NAME[name].number for name in ("alarm", "alarm.ack", "sos", "receipt"))
CHECKIN, ROLLCALL, ANSWER = (BY_NAME[name].number for name in ("checkin", "rollcall", "rollcall.answer"))
EVACUATE: Final = BY_NAME["evacuate"].number
ALARM_KINDS: Final = (ALARM, ACK, SOS)
EPISODE: Final = 6  # bytes of an alarm's id
OVER: Final = 0  # state of an alarm, SOS or evacuation that has ended
CRITICAL, WARNING, NOTE = 1, 2, 3


class Stage(IntEnum):
    """How far an event got with one addressee, as this node knows it; a radio's own "sent" is no more than SENT."""

    QUEUED = 0
    SENT = 1
    RELAYED = 2
    STORED = 3
    READ = 4
    ACTED = 5
    REFUSED = 6


SAID: Final = {1: Stage.READ, 2: Stage.ACTED, 3: Stage.REFUSED}  # states of a receipt


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm or SOS: `line` began it; acked: who acknowledged it, "" nobody; active until its end was told."""

    episode: bytes
    line: EventLine
    subject: str
    priority: int
    active: bool = True
    acked: str = ""

    @property
    def open(self) -> bool:
        """Whether it still stands in the list: not ended, or ended and seen by nobody."""
        return self.active or not self.acked


def field(event: Event, name: str) -> Value:
    """A body field by its name; None when the kind has none such or the event says nothing."""
    keys = KINDS[event.kind].keys if event.kind in KINDS else {}
    return next((event.body.get(number) for number, each in keys.items() if each == name), None)


def text(event: Event, name: str) -> str:
    """A body field as text, "" when it is none."""
    value = field(event, name)
    return value if isinstance(value, str) else ""


def episode_of(event: Event) -> bytes:
    """The id under which an alarm or SOS is acknowledged, on whatever node."""
    told = field(event, "episode")
    if isinstance(told, bytes) and told:
        return told
    return hashlib.blake2b(repr(tuple(event.id)).encode(), digest_size=EPISODE).digest()


def alarms(lines: Iterable[EventLine]) -> list[Alarm]:
    """The alarms that stand: unseen, worst, proven, newest first; only what a member or better says counts, and a guest's SOS."""
    found: dict[bytes, Alarm] = {}
    for line in sorted(lines, key=_order):
        if line.level >= Level.MEMBER or (line.level is Level.GUEST and line.event.kind == SOS):
            _take(found, line)
    standing = [alarm for alarm in found.values() if alarm.open]
    return sorted(standing, key=_rank)


def _rank(alarm: Alarm) -> tuple[int, ...]:
    guest = alarm.line.level is Level.GUEST
    return bool(alarm.acked), alarm.priority, guest, *(-part for part in _order(alarm.line))


def _order(line: EventLine) -> tuple[int, int, int]:
    return line.event.lamport, line.event.id.origin, line.event.id.number


def _take(found: dict[bytes, Alarm], line: EventLine) -> None:
    event = line.event
    episode = episode_of(event)
    if event.kind == ACK:
        if episode in found and not found[episode].acked:
            found[episode] = replace(found[episode], acked=event.actor or str(event.id.origin))
    elif field(event, "state") == OVER:
        _end(found, episode, line)
    elif event.kind in (ALARM, SOS):
        told = field(event, "priority")
        priority = told if isinstance(told, int) and CRITICAL <= told <= NOTE else WARNING
        subject = text(event, "subject") or event.actor
        alarm = Alarm(episode, line, subject, CRITICAL if event.kind == SOS else priority)
        found.setdefault(episode, alarm)


def _end(found: dict[bytes, Alarm], episode: bytes, line: EventLine) -> None:
    """An alarm ends by its episode, an SOS by its subject; a guest, whose address anybody can take, ends guests' alone."""
    event = line.event
    subject = text(event, "subject") or event.actor
    for each, alarm in found.items():
        same = alarm.subject == subject if event.kind == SOS else each == episode
        may = line.level > Level.GUEST or alarm.line.level is Level.GUEST
        if same and may and alarm.line.event.kind == event.kind:
            found[each] = replace(alarm, active=False)


def receipts(lines: Iterable[EventLine]) -> dict[EventId, dict[int, Stage]]:
    """What each node's people said of each event; a node speaks for itself alone, and with its origin proven."""
    said: dict[EventId, dict[int, Stage]] = {}
    for line in lines:
        about, stage = _receipt(line.event)
        if about is not None and line.level >= Level.ORIGIN:
            held = said.setdefault(about, {})
            held[line.event.id.origin] = max(stage, held.get(line.event.id.origin, stage))
    return said


def _receipt(event: Event) -> tuple[EventId | None, Stage]:
    """What a receipt is about and says; None when it is none."""
    about, state = _about(event), field(event, "state")
    if event.kind != RECEIPT or not isinstance(state, int) or state not in SAID:
        return None, Stage.QUEUED
    return about, SAID[state]


def _about(event: Event) -> EventId | None:
    """The event that this one answers; None when it names none."""
    told = field(event, "of")
    whole = isinstance(told, list) and len(told) == 3 and all(type(part) is int for part in told)
    return EventId(*told) if whole else None  # type: ignore[misc]


def lifts(event: Event) -> EventId | None:
    """The evacuation that this event takes back; None for every other."""
    return _about(event) if event.kind == EVACUATE and field(event, "state") == OVER else None


def lifted(lines: Iterable[EventLine]) -> frozenset[EventId]:
    """The evacuations that command took back: for good, however long that word itself may be acted on."""
    return frozenset(
        about for line in lines if line.level is Level.COMMAND and (about := lifts(line.event)) is not None
    )


def answers(lines: Iterable[EventLine], call: EventId) -> list[EventLine]:
    """What each unit said last to a roll call, in the order of units; a guest's word stands beside a member's, not in its place."""
    found: dict[tuple[str, bool], EventLine] = {}
    for line in sorted(lines, key=_order):
        if line.event.kind == ANSWER and line.level >= Level.GUEST and _about(line.event) == call:
            found[text(line.event, "unit"), line.level is Level.GUEST] = line
    return [found[unit] for unit in sorted(found)]


def checkins(lines: Iterable[EventLine]) -> dict[str, EventLine]:
    """The latest check-in of each person that a member or better told of."""
    told = (line for line in sorted(lines, key=_order) if line.event.kind == CHECKIN and line.level >= Level.MEMBER)
    return {text(line.event, "subject"): line for line in told}


def progress(
    line: EventLine, to: Iterable[int], said: Mapping[EventId, Mapping[int, Stage]], relayed: bool = False
) -> dict[int, Stage]:
    """How far an event got with each node of `to`; relayed: a relay is known to hold its block."""
    on_way = Stage.RELAYED if relayed else Stage.SENT if line.sent else Stage.QUEUED
    told = said.get(line.event.id, {})
    return {node: told.get(node, Stage.STORED if node in line.stored else on_way) for node in to}

"""What one moment of the screen consists of: plain values with their ages, independent of store and widgets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from hardware.clock import ClockQuality
from hardware.driver import Health
from hardware.kinds import Quality
from sync.ids import Level


@dataclass(frozen=True, slots=True)
class Reading:
    """One value with its age: `value` real-world number or None, `stale_s` the age from which it is shown as `?`."""

    value: float | None
    age_s: float
    stale_s: float
    quality: Quality = Quality.GOOD
    decimals: int = 0


@dataclass(frozen=True, slots=True)
class Where:
    """The node's own place: degrees, metres, GGA fix quality, satellites used, BeiDou among them."""

    lat: float
    lon: float
    alt: float | None
    fix: int
    sats: int
    beidou: int
    age_s: float


@dataclass(frozen=True, slots=True)
class LinkRow:
    """A bearer or a device: state, why, seconds in that state, seconds since last byte each way, bytes each way."""

    name: str
    state: Health
    why: str
    since_s: float | None
    in_s: float | None = None
    out_s: float | None = None
    bytes_in: int = 0
    bytes_out: int = 0


@dataclass(frozen=True, slots=True)
class LaneRow:
    """What of a lane has not reached its addressees: rows or events, and the age of the oldest."""

    lane: str
    waiting: int
    oldest_s: float


@dataclass(frozen=True, slots=True)
class PersonRow:
    """A person: readings by kind name, age of the newest one, place, level of the author."""

    subject: str
    name: str
    readings: dict[str, Reading]
    age_s: float | None
    place: tuple[float, float] | None = None
    alarm: str = ""


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event as a line: age, kind's name in both languages, text, author, and how far the author is proven."""

    age_s: float | None
    zh: str
    en: str
    text: str
    who: str
    level: Level
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything the overview draws."""

    station: str = ""
    clock: ClockQuality = ClockQuality.NONE
    wall_ms: int | None = None
    where: Where | None = None
    links: tuple[LinkRow, ...] = ()
    devices: tuple[LinkRow, ...] = ()
    backlog: tuple[LaneRow, ...] = ()
    people: tuple[PersonRow, ...] = ()
    events: tuple[EventRow, ...] = ()
    trouble: str = ""  # a words key or plain text: the agent is down, the store is read-only, …
    extra: dict[str, str] = field(default_factory=dict)


class Feed(Protocol):
    """Where scenes come from: the store read-only, or a fake in tests."""

    def scene(self) -> Scene:
        """The scene now, ages up to date."""

    def send(self, text: str) -> str:
        """Ask the agent to send a message; returns a line for the operator, after the commit or with the reason."""

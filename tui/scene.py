"""What one moment of the screen consists of: plain values with their ages, independent of store and widgets.

Ages are seconds, None where no clock can tell. Whatever came from a guest or a quarantined author carries its level.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from edge.folds import Stage
from hardware.clock import ClockQuality
from hardware.driver import Health
from hardware.kinds import Quality
from sync.ids import Level
from sync.records import Truth
from sync.trust.standing import Standing
from tui.words import Said

LOST_S: Final = 120.0  # after which a person or place of which nothing was heard is lost


@dataclass(frozen=True, slots=True)
class Reading:
    """One value with its age: `value` real-world number or None, `stale_s` the age from which it is shown as `?`."""

    value: float | None
    age_s: float | None
    stale_s: float
    quality: Quality = Quality.GOOD
    decimals: int = 0
    source: str = ""
    level: Level = Level.ORIGIN

    @property
    def fresh(self) -> bool:
        """Whether it may be shown as a number."""
        return self.age_s is not None and self.age_s <= self.stale_s and self.quality is not Quality.STALE


@dataclass(frozen=True, slots=True)
class Where:
    """The node's own place: degrees, metres, GGA fix quality, satellites used, BeiDou among them."""

    lat: float
    lon: float
    alt: float | None
    fix: int
    sats: int | None
    beidou: int | None
    age_s: float | None


@dataclass(frozen=True, slots=True)
class LinkRow:
    """A bearer or a device: state (None: the agent has not said lately), why, seconds in that state, last byte each way.

    Of a bearer that can tell: share of frames lost, latency of the last frame, bytes that may go now, and when none, in how long.
    """

    name: str
    state: Health | None
    why: str
    since_s: float | None
    in_s: float | None = None
    out_s: float | None = None
    loss: float | None = None
    latency_s: float | None = None
    budget_bytes: int | None = None
    budget_wait_s: float | None = None


@dataclass(frozen=True, slots=True)
class LaneRow:
    """What of a lane has not reached its addressees: rows or events, and the age of the oldest."""

    lane: str
    waiting: int
    oldest_s: float | None


@dataclass(frozen=True, slots=True)
class FlowRow:
    """A lane on a bearer: items queued and in flight, bytes that may still be sent this hour, seconds until it is empty."""

    lane: str
    bearer: str
    queued: int
    in_flight: int
    bytes_left: int | None
    drain_s: float | None


@dataclass(frozen=True, slots=True)
class PersonRow:
    """A person or unit: readings by kind name, age of the newest one, place (degrees), level of whoever reported last.

    metres, bearing: from this node's own place, None while either is unknown or old; alarm: what is wrong, empty for nothing.
    truth, within_m: the place's class and the metres within which it is true, 0 when exact; checked_s: since somebody checked them in.
    """

    subject: str
    name: str
    readings: dict[str, Reading]
    age_s: float | None
    unit: str = ""
    place: tuple[float, float] | None = None
    metres: float | None = None
    bearing: float | None = None
    alarm: Said = ("", "")
    level: Level = Level.ORIGIN
    truth: Truth = Truth.EXACT
    within_m: int = 0
    checked_s: float | None = None


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a message got with one addressee."""

    node: int
    name: str
    stage: Stage


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event as a line: age, kind's name, text, author, and how far the author is proven.

    id: origin, incarnation, number; to_us: it names this node; standing: whether it may be acted on; answer: what was said
    here of it (QUEUED: nothing yet, None: nothing is asked); reached: by addressee, for what this node wrote itself; episode: of an alarm or SOS, under which it is acknowledged;
    lift: of an evacuation in force, the fields of the intent that takes it back.
    """

    age_s: float | None
    title: Said
    text: Said
    who: str
    level: Level
    urgent: bool = False
    id: tuple[int, int, int] = (0, 0, 0)
    kind: str = ""
    wall_ms: int | None = None
    to_us: bool = False
    standing: Standing = Standing.SHOWN
    answer: Stage | None = None
    reached: tuple[Reach, ...] = ()
    episode: bytes = b""
    lift: Mapping[str, Any] | None = None

    @property
    def open(self) -> bool:
        """Whether it is an order in force for this node that nobody here has answered."""
        return self.standing is Standing.ACTIONABLE and self.answer is Stage.QUEUED


@dataclass(frozen=True, slots=True)
class Answer:
    """What a unit said to a roll call."""

    unit: str
    who: str
    safe: int
    missing: int
    age_s: float | None
    level: Level


@dataclass(frozen=True, slots=True)
class RollCall:
    """The latest roll call in force: seconds left (negative when overdue, None when no clock can tell) and its answers."""

    row: EventRow
    left_s: float | None
    answers: tuple[Answer, ...] = ()


@dataclass(frozen=True, slots=True)
class AlarmRow:
    """An alarm that stands: priority 1 critical .. 3 note; acked: who acknowledged it; active: it has not ended."""

    episode: bytes
    priority: int
    subject: str
    text: Said
    age_s: float | None
    acked: str = ""
    active: bool = True
    sos: bool = False
    level: Level = Level.ORIGIN


@dataclass(frozen=True, slots=True)
class Forecast:
    """When a message written now would reach a node (None: no way is seen), and how likely."""

    node: int
    name: str
    in_s: float | None
    p: float
    lane: str = "command"


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything the screen draws. nodes: roster index and name of whom one can write to; commands: orders may be given;
    quarantined: blocks and events that were set aside, which are counted here and drawn nowhere."""

    station: str = ""
    clock: ClockQuality = ClockQuality.NONE
    wall_ms: int | None = None
    where: Where | None = None
    links: tuple[LinkRow, ...] = ()
    devices: tuple[LinkRow, ...] = ()
    backlog: tuple[LaneRow, ...] = ()
    flows: tuple[FlowRow, ...] = ()
    people: tuple[PersonRow, ...] = ()
    events: tuple[EventRow, ...] = ()
    alarms: tuple[AlarmRow, ...] = ()
    rollcall: RollCall | None = None
    nodes: tuple[tuple[int, str], ...] = ()
    forecasts: tuple[Forecast, ...] = ()
    commands: bool = False
    quarantined: int = 0
    trouble: tuple[str, ...] = field(
        default=()
    )  # words keys or plain text: the agent is down, the store is read-only, …


class Feed(Protocol):
    """Where scenes come from: the store read-only, or a fake in tests."""

    def read(self) -> None:
        """Look whether anything changed; may block, so it is called off the screen's loop, one call at a time."""

    def scene(self) -> Scene:
        """The scene as last read, ages up to date; at once."""

    def act(self, act: str, **fields: Any) -> str:
        """Have the agent do something; returns a line for the operator: after the commit, or why not. May block."""

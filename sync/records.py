"""What travels inside blocks: rows of observations by stream, and events. Codecs turn these into bytes and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple, TypeAlias

from hardware.clock import Stamp
from hardware.observation import Profile

Value: TypeAlias = "int | str | bytes | bool | list[Value] | None"


class Row(NamedTuple):
    """One observation within its stream; `clock` is hardware.clock.ClockQuality, `qualities` one Quality number per value."""

    mono_ms: int
    wall_ms: int | None
    clock: int
    values: tuple[int | None, ...]
    qualities: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one stream of one boot, in the order in which they were stored.

    A row with a wall time is exact in that time; its mono_ms is exact for the batch's first row and for rows without a
    wall time, and elsewhere follows from the wall times. `profile` comes whole, known or not.
    """

    stream: int
    boot: int
    profile: Profile
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What a stream number of an origin's incarnation means: who, measured by what, in which profile."""

    stream: int
    subject: str
    source: str
    profile: Profile


@dataclass(frozen=True, slots=True)
class Anchor:
    """The incident's fixed point (1e-7 degrees) and start (wall ms UTC): signed, known to all, the origin of small numbers."""

    lat_e7: int
    lon_e7: int
    start_ms: int


class Truth(IntEnum):
    """How true a value is to what was measured: as it was, within a bound at every instant, or a picture's coarse latest."""

    EXACT = 0
    BOUNDED = 1
    LIVE = 2


class EventId(NamedTuple):
    """Who wrote it (origin index, incarnation) and the writer's own event number."""

    origin: int
    incarnation: int
    number: int


@dataclass(frozen=True, slots=True)
class Event:
    """What a person or a rule did. Append-only; screens show folds of events, the same on every node.

    kind: a number of sync.events.KINDS; actor: the person's short id, "" for a rule; to: roster indexes, () for everyone;
    valid_s: seconds from `time` for which it may be acted on, None without end; body: short integer keys.
    """

    id: EventId
    kind: int
    actor: str
    lamport: int
    time: Stamp
    body: Mapping[int, Value]
    parents: tuple[EventId, ...] = ()
    to: tuple[int, ...] = ()
    valid_s: int | None = None


@dataclass(frozen=True, slots=True)
class Hole:
    """Numbers of a source that will never come, and why: "replaced" by thinned blocks, or "dropped"; rows: how many fell."""

    origin: int
    incarnation: int
    lane: int
    first: int
    last: int
    reason: str
    rows: int = 0

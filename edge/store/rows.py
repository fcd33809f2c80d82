"""Values as they stand in the file: JSON that people can read, and back. Observation values stay integers."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from hardware.clock import ClockQuality, Stamp
from hardware.observation import PROFILES, Column, Predictor, Profile
from sync.ranges import Ranges
from sync.records import Event, EventId, Row, Value

_BYTES: Final = "base64"
EVENT_COLUMNS: Final = "origin, incarnation, number, kind, actor, lamport, boot, mono_ms, wall_ms, clock, body, parents, recipients, valid_s"
_ENCODER: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)


def compact(value: object) -> str:
    """JSON without blanks, other scripts left readable."""
    return _ENCODER.encode(value)


def quals_text(qualities: Iterable[int]) -> str | None:
    """Quality numbers as JSON; None when every value is good."""
    numbers = [int(quality) for quality in qualities]
    return compact(numbers) if any(numbers) else None


def row_of(mono_ms: int, wall_ms: int | None, clock: int, vals: str, quals: str | None) -> Row:
    """An observation's columns as a record."""
    values = tuple(json.loads(vals))
    return Row(mono_ms, wall_ms, clock, values, tuple(json.loads(quals)) if quals else (0,) * len(values))


def fields_text(profile: Profile) -> str:
    """A profile's columns as JSON: [kind, exponent, predictor]."""
    return compact([[column.kind, column.exponent, column.predictor.value] for column in profile.columns])


def profile_of(number: int, name: str, fields: str) -> Profile:
    """A profile from its row; the table's own object where it is the same."""
    known = PROFILES.get(number)
    if known is not None and fields_text(known) == fields:
        return known
    return Profile(number, name, tuple(Column(k, e, Predictor(p)) for k, e, p in json.loads(fields)))


def _plain(value: Value) -> object:
    if isinstance(value, bytes):
        return {_BYTES: base64.b64encode(value).decode()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _value(plain: Any) -> Value:
    if isinstance(plain, dict):
        return base64.b64decode(plain[_BYTES])
    return [_value(item) for item in plain] if isinstance(plain, list) else plain


def body_text(body: Mapping[int, Value]) -> str:
    """An event's body as JSON: integer keys as text, bytes as {"base64": …}."""
    return compact({str(key): _plain(value) for key, value in body.items()})


def body_of(text: str) -> dict[int, Value]:
    """The inverse of body_text."""
    return {int(key): _value(value) for key, value in json.loads(text).items()}


def event_row(event: Event) -> tuple[Any, ...]:
    """An event in the order of EVENT_COLUMNS."""
    time = event.time
    return (
        *event.id, event.kind, event.actor, event.lamport, time.boot, time.mono_ms, time.wall_ms, int(time.quality),
        body_text(event.body), compact([list(parent) for parent in event.parents]), compact(list(event.to)), event.valid_s,
    )  # fmt: skip


def event_of(row: tuple[Any, ...]) -> Event:
    """An event from a row that begins with EVENT_COLUMNS."""
    return Event(
        id=EventId(*row[:3]),
        kind=row[3],
        actor=row[4],
        lamport=row[5],
        time=Stamp(row[6], row[7], row[8], ClockQuality(row[9])),
        body=body_of(row[10]),
        parents=tuple(EventId(*parent) for parent in json.loads(row[11])),
        to=tuple(json.loads(row[12])),
        valid_s=row[13],
    )


def spans_text(ranges: Ranges) -> str:
    """Ranges as JSON: [[first, last], …]."""
    return compact([list(span) for span in ranges])


def spans_of(text: str) -> Ranges:
    """The inverse of spans_text."""
    return Ranges((first, last) for first, last in json.loads(text))

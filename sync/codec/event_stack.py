"""Few events as one stacked message: what follows from the block, the incident or the event before is not said again.

Symbols that end something are 0 and stand last, where they cost nothing. Layout: docs/wire/events.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol, TypeVar

from hardware.clock import ClockQuality, Stamp
from hardware.errors import DecodeError
from sync.codec import ends, report
from sync.codec.ends import number
from sync.codec.stack import LAPLACE, Table
from sync.codec.text import MAX_STACKED, read_text, write_text
from sync.ids import Source, unzigzag, zigzag
from sync.records import Anchor, Event, EventId, Value

T = TypeVar("T")

MAX_VALUES: Final = 4096  # values of all bodies in a message
MAX_DEPTH: Final = 8  # lists within lists
MAX_COUNT: Final = 1024  # values in a list, bytes of bytes, addressees, parents
INT64: Final = 1 << 63
_KINDS: Final = 64
_MORE: Final = Table.of((3, 1))
_SAME: Final = Table.of((12, 1))
_OWN: Final = Table.of((60, 1))
_NONE: Final = Table.of((3, 1))
_FORM: Final = Table.of((3, 1))
_COUNTS: Final = Table.of((40, 12, 5, 4, 3, 3, 2, 2, 1, 1, 1))  # bit lengths
_GAPS: Final = Table.of((30, 30, 12, 8, 6, 4, 3, 2, 2, *[1] * 56))  # to the next key of a body; 0: no more
_LENGTHS: Final = Table.of(
    (12, 12, 12, 12, 12, 12, 12, 12, 11, 11, 10, 10, *[8] * 24, *[2] * 29)
)  # bit lengths, 0 .. 64
_EMPTY: Final = report.Report(0, ())
_STEP: Final = LAPLACE[5]
_INT, _TEXT, _NULL, _TRUE, _FALSE, _LIST, _RAW = range(7)
_TYPES: Final = Table.of((20, 20, 2, 2, 2, 3, 2))
_PLAIN: Final[dict[int, bool | None]] = {_NULL: None, _TRUE: True, _FALSE: False}
_PYTHON: Final[dict[int, type]] = {_INT: int, _TEXT: str, _LIST: list, _RAW: bytes}


class _Coder(ends.Coder, Protocol):
    """Either end, texts included."""

    def text(self, value: str) -> str:
        """A text of at most MAX_STACKED characters."""


class _Writing(ends.Writing):
    def text(self, value: str) -> str:
        """Put a text on."""
        write_text(self.stack, value)
        return value


class _Reading(ends.Reading):
    def text(self, value: str = "") -> str:
        """Take a text off."""
        return read_text(self.stack)


@dataclass(slots=True)
class _Context:
    """What both ends know before an event: the block's source, the incident's start, the event before (number -1: none yet);
    and how many values were met."""

    source: Source
    start_ms: int
    before: Event
    values: int = 0


def pack(events: Sequence[Event], anchor: Anchor | None, source: Source) -> bytes | None:
    """The message, or None when these events need another form: none at all, too many values, long texts, odd integers."""
    coder, context = _Writing(), _context(anchor, source)
    try:
        for at, event in enumerate(events):
            if at:
                coder.symbol(_MORE, 1)
            _event(coder, context, event)
        coder.symbol(_MORE, 0)
    except (ValueError, DecodeError):
        return None
    return coder.stack.bytes() if events else None


def unpack(data: bytes, anchor: Anchor | None, source: Source) -> list[Event]:
    """The events of a message; DecodeError on anything that `pack` would not have made."""
    coder, context = _Reading(data), _context(anchor, source)
    events = [_event(coder, context, _UNREAD)]
    while coder.symbol(_MORE):
        events.append(_event(coder, context, _UNREAD))
    coder.stack.end()
    return events


_UNREAD: Final = Event(EventId(0, 0, 0), 0, "", 0, Stamp(0, 0, None, ClockQuality.NONE), {})  # what a reader gives in


def _context(anchor: Anchor | None, source: Source) -> _Context:
    none = replace(_UNREAD, id=EventId(source.origin, source.incarnation, -1))
    return _Context(source, anchor.start_ms if anchor else 0, none)


def _event(coder: _Coder, context: _Context, event: Event) -> Event:
    before, first = context.before, context.before.id.number < 0
    ident = _ident(coder, context, event.id)
    kind = coder.uniform(_KINDS, min(event.kind, _KINDS - 1))
    if kind == _KINDS - 1:
        kind += _uint(coder, event.kind - kind)
    actor = before.actor if not coder.symbol(_SAME, event.actor != before.actor) else _text(coder, event.actor)
    lamport = _next(coder, event.lamport, before.lamport, first)
    time = _time(coder, context, event.time, first)
    to = tuple(_uint(coder, node) for node in _listed(coder, event.to, 0))
    valid = _sint(coder, event.valid_s or 0) if coder.symbol(_NONE, event.valid_s is not None) else None
    parents = tuple(_ident(coder, context, parent) for parent in _listed(coder, event.parents, event.id))
    body = (_report if kind == report.REPORT else _body)(coder, context, event.body)
    context.before = Event(ident, kind, actor, lamport, time, body, parents, to, valid)
    return context.before


def _ident(coder: _Coder, context: _Context, ident: EventId) -> EventId:
    """An id; of one of the block's own source only the number, by its distance from the event before."""
    source, before = context.source, context.before.id
    if coder.symbol(_OWN, ident[:2] != source[:2]):
        return EventId(_uint(coder, ident.origin), _uint(coder, ident.incarnation), _uint(coder, ident.number))
    return EventId(*source[:2], _next(coder, ident.number, before.number, before.number < 0))


def _time(coder: _Coder, context: _Context, time: Stamp, first: bool) -> Stamp:
    before = context.before.time
    boot = _next(coder, time.boot, before.boot - 1, first)
    near = not first and boot == before.boot
    mono = _fits(before.mono_ms + _sint(coder, time.mono_ms - before.mono_ms)) if near else _uint(coder, time.mono_ms)
    wall = None
    if coder.symbol(_NONE, time.wall_ms is not None):
        expected = context.start_ms
        if near and before.wall_ms is not None:
            expected = before.wall_ms + mono - before.mono_ms
        wall = _fits(expected + _sint(coder, (time.wall_ms or 0) - expected))
    return Stamp(boot, mono, wall, ClockQuality(coder.uniform(len(ClockQuality), int(time.quality))))


def _report(coder: _Coder, context: _Context, body: Mapping[int, Value]) -> dict[int, Value]:
    """A filled form by its own tables and what else is said, or anything a body holds."""
    form, rest = report.split(body)
    if coder.symbol(_FORM, form is None):
        return _body(coder, context, body)
    return report.join(report.fill(coder, form or _EMPTY), _body(coder, context, rest))


def _body(coder: _Coder, context: _Context, body: Mapping[int, Value]) -> dict[int, Value]:
    """Keys in rising order, each by its distance from the one before, with its value."""
    found: dict[int, Value] = {}
    last = -1
    for key, value in [*sorted(body.items()), *[(None, None)] * MAX_VALUES]:
        if key is not None and key <= last:
            raise ValueError("a body's keys are not negative")
        gap = coder.symbol(_GAPS, 0 if key is None else key - last)
        if not gap:
            return found
        last += gap
        found[last] = _value(coder, context, value, 0)
    raise DecodeError("event: too many values")


def _value(coder: _Coder, context: _Context, value: Value, depth: int) -> Value:
    context.values += 1
    if context.values > MAX_VALUES or depth > MAX_DEPTH:
        raise DecodeError("event: too many values")
    kind = coder.symbol(_TYPES, _type(value))
    if kind == _INT:
        return _sint(coder, value if isinstance(value, int) else 0)
    if kind == _TEXT:
        return _text(coder, value if isinstance(value, str) else "")
    if kind == _RAW:
        return bytes(coder.uniform(256, byte) for byte in _listed(coder, value if isinstance(value, bytes) else b"", 0))
    if kind == _LIST:
        items = _listed(coder, value if isinstance(value, list) else [], None)
        return [_value(coder, context, item, depth + 1) for item in items]
    return _PLAIN[kind]


def _type(value: object) -> int:
    for kind, plain in _PLAIN.items():
        if value is plain:
            return kind
    for kind, python in _PYTHON.items():
        if type(value) is python:
            return kind
    raise ValueError(f"{type(value).__name__} is no value of a body")


def _listed(coder: _Coder, items: Sequence[T], filler: T) -> list[T]:
    """As many items as the message has, `filler` where this end does not know them yet."""
    count = number(coder, _COUNTS, len(items))
    if count > MAX_COUNT:
        raise DecodeError("event: list too long")
    return [*items[:count], *[filler] * (count - len(items))]


def _next(coder: _Coder, value: int, before: int, first: bool) -> int:
    """A number that usually rises by one from event to event."""
    if first:
        return _uint(coder, value)
    return _natural(before + 1 + coder.signed(_STEP, _fits(value - before - 1)))


def _text(coder: _Coder, value: str) -> str:
    if len(value) > MAX_STACKED:
        raise ValueError("text too long for the stack")
    value.encode()  # half a surrogate pair has no UTF-8
    return coder.text(value)


def _uint(coder: _Coder, value: int) -> int:
    return _natural(number(coder, _LENGTHS, value))


def _sint(coder: _Coder, value: int) -> int:
    return _fits(unzigzag(number(coder, _LENGTHS, zigzag(value))))


def _natural(value: int) -> int:
    if not 0 <= value < INT64:
        raise DecodeError("event: integer out of range")
    return value


def _fits(value: int) -> int:
    if not -INT64 <= value < INT64:
        raise DecodeError("event: integer out of range")
    return value

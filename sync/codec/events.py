"""Events and stream descriptions <-> a block's body."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgpack

from hardware.clock import ClockQuality, Stamp
from hardware.errors import DecodeError
from sync.codec import event_stack
from sync.codec.octets import Reader, read_profile, text, write_profile
from sync.codec.packing import deflate, inflate
from sync.ids import Source, varint
from sync.records import Anchor, Event, EventId, StreamInfo

VERSION: Final = 1
MAX_PLAIN: Final = 1 << 20
FEW: Final = 64  # events that are worth the stack, and bytes of them otherwise packed
MUCH: Final = 4096
MAX_DEPTH: Final = 64  # lists within lists
_PLAIN, _ZSTD, _STACK = 0, 1, 2


def encode_events(events: Sequence[Event], anchor: Anchor | None, *, source: Source) -> bytes:
    """Events of a block of `source`; ids of that origin and incarnation are not repeated."""
    body = _pack(msgpack.packb([_flat(event, source) for event in events]))
    stacked = event_stack.pack(events, anchor, source) if len(events) <= FEW and len(body) <= MUCH else None
    if stacked is None or len(stacked) + 1 >= len(body):
        return body
    return bytes((VERSION << 4 | _STACK,)) + stacked


def decode_events(data: bytes, anchor: Anchor | None, *, source: Source) -> list[Event]:
    """The events of a body; DecodeError on anything that encode_events would not have made."""
    if data[:1] == bytes((VERSION << 4 | _STACK,)):
        return event_stack.unpack(data[1:], anchor, source)
    plain = _unpack(data)
    try:
        rows = msgpack.unpackb(plain, strict_map_key=False)
        return [_event(row, source) for row in rows]
    except (ValueError, TypeError, KeyError, msgpack.UnpackException, RecursionError) as error:
        raise DecodeError("events damaged") from error


def encode_streams(infos: Sequence[StreamInfo]) -> bytes:
    """What stream numbers mean."""
    out = bytearray()
    for info in infos:
        out += varint(info.stream) + text(info.subject) + text(info.source) + write_profile(info.profile)
    return _pack(bytes(out))


def decode_streams(data: bytes) -> list[StreamInfo]:
    """The inverse of encode_streams; DecodeError on anything else."""
    reader = Reader(_unpack(data))
    out = []
    while reader.at < len(reader.data):
        out.append(StreamInfo(reader.uint(), reader.text(), reader.text(), read_profile(reader)))
    return out


def _pack(plain: bytes) -> bytes:
    packed = deflate(plain)
    if len(packed) < len(plain):
        return bytes((VERSION << 4 | _ZSTD,)) + packed
    return bytes((VERSION << 4 | _PLAIN,)) + plain


def _unpack(data: bytes) -> bytes:
    if not data or data[0] >> 4 != VERSION or data[0] & 15 > _ZSTD:
        raise DecodeError("unknown version or method")
    return inflate(data[1:], min(MAX_PLAIN, 4096 + 1024 * len(data))) if data[0] & 15 else data[1:]


def _flat(event: Event, source: Source) -> list[Any]:
    own = (source.origin, source.incarnation)
    ident = [event.id.number] if event.id[:2] == own else list(event.id)
    parents = [[p.number] if p[:2] == own else list(p) for p in event.parents]
    time = [event.time.boot, event.time.mono_ms, event.time.wall_ms, int(event.time.quality)]
    tail = [parents, list(event.to), event.valid_s]
    return [ident, event.kind, event.actor, event.lamport, time, dict(event.body), *tail]


def _event(row: Any, source: Source) -> Event:
    ident, kind, actor, lamport, (boot, mono, wall, quality), body, parents, to, valid = row
    if not all(map(_natural, (kind, lamport, boot, *to))) or not all(map(_whole, (mono, *body))):
        raise DecodeError("events damaged")
    if type(actor) is not str or type(body) is not dict or not all(map(_storable, body.values())):
        raise DecodeError("events damaged")
    if not all(value is None or _whole(value) for value in (wall, valid)):
        raise DecodeError("events damaged")
    stamp = Stamp(boot, mono, wall, ClockQuality(quality))
    ids = tuple(_ident(parent, source) for parent in parents)
    return Event(_ident(ident, source), kind, actor, lamport, stamp, body, ids, tuple(to), valid)


def _ident(parts: Any, source: Source) -> EventId:
    origin, incarnation, number = parts if len(parts) == 3 else (source.origin, source.incarnation, *parts)
    if not all(map(_natural, (origin, incarnation, number))):
        raise DecodeError("events damaged")
    return EventId(origin, incarnation, number)


def _whole(value: Any) -> bool:
    """An integer that a store holds: signed 64 bits."""
    return type(value) is int and -event_stack.INT64 <= value < event_stack.INT64


def _natural(value: Any) -> bool:
    return _whole(value) and value >= 0


def _storable(value: Any, depth: int = 0) -> bool:
    """Whether it is a Value: no fractions, maps or extensions."""
    if type(value) is list:
        return depth < MAX_DEPTH and all(_storable(item, depth + 1) for item in value)
    return value is None or type(value) in (bool, str, bytes) or _whole(value)

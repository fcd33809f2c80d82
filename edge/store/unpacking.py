"""From an opened body to rows, events, descriptors and holes. Decoding touches no table, applying happens in a transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from edge.store.ingest import Entry, Ingest, Place, Stream
from edge.store.rows import row_of
from edge.store.sights import show_force, show_scene
from edge.store.ways import keep, show
from edge.store.writer import Tx
from hardware.clock import ClockQuality, Stamp
from hardware.errors import DecodeError
from sync import codec
from sync.codec.picture_people import Force
from sync.codec.scene import Scene
from sync.codec.track import TrackSpan, decode_tracks
from sync.holes import decode_holes
from sync.ids import BlockId, Content, Level
from sync.records import Anchor, Batch, Event, Hole, Row, StreamInfo
from sync.trust.standing import passed_on

Record: TypeAlias = "Batch | Event | StreamInfo | Hole | Force | Scene | TrackSpan"
NEAR_MS: Final = 10_000  # how far a row's monotonic time may differ when it travelled in another block

_DECODERS: Final[dict[int, Callable[[bytes, Anchor | None, BlockId], Sequence[Record]]]] = {
    Content.ROWS: lambda data, anchor, _: codec.decode_batches(data, anchor),
    Content.EVENTS: lambda data, anchor, block: codec.decode_events(data, anchor, source=block.source),
    Content.STREAMS: lambda data, _, __: codec.decode_streams(data),
    Content.HOLES: lambda data, _, __: decode_holes(data),
    Content.TRACK: lambda data, anchor, _: decode_tracks(data, anchor),
}


@dataclass(frozen=True, slots=True)
class Parcel:
    """A decoded body with what is known of its block. records: None when it is no matter of rows and events.

    row: the block's row id; sealed_at: (boot, ms) on this store's clock at which it was sealed, at the latest; now: this moment.
    """

    id: BlockId
    row: int
    level: Level
    records: Sequence[Record] | None
    sealed_at: tuple[int, int]
    now: Stamp


@dataclass(slots=True)
class Outcome:
    """What a body brought."""

    rows: int = 0
    span: tuple[int, int] | None = None
    events: list[tuple[Event, Level]] = field(default_factory=list)
    holes: list[Hole] = field(default_factory=list)


def decode(block_id: BlockId, body: bytes, anchor: Anchor | None) -> Sequence[Record] | None:
    """The records of a body (first byte: Content); None for contents that are not unpacked here. DecodeError."""
    if not body:
        raise DecodeError("empty body")
    decoder = _DECODERS.get(body[0])
    return None if decoder is None else decoder(body[1:], anchor, block_id)


def apply(tx: Tx, ingest: Ingest, parcel: Parcel) -> Outcome:
    """Store the records; what is here already is not stored twice."""
    out = Outcome()
    for record in parcel.records or ():
        _APPLY[type(record)](tx, ingest, parcel, record, out)
    return out


def _rows(tx: Tx, ingest: Ingest, parcel: Parcel, batch: Batch, out: Outcome) -> None:
    place = Place(parcel.id.origin, parcel.id.incarnation)
    stream = ingest.stream(tx, place, batch.stream, batch.profile)
    last = batch.rows[-1].mono_ms if batch.rows else 0
    entries = [
        Entry(
            stream, batch.boot, row.mono_ms, row.wall_ms, row.clock, row.values, row.qualities, parcel.id.lane,
            parcel.level, _measured(parcel, row, last), parcel.row, parcel.now.wall_ms,
        )
        for row in _unknown(tx, stream, batch)
    ]  # fmt: skip
    ids = [row for row in (ingest.add(tx, entry) for entry in entries) if row is not None]
    if ids:
        out.rows += len(ids)
        out.span = (out.span[0] if out.span else ids[0], ids[-1])
    for entry in entries[:1]:
        ingest.date(tx, place, entry.boot, entry.mono_ms, entry.wall_ms, entry.clock)
    ingest.latest(tx, _newest(entries))


def _measured(parcel: Parcel, row: Row, last_ms: int) -> tuple[int, int]:
    """When a row was measured on this store's clock: by both wall clocks where both are good, at least as old as its block."""
    boot, sealed_ms = parcel.sealed_at
    at = sealed_ms - max(0, last_ms - row.mono_ms)
    now = parcel.now
    if (
        row.wall_ms is not None
        and now.wall_ms is not None
        and min(row.clock, now.quality) >= ClockQuality.NTP
        and now.boot == boot
    ):
        at = min(at, now.mono_ms - (now.wall_ms - row.wall_ms))
    return boot, at


def _newest(entries: Sequence[Entry]) -> Iterable[Entry]:
    """The last rows that between them give every column, oldest first; the rest cannot be the latest of anything."""
    missing, chosen = set(range(len(entries[0].values))) if entries else set(), []
    for entry in reversed(entries[-50:]):
        told = {
            column for column in missing if entry.values[column] is not None or entry.qualities[column] not in (0, 2)
        }
        if told:
            chosen.append(entry)
            missing -= told
    return reversed(chosen)


def _unknown(tx: Tx, stream: Stream, batch: Batch) -> Iterable[Row]:
    """The rows that are not here. The same rows come twice when history was thinned, or by a store's copy in another life."""
    low, high = min(row.mono_ms for row in batch.rows), max(row.mono_ms for row in batch.rows)
    found = tx.conn.execute(
        "SELECT mono_ms, wall_ms, clock, vals, quals FROM observation WHERE stream IN (SELECT b.id FROM stream a JOIN stream b "
        "ON b.id = a.id OR (b.origin, b.subject, b.source, b.profile) = (a.origin, a.subject, a.source, a.profile) "
        "WHERE a.id = ?) AND boot = ? AND mono_ms BETWEEN ? AND ?",
        (stream.id, batch.boot, low - NEAR_MS, high + NEAR_MS),
    ).fetchall()
    if not found:
        return batch.rows
    known = {_same(row_of(*row)) for row in found}
    return [row for row in batch.rows if _same(row) not in known]


def _same(row: Row) -> tuple[Any, ...]:
    return (row.mono_ms if row.wall_ms is None else row.wall_ms, row.values)


def _event(tx: Tx, ingest: Ingest, parcel: Parcel, event: Event, out: Outcome) -> None:
    if event.id.origin != parcel.id.origin:
        return  # nobody writes in another's name, nor takes the numbers of its events
    time = event.time
    row = Row(time.mono_ms, time.wall_ms, int(time.quality), (), ())
    at = _measured(parcel, row, time.mono_ms)
    level = passed_on(event, parcel.level)
    if ingest.event(tx, event, level, at, parcel.row, parcel.now.wall_ms):
        out.rows += 1
        out.events.append((event, level))


def _stream(tx: Tx, ingest: Ingest, parcel: Parcel, info: StreamInfo, out: Outcome) -> None:
    """Rows that came before their descriptor enter the latest state now."""
    stream = ingest.describe(tx, Place(parcel.id.origin, parcel.id.incarnation), info)
    if stream is None:
        return
    found = tx.conn.execute(
        "SELECT boot, lane, level, mono_ms, wall_ms, clock, vals, quals FROM observation WHERE stream = ? "
        "ORDER BY boot DESC, mono_ms DESC LIMIT 50",
        (stream.id,),
    ).fetchall()
    entries = [
        Entry(stream, boot, row.mono_ms, row.wall_ms, row.clock, row.values, row.qualities, lane, Level(level),
              _measured(parcel, row, found[0][3] if boot == found[0][0] else row.mono_ms))
        for boot, lane, level, *columns in reversed(found)
        for row in [row_of(*columns)]
    ]  # fmt: skip
    ingest.latest(tx, _newest(entries))


def _hole(tx: Tx, ingest: Ingest, parcel: Parcel, hole: Hole, out: Outcome) -> None:
    if hole.origin != parcel.id.origin:
        return
    tx.conn.execute(
        "INSERT INTO hole (origin, incarnation, lane, first, last, reason, rows, block) VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT DO UPDATE SET last = max(last, excluded.last)",
        (hole.origin, hole.incarnation, hole.lane, hole.first, hole.last, hole.reason, hole.rows, parcel.row),
    )
    out.holes.append(hole)


def _force(tx: Tx, ingest: Ingest, parcel: Parcel, force: Force, out: Outcome) -> None:
    show_force(tx, ingest, parcel.id, force, parcel.sealed_at, parcel.level)


def _scene(tx: Tx, ingest: Ingest, parcel: Parcel, scene: Scene, out: Outcome) -> None:
    show_scene(tx, parcel.id, scene, parcel.sealed_at, parcel.level)


def _span(tx: Tx, ingest: Ingest, parcel: Parcel, span: TrackSpan, out: Outcome) -> None:
    place = Place(parcel.id.origin, parcel.id.incarnation)
    keep(tx, place, [span], parcel.level, parcel.row)
    end = Row(0, span.points[-1].ms, int(ClockQuality.NTP), (), ())
    show(tx, ingest, place, span, _measured(parcel, end, 0), parcel.level)


_APPLY: Final[dict[type, Callable[..., None]]] = {
    Batch: _rows,
    Event: _event,
    StreamInfo: _stream,
    Hole: _hole,
    Force: _force,
    Scene: _scene,
    TrackSpan: _span,
}

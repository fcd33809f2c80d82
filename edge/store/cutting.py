"""What the next block of a lane holds: hole records, events, descriptors of streams, rows; in this order, oldest first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from sqlite_utils import Database

from edge.store.rows import EVENT_COLUMNS, event_of, profile_of, row_of
from hardware.observation import Profile
from sync import codec
from sync.holes import encode_holes
from sync.ids import Content, KeyClass, Lane, Source
from sync.records import Anchor, Batch, Hole, Row, StreamInfo

T = TypeVar("T")

MAX_ITEMS: Final = 256  # events, descriptors or holes of one block
MAX_ROWS: Final = 4096  # a fifth of a second to seal; twice as many would save 2 %
_WAITING: Final = (
    "SELECT o.id, o.boot, o.mono_ms, o.wall_ms, o.clock, o.vals, o.quals, s.id, s.number, s.subject, s.source, s.profile, "
    "s.block FROM observation o JOIN stream s ON s.id = o.stream "
    "WHERE o.block IS NULL AND o.lane = ? AND o.vital = ? ORDER BY o.id LIMIT ?"
)


@dataclass(frozen=True, slots=True)
class Draft:
    """A block's body before it has a number: its items by table and row id, and (boot, ms) of the oldest."""

    content: Content
    body: bytes
    key_class: KeyClass
    table: str
    items: tuple[int, ...]
    oldest: tuple[int, int] | None

    @property
    def rows(self) -> int:
        """How many rows or events it delivers."""
        return len(self.items) if self.table in ("observation", "event") else 0

    @property
    def waited(self) -> int:
        """How many of its items were counted as waiting in the lane."""
        return 0 if self.table == "stream" else len(self.items)


class Cutter:
    """Reads what waits, for one log."""

    def __init__(self, db: Database, source: tuple[int, int], anchor: Anchor | None) -> None:
        self._db, self._place, self._anchor = db, source, anchor
        self._profiles: dict[int, Profile] = {}

    def next(self, lane: Lane, room: int) -> Draft | None:
        """The next draft whose body is at most `room` bytes, larger only for one item that is; None when nothing waits."""
        return (
            (self._holes(room) if lane is Lane.COMMAND else None) or self._events(lane, room) or self._rows(lane, room)
        )

    def _holes(self, room: int) -> Draft | None:
        found = self._db.execute(
            "SELECT id, origin, incarnation, lane, first, last, reason, rows FROM hole WHERE block IS NULL LIMIT ?",
            (MAX_ITEMS,),
        ).fetchall()
        return _draft(Content.HOLES, "hole", found, lambda rows: encode_holes([Hole(*row[1:]) for row in rows]), room)

    def _events(self, lane: Lane, room: int) -> Draft | None:
        source = Source(*self._place, lane)
        found = self._db.execute(
            f"SELECT id, {EVENT_COLUMNS} FROM event WHERE block IS NULL AND lane = ? ORDER BY id LIMIT ?",
            (lane, MAX_ITEMS),
        ).fetchall()

        def encode(rows: Sequence[Any]) -> bytes:
            return codec.encode_events([event_of(row[1:]) for row in rows], self._anchor, source=source)

        return _draft(Content.EVENTS, "event", found, encode, room, oldest=found[0][7:9] if found else None)

    def _rows(self, lane: Lane, room: int) -> Draft | None:
        """Rows of one key class, by stream; before them the descriptors of streams that have not travelled yet."""
        limit = min(MAX_ROWS, 8 + room // 2)
        found = min(
            (self._db.execute(_WAITING, (lane, vital, limit)).fetchall() for vital in (0, 1)),
            key=lambda rows: rows[0][0] if rows else float("inf"),
        )
        if not found:
            return None
        nameless = {row[7]: row[7:12] for row in found if row[12] is None}
        if nameless:
            return _draft(Content.STREAMS, "stream", list(nameless.values()), self._describe, room)
        batches, ids = self._batches(found)
        body, taken = codec.encode_within(batches, self._anchor, room - 1)
        if taken == 0:
            first = batches[0]
            body, taken = (
                codec.encode_batches([Batch(first.stream, first.boot, first.profile, first.rows[:1])], self._anchor),
                1,
            )
        key_class = KeyClass.VITAL if batches[0].profile.private else KeyClass.FIELD
        return Draft(Content.ROWS, body, key_class, "observation", tuple(ids[:taken]), found[0][1:3])

    def _batches(self, found: Sequence[Any]) -> tuple[list[Batch], list[int]]:
        """Batches by stream and boot, in order of their first rows; and the ids of all rows in that order."""
        groups: dict[tuple[int, int], tuple[Profile, list[Row], list[int]]] = {}
        for row in found:
            _, rows, ids = groups.setdefault((row[8], row[1]), (self._profile(row[11]), [], []))
            rows.append(row_of(*row[2:7]))
            ids.append(row[0])
        batches = [Batch(stream, boot, profile, tuple(rows)) for (stream, boot), (profile, rows, _) in groups.items()]
        return batches, [item for _, _, ids in groups.values() for item in ids]

    def _describe(self, streams: Sequence[Any]) -> bytes:
        return codec.encode_streams([
            StreamInfo(number, subject, source, self._profile(profile)) for _, number, subject, source, profile in streams
        ])  # fmt: skip

    def _profile(self, row: int) -> Profile:
        if row not in self._profiles:
            found = self._db.execute("SELECT number, name, fields FROM profile WHERE id = ?", (row,)).fetchone()
            self._profiles[row] = profile_of(*found)
        return self._profiles[row]


def _draft(
    content: Content,
    table: str,
    found: Sequence[Any],
    encode: Callable[[Sequence[Any]], bytes],
    room: int,
    oldest: tuple[int, int] | None = None,
) -> Draft | None:
    """As many leading items as fit, at least one; None when there is none."""
    if not found:
        return None
    body, count = _fit(found, encode, room - 1)
    return Draft(content, body, KeyClass.FIELD, table, tuple(row[0] for row in found[:count]), oldest)


def _fit(items: Sequence[T], encode: Callable[[Sequence[T]], bytes], room: int) -> tuple[bytes, int]:
    """The longest prefix that fits, found by halving; the first item in any case."""
    if len(body := encode(items)) <= room or len(items) == 1:
        return body, len(items)
    best, good, bad = encode(items[:1]), 1, len(items)
    while bad - good > 1:
        middle = (good + bad) // 2
        body = encode(items[:middle])
        if len(body) <= room:
            best, good = body, middle
        else:
            bad = middle
    return best, good

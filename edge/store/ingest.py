"""Observations and events on their way into the tables; every method works inside a transaction of the writer.

What is learned in a transaction (ids of streams and profiles) enters the caches only after its COMMIT.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from edge.store.rows import EVENT_COLUMNS, compact, event_row, fields_text, quals_text
from edge.store.writer import Tx
from hardware.kinds import BY_NAME, Quality
from hardware.observation import Observation, Profile
from sync.events import KINDS
from sync.ids import Lane, Level
from sync.records import Event, StreamInfo, Truth
from sync.trust.standing import measured

PACKET: Final = BY_NAME["mesh.packet"].number
AGE: Final = BY_NAME["dev.age"].number
SILENT: Final = (Quality.GOOD, Quality.BAD)  # a null of these only says that nothing was measured

_OBSERVE: Final = (
    "INSERT INTO observation (stream, boot, mono_ms, wall_ms, clock, vals, quals, lane, vital, block, level, received_ms) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id"
)
_EVENT: Final = (
    f"INSERT INTO event ({EVENT_COLUMNS}, lane, block, level, at_boot, at_ms, received_ms) "
    f"VALUES ({', '.join('?' * 20)}) ON CONFLICT DO NOTHING"
)
# Newer wins; a guest's value never takes the place of a member's.
_LATEST: Final = (
    "INSERT INTO latest VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value, "
    "exponent = excluded.exponent, quality = excluded.quality, source = excluded.source, at_boot = excluded.at_boot, "
    "at_ms = excluded.at_ms, wall_ms = excluded.wall_ms, clock = excluded.clock, level = excluded.level, "
    "truth = excluded.truth, bound_m = excluded.bound_m "
    "WHERE (excluded.at_boot, excluded.at_ms) >= (at_boot, at_ms) AND excluded.level >= min(level, 2)"
)
_PACKET: Final = (
    "INSERT INTO radio_packet VALUES (?, ?, ?, 1, 0) ON CONFLICT DO UPDATE SET heard = heard + 1 RETURNING heard"
)
_PACKET_ROW: Final = "UPDATE radio_packet SET observation = ? WHERE radio = ? AND packet = ? AND profile = ?"
_COUNT: Final = (
    "INSERT INTO counter VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET next = next + excluded.next RETURNING next"
)
_OFFSET: Final = (
    "INSERT INTO boot VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET offset_ms = excluded.offset_ms, "
    "clock = excluded.clock WHERE excluded.clock > clock"
)


class Stream:
    """A stream's row id with what its rows need; subject and source are None until its descriptor has come."""

    __slots__ = ("age_at", "columns", "id", "packet_at", "profile", "source", "subject", "vital")

    def __init__(self, row: int, subject: str | None, source: str | None, profile: Profile) -> None:
        self.id, self.subject, self.source, self.profile = row, subject, source, profile
        self.vital = profile.private
        self.columns = tuple((column.kind, column.exponent) for column in profile.columns)
        kinds = [column.kind for column in profile.columns]
        self.packet_at = kinds.index(PACKET) if PACKET in kinds else None
        self.age_at = kinds.index(AGE) if AGE in kinds else None

    def age_ms(self, values: Sequence[int | None]) -> int:
        """How old a row was when its receiver heard it, as far as it says."""
        return 1000 * (values[self.age_at] or 0) if self.age_at is not None else 0

    def packet(self, values: Sequence[int | None]) -> tuple[str, int, int] | None:
        """(radio, packet id, profile) of a row that a radio sent; the radio is the source behind the last slash."""
        if self.packet_at is None or self.source is None or (number := values[self.packet_at]) is None:
            return None
        return self.source.rpartition("/")[2], number, self.profile.number


class Place(NamedTuple):
    """Where a row of the measuring store stands: its space of stream and boot numbers."""

    origin: int
    incarnation: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One observation ready for the table; `at` is (boot, ms) of its measuring on this store's own clock."""

    stream: Stream
    boot: int
    mono_ms: int
    wall_ms: int | None
    clock: int
    values: tuple[int | None, ...]
    qualities: tuple[int, ...]
    lane: Lane
    level: Level
    at: tuple[int, int]
    block: int | None = None
    received_ms: int | None = None
    truth: Truth = Truth.EXACT
    bound_m: int = 0


def take(tx: Tx, incarnation: int, name: str, count: int = 1) -> int:
    """Reserve `count` numbers of an own number space, durably with this transaction; the first of them."""
    return int(tx.conn.execute(_COUNT, (incarnation, name, count)).fetchone()[0]) - count


class Ingest:
    """Writes rows of any origin. One for a store; used on the writer's thread only."""

    def __init__(self) -> None:
        self._streams: dict[tuple[int, int, str, str, int, str], Stream] = {}
        self._profiles: dict[tuple[int, str], int] = {}
        self._clocks: dict[tuple[int, int, int], int] = {}

    def own(self, tx: Tx, place: Place, item: Observation, lane: Lane, level: Level) -> bool:
        """Store what a device of this node measured; False when the same radio packet is here already."""
        time = item.time
        stream = self._own_stream(tx, place, item)
        entry = Entry(
            stream, time.boot, time.mono_ms, time.wall_ms, int(time.quality), item.values, item.qualities,
            lane, level, (time.boot, time.mono_ms - stream.age_ms(item.values)),
        )  # fmt: skip
        if self.add(tx, entry) is None:
            return False
        self.date(tx, place, entry.boot, entry.mono_ms, entry.wall_ms, entry.clock)
        self.latest(tx, (entry,))
        return True

    def add(self, tx: Tx, entry: Entry) -> int | None:
        """Store one row; its id, or None when the same radio packet is here already."""
        packet = entry.stream.packet(entry.values)
        if packet is not None and tx.conn.execute(_PACKET, packet).fetchone()[0] > 1:
            return None
        level = measured(entry.stream.subject, entry.level)
        row: int = tx.conn.execute(_OBSERVE, (
            entry.stream.id, entry.boot, entry.mono_ms, entry.wall_ms, entry.clock, compact(entry.values),
            quals_text(entry.qualities), int(entry.lane), entry.stream.vital, entry.block, int(level), entry.received_ms,
        )).fetchone()[0]  # fmt: skip
        if packet is not None:
            tx.conn.execute(_PACKET_ROW, (row, *packet))
        return row

    def date(self, tx: Tx, place: Place, boot: int, mono_ms: int, wall_ms: int | None, clock: int) -> None:
        """Learn the offset of a boot's clock, once for each better source."""
        key = (*place, boot)
        if wall_ms is None or self._clocks.get(key, -1) >= clock:
            return
        tx.conn.execute(_OFFSET, (*key, wall_ms - mono_ms, clock))
        tx.after(lambda: self._clocks.__setitem__(key, clock))

    def event(
        self, tx: Tx, event: Event, level: Level, at: tuple[int, int], block: int | None = None, received_ms: int | None = None
    ) -> bool:  # fmt: skip
        """Store an event; False when it is here already."""
        lane = KINDS[event.kind].lane if event.kind in KINDS else Lane.COMMAND
        row = (*event_row(event), int(lane), block, int(level), *at, received_ms)
        if tx.conn.execute(_EVENT, row).rowcount == 0 and not self._better(tx, event, level, row):
            return False
        tx.conn.execute("UPDATE meta SET value = max(value, ?) WHERE name = 'lamport'", (event.lamport,))
        time = event.time
        self.date(
            tx, Place(event.id.origin, event.id.incarnation), time.boot, time.mono_ms, time.wall_ms, int(time.quality)
        )
        return True

    def _better(self, tx: Tx, event: Event, level: Level, row: tuple[Any, ...]) -> bool:
        """Another event has this id: one that is proven takes the place of one that is not; whether it is other than that one."""
        where = "WHERE origin = ? AND incarnation = ? AND number = ? AND block IS NOT NULL AND level < ?"
        values = (*event.id, int(level if level >= Level.ORIGIN else Level.QUARANTINE))
        found = tx.conn.execute(f"SELECT {EVENT_COLUMNS} FROM event {where}", values).fetchone()
        if found is None:
            return False
        tx.conn.execute(f"DELETE FROM event {where}", values)
        tx.conn.execute(_EVENT, row)
        return tuple(found) != event_row(event)

    def profile(self, tx: Tx, profile: Profile) -> int:
        """The profile's row id."""
        key = (profile.number, fields_text(profile))
        if key not in self._profiles:
            tx.conn.execute(
                "INSERT INTO profile (number, name, fields, private) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (profile.number, profile.name, key[1], profile.private),
            )
            found = tx.conn.execute("SELECT id FROM profile WHERE number = ? AND fields = ?", key).fetchone()[0]
            tx.after(lambda: self._profiles.__setitem__(key, found))
            return int(found)
        return self._profiles[key]

    def stream(self, tx: Tx, place: Place, number: int, profile: Profile) -> Stream:
        """A stream of any origin by its number; made without a name when its descriptor has not come yet."""
        known = tx.conn.execute(
            "SELECT id, subject, source FROM stream WHERE origin = ? AND incarnation = ? AND number = ?",
            (*place, number),
        ).fetchone()
        if known is None:
            known = tx.conn.execute(
                "INSERT INTO stream (origin, incarnation, number, profile) VALUES (?, ?, ?, ?) RETURNING id, subject, source",
                (*place, number, self.profile(tx, profile)),
            ).fetchone()
        return Stream(known[0], known[1], known[2], profile)

    def describe(self, tx: Tx, place: Place, info: StreamInfo) -> Stream | None:
        """Learn a stream's descriptor; None when it was known: what a stream means never changes."""
        stream = self.stream(tx, place, info.stream, info.profile)
        if stream.subject is not None:
            return None
        tx.conn.execute(
            "UPDATE stream SET subject = ?, source = ?, profile = ? WHERE id = ?",
            (info.subject, info.source, self.profile(tx, info.profile), stream.id),
        )
        most = measured(info.subject, Level.COMMAND)
        tx.conn.execute("UPDATE observation SET level = min(level, ?) WHERE stream = ?", (int(most), stream.id))
        return Stream(stream.id, info.subject, info.source, info.profile)

    def latest(self, tx: Tx, entries: Iterable[Entry]) -> None:
        """Bring the latest state up to date without storing rows."""
        tx.conn.executemany(_LATEST, [row for entry in entries for row in _latest(entry)])

    def _own_stream(self, tx: Tx, place: Place, item: Observation) -> Stream:
        key = (*place, item.subject, item.source, item.profile.number, item.profile.name)
        if (stream := self._streams.get(key)) is None:
            stream = self._find(tx, place, item.subject, item.source, item.profile)
            tx.after(lambda: self._streams.__setitem__(key, stream))
        return stream

    def _find(self, tx: Tx, place: Place, subject: str, source: str, profile: Profile) -> Stream:
        """This store's own stream for a subject, source and profile; a new number when there is none."""
        key = (*place, subject, source, self.profile(tx, profile))
        where = "origin = ? AND incarnation = ? AND subject = ? AND source = ? AND profile = ?"
        found = tx.conn.execute(f"SELECT id FROM stream WHERE {where}", key).fetchone()
        if found is None:
            found = tx.conn.execute(
                "INSERT INTO stream (origin, incarnation, subject, source, profile, number) VALUES (?, ?, ?, ?, ?, ?) RETURNING id",
                (*key, take(tx, place.incarnation, "stream")),
            ).fetchone()
        return Stream(found[0], subject, source, profile)

    def carry_over(self, tx: Tx, place: Place) -> None:
        """At the start of a new life: rows that still wait join streams of the new incarnation."""
        old = tx.conn.execute(
            "SELECT DISTINCT stream FROM observation WHERE block IS NULL AND stream IN "
            "(SELECT id FROM stream WHERE (origin, incarnation) != (?, ?))",
            place,
        ).fetchall()
        for (stream,) in old:
            number = take(tx, place.incarnation, "stream")
            new = tx.conn.execute(
                "INSERT INTO stream (origin, incarnation, number, subject, source, profile) "
                "SELECT ?, ?, ?, subject, source, profile FROM stream WHERE id = ? RETURNING id",
                (*place, number, stream),
            ).fetchone()[0]
            tx.conn.execute("UPDATE observation SET stream = ? WHERE stream = ? AND block IS NULL", (new, stream))


def _latest(entry: Entry) -> Iterator[tuple[Any, ...]]:
    """Rows of the latest state. A null says something only when its quality is more than "nothing measured"."""
    stream = entry.stream
    if stream.subject is None or entry.level < Level.GUEST:
        return
    level = measured(stream.subject, entry.level)
    for (kind, exponent), value, quality in zip(stream.columns, entry.values, entry.qualities):
        if value is not None or quality not in SILENT:
            yield (
                stream.subject, kind, value, exponent, int(quality), stream.source, *entry.at, entry.wall_ms,
                entry.clock, int(level), int(entry.truth), entry.bound_m,
            )  # fmt: skip

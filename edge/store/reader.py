"""The store as screens and reports read it: a read-only connection, whole snapshots, no cursor kept open.

One Reader belongs to one thread. Ages are seconds, None where no clock can tell.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from edge.store.connect import fetch, open_reader
from edge.store.migrate import readable
from edge.store.rows import EVENT_COLUMNS, event_of, row_of, spans_of
from edge.store.status import beside, read_status
from edge.store.ways import FIXES, SPANS, Stretch, fixes_of, merged, span_of
from hardware.clock import Clock, SystemClock
from hardware.errors import StoreError
from hardware.kinds import Quality
from sync.events import BY_NAME
from sync.ids import BlockId, Lane, Level, Source
from sync.ranges import Ranges
from sync.records import Event, Row, Truth
from sync.trust.standing import measured

PERSON: Final = BY_NAME["person"].number
MOST_FIXES: Final = 100_000  # of one way
_EVENTS: Final = (
    f"SELECT {', '.join('e.' + name for name in EVENT_COLUMNS.split(', '))}, e.level, e.at_boot, e.at_ms, "
    "b.origin, b.incarnation, b.lane, b.number, (SELECT group_concat(bearer) FROM ledger WHERE block = b.id) "
    "FROM event e LEFT JOIN block b ON b.id = e.block"
)
_NEWEST: Final = "SELECT id, mono_ms, wall_ms, clock, vals, quals FROM observation WHERE stream = ? ORDER BY boot DESC, mono_ms DESC LIMIT ?"
_BACKLOG: Final = "SELECT coalesce(sum(rows), 0) FROM block WHERE origin = ? AND incarnation = ? AND lane = ? AND number BETWEEN ? AND ?"
_OLDEST: Final = (
    "SELECT at_boot, at_ms, NULL FROM block WHERE origin = ? AND incarnation = ? AND lane = ? AND number BETWEEN ? AND ? "
    "AND rows > 0 ORDER BY at_boot, at_ms LIMIT 1"
)


@dataclass(frozen=True, slots=True)
class Latest:
    """The newest value of a kind about a subject: real value = value x 10**exponent, None where the device gave none."""

    value: int | None
    exponent: int
    quality: Quality
    source: str
    age_s: float | None
    wall_ms: int | None
    level: Level
    truth: Truth = Truth.EXACT
    bound_m: int = 0  # metres within which a place is true, 0 when exact

    @property
    def real(self) -> float | None:
        """The value in the kind's unit."""
        return None if self.value is None else round(self.value * 10.0**self.exponent, max(0, -self.exponent))


@dataclass(frozen=True, slots=True)
class EventLine:
    """An event as this node holds it. block: None while unsealed; sent: bearers it went out by (a hint);
    stored: roster indexes of the nodes known to have committed it."""

    event: Event
    level: Level
    age_s: float | None
    block: BlockId | None
    sent: tuple[str, ...]
    stored: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Backlog:
    """What of a lane has not reached central: rows and events waiting to be sealed, those in sealed blocks, oldest age."""

    lane: Lane
    unsealed: int
    sealed: int
    oldest_s: float | None

    @property
    def waiting(self) -> int:
        """Everything not at central."""
        return self.unsealed + self.sealed


@dataclass(frozen=True, slots=True)
class Sight:
    """Who is there, and how everything stands. latest: by subject, then kind number; people: newest `person` event by person id."""

    latest: Mapping[str, Mapping[int, Latest]]
    people: Mapping[str, EventLine]


@dataclass(frozen=True, slots=True)
class Snapshot(Sight):
    """One consistent moment. counts: observations, events, blocks, unpacking, quarantine, holes; status: what the agent said,
    status_age_s old."""

    boot: int
    incarnation: int
    events: tuple[EventLine, ...]
    backlog: tuple[Backlog, ...]
    counts: Mapping[str, int]
    status: Mapping[str, Any]
    status_age_s: float | None


class Reader:
    """Reads the store beside a running agent, or without one. central: whose end lists count as delivered (all, when empty).

    Raises StoreError: missing, damaged or newer file.
    """

    def __init__(
        self,
        path: Path,
        origin: int,
        central: Iterable[int] = (),
        clock: Callable[[int], Clock] = SystemClock,
    ) -> None:
        self.path, self.origin, self.central = path, origin, frozenset(central)
        self._db = open_reader(path)
        self._version = -1
        self._make_clock = clock
        self._clock = clock(0)
        self._boot = -1
        self._offsets: dict[int, int] = {}
        try:
            readable(self._db, path)
        except StoreError:
            self._db.close()
            raise

    def close(self) -> None:
        """Let the file go."""
        self._db.close()

    def changed(self) -> bool:
        """Whether anything was committed since the last call; costs microseconds. True at first."""
        version: int = self._rows("PRAGMA data_version")[0][0]
        fresh, self._version = version != self._version, version
        return fresh

    def status(self) -> tuple[dict[str, Any], float | None]:
        """What the agent last said about itself and how long ago; {} when it never did."""
        status = read_status(beside(self.path))
        at = status.get("at")
        return status, None if at is None else self._age(at[0], at[1])

    def snapshot(self, events: int = 50) -> Snapshot:
        """Everything a screen shows, with the newest `events` events, newest first."""
        try:
            self._db.execute("BEGIN")
            self._refresh()
            ends = self.ends()
            status, status_age = self.status()
            recent = self.events("ORDER BY e.id DESC LIMIT ?", (4 * events,), ends)
            recent.sort(key=lambda line: float("inf") if line.age_s is None else line.age_s)
            return Snapshot(
                boot=self._boot,
                incarnation=self._rows("SELECT incarnation FROM life ORDER BY id DESC LIMIT 1")[0][0],
                latest=self._latest(),
                people=self._people(ends),
                events=tuple(recent[:events]),
                backlog=tuple(self._backlog(lane, ends) for lane in Lane),
                counts=self.counts(),
                status=status,
                status_age_s=status_age,
            )
        finally:
            if self._db.conn.in_transaction:
                self._db.execute("COMMIT")

    def sight(self) -> Sight:
        """Who is there and how everything stands, at far less cost than a snapshot; people without whom their events reached."""
        self._refresh()
        return Sight(self._latest(), self._people({}))

    def events(
        self, where: str, values: Sequence[Any] = (), ends: Mapping[int, Mapping[Source, Ranges]] | None = None
    ) -> list[EventLine]:
        """Events by an SQL condition over `e` (event) and `b` (its block), such as "WHERE e.id > ? ORDER BY e.id"."""
        known = self.ends() if ends is None else ends
        return [self._line(row, known) for row in self._rows(f"{_EVENTS} {where}", values)]

    def ends(self) -> dict[int, dict[Source, Ranges]]:
        """What each other node is known to have committed."""
        ends: dict[int, dict[Source, Ranges]] = {}
        for node, origin, incarnation, lane, spans in self._rows("SELECT * FROM end_list"):
            ends.setdefault(node, {})[Source(origin, incarnation, Lane(lane))] = spans_of(spans)
        return ends

    def history(self, subject: str, profile: str, limit: int = 500) -> list[Row]:
        """The last rows of a subject in a profile, as they were measured by each of its devices, oldest first."""
        streams = self._rows(
            "SELECT s.id FROM stream s JOIN profile p ON p.id = s.profile WHERE s.subject = ? AND p.name = ?",
            (subject, profile),
        )
        newest = [row for (stream,) in streams for row in self._rows(_NEWEST, (stream, limit))]
        return [row_of(*row[1:]) for row in sorted(newest)[-limit:]]

    def way(self, subject: str, first_ms: int, last_ms: int) -> list[Stretch]:
        """Where a subject went between two instants (UTC), each part with its class and bound; exact where history has come."""
        level = int(measured(subject, Level.MEMBER))
        fixes = self._rows(FIXES.format("s.subject = ?"), (subject, first_ms, last_ms, level, MOST_FIXES))
        spans = self._rows(SPANS, (subject, first_ms, last_ms, level))
        return merged(list(fixes_of(fixes)), [span_of(*row) for row in spans])

    def counts(self) -> dict[str, int]:
        """Rows of the main tables; observations by their highest id, which is exact until retention deletes some."""
        counts = {
            name: self._rows(f"SELECT count(*) FROM {name}")[0][0]
            for name in ("event", "block", "unpacking", "quarantine", "hole")
        }
        return {"observation": self._rows("SELECT coalesce(max(id), 0) FROM observation")[0][0], **counts}

    def scenes(self) -> dict[int, tuple[dict[str, int], float | None]]:
        """The newest scene picture of each node: values by name of sync.codec.scene.FIELDS, and its age."""
        rows = self._rows("SELECT origin, vals, at_boot, at_ms FROM scene WHERE level >= ?", (int(Level.MEMBER),))
        return {origin: (json.loads(vals), self._age(boot, ms)) for origin, vals, boot, ms in rows}

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        return fetch(self._db, self.path, sql, values)

    def _refresh(self) -> None:
        """Learn the present boot and what is known of earlier boots' clocks."""
        boot = self._rows("SELECT value FROM meta WHERE name = 'boot'")[0][0]
        if boot != self._boot:
            self._boot, self._clock = boot, self._make_clock(boot)
        rows = self._rows("SELECT boot, offset_ms FROM boot WHERE origin = ? ORDER BY clock", (self.origin,))
        self._offsets = dict(rows)

    def _age(self, boot: int, ms: int, wall_ms: int | None = None) -> float | None:
        """Seconds since an instant of this store's own clock, across restarts by the wall clock if it was known."""
        now = self._clock.stamp()
        if boot == now.boot and now.mono_ms >= ms:
            return (now.mono_ms - ms) / 1000
        if wall_ms is None and boot in self._offsets:
            wall_ms = ms + self._offsets[boot]
        return None if wall_ms is None or now.wall_ms is None else max(0.0, (now.wall_ms - wall_ms) / 1000)

    def _people(self, ends: Mapping[int, Mapping[Source, Ranges]]) -> dict[str, EventLine]:
        lines = self.events("WHERE e.kind = ? ORDER BY e.lamport, e.origin, e.number", (PERSON,), ends)
        return {str(line.event.body.get(0, "")): line for line in lines if line.level >= Level.MEMBER}

    def _latest(self) -> dict[str, dict[int, Latest]]:
        latest: dict[str, dict[int, Latest]] = {}
        for row in self._rows(
            "SELECT subject, kind, value, exponent, quality, source, at_boot, at_ms, wall_ms, level, truth, bound_m FROM latest"
        ):
            subject, kind, value, exponent, quality, source, boot, ms, wall, level, truth, bound_m = row
            latest.setdefault(subject, {})[kind] = Latest(
                value,
                exponent,
                Quality(quality),
                source,
                self._age(boot, ms, wall),
                wall,
                Level(level),
                Truth(truth),
                bound_m,
            )
        return latest

    def _line(self, row: tuple[Any, ...], ends: Mapping[int, Mapping[Source, Ranges]]) -> EventLine:
        level, boot, ms, origin, incarnation, lane, number, bearers = row[14:]
        event = event_of(row)
        block = None if origin is None else BlockId(origin, incarnation, Lane(lane), number)
        stored = () if block is None else sorted(
            node for node, had in ends.items() if block.source in had and block.number in had[block.source]
        )  # fmt: skip
        return EventLine(
            event, Level(level), self._age(boot, ms, event.time.wall_ms), block,
            tuple(sorted(bearers.split(","))) if bearers else (), tuple(stored),
        )  # fmt: skip

    def _backlog(self, lane: Lane, ends: Mapping[int, Mapping[Source, Ranges]]) -> Backlog:
        unsealed, oldest = 0, []
        for table in ("observation", "event"):
            unsealed += self._rows(f"SELECT count(*) FROM {table} WHERE block IS NULL AND lane = ?", (lane,))[0][0]
            oldest += self._rows(
                f"SELECT boot, mono_ms, wall_ms FROM {table} WHERE block IS NULL AND lane = ? ORDER BY id LIMIT 1",
                (lane,),
            )
        sealed = 0
        for source, gaps in self._unsettled(lane, ends):
            for first, last in gaps:
                sealed += self._rows(_BACKLOG, (*source, first, last))[0][0]
                oldest += self._rows(_OLDEST, (*source, first, last))
        ages = [age for age in (self._age(*row) for row in oldest) if age is not None]
        return Backlog(lane, unsealed, sealed, max(ages, default=None))

    def _unsettled(self, lane: Lane, ends: Mapping[int, Mapping[Source, Ranges]]) -> list[tuple[Source, Ranges]]:
        """Own block numbers of a lane that no central is known to have."""
        if lane is Lane.PICTURE:
            return []
        out = []
        for incarnation, top in self._rows(
            "SELECT incarnation, max(number) FROM block WHERE origin = ? AND lane = ? GROUP BY incarnation",
            (self.origin, lane),
        ):
            source, settled = Source(self.origin, incarnation, lane), Ranges()
            for node, had in ends.items():
                if (node in self.central or not self.central) and source in had:
                    settled.update(had[source])
            out.append((source, Ranges([(0, top)]).minus(settled)))
        return out

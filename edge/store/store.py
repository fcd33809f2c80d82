"""The store of a node: one file, one writer, and nothing acknowledged before it is committed."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from edge.store import life
from edge.store.index import Index
from edge.store.ingest import Ingest, Place, take
from edge.store.migrate import inspect, migrate
from edge.store.retention import KEEP, Keep, Retention
from edge.store.space import BALLAST_BYTES, Ballast
from edge.store.status import StatusFile, beside
from edge.store.writer import Tx, Writer
from hardware.clock import Clock, Stamp, SystemClock
from hardware.driver import Health
from hardware.errors import StoreError, StoreFull
from hardware.observation import Observation
from sync.events import KINDS, public
from sync.ids import Lane, Level
from sync.records import Event, EventId, Value

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Fresh:
    """What a commit brought: rows stored, events stored with their levels, blocks that came or were sealed ahead."""

    rows: int = 0
    events: list[tuple[Event, Level]] = field(default_factory=list)
    blocks: int = 0


class Store:
    """Opened with `open`. Writes may come from any thread and return futures that resolve after COMMIT.

    clock: stamps of this opening (its `boot` is the store's boot counter); waiting: rows and events not yet sealed, by lane;
    alarm: why nothing more may be sealed in this life ("" normally), as StoreLog found.
    """

    def __init__(self, path: Path, origin: int, writer: Writer, now: life.Life, clock: Clock, keep: Keep) -> None:
        self.path, self.origin, self.writer, self.life, self.clock = path, origin, writer, now, clock
        self.place = Place(origin, now.incarnation)
        self.alarm = ""
        self.ingest = Ingest()
        self.waiting: dict[Lane, int] = dict.fromkeys(Lane, 0)
        self.watchers: list[Callable[[Fresh], None]] = []
        self.index = Index(writer.db, path)
        self.sealing = Lock()  # held by whoever seals rows: two would seal the same ones
        self.retention = Retention(
            path, origin, keep, lambda lane, rows: self.grown(lane, rows, Fresh()), self.index.forget
        )
        writer.relief = self.retention
        self._status = StatusFile(beside(path))

    @classmethod
    def open(
        cls,
        path: Path,
        origin: int,
        *,
        clock: Callable[[int], Clock] = SystemClock,
        ballast: int = BALLAST_BYTES,
        keep: Keep = KEEP,
        threaded: bool = True,
        machine: Path = life.MACHINE_ID,
        below: Callable[[int], int] = secrets.randbelow,
        incident: bytes = b"",
    ) -> Store:
        """Open or make the file as node `origin`'s; `clock` gets the boot counter. Raises StoreNewer, StoreCorrupt, StoreError.

        A full disk gives the ballast up once; when that is not enough, StoreFull. keep: what is given up for room, and when.
        threaded, below: for simulations, which write inline and must not depend on chance. incident: its id; what this store
        collected in another one is adopted.
        """
        held = Ballast(path.with_name(path.name + ".ballast"), ballast)

        def attempt() -> Store:
            inspect(path)
            writer = Writer(path, held, quota=keep.quota, threaded=threaded)
            try:
                migrate(writer.db, path)
                marker = life.Marker(path.with_name(path.name + ".life"))
                now = life.begin(writer.db.conn, path, marker, origin, machine, below, incident)
                writer.committed = marker.move
                return cls(path, origin, writer, now, clock(now.boot), keep)
            except StoreError:
                writer.close()
                raise

        try:
            store = attempt()
        except StoreFull:
            if not held.give_up():
                raise
            store = attempt()
        held.hold()
        store.start()
        return store

    def start(self) -> None:
        """Hand the file to the writer and count what waits. Raises StoreError, then closed."""
        self.writer.start()
        try:
            self.writer.submit(self._begin, urgent=True).result()
        except StoreError:
            self.close()
            raise

    @property
    def health(self) -> tuple[Health, str]:
        """State of the storage with its reason; DEGRADED while something is given up for room."""
        if self.writer.health is Health.UP and self.retention.why:
            return Health.DEGRADED, self.retention.why
        return self.writer.health, self.writer.why

    def close(self) -> None:
        """Commit what waits and close the file."""
        self.writer.close()

    def write(
        self, items: Sequence[Observation], lane: Lane = Lane.HISTORY, level: Level = Level.ORIGIN
    ) -> Future[int]:
        """Store observations of this node's devices; the count of those that were new (a radio packet counts once).

        Patient: on a full or failing disk they wait in a bounded ring.
        """
        rows = tuple(items)

        def run(tx: Tx) -> int:
            stored = sum(self.ingest.own(tx, self.place, item, lane, level) for item in rows)
            tx.after(lambda: self.grown(lane, stored, Fresh(rows=stored)))
            return stored

        return self.writer.submit(run, urgent=lane is Lane.FLASH, patient=True, rows=max(1, len(rows)))

    def write_event(
        self,
        kind: int,
        actor: str,
        body: Mapping[int, Value],
        *,
        to: Sequence[int] = (),
        parents: Sequence[EventId] = (),
        valid_s: int | None = None,
        level: Level = Level.ORIGIN,
        time: Stamp | None = None,
    ) -> Future[Event]:
        """Store an event of this node; flash and command kinds at once. KeyError for an unknown kind.

        The number and the Lamport stamp are taken in the same transaction. Events travel under the key that every member holds,
        so an alarm's figures are left out where they are vital signs (sync.events.public).
        """
        row = KINDS[kind]
        stamp = time or self.clock.stamp()

        def run(tx: Tx) -> Event:
            lamport = tx.conn.execute("UPDATE meta SET value = value + 1 WHERE name = 'lamport' RETURNING value")
            event = Event(
                id=EventId(*self.place, take(tx, self.place.incarnation, "event")),
                kind=kind,
                actor=actor,
                lamport=lamport.fetchone()[0],
                time=stamp,
                body=public(kind, body),
                parents=tuple(parents),
                to=tuple(to),
                valid_s=valid_s,
            )
            self.ingest.event(tx, event, level, (stamp.boot, stamp.mono_ms))
            tx.after(lambda: self.grown(row.lane, 1, Fresh(events=[(event, level)])))
            return event

        return self.writer.submit(run, urgent=row.lane is Lane.FLASH or row.command, patient=True)

    def write_status(self, status: Mapping[str, Any]) -> bool:
        """Publish what the agent says about itself (links, devices, …) to screens; not durable, never raises.

        Adds `at` (boot, ms), the store's own health, how many rows were given up unstored, and what was given up for room.
        """
        now = self.clock.stamp()
        state, why = self.health
        own = {
            "state": state.value,
            "why": why,
            "lost_rows": self.writer.lost_rows,
            "given_up": dict(self.retention.given),
        }
        return self._status.write({**status, "at": [now.boot, now.mono_ms], "store": own})

    def watch(self, call: Callable[[Fresh], None]) -> None:
        """Have `call` run after every commit that brought something, on the writer's thread; it must be quick."""
        self.watchers.append(call)

    def grown(self, lane: Lane, rows: int, fresh: Fresh) -> None:
        """After a commit: `rows` more (or fewer) wait in a lane; tell the watchers."""
        self.waiting[lane] += rows
        if fresh.rows or fresh.events or fresh.blocks:
            for call in self.watchers:
                call(fresh)

    def _begin(self, tx: Tx) -> None:
        """Take over what an earlier life left unsealed, and count what waits."""
        if self.life.predecessor is not None:
            self.ingest.carry_over(tx, self.place)
        counted = [
            *tx.conn.execute("SELECT lane, count(*) FROM observation WHERE block IS NULL GROUP BY lane"),
            *tx.conn.execute("SELECT lane, count(*) FROM event WHERE block IS NULL GROUP BY lane"),
            *tx.conn.execute("SELECT ?, count(*) FROM hole WHERE block IS NULL", (Lane.COMMAND,)),
        ]

        def count() -> None:
            for lane, rows in counted:
                self.waiting[Lane(lane)] += rows

        tx.after(count)

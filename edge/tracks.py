"""Bounded tracks of whom this node's own devices place: a few minutes late, few bytes, true to a stated distance (lane track).

Over a thin link they stand for history, which replaces them wherever it comes (edge/store/ways.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from edge.store.connect import fetch, open_reader
from edge.store.ingest import Place
from edge.store.log import StoreLog
from edge.store.rows import profile_of
from edge.store.store import Store
from edge.store.ways import FIXES, LAT, LON, fixes_of, keep
from edge.store.writer import Tx
from edge.supervisor import Reporter
from hardware.driver import Health
from sync import codec
from sync.codec.track import Way, bound, decode_tracks, encode_tracks
from sync.ids import BlockId, Content, Lane, Level
from sync.records import Anchor, StreamInfo

EVERY_S: Final = 900.0
BOUND_M: Final = 10
ROOM: Final = 185  # bytes of a body that is one LoRa frame, sealed
MOST_FIXES: Final = 7200  # of one stream at a time: two hours at 1 Hz
_STREAMS: Final = (
    "SELECT s.number, s.subject, s.source, p.number, p.name, p.fields, (SELECT max(last_ms) FROM span n WHERE "
    "(n.origin, n.incarnation, n.stream) = (s.origin, s.incarnation, s.number)) FROM stream s JOIN profile p ON p.id = s.profile "
    "WHERE s.origin = ? AND s.incarnation = ? AND s.subject IS NOT NULL ORDER BY s.number"
)


class Tracker:
    """Draws the ways of a node's own streams; `trace` belongs to one thread, with a log of its own."""

    def __init__(self, store: Store, log: StoreLog, anchor: Anchor | None, every_s: float = EVERY_S) -> None:
        self._store, self._log, self._anchor, self._every_s = store, log, anchor, every_s
        self._db = open_reader(store.path)

    def close(self) -> None:
        """Let the log and the reading connection go."""
        self._log.close()
        self._db.close()

    async def run(self, drawn: Callable[[], None], reporter: Reporter) -> None:
        """Draw what is new at a steady pace until cancelled, on a thread beside the links: an hour's way takes a second."""
        loop, thread = asyncio.get_running_loop(), ThreadPoolExecutor(1, "tracks")
        reporter.health(Health.UP)
        try:
            while True:
                await asyncio.sleep(self._every_s)
                if await loop.run_in_executor(thread, self.trace):
                    drawn()
        finally:
            thread.shutdown()  # it may be at work still

    def trace(self) -> list[BlockId]:
        """Blocks of all that was measured since the last time, durable and in the track lane, names of new streams before them."""
        ways: list[Way] = []
        fresh: list[StreamInfo] = []
        for info, until in self._streams():
            found = self._fixes(info, until)
            if len(found) > 1:
                ways += bound(info.stream, found, BOUND_M)
                fresh += [info] if until is None else []
        if not ways:
            return []
        named = [self._log.put(Lane.TRACK, Content.STREAMS, codec.encode_streams(fresh))] if fresh else []
        return [*named, *self._put(ways)]

    def _streams(self) -> Iterator[tuple[StreamInfo, int | None]]:
        """Own streams that tell places, and the instant up to which each is drawn."""
        for number, subject, source, *profile, until in self._rows(_STREAMS, self._store.place):
            info = StreamInfo(number, subject, source, profile_of(*profile))
            if {LAT, LON} <= {column.kind for column in info.profile.columns}:
                yield info, until

    def _fixes(self, info: StreamInfo, until: int | None) -> list[Any]:
        """A stream's fixes from the last one drawn on, which begins the next way."""
        where = FIXES.format("(s.origin, s.incarnation, s.number) = (?, ?, ?)")
        values = (*self._store.place, info.stream, until or 0, 1 << 62, int(Level.QUARANTINE), MOST_FIXES)
        return list(fixes_of(self._rows(where, values)))

    def _put(self, ways: list[Way]) -> Iterator[BlockId]:
        place = Place(*self._store.place)
        while ways:
            body, ways = encode_tracks(ways, self._anchor, ROOM)
            spans = decode_tracks(body, self._anchor)
            yield self._log.put(Lane.TRACK, Content.TRACK, body)

            def run(tx: Tx, spans: Any = spans) -> None:
                keep(tx, place, spans, Level.ORIGIN)

            self._store.writer.submit(run).result()

    def _rows(self, sql: str, values: Any) -> list[Any]:
        return fetch(self._db, self._store.path, sql, tuple(values))

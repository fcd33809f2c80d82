"""How long vital signs are kept, by policy: readings older than so many days go, and the sealed blocks that brought them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import closing
from typing import Any, Final

from edge.store.connect import fetch, open_reader
from edge.store.log import StoreLog
from edge.store.store import Store
from edge.store.writer import Tx
from edge.supervisor import Reporter
from hardware.driver import Health
from sync.ids import BlockId, KeyClass, Lane, class_of

DAY_MS: Final = 24 * 3600 * 1000
EVERY_S: Final = 3600.0
SLICE: Final = 2000  # rows of one transaction
_OLD: Final = (
    "SELECT o.id FROM observation o JOIN stream s ON s.id = o.stream LEFT JOIN boot b ON b.origin = s.origin AND "
    "b.incarnation = s.incarnation AND b.boot = o.boot WHERE o.vital = 1 AND o.block IS NOT NULL AND "
    "coalesce(o.wall_ms, o.mono_ms + b.offset_ms, o.received_ms) < ? LIMIT ?"
)
_EMPTY: Final = (
    "SELECT b.origin, b.incarnation, b.lane, b.number, substr(p.bytes, 1, 1) FROM block b JOIN payload p ON p.block = b.id "
    "WHERE b.first_row IS NOT NULL AND NOT EXISTS (SELECT 1 FROM observation o WHERE o.id BETWEEN b.first_row AND b.last_row "
    "AND o.block = b.id)"
)


class Privacy:
    """The sweep of one running node. days: how long vital signs are kept, 0 for as long as there is room."""

    def __init__(self, store: Store, log: StoreLog, days: int) -> None:
        self._store, self._log, self._days = store, log, days

    async def run(self, call: Callable[..., Awaitable[Any]], reporter: Reporter) -> None:
        """Sweep every hour on the node's thread until cancelled; without a clock nothing is old."""
        while True:
            known = self._store.clock.stamp().wall_ms is not None
            reporter.health(*((Health.UP, "") if known else (Health.DEGRADED, "no clock: nothing is old (时钟不明)")))
            while await call(self.sweep):
                pass
            await asyncio.sleep(EVERY_S)

    def sweep(self) -> int:
        """Let at most SLICE readings go; how many that were. Rows that have not been sealed yet stay."""
        wall_ms = self._store.clock.stamp().wall_ms
        if not self._days or wall_ms is None:
            return 0
        before = wall_ms - self._days * DAY_MS

        def run(tx: Tx) -> int:
            rows = tx.conn.execute(_OLD, (before, SLICE)).fetchall()
            tx.conn.executemany("DELETE FROM observation WHERE id = ?", rows)
            tx.conn.execute(
                "DELETE FROM latest WHERE wall_ms < ? AND kind IN (SELECT json_extract(f.value, '$[0]') FROM profile p, "
                "json_each(p.fields) f WHERE p.private = 1)",
                (before,),
            )
            return len(rows)

        gone = self._store.writer.submit(run).result()
        if gone:
            self._log.purge(self._emptied())
        return gone

    def _emptied(self) -> list[BlockId]:
        """Blocks of vital signs none of whose rows are left."""
        with closing(open_reader(self._store.path)) as conn:
            found = fetch(conn, self._store.path, _EMPTY)
        return [
            BlockId(origin, incarnation, Lane(lane), number)
            for origin, incarnation, lane, number, first in found
            if class_of(first) is KeyClass.VITAL
        ]

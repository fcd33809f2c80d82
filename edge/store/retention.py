"""What the store gives up when its disk or quota runs short, in a fixed order (docs/store.md): never flash or command.

Works on the writer's thread in slices, each a transaction of its own. Own rows that are thinned after they were sealed go
back among those that wait, so they travel in new blocks; hole records in the command lane say which numbers will not come.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from edge.store import blocks
from edge.store.connect import Connection
from edge.store.rows import spans_of
from edge.store.space import Usage, room
from edge.store.writer import Tx
from sync.ids import BlockId, Content, Lane
from sync.ranges import Ranges

log = logging.getLogger(__name__)

SLICE_BYTES: Final = 1 << 19
SLICE_BLOCKS: Final = 256
SLICE_ROWS: Final = 2000
_SETTLED: Final = (
    "EXISTS (SELECT 1 FROM temp.settled s WHERE s.origin = b.origin AND s.incarnation = b.incarnation AND s.lane = b.lane "
    "AND b.number BETWEEN s.first AND s.last)"
)
_BLOCK: Final = (
    "SELECT b.id, b.origin, b.incarnation, b.lane, b.number, b.size, b.first_row, b.last_row FROM block b "
    "WHERE b.state != 'pending' AND "
)
_THIN: Final = (
    "DELETE FROM observation WHERE id > ? AND id <= ? AND lane >= 3 AND NOT EXISTS (SELECT 1 FROM block b WHERE "
    "b.id = observation.block AND b.origin = ? AND b.held) AND id NOT IN (SELECT min(id) FROM observation "
    "WHERE id > ? AND id <= ? GROUP BY stream, boot, mono_ms / ?) RETURNING lane, block IS NULL"
)
_SURVIVORS: Final = (
    "SELECT min(id) FROM observation WHERE id BETWEEN ? AND ? AND block = ? GROUP BY stream, boot, mono_ms / ?"
)


@dataclass(frozen=True, slots=True)
class Keep:
    """central: whose end lists count as delivered (any other node's, when empty); quota: bytes that the store may fill
    (32 MB and more), None for all of its disk; share, most: room is short below this share of either, but never while
    `most` bytes are left; usage: how full the disk is, for simulations."""

    central: frozenset[int] = frozenset()
    quota: int | None = None
    share: float = 0.05
    most: int = 512 << 20
    usage: Callable[[Path], Usage] | None = None

    def low(self, total: int) -> int:
        """Bytes below which room is short."""
        return min(int(total * self.share), self.most)


KEEP: Final = Keep()


@dataclass(frozen=True, slots=True)
class _Block:
    row: int
    id: BlockId
    size: int
    span: tuple[int | None, int | None]

    @classmethod
    def of(cls, row: Sequence[Any]) -> _Block:
        return cls(row[0], BlockId(row[1], row[2], Lane(row[3]), row[4]), row[5], (row[6], row[7]))


class Retention:
    """Relief for a writer. `why` is "" or what was given up last, until there is ample room; `given`: rows and bytes given
    up since the opening.

    grown: told after a commit how many rows more or fewer wait in a lane; forgot: which blocks' bytes are gone.
    """

    def __init__(
        self,
        path: Path,
        origin: int,
        keep: Keep,
        grown: Callable[[Lane, int], None],
        forgot: Callable[[Sequence[BlockId]], None],
    ) -> None:
        self.why = ""
        self.given: Counter[str] = Counter()
        self._path, self._origin, self._keep = path, origin, keep
        self._grown, self._forgot = grown, forgot
        self._step: int | None = None

    def pressed(self, conn: Connection, full: bool = False) -> bool:
        """Whether room must be made now: begun when it is low or the disk is full, gone on with until there is enough."""
        free, total = room(conn, self._path, self._keep.quota, self._keep.usage)
        low = self._keep.low(total)
        if self.why and free >= 3 * low:
            log.warning("%s: room again", self._path)
            self.why = ""
        if free >= (low if self._step is None and not full else 2 * low):
            self._step = None
            return False
        self._step = self._step or 0
        return True

    def slice(self, tx: Tx) -> bool:
        """Give up the next little; False when nothing more may go."""
        self._settle(tx)
        while self._step is not None and self._step < len(STEPS):
            if STEPS[self._step].run(self, tx):
                self._say(STEPS[self._step].words)
                return True
            self._step += 1
        self._say("nothing more may be given up (已无可舍弃)")
        return False

    def _say(self, words: str) -> None:
        why = f"the disk is nearly full (磁盘将满): {words}"
        if why != self.why:
            self.why = why
            log.warning("%s: %s", self._path, why)

    def _settle(self, tx: Tx) -> None:
        """What centrals are known to have, where the steps can join it."""
        tx.conn.execute("CREATE TEMP TABLE IF NOT EXISTS settled (origin, incarnation, lane, first, last)")
        tx.conn.execute("DELETE FROM temp.settled")
        rows = [
            (*source, first, last)
            for node, *source, spans in tx.conn.execute("SELECT * FROM main.end_list").fetchall()
            if node != self._origin and (node in self._keep.central or not self._keep.central)
            for first, last in spans_of(spans)
        ]
        tx.conn.executemany("INSERT INTO temp.settled VALUES (?, ?, ?, ?, ?)", rows)

    # the steps: each True while it made progress

    def delivered_bytes(self, tx: Tx) -> bool:
        """Sealed bytes of blocks that a central has."""
        return self._drop_bytes(tx, f"b.held AND b.lane >= 3 AND {_SETTLED}")

    def delivered_rows(self, tx: Tx) -> bool:
        """Rows of blocks that a central has, oldest first."""
        return self._drop_rows(tx, f"b.last_row IS NOT NULL AND b.lane >= 3 AND {_SETTLED}")

    def foreign_bytes(self, tx: Tx) -> bool:
        """Sealed bytes of other nodes' blocks: their origin, or the rows here, still have what they say."""
        copies = "AND b.state = 'unpacked'" if self._origin in self._keep.central else ""
        if self._drop_bytes(tx, f"b.held AND b.lane >= 3 AND b.origin != {self._origin} {copies}"):
            return True
        return tx.conn.execute("UPDATE quarantine SET bytes = x'' WHERE length(bytes) > 0").rowcount > 0

    def to_tenth_hertz(self, tx: Tx) -> bool:
        """One row in 10 s of each stream."""
        return self._thin(tx, 10_000)

    def to_minutes(self, tx: Tx) -> bool:
        """One row in 60 s of each stream."""
        return self._thin(tx, 60_000)

    def bulk(self, tx: Tx) -> bool:
        """Own blocks of the bulk lane, oldest first."""
        return self._drop_own(tx, f"b.lane = {Lane.BULK:d}")

    def rows(self, tx: Tx) -> bool:
        """The oldest rows that are left, and what they travelled in."""
        found = tx.conn.execute(
            "SELECT id, lane, block FROM observation WHERE lane >= 3 ORDER BY id LIMIT ?", (SLICE_ROWS,)
        ).fetchall()
        if not found:
            return False
        travelled = {block for _, _, block in found if block is not None}
        own = [
            block
            for row in travelled
            for block in self._blocks(tx, f"b.id = {row} AND b.held AND b.origin = {self._origin}")
        ]
        self._lose(tx, own, "dropped")
        self._drop_upto(tx, found[-1][0])
        tx.conn.execute("DELETE FROM radio_packet WHERE observation <= ?", (found[-1][0],))
        return True

    def tracks(self, tx: Tx) -> bool:
        """Own blocks of simplified tracks, oldest first."""
        return self._drop_own(tx, f"b.content = {Content.TRACK:d}")

    # what they are made of

    def _drop_upto(self, tx: Tx, upto: int) -> None:
        """Delete the rows with ids up to `upto` that are left."""
        gone = tx.conn.execute(
            "DELETE FROM observation WHERE lane >= 3 AND id <= ? RETURNING lane, block IS NULL", (upto,)
        ).fetchall()
        self._gone(tx, gone, "dropped_rows")

    def _gone(self, tx: Tx, rows: Iterable[tuple[int, int]], name: str) -> None:
        """Rows (lane, whether it waited) are deleted: tell their number once it is so."""
        waited = Counter(Lane(lane) for lane, waiting in rows if waiting)
        count = len(list(rows))

        def told() -> None:
            self.given[name] += count
            for lane, number in waited.items():
                self._grown(lane, -number)

        tx.after(told)

    def _blocks(self, tx: Tx, where: str) -> list[_Block]:
        return [_Block.of(row) for row in tx.conn.execute(f"{_BLOCK} {where}").fetchall()]

    def _drop_bytes(self, tx: Tx, where: str) -> bool:
        """The oldest of the least urgent lanes first."""
        chosen = self._slice(self._blocks(tx, f"{where} ORDER BY b.lane DESC, b.id LIMIT {SLICE_BLOCKS}"))
        self._forget(tx, chosen)
        return bool(chosen)

    def _drop_rows(self, tx: Tx, where: str) -> bool:
        found = self._blocks(tx, f"{where} ORDER BY b.last_row LIMIT 16")
        for block in found:
            gone = tx.conn.execute(
                "DELETE FROM observation WHERE id BETWEEN ? AND ? AND block = ? RETURNING lane, 0",
                (*block.span, block.row),
            ).fetchall()
            tx.conn.execute("UPDATE block SET first_row = NULL, last_row = NULL WHERE id = ?", (block.row,))
            self._gone(tx, gone, "delivered_rows")
        return bool(found)

    def _drop_own(self, tx: Tx, where: str) -> bool:
        found = f"{where} AND b.held AND b.origin = {self._origin} ORDER BY b.id LIMIT {SLICE_BLOCKS}"
        chosen = self._slice(self._blocks(tx, found))
        self._lose(tx, chosen, "dropped")
        return bool(chosen)

    @staticmethod
    def _slice(found: Iterable[_Block]) -> list[_Block]:
        """As many as are worth SLICE_BYTES, at least one."""
        chosen: list[_Block] = []
        size = 0
        for block in found:
            if chosen and size + block.size > SLICE_BYTES:
                break
            chosen.append(block)
            size += block.size
        return chosen

    def _thin(self, tx: Tx, period_ms: int) -> bool:
        """Keep the first row of every period of each stream, among the next ids after those thinned so already."""
        name = f"thinned{period_ms}"
        done = tx.conn.execute("SELECT coalesce(max(value), 0) FROM meta WHERE name = ?", (name,)).fetchone()[0]
        top = tx.conn.execute("SELECT coalesce(max(id), 0) FROM observation").fetchone()[0]
        if done >= top:
            return False
        upto = min(done + SLICE_ROWS, top)
        sealed = self._blocks(
            tx,
            f"b.last_row > {done} AND b.last_row <= {upto} AND b.held AND b.origin = {self._origin} "
            f"AND b.content = {Content.ROWS:d} AND b.lane >= 3 ORDER BY b.last_row",
        )
        self._lose(tx, [block for block in sealed if self._reopen(tx, block, period_ms)], "replaced")
        gone = tx.conn.execute(_THIN, (done, upto, self._origin, done, upto, period_ms)).fetchall()
        self._gone(tx, gone, "thinned_rows")
        tx.conn.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, upto))
        return True

    def _reopen(self, tx: Tx, block: _Block, period_ms: int) -> bool:
        """Thin an own sealed block: what survives waits again. False, and nothing done, when it would hardly shrink."""
        place = (*block.span, block.row)
        rows = tx.conn.execute("SELECT count(*) FROM observation WHERE id BETWEEN ? AND ? AND block = ?", place)
        total = rows.fetchone()[0]
        survivors = tx.conn.execute(_SURVIVORS, (*place, period_ms)).fetchall()
        if 2 * len(survivors) > total:
            return False
        tx.conn.executemany("UPDATE observation SET block = NULL WHERE id = ?", survivors)
        tx.after(lambda: self._grown(block.id.lane, len(survivors)))
        return True

    def _lose(self, tx: Tx, lost: Sequence[_Block], reason: str) -> None:
        """Own blocks that will never come: their rows and bytes, and hole records that say so."""
        runs: dict[tuple[int, int, Lane], list[tuple[int, int]]] = {}
        for block in lost:
            gone = tx.conn.execute(
                "DELETE FROM observation WHERE id BETWEEN ? AND ? AND block = ? RETURNING lane, 0",
                (*block.span, block.row),
            ).fetchall()
            tx.conn.execute("UPDATE block SET rows = 0, first_row = NULL, last_row = NULL WHERE id = ?", (block.row,))
            self._gone(tx, gone, "thinned_rows" if reason == "replaced" else "dropped_rows")
            runs.setdefault(block.id.source, []).append((block.id.number, len(gone)))
        self._forget(tx, lost)
        for source, numbers in runs.items():
            self._declare(tx, source, dict(numbers), reason)

    def _declare(self, tx: Tx, source: tuple[int, int, Lane], rows: dict[int, int], reason: str) -> None:
        holes = [
            (*source, first, last, reason, sum(rows[number] for number in range(first, last + 1)))
            for first, last in Ranges((number, number) for number in rows)
        ]
        tx.conn.executemany(
            "INSERT INTO hole (origin, incarnation, lane, first, last, reason, rows) VALUES (?, ?, ?, ?, ?, ?, ?)",
            holes,
        )
        tx.after(lambda: self._grown(Lane.COMMAND, len(holes)))

    def _forget(self, tx: Tx, chosen: Sequence[_Block]) -> None:
        freed = sum(blocks.drop_bytes(tx, block.id) for block in chosen)
        tx.conn.executemany("DELETE FROM ledger WHERE block = ?", [(block.row,) for block in chosen])

        def told() -> None:
            self.given["bytes"] += freed
            self._forgot([block.id for block in chosen])

        tx.after(told)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the documented order, in words for people."""

    run: Callable[[Retention, Tx], bool]
    words: str


STEPS: Final = (
    Step(Retention.delivered_bytes, "sealed blocks that central has go (清理中心已收的封装块)"),
    Step(Retention.delivered_rows, "the oldest rows that central has go (清理中心已收的最早记录)"),
    Step(Retention.foreign_bytes, "other nodes' sealed blocks go (清理他站的封装块)"),
    Step(Retention.to_tenth_hertz, "history is thinned to one row in 10 s (历史稀疏为每10秒一条)"),
    Step(Retention.to_minutes, "history is thinned to one row a minute (历史稀疏为每分钟一条)"),
    Step(Retention.bulk, "the oldest bulk data go (丢弃最早的大件数据)"),
    Step(Retention.rows, "the oldest history goes (丢弃最早的历史)"),
    Step(Retention.tracks, "the oldest tracks go (丢弃最早的航迹)"),
)

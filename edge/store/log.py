"""The store as replication sees it (sync.log.Log): sealed blocks in and out, durable before anyone hears of them.

One thread uses a StoreLog; its writes go through the store's writer and wait for the commit.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from edge.store import blocks, life
from edge.store.blocks import ID
from edge.store.connect import fetch, open_reader
from edge.store.cutting import MAX_ROWS, Cutter, Draft
from edge.store.ingest import take
from edge.store.rows import spans_text
from edge.store.store import Fresh, Store
from edge.store.taking import AT_ONCE, HAD, WAITING, Taking
from edge.store.writer import Tx
from sync.events import BY_NAME, key
from sync.ids import BlockId, Content, KeyClass, Lane, Level, Source
from sync.log import Held, Incoming, Pending, Verdict
from sync.ranges import Ranges
from sync.records import Anchor, Value
from sync.seal.keyring import SIGNED_LANES, Keyring
from sync.trust.proofs import signature_body

log = logging.getLogger(__name__)

ROW_BYTES: Final = 6  # what a waiting row or event is guessed to weigh, sealed
LEAST_SIGNED: Final = 24  # bytes of content below which a signature travels as a block of its own
AHEAD: Final = (Lane.TRACK, Lane.HISTORY)  # sealed during an outage, so that a link that comes finds blocks
AHEAD_BYTES: Final = 16_000

_OLDEST: Final = (
    "SELECT boot, mono_ms FROM observation WHERE block IS NULL AND lane = ? AND vital = 0 ORDER BY id LIMIT 1",
    "SELECT boot, mono_ms FROM observation WHERE block IS NULL AND lane = ? AND vital = 1 ORDER BY id LIMIT 1",
    "SELECT boot, mono_ms FROM event WHERE block IS NULL AND lane = ? ORDER BY id LIMIT 1",
)


_SENT: Final = (
    f"INSERT INTO ledger SELECT id, ?, 1, ?, ?, ? FROM block WHERE {ID} ON CONFLICT DO UPDATE SET times = times + 1, "
    "bytes = bytes + excluded.bytes, at_boot = excluded.at_boot, at_ms = excluded.at_ms"
)


class _Moved(LookupError):
    """What was drafted is no longer waiting: retention thinned it in between."""


class StoreLog:
    """Implements Log over a Store with a node's Sealer; `anchor` is the incident's fixed point.

    A store with an `alarm` seals nothing more: another copy uses its numbers. Its next opening begins a new life.
    """

    def __init__(self, store: Store, sealer: Keyring, anchor: Anchor | None = None) -> None:
        self.origin, self.incarnation = store.place
        self._store, self._sealer, self._anchor, self._index = store, sealer, anchor, store.index
        self._conn = open_reader(store.path)
        self._cutter = Cutter(self._conn, store.place, anchor)
        self._doubted: set[str] = set()
        self._taking = Taking(store, sealer, anchor)
        self.album = self._taking.album
        self._declare()

    def close(self) -> None:
        """Let the reading connection go; the store stays open."""
        self._conn.close()

    def have(self) -> Mapping[Source, Ranges]:
        """Numbers durably committed here (holes included), pictures left out."""
        return self._index.have

    def held(self, source: Source) -> Ranges:
        """Numbers whose bytes are still here."""
        return self._index.held.get(source) or Ranges()

    def read(self, block_id: BlockId) -> bytes | None:
        """The block's bytes, or None."""
        found = self._rows(f"SELECT bytes FROM payload WHERE block = (SELECT id FROM block WHERE {ID})", block_id)
        return found[0][0] if found else None

    def stretch(self, source: Source, first: int, last: int) -> Sequence[Held]:
        """Blocks whose bytes are here, newest first."""
        return [Held(*row) for row in self._rows(blocks.STRETCH, (*source, first, last))]

    def age_s(self, block_id: BlockId) -> float:
        """Seconds since the block was sealed; time between two boots is not known and not counted."""
        found = self._rows(f"SELECT at_boot, at_ms, age_ms FROM block WHERE {ID}", block_id)
        if not found:
            return 0.0
        now, (boot, at_ms, age_ms) = self._store.clock.stamp(), found[0]
        age: int = max(0, now.mono_ms - (at_ms if boot == now.boot else 0) + age_ms)
        return age / 1000

    def weight(self, source: Source) -> int:
        """Bytes of a source that are still here."""
        where = "origin = ? AND incarnation = ? AND lane = ? AND held"
        return int(self._rows(f"SELECT coalesce(sum(size), 0) FROM block WHERE {where}", source)[0][0])

    def pending(self, lane: Lane) -> Pending:
        """What waits to be sealed; ages of rows from an earlier boot without a wall clock count from this boot's start."""
        rows = self._store.waiting[lane]
        if rows <= 0:
            return Pending(0, 0, 0.0)
        now = self._store.clock.stamp()
        oldest = [row for sql in _OLDEST for row in self._rows(sql, (int(lane),))]
        ages = [now.mono_ms - (ms if boot == now.boot else 0) for boot, ms in oldest]
        return Pending(rows, rows * ROW_BYTES, max(0, *ages) / 1000 if ages else 0.0)

    def cut(self, lane: Lane, budget: int, at_most: int = 1) -> Sequence[BlockId]:
        """Seal what waits, oldest first; a single item larger than `budget` makes a block of its own all the same.

        Nothing while another thread is sealing rows: the commit of its block tells the watchers.
        """
        if lane in AT_ONCE:
            return self._cut(lane, budget, at_most)
        if not self._store.sealing.acquire(blocking=False):
            return []
        try:
            return self._cut(lane, budget, at_most)
        finally:
            self._store.sealing.release()

    def _cut(self, lane: Lane, budget: int, at_most: int) -> list[BlockId]:
        ids: list[BlockId] = []
        while len(ids) < at_most and not self._store.alarm:
            signed = budget >= self._sealer.overhead(lane, KeyClass.FIELD) + LEAST_SIGNED
            draft = self._cutter.next(lane, budget - self._sealer.overhead(lane, KeyClass.FIELD, signed))
            if draft is None:
                break
            try:
                ids += self._seal(lane, draft, signed=signed)
            except _Moved:
                continue
        return ids

    def put(
        self, lane: Lane, content: Content, body: bytes, key_class: KeyClass = KeyClass.FIELD, to: int | None = None
    ) -> BlockId:
        """Seal a body made elsewhere (signature, hash list, picture, end list, trust) as a block of this node; durable."""
        return self._seal(lane, Draft(content, body, key_class, "", (), None), to)[0]

    def commit(self, incoming: Sequence[Incoming]) -> Sequence[Verdict]:
        """Store blocks from outside in one transaction; idempotent. Flash and command are unpacked with it."""
        verdicts, outcomes = self._taking.commit(incoming)
        for block, verdict in zip(incoming, verdicts):
            if verdict is Verdict.CONFLICT:
                self._check_own(block.id)
        self._taking.tell(outcomes, came=sum(verdict in HAD for verdict in verdicts))
        return verdicts

    def unpack(self, limit: int = 16) -> int:
        """Turn up to `limit` committed bodies into rows and events; how many blocks were worked off, 0 when none waits."""
        found = self._rows(WAITING, (limit,))
        if found:
            self._taking.unpack(found)
        return len(found)

    def ripe(self) -> bool:
        """Whether so many rows wait that a block may be sealed of them though no bearer asked."""
        return any(self._store.waiting[lane] > MAX_ROWS for lane in AHEAD)

    def work(self, limit: int = 16) -> bool:
        """A piece of what need not be done at once: unpack up to `limit` blocks, or seal one ahead; False when idle.

        Best on a thread and a StoreLog of its own, since large blocks take a second.
        """
        if self.unpack(limit):
            return True
        ids = [block for lane in AHEAD if self._store.waiting[lane] > MAX_ROWS for block in self.cut(lane, AHEAD_BYTES)]
        self._store.grown(Lane.HISTORY, 0, Fresh(blocks=len(ids)))
        return bool(ids)

    def prove(self, ids: Iterable[BlockId], level: Level) -> None:
        """A signature covers these blocks: raise them and what they brought to `level`."""
        todo = tuple(ids)

        def run(tx: Tx) -> None:
            for block_id in todo:
                blocks.prove(tx, block_id, level)

        self._store.writer.submit(run, urgent=True).result()

    def end_of(self, node: int) -> Mapping[Source, Ranges]:
        """What a node is known to have committed."""
        return self._index.have if node == self.origin else self._index.ends.get(node, {})

    def merge_end(self, node: int, ends: Mapping[Source, Ranges], signed: bool = False) -> None:
        """Union a node's end list in, durably, but for numbers of ours that were never given out.

        signed: the node itself signed it; having met such numbers then proves a copy of this store, once for each node: what
        it says of the next life is only reported.
        """
        ends, beyond = self._given_out(ends)
        if beyond:
            self._doubt(node, signed)
        if node == self.origin or not self._index.news(node, ends):
            return

        def run(tx: Tx) -> None:
            more = self._index.news(node, ends)  # another thread may have learned some meanwhile
            rows = [(node, *source, spans_text(numbers)) for source, numbers in more.items()]
            tx.conn.executemany("INSERT OR REPLACE INTO end_list VALUES (?, ?, ?, ?, ?)", rows)
            tx.after(lambda: self._index.learn(node, more))

        self._store.writer.submit(run, urgent=True).result()

    def _given_out(self, ends: Mapping[Source, Ranges]) -> tuple[dict[Source, Ranges], bool]:
        """An end list without numbers of this life beyond its last, and whether it had any."""
        out, beyond = dict(ends), False
        for source, numbers in ends.items():
            if (source.origin, source.incarnation) == self._store.place and source.lane is not Lane.PICTURE:
                top = self._index.have.get(source, Ranges()).top
                out[source] = Ranges((first, min(last, top)) for first, last in numbers if first <= top)
                beyond |= numbers.top > top
        return out, beyond

    def _doubt(self, node: int, signed: bool) -> None:
        reason = f"node {node} has numbers of this store that it never gave out"
        if signed and not self._rows("SELECT 1 FROM life WHERE reason = ?", (reason,)):
            self._taint(reason)
        elif reason not in self._doubted:
            self._doubted.add(reason)
            log.warning("%s, by its word: not believed", reason)

    def sent(self, bearer: str, ids: Mapping[BlockId, int]) -> None:
        """Note for people that so many bytes of blocks went out by a bearer; not waited for."""
        now = self._store.clock.stamp()
        rows = [(bearer, size, now.boot, now.mono_ms, *block_id) for block_id, size in ids.items()]
        self._store.writer.submit(lambda tx: tx.conn.executemany(_SENT, rows).rowcount, rows=max(1, len(rows)))

    def purge(self, ids: Iterable[BlockId]) -> int:
        """Forget the bytes of blocks; the fact that they were had stays. Returns the bytes freed."""
        todo = tuple(ids)

        def run(tx: Tx) -> int:
            freed = {block_id: blocks.drop_bytes(tx, block_id) for block_id in todo}
            tx.after(lambda: self._index.forget([block_id for block_id, size in freed.items() if size]))
            return sum(freed.values())

        return self._store.writer.submit(run).result()

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        return fetch(self._conn, self._store.path, sql, values)

    def _seal(self, lane: Lane, draft: Draft, to: int | None = None, signed: bool = True) -> list[BlockId]:
        """The new block, and where it could not carry its signature a second one that does."""
        now = self._store.clock.stamp()
        oldest = draft.oldest or (now.boot, now.mono_ms)

        def run(tx: Tx) -> list[BlockId]:
            block_id = self._number(tx, lane)
            block = self._sealer.seal(block_id, draft.key_class, bytes((draft.content,)) + draft.body, to, signed)
            if lane is Lane.PICTURE:
                blocks.make_room(tx, block_id)
            span = (min(draft.items), max(draft.items)) if draft.table == "observation" else (None, None)
            row = blocks.insert(
                tx, block_id, block, "own", draft.content, Level.ORIGIN, oldest, rows=draft.rows, span=span
            )
            self._mark(tx, draft, row)
            ids = (
                [block_id]
                if signed or lane not in SIGNED_LANES
                else [block_id, self._sign(tx, block_id, block, oldest)]
            )
            tx.after(lambda: self._index.add(ids))
            tx.after(lambda: self._store.grown(lane, -draft.waited, Fresh()))
            return ids

        return self._store.writer.submit(run, urgent=True).result()

    def _number(self, tx: Tx, lane: Lane) -> BlockId:
        return BlockId(*self._store.place, lane, take(tx, self.incarnation, f"block{int(lane)}"))

    def _sign(self, tx: Tx, block_id: BlockId, block: bytes, oldest: tuple[int, int]) -> BlockId:
        """A block's signature as a block of its own."""
        own = self._number(tx, block_id.lane)
        body = signature_body(self._sealer, block_id, block, own)
        sealed = self._sealer.seal(own, KeyClass.FIELD, body, signed=False)
        blocks.insert(tx, own, sealed, "own", Content.SIGNATURE, Level.ORIGIN, oldest)
        return own

    def _mark(self, tx: Tx, draft: Draft, row: int) -> None:
        """The items travel in this block now; _Moved when one of them is no longer there or waiting."""
        if not draft.items:
            return
        marked = tx.conn.executemany(
            f"UPDATE {draft.table} SET block = ? WHERE id = ? AND block IS NULL", [(row, item) for item in draft.items]
        )
        if marked.rowcount != len(draft.items):
            raise _Moved(draft.table)

    def _check_own(self, block_id: BlockId) -> None:
        if (block_id.origin, block_id.incarnation) == self._store.place:
            self._taint(f"another copy of this store sealed {block_id}")

    def _taint(self, reason: str) -> None:
        if not self._store.alarm:
            log.error("%s: nothing more is sealed until the store is opened anew", reason)
            self._store.alarm = reason
            self._store.writer.submit(lambda tx: life.taint(tx.conn, reason), urgent=True).result()

    def _declare(self) -> None:
        """Once in a life that follows another: say which one, in the command lane."""
        now = self._store.life
        said = self._rows("SELECT value FROM meta WHERE name = 'declared'")
        if now.predecessor is None or (said and said[0][0] == now.incarnation):
            return
        body: dict[int, Value] = {
            key("node", "state"): "new life",
            key("node", "text"): f"{now.reason}; predecessor {now.predecessor:04x}",
            key("node", "boot"): now.boot,
        }
        self._store.write_event(BY_NAME["node"].number, "", body).result()
        self._store.writer.submit(
            lambda tx: (
                tx.conn.execute("INSERT OR REPLACE INTO meta VALUES ('declared', ?)", (now.incarnation,)).rowcount
            )
        ).result()

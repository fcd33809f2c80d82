"""Blocks from outside into the store: judged, committed, proven by the signatures that come behind them, and unpacked into rows."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from edge.store import blocks
from edge.store.blocks import ID
from edge.store.store import Fresh, Store
from edge.store.unpacking import Outcome, Parcel, Record, apply, decode
from edge.store.writer import Tx
from hardware.errors import DecodeError, SealError
from sync.codec.picture_chain import Album
from sync.ids import BlockId, Content, Lane, Level
from sync.log import Incoming, Verdict, mark_of
from sync.records import Anchor
from sync.seal.contract import Opened
from sync.seal.keyring import Keyring
from sync.trust.proofs import read_signature, signed_id

log = logging.getLogger(__name__)

AT_ONCE: Final = (Lane.FLASH, Lane.COMMAND)
HAD: Final = (Verdict.NEW, Verdict.SEALED, Verdict.UNREADABLE)
WAITING: Final = (
    "SELECT b.id, b.origin, b.incarnation, b.lane, b.number, b.level, b.at_boot, b.at_ms - b.age_ms, u.body, p.bytes "
    "FROM unpacking u JOIN block b ON b.id = u.block LEFT JOIN payload p ON p.block = b.id ORDER BY u.block LIMIT ?"
)
_VERDICTS: Final = {"sealed": Verdict.SEALED, "unreadable": Verdict.UNREADABLE}


@dataclass(frozen=True, slots=True)
class _Opened:
    """A block from outside with what its body decoded to; at_once: whether its records go into the tables with it."""

    block: Incoming
    hash: bytes
    state: str
    content: int | None
    records: Sequence[Record] | None
    at_once: bool


class Taking:
    """Takes blocks in for a store, with the keys that open them and the incident's fixed point; on the thread of its StoreLog."""

    def __init__(self, store: Store, sealer: Keyring, anchor: Anchor | None) -> None:
        self._store, self._sealer, self._anchor, self._index = store, sealer, anchor, store.index
        self.album = Album(anchor or Anchor(0, 0, 0))

    def commit(self, incoming: Sequence[Incoming]) -> tuple[Sequence[Verdict], Sequence[Outcome]]:
        """Store blocks in one transaction: what became of each, and of those that were unpacked with it."""
        opened = [self._open(block) for block in incoming]

        def run(tx: Tx) -> tuple[list[Verdict], list[Outcome]]:
            outcomes: list[Outcome] = []
            verdicts = [self._commit(tx, item, outcomes) for item in opened]
            tx.after(lambda: self._note(incoming, verdicts))
            return verdicts, outcomes

        return self._store.writer.submit(run, urgent=True, rows=max(1, len(incoming))).result()

    def unpack(self, found: Sequence[Any]) -> None:
        """Turn committed bodies, as WAITING finds them, into rows and events."""
        now, parcels = self._store.clock.stamp(), []
        for row, origin, incarnation, lane, number, level, boot, sealed_ms, body, block in found:
            block_id = BlockId(origin, incarnation, Lane(lane), number)
            records, state = self._decode(block_id, body) if body else self._unseal(block_id, block)
            parcels.append((Parcel(block_id, row, Level(level), records, (boot, sealed_ms), now), state))

        def run(tx: Tx) -> list[Outcome]:
            outcomes = []
            for parcel, state in parcels:
                outcomes.append(self._apply(tx, parcel))
                tx.conn.execute("DELETE FROM unpacking WHERE block = ?", (parcel.row,))
                tx.conn.execute("UPDATE block SET state = ? WHERE id = ? AND state = 'pending'", (state, parcel.row))
            return outcomes

        self.tell(self._store.writer.submit(run, rows=len(found)).result())

    def tell(self, outcomes: Iterable[Outcome], came: int = 0) -> None:
        """Say to whoever watches the store what is new."""
        fresh = Fresh(blocks=came)
        for outcome in outcomes:
            fresh.rows += outcome.rows - len(outcome.events)
            fresh.events += outcome.events
        self._store.grown(Lane.HISTORY, 0, fresh)

    def _open(self, block: Incoming) -> _Opened:
        """Decode what goes into the tables at once, and decide the block's state."""
        mark, content = block.mark or mark_of(block.block), block.body[0] if block.body else None
        if block.body is None:
            return _Opened(block, mark, "sealed", None, None, False)
        if block.id.lane is Lane.PICTURE:
            return _Opened(block, mark, "kept", content, self._sight(block.id, block.body), True)
        if block.id.lane not in AT_ONCE:
            return _Opened(block, mark, "pending", content, None, False)
        records, state = self._decode(block.id, block.body)
        return _Opened(block, mark, state, content, records, True)

    def _sight(self, block_id: BlockId, body: bytes) -> Sequence[Record]:
        """What a picture shows; nothing when it is none, or builds on one that never came: the next that stands alone will do."""
        try:
            return [self.album.take(block_id, body[1:])] if body[:1] == bytes((Content.PICTURE,)) else []
        except DecodeError as error:
            log.info("picture %s: %s", block_id, error)
            return []

    def _unseal(self, block_id: BlockId, block: bytes) -> tuple[Sequence[Record] | None, str]:
        """What a block says that opened when it came."""
        try:
            return self._decode(block_id, self._sealer.open(block, block_id.incarnation).body)
        except SealError as error:
            log.warning("block %s opens no more: %s", block_id, error)
            return None, "sealed"

    def _decode(self, block_id: BlockId, body: bytes) -> tuple[Sequence[Record] | None, str]:
        try:
            records = decode(block_id, body, self._anchor)
        except DecodeError as error:
            log.warning("block %s cannot be read (%s): set aside", block_id, error)
            return None, "unreadable"
        return records, "kept" if records is None else "unpacked"

    def _commit(self, tx: Tx, item: _Opened, outcomes: list[Outcome]) -> Verdict:
        block = item.block
        now = self._store.clock.stamp()
        known = tx.conn.execute(f"SELECT id, hash, state, level FROM block WHERE {ID}", block.id).fetchone()
        if known is not None and known[1] == item.hash:
            return Verdict.DUPLICATE
        if known is not None or (block.id.origin, block.id.incarnation) == self._store.place:
            found = blocks.judge(tx, block, item.hash, known, now.wall_ms)
            if found.fresh:
                tx.after(lambda: log.warning("block %s came with other bytes by %s: set aside", block.id, block.via))
            if not found.taken:
                return Verdict.CONFLICT if found.both else Verdict.REFUSED
        if block.id.lane is Lane.PICTURE and not blocks.make_room(tx, block.id):
            return Verdict.DUPLICATE
        if block.id.lane in AT_ONCE and block.level is Level.QUARANTINE and self._sealer.trusted(block.id):
            return Verdict.REFUSED  # unsigned, by keys that a revoked node holds: it must not take a number
        age_ms = int(block.age_s * 1000)
        row = blocks.insert(
            tx, block.id, block.block, item.state, item.content, block.level, (now.boot, now.mono_ms), via=block.via,
            age_ms=age_ms, mark=item.hash
        )  # fmt: skip
        if item.state == "pending":
            blocks.await_unpacking(tx, row)
        elif item.at_once:
            parcel = Parcel(block.id, row, block.level, item.records, (now.boot, now.mono_ms - age_ms), now)
            outcomes.append(self._apply(tx, parcel))
            self._prove(tx, block)
        return _VERDICTS.get(item.state, Verdict.NEW)

    def _prove(self, tx: Tx, block: Incoming) -> None:
        """A block that could not carry its signature, and the one behind it that does: whichever came last proves both."""
        try:
            proof = self._proof(tx, block)
            target = signed_id(proof) if proof is not None else None
            sealed = blocks.bytes_of(tx, target) if target is not None else None
            if proof is None or target is None or sealed is None:
                return
            level = read_signature(proof, self._sealer, sealed)
        except (SealError, DecodeError) as error:
            log.info("block %s: %s", block.id, error)
            return
        for proven in (target, proof.id):
            blocks.prove(tx, proven, level)
        tx.after(lambda: self._index.add([target, proof.id]))

    def _proof(self, tx: Tx, block: Incoming) -> Opened | None:
        """The signature block that came, or that lies behind an unsigned one."""
        if block.body and block.body[0] == Content.SIGNATURE:
            return Opened(block.id, block.body, block.level)
        if block.level is not Level.MEMBER or (behind := blocks.bytes_of(tx, block.id.next)) is None:
            return None
        return self._sealer.open(behind, block.id.incarnation)

    def _note(self, came: Sequence[Incoming], verdicts: Sequence[Verdict]) -> None:
        had = [block for block, verdict in zip(came, verdicts) if verdict in HAD]
        self._index.add(block.id for block in had if not _unproven(block))
        self._index.hold(block.id for block in had if _unproven(block))
        self._index.forget(block.id for block, verdict in zip(came, verdicts) if verdict is Verdict.CONFLICT)

    def _apply(self, tx: Tx, parcel: Parcel) -> Outcome:
        outcome = apply(tx, self._store.ingest, parcel)
        holes = [(hole.origin, hole.incarnation, hole.lane, hole.first, hole.last) for hole in outcome.holes]
        tx.after(lambda: self._index.fill(holes))
        tx.conn.execute(
            "UPDATE block SET rows = ?, first_row = ?, last_row = ? WHERE id = ?",
            (outcome.rows, *(outcome.span or (None, None)), parcel.row),
        )
        return outcome


def _unproven(block: Incoming) -> bool:
    """Whether any member could have made it, in a lane where everything is signed."""
    return block.id.lane in AT_ONCE and block.level is Level.MEMBER and block.body is not None

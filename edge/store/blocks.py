"""Blocks in the tables: put in, set aside, raised in level, their bytes forgotten. Everything inside a writer's transaction."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from edge.store.writer import Tx
from sync.ids import BlockId, Level
from sync.log import Incoming, mark_of
from sync.trust.standing import measured, of_guest

ID: Final = "origin = ? AND incarnation = ? AND lane = ? AND number = ?"
_BLOCK: Final = (
    "INSERT INTO block (origin, incarnation, lane, number, state, held, content, level, size, hash, rows, first_row, last_row, "
    "via, age_ms, at_boot, at_ms) VALUES (?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id"
)
_SET_ASIDE: Final = "INSERT INTO quarantine (origin, incarnation, lane, number, hash, why, via, bytes, received_ms) "
STRETCH: Final = (
    "SELECT b.number, p.bytes, b.hash FROM block b JOIN payload p ON p.block = b.id WHERE b.origin = ? AND b.incarnation = ? "
    "AND b.lane = ? AND b.number BETWEEN ? AND ? ORDER BY b.number DESC"
)
_STREAMS: Final = (
    "SELECT DISTINCT o.stream, s.subject FROM observation o JOIN stream s ON s.id = o.stream "
    "WHERE o.id BETWEEN ? AND ? AND o.block = ?"
)
_LEVEL: Final = (
    "UPDATE observation SET level = ? WHERE id BETWEEN ? AND ? AND block = ? AND +stream = ?"  # by id, not by stream
)
QUARANTINE_MAX: Final = 1000
Span = tuple[int | None, int | None]


def insert(
    tx: Tx,
    block_id: BlockId,
    block: bytes,
    state: str,
    content: int | None,
    level: Level,
    at: tuple[int, int],
    *,
    rows: int = 0,
    span: Span = (None, None),
    via: str = "",
    age_ms: int = 0,
    mark: bytes = b"",
) -> int:
    """Store a new block with its bytes; its row id."""
    values = (*block_id, state, content, int(level), len(block), mark or mark_of(block), rows, *span, via, age_ms, *at)
    row: int = tx.conn.execute(_BLOCK, values).fetchone()[0]
    tx.conn.execute("INSERT INTO payload VALUES (?, ?)", (row, block))
    return row


def bytes_of(tx: Tx, block_id: BlockId) -> bytes | None:
    """A block's bytes, None when they are not here."""
    found = tx.conn.execute(f"SELECT bytes FROM payload WHERE block = (SELECT id FROM block WHERE {ID})", block_id)
    row = found.fetchone()
    return None if row is None else row[0]


class Judged(NamedTuple):
    """Of two blocks with one id. taken: the new one is to be stored; both: neither is believed; fresh: news to people."""

    taken: bool
    both: bool
    fresh: bool


def judge(
    tx: Tx, came: Incoming, mark: bytes, known: tuple[int, bytes, str, int] | None, wall_ms: int | None
) -> Judged:
    """Set aside whichever of what came and what was `known` (row id, hash, state, level) its origin did not sign, or both.

    An own block stays in use, whatever comes under its id.
    """
    proven = came.level >= Level.ORIGIN
    if known is not None and proven and known[2] not in ("own", "conflict") and known[3] < Level.ORIGIN:
        _supersede(tx, known[0], came.id, wall_ms)
        return Judged(taken=True, both=False, fresh=True)
    why = "same id, other bytes" if known else "a number of this store that it never gave out"
    fresh = tx.conn.execute(
        f"{_SET_ASIDE} SELECT ?, ?, ?, ?, ?, ?, ?, ?, ? WHERE (SELECT count(*) FROM quarantine) < ? ON CONFLICT DO NOTHING",
        (*came.id, mark, why, came.via, came.block, wall_ms, QUARANTINE_MAX),
    ).rowcount
    both = proven or (known is not None and known[2] != "own" and known[3] < Level.ORIGIN)
    if known is not None and both and known[2] not in ("own", "conflict"):
        _retire(tx, known[0], came.id, why, wall_ms)
    return Judged(taken=False, both=both, fresh=fresh > 0)


def _keep_aside(tx: Tx, row: int, why: str, wall_ms: int | None) -> None:
    tx.conn.execute(
        f"{_SET_ASIDE} SELECT b.origin, b.incarnation, b.lane, b.number, b.hash, ?, b.via, p.bytes, ? FROM block b "
        "JOIN payload p ON p.block = b.id WHERE b.id = ? ON CONFLICT DO NOTHING",
        (why, wall_ms, row),
    )
    tx.conn.execute("DELETE FROM unpacking WHERE block = ?", (row,))


def _retire(tx: Tx, row: int, block_id: BlockId, why: str, wall_ms: int | None) -> None:
    _keep_aside(tx, row, why, wall_ms)
    found = tx.conn.execute(
        "UPDATE block SET state = 'conflict', level = 0 WHERE id = ? RETURNING id, first_row, last_row", (row,)
    ).fetchone()
    drop_bytes(tx, block_id)
    _disown(tx, found)


def _supersede(tx: Tx, row: int, block_id: BlockId, wall_ms: int | None) -> None:
    """Make way for the block that its origin signed; what the other one brought belongs to no block from now on."""
    _keep_aside(tx, row, "its origin signed for other bytes", wall_ms)
    found = tx.conn.execute("SELECT id, first_row, last_row FROM block WHERE id = ?", (row,)).fetchone()
    _disown(tx, found)
    tx.conn.execute("UPDATE event SET block = ? WHERE block = ?", (-row, row))
    tx.conn.execute("UPDATE observation SET block = ? WHERE id BETWEEN ? AND ? AND block = ?", (-row, *found[1:], row))
    tx.conn.execute("DELETE FROM payload WHERE block = ?", (row,))
    tx.conn.execute("DELETE FROM block WHERE id = ?", (row,))


def distrust(tx: Tx, row: int) -> None:
    """Quarantine a block and what it brought."""
    found = tx.conn.execute(
        "UPDATE block SET level = 0 WHERE id = ? RETURNING id, first_row, last_row", (row,)
    ).fetchone()
    _disown(tx, found)


def _disown(tx: Tx, block: tuple[int, int | None, int | None]) -> None:
    """What a block brought is no fact any more; the latest state of whom it spoke of is not known until it is told again."""
    row, first, last = block
    _relevel(tx, block, Level.QUARANTINE)
    tx.conn.execute(
        "DELETE FROM latest WHERE subject IN (SELECT s.subject FROM observation o JOIN stream s ON s.id = o.stream "
        "WHERE o.id BETWEEN ? AND ? AND o.block = ?)",
        (first, last, row),
    )


def prove(tx: Tx, block_id: BlockId, level: Level) -> None:
    """Raise a block and what it brought to `level`; never lowers, never lifts a block out of quarantine."""
    found = tx.conn.execute(
        f"UPDATE block SET level = ? WHERE {ID} AND level < ? AND state != 'conflict' RETURNING id, first_row, last_row",
        (int(level), *block_id, int(level)),
    ).fetchone()
    if found is not None:
        _relevel(tx, found, level)


def _relevel(tx: Tx, block: tuple[int, int | None, int | None], level: Level) -> None:
    """What a block brought stands at its level, a guest's words and a stranger's readings in it at a guest's."""
    row, first, last = block
    tx.conn.execute("UPDATE span SET level = ? WHERE block = ?", (int(level), row))
    for event, kind, actor in tx.conn.execute("SELECT id, kind, actor FROM event WHERE block = ?", (row,)).fetchall():
        stands = min(level, Level.GUEST) if of_guest(kind, actor) else level
        tx.conn.execute("UPDATE event SET level = ? WHERE id = ?", (int(stands), event))
    for stream, subject in tx.conn.execute(_STREAMS, (first, last, row)).fetchall():
        tx.conn.execute(_LEVEL, (int(measured(subject, level)), first, last, row, stream))


def drop_bytes(tx: Tx, block_id: BlockId) -> int:
    """Forget a block's bytes, not the fact that it was had; how many they were. 0 while it waits to be unpacked: they are all
    there is of what it says."""
    found: Any = tx.conn.execute(
        f"UPDATE block SET held = 0 WHERE {ID} AND held AND state != 'pending' RETURNING id, size", block_id
    ).fetchone()
    if found is None:
        return 0
    tx.conn.execute("DELETE FROM payload WHERE block = ?", (found[0],))
    return int(found[1])


def await_unpacking(tx: Tx, row: int) -> None:
    """Note that a block is to become rows and events later; its bytes here are opened anew for that, no plaintext is kept."""
    tx.conn.execute("INSERT INTO unpacking VALUES (?, x'')", (row,))


def make_room(tx: Tx, picture: BlockId) -> bool:
    """Forget the older pictures of a source; False when the one here is newer."""
    here = tx.conn.execute(
        "SELECT id, number FROM block WHERE origin = ? AND incarnation = ? AND lane = ?", picture.source
    ).fetchall()
    if any(number > picture.number for _, number in here):
        return False
    for row, _ in here:
        tx.conn.execute("DELETE FROM payload WHERE block = ?", (row,))
        tx.conn.execute("DELETE FROM block WHERE id = ?", (row,))
    return True

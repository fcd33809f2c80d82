"""Blocks judged anew when trust changes: what can be opened now, what is proven now, what is believed no longer."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final, NamedTuple

from edge.store import blocks
from edge.store.blocks import ID
from edge.store.connect import fetch, open_reader
from edge.store.store import Fresh, Store
from edge.store.writer import Tx
from sync.ids import BlockId, Lane, Level
from sync.seal.contract import Opened

BATCH: Final = 256
_FOUND: Final = "SELECT b.id, b.origin, b.incarnation, b.lane, b.number, b.content FROM block b "
_BYTES: Final = f"SELECT bytes FROM payload WHERE block = (SELECT id FROM block WHERE {ID})"


class Found(NamedTuple):
    """A block that is here: its row, id and content (None when it was never opened)."""

    row: int
    id: BlockId
    content: int | None


class Review:
    """One thread's view of a store's blocks; changes go through the store's writer and wait for the commit."""

    def __init__(self, store: Store) -> None:
        self._store, self._conn = store, open_reader(store.path)

    def close(self) -> None:
        """Let the reading connection go."""
        self._conn.close()

    def after(self, row: int, contents: Collection[int] | None = None) -> list[Found]:
        """Blocks behind a row, of these contents or of any, oldest first, a batch at a time."""
        wanted = "" if contents is None else f"AND b.content IN ({', '.join(str(int(each)) for each in contents)})"
        return self._blocks(f"WHERE b.id > ? AND b.held {wanted} ORDER BY b.id LIMIT ?", (row, BATCH))

    def doubtful(self, row: int) -> list[Found]:
        """Blocks behind a row that were never opened here, or are quarantined though not in conflict; a batch at a time."""
        return self._blocks(
            "WHERE b.id > ? AND b.held AND (b.state = 'sealed' OR (b.level = 0 AND b.state NOT IN ('conflict', 'own'))) "
            "ORDER BY b.id LIMIT ?",
            (row, BATCH),
        )

    def block(self, block_id: BlockId) -> bytes | None:
        """A block's bytes, if they are here."""
        found = fetch(self._conn, self._store.path, _BYTES, block_id)
        return found[0][0] if found else None

    def run(self, lane: Lane, first: int, most: int) -> list[Found]:
        """Own blocks of this life with consecutive numbers from `first` on, as far as their bytes are here."""
        found = self._blocks(
            "WHERE b.held AND origin = ? AND incarnation = ? AND lane = ? AND number >= ? ORDER BY number LIMIT ?",
            (*self._store.place, lane, first, most),
        )
        return [each for at, each in enumerate(found) if each.id.number == found[0].id.number + at]

    def told(self, name: str) -> int:
        """A number noted with `tell`, 0 before the first time."""
        found = fetch(self._conn, self._store.path, "SELECT value FROM meta WHERE name = ?", (name,))
        return int(found[0][0]) if found else 0

    def tell(self, name: str, value: int) -> None:
        """Note a number, durably."""
        self._write(lambda tx: tx.conn.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value)))

    def adopt(self, opened: Sequence[tuple[int, Opened]]) -> None:
        """Blocks by row that open now: what was sealed is unpacked from here on, what was quarantined stands at its level."""

        def run(tx: Tx) -> None:
            for row, block in opened:
                _adopt(tx, row, block)
            tx.after(lambda: self._store.grown(Lane.HISTORY, 0, Fresh(blocks=len(opened))))

        self._write(run)

    def prove(self, ids: Iterable[BlockId], level: Level) -> None:
        """A signature covers these blocks: they and what they brought stand at `level`, unless higher already."""
        todo = tuple(ids)

        def run(tx: Tx) -> None:
            for block_id in todo:
                blocks.prove(tx, block_id, level)
            tx.after(lambda: self._store.index.add(todo))

        self._write(run)

    def distrust(self, origin: int, last: Mapping[tuple[int, Lane], int]) -> int:
        """Quarantine what a revoked node sent beyond its last trusted numbers; how many blocks that are."""

        def run(tx: Tx) -> int:
            found = tx.conn.execute(
                "SELECT id, incarnation, lane, number FROM block WHERE origin = ? AND level > 0 AND state != 'own'",
                (origin,),
            ).fetchall()
            rows = [row for row, life, lane, number in found if number > last.get((life, Lane(lane)), -1)]
            for row in rows:
                blocks.distrust(tx, row)
            return len(rows)

        return int(self._write(run))

    def contradict(self, block_id: BlockId) -> None:
        """Its origin signed for other bytes: the block here is not its."""

        def run(tx: Tx) -> None:
            found = tx.conn.execute(f"SELECT id FROM block WHERE {ID} AND state != 'own'", block_id).fetchone()
            if found is not None:
                blocks.distrust(tx, found[0])

        self._write(run)

    def _write(self, job: Any) -> Any:
        return self._store.writer.submit(job, urgent=True).result()

    def _blocks(self, where: str, values: Sequence[Any]) -> list[Found]:
        return [
            Found(row, BlockId(origin, incarnation, Lane(lane), number), content)
            for row, origin, incarnation, lane, number, content in fetch(
                self._conn, self._store.path, _FOUND + where, values
            )
        ]


def _adopt(tx: Tx, row: int, opened: Opened) -> None:
    state = "kept" if opened.id.lane is Lane.PICTURE else "pending"
    content = opened.body[0] if opened.body else None
    fresh = tx.conn.execute(
        "UPDATE block SET state = ?, content = ?, level = ? WHERE id = ? AND state = 'sealed'",
        (state, content, int(opened.level), row),
    ).rowcount
    if fresh and state == "pending":
        blocks.await_unpacking(tx, row)
    elif not fresh:
        blocks.prove(tx, opened.id, opened.level)


def last_numbers(path: Path, nodes: Iterable[int]) -> dict[int, dict[tuple[int, Lane], int]]:
    """The last block that is here of each source of some nodes; {} where there is no store. Beside a running agent."""
    if not path.exists():
        return {}
    with closing(open_reader(path)) as conn:
        rows = fetch(
            conn, path, "SELECT origin, incarnation, lane, max(number) FROM block GROUP BY origin, incarnation, lane"
        )
    last: dict[int, dict[tuple[int, Lane], int]] = {node: {} for node in nodes}
    for origin, incarnation, lane, number in rows:
        if origin in last:
            last[origin][incarnation, Lane(lane)] = number
    return last

"""What blocks are here and what other nodes are known to have, kept in memory beside the tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from edge.store.connect import Connection
from edge.store.rows import spans_of
from sync.ids import BlockId, Lane, Source
from sync.ranges import Ranges

_ISLANDS: Final = (
    "SELECT origin, incarnation, lane, min(number), max(number) FROM (SELECT origin, incarnation, lane, number, "
    "number - row_number() OVER (PARTITION BY origin, incarnation, lane ORDER BY number) AS island FROM block {}) "
    "GROUP BY origin, incarnation, lane, island"
)
Sets = dict[Source, Ranges]


class Index:
    """have: numbers committed here, pictures left out; held: numbers whose bytes are here; ends: by node, what it has.

    Read by the log's thread. What a commit brings is added on the writer's thread while the log's waits for it; `forget`,
    which retention calls there at any time, only ever puts new sets in place.
    """

    def __init__(self, conn: Connection) -> None:
        self.have = _sets(conn.execute(_ISLANDS.format("WHERE lane != 2")))
        self.held = _sets(conn.execute(_ISLANDS.format("WHERE held")))
        self.ends: dict[int, Sets] = {}
        for node, origin, incarnation, lane, spans in conn.execute("SELECT * FROM end_list").fetchall():
            self.ends.setdefault(node, {})[Source(origin, incarnation, Lane(lane))] = spans_of(spans)
        self.fill(conn.execute("SELECT origin, incarnation, lane, first, last FROM hole").fetchall())

    def add(self, block_id: BlockId) -> None:
        """A block is here now."""
        self.held.setdefault(block_id.source, Ranges()).add(block_id.number)
        if block_id.lane is not Lane.PICTURE:
            self.have.setdefault(block_id.source, Ranges()).add(block_id.number)

    def fill(self, holes: Iterable[tuple[int, int, int, int, int]]) -> None:
        """Numbers that will never come count as had."""
        for origin, incarnation, lane, first, last in holes:
            self.have.setdefault(Source(origin, incarnation, Lane(lane)), Ranges()).add(first, last)

    def forget(self, ids: Iterable[BlockId]) -> None:
        """The bytes of blocks are gone; that they were had stays."""
        gone: Sets = {}
        for block_id in ids:
            gone.setdefault(block_id.source, Ranges()).add(block_id.number)
        for source, numbers in gone.items():
            if source in self.held:
                self.held[source] = self.held[source].minus(numbers)

    def news(self, node: int, ends: Mapping[Source, Ranges]) -> Sets:
        """The sets of a node's end list that `ends` makes larger, as they would be afterwards."""
        known, news = self.ends.get(node, {}), {}
        for source, numbers in ends.items():
            old = known.get(source, Ranges())
            if source.lane is not Lane.PICTURE and numbers.minus(old):
                news[source] = old.copy()
                news[source].update(numbers)
        return news

    def settled(self, source: Source, nodes: Iterable[int]) -> Ranges:
        """What at least one of `nodes` has of a source."""
        settled = Ranges()
        for node in nodes:
            settled.update(self.ends.get(node, {}).get(source, Ranges()))
        return settled


def _sets(rows: Iterable[tuple[int, int, int, int, int]]) -> Sets:
    sets: Sets = {}
    for origin, incarnation, lane, first, last in rows:
        sets.setdefault(Source(origin, incarnation, Lane(lane)), Ranges()).add(first, last)
    return sets

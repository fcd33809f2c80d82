"""What blocks are here and what other nodes are known to have, kept in memory beside the tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from sqlite_utils import Database

from edge.store.connect import fetch
from edge.store.rows import spans_of
from sync.ids import BlockId, Lane, Source
from sync.ranges import Ranges

_ISLANDS: Final = (
    "SELECT origin, incarnation, lane, min(number), max(number) FROM (SELECT origin, incarnation, lane, number, "
    "number - row_number() OVER (PARTITION BY origin, incarnation, lane ORDER BY number) AS island FROM block {}) "
    "GROUP BY origin, incarnation, lane, island"
)
# A flash or command block that nobody signed for may be anybody's: until it is proven its number is not had.
_HAD: Final = "WHERE lane != 2 AND state != 'foreign' AND NOT (lane < 2 AND level = 2 AND state IN ('unpacked', 'kept', 'unreadable'))"
Sets = dict[Source, Ranges]


class Index:
    """have: numbers committed here, pictures left out; held: numbers whose bytes are here; ends: by node, what it has.

    One for a store, read by any thread. It changes on the writer's thread after a commit, and always puts new sets in place
    of the old, so whoever holds one may go on reading it.
    """

    def __init__(self, db: Database, path: Path) -> None:
        """What is committed now. Raises StoreError."""
        self.have = _sets(fetch(db, path, _ISLANDS.format(_HAD)))
        self.held = _sets(fetch(db, path, _ISLANDS.format("WHERE held")))
        self.ends: dict[int, Sets] = {}
        for node, origin, incarnation, lane, spans in fetch(db, path, "SELECT * FROM end_list"):
            self.ends.setdefault(node, {})[Source(origin, incarnation, Lane(lane))] = spans_of(spans)
        self.fill(fetch(db, path, "SELECT origin, incarnation, lane, first, last FROM hole"))

    def add(self, ids: Iterable[BlockId]) -> None:
        """Blocks are here now."""
        came = _sets((*block_id.source, block_id.number, block_id.number) for block_id in ids)
        self.held = _union(self.held, came)
        self.have = _union(
            self.have, {source: each for source, each in came.items() if source.lane is not Lane.PICTURE}
        )

    def hold(self, ids: Iterable[BlockId]) -> None:
        """Blocks are here whose numbers do not count as had yet."""
        self.held = _union(self.held, _sets((*block_id.source, block_id.number, block_id.number) for block_id in ids))

    def fill(self, holes: Iterable[tuple[int, int, int, int, int]]) -> None:
        """Numbers that will never come count as had."""
        self.have = _union(self.have, _sets(holes))

    def forget(self, ids: Iterable[BlockId]) -> None:
        """The bytes of blocks are gone; that they were had stays."""
        gone = _sets((*block_id.source, block_id.number, block_id.number) for block_id in ids)
        less = {source: self.held[source].minus(each) for source, each in gone.items() if source in self.held}
        self.held = {**self.held, **less}

    def news(self, node: int, ends: Mapping[Source, Ranges]) -> Sets:
        """The sets of a node's end list that `ends` makes larger, as they would be afterwards."""
        known = self.ends.get(node, {})
        more = {
            source: numbers
            for source, numbers in ends.items()
            if source.lane is not Lane.PICTURE and numbers.minus(known.get(source, Ranges()))
        }
        joined = _union(known, more)
        return {source: joined[source] for source in more}

    def learn(self, node: int, news: Mapping[Source, Ranges]) -> None:
        """A node's end list has grown."""
        self.ends = {**self.ends, node: {**self.ends.get(node, {}), **news}}


def _union(sets: Sets, more: Mapping[Source, Ranges]) -> Sets:
    """A new mapping in which the sources of `more` have new, larger sets."""
    out = dict(sets)
    for source, numbers in more.items():
        out[source] = out[source].copy() if source in out else Ranges()
        out[source].update(numbers)
    return out


def _sets(rows: Iterable[tuple[int, int, int, int, int]]) -> Sets:
    sets: Sets = {}
    for origin, incarnation, lane, first, last in rows:
        sets.setdefault(Source(origin, incarnation, Lane(lane)), Ranges()).add(first, last)
    return sets

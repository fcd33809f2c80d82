"""What replication needs of a store: the Log protocol. `edge/store` implements it durably, MemoryLog for tests and simulation.

Every method is blocking and, where it writes, durable when it returns; the caller decides on which thread it waits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, Protocol

from sync.ids import BlockId, Lane, Level, Source
from sync.ranges import Ranges


class Verdict(Enum):
    """What became of a block handed to `commit`."""

    NEW = "new"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"  # same id, other bytes: both quarantined, people told
    SEALED = "sealed"  # kept, but this node may not read it (relay, other key class)
    UNREADABLE = "unreadable"  # authentic, but its body does not decode: set aside, counted as had
    REFUSED = "refused"  # not authentic or over quota: not kept


def mark_of(block: bytes) -> bytes:
    """16 bytes that tell one byte string from another: the head of SHA-256 in every suite, for a node's own use and for lists."""
    return hashlib.sha256(block).digest()[:16]


class Held(NamedTuple):
    """A block as it lies here: its number in its source, its bytes, and their mark."""

    number: int
    block: bytes
    mark: bytes


@dataclass(frozen=True, slots=True)
class Incoming:
    """A whole block from outside. body: opened plaintext, or None where this node may not read it; age_s since sealing; mark:
    of the block, b"" where nobody has worked it out yet."""

    id: BlockId
    block: bytes
    body: bytes | None
    level: Level
    age_s: float
    via: str
    mark: bytes = b""


@dataclass(frozen=True, slots=True)
class Pending:
    """Rows of a lane that wait to be sealed: count, estimated bytes, age of the oldest in seconds."""

    rows: int
    bytes: int
    oldest_s: float


class Log(Protocol):
    """One node's blocks: its own, and those it holds for others."""

    origin: int
    incarnation: int

    def have(self) -> Mapping[Source, Ranges]:
        """Numbers durably committed at this node, by source; picture lane never included."""

    def read(self, block_id: BlockId) -> bytes | None:
        """The block's bytes, or None when it is not (or no longer) held."""

    def stretch(self, source: Source, first: int, last: int) -> Sequence[Held]:
        """All blocks held with numbers first..last, newest first; the caller keeps the stretch as short as its memory."""

    def age_s(self, block_id: BlockId) -> float:
        """Seconds since the block was sealed, as far as this node can tell; 0 for one that is not held."""

    def held(self, source: Source) -> Ranges:
        """Numbers whose bytes are still here and can be sent."""

    def commit(self, blocks: Sequence[Incoming]) -> Sequence[Verdict]:
        """Store blocks from outside; what it returns as NEW, DUPLICATE, SEALED or UNREADABLE is durable."""

    def weight(self, source: Source) -> int:
        """Bytes of a source that are held."""

    def pending(self, lane: Lane) -> Pending:
        """What waits to be sealed in a lane."""

    def cut(self, lane: Lane, budget: int, at_most: int = 1) -> Sequence[BlockId]:
        """Seal waiting rows into at most `at_most` blocks of at most `budget` bytes each; durable; [] when nothing waits."""

    def end_of(self, node: int) -> Mapping[Source, Ranges]:
        """What a node is known to have committed (its end list, by any path)."""

    def merge_end(self, node: int, ends: Mapping[Source, Ranges], signed: bool = False) -> None:
        """Learn more of a node's end list; union only, never less. signed: by the node itself, not only in its name."""

    def sent(self, bearer: str, ids: Mapping[BlockId, int]) -> None:
        """Note for people that so many bytes of blocks went out by a bearer: a hint, not waited for, never a proof."""

    def purge(self, ids: Iterable[BlockId]) -> int:
        """Forget the bytes (not the fact) of blocks that policy no longer needs here; returns the bytes freed."""

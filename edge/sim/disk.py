"""A disk that fails on purpose: a Log whose writes may meet a power cut, before or after they became durable, or a full disk."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from hardware.errors import SanduanError, StoreFull
from sync.ids import BlockId, Lane, Source
from sync.log import Held, Incoming, Log, Pending, Verdict
from sync.ranges import Ranges

T = TypeVar("T")


class PowerCut(SanduanError):
    """The machine lost power in the middle of a write."""


class FaultyLog:
    """Another log behind faults. full: only flash and command still find room, as with the store's reserve.

    Power fails at the write that `fail_in` counts down to; whether that write is on the disk is up to chance, and whoever
    waited for it never hears.
    """

    def __init__(self, log: Log, chance: random.Random) -> None:
        self.origin, self.incarnation = log.origin, log.incarnation
        self.log = log
        self.full = False
        self.fail_in: int | None = None
        self._chance = chance

    def have(self) -> Mapping[Source, Ranges]:
        """As the log behind."""
        return self.log.have()

    def read(self, block_id: BlockId) -> bytes | None:
        """As the log behind."""
        return self.log.read(block_id)

    def stretch(self, source: Source, first: int, last: int) -> Sequence[Held]:
        """As the log behind."""
        return self.log.stretch(source, first, last)

    def age_s(self, block_id: BlockId) -> float:
        """As the log behind."""
        return self.log.age_s(block_id)

    def held(self, source: Source) -> Ranges:
        """As the log behind."""
        return self.log.held(source)

    def commit(self, blocks: Sequence[Incoming]) -> Sequence[Verdict]:
        """As the log behind; StoreFull or PowerCut when it is time."""
        if self.full and any(block.id.lane > Lane.COMMAND for block in blocks):
            raise StoreFull("simulated disk is full")
        return self._write(lambda: self.log.commit(blocks))

    def weight(self, source: Source) -> int:
        """As the log behind."""
        return self.log.weight(source)

    def pending(self, lane: Lane) -> Pending:
        """As the log behind."""
        return self.log.pending(lane)

    def cut(self, lane: Lane, budget: int, at_most: int = 1) -> Sequence[BlockId]:
        """As the log behind; PowerCut when it is time."""
        return self._write(lambda: self.log.cut(lane, budget, at_most)) if self.log.pending(lane).rows else []

    def end_of(self, node: int) -> Mapping[Source, Ranges]:
        """As the log behind."""
        return self.log.end_of(node)

    def merge_end(self, node: int, ends: Mapping[Source, Ranges], signed: bool = False) -> None:
        """As the log behind; PowerCut when it is time."""
        self._write(lambda: self.log.merge_end(node, ends, signed))

    def sent(self, bearer: str, ids: Mapping[BlockId, int]) -> None:
        """As the log behind."""
        self.log.sent(bearer, ids)

    def purge(self, ids: Iterable[BlockId]) -> int:
        """As the log behind."""
        return self.log.purge(ids)

    def _write(self, write: Callable[[], T]) -> T:
        if self.fail_in is None:
            return write()
        self.fail_in -= 1
        if self.fail_in > 0:
            return write()
        self.fail_in = None
        if self._chance.random() < 0.5:
            write()
        raise PowerCut("power lost in a write")

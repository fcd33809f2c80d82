"""What a node keeps for others: quotas by origin and neighbour, room made by lane and age, and what end lists let go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Final

from hardware.errors import DecodeError
from sync.exchange.core import URGENT, Core
from sync.exchange.ledger import NEVER
from sync.exchange.policy import HOUR
from sync.ids import BlockId, Lane, Source
from sync.ranges import Ranges

BATCH: Final = 8  # blocks forgotten at a time
PEERS: Final = 4096  # neighbours whose bytes are counted
SWEEP_S: Final = 600.0  # what ended is looked through for what has aged so often


class Guard:
    """Counts bytes held for others by source. Only a relay forgets blocks: the other roles' stores have a policy of their own."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._bytes: Counter[Source] = Counter()
        self._known: set[Source] = set()
        self._taken: dict[tuple[str, str], tuple[int, int]] = {}
        self._swept_at = -NEVER

    def admit(self, block_id: BlockId, size: int) -> None:
        """DecodeError when a quota has no room for one more block, even after what may go has gone."""
        core, policy = self._core, self._core.policy
        self._learn()
        if block_id.origin not in core.ring.directory:
            strangers = (each for each in self._bytes if each.origin not in core.ring.directory)
            if size + sum(self._bytes[each] for each in strangers) > policy.quota_stranger:
                raise DecodeError("quota of unknown origins")
        if not policy.relay:
            return
        mine = [each for each in self._bytes if each.origin == block_id.origin]
        if not self._room(block_id.lane, size, mine, policy.quota_origin):
            raise DecodeError("quota of one origin")
        if not self._room(block_id.lane, size, list(self._bytes), policy.quota_disk):
            raise DecodeError("quota of the disk")

    def take(self, line: str, peer: str, size: int, now: float) -> None:
        """Bytes of blocks from a neighbour; DecodeError beyond what one may bring in an hour."""
        hour, spent = self._taken.get((line, peer), (0, 0))
        if hour != int(now / HOUR):
            hour, spent = int(now / HOUR), 0
        if spent + size > self._core.policy.quota_neighbour:
            raise DecodeError("quota of one neighbour")
        if (line, peer) not in self._taken and len(self._taken) >= PEERS:
            self._taken.clear()
        self._taken[line, peer] = hour, spent + size

    def took(self, block_id: BlockId, size: int) -> None:
        """A block was stored."""
        if block_id.source in self._known:
            self._bytes[block_id.source] += size

    def ended(self, ends: Mapping[Source, Ranges]) -> None:
        """A central has these: a relay need not hold them any more, but what is urgent may still be news to others while it is fresh."""
        for source, numbers in ends.items() if self._core.policy.relay else ():
            there = self._held(source, numbers).numbers()
            self._forget(source, there if source.lane not in URGENT else self._aged(source, there))

    def sweep(self, now: float) -> None:
        """The same for what has aged, or was ended before this start."""
        if now < self._swept_at + SWEEP_S:
            return
        self._swept_at = now
        for node in self._core.policy.central:
            self.ended(dict(self._core.log.end_of(node)))

    @property
    def bytes(self) -> int:
        """Bytes held for others, as far as they were counted."""
        return self._bytes.total()

    def _learn(self) -> None:
        """Count what was here before, once for each source."""
        for source in self._core.log.have():
            if source not in self._known and source.origin != self._core.log.origin:
                self._known.add(source)
                self._bytes[source] = self._core.log.weight(source)

    def _held(self, source: Source, numbers: Ranges) -> Ranges:
        """Those of the numbers whose bytes are here."""
        held = self._core.log.held(source)
        return held.minus(held.minus(numbers))

    def _aged(self, source: Source, numbers: Iterable[int]) -> list[int]:
        """Those of an urgent source's numbers that are kept no longer; that a central has what it says itself means nothing."""
        log, policy = self._core.log, self._core.policy
        most = (policy.valid_s if source.origin in policy.central else policy.kept_s)[source.lane]
        return [number for number in numbers if log.age_s(BlockId(*source, number)) > most]

    def _room(self, lane: Lane, size: int, sources: list[Source], quota: int) -> bool:
        """Make room for `size` bytes: first of what is urgent what a central has, then the least urgent lane; the oldest goes first."""
        over = size + sum(self._bytes[each] for each in sources) - quota
        for victim in sorted(sources, key=self._rank) if over > 0 else ():
            while over > 0:
                freed = self._forget(victim, islice(self._may_go(victim, lane).numbers(), BATCH))
                if not freed:
                    break
                over -= freed
        return over <= 0

    def _may_go(self, source: Source, lane: Lane) -> Ranges:
        """What of a source may go for a block of a lane: never what is urgent before a central has it."""
        if source.lane in URGENT:
            own = source.origin in self._core.policy.central
            return Ranges() if own else self._held(source, self._core.covered(source))
        return self._core.log.held(source) if source.lane >= lane else Ranges()

    def _rank(self, source: Source) -> tuple[bool, int, float]:
        first = BlockId(*source, max(self._core.log.held(source).first, 0))
        return source.lane not in URGENT, -source.lane, -self._core.log.age_s(first)

    def _forget(self, source: Source, numbers: Iterable[int]) -> int:
        freed = self._core.log.purge([BlockId(*source, number) for number in numbers])
        if freed:
            self._bytes[source] = max(0, self._bytes[source] - freed)
            self._core.refresh(source)
        return freed

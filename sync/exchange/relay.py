"""What a node keeps for others: quotas by origin and neighbour, room made by lane and age, and what ended lists let go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Final

from hardware.errors import DecodeError
from sync.exchange.core import Core
from sync.exchange.policy import HOUR
from sync.ids import BlockId, Lane, Source
from sync.ranges import Ranges

BATCH: Final = 8  # blocks forgotten at a time
PEERS: Final = 4096  # neighbours whose bytes are counted
SPARED: Final = (Lane.FLASH, Lane.COMMAND)  # never forgotten before a central has them


class Guard:
    """Counts bytes held for others by source. Only a relay forgets blocks: the other roles' stores have a policy of their own."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._bytes: Counter[Source] = Counter()
        self._known: set[Source] = set()
        self._taken: dict[tuple[str, str], tuple[int, int]] = {}

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
        """A central has these: a relay need not hold them any more, but what a central says goes the other way while it is valid."""
        log, policy = self._core.log, self._core.policy
        for source, numbers in ends.items() if policy.relay else ():
            held = log.held(source)
            there = list(held.minus(held.minus(numbers)).numbers())
            if source.origin in policy.central and source.lane in SPARED:
                there = [each for each in there if log.age_s(BlockId(*source, each)) > policy.valid_s[source.lane]]
            self._forget(source, there)

    def sweep(self) -> None:
        """The same for everything that was ended before this start."""
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

    def _room(self, lane: Lane, size: int, sources: list[Source], quota: int) -> bool:
        """Make room for `size` bytes: the least urgent lane goes first, its oldest blocks first."""
        over = size + sum(self._bytes[each] for each in sources) - quota
        for victim in sorted(
            (each for each in sources if each.lane not in SPARED and each.lane >= lane), key=self._rank
        ):
            while over > 0 and self._bytes[victim] > 0:
                freed = self._forget(victim, islice(self._core.log.held(victim).numbers(), BATCH))
                if not freed:
                    break
                over -= freed
        return over <= 0

    def _rank(self, source: Source) -> tuple[int, float]:
        first = BlockId(*source, max(self._core.log.held(source).first, 0))
        return -source.lane, -self._core.log.age_s(first)

    def _forget(self, source: Source, numbers: Iterable[int]) -> int:
        freed = self._core.log.purge([BlockId(*source, number) for number in numbers])
        if freed:
            self._bytes[source] = max(0, self._bytes[source] - freed)
            self._core.refresh(source)
        return freed

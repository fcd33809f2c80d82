"""A disk in memory for fleets of hundreds: a Log whose content survives its machine's crashes, and can be copied like a backup."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence

from sync.ids import BlockId, KeyClass, Lane, Source, varint
from sync.log import Held, Incoming, Pending, Verdict, mark_of
from sync.ranges import Ranges
from sync.seal.keyring import Keyring

Rings = Callable[[int], Keyring]  # this node's keys under an incarnation


class MemoryDisk:
    """Implements Log. Items are byte strings; a block's body is a run of them, each behind its length."""

    def __init__(self, rings: Rings, incarnation: int, now: Callable[[], float]) -> None:
        self.ring = rings(incarnation)
        self.origin, self.incarnation = self.ring.origin, incarnation
        self.conflicts = 0
        self._rings, self._now = rings, now
        self._blocks: dict[BlockId, bytes] = {}
        self._sealed: dict[BlockId, float] = {}
        self._have: dict[Source, Ranges] = {}
        self._pictures: dict[Source, int] = {}
        self._purged: dict[Source, Ranges] = {}
        self._ends: dict[int, dict[Source, Ranges]] = {}
        self._waiting: dict[Lane, deque[tuple[float, bytes]]] = {lane: deque() for lane in Lane}
        self._next = dict.fromkeys(Lane, 0)

    def add(self, lane: Lane, item: bytes) -> None:
        """Something that waits to be sealed."""
        self._waiting[lane].append((self._now(), item))

    def copied(self, incarnation: int) -> MemoryDisk:
        """A copy as it is restored or cloned: with all content, under a new life's incarnation."""
        other = MemoryDisk(self._rings, incarnation, self._now)
        other._blocks, other._have = dict(self._blocks), copy.deepcopy(self._have)
        other._sealed = dict(self._sealed)
        other._pictures = dict(self._pictures)
        other._purged = copy.deepcopy(self._purged)
        other._ends, other._waiting = copy.deepcopy(self._ends), copy.deepcopy(self._waiting)
        return other

    def have(self) -> Mapping[Source, Ranges]:
        """Numbers stored, pictures left out."""
        return self._have

    def read(self, block_id: BlockId) -> bytes | None:
        """The block's bytes."""
        return self._blocks.get(block_id)

    def stretch(self, source: Source, first: int, last: int) -> Sequence[Held]:
        """Those of the numbers whose bytes are here."""
        found = ((number, self.read(BlockId(*source, number))) for number in range(last, first - 1, -1))
        return [Held(number, block, mark_of(block)) for number, block in found if block is not None]

    def age_s(self, block_id: BlockId) -> float:
        """Since it was sealed."""
        return self._now() - self._sealed.get(block_id, self._now())

    def held(self, source: Source) -> Ranges:
        """Numbers whose bytes are here: all that are had, until purged; of pictures the newest."""
        if source.lane is Lane.PICTURE:
            newest = self._pictures.get(source)
            return Ranges() if newest is None else Ranges([(newest, newest)])
        have, purged = self._have.get(source, Ranges()), self._purged.get(source)
        return have if purged is None else have.minus(purged)

    def commit(self, blocks: Sequence[Incoming]) -> Sequence[Verdict]:
        """Store blocks from outside."""
        return [self._commit(block) for block in blocks]

    def weight(self, source: Source) -> int:
        """Bytes held."""
        return sum(len(self._blocks[BlockId(*source, number)]) for number in self.held(source).numbers())

    def pending(self, lane: Lane) -> Pending:
        """What waits."""
        waiting = self._waiting[lane]
        oldest = self._now() - waiting[0][0] if waiting else 0.0
        return Pending(len(waiting), sum(len(item) + 1 for _, item in waiting), oldest)

    def cut(self, lane: Lane, budget: int, at_most: int = 1) -> Sequence[BlockId]:
        """Seal what waits."""
        ids: list[BlockId] = []
        while self._waiting[lane] and len(ids) < at_most:
            ids.append(self._seal(lane, self._body(lane, budget - self.ring.overhead(lane, KeyClass.FIELD))))
        return ids

    def end_of(self, node: int) -> Mapping[Source, Ranges]:
        """What a node is known to have."""
        return self._have if node == self.origin else self._ends.get(node, {})

    def merge_end(self, node: int, ends: Mapping[Source, Ranges], signed: bool = False) -> None:
        """Learn more of a node's end list."""
        known = self._ends.setdefault(node, {})
        for source, numbers in ends.items():
            known.setdefault(source, Ranges()).update(numbers)

    def sent(self, bearer: str, ids: Mapping[BlockId, int]) -> None:
        """Nobody looks."""

    def purge(self, ids: Iterable[BlockId]) -> int:
        """Forget the bytes of blocks."""
        freed = 0
        for block_id in ids:
            block = self._blocks.pop(block_id, None)
            if block is not None:
                freed += len(block)
                self._purged.setdefault(block_id.source, Ranges()).add(block_id.number)
        return freed

    def _body(self, lane: Lane, room: int) -> bytes:
        """As many leading items as fit, at least one."""
        waiting, body = self._waiting[lane], b""
        while waiting and (not body or len(body) + len(waiting[0][1]) + 2 <= room):
            item = waiting.popleft()[1]
            body += varint(len(item)) + item
        return body

    def _seal(self, lane: Lane, body: bytes) -> BlockId:
        block_id = BlockId(self.origin, self.incarnation, lane, self._next[lane])
        self._next[lane] += 1
        self._keep(block_id, self.ring.seal(block_id, KeyClass.FIELD, body))
        return block_id

    def _commit(self, block: Incoming) -> Verdict:
        if block.id.number <= self._pictures.get(block.id.source, -1):
            return Verdict.DUPLICATE
        numbers = self._have.get(block.id.source)
        if numbers is not None and block.id.number in numbers:
            known = self._blocks.get(block.id, block.block)
            self.conflicts += known != block.block
            return Verdict.DUPLICATE if known == block.block else Verdict.CONFLICT
        if (block.id.origin, block.id.incarnation) == (self.origin, self.incarnation):
            self.conflicts += 1
            return Verdict.CONFLICT
        self._keep(block.id, block.block, block.age_s)
        return Verdict.NEW if block.body is not None else Verdict.SEALED

    def _keep(self, block_id: BlockId, block: bytes, age_s: float = 0.0) -> None:
        self._blocks[block_id] = block
        self._sealed[block_id] = self._now() - age_s
        if block_id.lane is Lane.PICTURE:
            old = self._pictures.get(block_id.source)
            self._pictures[block_id.source] = block_id.number
            if old is not None:
                del self._blocks[block_id._replace(number=old)]
            return
        self._have.setdefault(block_id.source, Ranges()).add(block_id.number)

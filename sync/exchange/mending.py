"""Large blocks over dear lines with many listeners: every source symbol once, then repair symbols, as many as are lacked."""

from __future__ import annotations

import math
import random
from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

from sync import repair
from sync.exchange import frame
from sync.exchange.ledger import Mend, Target
from sync.exchange.lines import Line, Sending
from sync.ids import BlockId
from sync.seal.contract import MAC

DEAR: Final = 3  # cost from which a line is mended
MARGIN: Final = 0.4  # standard deviations sent beyond the mean: one more round costs more than a few symbols
BAD: Final = 0.6  # share lost on a bad line
BLIND: Final = 16  # symbols sent without knowing that they are lacked; an acknowledgement ends them early
BEGUN: Final = 256  # blocks whose next repair symbol is remembered


def mends(line: Line) -> bool:
    """Whether large blocks go over a line in symbols."""
    limits = line.limits
    return limits.broadcast and limits.two_way and limits.cost >= DEAR


def size_on(line: Line, block_id: BlockId, total: int) -> int:
    """Bytes of this block's symbols on a line, one to a frame; 0 where it goes in pieces."""
    size = line.limits.mtu - MAC - frame.symbol_head(block_id, total)
    return size if mends(line) and repair.mendable(total, size) else 0


def lacked(line: Line, target: Target, block_id: BlockId, lacks: int) -> None:
    """A target says how many more symbols it lacks: what came of those sent since it last said so is the line's loss."""
    mend = target.mends.get(block_id)
    if mend is not None and mend.sent:
        line.losses.learn(mend.sent, min(max(mend.sent - mend.lacks + lacks, 0), mend.sent))
    target.mends[block_id] = Mend(lacks)


def audience(targets: Iterable[Target]) -> list[Target]:
    """The nodes among them, or whoever may listen where none was heard."""
    every = list(targets)
    return [target for target in every if target.node] or every


def awaited(sending: Sending, line: Line) -> bool:
    """Whether somebody still lacks what is being sent."""
    return any(target.under(sending.id, line.name) for target in audience(sending.targets))


class Mender:
    """Which symbols of a block are sent next."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._next: OrderedDict[BlockId, int] = OrderedDict()

    def plan(self, line: Line, block_id: BlockId, sources: int, targets: Iterable[Target]) -> list[int]:
        """All source symbols for somebody new, else as many repair symbols as the neediest lacks, and what losses will take; or
        few, to learn how it stands. Counts them as sent."""
        listeners = audience(targets)
        if any(block_id not in target.mends for target in listeners):
            indexes = [*range(sources), *self._repairs(block_id, sources, self._need(line, Mend(sources)) - sources)]
        else:
            need = max((self._need(line, target.mends[block_id]) for target in listeners), default=1)
            indexes = self._repairs(block_id, sources, need)
        for target in listeners:
            target.mends.setdefault(block_id, Mend(sources)).sent += len(indexes)
        return indexes

    def _need(self, line: Line, mend: Mend) -> int:
        if mend.sent:
            likely = math.ceil((mend.lacks - mend.sent * (1 - BAD)) / (1 - BAD))
            return max(1, min(likely, BLIND))
        lost = line.losses.share
        mean = mend.lacks / (1 - lost)
        return math.ceil(mean + MARGIN * math.sqrt(mean * lost / (1 - lost)))

    def _repairs(self, block_id: BlockId, sources: int, count: int) -> list[int]:
        """The next ones in turn, from a beginning of this node's own."""
        spare = repair.INDEXES - sources
        first = self._next.pop(block_id, None)
        if first is None:
            first = self._chance.randrange(spare)
        self._next[block_id] = first + count
        while len(self._next) > BEGUN:
            self._next.popitem(last=False)
        return [sources + (first + at) % spare for at in range(min(count, spare))]

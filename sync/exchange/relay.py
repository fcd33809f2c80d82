"""What a node keeps for others: quotas by origin and neighbour, room made by lane and age, and what ended lists let go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from sync.exchange.core import Core
from sync.ids import BlockId, Source
from sync.ranges import Ranges

BATCH: Final = 32  # blocks forgotten at a time


class Guard:
    """Counts bytes held by source; only a relay forgets blocks, the other roles' stores have a policy of their own."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._bytes: Counter[Source] = Counter()

    def admit(self, block_id: BlockId, size: int, peer: str = "") -> None:
        """DecodeError when a quota has no room for one more block."""

    def took(self, block_id: BlockId, size: int) -> None:
        """A block was stored."""

    def ended(self, ends: Mapping[Source, Ranges]) -> None:
        """A central has these: a relay need not hold them."""

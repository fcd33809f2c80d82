"""What a node does for others, and for whom: the settings of an exchange."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from sync.ids import Lane

HOUR: Final = 3600.0
MOST_COST: Final = MappingProxyType(
    {Lane.FLASH: 9, Lane.COMMAND: 9, Lane.PICTURE: 9, Lane.TRACK: 4, Lane.HISTORY: 2, Lane.BULK: 1}
)
VALID_S: Final = MappingProxyType({Lane.FLASH: 24 * HOUR, Lane.COMMAND: 12 * HOUR, Lane.PICTURE: 0.5 * HOUR})
KEPT_S: Final = MappingProxyType({Lane.FLASH: 6 * HOUR, Lane.COMMAND: 6 * HOUR})
HOLD_S: Final = MappingProxyType(
    {Lane.FLASH: 0.0, Lane.COMMAND: 0.0, Lane.PICTURE: 0.0, Lane.TRACK: 2.0, Lane.HISTORY: 5.0, Lane.BULK: 10.0}
)


@dataclass(frozen=True, slots=True)
class Policy:
    """central: nodes whose end lists count as delivered; relay: holds for others and reads nothing; members: nodes known.

    most_cost: the dearest bearer (Limits.cost) that a lane may use; valid_s: age in seconds up to which flash and command
    are repeated into silence; kept_s: up to which a relay keeps them though a central has them, since others may not;
    hold_s: how long rows wait for company before they are sealed, while a link is up.
    quota_origin, quota_stranger: bytes held for one origin, and for all origins not on the roster; quota_neighbour: bytes
    taken from one neighbour in an hour; quota_disk: bytes held altogether; partial_bytes: unfinished blocks in memory.
    """

    central: frozenset[int] = frozenset()
    relay: bool = False
    members: Set[int] = frozenset()
    most_cost: Mapping[Lane, int] = field(default_factory=lambda: MOST_COST)
    valid_s: Mapping[Lane, float] = field(default_factory=lambda: VALID_S)
    kept_s: Mapping[Lane, float] = field(default_factory=lambda: KEPT_S)
    hold_s: Mapping[Lane, float] = field(default_factory=lambda: HOLD_S)
    quota_origin: int = 64 << 20
    quota_stranger: int = 256 << 10
    quota_neighbour: int = 1 << 30
    quota_disk: int = 1 << 30
    partial_bytes: int = 1 << 20

    def may(self, lane: Lane, lanes: frozenset[int], cost: int) -> bool:
        """Whether a lane may use a bearer that carries `lanes` at this cost."""
        return lane in lanes and cost <= self.most_cost[lane]

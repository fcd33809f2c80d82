"""How links come and go: what a node can expect of one that is down now."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

MOST: Final = 64  # bearers remembered
SLOTS: Final = 12  # parts of an hour


@dataclass(slots=True)
class Hour:
    """Bytes sent in the running hour."""

    _parts: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=SLOTS + 1))

    def add(self, size: int, now: float) -> None:
        """So many more."""
        part = int(now * SLOTS / 3600)
        if self._parts and self._parts[-1][0] == part:
            self._parts[-1] = part, self._parts[-1][1] + size
        else:
            self._parts.append((part, size))

    def spent(self, now: float) -> int:
        """How many in the last hour."""
        since = int(now * SLOTS / 3600) - SLOTS
        return sum(size for part, size in self._parts if part > since)


@dataclass(slots=True)
class _Past:
    down_at: float | None = None
    gap_s: float | None = None
    nodes: set[int] = field(default_factory=set)


class Contacts:
    """For each bearer: how long it used to stay away, and whom it reached."""

    def __init__(self) -> None:
        self._past: dict[str, _Past] = {}

    def up(self, bearer: str, now: float) -> None:
        """A bearer came up."""
        past = self._past.get(bearer)
        if past is not None and past.down_at is not None:
            gap = now - past.down_at
            past.gap_s = gap if past.gap_s is None else past.gap_s + (gap - past.gap_s) / 3
            past.down_at = None

    def down(self, bearer: str, nodes: set[int], now: float) -> None:
        """It went down; `nodes` were in reach of it."""
        if bearer in self._past or len(self._past) < MOST:
            past = self._past.setdefault(bearer, _Past())
            past.down_at, past.nodes = now, nodes

    def waits(self, node: int) -> Iterator[tuple[str, float]]:
        """Bearers that are down and used to reach a node, with the seconds that they usually stay away."""
        for bearer, past in self._past.items():
            if past.down_at is not None and past.gap_s is not None and node in past.nodes:
                yield bearer, past.gap_s

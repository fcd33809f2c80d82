"""Which full incarnation four low bits mean: those heard of, and a bounded search when none of them fits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

KNOWN: Final = 64  # incarnations remembered of one origin
SEARCHABLE: Final = 1024  # bytes of the longest block worth 4096 tries (some 10 ms)


class Incarnations:
    """Per origin: the incarnations heard of, best first. Searches back off by doubling, so a flood of junk buys few."""

    def __init__(self) -> None:
        self._known: dict[int, list[int]] = {}
        self._failed: Counter[int] = Counter()
        self._waited: Counter[int] = Counter()

    def learn(self, origin: int, incarnation: int) -> None:
        """Remember one; a full memory forgets the least useful."""
        known = self._known.setdefault(origin, [])
        if incarnation not in known:
            known.insert(KNOWN - 1, incarnation)
            del known[KNOWN:]

    def confirm(self, origin: int, incarnation: int) -> None:
        """A block opened under it: try it first from now on."""
        known = self._known.setdefault(origin, [])
        if not known or known[0] != incarnation:
            known[:] = [incarnation, *(other for other in known if other != incarnation)][:KNOWN]
        self._failed.pop(origin, None)

    def known(self, origin: int, low: int) -> list[int]:
        """Those heard of with these low bits, best first."""
        return [incarnation for incarnation in self._known.get(origin, ()) if incarnation & 15 == low]

    def search(self, origin: int, low: int, size: int) -> Iterable[int]:
        """All that low bits leave open, or nothing while this origin's last searches failed."""
        self._waited[origin] += 1
        if size > SEARCHABLE or self._waited[origin] < 1 << min(self._failed[origin], 12):
            return ()
        self._waited[origin] = 0
        self._failed[origin] += 1
        return range(low, 1 << 16, 16)

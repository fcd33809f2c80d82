"""Sets of block numbers as sorted, disjoint, closed ranges."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator


class Ranges:
    """A set of non-negative integers kept as ranges; cheap where the numbers are nearly contiguous."""

    __slots__ = ("_spans",)

    def __init__(self, spans: Iterable[tuple[int, int]] = ()) -> None:
        self._spans: list[tuple[int, int]] = []
        for first, last in spans:
            self.add(first, last)

    def add(self, first: int, last: int | None = None) -> None:
        """Put in first..last, both included; ValueError on an inverted or negative range."""
        last = first if last is None else last
        if not 0 <= first <= last:
            raise ValueError(f"inverted range {first}..{last}")
        spans = self._spans
        low = bisect_right(spans, (first, first)) if spans else 0
        if low and spans[low - 1][1] >= first - 1:
            low -= 1
        high = low
        while high < len(spans) and spans[high][0] <= last + 1:
            first, last = min(first, spans[high][0]), max(last, spans[high][1])
            high += 1
        spans[low:high] = [(first, last)]

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self._spans, (number, 1 << 62))
        return at > 0 and self._spans[at - 1][1] >= number

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(self._spans)

    def __len__(self) -> int:
        """How many numbers, not how many ranges."""
        return sum(last - first + 1 for first, last in self._spans)

    def __bool__(self) -> bool:
        return bool(self._spans)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ranges) and self._spans == other._spans

    def __hash__(self) -> int:
        raise TypeError("Ranges are mutable")

    def __repr__(self) -> str:
        return f"Ranges({self._spans})"

    @property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """The ranges; unlike `tuple(ranges)` no memory is set aside for every number."""
        return tuple(self._spans)

    @property
    def spans(self) -> int:
        """How many ranges."""
        return len(self._spans)

    @property
    def first(self) -> int:
        """The smallest number, -1 when empty."""
        return self._spans[0][0] if self._spans else -1

    @property
    def top(self) -> int:
        """The largest number, -1 when empty."""
        return self._spans[-1][1] if self._spans else -1

    def copy(self) -> Ranges:
        """An independent copy."""
        out = Ranges()
        out._spans = list(self._spans)
        return out

    def update(self, other: Ranges) -> None:
        """Union in place."""
        for first, last in other:
            self.add(first, last)

    def discard(self, number: int) -> None:
        """Take one number out; harmless when it is not here."""
        at = bisect_right(self._spans, (number, 1 << 62)) - 1
        if at < 0 or self._spans[at][1] < number:
            return
        first, last = self._spans[at]
        parts = ((first, number - 1), (number + 1, last))
        self._spans[at : at + 1] = [part for part in parts if part[0] <= part[1]]

    def minus(self, other: Ranges) -> Ranges:
        """The numbers here that are not in `other`."""
        out, cuts, at = Ranges(), other._spans, 0
        for first, last in self._spans:
            while at < len(cuts) and cuts[at][1] < first:
                at += 1
            ahead = at
            while ahead < len(cuts) and cuts[ahead][0] <= last:
                low, high = cuts[ahead]
                if low > first:
                    out._spans.append((first, low - 1))
                first = max(first, high + 1)
                ahead += 1
            if first <= last:
                out._spans.append((first, last))
        return out

    def numbers(self, newest_first: bool = False) -> Iterator[int]:
        """Every number, ascending or descending."""
        if newest_first:
            for first, last in reversed(self._spans):
                yield from range(last, first - 1, -1)
        else:
            for first, last in self._spans:
                yield from range(first, last + 1)

"""Blocks that come in pieces: byte ranges of any size from any bearer, joined in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, field
from typing import Final

from hardware.errors import DecodeError
from sync import repair
from sync.exchange.frame import Piece, Symbol
from sync.ids import BlockId
from sync.ranges import Ranges

EXTRA: Final = 256  # bytes reckoned for each unfinished block beside its own
MOST: Final = 512  # unfinished blocks
ASKS: Final = 6  # times that a sender is told the same
NEVER: Final = float("inf")


@dataclass(slots=True)
class _Unfinished:
    data: bytearray
    got: Ranges
    age_s: float
    at: float
    line: str
    told: float = 0.0
    again: float = float("inf")  # when it is told again, unanswered
    asks: int = 0
    size: int = 0  # of its symbols
    repairs: dict[int, bytes] = field(default_factory=dict)

    @property
    def reckoned(self) -> int:
        """Its bytes in memory."""
        return len(self.data) + EXTRA + self.size * len(self.repairs)

    def take(self, symbol: Symbol) -> None:
        """One more symbol: bytes of the block, or a repair symbol where it is still of use."""
        if symbol.place < repair.count(symbol.total, symbol.size):
            at = symbol.place * symbol.size
            end = min(at + symbol.size, symbol.total)
            self.data[at:end] = symbol.data[: end - at]
            self.got.add(at, end - 1)
            return
        if not self.repairs:
            self.size = symbol.size
        if symbol.size == self.size and repair.lacking(symbol.total, self.size, self.got, len(self.repairs)):
            self.repairs[symbol.place] = symbol.data

    def whole(self) -> bytes | None:
        """The block, once it can be had."""
        if len(self.got) == len(self.data):
            return bytes(self.data)
        return repair.solve(len(self.data), self.size, self.data, self.got, self.repairs) if self.repairs else None


class Assembly:
    """Unfinished blocks, `most` bytes of them in all; the oldest of the least urgent lane gives way."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._blocks: dict[BlockId, _Unfinished] = {}
        self.bytes = 0
        self.evicted = 0

    def __len__(self) -> int:
        return len(self._blocks)

    def __contains__(self, block_id: BlockId) -> bool:
        return block_id in self._blocks

    def add(self, piece: Piece | Symbol, line: str, now: float) -> tuple[bytes, float] | None:
        """The whole block and its age once nothing is missing; DecodeError when pieces contradict each other."""
        found = self._blocks.get(piece.id)
        if found is None:
            found = self._begin(piece, line, now)
        if len(found.data) != piece.total:
            raise DecodeError("pieces of one block disagree about its length")
        before = found.reckoned
        if isinstance(piece, Symbol):
            found.take(piece)
        else:
            found.data[piece.at : piece.at + len(piece.data)] = piece.data
            found.got.add(piece.at, piece.at + len(piece.data) - 1)
        self.bytes += found.reckoned - before
        found.at, found.line, found.asks, found.again = now, line, 0, NEVER
        block = found.whole()
        if block is None:
            return None
        self.drop(piece.id)
        return block, max(piece.age_s, found.age_s)

    def drop(self, block_id: BlockId) -> None:
        """It is complete, or no longer wanted."""
        found = self._blocks.pop(block_id, None)
        if found is not None:
            self.bytes -= found.reckoned

    def stalled(self, line: str, before: float, now: float) -> Iterator[tuple[BlockId, Ranges, int]]:
        """Unfinished blocks of a line that got nothing since `before` and were not told of since, or in vain; with the number
        of repair symbols held."""
        for block_id, found in self._blocks.items():
            if found.line == line and (found.told < found.at <= before or found.again <= now):
                yield block_id, found.got, len(found.repairs)

    def told(self, block_id: BlockId, now: float, wait: Callable[[int], float] | None = None) -> float:
        """The sender was told what is here; when to tell it again: after `wait` seconds for so many times, None for never."""
        found = self._blocks.get(block_id)
        if found is None:
            return NEVER
        found.told, found.again = found.at, now + wait(found.asks) if wait and found.asks < ASKS else NEVER
        found.asks += 1
        return found.again

    def total(self, block_id: BlockId) -> int:
        """Bytes of an unfinished block, 0 for any other."""
        return len(self._blocks[block_id].data) if block_id in self._blocks else 0

    def lacks(self, block_id: BlockId) -> int:
        """Bytes of an unfinished block that are not here, its repair symbols counted as here; 0 for any other."""
        found = self._blocks.get(block_id)
        return 0 if found is None else len(found.data) - len(found.got) - found.size * len(found.repairs)

    def tell_on(self, line: str, others: Container[str], now: float) -> bool:
        """A line came up: what is unfinished there, or on none of the `others`, is to be told on it; False when nothing is."""
        mine = [found for found in self._blocks.values() if found.line == line or found.line not in others]
        for found in mine:
            found.line, found.again, found.asks = line, now, 0
        return bool(mine)

    def _begin(self, piece: Piece | Symbol, line: str, now: float) -> _Unfinished:
        size = piece.total + EXTRA
        while self._blocks and (self.bytes + size > self._most or len(self._blocks) >= MOST):
            worst = max(self._blocks, key=lambda each: (each.lane, -self._blocks[each].at))
            if worst.lane < piece.id.lane:
                break
            self.drop(worst)
            self.evicted += 1
        if self.bytes + size > self._most or len(self._blocks) >= MOST:
            raise DecodeError("no room for one more unfinished block")
        found = self._blocks[piece.id] = _Unfinished(bytearray(piece.total), Ranges(), piece.age_s, now, line)
        self.bytes += size
        return found

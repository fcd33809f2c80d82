"""Blocks that come in pieces: byte ranges of any size from any bearer, joined in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from hardware.errors import DecodeError
from sync.exchange.frame import Piece
from sync.ids import BlockId
from sync.ranges import Ranges

EXTRA: Final = 256  # bytes reckoned for each unfinished block beside its own
MOST: Final = 512  # unfinished blocks


@dataclass(slots=True)
class _Unfinished:
    data: bytearray
    got: Ranges
    age_s: float
    at: float
    line: str
    told: float = 0.0


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

    def add(self, piece: Piece, line: str, now: float) -> tuple[bytes, float] | None:
        """The whole block and its age once nothing is missing; DecodeError when pieces contradict each other."""
        found = self._blocks.get(piece.id)
        if found is None:
            found = self._begin(piece, line, now)
        if len(found.data) != piece.total:
            raise DecodeError("pieces of one block disagree about its length")
        found.data[piece.at : piece.at + len(piece.data)] = piece.data
        found.got.add(piece.at, piece.at + len(piece.data) - 1)
        found.at, found.line = now, line
        if len(found.got) < piece.total:
            return None
        self.drop(piece.id)
        return bytes(found.data), max(piece.age_s, found.age_s)

    def drop(self, block_id: BlockId) -> None:
        """It is complete, or no longer wanted."""
        found = self._blocks.pop(block_id, None)
        if found is not None:
            self.bytes -= len(found.data) + EXTRA

    def stalled(self, line: str, before: float) -> Iterator[tuple[BlockId, Ranges]]:
        """Unfinished blocks of a line that got nothing since `before` and were not told of since; they count as told."""
        for block_id, found in self._blocks.items():
            if found.line == line and found.told < found.at <= before:
                yield block_id, found.got

    def told(self, block_id: BlockId) -> None:
        """The sender was told what is here."""
        found = self._blocks.get(block_id)
        if found is not None:
            found.told = found.at

    def got(self) -> Iterator[tuple[BlockId, Ranges]]:
        """Every unfinished block."""
        return ((block_id, found.got) for block_id, found in self._blocks.items())

    def _begin(self, piece: Piece, line: str, now: float) -> _Unfinished:
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

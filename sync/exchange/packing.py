"""A frame while it is being filled, and when it is ready to go."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from sync.exchange.ledger import Target
from sync.exchange.lines import Line
from sync.ids import KeyClass, class_of

LEAST_ROOM: Final = 24
LEAST_PIECE: Final = 16  # bytes of a block worth a piece
LEAST_MTU: Final = 45  # the head of any piece, LEAST_PIECE bytes and the MAC


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A frame to be sent; `to`: the bearer's address of its receiver, "" for everybody."""

    frame: bytes
    to: str = ""


@dataclass(slots=True)
class Packing:
    """A frame being filled for an audience: everybody (key 0) or one node.

    trust: it holds nothing but a trust block, or part of one, and goes under the lasting trust key, so that it reaches nodes
    that missed a re-keying.
    """

    line: Line
    key: int
    to: str
    targets: list[Target]
    room: int
    data: bytearray = field(default_factory=bytearray)
    bare: bytes = b""
    trust: bool = False
    shows: bool = False  # a picture is in it
    urgent: bool = False  # flash is in it

    @property
    def left(self) -> int:
        """Bytes of room left."""
        return 0 if self.trust or self.bare else self.room - len(self.data)

    def takes(self, block: bytes) -> bool:
        """Whether the block may go into this frame: a trust block only where nothing is yet."""
        return not self.data or not _is_trust(block)

    def put(self, part: bytes, block: bytes) -> None:
        """Add a block, or a part of one."""
        self.data += part
        self.trust = _is_trust(block)


def _is_trust(block: bytes) -> bool:
    return class_of(block) is KeyClass.TRUST

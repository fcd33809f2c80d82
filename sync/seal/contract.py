"""What the rest of replication may ask of cryptography; suites and keys stay behind it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple, Protocol

from hardware.errors import SealError
from sync.ids import BlockId, Header, KeyClass, Lane, Level

TAG: int = 8  # bytes of a block's tag
MAC: int = 4  # bytes of a frame's hop MAC
SIGNATURE: int = 64


class NotForUs(SealError):
    """A pairwise block whose key is not ours: another addressee's, or forged; kept and passed on as a relay does."""


class Role(IntEnum):
    """What a certificate lets its node do. Relays read nothing; medics and command read everyone's vital signs."""

    MEMBER = 0
    RELAY = 1
    MEDIC = 2
    COMMAND = 3


class Peer(NamedTuple):
    """A certified node as the keys need it: its 64-byte device public key and its role."""

    public: bytes
    role: Role


@dataclass(frozen=True, slots=True)
class Opened:
    """A block that opened: its id, plaintext body, and how far its author is proven by the seal alone."""

    id: BlockId
    body: bytes
    level: Level


class Sealer(Protocol):
    """One node's keys for one incident. Every method raises SealError, and nothing else, on what must not be trusted."""

    origin: int
    incarnation: int
    incident: bytes  # 16 bytes

    def seal(
        self, block_id: BlockId, key_class: KeyClass, body: bytes, to: int | None = None, signed: bool = True
    ) -> bytes:
        """Header, ciphertext and tag. The nonce comes from the id: never call twice with one id and different bodies.

        Flash and command blocks carry their origin's signature inside, unless pairwise (whose key proves the origin) or
        `signed` is false; then sync.trust.proofs makes the signature a small block of its own. Trust blocks always do.
        """

    def overhead(self, lane: Lane, key_class: KeyClass, signed: bool = True) -> int:
        """Bytes that `seal` adds to a body: 14, and 66 more where the signature goes inside."""

    def open(self, block: bytes, incarnation: int | None) -> Opened:
        """Open a block; with `incarnation` None every one of its origin whose low bits agree is tried, known ones first.

        The body comes without the signature, which has raised the level to ORIGIN or COMMAND.
        """

    def readable(self, header: Header) -> bool:
        """Whether this node holds the key class and epoch to open such a block (a relay holds none).

        False as well for an origin that is not on the roster yet: such blocks are kept and opened once it is.
        """

    def learn(self, origin: int, incarnation: int) -> None:
        """Remember an incarnation heard of; harmless when false, since opening still decides."""

    def mac(self, frame: bytes, trust: bool = False) -> bytes:
        """Hop MAC of 4 bytes under the transit key; `trust`: under the lasting key that also nodes hold which missed a
        re-keying, for frames of nothing but fragments of trust blocks (KeyClass.TRUST)."""

    def check(self, frame: bytes) -> bytes:
        """The frame without its trailing hop MAC; SealError when no transit key of a live epoch fits."""

    def check_late(self, frame: bytes) -> bytes:
        """As `check`, for the lasting trust key and epochs that a revocation ended: use nothing of such a frame but what
        proves itself: fragments of blocks, signed end lists."""

    def prove(self, challenge: bytes) -> bytes:
        """16-byte answer to a challenge, by which two ends of a connection know each other as the incident's."""

    def sign(self, message: bytes) -> bytes:
        """64-byte signature by this node's device key."""

    def verify(self, origin: int, message: bytes, signature: bytes) -> Level:
        """ORIGIN or COMMAND by the signer's certified role; SealError when it does not hold."""

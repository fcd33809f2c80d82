"""Origin proofs apart from the block they prove: a signature as its own small block, and signed lists of block hashes.

    SIGNATURE body = 04 | signature (64 bytes), of the block just before it in its own lane
                   | 04 | 1 + lane | number varint | signature (64 bytes), of any other
    HASHES body    = 05 | lane | first number varint | signature (64 bytes) | 10-byte hash of each consecutive block

Both speak of blocks of their own origin and incarnation. A hash is the first 10 bytes of the suite's digest of the block as
sealed, so one lost block spoils nothing and a list proves blocks of any key class.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hardware.errors import DecodeError
from sync.codec.octets import Reader
from sync.ids import BlockId, Content, Lane, Level, Source, varint
from sync.seal.contract import SIGNATURE, Opened
from sync.seal.keyring import Keyring

HASH: Final = 10
LISTED: Final = 16  # blocks after which a list is due; a list of them is some 240 bytes, 15 a block
DUE_S: Final = 600.0  # or the age of the oldest unproven block


@dataclass(frozen=True, slots=True)
class Proof:
    """What one block must hash to, and the level that its rows then have."""

    id: BlockId
    hash: bytes
    level: Level


def block_hash(keyring: Keyring, block: bytes) -> bytes:
    """The hash by which lists name a sealed block."""
    return keyring.suite.digest(block)[:HASH]


def holds(proof: Proof, keyring: Keyring, block: bytes) -> bool:
    """Whether `block` is the one proven; when not, two blocks with one id exist and people must be told."""
    return block_hash(keyring, block) == proof.hash


def signature_body(keyring: Keyring, block_id: BlockId, block: bytes, at: BlockId | None = None) -> bytes:
    """The body of the block (which will be `at`) that carries another's signature; that one went out with `signed=False`."""
    signature = keyring.sign(_one(keyring, block_id, block))
    if at == block_id.next:
        return bytes((Content.SIGNATURE,)) + signature
    return bytes((Content.SIGNATURE, 1 + block_id.lane)) + varint(block_id.number) + signature


def hashes_body(keyring: Keyring, source: Source, first: int, blocks: Sequence[bytes]) -> bytes:
    """The body of the block that proves own consecutive blocks from number `first` on."""
    hashes = b"".join(block_hash(keyring, block) for block in blocks)
    signature = keyring.sign(_many(keyring, source, first, hashes))
    return bytes((Content.HASHES, source.lane)) + varint(first) + signature + hashes


def read_hashes(opened: Opened, keyring: Keyring) -> list[Proof]:
    """The proofs of a HASHES block, short of what revocation no longer believes; DecodeError when malformed, SealError when its signature does not hold."""
    reader = Reader(opened.body)
    source, first = _target(reader, opened, Content.HASHES, 0)
    signature, hashes = reader.take(SIGNATURE), reader.rest()
    count = len(hashes) // HASH
    if not count or len(hashes) % HASH:
        raise DecodeError("hash list cut short")
    ids = [BlockId(*source, first + at) for at in range(count)]
    level = keyring.verify_block(ids[0], _many(keyring, source, first, hashes), signature)
    proofs = (Proof(block_id, hashes[at * HASH :][:HASH], level) for at, block_id in enumerate(ids))
    return [proof for proof in proofs if keyring.trusted(proof.id)]


def signed_id(opened: Opened) -> BlockId:
    """Which block a SIGNATURE block speaks of; DecodeError when malformed."""
    return _signed(opened)[0]


def read_signature(opened: Opened, keyring: Keyring, block: bytes) -> Level:
    """The level that a SIGNATURE block gives to `block`, which `signed_id` named; SealError when it does not hold."""
    block_id, signature = _signed(opened)
    return keyring.verify_block(block_id, _one(keyring, block_id, block), signature)


def _signed(opened: Opened) -> tuple[BlockId, bytes]:
    """Which block a SIGNATURE block speaks of, and the signature."""
    reader = Reader(opened.body)
    if len(opened.body) == 1 + SIGNATURE and reader.byte() == Content.SIGNATURE and opened.id.number:
        return opened.id._replace(number=opened.id.number - 1), reader.rest()
    reader = Reader(opened.body)
    source, number = _target(reader, opened, Content.SIGNATURE, 1)
    signature = reader.take(SIGNATURE)
    reader.end()
    return BlockId(*source, number), signature


def _target(reader: Reader, opened: Opened, content: Content, offset: int) -> tuple[Source, int]:
    kind, lane = reader.take(2)
    if kind != content or not 0 <= lane - offset <= Lane.BULK:
        raise DecodeError(f"not a {content.name.lower()} block")
    return Source(opened.id.origin, opened.id.incarnation, Lane(lane - offset)), reader.uint(1 << 42)


def _one(keyring: Keyring, block_id: BlockId, block: bytes) -> bytes:
    return b"sanduan sealed" + _place(keyring, block_id.source, block_id.number) + keyring.suite.digest(block)


def _many(keyring: Keyring, source: Source, first: int, hashes: bytes) -> bytes:
    return b"sanduan hashes" + _place(keyring, source, first) + hashes


def _place(keyring: Keyring, source: Source, number: int) -> bytes:
    origin, incarnation, lane = source
    return (
        keyring.incident + origin.to_bytes(2, "big") + incarnation.to_bytes(2, "big") + bytes((lane,)) + varint(number)
    )

"""The manifest of a bundle: what, for whom, how much, who carries. docs/wire/bundle.md has the bytes.

Sealed for the incident (relays read it too, strangers do not) and signed by whoever wrote the bundle, over everything in it.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from hardware.errors import DecodeError, SealError
from sync.codec.octets import Reader, text
from sync.ids import Lane, varint
from sync.seal.contract import SIGNATURE
from sync.seal.keyring import Keyring
from sync.seal.suite import Aead

MARK: Final = b"\x00SDM1"
SALT: Final = 16
DIGEST: Final = 16
MOST_NODES: Final = 256
_TOTALS: Final = struct.Struct(f">QIQ{DIGEST}s")  # bytes, frames, wall ms or 0, digest: of fixed length, filled in last


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a bundle holds. nodes: for whom; blocks: count by lane; size: bytes of all frames; digest: over their hop MACs in order.

    made_ms: wall time UTC as the writer knew it, None when it knew none.
    """

    origin: int
    incarnation: int
    serial: int
    nodes: tuple[int, ...]
    carrier: str
    blocks: Mapping[Lane, int]
    size: int = 0
    frames: int = 0
    made_ms: int | None = None
    digest: bytes = bytes(DIGEST)

    @property
    def name(self) -> str:
        """The bundle's file name without its suffix: unique in the incident."""
        return f"{self.origin}-{self.incarnation:04x}-{self.serial}"

    def encode(self) -> bytes:
        """The body; its length does not depend on the totals."""
        out = _TOTALS.pack(self.size, self.frames, self.made_ms or 0, self.digest)
        for number in (self.origin, self.incarnation, self.serial, len(self.nodes), *self.nodes):
            out += varint(number)
        return out + b"".join(varint(self.blocks.get(lane, 0)) for lane in Lane) + text(self.carrier)

    @classmethod
    def decode(cls, data: bytes) -> Manifest:
        """The manifest; DecodeError when malformed."""
        if len(data) < _TOTALS.size:
            raise DecodeError("manifest cut short")
        size, frames, made_ms, digest = _TOTALS.unpack_from(data)
        reader = Reader(data, _TOTALS.size)
        origin, incarnation, serial = reader.uint(1 << 14), reader.uint(1 << 16), reader.uint(1 << 42)
        nodes = tuple(reader.uint(1 << 14) for _ in range(reader.uint(MOST_NODES + 1)))
        blocks = {lane: reader.uint(1 << 42) for lane in Lane}
        carrier = reader.text()
        reader.end()
        held = {lane: count for lane, count in blocks.items() if count}
        return cls(origin, incarnation, serial, nodes, carrier, held, size, frames, made_ms or None, digest)


def seal_manifest(manifest: Manifest, keyring: Keyring) -> bytes:
    """The bundle's first record. Its key comes from its own signature, so that two manifests never share one."""
    body = manifest.encode()
    signed = body + keyring.sign(_statement(body, keyring))
    salt = keyring.suite.digest(signed)[:SALT]
    return MARK + salt + _aead(keyring, salt).seal(salt[:12], signed, MARK)


def open_manifest(record: bytes, keyring: Keyring) -> Manifest:
    """The manifest of a first record; SealError when it is not the incident's or not its writer's, DecodeError when malformed."""
    at = len(MARK) + SALT
    if record[: len(MARK)] != MARK or len(record) < at:
        raise DecodeError("no manifest")
    salt = record[len(MARK) : at]
    signed = _aead(keyring, salt).open(salt[:12], record[at:], MARK)
    body, signature = signed[:-SIGNATURE], signed[-SIGNATURE:]
    manifest = Manifest.decode(body)
    keyring.verify(manifest.origin, _statement(body, keyring), signature)
    return manifest


def _aead(keyring: Keyring, salt: bytes) -> Aead:
    """Under the lasting trust key, which every node of the incident holds."""
    try:
        return keyring.suite.aead(keyring.prove(b"manifest" + salt))
    except ValueError as error:
        raise SealError(str(error)) from None


def _statement(body: bytes, keyring: Keyring) -> bytes:
    return b"sanduan manifest" + keyring.incident + body

"""Re-keying: the next epoch's keys, enclosed for each remaining node, readable by nobody else and signed by the pair's key.

42 bytes a node (index 2, keys 32, tag 8): 20 nodes make 850 bytes, five LoRa frames.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from hardware.errors import DecodeError, SealError
from sync.codec.octets import Reader
from sync.ids import KeyClass, varint
from sync.seal.contract import TAG, Role
from sync.seal.epochs import EpochKeys, origin_key, transit_of
from sync.seal.keyring import Keyring
from sync.seal.suite import KEY
from sync.trust.certificate import INDEXES, Certificate

SALT: Final = 8
EPOCHS: Final = 1 << 32
LEAP: Final = 256  # epochs that a re-keying may run ahead of what is held, so that nobody can use the numbers up
SEALED: Final = 2 * KEY + TAG


@dataclass(frozen=True, slots=True, repr=False)
class Master:
    """Both random keys of an epoch, 16 bytes each, as only command and medics hold them."""

    epoch: int
    field: bytes
    vital: bytes


def share(master: Master, node: Certificate, keyring: Keyring) -> bytes:
    """The 32 bytes that a node may have by its role: a relay transit only, a member its own vital key, others all."""
    suite, incident = keyring.suite, keyring.incident
    if node.role is Role.RELAY:
        return transit_of(suite, incident, master.field) + bytes(KEY)
    if node.role is Role.MEMBER:
        return master.field + origin_key(suite, incident, master.vital, KeyClass.VITAL, node.index, node.public)
    return master.field + master.vital


def keys_of(shared: bytes, role: Role, keyring: Keyring) -> EpochKeys:
    """What a node of that role makes of its 32 bytes."""
    first, second = shared[:KEY], shared[KEY:]
    if role is Role.RELAY:
        return EpochKeys(first)
    transit = transit_of(keyring.suite, keyring.incident, first)
    if role is Role.MEMBER:
        return EpochKeys(transit, first, None, second)
    return EpochKeys(transit, first, second)


@dataclass(frozen=True, slots=True)
class Rekey:
    """Every node's enclosed keys. salt: random, never used again by this sender."""

    epoch: int
    salt: bytes
    entries: tuple[tuple[int, bytes], ...]

    def encode(self) -> bytes:
        """Epoch, salt, then index and enclosed keys of each node."""
        body = b"".join(index.to_bytes(2, "big") + enclosed for index, enclosed in self.entries)
        return varint(self.epoch) + self.salt + body

    @classmethod
    def decode(cls, data: bytes) -> Rekey:
        """DecodeError when malformed."""
        reader = Reader(data)
        epoch, salt, entries = reader.uint(EPOCHS), reader.take(SALT), []
        while reader.at < len(data):
            entries.append((int.from_bytes(reader.take(2), "big"), reader.take(SEALED)))
        if any(not 0 < index < INDEXES for index, _ in entries):
            raise DecodeError("re-keying of an impossible index")
        return cls(epoch, salt, tuple(entries))

    def take(self, sender: int, role: Role, keyring: Keyring) -> EpochKeys | None:
        """This node's keys, None when it is not among the entries; SealError when they are false or no command node's."""
        peer = keyring.directory.get(sender)
        if peer is None or peer.role is not Role.COMMAND:
            raise SealError(f"re-keying by node {sender}, which is not a command node")
        if self.epoch > keyring.epoch + LEAP:
            raise SealError(f"re-keying by node {sender} to epoch {self.epoch}, far ahead")
        for index, enclosed in self.entries:
            if index == keyring.origin:
                return keys_of(keyring.disclose(sender, varint(self.epoch) + self.salt, enclosed), role, keyring)
        return None


def rekey(master: Master, nodes: Iterable[Certificate], keyring: Keyring, salt: bytes) -> Rekey:
    """The item that gives every one of `nodes` but this one the keys it may have."""
    entries = (
        (node.index, keyring.enclose(node.index, varint(master.epoch) + salt, share(master, node, keyring)))
        for node in nodes
        if node.index != keyring.origin
    )
    return Rekey(master.epoch, salt, tuple(entries))

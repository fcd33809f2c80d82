"""Re-keying: the next epoch's keys, enclosed for each remaining node, readable by nobody else and signed by the pair's key.

42 bytes a node (index 2, keys 32, tag 8), so 20 nodes take five LoRa frames.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from hardware.errors import DecodeError, SealError
from sync.ids import KeyClass, varint
from sync.seal.contract import TAG, Role
from sync.seal.epochs import EpochKeys, origin_key, transit_of
from sync.seal.keyring import Keyring
from sync.seal.suite import KEY
from sync.trust.certificate import INDEXES, Certificate
from sync.trust.wire import Reader

SALT: Final = 8
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
    """One item of a re-keying: some nodes' enclosed keys. salt: random, never used again by this sender."""

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
        epoch, salt = reader.number(1 << 32), reader.take(SALT)
        if reader.left % (2 + SEALED):
            raise DecodeError("re-keying cut short")
        entries = [
            (int.from_bytes(reader.take(2), "big"), reader.take(SEALED)) for _ in range(reader.left // (2 + SEALED))
        ]
        if any(not 0 < index < INDEXES for index, _ in entries):
            raise DecodeError("re-keying of an impossible index")
        return cls(epoch, salt, tuple(entries))

    def take(self, sender: int, role: Role, keyring: Keyring) -> EpochKeys | None:
        """This node's keys, None when it is not among the entries; SealError when they are false or no command node's."""
        peer = keyring.directory.get(sender)
        if peer is None or peer.role is not Role.COMMAND:
            raise SealError(f"re-keying by node {sender}, which is not a command node")
        for index, enclosed in self.entries:
            if index == keyring.origin:
                return keys_of(keyring.disclose(sender, self.salt, enclosed), role, keyring)
        return None


def rekey(
    master: Master, nodes: Iterable[Certificate], keyring: Keyring, salts: Iterator[bytes], size: int = 210
) -> list[Rekey]:
    """Items of at most `size` bytes of entries that give every one of `nodes` the keys it may have."""
    others = [node for node in nodes if node.index != keyring.origin]
    per_item = max(1, size // (2 + SEALED))
    items = []
    for at in range(0, len(others), per_item):
        salt = next(salts)
        entries = [
            (node.index, keyring.enclose(node.index, salt, share(master, node, keyring)))
            for node in others[at : at + per_item]
        ]
        items.append(Rekey(master.epoch, salt, tuple(entries)))
    return items

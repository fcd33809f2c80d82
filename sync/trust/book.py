"""What a node knows of whom to trust: roster, revocations and key epochs, fed by items that travel in trust blocks.

    body = (length varint | item)…      item = kind | its bytes
    kind = 1 certificate, 2 revocation list, 3 re-keying, 4 incarnation

Every item proves itself, so it may come by any block, file or QR code. A re-keying proves its sender by the pair's key, hence
needs to be told who sent it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from hardware.errors import DecodeError, SealError
from sync.codec.octets import Reader
from sync.ids import varint
from sync.seal.contract import SIGNATURE, Role
from sync.seal.epochs import EpochKeys
from sync.seal.keyring import Keyring
from sync.trust.certificate import INDEXES, Certificate
from sync.trust.rekey import Rekey
from sync.trust.revocation import RevocationList, Revocations
from sync.trust.roster import Added, Roster

log = logging.getLogger(__name__)

MOST_ITEM: Final = 1 << 17  # bytes of one item: a re-keying of 3,000 nodes


class Item(IntEnum):
    """First byte of a trust item."""

    CERTIFICATE = 1
    REVOCATION = 2
    REKEY = 3
    INCARNATION = 4


@dataclass(slots=True)
class Learned:
    """What items changed. admitted: indexes whose kept, sealed blocks can be opened now; revoked: whether more or other nodes
    are revoked than before; keys: key epochs to save; conflicts: indexes that two keys claim; certificates, lists: how many
    were new; refused: why others were not believed."""

    admitted: list[int] = field(default_factory=list)
    revoked: bool = False
    keys: list[tuple[int, EpochKeys]] = field(default_factory=list)
    conflicts: list[int] = field(default_factory=list)
    certificates: int = 0
    lists: int = 0
    refused: list[str] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        """Whether there is anything to save."""
        return bool(self.certificates or self.lists or self.keys)

    def take(self, other: Learned) -> None:
        """Add what others changed."""
        self.admitted += other.admitted
        self.revoked = self.revoked or other.revoked
        self.keys += other.keys
        self.conflicts += other.conflicts
        self.certificates += other.certificates
        self.lists += other.lists
        self.refused += other.refused


class Book:
    """Applies trust items to a roster, revocations and a keyring, in any order and any number of times."""

    def __init__(self, roster: Roster, revocations: Revocations, keyring: Keyring) -> None:
        self.roster, self.revocations, self.keyring = roster, revocations, keyring
        self._handlers: Final[dict[Item, Callable[[bytes, int, Learned], None]]] = {
            Item.CERTIFICATE: self._certificate,
            Item.REVOCATION: self._revocation,
            Item.REKEY: self._rekey,
            Item.INCARNATION: self._incarnation,
        }
        self._now: int | None = None
        self._admit()
        self._enforce()

    def apply(self, items: Iterable[bytes], sender: int) -> Learned:
        """Learn from items that node `sender` sent; what is malformed or not to be believed is only named in `refused`."""
        learned = Learned()
        for item in items:
            try:
                self._handlers[Item(item[0])](item[1:], sender, learned)
            except (IndexError, ValueError):
                learned.refused.append("trust item of a kind not known here")
            except (DecodeError, SealError) as error:
                learned.refused.append(str(error))
        return learned

    def refresh(self) -> None:
        """Roster or revocations were changed by somebody else."""
        self._enforce()

    def date(self, minutes: int) -> list[str]:
        """Learn the time, from a clock that can be trusted only: an ended certificate no longer lends its role. Names those ended."""
        self._now = minutes
        self._admit()
        return [held.name for held in self.roster if held.ended(minutes)]

    def remaining(self) -> list[Certificate]:
        """Whom a re-keying gives keys: everybody neither revoked nor ended."""
        return [
            held for held in self.roster
            if held.index not in self.keyring.revoked and (self._now is None or not held.ended(self._now))
        ]  # fmt: skip

    def _certificate(self, data: bytes, sender: int, learned: Learned) -> None:
        certificate = Certificate.decode(data)
        added = self.roster.add(certificate)
        if added in (Added.KNOWN, Added.WAITING):
            return
        learned.certificates += 1
        learned.admitted += self._admit()
        self._enforce(learned)
        if added is Added.CONFLICT:
            learned.conflicts.append(certificate.index)
            log.warning("two keys claim roster index %d", certificate.index)

    def _revocation(self, data: bytes, sender: int, learned: Learned) -> None:
        if self.revocations.add(RevocationList.decode(data), self.roster):
            learned.lists += 1
            self._enforce(learned)

    def _rekey(self, data: bytes, sender: int, learned: Learned) -> None:
        found = Rekey.decode(data)
        own = self.roster.get(self.keyring.origin)
        if own is None or sender in self.keyring.revoked:
            raise SealError(f"re-keying by node {sender} is not believed")
        keys = found.take(sender, own.role, self.keyring)
        if keys is None or self.keyring.holds(found.epoch, keys):
            return
        self.keyring.add_epoch(found.epoch, keys)
        learned.keys.append((found.epoch, keys))
        log.info("key epoch %d received", found.epoch)

    def _incarnation(self, data: bytes, sender: int, learned: Learned) -> None:
        origin, now, _ = read_incarnation(data, self.keyring)
        self.keyring.learn(origin, now)

    def _admit(self) -> list[int]:
        """Bring the keyring's directory up to the roster; the indexes whose keys are new or others'."""
        fresh = []
        for held in self.roster:
            peer = held.peer
            if self._now is not None and held.ended(self._now) and peer.role is not Role.RELAY:
                peer = peer._replace(role=Role.MEMBER)
            known = self.keyring.directory.get(held.index)
            if known != peer:
                self.keyring.admit(held.index, peer)
            if known is None or known.public != peer.public:
                fresh.append(held.index)
        return fresh

    def _enforce(self, learned: Learned | None = None) -> None:
        """Make the keyring obey all lists together."""
        merged, safe = self.revocations.effective(self.roster)
        revoked = {index: entry.last for index, entry in merged.items()}
        if learned is not None and (revoked != self.keyring.revoked or safe != self.keyring.safe_epochs):
            learned.revoked = True
            log.warning("nodes revoked: %s", ", ".join(str(index) for index in sorted(revoked)) or "none")
        self.keyring.enforce(revoked, *safe)
        self._admit()


def body_of(items: Iterable[bytes]) -> bytes:
    """Items as the body of a trust block, behind its content byte."""
    return b"".join(varint(len(item)) + item for item in items)


def items_of(body: bytes) -> list[bytes]:
    """The items of such a body; DecodeError when malformed."""
    reader, items = Reader(body), []
    while reader.at < len(body):
        items.append(reader.take(reader.uint(MOST_ITEM)))
    return items


def certificate_item(certificate: Certificate) -> bytes:
    """A certificate as an item."""
    return bytes((Item.CERTIFICATE,)) + certificate.encode()


def revocation_item(found: RevocationList) -> bytes:
    """A revocation list as an item."""
    return bytes((Item.REVOCATION,)) + found.encode()


def rekey_item(found: Rekey) -> bytes:
    """A re-keying as an item."""
    return bytes((Item.REKEY,)) + found.encode()


def incarnation_item(keyring: Keyring, predecessor: int) -> bytes:
    """This store's declaration that it is a new life and which one it follows."""
    body = varint(keyring.origin) + keyring.incarnation.to_bytes(2, "big") + predecessor.to_bytes(2, "big")
    return bytes((Item.INCARNATION,)) + body + keyring.sign(_declaration(keyring, body))


def read_incarnation(data: bytes, keyring: Keyring) -> tuple[int, int, int]:
    """Origin, its incarnation now and the one before; SealError when its origin did not sign it."""
    reader = Reader(data)
    origin = reader.uint(INDEXES)
    now, before = int.from_bytes(reader.take(2), "big"), int.from_bytes(reader.take(2), "big")
    body, signature = data[: reader.at], reader.take(SIGNATURE)
    reader.end()
    keyring.verify(origin, _declaration(keyring, body), signature)
    return origin, now, before


def _declaration(keyring: Keyring, body: bytes) -> bytes:
    return b"sanduan incarnation" + keyring.incident + body

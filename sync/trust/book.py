"""What a node knows of whom to trust: roster, revocations and key epochs, fed by items that travel inside events.

    item = kind (1 certificate, 2 revocation list, 3 re-keying, 4 incarnation) | its bytes

Every item proves itself, so the level of the event that carried it does not matter. A re-keying proves its sender by the
pair's key, hence needs to be told who sent it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from hardware.errors import SealError
from sync.ids import varint
from sync.seal.contract import SIGNATURE
from sync.seal.epochs import EpochKeys
from sync.seal.keyring import Keyring
from sync.trust.certificate import INDEXES, Certificate
from sync.trust.rekey import Rekey
from sync.trust.revocation import RevocationList, Revocations
from sync.trust.roster import Added, Roster
from sync.trust.wire import Reader

log = logging.getLogger(__name__)


class Item(IntEnum):
    """First byte of a trust item."""

    CERTIFICATE = 1
    REVOCATION = 2
    REKEY = 3
    INCARNATION = 4


@dataclass(slots=True)
class Learned:
    """What an item changed. admitted: indexes whose kept, sealed blocks can be opened now; revoked: whose later rows must be
    quarantined; epoch: a key epoch to save; conflict: an index that two keys claim."""

    admitted: list[int] = field(default_factory=list)
    revoked: list[int] = field(default_factory=list)
    epoch: int | None = None
    keys: EpochKeys | None = None
    conflict: int | None = None
    incarnation: tuple[int, int, int] | None = None  # origin, its incarnation now, the one before

    @property
    def changed(self) -> bool:
        """Whether there is anything to save."""
        return bool(self.admitted or self.revoked or self.keys or self.conflict is not None)


class Book:
    """Applies trust items to a roster, revocations and a keyring, in any order and any number of times."""

    def __init__(self, roster: Roster, revocations: Revocations, keyring: Keyring) -> None:
        self.roster, self.revocations, self.keyring = roster, revocations, keyring
        self._handlers: Final[dict[Item, Callable[[bytes, int], Learned]]] = {
            Item.CERTIFICATE: self._certificate,
            Item.REVOCATION: self._revocation,
            Item.REKEY: self._rekey,
            Item.INCARNATION: self._incarnation,
        }
        for index, peer in roster.peers().items():
            keyring.admit(index, peer)
        self._enforce()

    def apply(self, item: bytes, sender: int) -> Learned:
        """Learn from one item; DecodeError when malformed, SealError when it must not be believed."""
        try:
            handler = self._handlers[Item(item[0])]
        except (IndexError, ValueError):
            raise SealError("trust item of a kind not known here") from None
        return handler(item[1:], sender)

    def _certificate(self, data: bytes, sender: int) -> Learned:
        before = self.roster.peers()
        certificate = Certificate.decode(data)
        added = self.roster.add(certificate)
        after = self.roster.peers()
        admitted = [index for index, peer in after.items() if before.get(index) != peer]
        for index in admitted:
            self.keyring.admit(index, after[index])
        if added in (Added.NEW, Added.CONFLICT):
            self._enforce()
        if added is Added.CONFLICT:
            log.warning("two keys claim roster index %d", certificate.index)
        return Learned(admitted, conflict=certificate.index if added is Added.CONFLICT else None)

    def _revocation(self, data: bytes, sender: int) -> Learned:
        before = set(self.keyring.revoked)
        if not self.revocations.add(RevocationList.decode(data), self.roster):
            return Learned()
        self._enforce()
        fresh = sorted(set(self.keyring.revoked) - before)
        if fresh:
            log.warning("nodes revoked: %s", ", ".join(str(index) for index in fresh))
        return Learned(revoked=sorted(self.keyring.revoked))

    def _rekey(self, data: bytes, sender: int) -> Learned:
        found = Rekey.decode(data)
        own = self.roster.get(self.keyring.origin)
        if own is None or sender in self.keyring.revoked:
            raise SealError(f"re-keying by node {sender} is not believed")
        keys = found.take(sender, own.role, self.keyring)
        if keys is None or self.keyring.holds(found.epoch, keys):
            return Learned()
        self.keyring.add_epoch(found.epoch, keys)
        log.info("key epoch %d received", found.epoch)
        return Learned(epoch=found.epoch, keys=keys)

    def _incarnation(self, data: bytes, sender: int) -> Learned:
        origin, now, before = read_incarnation(data, self.keyring)
        self.keyring.learn(origin, now)
        return Learned(incarnation=(origin, now, before))

    def _enforce(self) -> None:
        """Make the keyring obey all lists together."""
        merged, safe = self.revocations.effective(self.roster)
        self.keyring.enforce({index: entry.last for index, entry in merged.items()}, safe)


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
    return bytes((Item.INCARNATION,)) + body + keyring.sign(b"sanduan incarnation" + keyring.incident + body)


def read_incarnation(data: bytes, keyring: Keyring) -> tuple[int, int, int]:
    """Origin, its incarnation now and the one before; SealError when its origin did not sign it."""
    reader = Reader(data)
    origin = reader.number(INDEXES)
    now, before = int.from_bytes(reader.take(2), "big"), int.from_bytes(reader.take(2), "big")
    body, signature = reader.read, reader.take(SIGNATURE)
    reader.end()
    keyring.verify(origin, b"sanduan incarnation" + keyring.incident + body, signature)
    return origin, now, before

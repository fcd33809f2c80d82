"""An incident for the tests of trust: a root at index 1, who enrols others with the demo's device keys."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sync.records import Anchor
from sync.seal.contract import Role
from sync.seal.demo import demo_device, demo_incarnation, demo_key
from sync.seal.epochs import EpochKeys, transit_of
from sync.seal.keyring import Keyring
from sync.seal.suite import SUITE_1, Suite
from sync.trust.book import Book, Learned
from sync.trust.certificate import Certificate, issue
from sync.trust.charter import Charter
from sync.trust.rekey import Master, keys_of, share
from sync.trust.revocation import RevocationList, Revocations, Revoked
from sync.trust.roster import Roster

SEED = b"trust"
INCIDENT = bytes(range(16))
ROOT = 1


class TrustField:
    """Certificates and books by index; `enrol` lets an issuer take a node in."""

    def __init__(self, suite: Suite = SUITE_1) -> None:
        self.suite = suite
        self.serials: dict[int, int] = {}
        draft = Certificate(ROOT, Role.COMMAND, "ROOT", self.device(ROOT).public, ROOT, 1, first=1, count=1000)
        root = issue(draft, INCIDENT, self.device(ROOT))
        self.charter = Charter(INCIDENT, suite.number, "青溪", Anchor(3_000_000_00, 1_040_000_000, 0), root)
        self.held = {ROOT: root}
        self.serials[ROOT] = 1
        self.master = Master(1, demo_key(SEED, "field", 1), demo_key(SEED, "vital", 1))

    def device(self, index: int, seed: bytes = SEED):  # type: ignore[no-untyped-def]
        return demo_device(seed, index, self.suite)

    def certificate(self, index: int, role: Role, issuer: int = ROOT, seed: bytes = SEED, **more: int) -> Certificate:
        """A certificate of the next serial that nobody need have seen."""
        serial = self.serials[issuer] = self.serials.get(issuer, 0) + 1
        draft = Certificate(
            index, role, f"N{index}", self.device(index, seed).public, issuer, more.pop("serial", serial), **more
        )
        return issue(draft, INCIDENT, self.device(issuer))

    def enrol(self, index: int, role: Role, issuer: int = ROOT, **more: int) -> Certificate:
        """A node of the incident."""
        self.held[index] = self.certificate(index, role, issuer, **more)
        return self.held[index]

    def roster(self, certificates: Iterable[Certificate] | None = None) -> Roster:
        """A roster that knows these, or all."""
        roster = Roster(INCIDENT, self.suite, self.held[ROOT])
        roster.merge(self.held.values() if certificates is None else certificates)
        return roster

    def ring(self, index: int, incarnation: int | None = None) -> Keyring:
        """The keyring of a node that has the first epoch."""
        life = demo_incarnation(SEED, index) if incarnation is None else incarnation
        trust = demo_key(SEED, "trust", 0)
        ring = Keyring(INCIDENT, index, life, {}, device=self.device(index), suite=self.suite, trust_key=trust)
        role = self.held[index].role
        for certificate in self.held.values():
            ring.admit(certificate.index, certificate.peer)
        ring.add_epoch(1, keys_of(share(self.master, self.held[index], ring), role, ring))
        return ring

    def book(self, index: int, certificates: Iterable[Certificate] | None = None) -> Book:
        """What a node knows that has these certificates, or all."""
        return Book(self.roster(certificates), Revocations(), self.ring(index))

    def revocation(self, author: int, version: int, *entries: Revoked, safe: int = 0) -> RevocationList:
        """A signed list."""
        return RevocationList(author, version, safe, entries).signed(INCIDENT, self.device(author))


def outcomes(learned: Iterable[Learned]) -> Iterator[str]:
    """Why items were refused."""
    for each in learned:
        yield from each.refused


def relay_keys(ring: Keyring, field_key: bytes) -> EpochKeys:
    """What a relay holds of an epoch."""
    return EpochKeys(transit_of(ring.suite, ring.incident, field_key))

"""The roster: every certified node of one incident, as a set of certificates that leads back to the pinned root.

Merging is a union with one deterministic winner for each index, whatever the order in which certificates arrive: a key once
enrolled is never replaced by another (the root's own word wins, then the lowest serial; the rest are named as conflicts),
and of one key's certificates the latest counts. What a revoked issuer signed too late counts for nothing, but does not undo
what it signed before. Certificates whose issuer is not known yet wait, boundedly.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import Final, NamedTuple, TypeAlias

from hardware.errors import SealError
from sync.seal.contract import Peer, Role
from sync.seal.suite import Suite
from sync.trust.certificate import INDEXES, Certificate, check, permitted

ORPHANS: Final = 256
RIVALS: Final = (
    8  # keys that may claim one index, and issuers that may speak for one key, before further ones are refused
)
DEPTH: Final = 8  # longest chain of enrolling nodes


class Added(Enum):
    """What became of a certificate."""

    NEW = "new"
    RENEWED = "renewed"
    KNOWN = "known"
    CONFLICT = "conflict"  # another key on an index that is taken
    WAITING = "waiting"  # its issuer is not known yet


class Claim(NamedTuple):
    """What one issuer says of one key on one index: its first certificate, and its latest."""

    first: Certificate
    latest: Certificate

    def with_one_more(self, certificate: Certificate) -> Claim:
        """The claim after one more certificate."""
        return Claim(min(self.first, certificate, key=_order), max(self.latest, certificate, key=_order))


Signer: TypeAlias = tuple[int, bytes]  # an issuer's index and public key
Claims: TypeAlias = dict[bytes, dict[Signer, Claim]]  # of one index, by the key that claims it


class Roster:
    """Certificates by index. `root` is trusted because people compared its code, everything else because of root."""

    def __init__(self, incident: bytes, suite: Suite, root: Certificate) -> None:
        if not root.is_root:
            raise SealError(f"certificate of {root.name} is not a root")
        check(root, root, incident, suite)
        self.incident, self.suite, self.root = incident, suite, root
        self._held: dict[int, Certificate] = {root.index: root}
        self._claims: dict[int, Claims] = {}
        self._orphans: dict[bytes, Certificate] = {}
        self._limits: Mapping[int, int] = {}

    def __contains__(self, index: int) -> bool:
        return index in self._held

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[Certificate]:
        """Issuers before those they enrolled, else by index."""
        return iter(sorted(self._held.values(), key=lambda held: (self.depth(held.index), held.index)))

    def everything(self) -> list[Certificate]:
        """Every certificate that another roster needs to reach the same result, root first."""
        claimed = {held for claims in self._claims.values() for key in claims for held in _certificates(claims[key])}
        rest = sorted(claimed, key=lambda held: (self.depth(held.issuer), held.index, _order(held)))
        return [self.root, *rest]

    @property
    def conflicts(self) -> dict[int, list[Certificate]]:
        """Indexes that more than one key claims, with the claims that lost; people have to resolve them."""
        out = {}
        for index, claims in sorted(self._claims.items()):
            held = self._held.get(index)
            lost = [key for key in claims if held is None or key != held.public]
            if len(claims) > 1:
                out[index] = [max(_certificates(claims[key]), key=_order) for key in lost]
        return out

    def get(self, index: int) -> Certificate | None:
        """The certificate of an index."""
        return self._held.get(index)

    def named(self, name: str) -> Certificate | None:
        """The first certificate with that name, by index."""
        return next((held for _, held in sorted(self._held.items()) if held.name == name), None)

    def peers(self) -> dict[int, Peer]:
        """What a keyring's directory wants."""
        return {index: held.peer for index, held in self._held.items()}

    def depth(self, index: int) -> int:
        """Steps from the root: 0 for the root itself, DEPTH for a node not on the roster."""
        for steps in range(DEPTH):
            if index == self.root.index:
                return steps
            held = self._held.get(index)
            if held is None:
                break
            index = held.issuer
        return DEPTH

    def chain(self, index: int) -> list[Certificate]:
        """The node's certificate and its issuers', root first; SealError when it is not on the roster."""
        out: list[Certificate] = []
        while len(out) < DEPTH:
            held = self._held.get(index)
            if held is None:
                break
            out.insert(0, held)
            if held.is_root:
                return out
            index = held.issuer
        raise SealError(f"node {index} is not on the roster")

    def add(self, certificate: Certificate) -> Added:
        """Take one certificate in; SealError when it is false. Waiting ones are tried again by themselves."""
        if certificate == self.root:
            return Added.KNOWN
        if certificate.is_root:
            raise SealError(f"certificate of {certificate.name}: another root; this roster's is {self.root.name}")
        if certificate.index == self.root.index:
            raise SealError(f"certificate of {certificate.name}: the root's index is taken")
        issuers = self._issuers(certificate.issuer)
        if not issuers:
            if len(self._orphans) < ORPHANS:
                self._orphans[certificate.encode()] = certificate
            return Added.WAITING
        added = self._place(certificate, (certificate.issuer, self._signed_by(certificate, issuers)))
        if added in (Added.NEW, Added.CONFLICT) and certificate.role is Role.COMMAND:
            waiting, self._orphans = self._orphans, {}
            self.merge(waiting.values())
        return added

    def merge(self, certificates: Iterable[Certificate]) -> dict[Added, int]:
        """Take many in, false ones left out; how many of each outcome. Merging two rosters is this, both ways."""
        counts: dict[Added, int] = {}
        for certificate in certificates:
            try:
                added = self.add(certificate)
            except SealError:
                continue
            counts[added] = counts.get(added, 0) + 1
        return counts

    def limit(self, serials: Mapping[int, int]) -> None:
        """Of these issuers, certificates beyond the given serial count for nothing."""
        if serials != self._limits:
            self._limits = dict(serials)
            self._resolve()

    @property
    def barred(self) -> list[int]:
        """Indexes on which only certificates stand that count for nothing."""
        return [index for index in sorted(self._claims) if index not in self._held]

    def _issuers(self, index: int) -> list[Certificate]:
        """Every certificate under which an index may have issued others."""
        if index == self.root.index:
            return [self.root]
        return [held for key in self._claims.get(index, {}).values() for held in _certificates(key)]

    def _signed_by(self, certificate: Certificate, issuers: Iterable[Certificate]) -> bytes:
        """The issuer's key that signed it, rightly; SealError with the reason when none did."""
        why = SealError("no issuer")
        for issuer in issuers:
            try:
                check(certificate, issuer, self.incident, self.suite)
                return issuer.public
            except SealError as error:
                why = error
        raise why

    def _place(self, certificate: Certificate, signer: Signer) -> Added:
        claims = self._claims.setdefault(certificate.index, {})
        outcome = Added.RENEWED if certificate.public in claims else Added.CONFLICT if claims else Added.NEW
        if outcome is Added.CONFLICT and len(claims) >= RIVALS:
            raise SealError(f"index {certificate.index} is claimed by too many keys")
        signers = claims.setdefault(certificate.public, {})
        claim = signers.get(signer)
        if claim is None and len(signers) >= RIVALS:
            raise SealError(f"too many nodes certified {certificate.name}")
        fresh = Claim(certificate, certificate) if claim is None else claim.with_one_more(certificate)
        if fresh == claim:
            return Added.KNOWN
        signers[signer] = fresh
        if certificate.role is Role.COMMAND or self._issues(certificate.index):
            self._resolve()
        elif (best := self._best(certificate.index, self._held)) is not None:
            self._held[certificate.index] = best
        return outcome

    def _issues(self, index: int) -> bool:
        held = self._held.get(index)
        return held is not None and held.role is Role.COMMAND

    def _resolve(self) -> None:
        """Whom the claims put on each index, from the root outwards; the same whatever the order in which they came."""
        held = {self.root.index: self.root}
        for _ in range(DEPTH):
            before, held = held, {self.root.index: self.root}
            for index in self._claims:
                if (best := self._best(index, before)) is not None:
                    held[index] = best
            if held == before:
                break
        self._held = held

    def _best(self, index: int, issuers: Mapping[int, Certificate]) -> Certificate | None:
        """The certificate that counts on an index, if these are the nodes that may issue."""
        rivals = []
        for signers in self._claims[index].values():
            standing = [
                held for (_, key), claim in signers.items() for held in claim if self._stands(held, key, issuers)
            ]
            if standing:
                rivals.append(standing)
        if not rivals:
            return None
        winner = min(rivals, key=lambda standing: min(self._rank(held) for held in standing))
        return max(winner, key=lambda held: (held.issuer == self.root.index, _order(held)))

    def _stands(self, certificate: Certificate, key: bytes, issuers: Mapping[int, Certificate]) -> bool:
        issuer = issuers.get(certificate.issuer)
        if issuer is None or issuer.public != key or not permitted(certificate, issuer):
            return False
        return certificate.serial <= self._limits.get(issuer.index, certificate.serial)

    def _rank(self, certificate: Certificate) -> tuple[bool, tuple[int, bytes]]:
        return certificate.issuer != self.root.index, _order(certificate)

    def free(self, issuer: Certificate, wanted: int = 1, start: int = 1, reserved: Iterable[int] = ()) -> int:
        """The lowest run of `wanted` indexes in an issuer's range, from `start` on, that nobody has, gives out or reserved;
        SealError when there is none."""
        taken = {*self._held, *reserved}
        for held in self._held.values():
            if held.index != issuer.index and held.count and held.count < issuer.count:
                taken.update(range(held.first, held.first + held.count))
        run = 0
        for index in range(max(start, issuer.first), min(INDEXES, issuer.first + issuer.count)):
            run = 0 if index in taken else run + 1
            if run == wanted:
                return index - wanted + 1
        raise SealError(f"{issuer.name} has no {wanted} free indexes left to give out")


def _certificates(signers: Mapping[Signer, Claim]) -> list[Certificate]:
    return [held for claim in signers.values() for held in dict.fromkeys(claim)]


def _order(certificate: Certificate) -> tuple[int, bytes]:
    return certificate.serial, certificate.encode()

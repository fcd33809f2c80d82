"""The roster: every certified node of one incident, as a set of certificates that leads back to the pinned root.

Merging is a union with one deterministic winner for each index, whatever the order in which certificates arrive: a key once
enrolled is never replaced by another (lowest serial wins, the rest are named as conflicts), and of one key's certificates
the latest counts. Certificates whose issuer is not known yet wait, boundedly.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Final, NamedTuple

from hardware.errors import SealError
from sync.seal.contract import Peer
from sync.seal.suite import Suite
from sync.trust.certificate import INDEXES, Certificate, check

ORPHANS: Final = 256
RIVALS: Final = 8  # keys that may claim one index before further ones are refused
DEPTH: Final = 8  # longest chain of enrolling nodes


class Added(Enum):
    """What became of a certificate."""

    NEW = "new"
    RENEWED = "renewed"
    KNOWN = "known"
    CONFLICT = "conflict"  # another key on an index that is taken
    WAITING = "waiting"  # its issuer is not known yet


class Claim(NamedTuple):
    """One key's hold on an index: the certificate that enrolled it, and the one that counts now."""

    first: Certificate
    latest: Certificate

    def with_one_more(self, certificate: Certificate) -> Claim:
        """The claim after one more certificate of the same key."""
        return Claim(min(self.first, certificate, key=_order), max(self.latest, certificate, key=_order))


class Roster:
    """Certificates by index. `root` is trusted because people compared its code, everything else because of root."""

    def __init__(self, incident: bytes, suite: Suite, root: Certificate) -> None:
        if not root.is_root:
            raise SealError(f"certificate of {root.name} is not a root")
        check(root, root, incident, suite)
        self.incident, self.suite, self.root = incident, suite, root
        self._held: dict[int, Certificate] = {root.index: root}
        self._claims: dict[int, dict[bytes, Claim]] = {}
        self._orphans: dict[bytes, Certificate] = {}

    def __contains__(self, index: int) -> bool:
        return index in self._held

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[Certificate]:
        """Issuers before those they enrolled, else by index."""
        return iter(sorted(self._held.values(), key=lambda held: (self.depth(held.index), held.index)))

    def everything(self) -> list[Certificate]:
        """Every certificate that another roster needs to reach the same result, root first."""
        claimed = {held for rivals in self._claims.values() for claim in rivals.values() for held in claim}
        rest = sorted(claimed, key=lambda held: (self.depth(held.issuer), held.index, held.serial))
        return [self.root, *rest]

    @property
    def conflicts(self) -> dict[int, list[Certificate]]:
        """Indexes that more than one key claims, with the claims that lost; people have to resolve them."""
        out = {}
        for index, rivals in sorted(self._claims.items()):
            if len(rivals) > 1:
                out[index] = [claim.latest for claim in rivals.values() if claim.latest != self._held.get(index)]
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
        if certificate == self._held.get(certificate.index):
            return Added.KNOWN
        if certificate.is_root:
            raise SealError(f"certificate of {certificate.name}: another root; this roster's is {self.root.name}")
        issuer = self._held.get(certificate.issuer)
        if issuer is None:
            if len(self._orphans) < ORPHANS:
                self._orphans[certificate.encode()] = certificate
            return Added.WAITING
        if certificate.index == self.root.index:
            raise SealError(f"certificate of {certificate.name}: the root's index is taken")
        if self.depth(issuer.index) >= DEPTH - 1:
            raise SealError(f"certificate of {certificate.name}: too far from the root")
        check(certificate, issuer, self.incident, self.suite)
        added = self._place(certificate)
        if added is Added.NEW:
            self._adopt()
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

    def _place(self, certificate: Certificate) -> Added:
        claims = self._claims.setdefault(certificate.index, {})
        known, claim = bool(claims), claims.get(certificate.public)
        if claim is None and len(claims) >= RIVALS:
            raise SealError(f"index {certificate.index} is claimed by too many keys")
        if claim is None:
            claims[certificate.public] = Claim(certificate, certificate)
        elif _order(claim.first) <= _order(certificate) <= _order(claim.latest):
            return Added.KNOWN
        else:
            claims[certificate.public] = claim.with_one_more(certificate)
        before = self._held.get(certificate.index)
        winner = min(claims.values(), key=lambda rival: _order(rival.first))
        self._held[certificate.index] = winner.latest
        if before is not None and before.public != winner.latest.public:
            self._recheck()
        if claim is not None:
            return Added.RENEWED
        return Added.CONFLICT if known else Added.NEW

    def _recheck(self) -> None:
        """An index changed hands: whoever its former holder enrolled must be enrolled by a node that still is on the roster."""
        claims, self._claims, self._held = self._claims, {}, {self.root.index: self.root}
        every = [
            held for rivals in claims.values() for claim in rivals.values() for held in (claim.first, claim.latest)
        ]
        self.merge(sorted(every, key=_order))

    def _adopt(self) -> None:
        waiting, self._orphans = self._orphans, {}
        self.merge(waiting.values())

    def free(self, issuer: Certificate, wanted: int = 1) -> int:
        """The lowest run of `wanted` indexes in an issuer's range that nobody has or gives out; SealError when it is full."""
        taken = {held.index for held in self._held.values()} | {
            index
            for held in self._held.values()
            if held.index != issuer.index and held.count and held.count < issuer.count
            for index in range(held.first, held.first + held.count)
        }
        run = 0
        for index in range(max(1, issuer.first), min(INDEXES, issuer.first + issuer.count)):
            run = 0 if index in taken else run + 1
            if run == wanted:
                return index - wanted + 1
        raise SealError(f"{issuer.name} has no {wanted} free indexes left to give out")


def _order(certificate: Certificate) -> tuple[int, bytes]:
    return certificate.serial, certificate.encode()

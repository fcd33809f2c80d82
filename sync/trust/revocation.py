"""Revocation: signed lists, the latest version of each command node's own, merged without a server.

A list names the revoked nodes with the last numbers of theirs that are still believed, and the first key epoch that none of
them holds. Lists by different authors are merged: the union of nodes, the least of the numbers. Where command nodes revoke
each other, the one nearer to the root is heard first; a revoked author's later lists count for nothing, nor do the
certificates it gave out later, nor whatever these let their nodes do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from hardware.errors import DecodeError, SealError
from sync.codec.octets import Reader
from sync.ids import Lane, varint
from sync.seal.contract import SIGNATURE, Role
from sync.seal.suite import Device
from sync.trust.certificate import INDEXES, SERIALS
from sync.trust.roster import Roster

ENTRIES: Final = 1024
VERSIONS: Final = 256  # lists held of one author
VERSIONS_EVER: Final = 1 << 32
Last = Mapping[tuple[int, Lane], int]


@dataclass(frozen=True, slots=True)
class Revoked:
    """One revoked node: last trusted number by (incarnation, lane), none where nothing is; lists, issued: its last revocation
    list that counts, and the serial of the last certificate that does."""

    index: int
    last: Last = field(default_factory=dict)
    lists: int = 0
    issued: int = 0

    def encode(self) -> bytes:
        """Index, list version, serial, then (incarnation, lane, number) of each source."""
        out = varint(self.index) + varint(self.lists) + varint(self.issued) + varint(len(self.last))
        for (incarnation, lane), number in sorted(self.last.items()):
            out += incarnation.to_bytes(2, "big") + bytes((lane,)) + varint(number)
        return out

    @classmethod
    def read(cls, reader: Reader) -> Revoked:
        """The next entry."""
        index, lists, issued = reader.uint(INDEXES), reader.uint(VERSIONS_EVER), reader.uint(SERIALS)
        sources = reader.uint(ENTRIES)
        last: dict[tuple[int, Lane], int] = {}
        for _ in range(sources):
            incarnation, lane = int.from_bytes(reader.take(2), "big"), reader.take(1)[0]
            if lane > Lane.BULK:
                raise DecodeError("revocation of an unknown lane")
            last[incarnation, Lane(lane)] = reader.uint(1 << 42)
        return cls(index, last, lists, issued)


@dataclass(frozen=True, slots=True)
class RevocationList:
    """An author's whole list. safe_epoch: the first key epoch that no revoked node holds, 0 while keys are unchanged."""

    author: int
    version: int
    safe_epoch: int
    entries: tuple[Revoked, ...]
    signature: bytes = b""

    def body(self) -> bytes:
        """Everything but the signature."""
        head = varint(self.author) + varint(self.version) + varint(self.safe_epoch) + varint(len(self.entries))
        return head + b"".join(entry.encode() for entry in self.entries)

    def encode(self) -> bytes:
        """Body and signature; 20 nodes without trusted numbers are some 160 bytes."""
        return self.body() + self.signature

    @classmethod
    def decode(cls, data: bytes) -> RevocationList:
        """DecodeError when malformed."""
        reader = Reader(data)
        author, version, epoch = reader.uint(INDEXES), reader.uint(VERSIONS_EVER), reader.uint(1 << 32)
        entries = tuple(Revoked.read(reader) for _ in range(reader.uint(ENTRIES)))
        signature = reader.take(SIGNATURE)
        reader.end()
        return cls(author, version, epoch, entries, signature)

    def signed(self, incident: bytes, device: Device) -> RevocationList:
        """This list under its author's signature."""
        return replace(self, signature=device.sign(b"sanduan revocation" + incident + self.body()))


class Revocations:
    """What all lists together say. Every version is kept: of a revoked author, an earlier one may be the last that counts."""

    def __init__(self) -> None:
        self.lists: dict[int, dict[int, RevocationList]] = {}

    def everything(self) -> list[RevocationList]:
        """All lists held, by author and version."""
        return [versions[number] for _, versions in sorted(self.lists.items()) for number in sorted(versions)]

    def latest(self, author: int) -> RevocationList:
        """An author's newest list; an empty version 0 before the first."""
        versions = self.lists.get(author)
        return versions[max(versions)] if versions else RevocationList(author, 0, 0, ())

    def add(self, found: RevocationList, roster: Roster) -> bool:
        """Take a list in; False when it is held already. SealError when its author is no command node or did not sign it."""
        author = roster.get(found.author)
        if author is None or author.role is not Role.COMMAND:
            raise SealError(f"revocation list by node {found.author}, which is not a command node")
        roster.suite.verify(author.public, b"sanduan revocation" + roster.incident + found.body(), found.signature)
        versions = self.lists.setdefault(found.author, {})
        held = versions.get(found.version)
        if held == found or (held is not None and held.body() <= found.body()):
            return False
        if held is None and len(versions) >= VERSIONS:
            raise SealError(f"node {found.author} issued too many revocation lists")
        versions[found.version] = found
        return True

    def effective(self, roster: Roster) -> tuple[dict[int, Revoked], set[int]]:
        """Who is revoked, by index, and the safe epoch of each list that counts; the same on every node that has the same lists and certificates.

        Leaves the roster without the certificates that count for nothing.
        """
        merged: dict[int, Revoked] = {}
        safe: set[int] = set()
        roster.limit({})
        for author in sorted(self.lists, key=lambda index: (roster.depth(index), index)):
            if author not in roster:
                continue
            limit = merged[author].lists if author in merged else VERSIONS_EVER
            counting = [version for version in self.lists[author] if version <= limit]
            if not counting:
                continue
            found = self.lists[author][max(counting)]
            safe.add(found.safe_epoch)
            for entry in found.entries:
                if entry.index != roster.root.index:
                    merged[entry.index] = _least(merged.get(entry.index), entry)
            roster.limit({index: entry.issued for index, entry in merged.items()})
        merged |= {index: Revoked(index) for index in roster.barred}
        return merged, safe


def _least(one: Revoked | None, two: Revoked) -> Revoked:
    if one is None:
        return two
    last = {source: min(one.last[source], two.last[source]) for source in one.last.keys() & two.last.keys()}
    return Revoked(one.index, last, min(one.lists, two.lists), min(one.issued, two.issued))

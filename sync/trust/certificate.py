"""A node's certificate: which roster index and role a device key stands for, until when, and who says so."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from hardware.errors import DecodeError, SealError
from sync.codec.octets import Reader
from sync.ids import varint
from sync.seal.contract import SIGNATURE, Peer, Role
from sync.seal.suite import PUBLIC, Device, Suite
from sync.trust.wire import read_text, short_text

NAME: Final = 24  # bytes of a node's name
INDEXES: Final = 1 << 14
SERIALS: Final = 1 << 28
_FORM: Final = 1
_MINUTES: Final = 1 << 28


@dataclass(frozen=True, slots=True)
class Certificate:
    """index: roster index of the node; issuer, serial: who enrolled it, as its how-manyth; first, count: the indexes it may
    itself give out (command only); since, until: minutes UTC since 1970, 0 for open. At most 192 bytes, usually below 165.
    """

    index: int
    role: Role
    name: str
    public: bytes
    issuer: int
    serial: int
    since: int = 0
    until: int = 0
    first: int = 0
    count: int = 0
    signature: bytes = b""

    @property
    def peer(self) -> Peer:
        """What the keyring needs of it."""
        return Peer(self.public, self.role)

    @property
    def is_root(self) -> bool:
        """Whether it claims to be its own issuer."""
        return self.issuer == self.index

    def ended(self, minutes: int) -> bool:
        """Whether its validity is over at a time in minutes UTC since 1970."""
        return bool(self.until) and minutes >= self.until

    def may_issue(self, index: int) -> bool:
        """Whether `index` lies in the range this node gives out."""
        return self.role is Role.COMMAND and self.first <= index < self.first + self.count

    def body(self) -> bytes:
        """Everything but the signature."""
        numbers = (self.index, self.issuer, self.serial, self.since, self.until, self.first, self.count)
        head = bytes((_FORM, self.role)) + b"".join(varint(number) for number in numbers)
        return head + short_text(self.name, NAME) + self.public

    def encode(self) -> bytes:
        """Body and signature."""
        return self.body() + self.signature

    @classmethod
    def read(cls, reader: Reader) -> Certificate:
        """The next certificate; DecodeError when it is malformed."""
        form, role = reader.take(2)
        if form != _FORM or role > Role.COMMAND:
            raise DecodeError("not a certificate this version knows")
        index, issuer = reader.uint(INDEXES), reader.uint(INDEXES)
        serial, since, until = reader.uint(SERIALS), reader.uint(_MINUTES), reader.uint(_MINUTES)
        first, count = reader.uint(INDEXES), reader.uint(INDEXES)
        name, public, signature = read_text(reader, NAME), reader.take(PUBLIC), reader.take(SIGNATURE)
        if index == 0 or issuer == 0 or (until and until <= since) or first + count > INDEXES:
            raise DecodeError("certificate with impossible numbers")
        return cls(index, Role(role), name, public, issuer, serial, since, until, first, count, signature)

    @classmethod
    def decode(cls, data: bytes) -> Certificate:
        """One certificate and nothing more."""
        reader = Reader(data)
        certificate = cls.read(reader)
        reader.end()
        return certificate


def issue(draft: Certificate, incident: bytes, device: Device) -> Certificate:
    """The draft signed by its issuer's device key."""
    return replace(draft, signature=device.sign(_statement(draft, incident)))


def check(certificate: Certificate, issuer: Certificate, incident: bytes, suite: Suite) -> None:
    """SealError, saying why, unless `issuer` was allowed to sign this and did so in this incident."""
    if certificate.issuer != issuer.index:
        raise SealError(f"certificate of {certificate.name}: signed by {certificate.issuer}, not {issuer.index}")
    if not certificate.is_root and not permitted(certificate, issuer):
        if issuer.may_issue(certificate.index):
            raise SealError(f"certificate of {certificate.name}: its range exceeds that of {issuer.name}")
        raise SealError(f"certificate of {certificate.name}: {issuer.name} may not give out index {certificate.index}")
    try:
        suite.verify(issuer.public, _statement(certificate, incident), certificate.signature)
    except SealError:
        raise SealError(f"certificate of {certificate.name}: signature does not hold, or another incident's") from None


def permitted(certificate: Certificate, issuer: Certificate) -> bool:
    """Whether the issuer's own certificate lets it give out this index, and this range of indexes."""
    last = certificate.first + certificate.count - 1
    within = not certificate.count or (issuer.may_issue(certificate.first) and issuer.may_issue(last))
    return issuer.may_issue(certificate.index) and within


def _statement(certificate: Certificate, incident: bytes) -> bytes:
    return b"sanduan certificate" + incident + certificate.body()

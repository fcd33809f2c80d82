"""Enrolment in three messages that people carry by QR code, file or stick: invite, request, grant. No key comes from the air.

    invite  = 00 "SDI1" | charter | number of certificates | the inviter's chain below the root… | token (16) | index | role | name
    request = 00 "SDJ1" | first 8 bytes of the invite's digest | public key (64) | signature (64)
    grant   = 00 "SDG1" | digest of the request (8) | certificate | epoch | salt (16) | keys and trust key, enclosed (56)

Both screens show `code` of invite and request, twelve digits; the inviter types in what the other screen shows, so nobody can
have put in another incident or another key on the way. The grant is checked against the invite's chain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from hardware.errors import DecodeError, SealError
from sync.codec.octets import Reader
from sync.ids import varint
from sync.seal.contract import SIGNATURE, Role
from sync.seal.epochs import EpochKeys
from sync.seal.keyring import Keyring
from sync.seal.suite import KEY, PUBLIC, Device, Suite
from sync.seal.suites import suite_of
from sync.trust.certificate import INDEXES, NAME, Certificate
from sync.trust.charter import Charter
from sync.trust.rekey import EPOCHS, SEALED, Master, keys_of, share
from sync.trust.roster import DEPTH, Roster
from sync.trust.wire import read_text, short_text

INVITE, REQUEST, GRANT = b"\x00SDI1", b"\x00SDJ1", b"\x00SDG1"
TOKEN: Final = 16
SALT: Final = 16
REFERENCE: Final = 8
DIGITS: Final = 12
_WORK: Final = 1 << 15  # scrypt's cost: some 80 ms, so that trying keys until a code fits takes thousands of years
_ENCLOSED: Final = SEALED + KEY


@dataclass(frozen=True, slots=True)
class Invite:
    """Who may come in as what. chain: from below the root down to the inviter; token: random, for one use."""

    charter: Charter
    chain: tuple[Certificate, ...]
    token: bytes
    index: int
    role: Role
    name: str

    @property
    def inviter(self) -> Certificate:
        """Who signs the certificate."""
        return self.chain[-1] if self.chain else self.charter.root

    @property
    def suite(self) -> Suite:
        """The incident's suite; SealError when this program does not have it."""
        return suite_of(self.charter.suite)

    def encode(self) -> bytes:
        """The message."""
        chain = varint(len(self.chain)) + b"".join(held.encode() for held in self.chain)
        tail = varint(self.index) + bytes((self.role,)) + short_text(self.name, NAME)
        return INVITE + self.charter.encode() + chain + self.token + tail

    @classmethod
    def decode(cls, data: bytes) -> Invite:
        """DecodeError when malformed."""
        reader = _begin(data, INVITE, "invite")
        charter = Charter.read(reader)
        chain = tuple(Certificate.read(reader) for _ in range(reader.uint(DEPTH + 1)))
        token, index, role = reader.take(TOKEN), reader.uint(INDEXES), reader.byte()
        if not index or role > Role.COMMAND:
            raise DecodeError("invite with impossible numbers")
        name = read_text(reader, NAME)
        reader.end()
        return cls(charter, chain, token, index, Role(role), name)

    def roster(self) -> Roster:
        """The roster as far as the invite tells it; SealError when charter or chain does not hold."""
        self.charter.check(self.suite)
        roster = Roster(self.charter.incident, self.suite, self.charter.root)
        for certificate in self.chain:
            roster.add(certificate)
        if roster.get(self.inviter.index) != self.inviter:
            raise SealError(f"{self.inviter.name} is not let in by {self.charter.root.name}")
        return roster

    @property
    def reference(self) -> bytes:
        """What a request names it by."""
        return self.suite.digest(self.encode())[:REFERENCE]


@dataclass(frozen=True, slots=True)
class Request:
    """A device asks to be let in under an invite."""

    reference: bytes
    public: bytes
    signature: bytes

    def encode(self) -> bytes:
        """The message, 141 bytes."""
        return REQUEST + self.reference + self.public + self.signature

    @classmethod
    def decode(cls, data: bytes) -> Request:
        """DecodeError when malformed."""
        reader = _begin(data, REQUEST, "request")
        request = cls(reader.take(REFERENCE), reader.take(PUBLIC), reader.take(SIGNATURE))
        reader.end()
        return request

    def check(self, invite: Invite) -> None:
        """SealError unless it answers this invite and its sender has the key."""
        if self.reference != invite.reference:
            raise SealError("this request answers another invite")
        invite.suite.verify(self.public, _request_statement(invite), self.signature)


def request(invite: Invite, device: Device) -> Request:
    """A device's request."""
    return Request(invite.reference, device.public, device.sign(_request_statement(invite)))


def code(invite: Invite, asked: Request) -> str:
    """The digits that both screens show, in groups of four."""
    data = invite.suite.digest(invite.encode()) + invite.suite.digest(asked.encode())
    derived = Scrypt(b"sanduan code" + invite.charter.incident, 16, _WORK, 8, 1).derive(data)
    digits = str(int.from_bytes(derived, "big") % 10**DIGITS).zfill(DIGITS)
    return " ".join(digits[at : at + 4] for at in range(0, DIGITS, 4))


@dataclass(frozen=True, slots=True)
class Grant:
    """The certificate and the keys that its role may have; readable by the device that asked, and nobody else."""

    reference: bytes
    certificate: Certificate
    epoch: int
    salt: bytes
    enclosed: bytes

    def answers(self, asked: Request, suite: Suite) -> bool:
        """Whether it was made for this request."""
        return self.reference == suite.digest(asked.encode())[:REFERENCE] and self.certificate.public == asked.public

    def encode(self) -> bytes:
        """The message."""
        return GRANT + self.reference + self.certificate.encode() + varint(self.epoch) + self.salt + self.enclosed

    @classmethod
    def decode(cls, data: bytes) -> Grant:
        """DecodeError when malformed."""
        reader = _begin(data, GRANT, "grant")
        reference, certificate = reader.take(REFERENCE), Certificate.read(reader)
        grant = cls(reference, certificate, reader.uint(EPOCHS), reader.take(SALT), reader.take(_ENCLOSED))
        reader.end()
        return grant


def grant(
    asked: Request, certificate: Certificate, master: Master, trust: bytes, keyring: Keyring, salt: bytes
) -> Grant:
    """The inviter's answer; its keyring must have admitted the new node."""
    secret = share(master, certificate, keyring) + trust
    enclosed = keyring.enclose(certificate.index, _context(certificate, master.epoch, salt, keyring.suite), secret)
    return Grant(keyring.suite.digest(asked.encode())[:REFERENCE], certificate, master.epoch, salt, enclosed)


def take(granted: Grant, invite: Invite, asked: Request, keyring: Keyring) -> tuple[EpochKeys, bytes]:
    """The epoch's keys and the trust key; SealError when the grant is another's, or not what the invite promised.

    keyring: of the device that asked, with the invite's chain admitted.
    """
    certificate = granted.certificate
    if not granted.answers(asked, keyring.suite):
        raise SealError("this grant answers another request (准入文件属于另一台设备)")
    if (certificate.index, certificate.role, certificate.issuer) != (invite.index, invite.role, invite.inviter.index):
        raise SealError("this grant is not what the invite promised (准入文件与邀请不符)")
    context = _context(certificate, granted.epoch, granted.salt, keyring.suite)
    try:
        secret = keyring.disclose(invite.inviter.index, context, granted.enclosed)
    except SealError:
        raise SealError("this grant is damaged; get it once more (准入文件已损坏,请重新取得)") from None
    return keys_of(secret[: 2 * KEY], certificate.role, keyring), secret[2 * KEY :]


def _context(certificate: Certificate, epoch: int, salt: bytes, suite: Suite) -> bytes:
    return b"grant" + salt + varint(epoch) + suite.digest(certificate.encode())


def _request_statement(invite: Invite) -> bytes:
    return b"sanduan request" + invite.suite.digest(invite.encode())


def _begin(data: bytes, mark: bytes, what: str) -> Reader:
    if data[: len(mark)] != mark:
        raise DecodeError(f"no {what} of an incident")
    return Reader(data, len(mark))

"""A node's identity in one incident: what it is, what it holds, whom it knows; kept in a vault, merged, never overwritten.

Everything in it only grows, so that two programs with the same file (a running agent and a command beside it) lose nothing:
each save takes the file's lock, joins what lies there with what is held here, and writes both.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from getpass import getpass
from pathlib import Path
from sys import stdin
from typing import Final

import msgpack

from edge.alone import alone
from edge.identity import vault
from edge.identity.vault import Label, Lock
from hardware.errors import ConfigError, DecodeError, SealError
from sync.codec.octets import Reader
from sync.records import Anchor
from sync.seal.contract import Role
from sync.seal.epochs import EpochKeys
from sync.seal.keyring import Keyring
from sync.seal.suite import Device, Suite
from sync.seal.suites import suite_of
from sync.trust.book import Book
from sync.trust.certificate import Certificate
from sync.trust.charter import Charter
from sync.trust.revocation import RevocationList, Revocations
from sync.trust.roster import Roster

KEY_FILE: Final = "unlock.key"  # found beside an identity that a key file locks, when none is named


@dataclass(slots=True, repr=False)
class Secrets:
    """All that is sealed in the vault; certificates and lists as roster and revocations had them last. node: own roster index; items: trust items this node authored, by their digest; sent:
    digests of those that are in blocks; invites: by index; joining: invite and request that still wait for their grant."""

    charter: bytes
    node: int
    private: bytes
    trust: bytes = b""
    serial: int = 0
    epochs: dict[int, list[list[bytes | None]]] = field(default_factory=dict)
    certificates: list[bytes] = field(default_factory=list)
    lists: list[bytes] = field(default_factory=list)
    items: list[bytes] = field(default_factory=list)
    sent: list[bytes] = field(default_factory=list)
    invites: dict[int, bytes] = field(default_factory=dict)
    joining: list[bytes] = field(default_factory=list)

    def encode(self) -> bytes:
        """Bytes for the vault."""
        packed: bytes = msgpack.packb({name: getattr(self, name) for name in self.__slots__})
        return packed

    @classmethod
    def decode(cls, data: bytes) -> Secrets:
        """The inverse; SealError when these are not such bytes."""
        try:
            return cls(**msgpack.unpackb(data, strict_map_key=False))
        except (ValueError, TypeError, msgpack.UnpackException):
            raise SealError("identity of another version") from None

    def join(self, other: Secrets) -> None:
        """Take in what another copy of the same identity has beyond this one."""
        for name in ("items", "sent"):
            mine = getattr(self, name)
            mine += [each for each in getattr(other, name) if each not in mine]
        for epoch, keys in other.epochs.items():
            held = self.epochs.setdefault(epoch, [])
            held += [each for each in keys if each not in held]
        self.invites = other.invites | self.invites
        self.serial = max(self.serial, other.serial)


class Identity:
    """One node's identity. roster, revocations: live, shared with the Book of a running node; `save` keeps what they learned."""

    def __init__(self, path: Path, lock: Lock, secrets: Secrets) -> None:
        self.path, self.lock, self.secrets = path, lock, secrets
        reader = Reader(secrets.charter)
        self.charter = Charter.read(reader)
        reader.end()
        self.suite: Suite = suite_of(self.charter.suite)
        self.charter.check(self.suite)
        self.device: Device = self.suite.load(secrets.private)
        self.roster = Roster(self.charter.incident, self.suite, self.charter.root)
        self.revocations = Revocations()
        self._learn(secrets)

    def __repr__(self) -> str:
        return f"Identity({self.charter.title!r}, node={self.node})"

    @classmethod
    def make(cls, path: Path, lock: Lock, secrets: Secrets, name: str) -> Identity:
        """A new identity in a new file; ConfigError where something lies already."""
        identity = cls(path, lock, secrets)
        path.parent.mkdir(parents=True, exist_ok=True)
        vault.create(path, identity._label(name), secrets.encode(), lock)
        return identity

    @classmethod
    def open(cls, path: Path, lock: Lock) -> Identity:
        """The identity of a file; ConfigError says what is wrong with it, and never a key."""
        try:
            return cls(path, lock, Secrets.decode(vault.read(path, lock)))
        except (SealError, DecodeError) as error:
            raise ConfigError(str(path), "keys", str(error), "an identity of this version (本版本的身份文件)") from None

    # what it says

    @property
    def node(self) -> int:
        """Own roster index."""
        return self.secrets.node

    @property
    def enrolled(self) -> bool:
        """Whether the grant has come, and no other key holds the own index."""
        held = self.roster.get(self.node)
        return bool(self.secrets.epochs) and held is not None and held.public == self.device.public

    @property
    def certificate(self) -> Certificate:
        """Own certificate; SealError while not enrolled."""
        held = self.roster.get(self.node)
        if held is None or not self.enrolled:
            raise SealError(f"{self.path}: not let in yet; the grant is missing (尚未入网,缺少准入文件)")
        return held

    @property
    def role(self) -> Role:
        """What the own certificate lets this node do."""
        return self.certificate.role

    @property
    def anchor(self) -> Anchor:
        """The incident's fixed point and start."""
        return self.charter.anchor

    def epochs(self) -> dict[int, list[EpochKeys]]:
        """The keys held, by epoch."""
        return {
            epoch: [EpochKeys(transit or b"", *rest) for transit, *rest in held]
            for epoch, held in sorted(self.secrets.epochs.items())
        }

    def keyring(self, incarnation: int) -> Keyring:
        """The sealer of one life of the node's store, obeying all revocations known."""
        ring = Keyring(
            self.charter.incident, self.node, incarnation, {}, device=self.device, suite=self.suite, trust_key=self.secrets.trust or None
        )  # fmt: skip
        for epoch, held in self.epochs().items():
            for keys in held:
                ring.add_epoch(epoch, keys)
        self.book(ring)
        return ring

    def book(self, keyring: Keyring) -> Book:
        """Roster, revocations and a keyring that follow each other from now on."""
        return Book(self.roster, self.revocations, keyring)

    # what it learns

    def keep(self, epoch: int, keys: EpochKeys) -> None:
        """Hold an epoch's keys; `save` makes it durable."""
        held, row = self.secrets.epochs.setdefault(epoch, []), [keys.transit, keys.field, keys.vital, keys.own_vital]
        if row not in held:
            held.append(row)

    def author(self, item: bytes) -> None:
        """A trust item by this node that is to travel; `save` makes it durable."""
        if item not in self.secrets.items:
            self.secrets.items.append(item)

    def unsent(self) -> list[bytes]:
        """Authored items that no block carries yet."""
        return [item for item in self.secrets.items if self._digest(item) not in self.secrets.sent]

    def mark_sent(self, item: bytes) -> None:
        """An item is in a block."""
        self.secrets.sent.append(self._digest(item))

    def save(self) -> None:
        """Join with what lies in the file, and write it; ConfigError, StoreError."""
        with alone(self.path):
            self._join(Secrets.decode(vault.read(self.path, self.lock)))
            vault.replace(self.path, vault.read_label(self.path), self.secrets.encode(), self.lock)

    def reload(self) -> None:
        """Take in what another program saved."""
        self._join(Secrets.decode(vault.read(self.path, self.lock)))

    def _join(self, other: Secrets) -> None:
        if other.private != self.secrets.private:
            raise ConfigError(
                str(self.path), "keys", "another identity", "the file this program began with (原来的文件)"
            )
        self.secrets.join(other)
        self._learn(other)
        self.secrets.certificates = [held.encode() for held in self.roster.everything()[1:]]
        self.secrets.lists = [held.encode() for held in self.revocations.everything()]

    def _learn(self, secrets: Secrets) -> None:
        """Certificates and lists of a copy into roster and revocations."""
        self.roster.merge(Certificate.decode(data) for data in secrets.certificates)
        for data in secrets.lists:
            self.revocations.add(RevocationList.decode(data), self.roster)

    def _digest(self, item: bytes) -> bytes:
        return self.suite.digest(item)[:8]

    def _label(self, name: str) -> Label:
        return Label(self.charter.title, self.node, name, self.charter.suite)


def load(path: Path, node: int, unlock: Path | None = None) -> Identity:
    """The identity of a configured node; ConfigError when it is another's, locked, damaged or not let in yet.

    unlock: the key file that opens it; else KEY_FILE beside it, or a passphrase asked for at the terminal.
    """
    identity = Identity.open(path, lock_of(path, unlock))
    if identity.node != node:
        raise ConfigError(str(path), "node", identity.node, f"{node}, as in [station] node (须与 [station] node 一致)")
    if not identity.enrolled:
        raise ConfigError(str(path), "keys", "no grant", "the grant of an inviter, by sanduan join (邀请方的准入文件)")
    return identity


def lock_of(path: Path, unlock: Path | None = None) -> Lock:
    """What opens an identity's file, asked for where it must be; ConfigError."""
    by, salt = vault.locked_by(path)
    if by == vault.BY_FILE:
        return vault.file_lock(unlock or path.with_name(KEY_FILE), salt)
    if unlock is not None:
        return vault.passphrase_lock(_first_line(unlock), salt)
    if not stdin.isatty():
        raise ConfigError(
            str(path),
            "keys",
            "locked",
            "a terminal to type the passphrase at, or [keys] unlock (需要终端输入口令,或 [keys] unlock)",
        )
    label = vault.read_label(path)
    return vault.passphrase_lock(getpass(f"{label.incident} {label.name} 口令 passphrase: "), salt)


def _first_line(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").split("\n", 1)[0]
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            str(path), "unlock", type(error).__name__, "a file whose first line is the passphrase (首行为口令的文件)"
        ) from None

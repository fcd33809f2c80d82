"""One node's keys for one incident, as a Sealer. docs/wire/seal.md has the bytes."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from hardware.errors import DecodeError, SealError
from sync.ids import BlockId, Header, KeyClass, Lane, Level
from sync.seal.contract import MAC, NotForUs, Opened, Peer, Role
from sync.seal.epochs import EpochKeys, Epochs, origin_key, transit_of
from sync.seal.incarnations import Incarnations
from sync.seal.suite import SUITE_1, Aead, Device, Suite, derive

LEVEL_OF: Final = {role: Level.COMMAND if role is Role.COMMAND else Level.ORIGIN for role in Role}


class Keyring:
    """Seals and opens blocks, MACs and checks frames, signs and verifies; raises SealError only.

    field_keys, transit_keys, vital_keys: 16-byte keys by full epoch; a transit key is needed only where no field key is
    held (a relay). own_vital: the one-way per-origin key by which a node without `vital_keys` seals its own vital signs.
    """

    def __init__(
        self,
        incident: bytes,
        origin: int,
        incarnation: int,
        field_keys: Mapping[int, bytes],
        transit_keys: Mapping[int, bytes] | None = None,
        vital_keys: Mapping[int, bytes] | None = None,
        own_vital: Mapping[int, bytes] | None = None,
        device: Device | None = None,
        directory: Mapping[int, Peer] | None = None,
        suite: Suite = SUITE_1,
    ) -> None:
        if len(incident) != 16 or not 0 <= incarnation < 1 << 16 or not 0 < origin < 1 << 14:
            raise SealError("incident, origin or incarnation out of range")
        self.incident, self.origin, self.incarnation = incident, origin, incarnation
        self.suite = suite
        self.device = device
        self.safe_epoch = 0  # blocks of earlier epochs may be forged with keys that a revoked node still holds
        self._directory: dict[int, Peer] = dict(directory or {})
        if device is not None:
            self._directory.setdefault(origin, Peer(device.public, Role.MEMBER))
        self._epochs = Epochs()
        self._incarnations = Incarnations()
        self._incarnations.confirm(origin, incarnation)
        self._revoked: dict[int, Mapping[tuple[int, Lane], int]] = {}
        self._ciphers: dict[tuple[int, int, int], tuple[tuple[int, Aead], ...]] = {}
        self._pairs: dict[tuple[int, int], Aead] = {}
        self._hops: tuple[tuple[int, bytes], ...] = ()
        transits = transit_keys or {}
        for epoch in sorted({*field_keys, *transits}):
            field = field_keys.get(epoch)
            transit = transit_of(suite, incident, field) if field is not None else transits[epoch]
            vital, own = (vital_keys or {}).get(epoch), (own_vital or {}).get(epoch)
            self.add_epoch(epoch, EpochKeys(transit, field, vital, own))

    def __repr__(self) -> str:
        return f"Keyring(origin={self.origin}, incarnation={self.incarnation:04x}, suite={self.suite.number})"

    # what changes: epochs, roster, revocations

    def add_epoch(self, epoch: int, keys: EpochKeys) -> None:
        """Hold the keys of an epoch; the newest seals from now on."""
        self._epochs.add(epoch, keys)
        self._refresh()

    def drop_epochs(self, before: int) -> None:
        """Forget all keys of epochs below `before`."""
        self._epochs.drop(before)
        self._refresh()

    def _refresh(self) -> None:
        self._ciphers.clear()
        held = self._epochs.keys
        self._hops = tuple(
            (epoch, derive(self.suite, keys.transit, self.incident, b"hop"))
            for epoch in sorted(held, reverse=True)
            for keys in held[epoch]
        )

    @property
    def epoch(self) -> int:
        """The full epoch that seals."""
        return self._epochs.current

    @property
    def directory(self) -> Mapping[int, Peer]:
        """The certified nodes known."""
        return self._directory

    def admit(self, origin: int, peer: Peer) -> None:
        """Take a certified node into the directory, or its renewed key or role."""
        if self._directory.get(origin) != peer:
            self._directory[origin] = peer
            self._ciphers.clear()
            self._pairs.clear()

    def revoke(self, origin: int, last: Mapping[tuple[int, Lane], int]) -> None:
        """Mark what `origin` sent beyond its last trusted numbers, by (incarnation, lane), as quarantined."""
        self._revoked[origin] = dict(last)

    def trusted(self, block_id: BlockId) -> bool:
        """Whether revocation leaves this block believable."""
        last = self._revoked.get(block_id.origin)
        return last is None or block_id.number <= last.get((block_id.incarnation, block_id.lane), -1)

    # blocks

    def seal(self, block_id: BlockId, key_class: KeyClass, body: bytes, to: int | None = None) -> bytes:
        """Header, ciphertext and tag; `to` names the addressee of a pairwise block."""
        if block_id.origin != self.origin or block_id.incarnation != self.incarnation:
            raise SealError("only this node's own blocks can be sealed here")
        epoch = self._epochs.current
        header = Header(
            self.suite.number, block_id.lane, key_class, epoch & 15, self.incarnation & 15, self.origin, block_id.number
        ).encode()
        if key_class is KeyClass.PAIR:
            if to is None:
                raise SealError("a pairwise block needs an addressee")
            aead = self._pair(self.origin, to)
        else:
            aead = self._sealing(key_class, epoch)
        nonce = _nonce(block_id, key_class)
        return header + aead.seal(nonce, body, self._associated(header, self.incarnation))

    def open(self, block: bytes, incarnation: int | None) -> Opened:
        """The block's body and how far the seal proves its author; the full incarnation is found when not given."""
        try:
            header, at = Header.decode(block)
        except DecodeError as error:
            raise SealError(str(error)) from None
        if header.suite != self.suite.number:
            raise SealError(f"suite {header.suite} is not this incident's")
        ciphers = self._opening(header)
        if not ciphers:
            raise SealError("no key held for this origin, class and epoch")
        clear, sealed = block[:at], block[at:]
        for candidate in self._candidates(header, incarnation, len(block)):
            block_id = BlockId(header.origin, candidate, header.lane, header.number)
            nonce, associated = _nonce(block_id, header.key_class), self._associated(clear, candidate)
            for epoch, aead in ciphers:
                try:
                    body = aead.open(nonce, sealed, associated)
                except SealError:
                    continue
                self._incarnations.confirm(header.origin, candidate)
                return Opened(block_id, body, self._level(block_id, header.key_class, epoch))
        if header.key_class is KeyClass.PAIR:
            raise NotForUs("sealed for another node")
        raise SealError("tag does not hold")

    def readable(self, header: Header) -> bool:
        """Whether a key is held that such a block could open under; a pairwise one may still be another's."""
        return header.suite == self.suite.number and bool(self._opening(header))

    def learn(self, origin: int, incarnation: int) -> None:
        """Remember an incarnation heard of."""
        self._incarnations.learn(origin, incarnation & 0xFFFF)

    def _candidates(self, header: Header, incarnation: int | None, size: int) -> Iterator[int]:
        if incarnation is not None:
            if incarnation & 15 == header.incarnation and 0 <= incarnation < 1 << 16:
                yield incarnation
            return
        known = self._incarnations.known(header.origin, header.incarnation)
        yield from known
        yield from (
            other for other in self._incarnations.search(header.origin, header.incarnation, size) if other not in known
        )

    def _level(self, block_id: BlockId, key_class: KeyClass, epoch: int) -> Level:
        if not self.trusted(block_id):
            return Level.QUARANTINE
        if key_class is KeyClass.PAIR:
            return LEVEL_OF[self._directory[block_id.origin].role]
        return Level.MEMBER if epoch >= self.safe_epoch else Level.QUARANTINE

    def _associated(self, header: bytes, incarnation: int) -> bytes:
        return header + self.incident + incarnation.to_bytes(2, "big")

    def _opening(self, header: Header) -> tuple[tuple[int, Aead], ...]:
        """Ciphers that such a block may open under, newest epoch first; () when none is held."""
        wanted = (header.epoch, header.key_class, header.origin)
        found = self._ciphers.get(wanted)
        if found is None:
            found = self._ciphers[wanted] = tuple(self._find(*wanted))
        return found

    def _find(self, low: int, key_class: KeyClass, origin: int) -> Iterator[tuple[int, Aead]]:
        if origin not in self._directory:
            return
        if key_class is KeyClass.PAIR:
            if self.device is not None and origin != self.origin:
                yield 0, self._pair(origin, self.origin)
            return
        for epoch, keys in self._epochs.meant(low):
            key = self._class_key(keys, key_class, origin)
            if key is not None:
                yield epoch, self.suite.aead(key)

    def _class_key(self, keys: EpochKeys, key_class: KeyClass, origin: int) -> bytes | None:
        """The origin's key of a class, from whatever of the epoch this node holds."""
        if key_class is KeyClass.VITAL and origin == self.origin and keys.own_vital is not None:
            return keys.own_vital
        root = keys.field if key_class is KeyClass.FIELD else keys.vital
        if root is None:
            return None
        return origin_key(self.suite, self.incident, root, key_class, origin, self._directory[origin].public)

    def _sealing(self, key_class: KeyClass, epoch: int) -> Aead:
        header = Header(self.suite.number, Lane.FLASH, key_class, epoch & 15, 0, self.origin, 0)
        for held, aead in self._opening(header):
            if held == epoch:
                return aead
        raise SealError(f"no {key_class.name.lower()} key is held")

    # pairs of nodes

    def _pair(self, sender: int, receiver: int) -> Aead:
        """The AEAD from one node to another, of which this node is one."""
        if (sender, receiver) not in self._pairs:
            self._pairs[sender, receiver] = self.suite.aead(self._pair_key(sender, receiver, b"pair"))
        return self._pairs[sender, receiver]

    def _pair_key(self, sender: int, receiver: int, purpose: bytes) -> bytes:
        other = receiver if sender == self.origin else sender
        if self.device is None or other not in self._directory:
            raise SealError(f"no pairwise key with node {other}")
        ends = sender.to_bytes(2, "big") + receiver.to_bytes(2, "big")
        publics = {self.origin: self.device.public, other: self._directory[other].public}
        info = purpose + ends + self.suite.digest(publics[sender] + publics[receiver])
        return derive(self.suite, self.device.agree(publics[other]), self.incident, info)

    def enclose(self, block_id: BlockId, to: int, secret: bytes) -> bytes:
        """`secret` sealed for one node inside a block of our own that others may read; 8 bytes longer."""
        aead = self.suite.aead(self._pair_key(self.origin, to, b"enclosed"))
        return aead.seal(_nonce(block_id, KeyClass.PAIR), secret, self.incident)

    def disclose(self, block_id: BlockId, enclosed: bytes) -> bytes:
        """What the origin of `block_id` enclosed for this node."""
        aead = self.suite.aead(self._pair_key(block_id.origin, self.origin, b"enclosed"))
        return aead.open(_nonce(block_id, KeyClass.PAIR), enclosed, self.incident)

    # frames

    def mac(self, frame: bytes) -> bytes:
        """Hop MAC under the newest epoch's transit key."""
        if not self._hops:
            raise SealError("no transit key is held")
        return self.suite.mac(self._hops[0][1], frame)[:MAC]

    def check(self, frame: bytes) -> bytes:
        """The frame without its hop MAC; SealError when it is from outside, or from an epoch no longer safe."""
        return self._checked(frame, (key for epoch, key in self._hops if epoch >= self.safe_epoch))

    def check_late(self, frame: bytes) -> bytes:
        """As `check`, under the transit keys of epochs no longer safe: use only the fragments of blocks in such a frame."""
        return self._checked(frame, (key for epoch, key in self._hops if epoch < self.safe_epoch))

    def _checked(self, frame: bytes, keys: Iterable[bytes]) -> bytes:
        inner, mac = frame[:-MAC], frame[-MAC:]
        if len(mac) == MAC and any(hmac.compare_digest(self.suite.mac(key, inner)[:MAC], mac) for key in keys):
            return inner
        raise SealError("hop MAC does not hold")

    def prove(self, challenge: bytes) -> bytes:
        """16-byte keyed digest under the newest transit key: whoever answers it belongs to the incident."""
        if not self._hops:
            raise SealError("no transit key is held")
        return derive(self.suite, self._hops[0][1], self.incident, b"prove" + challenge)

    # signatures

    def sign(self, message: bytes) -> bytes:
        """64-byte signature by this node's device key."""
        if self.device is None:
            raise SealError("no device key is held")
        return self.device.sign(message)

    def verify(self, origin: int, message: bytes, signature: bytes) -> Level:
        """ORIGIN or COMMAND by the signer's certified role; a revoked node's signatures no longer hold."""
        if origin in self._revoked:
            raise SealError(f"node {origin} is revoked")
        return self._verified(origin, message, signature)

    def verify_block(self, block_id: BlockId, message: bytes, signature: bytes) -> Level:
        """As `verify`, for a signature over a block: it still holds up to a revoked node's last trusted number."""
        if not self.trusted(block_id):
            raise SealError(f"node {block_id.origin} is revoked")
        return self._verified(block_id.origin, message, signature)

    def _verified(self, origin: int, message: bytes, signature: bytes) -> Level:
        peer = self._directory.get(origin)
        if peer is None:
            raise SealError(f"node {origin} is not on the roster")
        self.suite.verify(peer.public, message, signature)
        return LEVEL_OF[peer.role]


def _nonce(block_id: BlockId, key_class: KeyClass) -> bytes:
    """12 bytes: origin, incarnation, lane and class, number; unique under a key because the id is."""
    origin, incarnation, lane, number = block_id
    return (origin << 80 | incarnation << 64 | (lane << 2 | key_class) << 56 | number).to_bytes(12, "big")

"""One node's keys for one incident, as a Sealer. docs/wire/seal.md has the bytes."""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping
from typing import Final

from hardware.errors import DecodeError, SealError
from sync.ids import BlockId, Content, Header, KeyClass, Lane, Level
from sync.seal.contract import SIGNATURE, TAG, NotForUs, Opened, Peer, Role
from sync.seal.epochs import EpochKeys, Epochs, origin_key, transit_of
from sync.seal.hops import Hops
from sync.seal.incarnations import Incarnations
from sync.seal.pairs import Pairs
from sync.seal.suite import SUITE_1, Aead, Device, Suite
from sync.seal.vouch import VOUCH, Vouches

LEVEL_OF: Final = {role: Level.COMMAND if role is Role.COMMAND else Level.ORIGIN for role in Role}
SIGNED_LANES: Final = frozenset((Lane.FLASH, Lane.COMMAND))
EMBEDDED: Final = bytes((Content.SIGNATURE, 0))  # a body that begins so carries its signature, then what was signed
HEADER: Final = 6  # bytes to reckon with: origins below 16384, numbers below 16384; each further 7 bits cost a byte


class Keyring:
    """Seals and opens blocks, MACs and checks frames, signs and verifies; raises SealError only.

    field_keys, transit_keys, vital_keys: 16-byte keys by full epoch; a transit key is needed only where no field key is
    held (a relay). own_vital: the one-way per-origin key by which a node without `vital_keys` seals its own vital signs.
    trust_key: the incident's lasting key for roster, revocations and re-keyings.
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
        trust_key: bytes | None = None,
    ) -> None:
        if len(incident) != 16 or not 0 <= incarnation < 1 << 16 or not 0 < origin < 1 << 14:
            raise SealError("incident, origin or incarnation out of range")
        self.incident, self.origin, self.incarnation = incident, origin, incarnation
        self.suite, self.device = suite, device
        self._trust_key = trust_key
        self._safe_epochs: frozenset[int] = frozenset()
        self._directory: dict[int, Peer] = dict(directory or {})
        if device is not None:
            self._directory.setdefault(origin, Peer(device.public, Role.MEMBER))
        self._pairs = Pairs(suite, incident, origin, device, self._directory)
        self._hops = Hops(suite, incident, trust_key)
        self._epochs = Epochs()
        self._vouches = Vouches(suite, incident, self._epochs, self._directory)
        self._incarnations = Incarnations()
        self._incarnations.confirm(origin, incarnation)
        self._revoked: dict[int, Mapping[tuple[int, Lane], int]] = {}
        self._ciphers: dict[tuple[int, int, int], tuple[tuple[int, Aead], ...]] = {}
        transits = transit_keys or {}
        for epoch in sorted({*field_keys, *transits}):
            field = field_keys.get(epoch)
            transit = transit_of(suite, incident, field) if field is not None else transits[epoch]
            vital, own = (vital_keys or {}).get(epoch), (own_vital or {}).get(epoch)
            self.add_epoch(epoch, EpochKeys(transit, field, vital, own))

    def __repr__(self) -> str:
        return f"Keyring(origin={self.origin}, incarnation={self.incarnation:04x}, suite={self.suite.number})"

    # what changes: epochs, roster, revocations

    @property
    def epoch(self) -> int:
        """The full epoch that seals; SealError when no key is held."""
        return self._epochs.current

    @property
    def directory(self) -> Mapping[int, Peer]:
        """The certified nodes known."""
        return self._directory

    def add_epoch(self, epoch: int, keys: EpochKeys) -> None:
        """Hold the keys of an epoch; the newest seals from now on."""
        self._epochs.add(epoch, keys)
        self._refresh()

    def _refresh(self) -> None:
        self._ciphers.clear()
        self._vouches.clear()
        self._hops.hold(self._epochs)

    def admit(self, origin: int, peer: Peer) -> None:
        """Take a certified node into the directory, or its new role."""
        if self._directory.get(origin) != peer:
            self._directory[origin] = peer
            self._ciphers.clear()
            self._vouches.clear()
            self._pairs.clear()

    def holds(self, epoch: int, keys: EpochKeys) -> bool:
        """Whether these keys of an epoch are held already."""
        return any(held.transit == keys.transit for held in self._epochs.keys.get(epoch, ()))

    @property
    def revoked(self) -> Mapping[int, Mapping[tuple[int, Lane], int]]:
        """Revoked origins and their last trusted numbers by (incarnation, lane)."""
        return self._revoked

    def enforce(self, revoked: Mapping[int, Mapping[tuple[int, Lane], int]], *safe_epochs: int) -> None:
        """Quarantine what revoked origins sent beyond their last trusted numbers, and whatever epochs before a safe one alone
        vouch for. safe_epochs: the first epochs that those revoked so far do not hold, as each revocation says."""
        self._revoked, self._safe_epochs = dict(revoked), frozenset(safe_epochs)

    @property
    def safe_epochs(self) -> frozenset[int]:
        """As last enforced, whether their keys have come or not."""
        return self._safe_epochs

    @property
    def safe_epoch(self) -> int:
        """The last safe epoch whose keys have come, or 0: until then the old ones are all there is."""
        newest = max(self._epochs.keys, default=0)
        return max((epoch for epoch in self._safe_epochs if epoch <= newest), default=0)

    def trusted(self, block_id: BlockId) -> bool:
        """Whether revocation leaves this block believable."""
        last = self._revoked.get(block_id.origin)
        return last is None or block_id.number <= last.get((block_id.incarnation, block_id.lane), -1)

    # blocks

    def seal(
        self, block_id: BlockId, key_class: KeyClass, body: bytes, to: int | None = None, signed: bool = True
    ) -> bytes:
        """Header, ciphertext, tag. Flash and command blocks carry their signature inside unless pairwise or `signed` is false,
        trust blocks always."""
        if block_id.origin != self.origin or block_id.incarnation != self.incarnation:
            raise SealError("only this node's own blocks can be sealed here")
        epoch = self._epochs.current
        header = Header(
            self.suite.number, block_id.lane, key_class, epoch & 15, self.incarnation & 15, self.origin, block_id.number
        ).encode()
        if _carries_signature(block_id.lane, key_class, signed):
            body = EMBEDDED + self.sign(self._statement(block_id, key_class, body)) + body
        aead = self._sealing(key_class, epoch) if key_class is not KeyClass.PAIR else self._to(to)
        return header + aead.seal(_nonce(block_id, key_class), body, self._associated(header, self.incarnation))

    def overhead(self, lane: Lane, key_class: KeyClass, signed: bool = True) -> int:
        """Bytes that sealing adds to a body while block numbers stay below 16384; 5 more at the very most."""
        return HEADER + TAG + (len(EMBEDDED) + SIGNATURE if _carries_signature(lane, key_class, signed) else 0)

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
                return self._opened(block_id, header.key_class, epoch, body)
        raise NotForUs("sealed for another") if header.key_class is KeyClass.PAIR else SealError("tag does not hold")

    def readable(self, header: Header) -> bool:
        """Whether a key is held that such a block could open under; a pairwise one may still be another's."""
        return header.suite == self.suite.number and bool(self._opening(header))

    def learn(self, origin: int, incarnation: int) -> None:
        """Remember an incarnation heard of."""
        self._incarnations.learn(origin, incarnation & 0xFFFF)

    def _candidates(self, header: Header, incarnation: int | None, size: int) -> Iterator[int]:
        low = header.incarnation
        if incarnation is not None:
            if incarnation & 15 == low and 0 <= incarnation < 1 << 16:
                yield incarnation
            return
        known = self._incarnations.known(header.origin, low)
        yield from known
        yield from (other for other in self._incarnations.search(header.origin, low, size) if other not in known)

    def _opened(self, block_id: BlockId, key_class: KeyClass, epoch: int, body: bytes) -> Opened:
        """The level that epoch, key class, revocation and a signature inside leave; SealError when that is false."""
        signature = None
        if body.startswith(EMBEDDED) and len(body) >= len(EMBEDDED) + SIGNATURE:
            signature, body = body[2 : 2 + SIGNATURE], body[2 + SIGNATURE :]
        if key_class is KeyClass.TRUST and signature is None:
            raise SealError("a trust block without signature")
        if not self.trusted(block_id):
            return Opened(block_id, body, Level.QUARANTINE)
        if signature is not None:
            level = self._verified(block_id.origin, self._statement(block_id, key_class, body), signature)
        elif key_class is KeyClass.PAIR:
            level = LEVEL_OF[self._directory[block_id.origin].role]
        else:
            level = Level.MEMBER if epoch >= self.safe_epoch else Level.QUARANTINE
        return Opened(block_id, body, level)

    def _associated(self, header: bytes, incarnation: int) -> bytes:
        return header + self.incident + incarnation.to_bytes(2, "big")

    def _statement(self, block_id: BlockId, key_class: KeyClass, body: bytes) -> bytes:
        """What the signature inside a block covers."""
        return b"sanduan block" + self.incident + _nonce(block_id, key_class) + body

    def _opening(self, header: Header) -> tuple[tuple[int, Aead], ...]:
        """Ciphers that such a block may open under with their epochs, newest first; () when none is held."""
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
                yield 0, self._pairs.cipher(origin, self.origin)
            return
        if key_class is KeyClass.TRUST:
            if self._trust_key is not None:
                yield 0, self.suite.aead(self._origin_key(self._trust_key, key_class, origin))
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
        return None if root is None else self._origin_key(root, key_class, origin)

    def _origin_key(self, root: bytes, key_class: KeyClass, origin: int) -> bytes:
        return origin_key(self.suite, self.incident, root, key_class, origin, self._directory[origin].public)

    def _sealing(self, key_class: KeyClass, epoch: int) -> Aead:
        header = Header(self.suite.number, Lane.FLASH, key_class, epoch & 15, 0, self.origin, 0)
        for held, aead in self._opening(header):
            if held == epoch or key_class is KeyClass.TRUST:
                return aead
        raise SealError(f"no {key_class.name.lower()} key is held")

    def _to(self, to: int | None) -> Aead:
        if to is None or to == self.origin:
            raise SealError("a pairwise block needs an addressee")
        return self._pairs.cipher(self.origin, to)

    # secrets for one node

    def enclose(self, to: int, salt: bytes, secret: bytes) -> bytes:
        """`secret` for one node's eyes, 8 bytes longer; `salt` (8 bytes or more, random) is never used for another secret."""
        return self._pairs.enclose(to, salt, secret)

    def disclose(self, sender: int, salt: bytes, enclosed: bytes) -> bytes:
        """What `sender` enclosed for this node."""
        return self._pairs.disclose(sender, salt, enclosed)

    # frames

    def mac(self, frame: bytes, trust: bool = False) -> bytes:
        """Hop MAC under the newest transit key; under the lasting trust key for a frame that carries nothing but fragments of
        trust blocks, so that it reaches nodes that missed a re-keying."""
        return self._hops.mac(frame, trust)

    def check(self, frame: bytes) -> bytes:
        """The frame without its hop MAC; SealError when it is from outside, or from an epoch no longer safe."""
        return self._hops.check(frame, self.safe_epoch)

    def check_late(self, frame: bytes) -> bytes:
        """As `check`, for the trust key and epochs no longer safe: only what proves itself counts in such a frame, fragments of
        blocks and signed end lists."""
        return self._hops.check_late(frame, self.safe_epoch)

    def prove(self, challenge: bytes) -> bytes:
        """16-byte answer to a challenge: whoever gives it was let into the incident once; what it may say, its frames' MACs tell."""
        return self._hops.prove(challenge)

    def vouch(self, message: bytes, to: int | None = None) -> bytes:
        """This node's word for a have-list, 4 bytes; b"" where no field key is held. to: only that node believes it, and no other
        member can make it; otherwise no relay can."""
        word = self._vouches.give(self.origin, message)
        if to is None or not word or self.device is None or to not in self._directory:
            return word
        return self._pairs.mac(self.origin, to, message)[: len(word)]

    def vouched_here(self, origin: int, message: bytes, word: bytes) -> bool:
        """Whether `origin` itself gave that word to this node; False at a relay, which waits for signed lists to pass on."""
        if origin in self._revoked or origin not in self._directory or self.device is None or not self.vouch(message):
            return False
        return hmac.compare_digest(self._pairs.mac(origin, self.origin, message)[:VOUCH], word)

    def vouched(self, origin: int, message: bytes, word: bytes) -> bool:
        """Whether `origin` gave that word; False as well where no field key is held, or it is revoked."""
        return origin not in self._revoked and self._vouches.holds(origin, message, word, self.safe_epoch)

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


def _carries_signature(lane: Lane, key_class: KeyClass, signed: bool) -> bool:
    if key_class is KeyClass.TRUST:
        return True
    return signed and lane in SIGNED_LANES and key_class is not KeyClass.PAIR


def _nonce(block_id: BlockId, key_class: KeyClass) -> bytes:
    """12 bytes: origin, incarnation, lane and class, number; unique under a key because the id is."""
    origin, incarnation, lane, number = block_id
    return (origin << 80 | incarnation << 64 | (lane << 2 | key_class) << 56 | number).to_bytes(12, "big")

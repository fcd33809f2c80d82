"""What a cipher suite offers; a node's incident pins exactly one, and nothing falls back to another.

Wire sizes are the same in every suite: symmetric keys 16 bytes, public keys and signatures 64 bytes, tags 8, digests 32.
"""

from __future__ import annotations

import hashlib
import hmac
from functools import lru_cache
from typing import Final, Protocol

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from hardware.errors import SealError

KEY: Final = 16  # bytes of a symmetric key
PUBLIC: Final = 64  # bytes of a device's public key
NONCE: Final = 12


class Aead(Protocol):
    """Authenticated encryption under one key; `open` raises SealError when the tag does not hold."""

    def seal(self, nonce: bytes, data: bytes, associated: bytes) -> bytes:
        """Ciphertext and 8-byte tag."""

    def open(self, nonce: bytes, data: bytes, associated: bytes) -> bytes:
        """The plaintext."""


class Device(Protocol):
    """A device's private key, in a file or in a module of its own; nothing here gives the key away."""

    public: bytes  # 64 bytes

    def sign(self, message: bytes) -> bytes:
        """64-byte signature."""

    def agree(self, public: bytes) -> bytes:
        """32-byte secret shared with the owner of `public`; SealError when that is no key."""


class Suite(Protocol):
    """Algorithms by one number. Also the interface that a certified module (SKF, SDF) is plugged in behind."""

    number: int
    name: str

    def aead(self, key: bytes) -> Aead:
        """An AEAD under a 16-byte key."""

    def digest(self, data: bytes) -> bytes:
        """32-byte hash."""

    def mac(self, key: bytes, data: bytes) -> bytes:
        """32-byte keyed hash; callers truncate."""

    def load(self, private: bytes) -> Device:
        """A device from its private key of 64 random bytes; SealError when the length is wrong."""

    def verify(self, public: bytes, message: bytes, signature: bytes) -> None:
        """SealError unless `signature` is `public`'s over `message`."""


def derive(suite: Suite, key: bytes, salt: bytes, info: bytes, length: int = KEY) -> bytes:
    """HKDF (RFC 5869) over the suite's keyed hash; up to 32 bytes, so one round of expansion."""
    return suite.mac(suite.mac(salt, key), info + b"\x01")[:length]


class _Ccm:
    """AES-128-CCM with an 8-byte tag (RFC 3610)."""

    __slots__ = ("_cipher",)

    def __init__(self, key: bytes) -> None:
        self._cipher = AESCCM(key, tag_length=8)

    def seal(self, nonce: bytes, data: bytes, associated: bytes) -> bytes:
        return self._cipher.encrypt(nonce, data, associated)

    def open(self, nonce: bytes, data: bytes, associated: bytes) -> bytes:
        try:
            return self._cipher.decrypt(nonce, data, associated)
        except InvalidTag:
            raise SealError("tag does not hold") from None


class _Edwards:
    """Ed25519 to sign, X25519 to agree; public key = both, in that order."""

    def __init__(self, private: bytes) -> None:
        if len(private) != 64:
            raise SealError("a private key has 64 bytes")
        self._sign = Ed25519PrivateKey.from_private_bytes(private[:32])
        self._agree = X25519PrivateKey.from_private_bytes(private[32:])
        self.public = self._sign.public_key().public_bytes_raw() + self._agree.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        return self._sign.sign(message)

    def agree(self, public: bytes) -> bytes:
        try:
            return self._agree.exchange(X25519PublicKey.from_public_bytes(public[32:]))
        except ValueError:
            raise SealError("not a public key") from None


class International:
    """Suite 1: AES-128-CCM-8, SHA-256, HMAC, HKDF, Ed25519, X25519."""

    number = 1
    name = "AES-CCM-8/Ed25519"

    def aead(self, key: bytes) -> Aead:
        """AES-128-CCM-8."""
        return _Ccm(key)

    def digest(self, data: bytes) -> bytes:
        """SHA-256."""
        return hashlib.sha256(data).digest()

    def mac(self, key: bytes, data: bytes) -> bytes:
        """HMAC-SHA-256."""
        return hmac.digest(key, data, "sha256")

    def load(self, private: bytes) -> Device:
        """Ed25519 seed (32 bytes), X25519 scalar (32 bytes)."""
        return _Edwards(private)

    def verify(self, public: bytes, message: bytes, signature: bytes) -> None:
        """Ed25519 (RFC 8032)."""
        if not _holds(public[:32], message, signature):
            raise SealError("signature does not hold")


@lru_cache(256)
def _holds(public: bytes, message: bytes, signature: bytes) -> bool:
    """What comes by two bearers, or to every node of a simulation, is verified once."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


SUITE_1: Final = International()

"""Suite 2 (国密): SM4-CCM with an 8-byte tag, SM3, HMAC-SM3, SM2. docs/guomi.md says what it can and cannot claim."""

from __future__ import annotations

import hmac
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hmac import HMAC

from hardware.errors import SealError
from sync.seal import sm2
from sync.seal.suite import NONCE, Aead, Device

_LENGTH: Final = 15 - NONCE  # bytes of CCM's length field
_ZERO: Final = bytes(16)


class Sm4Ccm:
    """SM4 in CCM mode (GB/T 36624, RFC 8998) of CBC and CTR, which `cryptography` has; the tag is 8 bytes unless told."""

    __slots__ = ("_flags", "_key", "_tag")

    def __init__(self, key: bytes, tag: int = 8) -> None:
        self._key, self._tag = algorithms.SM4(key), tag
        self._flags = bytes((64 | (tag - 2) // 2 << 3 | _LENGTH - 1,))

    def seal(self, nonce: bytes, data: bytes, associated: bytes) -> bytes:
        """Ciphertext and tag."""
        out = self._stream(nonce, self._check(nonce, data, associated) + data)
        return out[16:] + out[: self._tag]

    def open(self, nonce: bytes, data: bytes, associated: bytes) -> bytes:
        """The plaintext; SealError when the tag does not hold."""
        sealed, tag = data[: -self._tag], data[-self._tag :]
        out = self._stream(nonce, tag + bytes(16 - len(tag)) + sealed)
        body = out[16:]
        if len(tag) == self._tag and hmac.compare_digest(
            self._check(nonce, body, associated)[: self._tag], out[: self._tag]
        ):
            return body
        raise SealError("tag does not hold")

    def _stream(self, nonce: bytes, data: bytes) -> bytes:
        """CTR from counter 0, whose block masks the tag."""
        start = bytes((_LENGTH - 1,)) + nonce + bytes(_LENGTH)
        return Cipher(self._key, modes.CTR(start)).encryptor().update(data)

    def _check(self, nonce: bytes, data: bytes, associated: bytes) -> bytes:
        """CBC-MAC over flags, nonce, lengths, associated and data."""
        head = len(associated).to_bytes(2, "big") + associated
        blocks = self._flags + nonce + len(data).to_bytes(_LENGTH, "big") + head + bytes(-len(head) % 16)
        blocks += data + bytes(-len(data) % 16)
        return Cipher(self._key, modes.CBC(_ZERO)).encryptor().update(blocks)[-16:]


class Sm2Device:
    """One SM2 key that signs and agrees; public key = x | y."""

    def __init__(self, private: bytes) -> None:
        if len(private) != 64:
            raise SealError("a private key has 64 bytes")
        self._scalar = (int.from_bytes(private, "big") % (sm2.ORDER - 2) + 1).to_bytes(32, "big")
        self._key = sm2.private_key(self._scalar)
        self.public = sm2.multiply(self._scalar)

    def sign(self, message: bytes) -> bytes:
        """SM2 signature r | s over SM3."""
        return sm2.sign(self._key, message)

    def agree(self, public: bytes) -> bytes:
        """The shared point's x: static Diffie-Hellman on the SM2 curve, not the exchange of GB/T 32918.3."""
        return sm2.multiply(self._scalar, public)[:32]


class Guomi:
    """Suite 2: SM4-CCM-8, SM3, HMAC-SM3, SM2."""

    number = 2
    name = "SM4-CCM-8/SM2"

    def aead(self, key: bytes) -> Aead:
        """SM4-CCM-8."""
        return Sm4Ccm(key)

    def digest(self, data: bytes) -> bytes:
        """SM3."""
        digest = hashes.Hash(hashes.SM3())
        digest.update(data)
        return digest.finalize()

    def mac(self, key: bytes, data: bytes) -> bytes:
        """HMAC-SM3."""
        keyed = HMAC(key, hashes.SM3())
        keyed.update(data)
        return keyed.finalize()

    def load(self, private: bytes) -> Device:
        """A scalar reduced from 64 bytes."""
        return Sm2Device(private)

    def verify(self, public: bytes, message: bytes, signature: bytes) -> None:
        """SM2 over SM3 with the standard's user id."""
        sm2.verify(sm2.public_key(public), message, signature)


SUITE_2: Final = Guomi()

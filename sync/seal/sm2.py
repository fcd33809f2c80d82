"""SM2 (GB/T 32918) from the system's OpenSSL 3: signatures over SM3 with the standard's user id, and a shared point.

`cryptography` has no SM2. Keys are 32-byte scalars and 64-byte points x | y; signatures are r | s, 64 bytes. Every defect,
a missing library included, is a SealError.
"""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Callable
from ctypes import c_char_p, c_int, c_long, c_size_t, c_void_p
from functools import lru_cache
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from hardware.errors import SealError

ORDER: Final = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
USER_ID: Final = b"1234567812345678"  # GM/T 0009 clause 10: the id where none is agreed
_CURVE: Final = bytes.fromhex("301306072a8648ce3d020106082a811ccf5501822d")  # ecPublicKey, sm2p256v1
_PRIVATE: Final = bytes.fromhex("3041020100") + _CURVE + bytes.fromhex("042730250201010420")  # PKCS #8 up to the scalar
_PUBLIC: Final = bytes.fromhex("3059") + _CURVE + bytes.fromhex("03420004")  # SubjectPublicKeyInfo up to the point
_NID: Final = b"SM2"

_P, _PP = c_void_p, ctypes.POINTER(c_void_p)
_BYTES = ctypes.POINTER(c_char_p)
_CALLS: Final[dict[str, tuple[Any, tuple[Any, ...]]]] = {
    "OBJ_sn2nid": (c_int, (c_char_p,)),
    "d2i_AutoPrivateKey": (_P, (_PP, _BYTES, c_long)),
    "d2i_PUBKEY": (_P, (_PP, _BYTES, c_long)),
    "EVP_PKEY_free": (None, (_P,)),
    "EVP_MD_CTX_new": (_P, ()),
    "EVP_MD_CTX_free": (None, (_P,)),
    "EVP_sm3": (_P, ()),
    "EVP_DigestSignInit": (c_int, (_P, _PP, _P, _P, _P)),
    "EVP_DigestVerifyInit": (c_int, (_P, _PP, _P, _P, _P)),
    "EVP_PKEY_CTX_set1_id": (c_int, (_P, c_char_p, c_int)),
    "EVP_DigestSign": (c_int, (_P, c_char_p, ctypes.POINTER(c_size_t), c_char_p, c_size_t)),
    "EVP_DigestVerify": (c_int, (_P, c_char_p, c_size_t, c_char_p, c_size_t)),
    "ERR_clear_error": (None, ()),
    "BN_bin2bn": (_P, (c_char_p, c_int, _P)),
    "BN_clear_free": (None, (_P,)),
    "EC_GROUP_new_by_curve_name": (_P, (c_int,)),
    "EC_GROUP_free": (None, (_P,)),
    "EC_POINT_new": (_P, (_P,)),
    "EC_POINT_clear_free": (None, (_P,)),
    "EC_POINT_oct2point": (c_int, (_P, _P, c_char_p, c_size_t, _P)),
    "EC_POINT_point2oct": (c_size_t, (_P, _P, c_int, c_char_p, c_size_t, _P)),
    "EC_POINT_mul": (c_int, (_P, _P, _P, _P, _P, _P)),
}


@lru_cache(1)
def _crypto() -> ctypes.CDLL:
    """The system's libcrypto with the calls above declared."""
    try:
        library = ctypes.CDLL("libcrypto.so.3")
        for name, (result, arguments) in _CALLS.items():
            call = getattr(library, name)
            call.restype, call.argtypes = result, arguments
    except (OSError, AttributeError) as error:
        raise SealError(f"suite 2 needs OpenSSL 3 with SM2 on this machine: {error}") from None
    return library


class Key:
    """A private or public key inside OpenSSL; freed with the object."""

    def __init__(self, parse: str, der: bytes) -> None:
        library = _crypto()
        text = c_char_p(der)
        pointer = getattr(library, parse)(None, ctypes.byref(text), len(der))
        if not pointer:
            library.ERR_clear_error()
            raise SealError("not an SM2 key")
        self.pointer = pointer
        weakref.finalize(self, library.EVP_PKEY_free, pointer)


def private_key(scalar: bytes) -> Key:
    """From a 32-byte scalar in 1 … order - 2."""
    return Key("d2i_AutoPrivateKey", _PRIVATE + scalar)


@lru_cache(256)
def public_key(point: bytes) -> Key:
    """From x | y; SealError when it is not on the curve."""
    return Key("d2i_PUBKEY", _PUBLIC + point)


def _digesting(key: Key, start: str, act: Callable[[ctypes.CDLL, c_void_p], int]) -> int:
    """Run `act` in a digest context begun for `key` with the user id set; its result, 0 or less when it failed."""
    library = _crypto()
    context, inner = library.EVP_MD_CTX_new(), c_void_p()
    try:
        began = getattr(library, start)(context, ctypes.byref(inner), library.EVP_sm3(), None, key.pointer)
        if began != 1 or library.EVP_PKEY_CTX_set1_id(inner, USER_ID, len(USER_ID)) != 1:
            return 0
        return act(library, context)
    finally:
        library.EVP_MD_CTX_free(context)
        library.ERR_clear_error()


def sign(key: Key, message: bytes) -> bytes:
    """r | s over `message`."""
    out, size = ctypes.create_string_buffer(80), c_size_t(80)

    def act(library: ctypes.CDLL, context: c_void_p) -> int:
        return int(library.EVP_DigestSign(context, out, ctypes.byref(size), message, len(message)))

    if _digesting(key, "EVP_DigestSignInit", act) != 1:
        raise SealError("SM2 could not sign")
    r, s = decode_dss_signature(out.raw[: size.value])
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def verify(key: Key, message: bytes, signature: bytes) -> None:
    """SealError unless r | s holds over `message`."""
    if len(signature) != 64:
        raise SealError("signature does not hold")
    der = encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))

    def act(library: ctypes.CDLL, context: c_void_p) -> int:
        return int(library.EVP_DigestVerify(context, der, len(der), message, len(message)))

    if _digesting(key, "EVP_DigestVerifyInit", act) != 1:
        raise SealError("signature does not hold")


def multiply(scalar: bytes, point: bytes | None = None) -> bytes:
    """x | y of `scalar` times a point, or times the curve's generator; SealError for a point off the curve or at infinity."""
    library = _crypto()
    group = library.EC_GROUP_new_by_curve_name(library.OBJ_sn2nid(_NID))
    factor = library.BN_bin2bn(scalar, len(scalar), None)
    product, other = library.EC_POINT_new(group), library.EC_POINT_new(group)
    out = ctypes.create_string_buffer(65)
    try:
        if point is None:
            done = library.EC_POINT_mul(group, product, factor, None, None, None)
        else:
            done = library.EC_POINT_oct2point(group, other, b"\x04" + point, len(point) + 1, None)
            done = done and library.EC_POINT_mul(group, product, None, other, factor, None)
        if not done or library.EC_POINT_point2oct(group, product, 4, out, 65, None) != 65:
            raise SealError("not a public key")
        return out.raw[1:]
    finally:
        for pointer in (product, other):
            library.EC_POINT_clear_free(pointer)
        library.BN_clear_free(factor)
        library.EC_GROUP_free(group)
        library.ERR_clear_error()

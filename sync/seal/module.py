"""Cryptography in a module of its own, such as a certified SKF token or SDF card, behind lines of text. docs/guomi.md has the table.

    request = verb (" " hex | number)…          answer = "ok" (" " hex | number | word)… | "no" reason

One answer to each request, in order. Keys are handed over as the module understands them: a symmetric key as 16 bytes or as a
handle of 16 bytes that stands for one; a device key as 64 bytes from which, or for which, the module has one. `ModuleSuite` asks,
`Server` answers; neither knows how lines travel.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from hardware.errors import DecodeError, SealError
from sync.seal.contract import SIGNATURE
from sync.seal.suite import PUBLIC, Aead, Device, Suite

VERSION: Final = 1
LONGEST: Final = 1 << 20  # characters of a line
DIGEST: Final = 32
Ask = Callable[[str], str]  # sends a line, waits for the answer's; SealError when the module is gone or silent


class ModuleSuite:
    """A suite whose every secret operation is the module's. SealError with its reason when it refuses or talks nonsense."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        words = self._words("hello", str(VERSION))
        if len(words) != 2 or not words[0].isdecimal():
            raise SealError("the module's greeting makes no sense")
        self.number, self.name = int(words[0]), words[1]

    def aead(self, key: bytes) -> Aead:
        """The AEAD under a key or its handle."""
        return _ModuleAead(self, key)

    def digest(self, data: bytes) -> bytes:
        """32-byte hash."""
        return self.bytes("digest", data, size=DIGEST)

    def mac(self, key: bytes, data: bytes) -> bytes:
        """32-byte keyed hash."""
        return self.bytes("mac", key, data, size=DIGEST)

    def load(self, private: bytes) -> Device:
        """The device key that belongs to these 64 bytes."""
        return _ModuleDevice(self, private)

    def verify(self, public: bytes, message: bytes, signature: bytes) -> None:
        """SealError unless the module says that it holds."""
        self._words("verify", public.hex(), _hex(message), _hex(signature))

    def random(self, size: int) -> bytes:
        """Random bytes of the module's own generator."""
        return self.bytes("random", size.to_bytes(4, "big"), size=size)

    def bytes(self, verb: str, *values: bytes, size: int | None = None) -> bytes:
        """Ask with bytes for bytes."""
        words = self._words(verb, *map(_hex, values))
        try:
            (word,) = words
            answer = _unhex(word)
        except (ValueError, DecodeError):
            raise SealError(f"the module's answer to {verb} makes no sense") from None
        if size is not None and len(answer) != size:
            raise SealError(f"the module's answer to {verb} has {len(answer)} bytes, not {size}")
        return answer

    def _words(self, verb: str, *values: str) -> list[str]:
        state, *words = self._ask(" ".join((verb, *values))).split(" ")
        if state != "ok":
            raise SealError(" ".join(words)[:200] if state == "no" else f"the module's answer to {verb} makes no sense")
        return words


class _ModuleAead:
    __slots__ = ("_key", "_suite")

    def __init__(self, suite: ModuleSuite, key: bytes) -> None:
        self._suite, self._key = suite, key

    def seal(self, nonce: bytes, data: bytes, associated: bytes) -> bytes:
        return self._suite.bytes("seal", self._key, nonce, data, associated, size=len(data) + 8)

    def open(self, nonce: bytes, data: bytes, associated: bytes) -> bytes:
        return self._suite.bytes("open", self._key, nonce, data, associated, size=max(0, len(data) - 8))


class _ModuleDevice:
    def __init__(self, suite: ModuleSuite, private: bytes) -> None:
        self._suite, self._private = suite, private
        self.public = suite.bytes("public", private, size=PUBLIC)

    def sign(self, message: bytes) -> bytes:
        return self._suite.bytes("sign", self._private, message, size=SIGNATURE)

    def agree(self, public: bytes) -> bytes:
        return self._suite.bytes("agree", self._private, public, size=32)


class Server:
    """The module's side over a software suite: what a peer in tests speaks, and what a driver for real hardware is held to."""

    def __init__(self, suite: Suite, random: Callable[[int], bytes]) -> None:
        self._suite, self._random = suite, random
        self._verbs: Final[Mapping[str, tuple[int, Callable[..., str]]]] = {
            "digest": (1, lambda data: _hex(suite.digest(data))),
            "mac": (2, lambda key, data: _hex(suite.mac(key, data))),
            "seal": (4, lambda key, nonce, data, more: _hex(suite.aead(key).seal(nonce, data, more))),
            "open": (4, lambda key, nonce, data, more: _hex(suite.aead(key).open(nonce, data, more))),
            "public": (1, lambda private: _hex(suite.load(private).public)),
            "sign": (2, lambda private, message: _hex(suite.load(private).sign(message))),
            "agree": (2, lambda private, public: _hex(suite.load(private).agree(public))),
            "verify": (3, self._verify),
            "random": (1, lambda size: _hex(self._random(int.from_bytes(size[:4], "big") % LONGEST))),
        }

    def answer(self, line: str) -> str:
        """The answer to one line; whatever is wrong with it is told, and never a key."""
        verb, *words = line.rstrip("\r\n").split(" ")
        if verb == "hello":
            known = words == [str(VERSION)]
            return f"ok {self._suite.number} {self._suite.name}" if known else "no such version"
        count, act = self._verbs.get(verb, (-1, None))
        if act is None or len(words) != count:
            return "no such request"
        try:
            return f"ok {act(*map(_unhex, words))}".rstrip()
        except (SealError, DecodeError) as error:
            return f"no {error}"
        except ValueError:
            return "no: a value of the wrong length"

    def _verify(self, public: bytes, message: bytes, signature: bytes) -> str:
        self._suite.verify(public, message, signature)
        return ""


def _hex(data: bytes) -> str:
    return data.hex() or "-"


def _unhex(word: str) -> bytes:
    try:
        return b"" if word == "-" else bytes.fromhex(word)
    except ValueError:
        raise DecodeError("not hex") from None

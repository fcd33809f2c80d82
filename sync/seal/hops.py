"""The hop MAC: four bytes on every frame, under a transit key that relays hold too."""

from __future__ import annotations

import hmac
from collections.abc import Iterable

from hardware.errors import SealError
from sync.seal.contract import MAC
from sync.seal.epochs import Epochs
from sync.seal.suite import Suite, derive

PROOF: int = 16  # bytes of an answer to a challenge


class Hops:
    """MACs frames under the newest epoch, checks them under any that is held."""

    def __init__(self, suite: Suite, incident: bytes) -> None:
        self._suite, self._incident = suite, incident
        self._keys: tuple[tuple[int, bytes], ...] = ()

    def hold(self, epochs: Epochs) -> None:
        """Derive the MAC keys of these epochs, newest first."""
        self._keys = tuple(
            (epoch, derive(self._suite, keys.transit, self._incident, b"hop"))
            for epoch in sorted(epochs.keys, reverse=True)
            for keys in epochs.keys[epoch]
        )

    def mac(self, frame: bytes, epoch: int | None = None) -> bytes:
        """Under the newest epoch's key, or under that of `epoch`."""
        for held, key in self._keys:
            if epoch is None or held == epoch:
                return self._suite.mac(key, frame)[:MAC]
        raise SealError("no transit key is held")

    def check(self, frame: bytes, since: int, before: int = 1 << 62) -> bytes:
        """The frame without its MAC, if it holds under an epoch in since … before - 1."""
        keys = (key for epoch, key in self._keys if since <= epoch < before)
        return self._checked(frame[:-MAC], frame[-MAC:], keys)

    def _checked(self, inner: bytes, mac: bytes, keys: Iterable[bytes]) -> bytes:
        if len(mac) == MAC and any(hmac.compare_digest(self._suite.mac(key, inner)[:MAC], mac) for key in keys):
            return inner
        raise SealError("hop MAC does not hold")

    def prove(self, challenge: bytes) -> bytes:
        """16-byte answer to a challenge, which only a holder of the newest transit key can give."""
        if not self._keys:
            raise SealError("no transit key is held")
        return derive(self._suite, self._keys[0][1], self._incident, b"prove" + challenge, PROOF)

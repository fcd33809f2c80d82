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

    def __init__(self, suite: Suite, incident: bytes, trust_key: bytes | None) -> None:
        self._suite, self._incident = suite, incident
        self._trust = None if trust_key is None else derive(suite, trust_key, incident, b"hop")
        self._keys: tuple[tuple[int, bytes], ...] = ()

    def hold(self, epochs: Epochs) -> None:
        """Derive the MAC keys of these epochs, newest first."""
        self._keys = tuple(
            (epoch, derive(self._suite, keys.transit, self._incident, b"hop"))
            for epoch in sorted(epochs.keys, reverse=True)
            for keys in epochs.keys[epoch]
        )

    def mac(self, frame: bytes, trust: bool = False) -> bytes:
        """Under the newest epoch's key, or under the lasting trust key."""
        key = self._trust if trust else self._keys[0][1] if self._keys else None
        if key is None:
            raise SealError("no transit key is held")
        return self._suite.mac(key, frame)[:MAC]

    def check(self, frame: bytes, since: int) -> bytes:
        """The frame without its MAC, if it holds under epoch `since` or later."""
        return self._checked(frame[:-MAC], frame[-MAC:], (key for epoch, key in self._keys if epoch >= since))

    def check_late(self, frame: bytes, before: int) -> bytes:
        """The frame without its MAC, if it holds under the trust key or an epoch earlier than `before`."""
        late = [key for epoch, key in self._keys if epoch < before]
        return self._checked(frame[:-MAC], frame[-MAC:], late if self._trust is None else (self._trust, *late))

    def _checked(self, inner: bytes, mac: bytes, keys: Iterable[bytes]) -> bytes:
        for key in keys if len(mac) == MAC else ():
            if hmac.compare_digest(self._suite.mac(key, inner)[:MAC], mac):
                return inner
        raise SealError("hop MAC does not hold")

    def prove(self, challenge: bytes) -> bytes:
        """16-byte answer to a challenge, which only a node of the incident can give: under the lasting key, so that one that
        missed a re-keying can still connect and hear of it; without one, under the newest transit key."""
        key = self._trust or (self._keys[0][1] if self._keys else None)
        if key is None:
            raise SealError("no transit key is held")
        return derive(self._suite, key, self._incident, b"prove" + challenge, PROOF)

"""A member's word for its have-list: four bytes under a key of its own that members can derive and relays cannot."""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping
from typing import Final

from sync.ids import KeyClass
from sync.seal.contract import Peer
from sync.seal.epochs import Epochs, origin_key
from sync.seal.suite import Suite, derive

VOUCH: Final = 4  # bytes


class Vouches:
    """Gives and checks such words under the field keys that are held."""

    def __init__(self, suite: Suite, incident: bytes, epochs: Epochs, directory: Mapping[int, Peer]) -> None:
        self._suite, self._incident, self._epochs, self._directory = suite, incident, epochs, directory
        self._keys: dict[int, tuple[tuple[int, bytes], ...]] = {}

    def clear(self) -> None:
        """Keys or directory changed."""
        self._keys.clear()

    def give(self, origin: int, message: bytes) -> bytes:
        """Under the newest epoch's key; b"" where no field key is held."""
        for _, key in self._of(origin):
            return self._suite.mac(key, message)[:VOUCH]
        return b""

    def holds(self, origin: int, message: bytes, word: bytes, since: int) -> bool:
        """Whether `origin` gave this word under epoch `since` or later, as far as keys are held."""
        return len(word) == VOUCH and any(
            hmac.compare_digest(self._suite.mac(key, message)[:VOUCH], word)
            for epoch, key in self._of(origin)
            if epoch >= since
        )

    def _of(self, origin: int) -> tuple[tuple[int, bytes], ...]:
        found = self._keys.get(origin)
        if found is None:
            found = self._keys[origin] = tuple(self._derived(origin))
        return found

    def _derived(self, origin: int) -> Iterator[tuple[int, bytes]]:
        """Newest epoch first."""
        peer = self._directory.get(origin)
        if peer is None:
            return
        for epoch in sorted(self._epochs.keys, reverse=True):
            for held in self._epochs.keys[epoch]:
                if held.field is not None:
                    root = origin_key(self._suite, self._incident, held.field, KeyClass.FIELD, origin, peer.public)
                    yield epoch, derive(self._suite, root, self._incident, b"vouch")

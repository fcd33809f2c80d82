"""Keys that two nodes share and nobody else holds: static Diffie-Hellman between their device keys, one key per direction."""

from __future__ import annotations

from collections.abc import Mapping

from hardware.errors import SealError
from sync.seal.contract import Peer
from sync.seal.suite import NONCE, Aead, Device, Suite, derive


class Pairs:
    """One node's pairwise keys; `directory` is the keyring's own and may grow."""

    def __init__(
        self, suite: Suite, incident: bytes, origin: int, device: Device | None, directory: Mapping[int, Peer]
    ) -> None:
        self._suite, self._incident, self._origin = suite, incident, origin
        self._device, self._directory = device, directory
        self._ciphers: dict[tuple[int, int], Aead] = {}
        self._words: dict[tuple[int, int], bytes] = {}

    def clear(self) -> None:
        """Forget derived keys after a change of the directory."""
        self._ciphers.clear()
        self._words.clear()

    def cipher(self, sender: int, receiver: int) -> Aead:
        """For blocks from one node to another, of which this node is one."""
        if (sender, receiver) not in self._ciphers:
            self._ciphers[sender, receiver] = self._suite.aead(self._key(sender, receiver, b"pair"))
        return self._ciphers[sender, receiver]

    def mac(self, sender: int, receiver: int, message: bytes) -> bytes:
        """A keyed hash that only these two can make; SealError without their key."""
        if (sender, receiver) not in self._words:
            self._words[sender, receiver] = self._key(sender, receiver, b"vouch")
        return self._suite.mac(self._words[sender, receiver], message)

    def enclose(self, to: int, salt: bytes, secret: bytes) -> bytes:
        """`secret` sealed for one node, 8 bytes longer; `salt` (at least 8 random bytes) is never used for another secret."""
        return self._once(self._origin, to, salt).seal(bytes(NONCE), secret, self._incident)

    def disclose(self, sender: int, salt: bytes, enclosed: bytes) -> bytes:
        """What `sender` enclosed for this node; SealError when it was not for us, or altered."""
        return self._once(sender, self._origin, salt).open(bytes(NONCE), enclosed, self._incident)

    def _once(self, sender: int, receiver: int, salt: bytes) -> Aead:
        if len(salt) < 8:
            raise SealError("salt too short")
        return self._suite.aead(self._key(sender, receiver, b"enclosed" + salt))

    def _key(self, sender: int, receiver: int, purpose: bytes) -> bytes:
        other = receiver if sender == self._origin else sender
        if self._device is None or other not in self._directory:
            raise SealError(f"no pairwise key with node {other}")
        publics = {self._origin: self._device.public, other: self._directory[other].public}
        ends = sender.to_bytes(2, "big") + receiver.to_bytes(2, "big")
        info = purpose + ends + self._suite.digest(publics[sender] + publics[receiver])
        return derive(self._suite, self._device.agree(publics[other]), self._incident, info)

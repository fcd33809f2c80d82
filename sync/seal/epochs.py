"""Keys of an incident by epoch: what a re-keying adds, and which of them a header's four low bits may mean."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from hardware.errors import SealError
from sync.ids import KeyClass
from sync.seal.suite import KEY, Suite, derive


@dataclass(frozen=True, slots=True, repr=False)
class EpochKeys:
    """What one node holds of one epoch; 16 bytes each, None for what its role may not have.

    transit: checks hop MACs and reads nothing, one-way from `field`; vital: opens everyone's vital signs; own_vital: seals
    (and opens) this node's own, one-way from `vital`.
    """

    transit: bytes
    field: bytes | None = None
    vital: bytes | None = None
    own_vital: bytes | None = None

    def __post_init__(self) -> None:
        if any(key is not None and len(key) != KEY for key in (self.transit, self.field, self.vital, self.own_vital)):
            raise SealError(f"a key has {KEY} bytes")


def transit_of(suite: Suite, incident: bytes, field_key: bytes) -> bytes:
    """The transit key that belongs to a field key."""
    return derive(suite, field_key, incident, b"transit")


def origin_key(suite: Suite, incident: bytes, key: bytes, key_class: KeyClass, origin: int, public: bytes) -> bytes:
    """The key under which one origin seals one class: bound to its device key, so two devices never share nonces."""
    info = b"origin" + bytes((key_class,)) + origin.to_bytes(2, "big") + suite.digest(public)
    return derive(suite, key, incident, info)


@dataclass(slots=True, repr=False)
class Epochs:
    """Every epoch that this node holds keys of. Two re-keyings with one number (two commanders apart) live side by side;
    the one whose transit key sorts first seals, on every node alike."""

    keys: dict[int, tuple[EpochKeys, ...]] = field(default_factory=dict)

    def add(self, epoch: int, keys: EpochKeys) -> None:
        """Take the keys of an epoch; what was held stays."""
        rest = [held for held in self.keys.get(epoch, ()) if held.transit != keys.transit]
        self.keys[epoch] = tuple(sorted((*rest, keys), key=lambda held: held.transit))

    @property
    def current(self) -> int:
        """The epoch that seals; SealError when no key is held."""
        if not self.keys:
            raise SealError("no key of any epoch is held")
        return max(self.keys)

    @property
    def sealing(self) -> EpochKeys:
        """The keys that seal."""
        return self.keys[self.current][0]

    def meant(self, low: int) -> Iterator[tuple[int, EpochKeys]]:
        """Epochs with these four low bits, newest first."""
        for epoch in sorted(self.keys, reverse=True):
            if epoch & 15 == low:
                yield from ((epoch, keys) for keys in self.keys[epoch])

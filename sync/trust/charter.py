"""The incident's charter: its id, suite, name, fixed point and start, under the root's signature; known to every member."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from hardware.errors import DecodeError, SealError
from sync.codec.octets import Reader
from sync.ids import unzigzag, varint, zigzag
from sync.records import Anchor
from sync.seal.contract import SIGNATURE
from sync.seal.suite import Device, Suite
from sync.trust.certificate import Certificate, check
from sync.trust.wire import read_text, short_text

INCIDENT: Final = 16
TITLE: Final = 48  # bytes of an incident's name


@dataclass(frozen=True, slots=True)
class Charter:
    """What all nodes of an incident agree on for ever; `root` is the certificate that everything leads back to."""

    incident: bytes
    suite: int
    title: str
    anchor: Anchor
    root: Certificate
    signature: bytes = b""

    def body(self) -> bytes:
        """Everything but the signature."""
        numbers = (self.anchor.lat_e7, self.anchor.lon_e7, self.anchor.start_ms)
        place = b"".join(varint(zigzag(number)) for number in numbers)
        return self.incident + bytes((self.suite,)) + short_text(self.title, TITLE) + place + self.root.encode()

    def encode(self) -> bytes:
        """Body and signature."""
        return self.body() + self.signature

    @classmethod
    def read(cls, reader: Reader) -> Charter:
        """The next charter; DecodeError when malformed."""
        incident, suite, title = reader.take(INCIDENT), reader.take(1)[0], read_text(reader, TITLE)
        lat, lon, start = (unzigzag(reader.uint(1 << 62)) for _ in range(3))
        if abs(lat) > 900_000_000 or abs(lon) > 1_800_000_000:
            raise DecodeError("charter with an impossible place")
        root = Certificate.read(reader)
        return cls(incident, suite, title, Anchor(lat, lon, start), root, reader.take(SIGNATURE))

    def signed(self, device: Device) -> Charter:
        """This charter under the root's signature."""
        return replace(self, signature=device.sign(b"sanduan charter" + self.body()))

    def check(self, suite: Suite) -> None:
        """SealError unless the root signed it and itself, under the suite it names."""
        if suite.number != self.suite:
            raise SealError(f"incident {self.title} uses suite {self.suite}")
        check(self.root, self.root, self.incident, suite)
        suite.verify(self.root.public, b"sanduan charter" + self.body(), self.signature)

"""A receiver's bytes -> fixes; sans-IO. RDSS sentences on the same line are passed aside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

from hardware.errors import DecodeError
from hardware.gnss.epoch import Assembler, Fix
from hardware.gnss.framer import Framer
from hardware.gnss.sentences import read

# Short-message and terminal sentences of BeiDou 2.1 and BDS-3 (after talker BD; talker CC is always theirs).
RDSS: Final = frozenset(
    [
        "ICI",
        "ICZ",
        "BSI",
        "BSS",
        "TXA",
        "TXR",
        "FKI",
        "CXA",
        "HZR",
        "DWA",
        "DWR",
        "WAA",
        "ZTI",
        "JMS",
        "GXM",
        "PKY",
        "RMO",
        "ICP",
        "ICR",
        "TCQ",
        "TCI",
        "PWI",
        "SNR",
        "ZDX",
        "NPS",
        "COV",
        "MSS",
        "CIV",
        "MSG",
        "EPQ",
        "EPI",
        "PSQ",
    ]
)
_KINDS_KEPT: Final = 64


def is_rdss(body: bytes) -> bool:
    """Whether a body belongs to the RDSS terminal rather than to the positioning receiver."""
    return body[:2] == b"CC" or (body[:2] == b"BD" and body[2:5].decode("ascii", "replace") in RDSS)


class Receiver:
    """Bytes in, fixes out; nothing that comes in raises.

    aside: called with every RDSS body. Counters: framer.good, framer.bad, malformed, unknown (by address).
    """

    def __init__(self, aside: Callable[[bytes], None] | None = None) -> None:
        self.framer = Framer()
        self.malformed = 0
        self.unknown: Counter[bytes] = Counter()
        self._assembler = Assembler()
        self._aside = aside

    def feed(self, data: bytes, mono_ms: int = 0) -> Iterator[Fix]:
        """Take bytes read at `mono_ms` (this boot's monotonic ms); give the epochs that they complete."""
        for body in self.framer.feed(data):
            if is_rdss(body):
                if self._aside is not None:
                    self._aside(body)
                continue
            fix = self._sentence(body, mono_ms)
            if fix is not None:
                yield fix

    def _sentence(self, body: bytes, mono_ms: int) -> Fix | None:
        try:
            sentence = read(body)
        except DecodeError:
            self.malformed += 1
            return None
        if sentence is None:
            address = body.partition(b",")[0][:10]
            self.unknown[address if address in self.unknown or len(self.unknown) < _KINDS_KEPT else b"other"] += 1
            return None
        return self._assembler.add(sentence, mono_ms)

    def flush(self) -> Fix | None:
        """The epoch at hand, when the line has paused."""
        return self._assembler.flush()

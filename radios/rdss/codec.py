"""A terminal's bytes -> events, and events -> bytes, for all three wire families; sans-IO."""

from __future__ import annotations

from collections import Counter
from typing import Final

from hardware.errors import DecodeError
from radios.rdss import binary, sentences
from radios.rdss.events import Card, Event, Family, Nmea, Other, Query
from radios.rdss.framer import Frame, Framer

_KINDS_KEPT: Final = 64
_FAMILIES: Final = {b"BDICI": Family.V21, b"BDICP": Family.V3, b"CCICA": Family.V21, b"CCICR": Family.V3}


class Decoder:
    """Bytes in, events out; nothing that comes in raises. NMEA comes out as it stands.

    framer.good, framer.bad: checksums; malformed: right checksum, wrong content; unknown: RDSS sentences without a reader;
    card_family, query_family: how the last card information, and the last query, was spoken.
    """

    def __init__(self) -> None:
        self.framer = Framer()
        self.malformed = 0
        self.unknown: Counter[str] = Counter()
        self.card_family: Family | None = None
        self.query_family: Family | None = None

    def feed(self, data: bytes) -> list[Event]:
        """Take bytes as they come; give what they complete."""
        return [event for item in self.framer.feed(data) if (event := self._event(item)) is not None]

    def _event(self, item: bytes | Frame) -> Event | None:
        try:
            event = binary.read(item) if isinstance(item, Frame) else sentences.read(item)
        except DecodeError:
            self.malformed += 1
            return None
        if isinstance(event, Other):
            known = event.address in self.unknown or len(self.unknown) < _KINDS_KEPT
            self.unknown[event.address if known else "other"] += 1
        if isinstance(event, Card):
            self.card_family = _family(item)
        elif isinstance(event, Query):
            self.query_family = _family(item)
        return event


def _family(item: bytes | Frame) -> Family:
    return Family.V40 if isinstance(item, Frame) else _FAMILIES[item[:5]]


def encode(event: Event, family: Family) -> bytes:
    """The bytes that say `event` on a line of that family; KeyError when the family has no words for it."""
    if family is Family.V40 and not isinstance(event, Nmea):
        return binary.WRITERS[type(event)](event)
    return sentences.write(event, Family.V21 if family is Family.V40 else family)

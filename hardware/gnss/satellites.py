"""Which constellation a satellite belongs to and its number there, whatever numbering the receiver uses."""

from __future__ import annotations

from enum import Enum
from typing import Final


class Constellation(Enum):
    """Satellite systems; values are the words used in JSON."""

    GPS = "gps"
    GLONASS = "glonass"
    GALILEO = "galileo"
    BEIDOU = "beidou"
    QZSS = "qzss"
    NAVIC = "navic"
    SBAS = "sbas"


Satellite = tuple[Constellation, int]

TALKERS: Final = {
    b"GP": Constellation.GPS,
    b"GL": Constellation.GLONASS,
    b"GA": Constellation.GALILEO,
    b"GB": Constellation.BEIDOU,
    b"BD": Constellation.BEIDOU,
    b"PQ": Constellation.BEIDOU,
    b"GQ": Constellation.QZSS,
    b"QZ": Constellation.QZSS,
    b"GI": Constellation.NAVIC,
}
SYSTEM_IDS: Final = dict(enumerate(Constellation, start=1))  # NMEA 0183 4.11 system id; 1..6, SBAS has none
del SYSTEM_IDS[7]

# Numbers that name their constellation where the talker does not: first, last, constellation, what to subtract.
_RANGES: Final = (
    (1, 32, Constellation.GPS, 0),
    (33, 64, Constellation.SBAS, -87),
    (65, 99, Constellation.GLONASS, 64),
    (120, 158, Constellation.SBAS, 0),
    (193, 202, Constellation.QZSS, 192),
    (203, 263, Constellation.BEIDOU, 200),
    (301, 336, Constellation.GALILEO, 300),
    (401, 463, Constellation.BEIDOU, 400),
)
# What a receiver may have added to a BeiDou number: SkyTraq 200, NMEA 2.3 extensions 400, older chips 100.
_BEIDOU_OFFSETS: Final = (0, 200, 400, 100)


def beidou(number: int) -> int | None:
    """C01..C63 of any vendor's number, or None."""
    return next((number - offset for offset in _BEIDOU_OFFSETS if 1 <= number - offset <= 63), None)


def identify(number: int, system: Constellation | None) -> Satellite | None:
    """The satellite of a number under a talker's or system id's constellation (None: mixed); None if impossible.

    GPS sentences also carry SBAS and QZSS, hence the ranges; a Galileo or NavIC number is only freed of its offset.
    """
    if system is Constellation.BEIDOU:
        known = beidou(number)
        return None if known is None else (system, known)
    if system not in (None, Constellation.GPS):
        offset = 64 if system is Constellation.GLONASS else 192 if system is Constellation.QZSS else 300
        plain = number - offset if number > offset else number
        return (system, plain) if 1 <= plain <= 99 else None
    for first, last, constellation, offset in _RANGES:
        if first <= number <= last:
            return constellation, number - offset
    return None

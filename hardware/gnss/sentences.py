"""Sentence bodies -> typed sentences. pynmea2 splits and converts what it reads well; GSV has a reader of its own.

pynmea2 1.19 reads a void position as 0/0, raises from attributes, and has no field for signal and system ids.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Final

import pynmea2

from hardware.errors import DecodeError
from hardware.gnss.satellites import SYSTEM_IDS, TALKERS, Constellation, Satellite, identify

KNOT: Final = 1852 / 3600  # m/s
DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class Located:
    """GGA, GNS or RMC: time of day (ms), position (degrees, None when void), fix quality as in GGA (0 none).

    speed in m/s, course in degrees, alt and geoid in m; `day` only from RMC with status A.
    """

    kind: str
    tod_ms: int | None
    lat: float | None
    lon: float | None
    quality: int
    satellites: int | None = None
    hdop: float | None = None
    alt: float | None = None
    geoid: float | None = None
    speed: float | None = None
    course: float | None = None
    day: date | None = None


@dataclass(frozen=True, slots=True)
class Used:
    """GSA: fix mode 1..3, satellites used in the solution, dilution."""

    system: Constellation | None
    mode: int
    satellites: tuple[Satellite, ...]
    pdop: float | None
    hdop: float | None
    vdop: float | None


@dataclass(frozen=True, slots=True)
class InView:
    """One page of GSV: satellites in view under one talker and signal, with C/N0 in dB-Hz or None."""

    talker: bytes
    signal: int
    page: int
    pages: int
    satellites: tuple[tuple[Satellite, int | None], ...]


@dataclass(frozen=True, slots=True)
class Motion:
    """VTG: speed in m/s, true course in degrees."""

    speed: float | None
    course: float | None


@dataclass(frozen=True, slots=True)
class Dated:
    """ZDA: time of day (ms) and date, which may come from the receiver's own clock without a fix."""

    tod_ms: int | None
    day: date | None


@dataclass(frozen=True, slots=True)
class Accuracy:
    """GST: standard deviations in m."""

    tod_ms: int | None
    lat_m: float | None
    lon_m: float | None
    alt_m: float | None


Sentence = Located | Used | InView | Motion | Dated | Accuracy


# FAA mode indicator (NMEA 2.3) -> GGA quality; of several systems (GNS) the best counts.
_MODES: Final = {"N": 0, "A": 1, "D": 2, "P": 3, "R": 4, "F": 5, "E": 6, "M": 7, "S": 8}
_RANK: Final = (0, 6, 7, 8, 1, 2, 3, 5, 4)  # qualities from worst to best


def _number(message: pynmea2.NMEASentence, name: str) -> float | None:
    """A field as a finite number, or None; pynmea2 hands a string back where its conversion failed."""
    try:
        value = float(getattr(message, name))
    except (AttributeError, TypeError, ValueError):
        return None
    return value if abs(value) < 1e12 else None


def _tod(text: str) -> int | None:
    """`hhmmss[.sss]` -> ms of the day, a leap second included; None when empty."""
    if not text:
        return None
    whole, _, part = text.partition(".")
    if len(whole) != 6 or not (whole + part).isdecimal() or not text.isascii():
        raise DecodeError(f"time {text!r} is not hhmmss.sss")
    hour, minute, second = int(whole[:2]), int(whole[2:4]), int(whole[4:])
    if hour > 23 or minute > 59 or second > 60:
        raise DecodeError(f"time {text!r} is out of range")
    return ((hour * 60 + minute) * 60 + second) * 1000 + int(f"{part:0<3}"[:3])


def _day(year: float | None, month: float | None, day: float | None) -> date | None:
    if year is None or month is None or day is None:
        return None
    try:
        return date(int(year), int(month), int(day))
    except (ValueError, OverflowError):
        return None


def _position(message: pynmea2.NMEASentence) -> tuple[float, float] | None:
    """Degrees, or None where the receiver left the fields empty (pynmea2 alone would say 0/0)."""
    if not (message.lat and message.lon and message.lat_dir in ("N", "S") and message.lon_dir in ("E", "W")):
        return None
    try:
        lat, lon = message.latitude, message.longitude
    except ValueError as error:
        raise DecodeError(str(error)) from error
    if abs(lat) > 90 or abs(lon) > 180:
        raise DecodeError(f"position {lat}, {lon} is not on earth")
    return lat, lon


def _best(modes: str) -> int:
    return max((_MODES.get(mode, 0) for mode in modes), key=_RANK.index, default=0)


def _located(message: pynmea2.NMEASentence, quality: int, **more: float | date | None) -> Located:
    place = _position(message) if quality else None
    lat, lon = place or (None, None)
    sats = _number(message, "num_sats")
    return Located(
        message.sentence_type,
        _tod(message.data[0]),
        lat,
        lon,
        quality if place else 0,
        None if sats is None else int(sats),
        alt=_number(message, "altitude"),
        geoid=_number(message, "geo_sep"),
        **more,  # type: ignore[arg-type]
    )


def _gga(message: pynmea2.NMEASentence, talker: bytes) -> Sentence:
    quality = _number(message, "gps_qual") or 0
    if quality not in range(9):
        raise DecodeError(f"fix quality {quality} is not 0..8")
    return _located(message, int(quality), hdop=_number(message, "horizontal_dil"))


def _gns(message: pynmea2.NMEASentence, talker: bytes) -> Sentence:
    return _located(message, _best(message.mode_indicator), hdop=_number(message, "hdop"))


def _rmc(message: pynmea2.NMEASentence, talker: bytes) -> Sentence:
    valid = message.status == "A"
    text = message.data[8] if len(message.data) > 8 else ""
    day = None
    if valid and len(text) == 6 and text.isascii() and text.isdecimal():
        century = 1900 if int(text[4:]) >= 80 else 2000
        day = _day(century + int(text[4:]), int(text[2:4]), int(text[:2]))
    mode = message.mode_indicator
    quality = (_best(mode) if mode in _MODES else 1) if valid else 0
    speed = _number(message, "spd_over_grnd")
    return _located(
        message,
        quality,
        speed=None if speed is None else speed * KNOT,
        course=_number(message, "true_course"),
        day=day,
    )


def _gsa(message: pynmea2.NMEASentence, talker: bytes) -> Sentence:
    data = message.data
    system = TALKERS.get(talker)
    if len(data) == 18 and len(data[17]) == 1:  # NMEA 4.11; SiRF puts a decimal there
        system = SYSTEM_IDS.get(int(data[17], 16)) if data[17] in "123456" else system
    numbers = (int(text) for text in data[2:14] if text.isascii() and text.isdecimal())
    known = tuple(satellite for number in numbers if (satellite := identify(number, system)))
    mode = int(_number(message, "mode_fix_type") or 1)
    dilution = (_number(message, name) for name in ("pdop", "hdop", "vdop"))
    return Used(system, mode if mode in (1, 2, 3) else 1, known, *dilution)


def _vtg(message: pynmea2.NMEASentence, talker: bytes) -> Sentence:
    speed = _number(message, "spd_over_grnd_kmph")
    return Motion(None if speed is None else speed / 3.6, _number(message, "true_track"))


def _zda(message: pynmea2.NMEASentence, talker: bytes) -> Sentence:
    data = message.data
    if len(data[0]) == 1:  # RDSS 2.1 terminals put a mode before the time
        del data[0]
    year, month, day = (_number(message, name) for name in ("year", "month", "day"))
    return Dated(_tod(data[0] if data else ""), _day(year, month, day))


def _gst(message: pynmea2.NMEASentence, talker: bytes) -> Sentence:
    names = ("std_dev_latitude", "std_dev_longitude", "std_dev_altitude")
    return Accuracy(_tod(message.data[0]), *(_number(message, name) for name in names))


_READERS: Final[dict[bytes, Callable[[pynmea2.NMEASentence, bytes], Sentence]]] = {
    b"GGA": _gga,
    b"GNS": _gns,
    b"RMC": _rmc,
    b"GSA": _gsa,
    b"VTG": _vtg,
    b"ZDA": _zda,
    b"GST": _gst,
}


def _gsv(talker: bytes, fields: list[str]) -> InView:
    """Total and number of pages, satellites in view, four fields a satellite; a single one left over is the hex signal id."""
    cells = fields[3:]
    try:
        pages, page = int(fields[0]), int(fields[1])
        signal = int(cells.pop() or "0", 16) if len(cells) % 4 == 1 else 0
        rows = [cells[at : at + 4] for at in range(0, len(cells) - 3, 4)]
        numbered = [(int(row[0]), int(row[3]) if row[3] else None) for row in rows if row[0]]
    except (ValueError, IndexError) as error:
        raise DecodeError(f"GSV: {error}") from error
    if not 1 <= page <= pages <= 99:
        raise DecodeError(f"GSV: page {page} of {pages}")
    system = TALKERS.get(talker)
    known = ((identify(number, system), level) for number, level in numbered)
    return InView(talker, signal, page, pages, tuple((who, level) for who, level in known if who))


def read(body: bytes) -> Sentence | None:
    """The typed sentence of a checked body, None for a type that is not read; DecodeError when malformed."""
    address, _, rest = body.partition(b",")
    talker, kind = address[:2], address[2:]
    if kind != b"GSV" and kind not in _READERS:
        return None
    try:
        text = rest.decode("ascii")
        if kind == b"GSV":
            return _gsv(talker, text.split(","))
        standard = b"BD" if talker == b"PQ" else talker  # Quectel's PQ would be taken for a manufacturer's sentence
        message = pynmea2.parse(f"${standard.decode('ascii')}{kind.decode('ascii')},{text}")
        return _READERS[kind](message, talker)
    except (UnicodeDecodeError, pynmea2.ParseError, IndexError) as error:
        raise DecodeError(str(error)) from error

"""From GATT values to rows of observation profiles: what each number is worth, and null where nothing was measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, NamedTuple

from hardware.ble import gatt
from hardware.ble.gatt import Real
from hardware.kinds import Quality
from hardware.observation import PROFILE_NAMED, Column, Profile

HEART: Final = PROFILE_NAMED["heart"]
OXIMETER: Final = PROFILE_NAMED["oximeter"]
THERMOMETER: Final = PROFILE_NAMED["thermometer"]
PRESSURE: Final = PROFILE_NAMED["pressure"]
BATTERY: Final = PROFILE_NAMED["battery"]
RR_PER_ROW: Final = sum(column.meaning.name == "vital.rr" for column in HEART.columns)

_Cell = tuple[int | None, Quality]
_NOTHING: Final[_Cell] = (None, Quality.BAD)


class Reading(NamedTuple):
    """One row of a profile, ready to become an Observation."""

    profile: Profile
    values: tuple[int | None, ...]
    qualities: tuple[Quality, ...]


class _Bits(NamedTuple):
    """What some bits of a status word do to a value; `null` when there is no measurement behind it."""

    mask: int
    quality: Quality
    null: bool = False


def _mask(*bits: int) -> int:
    return sum(1 << bit for bit in bits)


# The first row whose mask meets the word decides.
_PLX_STATUS: Final = (  # PLXS 3.2.1.4
    _Bits(_mask(13, 15), Quality.BAD, null=True),  # measurement unavailable, invalid
    _Bits(_mask(10, 11), Quality.BAD),  # demonstration, testing
    _Bits(_mask(9), Quality.STALE),  # from the device's storage
    _Bits(_mask(12), Quality.CALIBRATING),
    _Bits(_mask(6, 14), Quality.SUSPECT),  # early estimate, questionable
)
_PLX_SENSOR: Final = (  # PLXS 3.2.1.5
    _Bits(_mask(11, 15), Quality.BAD, null=True),  # off the user, disconnected
    _Bits(_mask(1, 14), Quality.FAULT),  # equipment or sensor malfunction
    _Bits(_mask(2, 3, 4, 5, 6, 7, 8, 10, 12, 13), Quality.SUSPECT),  # weak, erratic, interference, displaced…
    _Bits(_mask(9), Quality.CALIBRATING),  # signal analysis going on
)
_CUFF: Final = (_Bits(_mask(0, 1, 5), Quality.SUSPECT),)  # BLS 3.1.1.8: movement, cuff loose, wrong position
_CUFF_PULSE: Final = (
    _Bits(_mask(3, 4), Quality.OVER_RANGE),
    _Bits(_mask(0, 1, 2, 5), Quality.SUSPECT),  # bit 2: irregular pulse
)
_ORDER: Final = (Quality.FAULT, Quality.BAD, Quality.OVER_RANGE, Quality.STALE, Quality.CALIBRATING, Quality.SUSPECT)


def _flag(word: int | None, table: tuple[_Bits, ...]) -> _Bits:
    return next((row for row in table if (word or 0) & row.mask), _Bits(0, Quality.GOOD))


def _worst(*qualities: Quality) -> Quality:
    return next((quality for quality in _ORDER if quality in qualities), Quality.GOOD)


def _cell(column: Column, real: Real | None, *flags: _Bits) -> _Cell:
    """A number in its column; out of the kind's plausible range is SUSPECT, more than an integer holds is OVER_RANGE.

    Where a kind cannot be zero, zero is how a device says that it has nothing.
    """
    kind = column.meaning
    if real is None or (real.value == 0 and kind.lo > 0):
        return _NOTHING
    if any(flag.null for flag in flags):
        return None, _worst(*(flag.quality for flag in flags))
    value = real.fixed(column.exponent)
    if real.value is None or value is None:
        return None, Quality.OVER_RANGE if real.value is not None else real.quality
    plausible = kind.lo <= real.value <= kind.hi
    return value, _worst(*(flag.quality for flag in flags), Quality.GOOD if plausible else Quality.SUSPECT)


def _row(profile: Profile, *cells: _Cell) -> Reading:
    return Reading(profile, tuple(value for value, _ in cells), tuple(quality for _, quality in cells))


def _whole(column: Column, value: int | None) -> _Cell:
    return _cell(column, None if value is None else Real(Fraction(value)))


def heart(value: bytes) -> Iterator[Reading]:
    """0x2A37 -> one `heart` row, and one more for every further three RR intervals."""
    beat = gatt.heart_rate(value)
    rate_column, contact_column, rr_column = HEART.columns[:3]
    worn = beat.contact is not False
    rate = _whole(rate_column, beat.rate if worn else None)
    contact = _whole(contact_column, beat.contact)
    intervals = [_cell(rr_column, Real(Fraction(1000 * rr, 1024))) for rr in beat.rr if worn]
    for start in range(0, max(1, len(intervals)), RR_PER_ROW):
        some = intervals[start : start + RR_PER_ROW]
        yield _row(HEART, rate, contact, *some, *[_NOTHING] * (RR_PER_ROW - len(some)))


def _oximeter(plx: gatt.PulseOximeter) -> Iterator[Reading]:
    flags = _flag(plx.status, _PLX_STATUS), _flag(plx.sensor, _PLX_SENSOR)
    spo2, pulse = OXIMETER.columns
    yield _row(OXIMETER, _cell(spo2, plx.spo2, *flags), _cell(pulse, plx.pulse, *flags))


def oximeter(value: bytes) -> Iterator[Reading]:
    """0x2A5F -> one `oximeter` row."""
    return _oximeter(gatt.plx_continuous(value))


def oximeter_spot(value: bytes) -> Iterator[Reading]:
    """0x2A5E -> one `oximeter` row."""
    return _oximeter(gatt.plx_spot_check(value))


def thermometer(value: bytes) -> Iterator[Reading]:
    """0x2A1C or 0x2A1E -> one `thermometer` row."""
    yield _row(THERMOMETER, _cell(THERMOMETER.columns[0], gatt.temperature(value).celsius))


def pressure(value: bytes) -> Iterator[Reading]:
    """0x2A35 -> one `pressure` row."""
    cuff = gatt.blood_pressure(value)
    flag = _flag(cuff.status, _CUFF)
    systolic, diastolic, pulse = PRESSURE.columns
    yield _row(
        PRESSURE,
        _cell(systolic, cuff.systolic, flag),
        _cell(diastolic, cuff.diastolic, flag),
        _cell(pulse, cuff.pulse, _flag(cuff.status, _CUFF_PULSE)),
    )


def battery(value: bytes) -> Iterator[Reading]:
    """0x2A19 -> one `battery` row."""
    yield _row(BATTERY, _whole(BATTERY.columns[0], gatt.battery(value)))


@dataclass(frozen=True, slots=True)
class Channel:
    """A characteristic that the driver knows: its 16-bit UUID, its name in a source, its parser.

    silent_s: how long a worn device may say nothing on it before it is stale; None where silence is normal.
    """

    uuid: int
    name: str
    read: Callable[[bytes], Iterator[Reading]]
    profile: Profile
    silent_s: float | None = None

    @property
    def stale(self) -> Reading:
        """The row that says: nothing came for too long."""
        width = len(self.profile.columns)
        return Reading(self.profile, (None,) * width, (Quality.STALE,) * width)


_CHANNELS: Final = (
    Channel(0x2A37, "hr", heart, HEART, silent_s=5),
    Channel(0x2A5F, "plx", oximeter, OXIMETER, silent_s=5),
    Channel(0x2A5E, "spot", oximeter_spot, OXIMETER),
    Channel(0x2A1C, "temp", thermometer, THERMOMETER, silent_s=120),
    Channel(0x2A1E, "temp", thermometer, THERMOMETER),
    Channel(0x2A35, "bp", pressure, PRESSURE),
    Channel(0x2A19, "battery", battery, BATTERY),
)
CHANNELS: Final[dict[int, Channel]] = {channel.uuid: channel for channel in _CHANNELS}

"""GATT characteristic values as the Bluetooth SIG lays them out (HRS 1.0, PLXS 1.0.1, HTS 1.0, BLS 1.1, BAS 1.0).

Bytes in, typed values out; little-endian. Truncated or over-long values raise DecodeError and nothing else does.
Extra bytes are accepted only behind a reserved flag, where a later revision of a service may have added a field.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, NamedTuple

from hardware.errors import DecodeError
from hardware.kinds import Quality

MAX_VALUE: Final = 512  # Core Specification, Vol 3 Part F, 3.2.9


@dataclass(frozen=True, slots=True)
class Real:
    """An IEEE 11073 number, exact; `value` is None for the special codes, and `quality` says which sort."""

    value: Fraction | None
    quality: Quality = Quality.GOOD

    def fixed(self, exponent: int) -> int | None:
        """The value in units of 10**exponent, rounded half to even; None when there is none or it leaves 32 bits."""
        if self.value is None:
            return None
        scaled = round(self.value / Fraction(10) ** exponent)
        return scaled if abs(scaled) < 2**31 else None

    def map(self, convert: Callable[[Fraction], Fraction]) -> Real:
        """The number in another unit; special codes stay as they are."""
        return self if self.value is None else Real(convert(self.value), self.quality)


class LocalTime(NamedTuple):
    """A device's calendar time without a zone (GATT Date Time, 0x2A08)."""

    year: int
    month: int
    day: int
    hour: int
    minute: int
    second: int


@dataclass(frozen=True, slots=True)
class HeartRate:
    """0x2A37: beats per minute; contact None when the strap cannot tell; energy in kJ; RR in 1/1024 s, oldest first."""

    rate: int
    contact: bool | None
    energy: int | None
    rr: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PulseOximeter:
    """0x2A5F or 0x2A5E: SpO2 in %, pulse in 1/min; the status words are None when the device sends none."""

    spo2: Real
    pulse: Real
    status: int | None = None
    sensor: int | None = None
    amplitude: Real | None = None
    time: LocalTime | None = None
    clock_set: bool = True
    fast: tuple[Real, Real] | None = None
    slow: tuple[Real, Real] | None = None


@dataclass(frozen=True, slots=True)
class Temperature:
    """0x2A1C or 0x2A1E, in degrees Celsius whatever the device sent; site is the Temperature Type, 0x2A1D."""

    celsius: Real
    time: LocalTime | None = None
    site: int | None = None


@dataclass(frozen=True, slots=True)
class BloodPressure:
    """0x2A35, in mmHg whatever the device sent; pulse in 1/min."""

    systolic: Real
    diastolic: Real
    mean: Real
    time: LocalTime | None = None
    pulse: Real | None = None
    user: int | None = None
    status: int | None = None


class _Cursor:
    """Reads little-endian fields off a value; reading past its end is a DecodeError."""

    def __init__(self, name: str, value: bytes) -> None:
        if len(value) > MAX_VALUE:
            raise DecodeError(f"{name}: {len(value)} bytes, at most {MAX_VALUE} are allowed")
        self.name, self.rest = name, bytes(value)

    def take(self, size: int) -> bytes:
        if len(self.rest) < size:
            raise DecodeError(f"{self.name}: {size} bytes wanted, {len(self.rest)} left")
        head, self.rest = self.rest[:size], self.rest[size:]
        return head

    def uint(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def end(self, reserved: int = 0) -> None:
        if self.rest and not reserved:
            raise DecodeError(f"{self.name}: {len(self.rest)} bytes too many")


def _special(bits: int, code: int) -> Real | None:
    """The IEEE 11073-20601 special codes of a `bits` wide mantissa."""
    top = 1 << (bits - 1)
    return {
        top - 1: Real(None, Quality.BAD),  # NaN
        top: Real(None, Quality.BAD),  # not at this resolution
        top + 1: Real(None, Quality.BAD),  # reserved
        top - 2: Real(None, Quality.OVER_RANGE),
        top + 2: Real(None, Quality.OVER_RANGE),
    }.get(code)


def _real(raw: int, mantissa_bits: int, exponent_bits: int) -> Real:
    if special := _special(mantissa_bits, raw):
        return special
    mantissa, exponent = raw & ((1 << mantissa_bits) - 1), raw >> mantissa_bits
    mantissa -= (mantissa >> (mantissa_bits - 1)) << mantissa_bits
    exponent -= (exponent >> (exponent_bits - 1)) << exponent_bits
    return Real(mantissa * Fraction(10) ** exponent)


def sfloat(value: bytes) -> Real:
    """A 16-bit SFLOAT: 4-bit exponent above a 12-bit mantissa, both two's complement, no bias."""
    cursor = _Cursor("SFLOAT", value)
    real = _sfloat(cursor)
    cursor.end()
    return real


def float32(value: bytes) -> Real:
    """A 32-bit FLOAT: 8-bit exponent above a 24-bit mantissa, both two's complement, no bias."""
    cursor = _Cursor("FLOAT", value)
    real = _real(cursor.uint(4), 24, 8)
    cursor.end()
    return real


def _sfloat(cursor: _Cursor) -> Real:
    return _real(cursor.uint(2), 12, 4)


def _sfloats(cursor: _Cursor) -> tuple[Real, Real]:
    return _sfloat(cursor), _sfloat(cursor)


def _time(cursor: _Cursor) -> LocalTime | None:
    """A Date Time field; None when the device does not know it or says what no calendar has."""
    time = LocalTime(cursor.uint(2), *cursor.take(5))
    known = time.year >= 1582 and 1 <= time.month <= 12 and 1 <= time.day <= 31
    return time if known and time.hour < 24 and time.minute < 60 and time.second < 60 else None


def heart_rate(value: bytes) -> HeartRate:
    """Heart Rate Measurement, 0x2A37 (HRS 3.1)."""
    cursor = _Cursor("heart rate", value)
    flags = cursor.uint(1)
    rate = cursor.uint(2 if flags & 1 else 1)
    contact = bool(flags & 2) if flags & 4 else None
    energy = cursor.uint(2) if flags & 8 else None
    rr: list[int] = []
    while flags & 16 and cursor.rest:
        rr.append(cursor.uint(2))
    cursor.end(flags & 0xE0)
    return HeartRate(rate, contact, energy, tuple(rr))


def plx_continuous(value: bytes) -> PulseOximeter:
    """PLX Continuous Measurement, 0x2A5F (PLXS 3.3)."""
    cursor = _Cursor("PLX continuous", value)
    flags = cursor.uint(1)
    spo2, pulse = _sfloats(cursor)
    fast = _sfloats(cursor) if flags & 1 else None
    slow = _sfloats(cursor) if flags & 2 else None
    status = cursor.uint(2) if flags & 4 else None
    sensor = cursor.uint(3) if flags & 8 else None
    amplitude = _sfloat(cursor) if flags & 16 else None
    cursor.end(flags & 0xE0)
    return PulseOximeter(spo2, pulse, status, sensor, amplitude, fast=fast, slow=slow)


def plx_spot_check(value: bytes) -> PulseOximeter:
    """PLX Spot-Check Measurement, 0x2A5E (PLXS 3.2)."""
    cursor = _Cursor("PLX spot-check", value)
    flags = cursor.uint(1)
    spo2, pulse = _sfloats(cursor)
    time = _time(cursor) if flags & 1 else None
    status = cursor.uint(2) if flags & 2 else None
    sensor = cursor.uint(3) if flags & 4 else None
    amplitude = _sfloat(cursor) if flags & 8 else None
    cursor.end(flags & 0xE0)
    return PulseOximeter(spo2, pulse, status, sensor, amplitude, time, clock_set=not flags & 16)


def temperature(value: bytes) -> Temperature:
    """Temperature Measurement, 0x2A1C, and Intermediate Temperature, 0x2A1E (HTS 3.1)."""
    cursor = _Cursor("temperature", value)
    flags = cursor.uint(1)
    real = _real(cursor.uint(4), 24, 8)
    time = _time(cursor) if flags & 2 else None
    site = cursor.uint(1) if flags & 4 else None
    cursor.end(flags & 0xF8)
    return Temperature(real.map(lambda f: (f - 32) * 5 / 9) if flags & 1 else real, time, site)


def blood_pressure(value: bytes) -> BloodPressure:
    """Blood Pressure Measurement, 0x2A35 (BLS 3.1)."""
    cursor = _Cursor("blood pressure", value)
    flags = cursor.uint(1)
    readings = [_sfloat(cursor) for _ in range(3)]
    if flags & 1:
        readings = [real.map(lambda kpa: kpa * 760_000 / 101_325) for real in readings]
    time = _time(cursor) if flags & 2 else None
    pulse = _sfloat(cursor) if flags & 4 else None
    user = cursor.uint(1) if flags & 8 else None
    status = cursor.uint(2) if flags & 16 else None
    cursor.end(flags & 0xE0)
    return BloodPressure(readings[0], readings[1], readings[2], time, pulse, user, status)


def battery(value: bytes) -> int | None:
    """Battery Level, 0x2A19: percent, or None for the values above 100 that the service reserves."""
    cursor = _Cursor("battery", value)
    percent = cursor.uint(1)
    cursor.end()
    return percent if percent <= 100 else None

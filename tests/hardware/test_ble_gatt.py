"""GATT values: the public vectors of the services' specifications, the rules of null and quality, and mutations."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware.ble import gatt
from hardware.ble.readings import CHANNELS, Reading
from hardware.errors import DecodeError
from hardware.kinds import Quality

GOOD, BAD, SUSPECT, STALE = Quality.GOOD, Quality.BAD, Quality.SUSPECT, Quality.STALE
SPO2_97_PULSE_72 = "6100" + "4800"


def read(uuid: int, value: str) -> list[Reading]:
    return list(CHANNELS[uuid].read(bytes.fromhex(value)))


def one(uuid: int, value: str) -> tuple[tuple[int | None, ...], tuple[Quality, ...]]:
    [reading] = read(uuid, value)
    return reading.values, reading.qualities


@pytest.mark.parametrize(
    ("raw", "value"),
    [("6100", "97"), ("d1f3", "97.7"), ("cff2", "71.9"), ("00f8", "-204.8"), ("01f8", "-204.7"), ("ff77", None)],
)
def test_sfloat_is_exact(raw: str, value: str | None) -> None:
    real = gatt.sfloat(bytes.fromhex(raw))
    assert real.value == (Fraction(value) if value else 2047 * Fraction(10) ** 7)


@pytest.mark.parametrize(
    ("raw", "quality"),
    [("ff07", BAD), ("0008", BAD), ("0108", BAD), ("fe07", Quality.OVER_RANGE), ("0208", Quality.OVER_RANGE)],
)
def test_sfloat_special_codes_are_no_numbers(raw: str, quality: Quality) -> None:
    assert gatt.sfloat(bytes.fromhex(raw)) == gatt.Real(None, quality)


@pytest.mark.parametrize(
    ("raw", "quality"),
    [
        ("ffff7f00", BAD),
        ("00008000", BAD),
        ("01008000", BAD),
        ("feff7f00", Quality.OVER_RANGE),
        ("02008000", Quality.OVER_RANGE),
    ],
)
def test_float_special_codes_are_no_numbers(raw: str, quality: Quality) -> None:
    assert gatt.float32(bytes.fromhex(raw)) == gatt.Real(None, quality)


def test_float_keeps_decimal_fractions() -> None:
    assert gatt.float32(bytes.fromhex("6c0100ff")).value == Fraction("36.4")
    assert gatt.float32(bytes.fromhex("6c0100ff")).fixed(-2) == 3640
    assert gatt.float32(bytes.fromhex("ffffff7e")).fixed(-2) is None, "ten to the 126th has no place in an integer"


def test_heart_rate_with_everything() -> None:
    assert gatt.heart_rate(bytes.fromhex("1e51d204f602f902")) == gatt.HeartRate(81, True, 1234, (758, 761))
    assert one(0x2A37, "1e51d204f602f902") == ((81, 1, 740, 743, None), (GOOD, GOOD, GOOD, GOOD, BAD))


@pytest.mark.parametrize(
    ("value", "values"),
    [
        ("0048", (72, None, None, None, None)),  # 8-bit, contact not supported
        ("0248", (72, None, None, None, None)),  # contact bit without the supported bit says nothing
        ("0648", (72, 1, None, None, None)),
        ("014800", (72, None, None, None, None)),  # 16-bit
        ("11480000040004", (72, None, 1000, 1000, None)),
    ],
)
def test_heart_rate_flags(value: str, values: tuple[int | None, ...]) -> None:
    got, qualities = one(0x2A37, value)
    assert got == values
    assert all((quality is GOOD) == (cell is not None) for cell, quality in zip(got, qualities, strict=True))


@pytest.mark.parametrize("value", ["0400", "0448", "14480004", "0000", "0600"])
def test_no_contact_or_zero_is_null(value: str) -> None:
    values, qualities = one(0x2A37, value)
    assert values[0] is None and qualities[0] is BAD
    assert values[2:] == (None, None, None)


def test_no_rr_interval_is_lost() -> None:
    rows = read(0x2A37, "1048" + "0004" * 8)
    assert [row.values for row in rows] == [
        (72, None, 1000, 1000, 1000),
        (72, None, 1000, 1000, 1000),
        (72, None, 1000, 1000, None),
    ]


def test_implausible_heart_rate_is_kept_and_suspect() -> None:
    assert one(0x2A37, "012c01") == ((300, None, None, None, None), (SUSPECT, BAD, BAD, BAD, BAD))


@pytest.mark.parametrize(
    ("flags", "rest", "quality", "null"),
    [
        ("00", "", GOOD, False),
        ("04", "2001", GOOD, False),  # ongoing, fully qualified
        ("04", "0080", BAD, True),  # invalid
        ("04", "0020", BAD, True),  # unavailable
        ("04", "0004", BAD, False),  # demonstration
        ("04", "0040", SUSPECT, False),  # questionable
        ("04", "0002", STALE, False),  # from storage
        ("04", "0010", Quality.CALIBRATING, False),
        ("08", "000800", BAD, True),  # sensor off the user
        ("08", "200000", SUSPECT, False),  # low perfusion
        ("08", "004000", Quality.FAULT, False),  # sensor malfunction
        ("08", "008000", BAD, True),  # disconnected
        ("0c", "0040" + "004000", Quality.FAULT, False),
    ],
)
def test_pulse_oximeter_status_becomes_quality(flags: str, rest: str, quality: Quality, null: bool) -> None:
    values, qualities = one(0x2A5F, flags + SPO2_97_PULSE_72 + rest)
    assert values == ((None, None) if null else (97, 72))
    assert qualities == (quality, quality)


def test_pulse_oximeter_fields_in_order() -> None:
    full = gatt.plx_continuous(bytes.fromhex("1f" + SPO2_97_PULSE_72 + "6000490062004a00" + "2000" + "010000" + "0af0"))
    assert full.fast is not None and full.fast[0].value == 96
    assert full.slow is not None and full.slow[1].value == 74
    assert (full.status, full.sensor) == (0x20, 1)
    assert full.amplitude is not None and full.amplitude.value == 1
    spot = gatt.plx_spot_check(bytes.fromhex("13" + SPO2_97_PULSE_72 + "ea070b18091e00" + "0001"))
    assert spot.time == gatt.LocalTime(2026, 11, 24, 9, 30, 0)
    assert (spot.status, spot.clock_set) == (0x100, False)


@pytest.mark.parametrize("raw", ["ff07", "0008", "0108"])
def test_oximeter_without_a_number_is_null(raw: str) -> None:
    assert one(0x2A5F, "00" + raw + "4800") == ((None, 72), (BAD, GOOD))


@pytest.mark.parametrize(
    ("value", "hundredths"),
    [
        ("006c0100ff", 3640),
        ("01da0300ff", 3700),  # 98.6 °F
        ("03da0300ff" + "ea070b18091e00", 3700),
        ("06750100ff" + "00000b18091e00" + "02", 3730),  # year unknown
        ("02750100ff" + "ea070d18091e00", 3730),  # month 13
        ("046c0100ff" + "09", 3640),
        ("00490e00fe", 3657),
    ],
)
def test_thermometer(value: str, hundredths: int) -> None:
    assert one(0x2A1C, value) == ((hundredths,), (GOOD,))
    assert one(0x2A1E, value) == ((hundredths,), (GOOD,))


def test_thermometer_time_and_site() -> None:
    ear = gatt.temperature(bytes.fromhex("06" + "6c0100ff" + "ea070b18091e00" + "03"))
    assert (ear.time, ear.site) == (gatt.LocalTime(2026, 11, 24, 9, 30, 0), 3)
    assert gatt.temperature(bytes.fromhex("02" + "6c0100ff" + "ea070d18091e00")).time is None


@pytest.mark.parametrize(
    ("value", "values", "qualities"),
    [
        ("00" + "780050005d00", (120, 80, None), (GOOD, GOOD, BAD)),
        ("04" + "780050005d00" + "4800", (120, 80, 72), (GOOD, GOOD, GOOD)),
        ("01" + "a0f06bf07cf0", (120, 80, None), (GOOD, GOOD, BAD)),  # 16.0, 10.7, 12.4 kPa
        ("14" + "780050005d00" + "4800" + "0100", (120, 80, 72), (SUSPECT, SUSPECT, SUSPECT)),  # movement
        ("14" + "780050005d00" + "4800" + "0400", (120, 80, 72), (GOOD, GOOD, SUSPECT)),  # irregular
        ("1e" + "ff07ff07ff07" + "ea070b18091e00" + "4800" + "01" + "0000", (None, None, 72), (BAD, BAD, GOOD)),
    ],
)
def test_blood_pressure(value: str, values: tuple[int | None, ...], qualities: tuple[Quality, ...]) -> None:
    assert one(0x2A35, value) == (values, qualities)


def test_battery() -> None:
    assert one(0x2A19, "57") == ((87,), (GOOD,))
    assert one(0x2A19, "00") == ((0,), (GOOD,))
    assert one(0x2A19, "ff") == ((None,), (BAD,))


VALID = {
    0x2A37: "1f5100d204f602f902",
    0x2A5F: "1f" + SPO2_97_PULSE_72 + "6000490062004a00" + "2000" + "010000" + "0af0",
    0x2A5E: "0f" + SPO2_97_PULSE_72 + "ea070b18091e00" + "0001" + "010000" + "0af0",
    0x2A1C: "066c0100ff" + "ea070b18091e00" + "02",
    0x2A35: "1e" + "780050005d00" + "ea070b18091e00" + "4800" + "01" + "0000",
    0x2A19: "57",
}


@pytest.mark.parametrize("uuid", VALID)
def test_every_truncation_and_every_extra_byte_is_refused(uuid: int) -> None:
    whole = bytes.fromhex(VALID[uuid])
    cuts = [cut for cut in range(len(whole)) if not (uuid == 0x2A37 and cut in (5, 7))]  # there an RR list ends
    for wrong in [*(whole[:cut] for cut in cuts), whole + b"\0", whole + bytes(600)]:
        with pytest.raises(DecodeError):
            list(CHANNELS[uuid].read(wrong))


@pytest.mark.parametrize("uuid", CHANNELS)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_decoders_are_total(uuid: int, data: st.DataObject) -> None:
    """Whatever the bytes: DecodeError, or rows in which a null is never GOOD and a number fits 32 bits."""
    seed = bytes.fromhex(VALID.get(uuid, VALID[0x2A1C]))
    value = bytearray(data.draw(st.one_of(st.just(seed), st.binary(max_size=24))))
    for _ in range(data.draw(st.integers(0, 3))):
        if value:
            value[data.draw(st.integers(0, len(value) - 1))] = data.draw(st.integers(0, 255))
    try:
        rows = list(CHANNELS[uuid].read(bytes(value)))
    except DecodeError:
        return
    assert rows
    for row in rows:
        assert row.profile is CHANNELS[uuid].profile
        assert len(row.values) == len(row.qualities) == len(row.profile.columns)
        for number, quality in zip(row.values, row.qualities, strict=True):
            assert number is not None or quality is not GOOD
            assert number is None or abs(number) < 2**31

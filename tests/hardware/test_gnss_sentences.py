"""Sentences that trip others: signal ids, talkers, void positions, numberings, dates; and rubbish through every reader."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware.clock import ClockQuality, ManualClock, Stamp
from hardware.errors import DecodeError
from hardware.gnss.epoch import Fix, iso
from hardware.gnss.framer import MAX_LINE, Framer, sentence
from hardware.gnss.observe import Observer, observe
from hardware.gnss.receiver import Receiver
from hardware.gnss.satellites import Constellation, beidou, identify
from hardware.gnss.sentences import Dated, InView, Located, Used, read
from hardware.gnss.trust import CONSISTENT
from hardware.kinds import Quality

BEIDOU, GPS, GALILEO, GLONASS = (
    Constellation.BEIDOU,
    Constellation.GPS,
    Constellation.GALILEO,
    Constellation.GLONASS,
)


def located(body: bytes) -> Located:
    found = read(body)
    assert isinstance(found, Located)
    return found


@pytest.mark.parametrize(
    "body",
    [
        b"GNGGA,120000.00,,,,,0,00,99.99,,M,,M,,",
        b"GNRMC,120000.00,V,,,,,,,241126,,,N",
        b"GNRMC,120000.00,V,3801.1,N,11057.1,E,,,241126,,,N",
        b"GNGNS,120000.00,,,,,NNNN,00,,,,,",
        b"GNGGA,,,,,,0,,,,,,,,",
    ],
)
def test_a_void_position_is_none_not_zero(body: bytes) -> None:
    one = located(body)
    assert (one.lat, one.lon, one.quality) == (None, None, 0)


@pytest.mark.parametrize("body", [b"GNRMC,,A,,,,,,,,,,A", b"GNRMC,120000,A,3801.1,N,11057.1,E,,,,,,A", b"GNZDA,,,,,,"])
def test_empty_dates_do_not_raise(body: bytes) -> None:
    found = read(body)
    assert isinstance(found, Located | Dated)
    assert found.day is None


@pytest.mark.parametrize("talker", [b"BD", b"GB", b"PQ"])
def test_talkers_of_beidou(talker: bytes) -> None:
    page = read(talker + b"GSV,1,1,02,07,45,120,38,22,30,200,,B")
    assert isinstance(page, InView)
    assert page.signal == 0xB
    assert page.satellites == (((BEIDOU, 7), 38), ((BEIDOU, 22), None))


def test_a_signal_id_is_no_satellite() -> None:
    """pynmea2 puts it into sv_prn_num_N when a page has fewer than four satellites (Knio/pynmea2#108)."""
    page = read(b"GPGSV,3,3,09,32,05,310,20,1")
    assert isinstance(page, InView)
    assert page.satellites == (((GPS, 32), 20),)


@pytest.mark.parametrize(
    ("number", "system", "satellite"),
    [
        (7, BEIDOU, (BEIDOU, 7)),
        (207, BEIDOU, (BEIDOU, 7)),
        (407, BEIDOU, (BEIDOU, 7)),
        (107, BEIDOU, (BEIDOU, 7)),
        (163, BEIDOU, (BEIDOU, 63)),
        (64, BEIDOU, None),
        (407, None, (BEIDOU, 7)),
        (33, GPS, (Constellation.SBAS, 120)),
        (68, None, (GLONASS, 4)),
        (4, GLONASS, (GLONASS, 4)),
        (303, None, (GALILEO, 3)),
        (0, None, None),
        (999, None, None),
    ],
)
def test_numbering(number: int, system: Constellation | None, satellite: tuple[Constellation, int] | None) -> None:
    assert identify(number, system) == satellite


def test_every_offset_gives_the_same_beidou() -> None:
    assert {beidou(number + offset) for number in (1, 63) for offset in (0, 100, 200, 400)} == {1, 63}


def test_the_system_id_of_gsa_decides() -> None:
    used = read(b"GNGSA,A,3,07,10,,,,,,,,,,,1.3,0.7,1.1,4")
    assert isinstance(used, Used)
    assert (used.system, used.satellites, used.hdop) == (BEIDOU, ((BEIDOU, 7), (BEIDOU, 10)), 0.7)


@pytest.mark.parametrize(
    "body",
    [
        b"GNGGA,126000.00,3801.1,N,11057.1,E,1,12,0.7,950,M,-28,M,,",
        b"GNGGA,120000.00,9901.1,N,11057.1,E,1,12,0.7,950,M,-28,M,,",
        b"GNGGA,120000.00,3801.1,N,19957.1,E,1,12,0.7,950,M,-28,M,,",
        b"GNGGA,120000.00,3801.1,N,11057.1,E,77,12,0.7,950,M,-28,M,,",
        b"GPGSV,1,2,09,32,05,310,20",
        b"GPGSV,x,1",
        "GNGGA,12000٣.00,,,,,0,,,,,,,,".encode(),
    ],
)
def test_what_is_malformed_is_refused(body: bytes) -> None:
    with pytest.raises(DecodeError):
        read(body)


def epoch(tod: str, day: str = "241126", valid: bool = True) -> bytes:
    place = "3801.10000,N,11057.10000,E" if valid else ",,,"
    return b"".join(
        sentence(body.encode())
        for body in (
            f"GNRMC,{tod},{'A' if valid else 'V'},{place},0.0,,{day},,,A",
            f"GNGGA,{tod},{place},{1 if valid else 0},12,0.7,950.0,M,-28.0,M,,",
        )
    )


def test_epochs_end_with_another_time_or_a_pause() -> None:
    receiver = Receiver()
    assert list(receiver.feed(epoch("120000.00"))) == []
    (fix,) = receiver.feed(epoch("120001.00"))
    assert fix.wall_ms is not None and iso(fix.wall_ms) == "2026-11-24T12:00:00.000Z"
    last = receiver.flush()
    assert last is not None and last.tod_ms == fix.tod_ms + 1000
    assert receiver.flush() is None


def test_midnight_takes_the_next_date_and_time_may_run_backwards() -> None:
    receiver = Receiver()
    stream = epoch("235959.00") + sentence(b"GNGGA,000000.00,3801.1,N,11057.1,E,1,12,0.7,950,M,-28,M,,")
    fixes = [*receiver.feed(stream + epoch("120000.00", "231126")), receiver.flush()]
    times = [iso(fix.wall_ms) for fix in fixes if fix is not None and fix.wall_ms is not None]
    assert times == ["2026-11-24T23:59:59.000Z", "2026-11-25T00:00:00.000Z", "2026-11-23T12:00:00.000Z"]


def test_a_clock_is_set_only_by_consistent_plausible_time() -> None:
    clock = ManualClock(100.0)
    observer, receiver = Observer(clock, "V1", "gnss0", True), Receiver()
    for second in range(CONSISTENT):  # a receiver that starts in 1980
        for fix in receiver.feed(epoch(f"00000{second}.00", "060180"), 100_000 + 1000 * second):
            observer.take(fix)
    assert clock.stamp().wall_ms is None
    stamps = []
    for second in range(CONSISTENT + 2):
        clock.now = 200.0 + second
        for fix in receiver.feed(epoch(f"12000{second}.00"), 200_000 + 1000 * second):
            stamps.append(observer.take(fix).time)
    assert stamps[-1].quality is ClockQuality.GNSS
    assert stamps[-1].wall_ms == date(2026, 11, 24).toordinal() * 86_400_000 - 719_163 * 86_400_000 + 43_203_000
    assert [stamp.wall_ms is None for stamp in stamps] == [True] * (len(stamps) - 2) + [False] * 2


def test_estimated_positions_are_suspect_and_impossible_values_null() -> None:
    stamp = Stamp(1, 0, None, ClockQuality.NONE)
    guessed = observe(Fix(0, 0, lat=38.0, lon=110.0, quality=6, mode=2), "V1", "gnss0", stamp)
    assert guessed.qualities[:2] == (Quality.SUSPECT, Quality.SUSPECT)
    wild = observe(Fix(0, 0, lat=38.0, lon=110.0, alt=99_999.0, quality=4, mode=3), "V1", "gnss0", stamp)
    assert wild.profile.name == "fix.rtk"
    assert (wild.values[2], wild.qualities[2]) == (None, Quality.OVER_RANGE)


BODIES = st.sampled_from([b"GNGGA", b"GNRMC", b"GNGNS", b"BDGSV", b"PQGSA", b"GNVTG", b"GNZDA", b"GNGST", b"BDZDA"])
CELLS = st.one_of(
    st.sampled_from(
        [b"", b"A", b"V", b"N", b"E", b"1", b"-1", b"99", b"120000.00", b"3801.1", b"1e400", b"nan", b"\xb2"]
    ),
    st.binary(max_size=8),
)


@given(st.lists(st.tuples(BODIES, st.lists(CELLS, max_size=22)), max_size=8))
@settings(max_examples=300, deadline=None)
def test_no_sentence_raises_and_every_fix_is_an_observation(rows: list[tuple[bytes, list[bytes]]]) -> None:
    receiver = Receiver()
    observer = Observer(ManualClock(5.0), "V1", "gnss0", True)
    stream = b"".join(sentence(b",".join([address, *cells])) for address, cells in rows)
    for fix in [*receiver.feed(stream), receiver.flush()]:
        if fix is not None:
            observer.take(fix)


@given(st.binary(max_size=600), st.integers(1, 64))
@settings(max_examples=150, deadline=None)
def test_noise_changes_nothing_for_what_follows(noise: bytes, size: int) -> None:
    framer = Framer()
    stream = noise + b"\n" + epoch("120000.00")
    bodies = [body for at in range(0, len(stream), size) for body in framer.feed(stream[at : at + size])]
    assert [body[:5] for body in bodies[-2:]] == [b"GNRMC", b"GNGGA"]


def test_an_endless_line_is_bounded() -> None:
    framer = Framer()
    for _ in range(100):
        framer.feed(b"$GNGGA" + bytes(4000))
    assert len(framer._rest) <= MAX_LINE and framer.dropped > 390_000

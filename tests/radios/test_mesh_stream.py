"""Framing of the Meshtastic stream and LoRa airtime: vectors, garbage, and the budget's promise for any hour."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radios.meshtastic.airtime import BY_NAME, WINDOW_S, AirBudget, longest_frame, on_air
from radios.meshtastic.stream import Framer, LogText, Payload, frame


def drain(framer: Framer) -> list[Payload | LogText]:
    events = []
    while (event := framer.next()) is not None:
        events.append(event)
    return events


def test_a_frame_is_start_length_payload() -> None:
    assert frame(b"\x18\x01") == b"\x94\xc3\x00\x02\x18\x01"
    with pytest.raises(ValueError, match="512"):
        frame(bytes(513))


def test_log_text_between_frames_is_told_apart() -> None:
    framer = Framer()
    framer.feed(b"INFO | boot\r\n" + frame(b"abc") + b"DEBUG | x\r\n" + frame(b""))
    assert drain(framer) == [LogText("INFO | boot"), Payload(b"abc"), LogText("DEBUG | x"), Payload(b"")]


def test_a_lying_length_costs_nothing_once_the_payload_is_rejected() -> None:
    framer = Framer()
    framer.feed(b"\x94\xc3\x00\x14\x08" + frame(b"first") + frame(b"second") + frame(b"third"))
    event = framer.next()
    assert event is not None and event != Payload(b"first")
    framer.reject()
    assert [event for event in drain(framer) if isinstance(event, Payload)][:2] == [
        Payload(b"first"),
        Payload(b"second"),
    ]


def test_an_impossible_length_is_a_false_start() -> None:
    framer = Framer()
    framer.feed(b"\x94\xc3\xff\xff" + frame(b"ok"))
    assert drain(framer)[-1] == Payload(b"ok")


@settings(max_examples=60)
@given(st.lists(st.binary(max_size=40), max_size=8), st.integers(1, 9), st.binary(max_size=30))
def test_any_cutting_gives_the_same_payloads(payloads: list[bytes], step: int, noise: bytes) -> None:
    noise = noise.replace(b"\x94", b"~")
    data = b"".join(noise + frame(payload) for payload in payloads)
    framer, found = Framer(), []
    for at in range(0, len(data), step):
        framer.feed(data[at : at + step])
        found += [event.data for event in drain(framer) if isinstance(event, Payload)]
    assert found == payloads


@settings(max_examples=60)
@given(st.binary(max_size=700))
def test_garbage_never_raises_and_never_grows(data: bytes) -> None:
    framer = Framer()
    for _ in range(3):
        framer.feed(data)
        drain(framer)
        framer.reject()
        drain(framer)


@pytest.mark.parametrize(
    ("preset", "long_ms", "short_ms"),
    [
        ("ShortTurbo", 102, None),
        ("ShortFast", 204, None),
        ("MediumFast", 642, 160),
        ("LongFast", 2157, 559),
        ("MediumSlow", 1181, None),
        ("LongModerate", 7900, None),
        ("LongSlow", 14300, None),
    ],
)
def test_airtime_is_semtechs(preset: str, long_ms: int, short_ms: int | None) -> None:
    """The figures of the firmware's own simulated radio for frames of 255 and 40 bytes."""
    assert BY_NAME[preset].airtime_us(255) / 1000 == pytest.approx(long_ms, rel=0.01)
    if short_ms is not None:
        assert BY_NAME[preset].airtime_us(40) / 1000 == pytest.approx(short_ms, rel=0.02)


@pytest.mark.parametrize(
    ("preset", "longest"),
    [("MediumFast", 231), ("MediumSlow", 178), ("LongTurbo", 107), ("LongFast", 63), ("LongSlow", 0)],
)
def test_longest_frame_in_one_second(preset: str, longest: int) -> None:
    assert longest_frame(BY_NAME[preset], 1_000_000, (2, 7)) == longest


def test_signing_firmware_costs_66_bytes_while_it_fits() -> None:
    assert on_air(100, True, (2, 8, 0)) == on_air(100, True, (2, 7, 11)) + 66
    assert on_air(200, True, (2, 8)) == 224
    assert on_air(100, False, (2, 8)) == 136
    assert on_air(231, True, (2, 8)) == 255


@settings(max_examples=25)
@given(st.floats(0.002, 0.5), st.integers(0, 2**32), st.integers(10, 231))
def test_no_hour_ever_sees_more_than_the_share(share: float, seed: int, payload: int) -> None:
    chance = random.Random(seed)
    air, now = AirBudget(share, 0.0), 0.0
    cost = min(BY_NAME[chance.choice(list(BY_NAME))].airtime_us(payload + 24), air.longest_us)
    assert air.take(air.longest_us + 1, 0.0) == math.inf
    taken: list[tuple[float, int]] = []
    while now < 3 * WINDOW_S and len(taken) < 4000:
        wait = air.take(cost, now)
        if wait == 0.0:
            taken.append((now, cost))
        now += min(wait, 7200.0) if chance.random() < 0.9 else chance.random() * 900
    start, spent = 0, 0
    for at, used in taken:
        spent += used
        while taken[start][0] <= at - WINDOW_S:
            spent -= taken[start][1]
            start += 1
        assert spent <= share * WINDOW_S * 1e6 + 1


def test_a_crowded_channel_slows_and_never_stops_us() -> None:
    free, crowded = AirBudget(0.25, 0.0), AirBudget(0.25, 0.0)
    for air in (free, crowded):
        assert air.take(air.left_us(0.0), 0.0) == 0.0
    crowded.crowding(60.0, 0.0)
    assert crowded.left_us(100.0) == pytest.approx(free.left_us(100.0) / 10, rel=0.01)
    assert crowded.left_us(100.0) > 0


def test_the_budget_survives_a_restart_and_gains_nothing_from_an_unknown_pause() -> None:
    air = AirBudget(0.25, 0.0)
    air.take(20_000_000, 0.0)
    kept = air.export(0.0, 1_800_000_000_000)
    for wall_ms, more in ((None, 0), (1_800_000_010_000, 2_400_000)):
        again = AirBudget(0.25, 500.0)
        again.restore(kept, 500.0, wall_ms)
        assert again.left_us(500.0) == pytest.approx(10_000_000 + more, rel=0.02)

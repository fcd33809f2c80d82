"""Simulated wearables and stations: plausible, the same for the same seed, counted exactly."""

from __future__ import annotations

import asyncio
import statistics
from collections import Counter
from itertools import pairwise

import pytest

from hardware.ble import gatt
from hardware.clock import ManualClock
from hardware.driver import Driver, Health, Heard
from hardware.errors import PortMissing
from hardware.kinds import Quality
from hardware.observation import PROFILE_NAMED, Observation
from hardware.sim.named import simulated
from hardware.sim.stations import STATIONS, SimStation
from hardware.sim.wearable_body import Body
from hardware.sim.wearables import SimWearable, float32, sfloat

HOUR = 3600


class Sink:
    """A driver context that counts."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.observations: list[Observation] = []
        self.state = Health.OFF

    def emit(self, observation: Observation) -> None:
        self.observations.append(observation)

    def heard(self, item: Heard) -> None:
        raise AssertionError(item)

    def health(self, state: Health, why: str = "") -> None:
        self.state = state


def collect(driver: Driver, seconds: float) -> Sink:
    """What a driver emits within some real seconds."""

    async def main() -> Sink:
        sink = Sink()
        task = asyncio.create_task(driver.run(sink))
        await asyncio.sleep(seconds)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return sink

    return asyncio.run(main())


@pytest.mark.parametrize("seed", range(6))
def test_a_body_is_plausible_for_an_hour(seed: int) -> None:
    body, seen = Body(seed), list[int | None]()
    charge = body.battery
    for _ in range(HOUR):
        body.step(1)
        assert 88 <= body.spo2 <= 100
        assert 35.5 <= body.celsius <= 39
        seen.append(body.pulse or None if body.worn else None)
        assert body.worn or not body.beats
    rates = [rate for rate in seen if rate is not None]
    assert all(45 <= rate <= 195 for rate in rates)
    assert max(rates) - min(rates) > 40, "work is felt"
    assert max(abs(b - a) for a, b in pairwise(seen) if a and b) <= 10, "and never at once while it is seen"
    assert seen.count(None) < HOUR // 5
    assert 3 <= charge - body.battery <= 7, "twenty hours on one charge"


def test_contact_is_lost_now_and_then() -> None:
    episodes = 0
    for seed in range(6):
        body, worn = Body(seed), True
        for _ in range(HOUR):
            body.step(1)
            episodes += worn and not body.worn
            worn = body.worn
    assert 10 <= episodes <= 50


def test_rr_intervals_are_the_heart_rate_and_vary() -> None:
    body = Body(3)
    beats, seconds = [], 0
    rest = []
    for _ in range(HOUR):
        body.step(1)
        if body.worn:
            beats += body.beats
            seconds += 1
        if body.worn and body.pulse < 80:
            rest += body.beats
    assert sum(beats) / 1024 == pytest.approx(seconds, rel=0.02), "the beats fill the time"
    steps = [(b - a) / 1.024 for a, b in pairwise(rest) if abs(b - a) < 200]
    assert 10 <= statistics.fmean(step * step for step in steps) ** 0.5 <= 100, "rMSSD at rest, in ms"


def test_the_same_seed_gives_the_same_bytes() -> None:
    def record(seed: int) -> list[list[tuple[int, bytes]]]:
        sim = SimWearable("P01", "P01", seed)
        return [sim.second() for _ in range(600)]

    assert record(5) == record(5)
    assert record(5) != record(6)


def test_encoders_meet_the_decoders() -> None:
    for value in (97, 100, 0, -3):
        assert gatt.sfloat(sfloat(value)).fixed(0) == value
    assert gatt.sfloat(sfloat(97.7, -1)).fixed(-1) == 977
    for celsius in (36.4, 41.99, -12.34):
        assert gatt.float32(float32(celsius)).fixed(-2) == round(celsius * 100)


def test_a_wearable_counts_exactly_what_it_emitted() -> None:
    driver = SimWearable("P03", "P03", seed=3, rate_s=0.001)
    sink = collect(driver, 0.6)
    assert driver.emitted == len(sink.observations) > 150
    assert sink.state is Health.UP
    sources = Counter(item.source for item in sink.observations)
    assert set(sources) == {"P03/hr", "P03/plx", "P03/temp", "P03/battery"}
    assert {item.subject for item in sink.observations} == {"P03"}
    for item in sink.observations:
        for value, quality in zip(item.values, item.qualities, strict=True):
            assert (value is None) == (quality is not Quality.GOOD)


def test_off_the_skin_is_null_in_every_vital() -> None:
    sim = SimWearable("P03", "P03", seed=3)
    sink, gone = Sink(), 0
    for _ in range(2000):
        for uuid, value in sim.second():
            sim._emit(uuid, value, sink)
    for item in sink.observations:
        if item.profile.name == "heart" and item.values[1] == 0:
            assert item.values == (None, 0, None, None, None)
            gone += 1
    assert gone > 10
    assert any(item.values == (None, None) for item in sink.observations if item.profile.name == "oximeter")


@pytest.mark.parametrize("profile", STATIONS)
def test_a_station_stays_in_its_kinds_ranges_and_moves(profile: str) -> None:
    station = SimStation("s", "S1", profile, seed=2)
    rows = [station.next() for _ in range(2000)]
    for column, values in zip(PROFILE_NAMED[profile].columns, zip(*rows, strict=True), strict=True):
        low, high = column.meaning.lo, column.meaning.hi
        assert all(low <= value * 10.0**column.exponent <= high for value in values), column.meaning.name
        assert len(set(values)) > 1, f"{column.meaning.name} never moves"
    again = SimStation("s", "S1", profile, seed=2)
    assert [again.next() for _ in range(2000)] == rows


def test_rain_only_adds_up() -> None:
    gauge = SimStation("g", "gauge2", "gauge", seed=4)
    totals = [gauge.next()[1] for _ in range(5000)]
    assert totals == sorted(totals) and totals[-1] > totals[0]


def test_a_station_counts_exactly_what_it_emitted() -> None:
    driver = SimStation("gas0", "G1", "gas4", rate_s=0.01)
    sink = collect(driver, 0.2)
    assert driver.emitted == len(sink.observations) > 5
    assert {(item.source, item.subject, item.profile.name) for item in sink.observations} == {("gas0", "G1", "gas4")}


def test_ports_name_simulators() -> None:
    assert isinstance(simulated("P03", "P03", "sim:wearable?seed=3"), SimWearable)
    assert isinstance(simulated("gas0", "G1", "sim:gas4?seed=1&rate_s=2"), SimStation)
    assert isinstance(simulated("P03", "P03", "sim:wearable"), SimWearable)


@pytest.mark.parametrize(
    "port",
    [
        "sim:toaster",
        "sim:wearable?seed=x",
        "sim:gas4?colour=1",
        "sim:gas4?rate_s=0",
        "sim:gas4?rate_s=nan",
        "sim:gas4?seed",
    ],
)
def test_a_wrong_port_says_what_there_is(port: str) -> None:
    with pytest.raises(PortMissing, match=r"there are|options are"):
        simulated("x", "x", port)

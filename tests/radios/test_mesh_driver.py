"""Packets of other radios as observations and things heard: fields, ages, signals, copies, rubbish."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from meshtastic.protobuf.mesh_pb2 import MeshPacket, Position, User, Waypoint
from meshtastic.protobuf.portnums_pb2 import PortNum
from meshtastic.protobuf.telemetry_pb2 import (
    AirQualityMetrics,
    DeviceMetrics,
    EnvironmentMetrics,
    HealthMetrics,
    LocalStats,
    PowerMetrics,
    Telemetry,
)

from hardware.clock import ClockQuality, Stamp
from hardware.driver import Health, Heard
from hardware.errors import DecodeError
from hardware.kinds import Quality
from hardware.observation import Observation
from hardware.virtual import VirtualClock, run_virtual
from radios.meshtastic.driver import MeshtasticDriver
from radios.meshtastic.fake import FakeRadio
from radios.meshtastic.fake_ports import in_memory
from radios.meshtastic.packets import PORTS, Reader, node_id, node_number
from radios.meshtastic.radio import Radio
from radios.meshtastic.team import Periods, Team

WALL_S = 1_800_000_000
NOW = Stamp(1, 5000, WALL_S * 1000, ClockQuality.GNSS)
READER = Reader("mesh0", {"!5d000001": "R1"})


def packet(port: PortNum.ValueType, payload: bytes, **more: object) -> MeshPacket:
    made = MeshPacket(to=0xFFFFFFFF, id=77, rx_rssi=-101, rx_snr=-3.25, hop_start=3, hop_limit=1, rx_time=WALL_S - 2)
    setattr(made, "from", 0x5D000001)
    made.decoded.portnum, made.decoded.payload = port, payload
    for name, value in more.items():
        setattr(made, name, value)
    return made


def only(made: MeshPacket) -> Observation:
    (item,) = READER.read(made, NOW)
    assert isinstance(item, Observation)
    return item


def named(item: Observation) -> dict[str, int | None]:
    return {column.meaning.name: value for column, value in zip(item.profile.columns, item.values)}


def test_a_position_carries_age_signal_and_packet() -> None:
    where = Position(latitude_i=301_500_001, longitude_i=1_191_000_002, altitude=320, time=WALL_S - 30, sats_in_view=9)
    item = only(packet(PortNum.POSITION_APP, where.SerializeToString()))
    assert (item.subject, item.source, item.time) == ("R1", "mesh0/!5d000001", NOW)
    assert named(item) == {
        "pos.lat": 301_500_001,
        "pos.lon": 1_191_000_002,
        "pos.alt": 3200,
        "pos.sats": 9,
        "mesh.packet": 77,
        "dev.rssi": -101,
        "dev.snr": -325,
        "mesh.hops": 2,
        "dev.age": 30,
    }


@pytest.mark.parametrize(
    "where", [Position(), Position(latitude_i=0, longitude_i=0), Position(latitude_i=301_500_001)], ids=str
)
def test_a_void_position_is_none(where: Position) -> None:
    assert READER.read(packet(PortNum.POSITION_APP, where.SerializeToString()), NOW) == []


def test_a_blurred_position_is_suspect_and_one_off_the_earth_is_null() -> None:
    blurred = Position(latitude_i=301_500_001, longitude_i=1_191_000_002, precision_bits=13)
    item = only(packet(PortNum.POSITION_APP, blurred.SerializeToString()))
    assert item.qualities[:2] == (Quality.SUSPECT, Quality.SUSPECT)
    far = Position(latitude_i=2_000_000_000, longitude_i=1)
    item = only(packet(PortNum.POSITION_APP, far.SerializeToString()))
    assert (item.values[0], item.qualities[0]) == (None, Quality.OVER_RANGE)


def test_an_unmeasured_signal_is_null_not_zero() -> None:
    where = Position(latitude_i=301_500_001, longitude_i=1_191_000_002).SerializeToString()
    values = named(only(packet(PortNum.POSITION_APP, where, rx_rssi=0, hop_start=0)))
    assert values["dev.rssi"] is values["dev.snr"] is values["mesh.hops"] is values["dev.age"] is None


@pytest.mark.parametrize(
    ("telemetry", "profile", "expected"),
    [
        (
            Telemetry(device_metrics=DeviceMetrics(battery_level=88, voltage=3.91, channel_utilization=7.26)),
            "mesh.device",
            {"dev.battery": 88, "pwr.voltage": 391, "mesh.channel_util": 73, "dev.uptime": None},
        ),
        (
            Telemetry(local_stats=LocalStats(uptime_seconds=60, channel_utilization=1.5)),
            "mesh.device",
            {"dev.uptime": 60, "mesh.channel_util": 15, "dev.battery": None},
        ),
        (
            Telemetry(
                environment_metrics=EnvironmentMetrics(temperature=-4.26, relative_humidity=81.6, wind_direction=0)
            ),
            "mesh.environment",
            {"met.temp": -43, "met.rh": 82, "met.wind_dir": 0, "met.pressure": None},
        ),
        (
            Telemetry(health_metrics=HealthMetrics(heart_bpm=93, spO2=97, temperature=36.81)),
            "mesh.health",
            {"vital.hr": 93, "vital.spo2": 97, "vital.temp": 3681},
        ),
        (
            Telemetry(health_metrics=HealthMetrics(heart_bpm=0, spO2=97)),
            "mesh.health",
            {"vital.hr": None, "vital.spo2": 97},
        ),
    ],
)
def test_telemetry(telemetry: Telemetry, profile: str, expected: dict[str, int | None]) -> None:
    item = only(packet(PortNum.TELEMETRY_APP, telemetry.SerializeToString()))
    assert item.profile.name == profile
    assert named(item).items() >= expected.items()


def test_each_power_channel_is_a_device_of_its_own() -> None:
    metrics = PowerMetrics(ch1_voltage=12.61, ch1_current=-250.0, ch3_voltage=5.0)
    items = READER.read(packet(PortNum.TELEMETRY_APP, Telemetry(power_metrics=metrics).SerializeToString()), NOW)
    found = {item.source: item.values[:2] for item in items if isinstance(item, Observation)}
    assert found == {"mesh0/!5d000001/ch1": (1261, -250), "mesh0/!5d000001/ch3": (500, None)}


@pytest.mark.parametrize(
    "telemetry",
    [Telemetry(), Telemetry(device_metrics=DeviceMetrics()), Telemetry(air_quality_metrics=AirQualityMetrics())],
)
def test_telemetry_that_measures_nothing_says_nothing(telemetry: Telemetry) -> None:
    assert READER.read(packet(PortNum.TELEMETRY_APP, telemetry.SerializeToString()), NOW) == []


def test_words_of_people() -> None:
    (text,) = READER.read(packet(PortNum.TEXT_MESSAGE_APP, "安4\x07\n人".encode(), to=0x5A4D0001), NOW)
    assert isinstance(text, Heard)
    assert (text.kind, text.sender, text.packet, text.age_s) == ("text", "!5d000001", 77, 2.0)
    assert text.body["text"] == "安4; 人"
    assert (text.body["to"], text.body["rssi"], text.body["hops"]) == ("!5a4d0001", -101, 2)
    (alert,) = READER.read(packet(PortNum.ALERT_APP, b"gas"), NOW)
    assert isinstance(alert, Heard)
    assert (alert.kind, alert.body["to"]) == ("alert", "")
    point = Waypoint(id=5, latitude_i=1, longitude_i=-2, name="集合点")
    (place,) = READER.read(packet(PortNum.WAYPOINT_APP, point.SerializeToString()), NOW)
    assert isinstance(place, Heard)
    assert (place.body["name"], place.body["lat_e7"], place.body["lon_e7"]) == ("集合点", 1, -2)
    user = User(long_name="一组组长", short_name="一长")
    (name,) = READER.read(packet(PortNum.NODEINFO_APP, user.SerializeToString()), NOW)
    assert isinstance(name, Heard)
    assert (name.kind, name.body["name"]) == ("name", "一组组长")


def test_other_ports_say_nothing() -> None:
    assert READER.read(packet(PortNum.PRIVATE_APP, b"frame"), NOW) == []


@settings(max_examples=150)
@given(st.sampled_from(sorted(PORTS)), st.binary(max_size=60))
def test_any_payload_gives_items_or_a_decode_error(port: PortNum.ValueType, payload: bytes) -> None:
    try:
        READER.read(packet(port, payload), NOW)
    except DecodeError:
        return


@pytest.mark.parametrize("text", ["", "!", "!0", "!123456789", "!xyz", "V2"])
def test_what_is_no_node_id(text: str) -> None:
    with pytest.raises(DecodeError):
        node_number(text)


def test_node_ids_go_both_ways() -> None:
    assert node_number(node_id(0xA1B2C3D4)) == 0xA1B2C3D4


class Context:
    """A driver's context that keeps everything."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.observations: list[Observation] = []
        self.things: list[Heard] = []
        self.states: list[Health] = []

    def emit(self, observation: Observation) -> None:
        self.observations.append(observation)

    def heard(self, item: Heard) -> None:
        self.things.append(item)

    def health(self, state: Health, why: str = "") -> None:
        self.states.append(state)


def test_what_six_members_emitted_is_what_the_driver_passes_on() -> None:
    """Debug text, unknown fields, copies and disorder on the stream: nothing lost, nothing twice."""

    async def main() -> None:
        clock = VirtualClock(asyncio.get_running_loop(), WALL_S * 1000)
        clock.set(WALL_S * 1000, ClockQuality.GNSS)
        faults = {"log_text": 0.3, "unknown_field": 0.3, "duplicate": 0.3, "reorder": 0.2, "corrupt": 0.05}
        fake = FakeRadio(clock, faults=faults, team=Team(clock, 6, seed=3, periods=Periods(environment=60.0)))
        driver = MeshtasticDriver("mesh0", Radio("mesh0", in_memory(fake), clock))
        context = Context(clock)
        tasks = [asyncio.create_task(driver.run(context)), asyncio.create_task(fake.run())]
        await asyncio.sleep(3600)
        fake.faults.clear()
        await asyncio.sleep(120)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert len(context.observations) == fake.observations > 1500
        keys = {(item.source.split("/")[1], item.values, item.profile.name) for item in context.observations}
        assert len(keys) == len(context.observations)
        texts = [item for item in context.things if item.kind == "text" and "\ufffd" not in str(item.body["text"])]
        assert len(texts) == fake.emitted["text"] > 100
        assert {item.body["name"] for item in context.things if item.kind == "name"} >= {"R1", "R6"}
        assert driver.corrupt > 0
        assert context.states[0] is Health.DOWN
        assert Health.UP in context.states

    run_virtual(main)

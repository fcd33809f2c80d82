"""Simulated members of a team, each with a radio: they walk, measure and talk, the same for the same seed."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from meshtastic.protobuf.mesh_pb2 import Data, HardwareModel, MeshPacket, NodeInfo, Position, User
from meshtastic.protobuf.portnums_pb2 import PortNum
from meshtastic.protobuf.telemetry_pb2 import DeviceMetrics, EnvironmentMetrics, HealthMetrics, Telemetry

from hardware.clock import Clock
from radios.meshtastic.packets import BROADCAST, node_id

FIRST_NUMBER: Final = 0x5D000001
METRES_PER_E7: Final = 0.011132  # of latitude
CENTRE: Final = (301_500_000, 1_191_000_000)
WORDS: Final = ("到达", "开始搜索", "无异常", "请求支援", "收到", "安4", "moving", "radio check")
HOPS: Final = 3


@dataclass(frozen=True, slots=True)
class Periods:
    """Seconds between a member's packets of a sort; 0 for never."""

    position: float = 15.0
    device: float = 60.0
    environment: float = 0.0
    health: float = 30.0
    text: float = 120.0


@dataclass(slots=True)
class Member:
    """One person with a radio."""

    number: int
    name: str
    random: random.Random
    lat: int
    lon: int
    heading: float = 0.0
    battery: float = 95.0
    heart: float = 90.0
    uptime: int = 0
    packets: int = 0

    def packet(self, sort: str, wall_s: int) -> MeshPacket:
        """The member's next packet of a sort named in Periods."""
        port, payload = SORTS[sort](self, wall_s)
        return self.wrap(port, payload)

    def wrap(self, port: PortNum.ValueType, payload: bytes, to: int = BROADCAST, request: int = 0) -> MeshPacket:
        """A packet of this member on any port; its ids count up from a start of its own."""
        self.packets += 1
        packet = MeshPacket(to=to, id=(self.number * 2654435761 + self.packets) & 0xFFFFFFFF or 1)
        setattr(packet, "from", self.number)
        packet.hop_limit = packet.hop_start = HOPS
        packet.decoded.CopyFrom(Data(portnum=port, payload=payload, request_id=request))
        return packet

    def info(self, heard_s: int) -> NodeInfo:
        """The entry of this member in a radio's node list."""
        user = User(id=node_id(self.number), long_name=self.name, short_name=self.name[-2:])
        user.hw_model = HardwareModel.PORTDUINO
        return NodeInfo(num=self.number, user=user, last_heard=heard_s)


def _position(member: Member, wall_s: int) -> tuple[PortNum.ValueType, bytes]:
    member.heading += member.random.gauss(0, 0.4)
    step = member.random.uniform(5, 20) / METRES_PER_E7
    member.lat += round(step * math.cos(member.heading))
    member.lon += round(step * math.sin(member.heading) / math.cos(math.radians(member.lat / 1e7)))
    height = 320 + round(20 * math.sin(member.heading))
    where = Position(latitude_i=member.lat, longitude_i=member.lon, altitude=height, time=wall_s, sats_in_view=11)
    return PortNum.POSITION_APP, where.SerializeToString()


def _device(member: Member, wall_s: int) -> tuple[PortNum.ValueType, bytes]:
    member.battery = max(member.battery - 0.05, 1.0)
    member.uptime += 60
    metrics = DeviceMetrics(battery_level=round(member.battery), voltage=3.2 + member.battery / 100)
    metrics.channel_utilization, metrics.air_util_tx = member.random.uniform(2, 9), 0.6
    metrics.uptime_seconds = member.uptime
    return PortNum.TELEMETRY_APP, Telemetry(time=wall_s, device_metrics=metrics).SerializeToString()


def _environment(member: Member, wall_s: int) -> tuple[PortNum.ValueType, bytes]:
    metrics = EnvironmentMetrics(temperature=member.random.gauss(27, 1), relative_humidity=82.0)
    metrics.barometric_pressure = member.random.gauss(985, 1)
    return PortNum.TELEMETRY_APP, Telemetry(time=wall_s, environment_metrics=metrics).SerializeToString()


def _health(member: Member, wall_s: int) -> tuple[PortNum.ValueType, bytes]:
    member.heart += 0.2 * (105 - member.heart) + member.random.gauss(0, 4)
    heart = min(max(round(member.heart), 55), 185)
    metrics = HealthMetrics(heart_bpm=heart, spO2=member.random.choice((96, 97, 98)), temperature=36.8)
    return PortNum.TELEMETRY_APP, Telemetry(time=wall_s, health_metrics=metrics).SerializeToString()


def _text(member: Member, wall_s: int) -> tuple[PortNum.ValueType, bytes]:
    return PortNum.TEXT_MESSAGE_APP, member.random.choice(WORDS).encode()


SORTS: Final[dict[str, Callable[[Member, int], tuple[PortNum.ValueType, bytes]]]] = {
    "position": _position,
    "device": _device,
    "environment": _environment,
    "health": _health,
    "text": _text,
}


@dataclass(slots=True)
class Team:
    """`count` members around `centre` (1e-7 degrees). `due` gives what they send as time goes on."""

    clock: Clock
    count: int
    seed: int = 1
    periods: Periods = field(default_factory=Periods)
    centre: tuple[int, int] = CENTRE
    first_number: int = FIRST_NUMBER
    members: list[Member] = field(init=False)
    _next: dict[tuple[int, str], float] = field(init=False)

    def __post_init__(self) -> None:
        chance = random.Random(self.seed)
        spread = round(300 / METRES_PER_E7)
        self.members = [
            Member(
                self.first_number + index,
                f"R{index + 1}",
                random.Random(chance.getrandbits(64)),
                self.centre[0] + chance.randint(-spread, spread),
                self.centre[1] + chance.randint(-spread, spread),
                chance.uniform(0, math.tau),
            )
            for index in range(self.count)
        ]
        now = self.clock.mono()
        rows = [(index, sort, getattr(self.periods, sort)) for index in range(self.count) for sort in SORTS]
        self._next = {(index, sort): now + chance.random() * period for index, sort, period in rows if period > 0}

    def due(self) -> Iterator[tuple[Member, MeshPacket]]:
        """The packets whose time has come, in order of it."""
        now = self.clock.mono()
        wall_s = (self.clock.stamp().wall_ms or 0) // 1000
        for (index, sort), at in sorted(self._next.items(), key=lambda item: (item[1], item[0])):
            if at <= now:
                self._next[index, sort] = max(at + getattr(self.periods, sort), now)
                yield self.members[index], self.members[index].packet(sort, wall_s)

    def wait_s(self) -> float:
        """Seconds until the next packet is due; a minute when nobody will ever speak."""
        return max(min(self._next.values(), default=self.clock.mono() + 60.0) - self.clock.mono(), 0.0)

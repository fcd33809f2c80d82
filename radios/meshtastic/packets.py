"""Packets of other radios as observations and things heard; one table row for each field. Total: only DecodeError leaves."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from google.protobuf.message import DecodeError as ProtobufError
from google.protobuf.message import Message
from meshtastic.protobuf.mesh_pb2 import MeshPacket, NodeInfo, Position, User, Waypoint
from meshtastic.protobuf.portnums_pb2 import PortNum
from meshtastic.protobuf.telemetry_pb2 import Telemetry

from hardware.clock import Stamp
from hardware.driver import Heard, plain
from hardware.errors import DecodeError
from hardware.kinds import Quality
from hardware.observation import PROFILE_NAMED, Column, Observation

BROADCAST: Final = 0xFFFFFFFF
LONGEST_AGE_S: Final = 30 * 86_400  # an older claim says that a clock is wrong
FULL_PRECISION: Final = 32  # bits; a channel may blur positions to fewer

M = TypeVar("M", bound=Message)
Value = tuple[int | None, Quality]
ABSENT: Final[Value] = (None, Quality.BAD)


def node_id(number: int) -> str:
    """A node's number as Meshtastic writes it: !a1b2c3d4."""
    return f"!{number:08x}"


def node_number(text: str) -> int:
    """The number behind !a1b2c3d4; DecodeError when it is none."""
    try:
        number = int(text.removeprefix("!"), 16)
    except ValueError as error:
        raise DecodeError(f"{text!r} is no Meshtastic node id") from error
    if not 0 < number <= BROADCAST:
        raise DecodeError(f"{text!r} is no Meshtastic node id")
    return number


def parse(kind: type[M], data: bytes) -> M:
    """`data` as a protobuf message of `kind`; DecodeError when it is none."""
    message = kind()
    try:
        message.ParseFromString(data)
    except ProtobufError as error:
        raise DecodeError(f"no {kind.__name__}: {error}") from error
    return message


def quantise(value: float, column: Column) -> Value:
    """A real value as the column's integer; NaN, infinities and what is out of the kind's range become null."""
    if not math.isfinite(value):
        return ABSENT
    if not column.meaning.lo <= value <= column.meaning.hi:
        return None, Quality.OVER_RANGE
    return round(value * 10**-column.exponent), Quality.GOOD


@dataclass(frozen=True, slots=True)
class Row:
    """One column's source: a field of the message, and the factor from its unit to the kind's."""

    kind: str
    source: str
    factor: float = 1.0


DEVICE: Final = (
    Row("dev.battery", "battery_level"),
    Row("pwr.voltage", "voltage"),
    Row("mesh.channel_util", "channel_utilization"),
    Row("mesh.air_util_tx", "air_util_tx"),
    Row("dev.uptime", "uptime_seconds"),
)
ENVIRONMENT: Final = (
    Row("met.temp", "temperature"),
    Row("met.rh", "relative_humidity"),
    Row("met.pressure", "barometric_pressure"),
    Row("met.wind_speed", "wind_speed"),
    Row("met.wind_dir", "wind_direction"),
    Row("met.gust", "wind_gust"),
    Row("hydro.rain_1h", "rainfall_1h"),
    Row("rad.dose_rate", "radiation", 0.01),  # µR/h; 100 R of gamma is taken as 1 Sv
)
HEALTH: Final = (Row("vital.hr", "heart_bpm"), Row("vital.spo2", "spO2"), Row("vital.temp", "temperature"))
# variant of Telemetry -> profile, rows
TELEMETRY: Final[dict[str, tuple[str, tuple[Row, ...]]]] = {
    "device_metrics": ("mesh.device", DEVICE),
    "local_stats": ("mesh.device", DEVICE[2:]),
    "environment_metrics": ("mesh.environment", ENVIRONMENT),
    "health_metrics": ("mesh.health", HEALTH),
}
POWER_CHANNELS: Final = range(1, 9)


@dataclass(slots=True)
class Seen:
    """Packets already heard, by (from, id); the oldest of `size` is forgotten first. Id 0 names no packet."""

    size: int = 4096
    _ids: OrderedDict[tuple[int, int], None] = field(default_factory=OrderedDict)

    def again(self, sender: int, packet: int) -> bool:
        """Whether this packet was heard before; remembers it."""
        key = (sender, packet)
        if not packet:
            return False
        if key in self._ids:
            self._ids.move_to_end(key)
            return True
        self._ids[key] = None
        if len(self._ids) > self.size:
            self._ids.popitem(last=False)
        return False


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads packets on behalf of the device `source`; `subjects` names the people and things that carry radios."""

    source: str
    subjects: dict[str, str] = field(default_factory=dict)

    def read(self, packet: MeshPacket, time: Stamp) -> list[Observation | Heard]:
        """What the packet says; empty for ports that are none of ours; DecodeError for a corrupt payload."""
        port = PORTS.get(packet.decoded.portnum)
        return list(port(self, packet, time)) if port else []

    def name(self, info: NodeInfo, time: Stamp) -> list[Observation | Heard]:
        """The name in an entry of the radio's node list, as old as the node was last heard."""
        if not info.HasField("user") or not info.num:
            return []
        age = _age(info.last_heard, 0, time)
        return [Heard(self._device(info.num), "name", node_id(info.num), _user(info.user), None, float(age or 0))]

    def _device(self, number: int) -> str:
        return f"{self.source}/{node_id(number)}"

    def _observation(
        self, profile: str, packet: MeshPacket, time: Stamp, values: dict[str, Value], part: str = ""
    ) -> Observation:
        shape = PROFILE_NAMED[profile]
        values = values | _signal(packet)
        row = [values.get(column.meaning.name, ABSENT) for column in shape.columns]
        number = sender(packet)
        return Observation(
            self.subjects.get(node_id(number), node_id(number)),
            self._device(number) + part,
            shape,
            time,
            tuple(value for value, _ in row),
            tuple(quality for _, quality in row),
        )

    def _heard(
        self, kind: str, packet: MeshPacket, time: Stamp, body: dict[str, str | int | float | None]
    ) -> Iterable[Heard]:
        number = sender(packet)
        age = _age(packet.rx_time, 0, time) or 0
        yield Heard(self._device(number), kind, node_id(number), body | _path(packet), packet.id or None, float(age))

    def position(self, packet: MeshPacket, time: Stamp) -> Iterable[Observation]:
        """POSITION_APP; a message without a place, or at 0/0, is none."""
        where = parse(Position, packet.decoded.payload)
        if not (where.HasField("latitude_i") and where.HasField("longitude_i")):
            return
        if where.latitude_i == 0 == where.longitude_i:
            return
        worth = Quality.SUSPECT if 0 < where.precision_bits < FULL_PRECISION else Quality.GOOD
        columns = {column.meaning.name: column for column in PROFILE_NAMED["mesh.position"].columns}
        values = {
            "pos.lat": _worth(quantise(where.latitude_i / 10**7, columns["pos.lat"]), worth),
            "pos.lon": _worth(quantise(where.longitude_i / 10**7, columns["pos.lon"]), worth),
            "pos.alt": quantise(where.altitude, columns["pos.alt"]) if where.HasField("altitude") else ABSENT,
            "pos.sats": quantise(where.sats_in_view, columns["pos.sats"]) if where.sats_in_view else ABSENT,
        }
        age = _age(where.timestamp or where.time, packet.rx_time, time)
        if age is not None:
            values["dev.age"] = age, Quality.GOOD
        yield self._observation("mesh.position", packet, time, values)

    def telemetry(self, packet: MeshPacket, time: Stamp) -> Iterable[Observation]:
        """TELEMETRY_APP: device, environment, health, power; other variants say nothing that we store."""
        message = parse(Telemetry, packet.decoded.payload)
        variant = message.WhichOneof("variant") or ""
        metrics: Any = getattr(message, variant, None)
        if variant in TELEMETRY:
            profile, rows = TELEMETRY[variant]
            values = _values(profile, rows, metrics)
            if any(value is not None for value, _ in values.values()):
                yield self._observation(profile, packet, time, values)
        elif variant == "power_metrics":
            for channel in POWER_CHANNELS:
                rows = (
                    Row("pwr.voltage", f"ch{channel}_voltage"),
                    Row("pwr.current", f"ch{channel}_current", 0.001),
                )
                values = _values("mesh.power", rows, metrics)
                if any(value is not None for value, _ in values.values()):
                    yield self._observation("mesh.power", packet, time, values, f"/ch{channel}")

    def text(self, packet: MeshPacket, time: Stamp) -> Iterable[Heard]:
        """TEXT_MESSAGE_APP: words of a person, perhaps an answer to an earlier packet."""
        yield from self._words("text", packet, time)

    def alert(self, packet: MeshPacket, time: Stamp) -> Iterable[Heard]:
        """ALERT_APP and DETECTION_SENSOR_APP: words that ring a bell."""
        yield from self._words("alert", packet, time)

    def _words(self, kind: str, packet: MeshPacket, time: Stamp) -> Iterable[Heard]:
        words = plain(packet.decoded.payload.decode("utf-8", "replace"))
        if words:
            to = "" if packet.to == BROADCAST else node_id(packet.to)
            yield from self._heard(kind, packet, time, {"text": words, "to": to, "reply": packet.decoded.reply_id})

    def user(self, packet: MeshPacket, time: Stamp) -> Iterable[Heard]:
        """NODEINFO_APP: how the node calls itself."""
        yield from self._heard("name", packet, time, _user(parse(User, packet.decoded.payload)))

    def waypoint(self, packet: MeshPacket, time: Stamp) -> Iterable[Heard]:
        """WAYPOINT_APP: a named place; lat and lon in 1e-7 degrees."""
        point = parse(Waypoint, packet.decoded.payload)
        if abs(point.latitude_i) > 90 * 10**7 or abs(point.longitude_i) > 180 * 10**7:
            raise DecodeError(f"a waypoint off the earth: {point.latitude_i}, {point.longitude_i}")
        body: dict[str, str | int | float | None] = {
            "id": point.id,
            "name": plain(point.name),
            "text": plain(point.description),
            "lat_e7": point.latitude_i if point.HasField("latitude_i") else None,
            "lon_e7": point.longitude_i if point.HasField("longitude_i") else None,
            "expire": point.expire or None,
        }
        yield from self._heard("waypoint", packet, time, body)


Port = Callable[[Reader, MeshPacket, Stamp], Iterable[Observation | Heard]]
PORTS: Final[dict[int, Port]] = {
    PortNum.TEXT_MESSAGE_APP: Reader.text,
    PortNum.POSITION_APP: Reader.position,
    PortNum.NODEINFO_APP: Reader.user,
    PortNum.WAYPOINT_APP: Reader.waypoint,
    PortNum.DETECTION_SENSOR_APP: Reader.alert,
    PortNum.ALERT_APP: Reader.alert,
    PortNum.TELEMETRY_APP: Reader.telemetry,
}


def sender(packet: MeshPacket) -> int:
    """The node that a packet comes from; the field's name is a word of Python."""
    return int(getattr(packet, "from"))


def hops(packet: MeshPacket) -> int | None:
    """Hops that a packet has travelled, where its header tells."""
    travelled = packet.hop_start - packet.hop_limit
    return travelled if packet.hop_start and 0 <= travelled <= 7 else None


def _values(profile: str, rows: Iterable[Row], metrics: Any) -> dict[str, Value]:
    """The rows' values; a field that was not sent is absent (local_stats has no presence: 0 is a value)."""
    columns = {column.meaning.name: column for column in PROFILE_NAMED[profile].columns}
    tracked = {name: metrics.DESCRIPTOR.fields_by_name[name].has_presence for name in (row.source for row in rows)}
    return {
        row.kind: quantise(getattr(metrics, row.source) * row.factor, columns[row.kind])
        for row in rows
        if not tracked[row.source] or metrics.HasField(row.source)
    }


def _worth(value: Value, worth: Quality) -> Value:
    return value if value[0] is None else (value[0], worth)


def _signal(packet: MeshPacket) -> dict[str, Value]:
    """Packet id, RSSI, SNR and hops; RSSI 0 means that nothing was measured (own or MQTT packet)."""
    columns = {column.meaning.name: column for column in PROFILE_NAMED["mesh.health"].columns}
    travelled = hops(packet)
    signal = {"mesh.packet": (packet.id, Quality.GOOD) if packet.id else ABSENT}
    if packet.rx_rssi:
        signal["dev.rssi"] = quantise(packet.rx_rssi, columns["dev.rssi"])
        signal["dev.snr"] = quantise(packet.rx_snr, columns["dev.snr"])
    if travelled is not None:
        signal["mesh.hops"] = travelled, Quality.GOOD
    return signal


def _path(packet: MeshPacket) -> dict[str, str | int | float | None]:
    rssi = packet.rx_rssi if packet.rx_rssi and -200 <= packet.rx_rssi <= 20 else None
    return {"channel": packet.channel, "rssi": rssi, "hops": hops(packet), "mqtt": int(packet.via_mqtt)}


def _user(user: User) -> dict[str, str | int | float | None]:
    return {"name": plain(user.long_name, 40), "short": plain(user.short_name, 8)}


def _age(then: int, heard: int, time: Stamp) -> int | None:
    """Seconds from `then` to now, by our wall time, else by the radio's at hearing; None where no clock can tell."""
    now = time.wall_ms // 1000 if time.wall_ms is not None else heard
    if not then or not now or now - then > LONGEST_AGE_S or then - now > 60:
        return None
    return max(now - then, 0)

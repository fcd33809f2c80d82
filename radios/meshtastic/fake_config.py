"""What a fake radio is set to and tells in its handshake, the faults it can commit, and what its packets count as."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeVar

from meshtastic.protobuf.channel_pb2 import Channel
from meshtastic.protobuf.config_pb2 import Config
from meshtastic.protobuf.mesh_pb2 import (
    DeviceMetadata,
    FromRadio,
    HardwareModel,
    MeshPacket,
    MyNodeInfo,
    NodeInfo,
    User,
)
from meshtastic.protobuf.module_config_pb2 import ModuleConfig
from meshtastic.protobuf.portnums_pb2 import PortNum
from meshtastic.protobuf.telemetry_pb2 import Telemetry

from radios.meshtastic.airtime import PRESETS, Preset
from radios.meshtastic.packets import node_id

S = TypeVar("S", Config, ModuleConfig)

# name -> what it does; the rate is the chance at each occasion, 1.0 for always
FAULTS: Final[dict[str, str]] = {
    "log_text": "debug text between frames",
    "unknown_field": "fields that the client's definitions do not know",
    "corrupt": "a packet whose payload is garbage",
    "bad_length": "a frame that lies about its length",
    "duplicate": "a packet told twice",
    "reorder": "a packet told after the next one",
    "drop_status": "a queueStatus that never comes",
    "refuse": "a queueStatus with res other than 0",
    "full": "a queue that has no place and does not drain",
    "implicit_only": "an implicit acknowledgement, and no delivery",
    "nak": "MAX_RETRANSMIT instead of an acknowledgement",
    "mute": "a radio that says nothing",
    "half_open": "a connection whose other end is gone without a word",
    "no_complete": "a handshake that does not end",
}
LABELS: Final[dict[int, str]] = {
    PortNum.POSITION_APP: "position",
    PortNum.TEXT_MESSAGE_APP: "text",
    PortNum.NODEINFO_APP: "name",
    PortNum.WAYPOINT_APP: "waypoint",
    PortNum.ALERT_APP: "alert",
    PortNum.PRIVATE_APP: "frame",
    PortNum.ROUTING_APP: "routing",
}
OBSERVED: Final = ("position", "device_metrics", "environment_metrics", "health_metrics")


def label(packet: MeshPacket) -> str:
    """What a packet counts as: its port, or the variant of its telemetry."""
    if packet.decoded.portnum == PortNum.TELEMETRY_APP:
        return Telemetry.FromString(packet.decoded.payload).WhichOneof("variant") or "telemetry"
    return LABELS.get(packet.decoded.portnum, "other")


@dataclass(slots=True)
class Setting:
    """The radio's own setting. preset: number of a modem preset; power: dBm, 0 for the highest that the region allows."""

    number: int
    preset: int = 4
    region: str = "CN"
    power: int = 14
    firmware: str = "2.7.11.fake"
    boots: int = 1

    @property
    def modem(self) -> Preset:
        """The LoRa setting in use."""
        return PRESETS[self.preset]

    @property
    def version(self) -> tuple[int, ...]:
        """The firmware's version as numbers."""
        return tuple(int(part) for part in self.firmware.split(".")[:2])

    def take(self, lora: Config.LoRaConfig) -> None:
        """Follow a config write of a host."""
        self.preset, self.region = lora.modem_preset, Config.LoRaConfig.RegionCode.Name(lora.region)
        self.power = lora.tx_power

    def own(self, wall_s: int) -> NodeInfo:
        """The radio's own entry in its node list."""
        short = f"V{self.number & 0xFF}"
        user = User(id=node_id(self.number), long_name=short, short_name=short, hw_model=HardwareModel.PORTDUINO)
        return NodeInfo(num=self.number, user=user, last_heard=wall_s)

    def messages(self, wall_s: int) -> list[FromRadio]:
        """The handshake from my_info to the last moduleConfig, in the firmware's order."""
        metadata = DeviceMetadata(firmware_version=self.firmware, device_state_version=24, hasPKC=True)
        mine = MyNodeInfo(my_node_num=self.number, reboot_count=self.boots, min_app_version=30200)
        channels = [Channel(index=index, role=Channel.Role.DISABLED) for index in range(8)]
        channels[0].role = Channel.Role.PRIMARY
        channels[0].settings.psk = b"\x01"
        return [
            FromRadio(my_info=mine),
            FromRadio(node_info=self.own(wall_s)),
            FromRadio(metadata=metadata),
            *(FromRadio(channel=channel) for channel in channels),
            *(FromRadio(config=section) for section in sections(Config)),
            FromRadio(config=Config(lora=self._lora())),
            *(FromRadio(moduleConfig=section) for section in sections(ModuleConfig)),
        ]

    def _lora(self) -> Config.LoRaConfig:
        lora = Config.LoRaConfig(use_preset=True, hop_limit=3, tx_enabled=True, tx_power=self.power)
        lora.region = Config.LoRaConfig.RegionCode.Value(self.region)
        lora.modem_preset = Config.LoRaConfig.ModemPreset.ValueType(self.preset)
        return lora


def sections(kind: type[S]) -> list[S]:
    """One message for each part of a configuration, all at their defaults."""
    found = [kind() for _ in kind.DESCRIPTOR.fields]
    for message, part in zip(found, kind.DESCRIPTOR.fields):
        getattr(message, part.name).SetInParent()
    return found

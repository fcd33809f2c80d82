"""What a radio tells of itself and of our packets, and how patient we are with it: the words that its users share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from meshtastic.protobuf.config_pb2 import Config
from meshtastic.protobuf.mesh_pb2 import MeshPacket, NodeInfo, Routing

from hardware.driver import Health
from radios.meshtastic.airtime import PRESETS, SLOWEST, Preset


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds: least gap between packets, silence before a heartbeat, patience for its answer, for a step of the
    handshake and for a queueStatus; first and longest pause before a reconnection. in_flight: packets not yet confirmed.
    keepalive_s: our own silence that the firmware must not see grow to 15 minutes.
    """

    gap_s: float = 0.1
    quiet_s: float = 30.0
    answer_s: float = 5.0
    handshake_s: float = 10.0
    keepalive_s: float = 240.0
    confirm_s: float = 5.0
    poll_s: float = 1.0
    retry_s: tuple[float, float] = (0.5, 30.0)
    in_flight: int = 8


@dataclass(slots=True)
class Counters:
    """What the stream brought since the start."""

    packets: int = 0
    copies: int = 0
    corrupt: int = 0
    log_lines: int = 0
    reboots: int = 0
    connections: int = 0
    unconfirmed: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the mesh said about a packet of ours; a hint. reason: a number of Routing.Error, or REFUSED by the radio's queue."""

    packet: int
    reason: int
    by: int

    @property
    def word(self) -> str:
        """The reason as Meshtastic names it."""
        return REASONS.get(self.reason, f"error {self.reason}")


REFUSED: Final = -1
REASONS: Final[dict[int, str]] = {number: name for name, number in Routing.Error.items()} | {REFUSED: "REFUSED"}


class Listener:
    """What a user of a radio is told, in the order of the stream; the calls must not block."""

    def packet(self, packet: MeshPacket) -> None:
        """A packet heard for the first time."""

    def node(self, info: NodeInfo) -> None:
        """An entry of the radio's node list."""

    def outcome(self, outcome: Outcome) -> None:
        """News of a packet that we sent."""

    def turned(self, state: Health, why: str) -> None:
        """The connection changed its state."""


@dataclass(slots=True)
class Facts:
    """What the radio told of itself in the handshake, the channel's utilisation in percent as it measures it, and how many
    packets it heard well and damaged since it started."""

    number: int = 0
    firmware: tuple[int, ...] = ()
    lora: Config.LoRaConfig = field(default_factory=Config.LoRaConfig)
    channels: dict[int, str] = field(default_factory=dict)
    utilisation: float = 0.0
    heard: tuple[int, int] = (0, 0)

    @property
    def preset(self) -> Preset:
        """The LoRa setting in use; the slowest of all where it is not known."""
        lora = self.lora
        if lora.use_preset or not lora.spread_factor:
            return PRESETS.get(lora.modem_preset, SLOWEST)
        if not (7 <= lora.spread_factor <= 12 and 5 <= lora.coding_rate <= 8 and 7 <= lora.bandwidth <= 500):
            return SLOWEST
        bandwidth = {31: 31_250, 62: 62_500}.get(lora.bandwidth, lora.bandwidth * 1000)
        return Preset("custom", bandwidth, lora.spread_factor, lora.coding_rate)

    @property
    def region(self) -> str:
        """The radio's region, such as CN; UNSET when nobody chose one."""
        known = Config.LoRaConfig.RegionCode.values()
        return (
            Config.LoRaConfig.RegionCode.Name(self.lora.region) if self.lora.region in known else str(self.lora.region)
        )

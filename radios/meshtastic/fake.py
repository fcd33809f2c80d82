"""A fake radio that speaks the device's side of the stream byte for byte, over TCP, a pseudo-terminal or in memory.

It keeps the firmware's rules (sizes, rate limits, one TCP client, a queue of 16, acknowledgements that prove nothing)
and commits, at the rates of a table, the faults that real radios show.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Protocol

from google.protobuf.message import DecodeError as ProtobufError
from meshtastic.protobuf.admin_pb2 import AdminMessage
from meshtastic.protobuf.mesh_pb2 import Data, FromRadio, MeshPacket, NodeInfo, QueueStatus, Routing, ToRadio
from meshtastic.protobuf.portnums_pb2 import PortNum
from meshtastic.protobuf.telemetry_pb2 import DeviceMetrics, LocalStats, Telemetry

from hardware.clock import Clock
from radios.meshtastic.airtime import LONGEST_PAYLOAD, PKC_OVERHEAD, on_air
from radios.meshtastic.fake_config import FAULTS, OBSERVED, Setting, label
from radios.meshtastic.packets import BROADCAST, sender
from radios.meshtastic.radio import CONFIG_PHASE, NODES_PHASE
from radios.meshtastic.stream import Framer, Payload, frame
from radios.meshtastic.team import Team

QUEUE: Final = 16
TO_HOST: Final = 32  # packets kept for a host that is away; the oldest goes first
IDLE_S: Final = 900.0  # a host that says nothing for so long is put out
AWAY_S: Final = 7.0  # after a config write
TEXT_GAP_S: Final = 2.0
POLITE_GAP_S: Final = 10.0
POLITE_PORTS: Final = frozenset(
    (PortNum.POSITION_APP, PortNum.WAYPOINT_APP, PortNum.TELEMETRY_APP, PortNum.ALERT_APP),
)
QUEUE_FULL: Final = 33  # ERRNO_NO_INTERFACES is what the firmware answers when it takes nothing
REGION_PRESETS: Final = b"\xa2\x01\x80\x01" + bytes(128)  # field 20: newer than the client's definitions
DEBUG_LINE: Final = b"DEBUG | ??:??:?? 12 [Router] rx time=0\r\n"


class Air(Protocol):
    """What takes a packet from the radio's queue; the ether, or nothing at all."""

    def submit(self, packet: MeshPacket, done: Callable[[], None]) -> None:
        """Transmit; `done` when the packet has left the queue."""


@dataclass(slots=True)
class Host:
    """One connected host: where bytes go, what came from it, and whether its handshake is over."""

    write: Callable[[bytes], object]
    close: Callable[[], object]
    framer: Framer = field(default_factory=Framer)
    spoke: float = 0.0
    ready: bool = False


class FakeRadio:
    """The radio `number` (a Meshtastic node number) with its team; `serve_*` in fake_ports.py connect it to hosts."""

    def __init__(
        self,
        clock: Clock,
        number: int = 0x5A4D0001,
        members: int = 0,
        seed: int = 1,
        team: Team | None = None,
        air: Air | None = None,
        faults: dict[str, float] | None = None,
        setting: Setting | None = None,
        haste: float = 1.0,
    ) -> None:
        self.clock, self.number = clock, number
        self.setting = setting or Setting(number)
        self.haste = haste  # times faster than real air, where no ether keeps time
        self.team = team or Team(clock, members, seed)
        self.faults = dict(faults or {})
        if unknown := set(self.faults) - set(FAULTS):
            raise ValueError(f"no such fault: {', '.join(sorted(unknown))}")
        self.emitted: Counter[str] = Counter()
        self.sent: deque[MeshPacket] = deque(maxlen=4096)
        self.dropped: Counter[str] = Counter()
        self.air = air
        self._random = random.Random(seed)
        self._host: Host | None = None
        self._queue: deque[MeshPacket] = deque()
        self._busy = False
        self._pending: deque[FromRadio] = deque(maxlen=TO_HOST)
        self._held: FromRadio | None = None
        self._last: dict[int, float] = {}
        self._told: set[tuple[int, int]] = set()
        self._ids = self._random.getrandbits(31)
        self._away_until = 0.0
        self.utilisation = 4.0

    # ---- the host's side

    def attach(self, host: Host) -> None:
        """A host connects; the one before is put out, as the firmware does."""
        if self._host is not None:
            self._host.close()
        self._host = host
        host.spoke = self.clock.mono()

    def detach(self, host: Host) -> None:
        """A host went away."""
        if self._host is host:
            self._host = None

    def feed(self, host: Host, data: bytes) -> None:
        """Bytes from a host."""
        if self._strikes("half_open") or self._away():
            return
        host.spoke = self.clock.mono()
        host.framer.feed(data)
        while (event := host.framer.next()) is not None:
            if isinstance(event, Payload):
                with suppress(ProtobufError):
                    self._command(host, ToRadio.FromString(event.data))

    def _command(self, host: Host, message: ToRadio) -> None:
        match message.WhichOneof("payload_variant"):
            case "want_config_id":
                self._handshake(host, message.want_config_id)
            case "heartbeat":
                self._status(0, 0)
            case "packet":
                self._from_host(message.packet)
            case "disconnect":
                host.ready = False

    def _handshake(self, host: Host, nonce: int) -> None:
        parts = [] if nonce == NODES_PHASE else self.setting.messages(self._wall_s())
        nodes = [] if nonce == CONFIG_PHASE else [FromRadio(node_info=info) for info in self._nodes()]
        for message in [*parts, *nodes]:
            self._say(message)
        if not self._strikes("no_complete"):
            self._say(FromRadio(config_complete_id=nonce))
        self._status(0, 0)
        host.ready = True
        while self._pending:
            self._live(self._pending.popleft())

    def _nodes(self) -> list[NodeInfo]:
        return [member.info(self._wall_s()) for member in self.team.members]

    # ---- packets from the host

    def _from_host(self, packet: MeshPacket) -> None:
        if not getattr(packet, "from"):
            setattr(packet, "from", self.number)
        if not packet.id:
            packet.id = self._id()
        packet.hop_start = packet.hop_limit
        if packet.decoded.portnum == PortNum.ADMIN_APP and packet.to in (self.number, 0):
            self._status(0, packet.id)
            self._admin(packet)
            return
        verdict = self._verdict(packet)
        if verdict is None:
            self._status(0, packet.id)
        elif verdict:
            self._status(0, packet.id)
            self.answer(packet, verdict, self.number)
        elif self._strikes("full") or len(self._queue) >= QUEUE or self._strikes("refuse"):
            self._status(QUEUE_FULL, packet.id)
        else:
            self._queue.append(packet)
            self._status(0, packet.id)
            self._drain()

    def _verdict(self, packet: MeshPacket) -> int | None:
        """0 to take it, a Routing.Error to refuse it, None to drop it without a word."""
        port, now = packet.decoded.portnum, self.clock.mono()
        longest = LONGEST_PAYLOAD if packet.to == BROADCAST else LONGEST_PAYLOAD - PKC_OVERHEAD
        if len(packet.decoded.payload) > longest:
            return Routing.Error.TOO_LARGE
        since = now - self._last.get(port, -1e9)
        if port == PortNum.TEXT_MESSAGE_APP and since < TEXT_GAP_S:
            return Routing.Error.RATE_LIMIT_EXCEEDED
        if port in POLITE_PORTS and since < POLITE_GAP_S:
            self.dropped[PortNum.Name(port)] += 1
            return None
        self._last[port] = now
        return 0

    def _drain(self) -> None:
        if self._busy or not self._queue or self._strikes("full"):
            return
        self._busy = True
        packet = self._queue[0]
        if self.air is not None:
            self.air.submit(packet, lambda: self._left(packet))
            return
        length = on_air(len(packet.decoded.payload), packet.to == BROADCAST, self.setting.version)
        self._later(self.setting.modem.airtime_us(length) / 1e6 / self.haste, lambda: self._left(packet))

    def _left(self, packet: MeshPacket) -> None:
        self._busy = False
        if self._queue and self._queue[0] is packet:
            self._queue.popleft()
        self.sent.append(packet)
        if packet.want_ack and self.air is None:
            self._answer(packet)
        self._drain()

    def _answer(self, packet: MeshPacket) -> None:
        """What the mesh makes of want_ack where no ether decides it."""
        known = any(member.number == packet.to for member in self.team.members)
        if self._strikes("nak") or (packet.to != BROADCAST and not known):
            self.answer(packet, Routing.Error.MAX_RETRANSMIT, self.number)
        elif self._strikes("implicit_only") or packet.to == BROADCAST:
            self.answer(packet, Routing.Error.NONE, self.number)
        else:
            self.answer(packet, Routing.Error.NONE, packet.to)

    def _admin(self, packet: MeshPacket) -> None:
        with suppress(ProtobufError):
            order = AdminMessage.FromString(packet.decoded.payload)
            if order.HasField("set_config"):
                if order.set_config.HasField("lora"):
                    self.setting.take(order.set_config.lora)
                self.reboot(AWAY_S)

    # ---- towards the host

    def hear(self, packet: MeshPacket, rssi: int = -90, snr: float = 5.0) -> None:
        """A packet came from the air."""
        copy = MeshPacket()
        copy.CopyFrom(packet)
        copy.rx_time, copy.rx_rssi, copy.rx_snr = self._wall_s(), rssi, snr
        self._live(FromRadio(packet=copy))

    def report(self) -> None:
        """Tell the host about this radio itself, as the firmware does every minute."""
        metrics = DeviceMetrics(battery_level=101, voltage=4.1, channel_utilization=self.utilisation, air_util_tx=0.5)
        telemetry = Telemetry(time=self._wall_s(), device_metrics=metrics)
        self._live(FromRadio(packet=self._own(PortNum.TELEMETRY_APP, telemetry.SerializeToString())))

    def statistics(self, good: int, bad: int) -> None:
        """Tell the host what this radio heard well and damaged since it started, as the firmware does every 15 minutes."""
        stats = LocalStats(channel_utilization=self.utilisation, num_packets_rx=good, num_packets_rx_bad=bad)
        telemetry = Telemetry(time=self._wall_s(), local_stats=stats)
        self._live(FromRadio(packet=self._own(PortNum.TELEMETRY_APP, telemetry.SerializeToString())))

    def reboot(self, away_s: float = 1.0) -> None:
        """Lose the queue, say nothing for a while, then tell that it restarted; TCP hosts are put out."""
        self._queue.clear()
        self._busy = False
        self.setting.boots += 1
        self._away_until = self.clock.mono() + away_s
        if self._host is not None:
            self._host.ready = False
        self._later(away_s, self._risen)

    def _risen(self) -> None:
        self._away_until = 0.0
        self._say(FromRadio(rebooted=True))

    def _live(self, message: FromRadio) -> None:
        """Tell a ready host, with the faults of live packets; keep the packet for one that is away."""
        if self._host is None or not self._host.ready:
            self._pending.append(message)
            return
        if self._strikes("reorder") and self._held is None:
            self._held = message
            return
        for telling in (message, self._held):
            if telling is not None:
                self._tell(telling)
        self._held = None

    def _tell(self, message: FromRadio) -> None:
        if self._strikes("corrupt"):
            message = FromRadio.FromString(message.SerializeToString())
            message.packet.decoded.payload = b"\xff" + self._random.randbytes(12)
            message.packet.id = self._id()
            self._say(message)
            return
        if self._say(message):
            self._count(message.packet)
        if self._strikes("duplicate"):
            self._say(message)

    def _count(self, packet: MeshPacket) -> None:
        key = (sender(packet), packet.id)
        if key not in self._told:
            self._told.add(key)
            self.emitted[label(packet)] += 1

    @property
    def observations(self) -> int:
        """Observations put on the host's stream, each once."""
        return sum(self.emitted[name] for name in OBSERVED)

    def answer(self, packet: MeshPacket, reason: int, by: int) -> None:
        """Tell the host what became of a packet of its own: a Routing.Error, said by the node `by`."""
        body = Routing(error_reason=Routing.Error.ValueType(reason))
        answer = self._own(PortNum.ROUTING_APP, body.SerializeToString(), packet.id, by)
        self._live(FromRadio(packet=answer))

    def _own(self, port: PortNum.ValueType, payload: bytes, request: int = 0, by: int = 0) -> MeshPacket:
        packet = MeshPacket(to=self.number, id=self._id(), hop_limit=3, hop_start=3)
        setattr(packet, "from", by or self.number)
        packet.decoded.CopyFrom(Data(portnum=port, payload=payload, request_id=request))
        packet.rx_time = self._wall_s()
        return packet

    def _status(self, res: int, packet: int) -> None:
        free = 0 if self._strikes("full") else QUEUE - len(self._queue)
        if not self._strikes("drop_status"):
            self._say(FromRadio(queueStatus=QueueStatus(res=res, free=free, maxlen=QUEUE, mesh_packet_id=packet)))

    def _say(self, message: FromRadio) -> bool:
        """Write one message to the host; False when it could not hear it."""
        if self._host is None or self._strikes("mute") or self._strikes("half_open") or self._away():
            return False
        content = message.SerializeToString()
        if self._strikes("unknown_field"):
            content += REGION_PRESETS
        data = frame(content)
        if self._strikes("bad_length"):
            self._host.write(data[:2] + bytes((1, 0x40)) + b"\x08\x96")
        self._host.write(DEBUG_LINE + data if self._strikes("log_text") else data)
        return True

    # ---- time and chance

    async def run(self) -> None:
        """Let the team live and report every minute, until cancelled."""
        minute = self.clock.mono() + 60.0
        while True:
            for _, packet in self.team.due():
                packet.hop_limit -= self._random.randint(0, 2)
                self.hear(packet, self._random.randint(-118, -72), self._random.uniform(-8, 9))
            self._idle()
            if self.clock.mono() >= minute:
                minute += 60.0
                self.report()
            await asyncio.sleep(max(min(self.team.wait_s(), minute - self.clock.mono()), 0.005))

    def _idle(self) -> None:
        if self._host is not None and self.clock.mono() - self._host.spoke >= IDLE_S:
            self._host.close()
            self._host = None

    def _later(self, seconds: float, call: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_later(seconds, call)

    def _strikes(self, fault: str) -> bool:
        rate = self.faults.get(fault, 0.0)
        return rate > 0.0 and (rate >= 1.0 or self._random.random() < rate)

    def _away(self) -> bool:
        return self.clock.mono() < self._away_until

    def _wall_s(self) -> int:
        return (self.clock.stamp().wall_ms or 0) // 1000

    def _id(self) -> int:
        self._ids = (self._ids + 1) & 0xFFFFFFFF or 1
        return self._ids

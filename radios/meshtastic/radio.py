"""One Meshtastic radio over serial or TCP: handshake, pacing by queueStatus, watchdog, reconnection; nothing blocks the loop.

The package's protobuf definitions are used, its threads are not: they block on a full queue and reconnect in silence.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

from meshtastic.protobuf.admin_pb2 import AdminMessage
from meshtastic.protobuf.config_pb2 import Config
from meshtastic.protobuf.mesh_pb2 import FromRadio, Heartbeat, MeshPacket, QueueStatus, Routing, ToRadio
from meshtastic.protobuf.portnums_pb2 import PortNum
from meshtastic.protobuf.telemetry_pb2 import Telemetry

from hardware.clock import Clock
from hardware.driver import Health
from hardware.errors import DecodeError, LinkBusy, LinkDown, PortError, PortSilent
from hardware.ports import Port, open_port, register
from radios.meshtastic.facts import REFUSED, Counters, Facts, Listener, Outcome, Timing
from radios.meshtastic.packets import Seen, parse, sender
from radios.meshtastic.stream import WAKE, Framer, LogText, Payload, frame

log = logging.getLogger(__name__)

CONFIG_PHASE: Final = 69420  # want_config_id of everything but the other nodes
NODES_PHASE: Final = 69421  # want_config_id of the node list alone
TRIES: Final = 3
BAUD: Final = 115_200
UNSENT: Final = 32  # messages that the port has not taken yet
REMEMBERED: Final = 256

Opener = Callable[[], Awaitable[Port]]
register("mesh", "radios.meshtastic.fake_ports:stream")


def opener(name: str) -> Opener:
    """Open the port of that name (hardware/ports.py) as a radio wants it."""
    return lambda: open_port(name, baud=BAUD, write=True)


class Radio:
    """A connection that driver and bearer share: whoever needs it enters `held()`; the first connects, the last closes."""

    def __init__(
        self, name: str, port: str | Opener, clock: Clock, timing: Timing | None = None, seed: int | None = None
    ):
        self.name, self.clock, self.timing = name, clock, timing or Timing()
        self.facts, self.counters = Facts(), Counters()
        self.state, self.why = Health.DOWN, "not started"
        self._open = opener(port) if isinstance(port, str) else port
        self._random = random.Random(seed)
        self._listeners: list[Listener] = []
        self._seen = Seen()
        self._users = 0
        self._task: asyncio.Task[None] | None = None
        self._unsent: asyncio.Queue[bytes] = asyncio.Queue(UNSENT)
        self._framer = Framer()
        self._turn = asyncio.Lock()
        self._news = asyncio.Event()
        self._flights: dict[int, float] = {}
        self._sent: OrderedDict[int, None] = OrderedDict()
        self._free = 1
        self._next_id = self._random.getrandbits(32)
        self._last_in = self._last_out = self._last_said = self._asked = self._polled = 0.0
        self._nudged = self._finished = False
        self._tries = 0

    def listen(self, listener: Listener) -> None:
        """Tell `listener` from now on; one that comes late still gets the list of nodes."""
        self._listeners.append(listener)
        if self.state is Health.UP:
            self._ask(NODES_PHASE)

    def leave(self, listener: Listener) -> None:
        """Tell it no more."""
        self._listeners.remove(listener)

    @asynccontextmanager
    async def held(self) -> AsyncIterator[asyncio.Task[None]]:
        """Keep the radio connected inside the block; yields the task that does it, which ends only by a defect."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name=f"radio {self.name}")
        task = self._task
        self._users += 1
        try:
            yield task
        finally:
            self._users -= 1
            if not self._users:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    def next_id(self) -> int:
        """A fresh packet id: they start at random, so that a restart does not repeat what the mesh remembers."""
        self._next_id = (self._next_id + 1) & 0xFFFFFFFF or 1
        return self._next_id

    async def send(self, packet: MeshPacket, patience_s: float = 10.0) -> int:
        """Hand over a packet, in turn and paced; returns its id. The same id is not sent twice while it is in flight.

        Raises LinkDown without a connection, LinkBusy when the radio's queue had no place within `patience_s`.
        """
        packet.id = packet.id or self.next_id()
        try:
            async with asyncio.timeout(patience_s), self._turn:
                if packet.id not in self._flights:
                    await self._place()
                    self._launch(packet)
        except TimeoutError as error:
            raise LinkBusy(f"{self.name}: the radio's queue is full", self.timing.poll_s) from error
        return packet.id

    async def write_lora(self, lora: Config.LoRaConfig) -> None:
        """Give the radio another LoRa setting, then ask what it is now; most radios restart in between."""
        order = AdminMessage(set_config=Config(lora=lora))
        packet = MeshPacket(to=self.facts.number)
        packet.decoded.portnum, packet.decoded.payload = PortNum.ADMIN_APP, order.SerializeToString()
        await self.send(packet)
        await asyncio.sleep(self.timing.poll_s)
        if self.state is Health.UP:
            self._begin("a new setting is written")

    async def _place(self) -> None:
        """Wait for pace, flight and queue; a full queue is asked about now and then, since its status may get lost."""
        while (wait := self._hold_s()) > 0:
            self._news.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._news.wait()

    def _hold_s(self) -> float:
        now = self.clock.mono()
        if self.state is not Health.UP:
            raise LinkDown(f"{self.name}: {self.why}")
        for packet in [number for number, at in self._flights.items() if now - at >= self.timing.confirm_s]:
            del self._flights[packet]
            self.counters.unconfirmed += 1
        if self._free <= 0 or len(self._flights) >= self.timing.in_flight:
            if now - self._polled >= self.timing.poll_s:
                self._polled = now
                self._write(ToRadio(heartbeat=Heartbeat()))
            return self.timing.poll_s
        return self._last_out + self.timing.gap_s - now

    def _launch(self, packet: MeshPacket) -> None:
        self._write(ToRadio(packet=packet))
        self._last_out = self._flights[packet.id] = self.clock.mono()
        self._free -= 1
        self._sent[packet.id] = None
        if len(self._sent) > REMEMBERED:
            self._sent.popitem(last=False)

    def _write(self, message: ToRadio) -> None:
        """Queue for the port; when it has taken nothing for long, its own time-out ends the connection."""
        self._last_said = self.clock.mono()
        with suppress(asyncio.QueueFull):
            self._unsent.put_nowait(frame(message.SerializeToString()))

    async def _run(self) -> None:
        first, longest = self.timing.retry_s
        pause = first
        while True:
            try:
                await self._session()
            except PortError as error:
                pause = first if self._finished else pause
                self._change(Health.DOWN, str(error))
            await asyncio.sleep(pause * (0.75 + self._random.random() / 2))
            pause = min(pause * 2, longest)

    async def _session(self) -> None:
        """One connection, from opening to its end by a PortError."""
        self._finished = False
        async with await self._open() as port:
            self._framer, self._unsent = Framer(), asyncio.Queue(UNSENT)
            self.counters.connections += 1
            self._unsent.put_nowait(WAKE)
            self._begin("handshake")
            halves = [asyncio.create_task(self._pump(port)), asyncio.create_task(self._watch(port))]
            try:
                ended, _ = await asyncio.wait(halves, return_when=asyncio.FIRST_COMPLETED)
                for half in ended:
                    half.result()
            finally:
                for half in halves:
                    half.cancel()
                await asyncio.gather(*halves, return_exceptions=True)
                self._change(Health.DOWN, "connection closed")

    async def _pump(self, port: Port) -> None:
        while True:
            await port.write(await self._unsent.get())

    async def _watch(self, port: Port) -> None:
        while True:
            self._take(await port.read(max(self._deadline() - self.clock.mono(), 0.001)))
            if self.clock.mono() >= self._deadline():
                self._nudge()
            elif self.clock.mono() - self._last_said >= self.timing.keepalive_s:
                self._write(ToRadio(heartbeat=Heartbeat()))

    def _deadline(self) -> float:
        """When silence (valid messages count, noise does not) calls for `_nudge`."""
        if self.state is not Health.UP:
            return self._asked + self.timing.handshake_s
        return self._last_in + self.timing.quiet_s + (self.timing.answer_s if self._nudged else 0.0)

    def _nudge(self) -> None:
        """Ask again: the handshake a few times, an idle radio once."""
        if self.state is not Health.UP:
            if self._tries >= TRIES:
                raise PortSilent("the radio does not finish the handshake")
            self._ask(CONFIG_PHASE)
        elif self._nudged:
            raise PortSilent("the radio is mute")
        else:
            self._nudged = True
            self._write(ToRadio(heartbeat=Heartbeat()))

    def _begin(self, why: str) -> None:
        self.facts, self._flights, self._free, self._tries = Facts(), {}, 1, 0
        self._change(Health.DOWN, why)
        self._ask(CONFIG_PHASE)

    def _ask(self, phase: int) -> None:
        self._asked = self.clock.mono()
        self._tries += 1
        self._write(ToRadio(want_config_id=phase))

    def _change(self, state: Health, why: str) -> None:
        if (state, why) == (self.state, self.why):
            return
        if state is not self.state:
            log.info("%s: %s (%s)", self.name, state.value, why)
        self.state, self.why = state, why
        self._news.set()
        for listener in list(self._listeners):
            listener.turned(state, why)

    def _take(self, data: bytes) -> None:
        self._framer.feed(data)
        while (event := self._framer.next()) is not None:
            match event:
                case LogText():
                    self.counters.log_lines += 1
                case Payload(content):
                    self._message(content)

    def _message(self, content: bytes) -> None:
        try:
            message = parse(FromRadio, content)
        except DecodeError:
            self.counters.corrupt += 1
            self._framer.reject()
            return
        self._last_in, self._nudged = self.clock.mono(), False
        variant = message.WhichOneof("payload_variant") or ""
        if handler := getattr(self, f"_on_{variant}", None):
            handler(message)

    def _on_my_info(self, message: FromRadio) -> None:
        self.facts.number = message.my_info.my_node_num

    def _on_metadata(self, message: FromRadio) -> None:
        parts = message.metadata.firmware_version.split(".")
        self.facts.firmware = tuple(int(part) for part in parts[:3] if part.isdecimal() and len(part) < 6)

    def _on_config(self, message: FromRadio) -> None:
        if message.config.HasField("lora"):
            self.facts.lora.CopyFrom(message.config.lora)

    def _on_channel(self, message: FromRadio) -> None:
        if message.channel.role and 0 <= message.channel.index < 8:
            self.facts.channels[message.channel.index] = message.channel.settings.name

    def _on_node_info(self, message: FromRadio) -> None:
        for listener in list(self._listeners):
            listener.node(message.node_info)

    def _on_config_complete_id(self, message: FromRadio) -> None:
        if message.config_complete_id == CONFIG_PHASE and self.facts.number and self.state is not Health.UP:
            self._finished = True
            self._change(Health.UP, f"{self.facts.preset.name}, {self.facts.region}")
            self._ask(NODES_PHASE)

    def _on_rebooted(self, message: FromRadio) -> None:
        if message.rebooted:
            self.counters.reboots += 1
            self._begin("the radio restarted")

    def _on_queueStatus(self, message: FromRadio) -> None:
        status: QueueStatus = message.queueStatus
        self._free = status.free
        if self._flights.pop(status.mesh_packet_id, None) is not None and status.res:
            self._report(Outcome(status.mesh_packet_id, REFUSED, self.facts.number))
        self._news.set()

    def _on_packet(self, message: FromRadio) -> None:
        packet = message.packet
        if not packet.HasField("decoded"):
            return
        if self._seen.again(sender(packet), packet.id):
            self.counters.copies += 1
            return
        self.counters.packets += 1
        if packet.decoded.portnum == PortNum.ROUTING_APP:
            self._on_routing(packet)
        elif packet.decoded.portnum == PortNum.TELEMETRY_APP and sender(packet) == self.facts.number:
            self._on_own_telemetry(packet)
        for listener in list(self._listeners):
            listener.packet(packet)

    def _on_routing(self, packet: MeshPacket) -> None:
        with suppress(DecodeError):
            routing = parse(Routing, packet.decoded.payload)
            if packet.decoded.request_id in self._sent and routing.WhichOneof("variant") in (None, "error_reason"):
                self._report(Outcome(packet.decoded.request_id, routing.error_reason, sender(packet)))

    def _on_own_telemetry(self, packet: MeshPacket) -> None:
        with suppress(DecodeError):
            metrics = parse(Telemetry, packet.decoded.payload)
            percent = metrics.device_metrics.channel_utilization
            if metrics.HasField("device_metrics") and 0.0 <= percent <= 100.0:
                self.facts.utilisation = percent
            elif metrics.HasField("local_stats"):
                self.facts.heard = metrics.local_stats.num_packets_rx, metrics.local_stats.num_packets_rx_bad

    def _report(self, outcome: Outcome) -> None:
        for listener in list(self._listeners):
            listener.outcome(outcome)

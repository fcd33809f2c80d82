"""Links for the bearer contract: each rig holds what lies between the ends, the suite holds the ends."""

from __future__ import annotations

import asyncio
import hashlib
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from aiomqtt import Client
from brokers import AnyBroker, Embedded

from bench.rig import Mosquitto
from hardware.clock import Clock, ClockQuality, SystemClock
from hardware.driver import Health
from hardware.errors import PortMissing
from hardware.ports import Port, Stream
from hardware.virtual import VirtualClock
from radios.bearer import Bearer
from radios.gate import Gate
from radios.lan import LanBearer
from radios.loopback import Harm, Loopback
from radios.meshtastic.bearer import MeshtasticBearer, Policy
from radios.meshtastic.ether import Ether
from radios.meshtastic.fake import FakeRadio
from radios.meshtastic.fake_config import Setting
from radios.meshtastic.fake_ports import MemoryStream
from radios.meshtastic.radio import Radio
from radios.meshtastic.station import Station
from radios.mqtt import Broker, MqttBearer, tag
from radios.rdss.bearer import RdssBearer
from radios.rdss.events import Card, Family
from radios.rdss.satellite_sim import SatelliteSim, Sky
from radios.rdss.terminal_sim import TerminalSim, Traits, in_memory

WALL_MS = 1_800_000_000_000
INCIDENT = bytes(range(16))
RUBBISH = [b"\x00", b"\xff" * 600, bytes(range(256)) * 9, b"$BDTXR,1,,\r\n\x94\xc3\x00\x02\x08", b"$" * 300]


class Rig(Protocol):
    """A link. near, far: its ends; third: one more listener where one send reaches all; virtual: lives in virtual time;
    lossy: frames may get lost on it without anybody's fault."""

    virtual: bool
    lossy: bool
    near: Bearer
    far: Bearer
    third: Bearer | None

    async def plug(self, folder: Path) -> None: ...
    async def unplug(self) -> None: ...
    async def cut(self) -> None: ...
    async def mend(self) -> None: ...
    async def rubbish(self) -> None: ...


class Quiet:
    """Loopback without harm."""

    virtual, lossy = True, False
    harm = Harm()

    async def plug(self, folder: Path) -> None:
        clock = VirtualClock(asyncio.get_running_loop(), WALL_MS)  # type: ignore[arg-type]
        self.link = Loopback(harm=self.harm, seed=5)
        self.near, self.far, self.third = (self.link.end(name, clock) for name in ("near", "far", "third"))

    async def unplug(self) -> None:
        pass

    async def cut(self) -> None:
        self.link.cut()

    async def mend(self) -> None:
        self.link.mend()

    async def rubbish(self) -> None:
        for data in RUBBISH:
            self.link.carry("far", data, "near")


class Hostile(Quiet):
    """Loopback with everything that can befall a frame."""

    lossy = True
    harm = Harm(drop=0.2, duplicate=0.2, corrupt=0.1, shorten=0.1, reorder=0.3, delay_s=0.2)


class OverBroker:
    """Node 7, central and node 8 over one broker."""

    virtual, lossy = False, False

    def __init__(self) -> None:
        self.broker: AnyBroker

    def make(self, folder: Path) -> AnyBroker:
        raise NotImplementedError

    async def plug(self, folder: Path) -> None:
        self.broker = self.make(folder)
        await self.broker.start()
        self.near, self.far, self.third = self._end(7), self._end(1, central=True), self._end(8)

    def _end(self, node: int, central: bool = False) -> MqttBearer:
        broker = Broker("127.0.0.1", self.broker.port)
        return MqttBearer("mqtt", [broker], INCIDENT, node, SystemClock().mono, central, retry_s=(0.05, 0.1))

    async def unplug(self) -> None:
        await self.broker.kill()

    async def cut(self) -> None:
        await self.broker.kill()

    async def mend(self) -> None:
        await self.broker.start()

    async def rubbish(self) -> None:
        """From another client of the broker, and from one that is none."""
        async with Client("127.0.0.1", self.broker.port) as client:
            for data in [b"", bytes(66_000), *RUBBISH]:
                for topic in ("down/7", "up/7", "up/x", "up/99999999999", "up/"):
                    await client.publish(f"sanduan/{tag(INCIDENT)}/{topic}", data)
        _, writer = await asyncio.open_connection("127.0.0.1", self.broker.port)
        writer.writelines(RUBBISH)
        writer.close()


class OverMosquitto(OverBroker):
    def make(self, folder: Path) -> AnyBroker:
        return Mosquitto(folder)


class OverEmbedded(OverBroker):
    def make(self, folder: Path) -> AnyBroker:
        return Embedded()


class Lan:
    """Two nodes on a LAN; the cable between them can be pulled."""

    virtual, lossy = False, False
    third = None

    async def plug(self, folder: Path) -> None:
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            port = sock.getsockname()[1]
        self.gate = Gate("127.0.0.1", port)
        cable = f"127.0.0.1:{await self.gate.start()}"
        self.far = self._end(port)
        self.near = self._end(0, cable)

    def _end(self, port: int, *peers: str) -> LanBearer:
        def prove(data: bytes) -> bytes:
            return hashlib.blake2s(data, key=b"transit", digest_size=16).digest()

        return LanBearer(SystemClock(), prove, host="127.0.0.1", port=port, peers=peers, retry_s=0.1)

    async def unplug(self) -> None:
        await self.gate.stop()

    async def cut(self) -> None:
        await self.gate.shut()

    async def mend(self) -> None:
        self.gate.reopen()

    async def rubbish(self) -> None:
        """From strangers, and out of the mouth of a peer."""
        for data in RUBBISH:
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", self.far.port)
                writer.write(data)
                await writer.drain()
                writer.close()
        for peer in list(self.far._peers.values()):
            peer.writer.write(b"\xff" * 600)
        while self.far.peers:
            await asyncio.sleep(0.01)


class Pluggable:
    """An opener of a device's port that can be pulled out of its socket, in the middle of whatever it says."""

    def __init__(self, opened: Callable[..., Awaitable[Port]]) -> None:
        self._opened, self.present = opened, True
        self._gone = asyncio.Event()

    async def __call__(self, *baud: int) -> Port:
        if not self.present:
            raise PortMissing("not there")
        port = await self._opened(*baud)
        port._stream = _Pulled(port._stream, self._gone)
        return port

    def pull(self) -> None:
        self.present = False
        self._gone.set()

    def push(self) -> None:
        self.present, self._gone = True, asyncio.Event()


class _Pulled:
    """A Stream that ends when its plug is pulled."""

    def __init__(self, stream: Stream, gone: asyncio.Event) -> None:
        self._stream, self._gone = stream, gone

    async def read(self) -> bytes:
        ways = [asyncio.ensure_future(self._stream.read()), asyncio.ensure_future(self._gone.wait())]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            return b"" if self._gone.is_set() else ways[0].result()  # type: ignore[return-value]
        finally:
            for way in ways:
                way.cancel()

    async def write(self, data: bytes) -> None:
        if self._gone.is_set():
            raise OSError("pulled out")
        await self._stream.write(data)

    async def close(self) -> None:
        await self._stream.close()


class Plugged:
    """Devices on ports that are pulled out and pushed in again."""

    plugs: list[Pluggable]

    async def unplug(self) -> None:
        pass

    async def cut(self) -> None:
        for plug in self.plugs:
            plug.pull()

    async def mend(self) -> None:
        for plug in self.plugs:
            plug.push()


class Mesh(Plugged):
    """Three radios in reach of each other."""

    virtual, lossy = True, True  # frames collide
    numbers = (0x11, 0x12, 0x13)

    async def plug(self, folder: Path) -> None:
        clock = VirtualClock(asyncio.get_running_loop(), WALL_MS)  # type: ignore[arg-type]
        settings = [Setting(number, preset=6) for number in self.numbers]
        ether = Ether(clock, settings[0].modem)
        self.fakes = [FakeRadio(clock, each.number, setting=each) for each in settings]
        for fake in self.fakes:
            Station(ether, fake)
        for at, one in enumerate(self.numbers):
            for other in self.numbers[at + 1 :]:
                ether.link(one, other)
        self.plugs = [Pluggable(_memory(fake)) for fake in self.fakes]
        self.near, self.far, self.third = (
            MeshtasticBearer("lora", Radio("mesh", plug, clock, seed=1), clock, Policy()) for plug in self.plugs
        )

    async def rubbish(self) -> None:
        """Between the radio's frames."""
        host = self.fakes[0]._host
        assert host is not None
        for data in RUBBISH:
            host.write(data)


def _memory(fake: FakeRadio) -> Callable[[], Awaitable[Port]]:
    async def opened() -> Port:
        return Port("memory", MemoryStream(fake), True, None)

    return opened


class Satellite(Plugged):
    """Two terminals of the third generation under one satellite."""

    virtual, lossy = True, False
    third = None
    family = Family.V3

    async def plug(self, folder: Path) -> None:
        clock = VirtualClock(asyncio.get_running_loop(), WALL_MS)  # type: ignore[arg-type]
        clock.discipline(WALL_MS, 0, ClockQuality.GNSS)
        satellite = SatelliteSim(Sky(duplicate=0.0), seed=5)
        cards = [Card(4_204_986 + at, frequency_s=10, level=2) for at in range(2)]
        self.terminals = [TerminalSim(card, satellite, Traits(self.family, nmea=0.2)) for card in cards]
        self.plugs = [Pluggable(in_memory(terminal)) for terminal in self.terminals]
        self.near = self._end(0, {"2": cards[1].number}, clock)
        self.far = self._end(1, {"1": cards[0].number}, clock)

    def _end(self, at: int, peers: dict[str, int], clock: Clock) -> RdssBearer:
        return RdssBearer("rdss", self.plugs[at], clock, peers)

    async def rubbish(self) -> None:
        """Between the terminal's sentences."""
        for data in RUBBISH:
            self.terminals[0]._out(data)


class Satellite40(Satellite):
    """The same in the 4.0 binary frames."""

    family = Family.V40


class Satellite21(Satellite):
    """The same in the 2.1 sentences."""

    family = Family.V21


def up(bearer: Bearer) -> bool:
    return bearer.health.state in (Health.UP, Health.DEGRADED)

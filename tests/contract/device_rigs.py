"""Devices for the driver contract: each rig holds the device's end, its driver the other."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import tty
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from peers.bumble_straps import Ether, Peripheral

from hardware.ble.adapter import Adapter
from hardware.ble.vitals import Pace, Strap
from hardware.clock import Clock, SystemClock
from hardware.driver import Driver, Health, Heard
from hardware.gnss.driver import GnssDriver
from hardware.gnss.gpsd import GpsdDriver
from hardware.observation import Observation
from hardware.sim.gnss import GnssSimulator
from radios.rdss.gnss import SharedGnss

IDLE_S = 0.4
ADDRESS = "F0:00:00:00:00:01"


class Ear:
    """A driver context that remembers."""

    def __init__(self) -> None:
        self.clock: Clock = SystemClock()
        self.observations: list[Observation] = []
        self.states: list[tuple[Health, str]] = []

    def emit(self, observation: Observation) -> None:
        self.observations.append(observation)

    def heard(self, item: Heard) -> None:
        raise AssertionError(item)

    def health(self, state: Health, why: str = "") -> None:
        self.states.append((state, why))


class Rig(Protocol):
    """A device. half: the beginning of a report, cut off; allowed: what its driver may write to it."""

    half: bytes
    allowed: bytes

    def driver(self) -> Driver: ...
    async def plug(self) -> None: ...
    async def unplug(self) -> None: ...
    async def speak(self) -> None: ...
    async def raw(self, data: bytes) -> None: ...
    async def written(self) -> bytes: ...


class SerialReceiver:
    """A GNSS receiver on a pseudo-terminal."""

    half = b"$GNGGA,120000.00,3801.1"
    allowed = b""

    def __init__(self, folder: Path) -> None:
        self.link = folder / "ttyGNSS"
        self.simulator = GnssSimulator()
        self.master: int | None = None

    def driver(self) -> GnssDriver:
        return GnssDriver("gnss0", str(self.link), "V1", idle_s=IDLE_S, sets_clock=False)

    async def plug(self) -> None:
        self.master, slave = os.openpty()
        tty.setraw(slave)
        os.set_blocking(self.master, False)
        self.link.unlink(missing_ok=True)
        self.link.symlink_to(os.ttyname(slave))
        os.close(slave)

    async def unplug(self) -> None:
        if self.master is not None:
            os.close(self.master)
            self.link.unlink()
            self.master = None

    async def speak(self) -> None:
        await self.raw(self.simulator.epoch())

    async def raw(self, data: bytes) -> None:
        assert self.master is not None
        while data:
            with contextlib.suppress(BlockingIOError):
                data = data[os.write(self.master, data[:1024]) :]
            await asyncio.sleep(0)

    async def written(self) -> bytes:
        assert self.master is not None
        with contextlib.suppress(BlockingIOError, OSError):
            return os.read(self.master, 4096)
        return b""


class TerminalReceiver:
    """The positioning receiver inside an RDSS terminal, whose line the bearer owns."""

    half = SerialReceiver.half
    allowed = b""

    def __init__(self, folder: Path) -> None:
        self.simulator = GnssSimulator()
        self.hear: Callable[[bytes], None] | None = None
        self.plugged = False

    def driver(self) -> SharedGnss:
        driver = SharedGnss("gnss1", "V1", sets_clock=False, idle_s=IDLE_S)
        self.hear = driver.hear
        return driver

    async def plug(self) -> None:
        self.plugged = True

    async def unplug(self) -> None:
        self.plugged = False

    async def speak(self) -> None:
        await self.raw(self.simulator.epoch())

    async def raw(self, data: bytes) -> None:
        if self.plugged and self.hear is not None:
            self.hear(data)
        await asyncio.sleep(0)

    async def written(self) -> bytes:
        return b""


class Gpsd:
    """A gpsd on a TCP port of its own."""

    half = b'{"class":"TPV","mode":3,"lat":38.0'
    allowed = b'?WATCH={"enable": true, "json": true};\n'

    def __init__(self, folder: Path) -> None:
        self.port, self.second = 0, 0
        self.server: asyncio.Server | None = None
        self.writers: list[asyncio.StreamWriter] = []
        self.heard = b""

    def driver(self) -> GpsdDriver:
        return GpsdDriver("gpsd", f"gpsd://127.0.0.1:{self.port}", "V1", idle_s=IDLE_S, sets_clock=False)

    async def plug(self) -> None:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self.server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        with contextlib.suppress(OSError):
            while data := await reader.read(4096):
                self.heard += data
        writer.close()

    async def unplug(self) -> None:
        if self.server is not None:
            self.server.close()
        for writer in self.writers:
            writer.transport.abort()
        self.writers.clear()
        self.server = None

    async def speak(self) -> None:
        self.second += 1
        said = {"class": "TPV", "mode": 3, "time": f"2026-11-24T12:{self.second // 60:02d}:{self.second % 60:02d}.000Z"}
        await self.raw(json.dumps(said | {"lat": 38.0412, "lon": 110.9511}).encode() + b"\r\n")

    async def raw(self, data: bytes) -> None:
        while not self.writers:
            await asyncio.sleep(0.01)
        self.writers[-1].write(data)
        await self.writers[-1].drain()

    async def written(self) -> bytes:
        return self.heard


class GattStrap:
    """A chest strap on an emulated Bluetooth link."""

    half = b"\x10"
    allowed = b""

    def __init__(self, folder: Path) -> None:
        self.ether: Ether | None = None
        self.beat = 60

    def driver(self) -> Strap:
        assert self.ether is not None
        adapter = Adapter(backends=self.ether.backends, scan_s=1, connect_s=2)
        return Strap("P03", "P03", self.strap.address.lower(), adapter, Pace(0.05, 0.2), random.Random(1))

    async def plug(self) -> None:
        if self.ether is None:
            self.ether = Ether()
            await self.ether.central.power_on()
            self.strap = Peripheral(self.ether.link, ADDRESS, (0x180D,))
        await self.strap.advertise()

    async def unplug(self) -> None:
        if self.strap.connections:
            await self.strap.drop()

    async def speak(self) -> None:
        self.beat += 1
        await self.strap.send(0x2A37, bytes([0x06, self.beat % 200]))

    async def raw(self, data: bytes) -> None:
        for at in range(0, min(len(data), 4000), 200):
            await self.strap.send(0x2A37, data[at : at + 200])

    async def written(self) -> bytes:
        return b""

"""The contract of every driver: cancelled cleanly, unplugged with a reason, opened again, unharmed by rubbish, never intrusive."""

from __future__ import annotations

import asyncio
import os
import random
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from device_rigs import Ear, GattStrap, Gpsd, Rig, SerialReceiver, TerminalReceiver

from edge.supervisor import Backoff, Supervisor, Task
from hardware.driver import Driver, Health
from hardware.errors import PortBusy, PortLost, PortMissing, PortSilent
from hardware.gnss.driver import GnssDriver
from hardware.gnss.framer import sentence
from hardware.gnss.gpsd import GpsdDriver
from hardware.gnss.replay import replay
from hardware.ports import open_port
from hardware.sim.pty_player import PtyPlayer

DATA = Path(__file__).parent.parent / "data/gnss"
LINES = [SerialReceiver, Gpsd]  # drivers that fail when their line does, and are called again
ALL = [*LINES, TerminalReceiver, GattStrap]  # without a line of its own; reconnecting by itself
FILE = DATA / "quectel-l76k-nmea.log"
SOURCES = [f"replay:{FILE}?speed=100000", f"replay:{FILE}?fast", "sim:gnss?rate=100"]
QUICK = Backoff(first=0.05, ceiling=0.2)

each = pytest.mark.parametrize("make", ALL, ids=lambda make: make.__name__)
each_line = pytest.mark.parametrize("make", LINES, ids=lambda make: make.__name__)


async def until(condition: Callable[[], object], seconds: float = 6) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


async def speak_until(rig: Rig, condition: Callable[[], object]) -> None:
    async with asyncio.timeout(8):
        while not condition():
            await rig.speak()
            await asyncio.sleep(0.02)


@asynccontextmanager
async def running(driver: Driver, ear: Ear) -> AsyncIterator[asyncio.Task[None]]:
    """A driver at work; it must stop within a second of being cancelled, and leave no task behind."""
    before = asyncio.all_tasks()
    task = asyncio.create_task(driver.run(ear))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task], timeout=1)
        assert task.done()
        await asyncio.sleep(0)
        mine = [left for left in asyncio.all_tasks() - before if "Driver" in repr(left) or "hardware/" in repr(left)]
        assert not mine


@asynccontextmanager
async def plugged(make: Callable[[Path], Rig], folder: Path) -> AsyncIterator[Rig]:
    rig = make(folder)
    await rig.plug()
    try:
        yield rig
    finally:
        await rig.unplug()


async def connected(rig: Rig, ear: Ear) -> None:
    await until(lambda: ear.states and ear.states[-1][0] in (Health.UP, Health.DEGRADED))
    await speak_until(rig, lambda: ear.observations)


@each
async def test_cancelled_it_lets_go_at_once(make: Callable[[Path], Rig], tmp_path: Path) -> None:
    async with plugged(make, tmp_path) as rig:
        for _ in range(2):
            ear = Ear()
            async with running(rig.driver(), ear):
                await connected(rig, ear)
            await rig.unplug()
            await rig.plug()


@each
async def test_unplugged_in_mid_report_it_says_why_and_comes_back(make: Callable[[Path], Rig], tmp_path: Path) -> None:
    async with plugged(make, tmp_path) as rig:
        ear = Ear()
        driver, supervisor = rig.driver(), Supervisor(ear.clock, lambda row: ear.states.append((row.state, row.why)))
        supervisor.add(Task(driver.name, "device", lambda reporter: driver.run(_Through(ear, reporter)), QUICK))
        keeper = asyncio.create_task(supervisor.run())
        try:
            for _ in range(2):
                await connected(rig, ear)
                await rig.raw(rig.half)
                await rig.unplug()
                await until(lambda: ear.states[-1][0] is Health.DOWN and ear.states[-1][1])
                count = len(ear.observations)
                await rig.plug()
                await until(lambda: ear.states[-1][0] in (Health.UP, Health.DEGRADED))
                await speak_until(rig, lambda count=count: len(ear.observations) > count + 1)
        finally:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)


class _Through(Ear):
    """A context whose health goes through the supervisor, as in a node."""

    def __init__(self, ear: Ear, reporter: object) -> None:
        self.clock, self.observations, self._reporter = ear.clock, ear.observations, reporter

    def health(self, state: Health, why: str = "") -> None:
        self._reporter.health(state, why)  # type: ignore[attr-defined]


@each
async def test_rubbish_does_no_harm(make: Callable[[Path], Rig], tmp_path: Path) -> None:
    rng = random.Random(7)
    hostile = [
        rng.randbytes(3000),
        b"$" * 5000,
        bytes(70_000),
        b"A" * 70_000,
        b"\n",
        b"".join(sentence(b"GNGGA," + b"," * count) for count in range(20)),
        sentence(b"GNRMC,999999.99,A,9999.9,N,99999.9,E,1e309,nan,321399,,,A"),
        b'{"class":"SKY","satellites":[{"gnssid":[]},7,{"gnssid":3,"svid":{}}],"hdop":NaN}\n',
        b'{"class":"TPV","mode":[],"lat":1e999,"lon":{},"time":"0001-01-01T00:00:00+14:00"}\n',
        b"[" * 60_000 + b"\n",
        b'{"class":"TPV","mode":3,"lat":91,"lon":1e308,"status":1e300,"time":"9999-12-31T23:59:59.999999Z"}\n',
    ]
    async with plugged(make, tmp_path) as rig:
        ear = Ear()
        async with running(rig.driver(), ear) as task:
            await connected(rig, ear)
            for data in hostile:
                await rig.raw(data)
                count = len(ear.observations)
                await rig.raw(b"\n")
                await speak_until(rig, lambda count=count: len(ear.observations) > count)
            assert not task.done()


@each
async def test_it_writes_nothing_it_was_not_asked_to(make: Callable[[Path], Rig], tmp_path: Path) -> None:
    async with plugged(make, tmp_path) as rig:
        ear = Ear()
        async with running(rig.driver(), ear):
            await connected(rig, ear)
            await asyncio.sleep(0.05)
            assert await rig.written() == rig.allowed


@each_line
async def test_silence_and_noise_trip_the_watchdog(make: Callable[[Path], Rig], tmp_path: Path) -> None:
    async with plugged(make, tmp_path) as rig:
        ear = Ear()
        async with running(rig.driver(), ear) as task:
            await connected(rig, ear)
            while not task.done():
                await rig.raw(b"\xff\x00noise\n")
                await asyncio.sleep(0.02)
            with pytest.raises(PortSilent, match="nothing valid"):
                await task
        assert ear.observations


@each_line
async def test_without_its_device_it_says_so(make: Callable[[Path], Rig], tmp_path: Path) -> None:
    async with plugged(make, tmp_path) as rig:
        driver = rig.driver()
        await rig.unplug()
        with pytest.raises(PortMissing, match=r"not there|nobody answers"):
            await driver.run(Ear())


async def test_a_serial_line_has_one_master(tmp_path: Path) -> None:
    async with plugged(SerialReceiver, tmp_path) as rig:
        ear = Ear()
        async with running(rig.driver(), ear):
            await connected(rig, ear)
            with pytest.raises(PortBusy, match="another program"):
                await rig.driver().run(Ear())
        await (await open_port(str(tmp_path / "ttyGNSS"))).close()


@pytest.mark.parametrize("port", SOURCES)
async def test_recordings_and_simulators_are_ports_too(port: str) -> None:
    ear = Ear()
    async with running(GnssDriver("gnss0", port, "V1"), ear) as task:
        await until(lambda: len(ear.observations) > 10)
        if port.startswith("replay:"):
            with pytest.raises(PortLost, match="ended"):
                await task
            fixes = list(replay(FILE))[-1]["summary"]["fixes"]  # type: ignore[index]
            live = sum(item.values[0] is not None for item in ear.observations)
            assert live == fixes + 1, "and the epoch that the end of the recording cuts short"
        else:
            assert ear.states[-1] == (Health.UP, "")


@pytest.mark.peer("gpsd")
async def test_a_real_gpsd_gives_what_the_receiver_said(tmp_path: Path) -> None:
    """gpsd reads a recording from a pseudo-terminal; our driver reads gpsd."""
    link = tmp_path / "ttyGNSS"
    data = (DATA / "unicore-um621.log").read_bytes()
    places = {(row["lat"], row["lon"]) for row in replay(DATA / "unicore-um621.log") if "lat" in row}
    lines = data.splitlines(keepends=True)
    plan = [(0.05, b"".join(lines[at : at + 10])) for at in range(0, len(lines), 10)]
    with PtyPlayer(link, plan):
        await asyncio.sleep(0.05)
        number = 20_000 + os.getpid() % 20_000
        command = ["gpsd", "-N", "-n", "-b", "-S", str(number), str(link.resolve())]
        daemon = await asyncio.create_subprocess_exec(*command, env=os.environ | {"PATH": _path()}, stderr=PIPE)
        try:
            ear = Ear()
            driver = GpsdDriver("gpsd", f"gpsd://127.0.0.1:{number}", "V1", sets_clock=False)
            supervisor = Supervisor(ear.clock)
            supervisor.add(Task("gpsd", "device", lambda reporter: driver.run(_Through(ear, reporter)), QUICK))
            keeper = asyncio.create_task(supervisor.run())
            await until(lambda: len([item for item in ear.observations if item.values[0] is not None]) >= 5, 20)
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)
        finally:
            daemon.terminate()
            await daemon.communicate()
    seen = {(lat / 1e6, lon / 1e6) for lat, lon, *_ in (item.values for item in ear.observations) if lat and lon}
    assert seen
    near = [min(abs(lat - a) + abs(lon - b) for a, b in places) for lat, lon in seen]  # type: ignore[operator]
    assert max(near) < 3e-6


def _path() -> str:
    return f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin{os.pathsep}/sbin"

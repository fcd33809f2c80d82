"""Ports on real pseudo-terminals, real sockets and real files."""

from __future__ import annotations

import asyncio
import os
import tty
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from hardware import ports, usb
from hardware.errors import PortBusy, PortError, PortLost, PortMissing, PortSilent
from hardware.ports import Backoff, SourceStream, open_port

RECORDING = Path(__file__).parent.parent / "data/gnss/bt451.log"


class Terminal:
    """A pseudo-terminal behind a link; the test holds the device's end."""

    def __init__(self, link: Path) -> None:
        self.link = link
        self.plug()

    def plug(self) -> None:
        self.master, slave = os.openpty()
        tty.setraw(slave)
        self.link.unlink(missing_ok=True)
        self.link.symlink_to(os.ttyname(slave))
        os.close(slave)

    def unplug(self) -> None:
        os.close(self.master)
        self.link.unlink()


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    one = Terminal(tmp_path / "ttyTEST0")
    yield one
    if one.link.is_symlink():
        one.unplug()


def run(work: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(10):
            await work()

    asyncio.run(bounded())


def test_reads_and_loses_a_device_unplugged_in_mid_sentence(
    terminal: Terminal, caplog: pytest.LogCaptureFixture
) -> None:
    async def work() -> None:
        async with await open_port(str(terminal.link)) as port:
            os.write(terminal.master, b"$GNGGA,half a sen")
            assert await port.read() == b"$GNGGA,half a sen"
            assert await port.read(0.02) == b""
            terminal.unplug()
            with pytest.raises(PortLost, match="ttyTEST0"):
                await port.read()
        with pytest.raises(PortMissing, match="not there"):
            await open_port(str(terminal.link))
        terminal.plug()
        async with await open_port(str(terminal.link)) as port:
            os.write(terminal.master, b"again")
            assert await port.read() == b"again"

    run(work)
    assert caplog.text == ""  # nobody's task failed unseen


def test_a_second_opener_is_refused_until_the_first_lets_go(terminal: Terminal) -> None:
    async def work() -> None:
        first = await open_port(str(terminal.link))
        with pytest.raises(PortBusy, match="another program"):
            await open_port(str(terminal.link))
        await first.close()
        await (await open_port(str(terminal.link))).close()

    run(work)


def test_a_listener_cannot_write(terminal: Terminal) -> None:
    async def work() -> None:
        async with await open_port(str(terminal.link)) as port:
            with pytest.raises(PortError, match="listening only"):
                await port.write(b"$PMTK000*32\r\n")
            line = port._stream._writer.transport.serial  # type: ignore[attr-defined]
            with pytest.raises(OSError, match="listening only"):
                line.write(b"x")
        os.set_blocking(terminal.master, False)
        with pytest.raises((BlockingIOError, OSError)):
            os.read(terminal.master, 1)

    run(work)


def test_a_writer_writes_and_a_device_that_takes_nothing_is_lost(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ports, "WRITE_WAIT_S", 0.1)

    async def work() -> None:
        async with await open_port(str(terminal.link), write=True) as port:
            await port.write(b"hello")
            assert os.read(terminal.master, 5) == b"hello"
            with pytest.raises(PortLost, match="takes no data"):
                for _ in range(100):
                    await port.write(bytes(4096))

    run(work)


def test_noise_does_not_feed_the_watchdog(terminal: Terminal) -> None:
    async def work() -> None:
        async with await open_port(str(terminal.link), idle_s=0.15) as port:
            port.alive()
            with pytest.raises(PortSilent, match="nothing valid"):
                while True:
                    os.write(terminal.master, b"\xff\x00")
                    await port.read(0.02)
            with pytest.raises(PortSilent):
                await port.read()

    run(work)


def test_silence_is_noticed(terminal: Terminal) -> None:
    async def work() -> None:
        async with await open_port(str(terminal.link), idle_s=0.05) as port:
            with pytest.raises(PortSilent):
                await port.read()

    run(work)


def test_tcp_reads_writes_and_ends() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readexactly(4))
        writer.close()

    async def work() -> None:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            host, number = server.sockets[0].getsockname()
            async with await open_port(f"tcp://{host}:{number}", write=True) as port:
                await port.write(b"ping")
                assert await port.read() == b"ping"
                with pytest.raises(PortLost, match="ended"):
                    await port.read()
        with pytest.raises(PortMissing, match="nobody answers"):
            await open_port(f"tcp://{host}:{number}")

    run(work)


@pytest.mark.parametrize("option", ["fast", "rate=10000000", "speed=1000"])
def test_a_replay_gives_every_byte_then_ends(option: str) -> None:
    async def work() -> None:
        data = b""
        async with await open_port(f"replay:{RECORDING}?{option}") as port:
            with pytest.raises(PortLost, match="ended"):
                while True:
                    data += await port.read(0.001)
        assert data == RECORDING.read_bytes()

    run(work)


def test_a_replay_keeps_the_recorded_pace(tmp_path: Path) -> None:
    file = tmp_path / "two.nmea"
    file.write_bytes(b"$GNRMC,120000.00,V\r\n$GNGGA,120000.00,\r\n$GNRMC,120000.30,V\r\n")

    async def work() -> None:
        loop = asyncio.get_running_loop()
        async with await open_port(f"replay:{file}") as port:
            assert b"120000.30" not in await port.read()
            start = loop.time()
            assert b"120000.30" in await port.read()
            assert 0.2 < loop.time() - start < 0.6

    run(work)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ttyUSB0", "allowed are usb:"),
        ("usb:", "allowed are"),
        ("usb:0403", "usb:VID:PID:SERIAL"),
        ("usb:fffe:fffe:none", "not plugged in"),
        ("tcp://127.0.0.1:99999", "tcp://HOST:PORT"),
        ("replay:/no/such/file", "No such file"),
        ("replay:{file}?sped=2", "unknown option sped"),
        ("replay:{file}?speed=0", "not a positive number"),
        ("replay:{file}?speed=fast", "could not convert"),
        ("sim:unheard-of", "no such simulator"),
        ("sim:gnss?rate=0", "rate must be"),
        ("/dev/null/x", "Not a directory"),
    ],
)
def test_a_wrong_name_says_what_is_allowed(name: str, words: str) -> None:
    async def work() -> None:
        with pytest.raises(PortError, match=words):
            await open_port(name.format(file=RECORDING))

    run(work)


def test_others_register_simulators() -> None:
    async def echo() -> Iterator[bytes]:  # type: ignore[misc]
        yield b"from a simulator"

    async def work() -> None:
        ports.register("test-echo", lambda options: SourceStream(echo()))  # type: ignore[arg-type]
        async with await open_port("sim:test-echo") as port:
            assert await port.read() == b"from a simulator"

    run(work)


@dataclass
class Plugged:
    device: str
    vid: int | None
    pid: int | None
    serial_number: str | None
    location: str | None


BUS = [
    Plugged("/dev/ttyUSB0", 0x1A86, 0x7523, None, "1-1.2"),
    Plugged("/dev/ttyUSB1", 0x1A86, 0x7523, None, "1-1.4:1.0"),
    Plugged("/dev/ttyACM0", 0x1546, 0x01A9, "A1", "1-2:1.0"),
    Plugged("/dev/ttyS0", None, None, None, None),
]


@pytest.mark.parametrize(
    ("name", "device"),
    [
        ("1a86:7523@1-1.2", "/dev/ttyUSB0"),
        ("1A86:7523@1-1.4", "/dev/ttyUSB1"),
        ("1546:01a9:*", "/dev/ttyACM0"),
        ("1546:01a9:A1", "/dev/ttyACM0"),
    ],
)
def test_usb_identity(name: str, device: str) -> None:
    assert usb.find(name, BUS) == device


@pytest.mark.parametrize(
    ("name", "words"), [("1a86:7523:*", "fits /dev/ttyUSB0, /dev/ttyUSB1"), ("1546:01a9:B2", "not")]
)
def test_usb_identity_must_be_single(name: str, words: str) -> None:
    with pytest.raises(PortMissing, match=words):
        usb.find(name, BUS)


def test_waiting_for_a_plug_ends_when_it_comes(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usb, "POLL_S", 0.02)

    async def work() -> None:
        assert not await usb.plugged_in(str(terminal.link), 0.05)  # it is there already: the whole pause
        terminal.unplug()
        waiting = asyncio.create_task(usb.plugged_in(str(terminal.link), 8))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        terminal.plug()
        assert await waiting

    run(work)


def test_back_off_grows_is_bounded_and_forgets() -> None:
    backoff = Backoff()
    assert [backoff.pause() for _ in range(8)] == [1, 2, 5, 10, 30, 60, 60, 60]
    assert backoff.pause(ran_s=61) == 1
    assert backoff.pause(ran_s=3) == 2
    backoff.reset()
    assert backoff.pause() == 1

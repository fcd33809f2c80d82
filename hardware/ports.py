"""Ports: one way to open whatever a driver reads bytes from.

usb:VID:PID:SERIAL, usb:VID:PID:*, usb:VID:PID@LOCATION    a serial adapter by identity or by socket
/dev/serial/by-id/…, /dev/ttyS0, COM3                      a serial port by name
tcp://HOST:PORT                                            a serial server or simulator
replay:FILE, replay:FILE?speed=4, ?rate=9600, ?fast        a recording, paced by its own times, as a line of that baud rate, or unpaced
sim:NAME?key=value                                         a simulator of `SIMULATORS`
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self
from urllib.parse import parse_qsl

from hardware.errors import PortError, PortLost, PortMissing, PortSilent

WRITE_LIMIT: Final = 16_384  # bytes waiting to be written before `write` waits
WRITE_WAIT_S: Final = 5.0
CONNECT_WAIT_S: Final = 5.0
READ_SIZE: Final = 16_384
FORMS: Final = "usb:VID:PID:SERIAL, usb:VID:PID@LOCATION, /dev/…, COMn, tcp://HOST:PORT, replay:FILE or sim:NAME"


class Stream(Protocol):
    """What a port is made of. A simulator implements this, or gives an async iterator to `SourceStream`."""

    async def read(self) -> bytes:
        """The next bytes, b"" at the end; OSError when the device is gone; may be cancelled without a loss."""

    async def write(self, data: bytes) -> None:
        """Hand bytes on; waits while the device takes none."""

    async def close(self) -> None:
        """Let go of the device at once."""


class PipeStream:
    """A Stream over asyncio's reader and writer."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        writer.transport.set_write_buffer_limits(high=WRITE_LIMIT)

    async def read(self) -> bytes:
        """What has arrived."""
        return await self._reader.read(READ_SIZE)

    async def write(self, data: bytes) -> None:
        """Queue, and wait until the queue is below its limit."""
        self._writer.write(data)
        await self._writer.drain()

    async def close(self) -> None:
        """Drop what is queued and close."""
        if not self._writer.transport.is_closing():  # a serial transport that lost its device must not be ended twice
            self._writer.transport.abort()
        with suppress(OSError):
            await self._writer.wait_closed()


class SourceStream:
    """A Stream that only gives: the chunks of an async iterator."""

    def __init__(self, source: AsyncIterator[bytes]) -> None:
        self._source = source
        self._next: asyncio.Future[bytes] | None = None

    async def _take(self) -> bytes:
        return await anext(self._source, b"")

    async def read(self) -> bytes:
        """The next chunk; a cancelled read leaves it for the next."""
        if self._next is None:
            self._next = asyncio.ensure_future(self._take())
        data = await asyncio.shield(self._next)
        self._next = None
        return data

    async def write(self, data: bytes) -> None:
        """Nobody listens; bytes go nowhere."""

    async def close(self) -> None:
        """Stop the iterator."""
        if self._next is not None:
            self._next.cancel()
            with suppress(asyncio.CancelledError):
                await self._next


@dataclass(slots=True)
class Backoff:
    """Pauses between attempts: 1, 2, 5, 10, 30, 60 s; begins anew after `steady_s` of good running."""

    steps: tuple[float, ...] = (1, 2, 5, 10, 30, 60)
    steady_s: float = 60.0
    failures: int = 0

    def pause(self, ran_s: float = 0.0) -> float:
        """Seconds to wait now; `ran_s`: how long the attempt that has just failed had worked."""
        if ran_s >= self.steady_s:
            self.failures = 0
        wait = self.steps[min(self.failures, len(self.steps) - 1)]
        self.failures += 1
        return wait

    def reset(self) -> None:
        """It works again."""
        self.failures = 0


class Port:
    """An open port. Made by `open_port`; `async with` closes it.

    idle_s: `read` raises PortSilent when `alive` was not called for so long, whatever noise arrives meanwhile.
    """

    def __init__(self, name: str, stream: Stream, writable: bool, idle_s: float | None) -> None:
        self.name, self.writable, self.idle_s = name, writable, idle_s
        self._stream = stream
        self._loop = asyncio.get_running_loop()
        self._alive_at = self._loop.time()

    def alive(self) -> None:
        """The driver heard something valid: the idle watchdog starts again."""
        self._alive_at = self._loop.time()

    async def read(self, wait_s: float | None = None) -> bytes:
        """The next bytes, or b"" after `wait_s` without any; PortLost, PortSilent."""
        left = None if self.idle_s is None else self._alive_at + self.idle_s - self._loop.time()
        if left is not None and left <= 0:
            raise PortSilent(f"{self.name}: nothing valid for {self.idle_s:g} s")
        limits = [limit for limit in (left, wait_s) if limit is not None]
        timeout = asyncio.timeout(min(limits) if limits else None)
        try:
            async with timeout:
                data = await self._stream.read()
        except OSError as error:
            if timeout.expired():
                return b"" if left is None or wait_s == min(limits) else await self.read(wait_s)
            raise PortLost(f"{self.name}: went away ({error})") from error
        if not data:
            raise PortLost(f"{self.name}: ended")
        return data

    async def write(self, data: bytes) -> None:
        """Send bytes; PortLost when the device takes none for 5 s; PortError on a port opened for listening only."""
        if not self.writable:
            raise PortError(f"{self.name}: opened for listening only, {len(data)} bytes not written")
        try:
            async with asyncio.timeout(WRITE_WAIT_S):
                await self._stream.write(data)
        except OSError as error:
            raise PortLost(f"{self.name}: takes no data ({error or 'time-out'})") from error

    async def close(self) -> None:
        """Give the device free at once."""
        await self._stream.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


@dataclass(frozen=True, slots=True)
class Opening:
    """What an opener is told: the name after its scheme, its options, and how the driver wants it."""

    name: str
    body: str
    baud: int = 9600
    write: bool = False
    options: Mapping[str, str] = field(default_factory=dict)


Simulator = Callable[[Mapping[str, str]], Stream]
SIMULATORS: Final[dict[str, str | Simulator]] = {"gnss": "hardware.sim.gnss:stream"}


def register(name: str, simulator: str | Simulator) -> None:
    """Make `sim:NAME` open a simulator: a callable from options to a Stream, or "module:callable" imported when used."""
    SIMULATORS[name] = simulator


async def _open_sim(opening: Opening) -> Stream:
    factory = SIMULATORS.get(opening.body)
    if factory is None:
        raise PortMissing(f"{opening.name}: no such simulator; there are {', '.join(sorted(SIMULATORS))}")
    if isinstance(factory, str):
        module, _, attribute = factory.partition(":")
        factory = getattr(importlib.import_module(module), attribute)
    assert callable(factory)
    try:
        return factory(opening.options)
    except ValueError as error:
        raise PortMissing(f"{opening.name}: {error}") from error


async def _open_replay(opening: Opening) -> Stream:
    from hardware.replay import play, script

    path = Path(opening.body)
    try:
        data = await asyncio.to_thread(path.read_bytes)
        return SourceStream(play(script(data, opening.options)))
    except OSError as error:
        raise PortMissing(f"{opening.name}: {error.strerror}") from error
    except ValueError as error:
        raise PortMissing(f"{opening.name}: {error}") from error


async def _open_tcp(opening: Opening) -> Stream:
    host, _, port = opening.body.rpartition(":")
    if not (host and port.isdecimal() and int(port) < 65536):
        raise PortMissing(f"{opening.name} is not tcp://HOST:PORT")
    try:
        async with asyncio.timeout(CONNECT_WAIT_S):
            return PipeStream(*await asyncio.open_connection(host.strip("[]"), int(port)))
    except OSError as error:
        raise PortMissing(f"{opening.name}: nobody answers ({error or 'time-out'})") from error


async def _open_usb(opening: Opening) -> Stream:
    from hardware import usb

    path = await asyncio.to_thread(usb.find, opening.body)
    return await _serial(path, opening)


async def _open_path(opening: Opening) -> Stream:
    return await _serial(opening.name, opening)


async def _serial(path: str, opening: Opening) -> Stream:
    from hardware.serialline import open_line

    return PipeStream(*await open_line(path, opening.baud, opening.write))


_SCHEMES: Final = {
    "usb:": _open_usb,
    "tcp://": _open_tcp,
    "replay:": _open_replay,
    "sim:": _open_sim,
    "/": _open_path,
    "COM": _open_path,
}


def scheme_of(name: str) -> str:
    """The prefix that says how a port is opened; PortMissing for a name of no known form."""
    found = next((scheme for scheme in _SCHEMES if name.startswith(scheme)), None)
    if found is None or name == found:
        raise PortMissing(f"{name!r} is no port: allowed are {FORMS}")
    return found


async def open_port(name: str, *, baud: int = 9600, write: bool = False, idle_s: float | None = None) -> Port:
    """Open a port by its configured name; PortMissing, PortBusy or PortError say why not.

    write: a port that the driver does not ask to write to cannot be written to.
    """
    scheme = scheme_of(name)
    body, options = name.removeprefix(scheme), {}
    if scheme in ("replay:", "sim:"):
        body, _, query = body.partition("?")
        options = dict(parse_qsl(query, keep_blank_values=True))
    stream = await _SCHEMES[scheme](Opening(name, body, baud, write, options))
    return Port(name, stream, write, idle_s)

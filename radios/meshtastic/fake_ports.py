"""Where a fake radio can be reached: a TCP port, a pseudo-terminal, or a pair of streams in memory."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Final

from hardware.clock import SystemClock
from hardware.ports import Port
from radios.meshtastic.fake import FakeRadio, Host
from radios.meshtastic.radio import Opener

PENDING: Final = 65_536  # bytes kept for a terminal that nobody reads


@asynccontextmanager
async def serve_tcp(radio: FakeRadio, port: int = 0, host: str = "127.0.0.1") -> AsyncIterator[int]:
    """Serve one client at a time, as the firmware does; yields the port in use."""
    writers: set[asyncio.StreamWriter] = set()

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected = Host(writer.write, writer.close)
        writers.add(writer)
        radio.attach(connected)
        try:
            while data := await reader.read(4096):
                radio.feed(connected, data)
        except OSError:
            return
        finally:
            radio.detach(connected)
            writers.discard(writer)
            writer.transport.abort()

    server = await asyncio.start_server(client, host, port)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for writer in list(writers):
            writer.transport.abort()
        await asyncio.sleep(0)
        await server.wait_closed()


@asynccontextmanager
async def serve_pty(radio: FakeRadio) -> AsyncIterator[str]:
    """Serve a pseudo-terminal; yields its path. The slave is held open, so that a host may come and go."""
    import tty

    master, slave = os.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    loop = asyncio.get_running_loop()
    waiting = bytearray()

    def flush() -> None:
        with suppress(BlockingIOError):
            del waiting[: os.write(master, waiting)]
        if waiting:
            loop.add_writer(master, flush)
        else:
            loop.remove_writer(master)

    def write(data: bytes) -> None:
        if len(waiting) < PENDING:
            waiting.extend(data)
            flush()

    def read() -> None:
        with suppress(BlockingIOError):
            radio.feed(host, os.read(master, 4096))

    host = Host(write, waiting.clear)
    radio.attach(host)
    loop.add_reader(master, read)
    try:
        yield os.ttyname(slave)
    finally:
        radio.detach(host)
        loop.remove_reader(master)
        loop.remove_writer(master)
        os.close(master)
        os.close(slave)


class MemoryStream:
    """The host's end of a connection with no socket under it; a Stream of hardware/ports.py."""

    def __init__(self, radio: FakeRadio) -> None:
        self._radio = radio
        self._bytes: asyncio.Queue[bytes] = asyncio.Queue()
        self._host = Host(self._bytes.put_nowait, self._end)
        self._over = False
        radio.attach(self._host)

    def _end(self) -> None:
        self._over = True
        self._bytes.put_nowait(b"")

    async def read(self) -> bytes:
        """What the radio said; b"" once it is over."""
        return b"" if self._over else await self._bytes.get()

    async def write(self, data: bytes) -> None:
        """Tell the radio."""
        self._radio.feed(self._host, data)

    async def close(self) -> None:
        """Hang up."""
        self._radio.detach(self._host)


def in_memory(radio: FakeRadio) -> Opener:
    """An opener for Radio that needs no socket: for simulation in virtual time."""

    async def connect() -> Port:
        return Port("memory", MemoryStream(radio), True, None)

    return connect


class _Alive(MemoryStream):
    """A memory stream that keeps its radio's team alive while it is open."""

    def __init__(self, radio: FakeRadio) -> None:
        super().__init__(radio)
        self._life = asyncio.get_running_loop().create_task(radio.run())

    async def close(self) -> None:
        """Hang up and let the team rest."""
        await super().close()
        self._life.cancel()
        await asyncio.gather(self._life, return_exceptions=True)


def stream(options: Mapping[str, str]) -> MemoryStream:
    """What `sim:mesh?members=6&seed=1` opens; ValueError for a value that is no number."""
    members, seed = int(options.get("members", "6")), int(options.get("seed", "1"))
    return _Alive(FakeRadio(SystemClock(), members=members, seed=seed))

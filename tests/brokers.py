"""Brokers for tests: a real mosquitto, and the embedded one; both can be killed, losing their memory, and started again."""

from __future__ import annotations

import asyncio
import shutil
import socket
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from edge.broker import EmbeddedBroker

MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")


def free_port() -> int:
    """A loopback port that nobody holds now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


async def listening(port: int, within_s: float = 5.0) -> None:
    """Wait until somebody accepts on a loopback port."""
    async with asyncio.timeout(within_s):
        while True:
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                await writer.wait_closed()
                return
            await asyncio.sleep(0.02)


class AnyBroker(Protocol):
    """What a test does with a broker."""

    port: int

    async def start(self) -> None: ...
    async def kill(self) -> None: ...


class Mosquitto:
    """A mosquitto process without persistence; `extra` are lines of its configuration."""

    def __init__(self, folder: Path, extra: str = "") -> None:
        self.port = free_port()
        self._file = folder / f"mosquitto{self.port}.conf"
        self._file.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\n{extra}", encoding="utf-8")
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start, and wait until it listens."""
        quiet = asyncio.subprocess.DEVNULL
        self._process = await asyncio.create_subprocess_exec(
            str(MOSQUITTO), "-c", str(self._file), stdout=quiet, stderr=quiet
        )
        await listening(self.port)

    async def kill(self) -> None:
        """Kill -9."""
        if self._process is not None:
            self._process.kill()
            await self._process.wait()
            self._process = None


class Embedded:
    """The embedded broker within the test's own loop."""

    def __init__(self, users: dict[str, str] | None = None) -> None:
        self.port = free_port()
        self._users = users
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start, and wait until it listens."""
        broker = EmbeddedBroker("127.0.0.1", self.port, self._users)
        self._task = asyncio.create_task(broker.run())
        await asyncio.wait_for(broker.ready.wait(), 5)

    async def kill(self) -> None:
        """Stop it; its sessions and queues go with it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

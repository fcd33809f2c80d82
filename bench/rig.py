"""What benches and tests of whole processes stand on: nodes of one incident, a mosquitto of their own, and looks into stores."""

from __future__ import annotations

import asyncio
import getpass
import shutil
import socket
import time
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from edge.demo.processes import Child
from edge.keys import file_of
from edge.store.connect import fetch, open_reader

MOSQUITTO: Final = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
LISTENING_S: Final = 5.0
PATIENCE_S: Final = 600.0
COMMON: Final = """
[station]
id = "{id}"
role = "{role}"
node = {node}
data = "{id}"
[incident]
lat = 30.15
lon = 119.1
start = 2026-07-20T05:00:00+08:00
central = [1]
[keys]
file = "{keys}"
[sticks]
watch = []
"""
MQTT: Final = """
[bearers.mqtt]
type = "mqtt"
brokers = ["mqtt://127.0.0.1:{port}"]
"""
QUICK: Final = "keepalive_s = 5\n"  # behind MQTT: a link that is cut is noticed soon


def node_file(folder: Path, role: str, name: str, node: int, more: str = "") -> Path:
    """The configuration of a node whose keys lie in `keys`, `more` behind what all share; its store is in a folder of its name."""
    file = folder / f"{name}.toml"
    common = COMMON.format(id=name, role=role, node=node, keys=file_of(folder / "keys", node))
    file.write_text(common + more, encoding="utf-8")
    return file


def child(folder: Path, role: str, name: str, node: int, more: str = "") -> Child:
    """Such a node as a process."""
    return Child(role, node_file(folder, role, name, node, more), folder / name / "sanduan.db")


def count(path: Path, sql: str = "SELECT count(*) FROM observation") -> int:
    """The one number that a query gives."""
    with closing(open_reader(path)) as conn:
        return int(fetch(conn, path, sql)[0][0] or 0)


async def until(true: Callable[[], bool], every_s: float = 0.02) -> float:
    """Seconds until it is so."""
    begun = time.monotonic()
    async with asyncio.timeout(PATIENCE_S):
        while not true():  # noqa: ASYNC110 (another process's file tells nobody)
            await asyncio.sleep(every_s)
    return time.monotonic() - begun


def free_port() -> int:
    """A loopback port that nobody holds now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


async def listening(port: int, within_s: float = LISTENING_S) -> None:
    """Wait until somebody accepts on a loopback port."""
    async with asyncio.timeout(within_s):
        while True:
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                await writer.wait_closed()
                return
            await asyncio.sleep(0.02)


class Mosquitto:
    """A mosquitto process; `extra` are lines of its configuration, {folder} in them is its folder. Killed, it starts again from what
    it persisted there, which is nothing unless the lines say so."""

    def __init__(self, folder: Path, extra: str = "") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self._file = folder / f"mosquitto{self.port}.conf"
        own = f"user {getpass.getuser()}\n"  # or it gives up root and cannot write its folder
        text = f"{own}listener {self.port} 127.0.0.1\nallow_anonymous true\n{extra.format(folder=folder)}"
        self._file.write_text(text, encoding="utf-8")
        self._process: Process | None = None

    async def start(self) -> None:
        """Start, and wait until it listens."""
        if MOSQUITTO is None:
            raise FileNotFoundError("mosquitto is not installed")
        self._process = await asyncio.create_subprocess_exec(
            MOSQUITTO, "-c", str(self._file), stdout=DEVNULL, stderr=DEVNULL
        )
        await listening(self.port)

    async def kill(self) -> None:
        """Kill -9."""
        if self._process is not None:
            self._process.kill()
            await self._process.wait()
            self._process = None

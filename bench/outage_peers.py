"""Peers of the outage bench: a link that counts and can be cut, and mosquitto with a bridge to a second mosquitto."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import shutil
import socket
import time
from pathlib import Path
from typing import Final

import aiomqtt

MOSQUITTO: Final = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
PAYLOAD: Final = 40  # bytes of a message beside its number
DEFAULTS: Final = "persistence true\npersistence_location {folder}/\n"
BEST: Final = (
    DEFAULTS + "autosave_on_changes true\nautosave_interval 1\nmax_queued_messages 0\nmax_inflight_messages 0\n"
)
BRIDGE: Final = "connection up\naddress 127.0.0.1:{port}\ntopic # out 1\ncleansession false\n"


def free_port() -> int:
    """A loopback port that nobody holds now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class Tap:
    """A TCP forwarder to a loopback port that counts bytes both ways; cut, it drops and refuses everybody."""

    def __init__(self, to: int) -> None:
        self.port, self.bytes = free_port(), 0
        self._to, self._down = to, False
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def cut(self, down: bool) -> None:
        """Take the link down, or let it be again."""
        self._down = down
        for writer in list(self._writers):
            writer.transport.abort()

    async def stop(self) -> None:
        """End."""
        await self.cut(True)
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._down:
            writer.transport.abort()
            return
        with contextlib.suppress(OSError):
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._to)
            pair = {writer, far_writer}
            self._writers |= pair
            try:
                await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
            finally:
                self._writers -= pair
                for each in pair:
                    each.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            self.bytes += len(data)
            writer.write(data)
            await writer.drain()
        raise ConnectionResetError


class Broker:
    """A mosquitto process with its own folder; killed, it starts again from what it persisted."""

    def __init__(self, folder: Path, lines: str) -> None:
        folder.mkdir(parents=True)
        self.port = free_port()
        self._file = folder / "mosquitto.conf"
        own = f"user {getpass.getuser()}\n"  # or it gives up root and cannot write its folder
        text = f"{own}listener {self.port} 127.0.0.1\nallow_anonymous true\n{lines.format(folder=folder)}"
        self._file.write_text(text, encoding="utf-8")
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start, and wait until it listens."""
        quiet = asyncio.subprocess.DEVNULL
        if MOSQUITTO is None:
            raise FileNotFoundError("mosquitto is not installed")
        self._process = await asyncio.create_subprocess_exec(
            MOSQUITTO, "-c", str(self._file), stdout=quiet, stderr=quiet
        )
        async with asyncio.timeout(5):
            while True:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                    writer.close()
                    return
                await asyncio.sleep(0.02)

    async def kill(self) -> None:
        """Kill -9."""
        if self._process is not None:
            self._process.kill()
            await self._process.wait()
            self._process = None


class Mosquitto:
    """An edge broker bridged to a central one; the publisher's acknowledgement is the edge broker's PUBACK (QoS 1)."""

    abreast = 1

    def __init__(self, folder: Path, best: bool) -> None:
        self.name = "mosquitto best" if best else "mosquitto defaults"
        settings = BEST if best else DEFAULTS
        root = folder / self.name.replace(" ", "-")
        self._centre = Broker(root / "centre", settings)
        self.tap = Tap(self._centre.port)
        self._edge = Broker(
            root / "edge", settings + BRIDGE.format(port=self.tap.port) + ("restart_timeout 1\n" if best else "")
        )
        self.arrived: dict[int, list[float]] = {}
        self._listening: asyncio.Task[None] | None = None
        self._client: aiomqtt.Client | None = None

    async def start(self) -> None:
        """Both brokers, the link, and a subscriber at the centre."""
        await self._centre.start()
        await self.tap.start()
        ready = asyncio.Event()
        self._listening = asyncio.create_task(self._listen(ready))
        await ready.wait()
        await self._edge.start()

    async def publish(self, number: int, urgent: bool) -> bool:
        """QoS 1 to the edge; a publisher that is not connected tries to be."""
        try:
            if self._client is None:
                client = aiomqtt.Client("127.0.0.1", self._edge.port, identifier="publisher", timeout=1)
                await client.__aenter__()
                self._client = client
            payload = number.to_bytes(4, "big") + bytes(PAYLOAD)
            await self._client.publish("flash" if urgent else "rows", payload, qos=1, timeout=1)
        except aiomqtt.MqttError:
            await self._leave()
            return False
        return True

    async def crash(self) -> None:
        """Kill the edge broker and start it again."""
        await self._edge.kill()
        await self._edge.start()

    async def stop(self) -> None:
        """End everything."""
        await self._leave()
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
        await self._edge.kill()
        await self._centre.kill()
        await self.tap.stop()

    async def _leave(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(aiomqtt.MqttError):
                await client.__aexit__(None, None, None)

    async def _listen(self, ready: asyncio.Event) -> None:
        async with aiomqtt.Client("127.0.0.1", self._centre.port, identifier="centre") as client:
            await client.subscribe("#", qos=1)
            ready.set()
            async for message in client.messages:
                if isinstance(message.payload, bytes) and len(message.payload) == PAYLOAD + 4:
                    self.arrived.setdefault(int.from_bytes(message.payload[:4], "big"), []).append(time.monotonic())

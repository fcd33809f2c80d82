"""Sanduan's peer in the outage bench: mosquitto with a bridge to a second mosquitto."""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path
from typing import Final

import aiomqtt

from bench.rig import Mosquitto, free_port
from radios.gate import Gate

PAYLOAD: Final = 40  # bytes of a message beside its number
DEFAULTS: Final = "persistence true\npersistence_location {folder}/\n"
BEST: Final = (
    DEFAULTS + "autosave_on_changes true\nautosave_interval 1\nmax_queued_messages 0\nmax_inflight_messages 0\n"
)
BRIDGE: Final = "connection up\naddress 127.0.0.1:{port}\ntopic # out 1\ncleansession false\n"


class Bridge:
    """An edge broker bridged to a central one; the publisher's acknowledgement is the edge broker's PUBACK (QoS 1)."""

    abreast = 1

    def __init__(self, folder: Path, best: bool) -> None:
        self.name = "mosquitto best" if best else "mosquitto defaults"
        settings = BEST if best else DEFAULTS
        root = folder / self.name.replace(" ", "-")
        self._centre, self._way = Mosquitto(root / "centre", settings), free_port()
        self.gate = Gate("127.0.0.1", self._centre.port)
        bridge = BRIDGE.format(port=self._way) + ("restart_timeout 1\n" if best else "")
        self._edge = Mosquitto(root / "edge", settings + bridge)
        self.arrived: dict[int, list[float]] = {}
        self._listening: asyncio.Task[None] | None = None
        self._client: aiomqtt.Client | None = None

    async def start(self) -> None:
        """Both brokers, the link, and a subscriber at the centre."""
        await self._centre.start()
        await self.gate.start(self._way)
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
        await self.gate.stop()

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

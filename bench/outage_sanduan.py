"""Sanduan in the outage bench: a real agent and a real central with its own broker, the publisher speaks as a screen does."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from bench.outage_peers import PAYLOAD
from bench.rig import MQTT, QUICK, child, free_port
from edge import intents
from edge.keys import create
from edge.store.connect import fetch, open_reader
from hardware.errors import DecodeError, LinkDown
from radios.gate import Gate
from sync.events import BY_NAME, key
from sync.seal.contract import Role

LOOK_S: Final = 0.05
WORDS: Final = ("sos", "message")  # urgent, and not
TEXT: Final = {BY_NAME[word].number: str(key(word, "text")) for word in WORDS}
BROKER: Final = '[broker]\nlisten = "127.0.0.1:{port}"\n'


class Sanduan:
    """The agent's answer after its commit is the acknowledgement; arrived is what central's store shows."""

    name = "sanduan"
    abreast = 16

    def __init__(self, folder: Path) -> None:
        home, port = folder / self.name, free_port()
        create(home / "keys", {1: Role.COMMAND, 2: Role.MEMBER})
        self.gate, self._way = Gate("127.0.0.1", port), free_port()
        self._central = child(home, "central", "C1", 1, BROKER.format(port=port))
        self._agent = child(home, "agent", "V1", 2, MQTT.format(port=self._way) + QUICK)
        self.arrived: dict[int, list[float]] = {}
        self._looking: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Central with its broker, the link, the agent."""
        await self._central.start()
        await self.gate.start(self._way)
        await self._agent.start()
        self._looking = asyncio.create_task(self._look())

    async def publish(self, number: int, urgent: bool) -> bool:
        """A message or an SOS, as from a screen; an agent that is away acknowledges nothing."""
        word = WORDS[0] if urgent else WORDS[1]
        fields: dict[str, Any] = {"text": f"{number:04d}{'.' * PAYLOAD}"} | ({"subject": "P1"} if urgent else {})
        try:
            await asyncio.to_thread(intents.ask, intents.beside(self._agent.store), word, **fields)
        except (LinkDown, DecodeError):
            return False
        return True

    async def crash(self) -> None:
        """Kill the agent and start it again."""
        await self._agent.kill()
        await self._agent.start()

    async def stop(self) -> None:
        """End everything."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        await asyncio.gather(self._agent.stop(), self._central.stop())
        await self.gate.stop()

    async def _look(self) -> None:
        """Read what is new at central, again and again."""
        last = 0
        with closing(open_reader(self._central.store)) as conn:
            while True:
                rows = fetch(
                    conn, self._central.store, "SELECT id, kind, body FROM event WHERE id > ? ORDER BY id", (last,)
                )
                for row, kind, body in rows:
                    last = row
                    if kind in TEXT:
                        self.arrived.setdefault(int(json.loads(body)[TEXT[kind]][:4]), []).append(time.monotonic())
                await asyncio.sleep(LOOK_S)

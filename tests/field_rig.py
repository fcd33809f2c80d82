"""A small field of real processes for tests: one central, one agent with simulated wearables, a real broker between them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from bench.rig import MQTT, QUICK, child
from edge.demo.tally import Tally, tally
from edge.devices import HUSH
from edge.keys import create
from edge.store.connect import fetch, open_reader
from sync.seal.contract import Role

CENTRAL, AGENT = 1, 2
ROLES = {CENTRAL: Role.COMMAND, AGENT: Role.MEMBER}
WEARABLE = """
[wearables.{name}]
driver = "sim.wearable"
seed = {seed}
rate_s = {rate_s}
counter = "V1/{name}.emitted"
"""


def _query(path: Path, sql: str, *values: int) -> list[Any]:
    with closing(open_reader(path)) as conn:
        return fetch(conn, path, sql, values)


class FieldRig:
    """Processes over a broker at `port` (central) and `agent_port` (the agent's way to it)."""

    def __init__(self, folder: Path, port: int, agent_port: int = 0, people: int = 2, rate_s: float = 0.05) -> None:
        self.folder = folder
        create(folder / "keys", ROLES)
        (folder / "V1").mkdir()
        wearables = "".join(WEARABLE.format(name=f"P{n}", seed=n, rate_s=rate_s) for n in range(people))
        self.central = child(folder, "central", "C1", CENTRAL, MQTT.format(port=port) + QUICK)
        self.agent = child(folder, "agent", "V1", AGENT, MQTT.format(port=agent_port or port) + QUICK + wearables)

    async def start(self) -> None:
        """Both at once."""
        await asyncio.gather(self.central.start(), self.agent.start())

    async def stop(self) -> None:
        """Both, however they fare."""
        await asyncio.gather(self.central.stop(), self.agent.stop())

    def emitted(self) -> int:
        """What the wearables counted themselves."""
        return sum(file.stat().st_size for file in (self.folder / "V1").glob("*.emitted"))

    def tally(self) -> Tally:
        """What is stored, and what of it is at central."""
        return tally(self.central.store, [(AGENT, self.agent.store)])

    def believed(self) -> bool:
        """Whether central holds every block that the agent takes for delivered."""
        told = _query(
            self.agent.store,
            "SELECT incarnation, lane, spans FROM end_list WHERE node = ? AND origin = ?",
            CENTRAL,
            AGENT,
        )
        held = set(_query(self.central.store, "SELECT incarnation, lane, number FROM block WHERE origin = ?", AGENT))
        return all(
            (incarnation, lane, number) in held
            for incarnation, lane, spans in told
            for first, last in json.loads(spans)
            for number in range(first, last + 1)
        )

    def hush(self) -> None:
        """The wearables fall silent."""
        (self.folder / "V1" / HUSH).touch()

    async def until(self, true: Callable[[Tally], bool], within_s: float = 40.0) -> Tally:
        """The first tally that satisfies a wish; the last one when none did."""
        loop = asyncio.get_running_loop()
        end = loop.time() + within_s
        while not true(found := self.tally()) and loop.time() < end:
            await asyncio.sleep(0.1)
        return found

    async def delivered(self, within_s: float = 40.0) -> Tally:
        """Silence, then everything stored is at central."""
        self.hush()
        await asyncio.sleep(0.5)
        return await self.until(lambda it: 0 < it.stored == it.at_central, within_s)

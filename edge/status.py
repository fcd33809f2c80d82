"""What a running node says about itself, once a second, in the status file beside its store: for screens, doctor and tests.

station: id, name, role, node, pid. commands: whether it may give orders. nodes: roster index, name. clock: wall ms or null, ClockQuality. links: name,
then radios.bearer.LinkHealth.row. devices: name, kind, state, why, since_s, restarts (devices, wearables and services
alike). exchange: as sync.exchange says. gather: lost readings. stick: done, total and size while one is served.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from typing import Any, Final

from edge.carry import Courier
from edge.config import Config
from edge.gather import Gather
from edge.identity.identity import Identity
from edge.node import Node
from edge.store.store import Store
from edge.supervisor import Reporter
from hardware.driver import Health
from sync.seal.contract import Role

EVERY_S: Final = 1.0


class Status:
    """The service that writes it."""

    def __init__(self, config: Config, store: Store, node: Node, gather: Gather, courier: Callable[[], Courier | None], identity: Identity) -> None:  # fmt: skip
        self._store, self._node, self._gather, self._courier = store, node, gather, courier
        self._identity = identity
        names = ("id", "name", "role", "node")
        self._station = {name: config.station[name] for name in names} | {"pid": os.getpid()}

    async def run(self, reporter: Reporter) -> None:
        """Write until cancelled."""
        reporter.health(Health.UP)
        while True:
            exchange = await self._node.call(self._node.exchange.status, self._node.clock.mono())
            names = await self._node.call(self._names)
            written = await asyncio.to_thread(self._store.write_status, {**self.row(exchange), "nodes": names})
            reporter.health(*((Health.UP, "") if written else (Health.DEGRADED, "the status file takes nothing")))
            await asyncio.sleep(EVERY_S)

    def _names(self) -> dict[int, str]:
        """What the roster calls each node that reads; on the node's thread, where it changes."""
        return {held.index: held.name for held in self._identity.roster if held.role is not Role.RELAY}

    def row(self, exchange: Mapping[str, Any]) -> dict[str, Any]:
        """All of it as plain values."""
        now, links = self._node.clock.mono(), self._node.links
        stamp = self._store.clock.stamp()
        courier = self._courier()
        progress = courier.progress if courier is not None else None
        return {
            "station": self._station,
            "commands": self._identity.role is Role.COMMAND,
            "clock": [stamp.wall_ms, int(stamp.quality)],
            "links": [
                {"name": name, **link.bearer.health.row(now, link.bearer.budget())} for name, link in links.items()
            ],
            "devices": [
                {
                    "name": row.name,
                    "kind": row.kind,
                    "state": row.state.value,
                    "why": row.why,
                    "since_s": round(max(0.0, now - row.since.mono_ms / 1000), 1),
                    "restarts": row.restarts,
                }
                for row in self._node.supervisor.rows
                if row.kind != "link"
            ],
            "exchange": exchange,
            "gather": {"lost": self._gather.lost},
            "stick": progress and {"done": progress.done, "total": progress.total, "size": progress.size},
        }

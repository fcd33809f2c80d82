"""The radio as a sensor: what other people's radios say becomes observations and things heard."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

from meshtastic.protobuf.mesh_pb2 import MeshPacket, NodeInfo, Routing

from hardware.driver import DriverContext, Health, Heard
from hardware.errors import DecodeError
from hardware.observation import Observation
from radios.meshtastic.facts import Listener, Outcome
from radios.meshtastic.packets import Reader, node_id
from radios.meshtastic.radio import Radio

NAMES: Final = 1024


class MeshtasticDriver(Listener):
    """A Driver over a shared Radio. subjects: node id -> who or what carries it, for the roster's people."""

    def __init__(self, name: str, radio: Radio, subjects: dict[str, str] | None = None) -> None:
        self.name, self.radio = name, radio
        self.corrupt = 0
        self._reader = Reader(name, subjects or {})
        self._context: DriverContext | None = None
        self._names: dict[str, tuple[object, ...]] = {}

    async def run(self, context: DriverContext) -> None:
        """Listen until cancelled."""
        self._context = context
        self.radio.listen(self)
        try:
            async with self.radio.held() as connection:
                context.health(self.radio.state, self.radio.why)
                await asyncio.shield(connection)
        finally:
            self.radio.leave(self)
            context.health(Health.DOWN, "stopped")
            self._context = None

    def packet(self, packet: MeshPacket) -> None:
        """Emit what the packet says; a corrupt one is counted."""
        if self._context is not None:
            try:
                self._pass(self._reader.read(packet, self._context.clock.stamp()))
            except DecodeError:
                self.corrupt += 1

    def node(self, info: NodeInfo) -> None:
        """Pass a name on, once for as long as it stays the same."""
        if self._context is not None:
            self._pass(self._reader.name(info, self._context.clock.stamp()))

    def outcome(self, outcome: Outcome) -> None:
        """Pass on that another node acknowledged a packet of ours; an implicit acknowledgement proves nothing."""
        if outcome.reason == Routing.Error.NONE and outcome.by != self.radio.facts.number:
            node = node_id(outcome.by)
            self._tell(Heard(f"{self.name}/{node}", "receipt", node, {"request": outcome.packet}, outcome.packet))

    def turned(self, state: Health, why: str) -> None:
        """Report the connection's state as the device's."""
        if self._context is not None:
            self._context.health(state, why)

    def _pass(self, items: Iterable[Observation | Heard]) -> None:
        for item in items:
            if isinstance(item, Observation):
                self._emit(item)
            elif item.kind != "name" or self._renamed(item):
                self._tell(item)

    def _emit(self, item: Observation) -> None:
        if self._context is not None:
            self._context.emit(item)

    def _tell(self, item: Heard) -> None:
        if self._context is not None:
            self._context.heard(item)

    def _renamed(self, item: Heard) -> bool:
        now = (item.body["name"], item.body["short"])
        if self._names.get(item.sender) == now:
            return False
        if len(self._names) >= NAMES:
            self._names.pop(next(iter(self._names)))
        self._names[item.sender] = now
        return True

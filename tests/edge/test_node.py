"""Nodes over real bearers in one process: the same exchange under asyncio, over a link that drops, doubles, damages and is cut."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from edge.node import Node
from edge.sim.disk import FaultyLog
from edge.sim.memory import MemoryDisk
from edge.supervisor import Supervisor
from hardware.virtual import VirtualClock, run_virtual
from radios.bearer import Limits
from radios.loopback import Harm, Loopback
from sync.exchange import Exchange, Policy
from sync.exchange.packing import LEAST_MTU
from sync.ids import Lane
from sync.seal.contract import Role
from sync.seal.demo import demo_keyring

ROLES = {1: Role.COMMAND, 2: Role.MEMBER, 3: Role.RELAY}
RADIO = Limits(mtu=220, rate=2000.0, gap_s=0.02, broadcast=True, cost=1)


class Field:
    """Three nodes on one link."""

    def __init__(self, harm: Harm, limits: Limits = RADIO) -> None:
        loop = asyncio.get_running_loop()
        self.clock = VirtualClock(loop, 1_800_000_000_000)
        self.link = Loopback(limits, harm, seed=3)
        self.disks = {origin: self._disk(origin) for origin in ROLES}
        self.logs = {origin: FaultyLog(disk, random.Random(origin)) for origin, disk in self.disks.items()}
        self.nodes = {origin: self._node(origin) for origin in ROLES}
        self.running = [asyncio.create_task(node.run()) for node in self.nodes.values()]

    def _disk(self, origin: int) -> MemoryDisk:
        return MemoryDisk(lambda life: demo_keyring(b"node", ROLES, origin, life), 17 * origin, self.clock.mono)

    def _node(self, origin: int) -> Node:
        policy = Policy(central=frozenset({1}), relay=ROLES[origin] is Role.RELAY)
        exchange = Exchange(self.logs[origin], self.disks[origin].ring, policy, random.Random(origin))
        node = Node(exchange, Supervisor(self.clock, chance=random.Random(origin).random))
        node.add(self.link.end(str(origin), self.clock))
        return node

    def write(self, origin: int, lane: Lane, count: int) -> None:
        for at in range(count):
            self.disks[origin].add(lane, bytes([at % 256]) * 40)
        self.nodes[origin].nudge()

    async def until(self, done: Callable[[], bool], limit_s: float = 3600.0) -> float:
        """Wait until `done`; the seconds it took."""
        begun = self.clock.mono()
        async with asyncio.timeout(limit_s):
            while not done():
                await asyncio.sleep(0.5)
        return self.clock.mono() - begun


def play(scene: Callable[[Field], Awaitable[None]], harm: Harm | None = None, limits: Limits = RADIO) -> None:
    """Run a scene under virtual time and end every task after it."""

    async def main() -> None:
        field = Field(harm or Harm(), limits)
        try:
            await scene(field)
        finally:
            for task in field.running:
                task.cancel()
            await asyncio.gather(*field.running, return_exceptions=True)

    run_virtual(main)


def test_a_hostile_link_only_delays() -> None:
    async def scene(field: Field) -> None:
        await asyncio.sleep(5)
        field.write(2, Lane.COMMAND, 10)
        field.write(1, Lane.FLASH, 2)
        field.write(2, Lane.HISTORY, 100)
        await asyncio.sleep(5.5)
        field.link.cut()
        await asyncio.sleep(60)
        assert field.disks[1].have() != field.disks[2].have()
        field.link.mend()
        await field.until(
            lambda: field.disks[1].have() == field.disks[2].have() and not field.disks[2].pending(Lane.HISTORY).rows
        )
        status = field.nodes[1].exchange.status(field.clock.mono())
        assert status["refused"]["hop MAC does not hold"] > 0 and not status["conflicts"]
        assert sum(disk.conflicts for disk in field.disks.values()) == 0

    play(scene, Harm(drop=0.2, duplicate=0.1, corrupt=0.05, shorten=0.05, reorder=0.2, late_s=2.0))


def test_a_change_of_a_link_is_logged_with_what_it_knows(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "edge.link")

    async def scene(field: Field) -> None:
        await asyncio.sleep(5)
        field.write(2, Lane.COMMAND, 3)
        await asyncio.sleep(30)
        field.link.cut()
        await asyncio.sleep(5)

    play(scene)
    last = [line for line in caplog.messages if "state=down" in line][-1]
    assert "frames_in=" in last and "last_in_s=" in last and "budget_bytes=" in last


def test_a_link_whose_frames_are_too_small_says_so() -> None:
    async def scene(field: Field) -> None:
        await asyncio.sleep(5)
        (row,) = field.nodes[1].supervisor.rows
        assert row.why == f"loopback: frames of 20 bytes are too small, {LEAST_MTU} are needed"

    play(scene, limits=replace(RADIO, mtu=20))


def test_a_store_that_is_full_stops_no_acknowledgement() -> None:
    async def scene(field: Field) -> None:
        await asyncio.sleep(5)
        field.logs[1].full = True
        field.write(2, Lane.COMMAND, 3)
        field.write(2, Lane.HISTORY, 30)
        await field.until(lambda: any(source.lane is Lane.COMMAND for source in field.disks[1].have()), 120)
        await asyncio.sleep(60)
        assert not any(source.lane is Lane.HISTORY for source in field.disks[1].have())
        field.logs[1].full = False
        await field.until(lambda: any(source.lane is Lane.HISTORY for source in field.disks[1].have()))

    play(scene)


def test_flash_is_there_within_a_second_of_being_written() -> None:
    async def scene(field: Field) -> None:
        await asyncio.sleep(30)
        field.write(2, Lane.HISTORY, 400)
        await asyncio.sleep(8)
        field.write(2, Lane.FLASH, 1)
        assert await field.until(lambda: any(source.lane is Lane.FLASH for source in field.disks[1].have())) <= 1.0

    play(scene)

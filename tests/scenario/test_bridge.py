"""Two halves of a split LoRa mesh with a BeiDou terminal in each: what is urgent crosses from node to node, with no centre there."""

from __future__ import annotations

import asyncio
import random

from edge.node import Node
from edge.sim.memory import MemoryDisk
from edge.supervisor import Supervisor
from hardware.clock import ClockQuality
from hardware.virtual import VirtualClock, run_virtual
from radios.bearer import Limits
from radios.loopback import Harm, Loopback
from radios.rdss.bearer import RdssBearer
from radios.rdss.events import Card
from radios.rdss.satellite_sim import SatelliteSim
from radios.rdss.terminal_sim import TerminalSim, in_memory
from sync.exchange import Exchange, Policy
from sync.ids import Lane, Source
from sync.seal.contract import Role
from sync.seal.demo import demo_keyring

ROLES = {1: Role.COMMAND, 2: Role.COMMAND, 3: Role.MEMBER, 4: Role.MEMBER, 5: Role.MEMBER}
HALVES, ENDS = ((2, 3), (4, 5)), {3: 4_204_986, 4: 4_204_987}
MESH = Limits(mtu=200, rate=200.0, gap_s=1.0, broadcast=True, cost=3)
WALL_MS = 1_800_000_000_000
LIMIT_S = 900.0
WAYS = ((2, Lane.COMMAND, 5), (5, Lane.FLASH, 2))  # written where, how urgent, wanted where


def crossed(disks: dict[int, MemoryDisk], origin: int, lane: Lane, far: int) -> bool:
    """Whether the far end has what was written."""
    has = disks[far].have().get(Source(origin, disks[origin].incarnation, lane))
    return has is not None and 0 in has.numbers()


def test_an_sos_and_an_order_cross_the_gap() -> None:
    async def main() -> None:
        clock = VirtualClock(asyncio.get_running_loop(), WALL_MS)
        clock.discipline(WALL_MS, 0, ClockQuality.GNSS)
        disks: dict[int, MemoryDisk] = {}
        nodes: dict[int, Node] = {}
        satellite = SatelliteSim(seed=3)
        for origin in (2, 3, 4, 5):
            disks[origin] = MemoryDisk(
                lambda life, at=origin: demo_keyring(b"bridge", ROLES, at, life), origin, clock.mono
            )
            policy = Policy(central=frozenset({1}), members=frozenset(ROLES))
            exchange = Exchange(disks[origin], disks[origin].ring, policy, random.Random(origin))
            nodes[origin] = Node(exchange, Supervisor(clock, chance=random.Random(origin).random))
        for half in HALVES:
            link = Loopback(MESH, Harm(drop=0.1), seed=3)
            for origin in half:
                nodes[origin].add(link.end(f"mesh{origin}", clock))
        for origin, card in ENDS.items():
            terminal = TerminalSim(Card(card, frequency_s=60, level=2), satellite)
            other = {str(node): number for node, number in ENDS.items() if node != origin}
            nodes[origin].add(RdssBearer("rdss", in_memory(terminal), clock, other))
        running = [asyncio.create_task(node.run()) for node in nodes.values()]
        await asyncio.sleep(30)
        for origin, lane, _ in WAYS:
            disks[origin].add(lane, b"urgent words" * 3)
            nodes[origin].nudge()
        async with asyncio.timeout(LIMIT_S):
            while not all(crossed(disks, *way) for way in WAYS):
                await asyncio.sleep(1)
        assert satellite.radiated <= 12, "each message is a minute of the card"
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    run_virtual(main)

"""Nodes with the real exchange over disks in memory and simulated links, for the exchange's tests."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from edge.sim.disk import FaultyLog
from edge.sim.medium import LinkSpec, Medium
from edge.sim.memory import MemoryDisk
from edge.sim.node import SimNode
from edge.sim.world import World
from radios.bearer import Arrival, Budget, Limits
from sync.carried import ENDS
from sync.exchange import Exchange, Policy
from sync.exchange.frame import Part, read_parts
from sync.ids import BlockId, Lane, Source
from sync.seal.contract import MAC, Role
from sync.seal.demo import demo_keyring
from sync.seal.keyring import Keyring

PLENTY = Budget(1 << 20, 1 << 10)
LORA = Limits(mtu=200, rate=330.0, gap_s=0.1, broadcast=True, cost=3)
SLOW = Limits(mtu=200, rate=125.0, broadcast=True, cost=2)  # 1 kbit/s
LAN = Limits(mtu=60_000, rate=1_000_000.0)
ROLES = {1: Role.COMMAND, 2: Role.MEMBER, 3: Role.MEMBER, 4: Role.RELAY, 5: Role.MEMBER, 6: Role.COMMAND}
CENTRAL = frozenset({1})
Links = Mapping[str, tuple[Sequence[int], Limits, Mapping[str, Any]]]  # origins, limits, what else a LinkSpec takes


def ring(origin: int, incarnation: int) -> Keyring:
    return demo_keyring(b"exchange", ROLES, origin, incarnation)


class Node:
    """One node of a field."""

    def __init__(self, field: Field, origin: int, media: Sequence[Medium], policy: Policy) -> None:
        self.field, self.origin, self.policy = field, origin, policy
        self.disk = MemoryDisk(lambda incarnation: ring(origin, incarnation), 16 * origin + origin, field.world.time)
        self.log = FaultyLog(self.disk, random.Random(origin))
        self.sim = SimNode(field.world, f"N{origin}", self._build, media)

    def _build(self) -> Exchange:
        return Exchange(self.log, self.disk.ring, self.policy, self.field.world.chance(f"node {self.origin}"))

    @property
    def exchange(self) -> Exchange:
        assert isinstance(self.sim.exchange, Exchange)
        return self.sim.exchange

    def write(self, lane: Lane, *items: bytes) -> None:
        for item in items:
            self.disk.add(lane, item)
        self.sim.nudge()

    def restore(self, disk: MemoryDisk) -> None:
        self.sim.crash(None)
        self.disk, self.log = disk, FaultyLog(disk, random.Random(self.origin))
        self.sim.boot()

    def have(self, *lanes: Lane) -> dict[Source, list[tuple[int, int]]]:
        return {
            source: list(numbers) for source, numbers in self.log.have().items() if not lanes or source.lane in lanes
        }


class Field:
    """Nodes by origin and media by name."""

    def __init__(self, seed: int, links: Links, policies: Mapping[int, Policy] = {}) -> None:  # fmt: skip
        self.world = World(seed)
        self.media = {
            name: Medium(self.world, LinkSpec(name, tuple(f"N{origin}" for origin in members), limits, **more))
            for name, (members, limits, more) in links.items()
        }
        origins = sorted({origin for members, _, _ in links.values() for origin in members})
        self.nodes = {
            origin: Node(self, origin, [m for m in self.media.values() if f"N{origin}" in m.spec.members], policies.get(origin, Policy(central=CENTRAL, relay=ROLES[origin] is Role.RELAY)))
            for origin in origins
        }  # fmt: skip
        for node in self.nodes.values():
            node.sim.boot()

    def bytes(self) -> int:
        return sum(spent.bytes for medium in self.media.values() for spent in medium.spent.values())

    def till_equal(self, limit_s: float, *lanes: Lane, among: Sequence[int] = ()) -> float:
        """Until these nodes hold equal sets and nothing waits; Deadlock beyond the limit."""
        nodes = [self.nodes[origin] for origin in among or self.nodes]

        def equal() -> bool:
            waits = any(node.log.pending(lane).rows for node in nodes for lane in lanes or Lane)
            return not waits and all(node.have(*lanes) == nodes[0].have(*lanes) for node in nodes)

        return self.world.run_till(equal, self.world.now + limit_s, 1.0)


class Pair:
    """Two exchanges without simulator: frames are handed over by the test."""

    def __init__(self, limits: Limits = SLOW, origins: tuple[int, int] = (1, 2), policy: Policy | None = None) -> None:
        self.now = 0.0
        self.limits = limits
        self.disks = [
            MemoryDisk(lambda incarnation, origin=origin: ring(origin, incarnation), 17 * origin, lambda: self.now)  # type: ignore[misc]
            for origin in origins
        ]
        self.ends = [
            Exchange(disk, disk.ring, policy or Policy(central=CENTRAL), random.Random(disk.origin))
            for disk in self.disks
        ]
        for end in self.ends:
            end.attach("x", limits, 0.0)

    def step(self, seconds: float = 1.0) -> int:
        """Let each send what it has; how many frames went."""
        self.now += seconds
        count = 0
        for at, end in enumerate(self.ends):
            while (out := end.outgoing("x", PLENTY, self.now)) is not None:
                count += 1
                self.ends[1 - at].received("x", Arrival(out.frame, str(at), self.now))
        return count

    def frame(self, at: int, budget: Budget = PLENTY) -> bytes | None:
        out = self.ends[at].outgoing("x", budget, self.now)
        return None if out is None else out.frame

    def meet(self) -> None:
        """Until both know each other's lists."""
        for _ in range(40):
            self.step()


def parts_of(frame: bytes) -> list[Part]:
    """What a frame on a live line holds; nothing of a signed end list."""
    return [] if frame[0] == ENDS else list(read_parts(frame[:-MAC]))


def id_of(disk: MemoryDisk, lane: Lane, number: int) -> BlockId:
    return BlockId(disk.origin, disk.incarnation, lane, number)

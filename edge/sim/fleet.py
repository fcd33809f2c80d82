"""A fleet under a day's bad luck: partitions, loss, a fifth of the frames late by up to half a minute, some twice, crashes, power cuts
in writes, a restored backup, a clone's copy, full disks.

Everything is drawn from one seed. The question is always the same: once the links are whole, do all hold equal sets?
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from edge.sim.disk import FaultyLog
from edge.sim.medium import LinkSpec, Medium
from edge.sim.memory import MemoryDisk
from edge.sim.node import SimNode, Talker
from edge.sim.world import World, seldom_collected
from radios.bearer import Limits
from sync.exchange import Exchange, Policy
from sync.ids import Lane
from sync.seal.contract import Role
from sync.seal.demo import demo_keyring

VALLEY: Final = 10  # nodes that share a radio channel
RADIO: Final = Limits(mtu=200, rate=330.0, gap_s=0.1, broadcast=True, cost=3)
LINE: Final = Limits(mtu=4096, rate=12_500.0, cost=1)


@dataclass(frozen=True, slots=True)
class Fate:
    """How bad the day is. loss: of every frame on the radio; flash, command: seconds between two items of one node;
    partitions, crashes, cuts, restores, full: how many of each befall the fleet."""

    nodes: int = 50
    hours: float = 24.0
    loss: float = 0.3
    flash_s: float = 6 * 3600.0
    command_s: float = 2 * 3600.0
    partitions: int = 12
    crashes: int = 20
    cuts: int = 10
    restores: int = 2
    full: int = 2


class FleetNode:
    """One node: a disk that outlives its crashes, and the exchange over it while it runs."""

    def __init__(self, fleet: Fleet, origin: int, media: Iterable[Medium]) -> None:
        self.fleet, self.origin, self.name = fleet, origin, f"N{origin}"
        self.chance = fleet.world.chance(self.name)
        self.disk = MemoryDisk(self._ring, self.chance.randrange(1 << 16), fleet.world.time)
        self.log = FaultyLog(self.disk, self.chance)
        self.backup: MemoryDisk | None = None
        self.written = 0
        self.sim = SimNode(fleet.world, self.name, lambda: fleet.exchange(self), media)

    def _ring(self, incarnation: int) -> Any:
        return demo_keyring(b"fleet", self.fleet.roles, self.origin, incarnation)

    def write(self, lane: Lane) -> None:
        """A person or a rule does something here."""
        if self.sim.running and self.fleet.roles[self.origin] is not Role.RELAY:
            self.written += 1
            self.disk.add(lane, f"{self.name} {self.written} {self.fleet.world.now:.0f}".encode())
            self.sim.nudge()

    def restore(self) -> None:
        """The disk is replaced by its backup, under a new life."""
        self.sim.crash(None)
        old = self.disk.incarnation
        fresh = next(n for n in iter(lambda: self.chance.randrange(1 << 16), -1) if (n ^ old) & 15)
        self.disk = (self.backup or self.disk).copied(fresh)
        self.log = FaultyLog(self.disk, self.chance)
        self.sim.boot()


Exchanges = Callable[[FleetNode], Talker]


def exchange(node: FleetNode) -> Exchange:
    """The product's exchange; the first node is the only central."""
    policy = Policy(central=frozenset({1}), relay=node.fleet.roles[node.origin] is Role.RELAY)
    return Exchange(node.log, node.disk.ring, policy, node.chance)


class Fleet:
    """Nodes in valleys of ten with a radio channel each, whose first nodes share a line."""

    def __init__(self, seed: int, fate: Fate, exchange: Exchanges = exchange) -> None:
        self.world, self.fate, self.exchange = World(seed), fate, exchange
        origins = range(1, fate.nodes + 1)
        self.roles: Mapping[int, Role] = {
            origin: Role.RELAY if origin % VALLEY == 5 else Role.COMMAND if origin == 1 else Role.MEMBER for origin in origins
        }  # fmt: skip
        names = [f"N{origin}" for origin in origins]
        valleys = [names[at : at + VALLEY] for at in range(0, len(names), VALLEY)]
        self.media = [
            Medium(self.world, LinkSpec(f"radio{at}", tuple(members), RADIO, fate.loss, duplicate=0.05, reorder_s=30.0, reorder=0.2, shared=True))
            for at, members in enumerate(valleys)
        ]  # fmt: skip
        if len(valleys) > 1:
            self.media.append(
                Medium(self.world, LinkSpec("line", tuple(each[0] for each in valleys), LINE, delay_s=0.1))
            )
        self.nodes = [
            FleetNode(self, origin, [m for m in self.media if f"N{origin}" in m.spec.members]) for origin in origins
        ]

    def run(self, settle_s: float = 4 * 3600.0) -> dict[str, Any]:
        """The whole day, then as long as it takes to hold equal sets; Deadlock when they never do within `settle_s`."""
        with seldom_collected():
            return self._run(settle_s)

    def _run(self, settle_s: float) -> dict[str, Any]:
        self._plan()
        end = self.fate.hours * 3600
        self.world.run(end)
        for medium in self.media:
            medium.split()
        for node in self.nodes:
            node.log.full = False
            node.sim.boot()
        equal = self.world.run_till(self.equal, end + settle_s)
        return {
            "seed": self.world.seed,
            "loss": self.fate.loss,
            "equal_after_s": round(equal - end),
            "written": sum(node.written for node in self.nodes),
            "blocks": sum(len(numbers) for numbers in self.nodes[0].log.have().values()),
            "conflicts": sum(node.disk.conflicts for node in self.nodes),
            "frames": sum(spent.frames for medium in self.media for spent in medium.spent.values()),
            "trace": self.world.trace,
        }

    def equal(self) -> bool:
        """Whether all hold the same flash and command blocks and nothing waits."""
        first = self._urgent(self.nodes[0])
        waits = any(node.log.pending(lane).rows for node in self.nodes for lane in (Lane.FLASH, Lane.COMMAND))
        return not waits and all(self._urgent(node) == first for node in self.nodes)

    def _urgent(self, node: FleetNode) -> dict[Any, list[tuple[int, int]]]:
        return {source: list(numbers) for source, numbers in node.log.have().items() if source.lane <= Lane.COMMAND}

    def _plan(self) -> None:
        """Draw the whole day from the seed."""
        fate, chance, end = self.fate, self.world.chance("fate"), self.fate.hours * 3600
        for node in self.nodes:
            node.sim.boot()
            for lane, every in ((Lane.FLASH, fate.flash_s), (Lane.COMMAND, fate.command_s)):
                for _ in range(max(1, round(end / every))):
                    self.world.at(chance.uniform(0, end), _bound(node.write, lane))
        for _ in range(fate.partitions):
            self._partition(
                chance.choice(self.media), chance.uniform(0, end), chance.uniform(600, end / 6), chance.random()
            )
        for _ in range(fate.crashes):
            node, off = chance.choice(self.nodes), chance.uniform(1, 1800)
            self.world.at(chance.uniform(0, end), _bound(_crash, node, off))
        for _ in range(fate.cuts):
            self.world.at(chance.uniform(0, end), _bound(_cut_power, chance.choice(self.nodes)))
        for _ in range(fate.restores):
            node, at = chance.choice(self.nodes), chance.uniform(0, end / 2)
            self.world.at(at, _bound(_back_up, node))
            self.world.at(chance.uniform(at, end), node.restore)
        for _ in range(fate.full):
            node, at = chance.choice(self.nodes), chance.uniform(0, end)
            self.world.at(at, _bound(_fill, node, True))
            self.world.at(at + 3600, _bound(_fill, node, False))

    def _partition(self, medium: Medium, at: float, lasts: float, share: float) -> None:
        members = medium.spec.members
        cut = max(1, min(len(members) - 1, round(share * len(members))))
        self.world.at(at, _bound(medium.split, members[:cut], members[cut:]))
        self.world.at(at + lasts, medium.split)


def _bound(call: Callable[..., object], *args: object) -> Callable[[], None]:
    return lambda: (call(*args), None)[1]


def _crash(node: FleetNode, off: float) -> None:
    if node.sim.running:
        node.sim.crash(off)


def _cut_power(node: FleetNode) -> None:
    """Power fails in the node's next write."""
    node.log.fail_in = 1


def _back_up(node: FleetNode) -> None:
    node.backup = node.disk.copied(node.disk.incarnation)


def _fill(node: FleetNode, full: bool) -> None:
    node.log.full = full

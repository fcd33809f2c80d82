"""The exchange under virtual time: how soon flash overtakes a backlog, what lists and receipts cost, what goes twice, and whether
a fleet agrees after a bad day. One seed gives one result; only the fleet's CPU seconds depend on the machine."""

from __future__ import annotations

import random
import resource
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any, Final

from edge.sim.fleet import Fate, Fleet
from edge.sim.medium import LinkSpec, Medium
from edge.sim.memory import MemoryDisk
from edge.sim.node import SimNode
from edge.sim.world import World
from edge.store.log import StoreLog
from edge.store.store import Store
from hardware.clock import ClockQuality, Stamp
from hardware.observation import PROFILE_NAMED, Observation
from hardware.virtual import VirtualClock
from radios.bearer import Limits
from sync.events import BY_NAME
from sync.exchange import Exchange, Policy, frame
from sync.exchange.havelist import Scope, Vector
from sync.exchange.lines import Debt
from sync.exchange.peers import Peer
from sync.exchange.telling import Teller
from sync.ids import Lane, Source
from sync.ranges import Ranges
from sync.records import Anchor
from sync.seal.contract import MAC, Role
from sync.seal.demo import demo_keyring

ROLES: Final = {1: Role.COMMAND, 2: Role.MEMBER}
POLICY: Final = Policy(central=frozenset({1}))
SLOW: Final = Limits(mtu=200, rate=125.0, broadcast=True, cost=2)  # 1 kbit/s
BACKLOG: Final = 138_000  # bytes: ten walkers' hour, sealed
LOSSES: Final = (0.0, 0.15, 0.3, 0.45, 0.6)
START_MS: Final = 1_784_000_100_000
ANCHOR: Final = Anchor(30_150_000, 119_100_000, 1_784_000_000_000)
BARS: Final = {
    "moved": 40,
    "still": 12,
    "row": 60,
    "needless": 0.03,
    "late_frames": 5.0,
    "fleet_cpu_s": 60.0,
    "urgent_s": 5.0,
    "share": 0.8,
}


class Ends:
    """A vehicle (2) and central (1), with the links that they share."""

    def __init__(self, seed: int, links: dict[str, tuple[Limits, float]]) -> None:
        self.world = World(seed)
        self.media = [
            Medium(self.world, LinkSpec(name, ("N1", "N2"), limits, loss=loss, shared=limits.broadcast))
            for name, (limits, loss) in links.items()
        ]
        self.disks = {origin: self._disk(origin) for origin in ROLES}
        self.nodes = {origin: self._node(origin) for origin in ROLES}
        for node in self.nodes.values():
            node.boot()

    def _disk(self, origin: int) -> MemoryDisk:
        return MemoryDisk(
            lambda incarnation: demo_keyring(b"bench exchange", ROLES, origin, incarnation),
            17 * origin,
            self.world.time,
        )

    def _node(self, origin: int) -> SimNode:
        disk, chance = self.disks[origin], self.world.chance(f"node {origin}")
        return SimNode(self.world, f"N{origin}", lambda: Exchange(disk, disk.ring, POLICY, chance), self.media)

    def write(self, lane: Lane, *items: bytes) -> None:
        """Rows or events of the vehicle."""
        for item in items:
            self.disks[2].add(lane, item)
        self.nodes[2].nudge()

    def at_central(self, lane: Lane) -> int:
        """Blocks of a lane committed there."""
        return sum(len(numbers) for source, numbers in self.disks[1].have().items() if source.lane is lane)


def run(seeds: int = 200, fleets: int = 5, nodes: int = 50, hours: float = 24.0, rows: int = 200_000) -> dict[str, Any]:
    """`seeds` runs of flash behind a backlog, `fleets` days of so many nodes and hours, `rows` gathered while central was away;
    sizes in bytes, times in seconds."""
    out: dict[str, Any] = {
        "flash": _flash(0.0, seeds // 4), "flash_30_percent_loss": _flash(0.3, seeds), "have_list": _lists(), "one_row": _one_row(),
        "three_bearers": _three_bearers(), "central_back": _central_back(rows), "same_trace": _same_trace(),
        "fleet": [_fleet(seed, nodes, hours) for seed in range(fleets)],
    }  # fmt: skip
    out["bars"] = BARS
    out["ok"] = all([
        out["flash"]["max_s"] <= out["flash"]["bar_s"],
        out["flash_30_percent_loss"]["p95_frames"] <= BARS["late_frames"],
        out["have_list"]["twenty_moved_max"] <= BARS["moved"] and out["have_list"]["nothing_moved"] <= BARS["still"],
        out["one_row"]["bytes"] <= BARS["row"] and out["same_trace"],
        out["three_bearers"]["needless_share"] <= BARS["needless"],
        out["central_back"]["urgent_s"] <= BARS["urgent_s"] and out["central_back"]["share_of_rate"] >= BARS["share"],
        all(each["converged"] and each["cpu_s"] <= BARS["fleet_cpu_s"] for each in out["fleet"]),
    ])  # fmt: skip
    return out


def _flash(loss: float, seeds: int) -> dict[str, Any]:
    """Seconds from a flash event to its commit at central, behind BACKLOG bytes at 1 kbit/s."""
    frame_s = SLOW.mtu / SLOW.rate
    delays = sorted(_delay(seed, loss) for seed in range(seeds))
    own_s = (len(b"gas alarm at the mill") + 100) / SLOW.rate
    p95 = delays[min(len(delays) - 1, int(0.95 * len(delays)))]
    return {
        "seeds": seeds, "loss": loss, "backlog_bytes": BACKLOG, "frame_s": round(frame_s, 2), "own_frame_s": round(own_s, 2),
        "median_s": round(delays[len(delays) // 2], 2), "p95_s": round(p95, 2), "p95_frames": round(p95 / frame_s, 2),
        "max_s": round(delays[-1], 2), "bar_s": round(own_s + 2 * frame_s, 2),
    }  # fmt: skip


def _delay(seed: int, loss: float) -> float:
    ends = Ends(seed, {"x": (SLOW, loss)})
    ends.write(Lane.HISTORY, *(bytes(230) for _ in range(BACKLOG // 230)))
    ends.world.run(60 + random.Random(seed).uniform(0, 20))
    begun = ends.world.now
    ends.write(Lane.FLASH, b"gas alarm at the mill")
    return ends.world.run_till(lambda: ends.at_central(Lane.FLASH) > 0, begun + 3600, 0.02) - begun


def _lists() -> dict[str, Any]:
    """Bytes of a list before the hop MAC: 50 origins in one lane, of whose base the listener has told that it knows it."""
    chance = random.Random(1)
    base, peer = Vector(), Peer(2)
    for origin in range(1, 51):
        base.put(Source(origin, chance.randrange(1 << 16), Lane.COMMAND), Ranges([(0, chance.randrange(400))]))
    teller = Teller(demo_keyring(b"bench exchange", ROLES, 1, 17))
    teller.mine = base
    teller.own(Debt(), Scope.URGENT, [], 4000)
    peer.got(Scope.URGENT, base.digest(Scope.URGENT)[:2])
    still = len(teller.own(Debt(), Scope.URGENT, [peer], 200))
    sizes = []
    for _ in range(200):
        teller.mine = base.copy()
        for source in chance.sample(sorted(base.sets), 20):
            numbers = base.sets[source].copy()
            numbers.add(numbers.top + 1, numbers.top + chance.randint(1, 16))
            teller.mine.put(source, numbers)
        sizes.append(len(teller.own(Debt(), Scope.URGENT, [peer], 200)))
    mean = round(sum(sizes) / len(sizes), 1)
    return {"lists": len(sizes), "nothing_moved": still, "twenty_moved_mean": mean, "twenty_moved_max": max(sizes)}


def _one_row() -> dict[str, Any]:
    """Bytes of one row in a frame: sealed, addressed, MACed; its stream was described before."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(Path(folder) / "row.db", 2, ballast=0)
        ring = demo_keyring(b"bench exchange", ROLES, 2, store.life.incarnation)
        log = StoreLog(store, ring, ANCHOR)
        sizes = []
        for at in range(2):
            store.write([_row(at)]).result()
            while ids := log.cut(Lane.HISTORY, 180):
                sizes += [len(log.read(block_id) or b"") for block_id in ids]
        log.close()
        store.close()
    return {"block": sizes[-1], "bytes": frame.whole_size(sizes[-1], 5.0) + MAC}


def _row(at: int) -> Observation:
    profile = PROFILE_NAMED["fix"]
    stamp = Stamp(0, 1000 * at + 3, START_MS + 1000 * at, ClockQuality.GNSS)
    chance = random.Random(at)  # a slow walk with noise: what can be pressed is pressed
    values = tuple(100 + at // 7 + chance.randrange(16) for _ in profile.columns)
    return Observation("W1", "gnss", profile, stamp, values)


def _three_bearers(observations: int = 10_000, events: int = 100, loss: float = 0.1) -> dict[str, Any]:
    """Bytes of blocks that came though they were there already, with a LAN, a cell and a radio link up at once."""
    links = {
        "lan": (Limits(mtu=8000, rate=3000.0), loss),
        "cell": (Limits(mtu=8000, rate=2000.0, cost=1), loss),
        "radio": (Limits(mtu=230, rate=200.0, gap_s=0.1, broadcast=True, cost=3), loss),
    }
    ends = Ends(1, links)
    for at in range(events):
        ends.world.at(60.0 + 10 * at, lambda: ends.write(Lane.COMMAND, b"event of a hundred bytes or so".ljust(90)))
        ends.world.at(
            65.0 + 10 * at, lambda: ends.write(Lane.HISTORY, *(bytes(9) for _ in range(observations // events)))
        )
    ends.world.run(70.0 + 10 * events)
    ends.world.run_till(lambda: ends.disks[1].have() == ends.disks[2].have(), ends.world.now + 3600)
    useful = sum(ends.disks[1].weight(source) for source in ends.disks[1].have() if source.lane is not Lane.FLASH)
    twice = sum(int(node.exchange.status(ends.world.now)["twice"]) for node in ends.nodes.values() if isinstance(node.exchange, Exchange))  # fmt: skip
    return {"observations": observations, "events": events, "loss": loss, "useful_bytes": useful, "needless_bytes": twice, "needless_share": round(twice / (useful + twice), 4)}  # fmt: skip


def _same_trace() -> bool:
    """Whether one seed gives one trace, by a small fleet's hour run twice."""
    one, again = (_fleet(7, 10, 1.0)["trace"] for _ in range(2))
    return bool(one == again)


def _fleet(seed: int, nodes: int, hours: float) -> dict[str, Any]:
    begun = time.process_time()
    found = Fleet(seed, Fate(nodes=nodes, hours=hours, loss=LOSSES[seed % len(LOSSES)])).run()
    return {**found, "nodes": nodes, "hours": hours, "converged": True, "cpu_s": round(time.process_time() - begun, 1)}


def _central_back(rows: int = 864_000, seed: int = 1) -> dict[str, Any]:
    """Rows gathered in real stores while central was away, then 1 Mbit/s: how soon what is urgent is there, how full the link is."""
    with tempfile.TemporaryDirectory() as folder:
        return _day(Path(folder), rows, seed)


def _day(folder: Path, rows: int, seed: int) -> dict[str, Any]:
    world = World(seed)
    medium = Medium(
        world, LinkSpec("link", ("N1", "N2"), Limits(mtu=65_000, rate=125_000.0, cost=1), hours=[(10.0, 1e9)])
    )
    stores = {
        origin: Store.open(
            folder / f"{origin}.db", origin, clock=partial(VirtualClock, world, START_MS), ballast=0, threaded=False
        )
        for origin in ROLES
    }
    for begin in range(0, rows, 5000):
        stores[2].write([_row(at) for at in range(begin, min(begin + 5000, rows))]).result()
    for at in range(50):
        stores[2].write_event(BY_NAME["message"].number, "W1", {1: f"event {at}"}).result()
    rings = {
        origin: demo_keyring(b"bench exchange", ROLES, origin, stores[origin].life.incarnation) for origin in ROLES
    }
    logs = {origin: StoreLog(store, rings[origin], ANCHOR) for origin, store in stores.items()}
    nodes = {
        origin: SimNode(
            world,
            f"N{origin}",
            partial(Exchange, logs[origin], rings[origin], POLICY, world.chance(f"node {origin}")),
            [medium],
        )
        for origin in ROLES
    }
    for node in nodes.values():
        node.boot()
    begun = time.process_time()
    urgent = world.run_till(partial(_has, logs, (Lane.FLASH, Lane.COMMAND)), 3600.0, 0.1) - 10.0
    whole = world.run_till(partial(_has, logs, (Lane.FLASH, Lane.COMMAND, Lane.HISTORY)), 36_000.0, 0.1) - 10.0
    sealed = sum(logs[2].weight(source) for source in logs[2].have())
    spent = time.process_time() - begun
    for origin in ROLES:
        logs[origin].close()
        stores[origin].close()
    return {
        "rows": rows, "urgent_s": round(urgent, 2), "all_s": round(whole, 1), "sealed_bytes": sealed,
        "share_of_rate": round(sealed / 125_000.0 / max(whole, 0.1), 3), "cpu_s": round(spent, 1),
        "both_nodes_max_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }  # fmt: skip


def _has(logs: dict[int, StoreLog], lanes: tuple[Lane, ...]) -> bool:
    """Whether central has all of the vehicle's blocks of these lanes and none waits to be sealed."""
    sets = [
        {source: numbers for source, numbers in log.have().items() if source.lane in lanes} for log in logs.values()
    ]
    return sets[0] == sets[1] and not any(logs[2].pending(lane).rows for lane in lanes)

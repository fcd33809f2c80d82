"""Replication end to end: ten walkers' hour from an agent to an empty central over a real mosquitto, sealed, every byte counted.

The agent is the product's own station in this process, central a process of its own; a gate between agent and broker counts
what MQTT puts on the connection, both ways. Beside it: how soon a started agent stores its first reading, and what it costs idle.
"""

from __future__ import annotations

import asyncio
import math
import os
import random
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, Final

from bench.rig import MQTT, Mosquitto, child, count, node_file, until
from edge import keys
from edge.config import load
from edge.demo.processes import Child
from edge.roles import Station
from edge.store.store import Store
from hardware.clock import ClockQuality, Stamp
from hardware.errors import StoreError
from hardware.observation import PROFILE_NAMED, Observation
from radios.gate import Gate
from sync.seal.contract import Role

WALKERS: Final = 10
HOUR: Final = 3600
DELTA: Final = 60  # seconds of all walkers: 600 rows
SEED: Final = 20260720
JITTER_MS: Final = 4
METRE_E7: Final = 1e7 / 111_195
BARS: Final = {"bytes_per_row": 5.0, "seconds": 10.0, "delta_bytes": 3600, "first_stored_s": 2.0, "idle_percent": 2.0}
IDLE_S: Final = 20.0
WEARABLE: Final = '[wearables.P1]\ndriver = "sim.wearable"'


def walk(seed: int, begin: Stamp, seconds: int) -> Iterator[Observation]:
    """One person on foot at 1 Hz, +-4 ms: 1e-7 degrees with 0.3 m of noise, cm/s, heart rate, saturation, temperature."""
    chance, profile = random.Random(seed), PROFILE_NAMED["walker"]
    north = east = 0.0
    heading, pace, heart, load, warm = chance.uniform(0, math.tau), 1.3, 95.0, 95.0, 367.0
    shrink = math.cos(math.radians(30.15))
    for second in range(seconds):
        heading += chance.gauss(0, 0.08)
        pace += 0.1 * (1.3 - pace) + chance.gauss(0, 0.05)
        north, east = north + pace * math.cos(heading), east + pace * math.sin(heading)
        load = chance.uniform(80, 150) if chance.random() < 1 / 120 else load
        heart += 0.04 * (load - heart) + chance.gauss(0, 0.15)
        warm += 0.002 * (370 - warm) + chance.gauss(0, 0.08)
        shift = second * 1000 + chance.randint(-JITTER_MS, JITTER_MS)
        values = (
            301_500_000 + round((north + chance.gauss(0, 0.3)) * METRE_E7),
            1_191_000_000 + round((east + chance.gauss(0, 0.3)) * METRE_E7 / shrink),
            max(0, round(100 * pace + chance.gauss(0, 5))),
            round(heart),
            97 + (chance.random() < 0.02),
            round(warm),
        )
        wall = None if begin.wall_ms is None else begin.wall_ms + shift
        yield Observation(f"P{seed:02d}", "walker", profile, Stamp(begin.boot, begin.mono_ms + shift, wall, begin.quality), values)  # fmt: skip


def workload(begin: Stamp, seconds: int, first: int = 1) -> list[Observation]:
    """All walkers, in the order of time."""
    tracks = (walk(first + number, begin, seconds) for number in range(WALKERS))
    return [row for rows in zip(*tracks) for row in rows]


@asynccontextmanager
async def _field(folder: Path) -> AsyncIterator[tuple[Child, Gate]]:
    """Broker, gate and a central that runs."""
    keys.create(folder / "keys", {1: Role.COMMAND, 2: Role.MEMBER})
    broker = Mosquitto(folder)
    await broker.start()
    gate = Gate("127.0.0.1", broker.port)
    await gate.start()
    central = child(folder, "central", "C1", 1, MQTT.format(port=broker.port))
    try:
        await central.start()
        yield central, gate
    finally:
        await central.stop()
        await gate.stop()
        await broker.kill()


async def _transfer(folder: Path) -> dict[str, Any]:
    """The hour, then a minute, then one row."""
    found: dict[str, Any] = {"rows": WALKERS * HOUR, "seed": SEED}
    async with _field(folder) as (central, gate):
        config = load(node_file(folder, "agent", "V1", 2, MQTT.format(port=gate.port)))
        config.store.parent.mkdir(parents=True)
        with closing(Store.open(config.store, 2)) as store:
            now = store.clock.stamp()
            wall_ms = None if now.wall_ms is None else now.wall_ms - HOUR * 1000
            hour = Stamp(now.boot, now.mono_ms - HOUR * 1000, wall_ms, ClockQuality.GNSS)
            fill(store, workload(hour, HOUR))
            station = Station(config, keys.load(Path(config.keys["file"]), 2), store)
            running = asyncio.create_task(station.run())
            try:
                found |= await _measure(central, gate, store, WALKERS * HOUR)
                found |= await _more(central, gate, store, "delta", workload(store.clock.stamp(), DELTA))
                found |= await _more(central, gate, store, "one_row", workload(store.clock.stamp(), 1)[:1])
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
                station.close()
    return found


def fill(store: Store, rows: list[Observation]) -> None:
    """Rows into a store, committed."""
    for at in range(0, len(rows), 1000):
        store.write(rows[at : at + 1000]).result()


async def _measure(central: Child, gate: Gate, store: Store, total: int) -> dict[str, Any]:
    """Until everything is committed at central, and until it is rows there."""
    begun = time.monotonic()
    sealed = "SELECT count(*) FROM observation WHERE block IS NULL"
    await until(lambda: count(store.path, sealed) == 0)
    held = "SELECT count(*) FROM block"
    await until(lambda: count(central.store, held) >= count(store.path, held))
    committed = time.monotonic() - begun
    await until(lambda: count(central.store) >= total)
    rows_s = time.monotonic() - begun
    size = await _quiet(gate)
    return {"seconds": round(committed, 2), "unpacked_s": round(rows_s, 2), "bytes": size, "bytes_per_row": round(size / total, 3)}  # fmt: skip


async def _more(central: Child, gate: Gate, store: Store, name: str, rows: list[Observation]) -> dict[str, Any]:
    before, size = count(central.store), gate.forward + gate.back
    fill(store, rows)
    await until(lambda: count(central.store) >= before + len(rows))
    return {f"{name}_rows": len(rows), f"{name}_bytes": await _quiet(gate) - size}


async def _quiet(gate: Gate) -> int:
    """Bytes both ways, once nothing passed for two seconds: acknowledgements included."""
    size = -1
    while size != (size := gate.forward + gate.back):  # noqa: ASYNC110 (traffic tells nobody)
        await asyncio.sleep(2.0)
    return size


async def _start(folder: Path) -> dict[str, Any]:
    """From starting the process of an agent to its first reading in the store; then an idle one's share of a core."""
    async with _field(folder) as (_, gate):
        busy = child(folder, "agent", "V1", 2, MQTT.format(port=gate.port) + WEARABLE)
        starting = asyncio.create_task(busy.start())
        first = await until(lambda: busy.store.exists() and _stored(busy.store))
        await starting
        await busy.stop()
        idle = child(folder, "agent", "V1", 2, MQTT.format(port=gate.port))
        await idle.start()
        await asyncio.sleep(3.0)
        before = _cpu_s(idle.pid)
        await asyncio.sleep(IDLE_S)
        share = 100 * (_cpu_s(idle.pid) - before) / IDLE_S
        await idle.stop()
    return {"first_stored_s": round(first, 2), "idle_percent": round(share, 2)}


def _stored(path: Path) -> bool:
    """Whether a store that is being made has a row yet."""
    try:
        return count(path) > 0
    except StoreError:
        return False


def _cpu_s(pid: int) -> float:
    """CPU seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run() -> dict[str, Any]:
    """Everything, against the bars."""
    found: dict[str, Any] = {}
    for part in (_transfer, _start):
        with tempfile.TemporaryDirectory() as name:
            found |= asyncio.run(part(Path(name)))
    return {**found, "bars": BARS, "ok": all(found[name] <= bar for name, bar in BARS.items())}

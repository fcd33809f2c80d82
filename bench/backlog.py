"""A long outage ends: hours of a field's readings and fifty events wait at a vehicle, and a link of 1 Mbit/s comes up.

Agent and central are real processes over mosquitto; a gate limits the rate. Central commits sealed blocks; its unpacking may lag.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from bench.rig import MQTT, Mosquitto, child, count, until
from bench.sync import HOUR, fill, workload
from edge import keys
from edge.config import load
from edge.demo.processes import Child
from edge.store.store import Store
from hardware.clock import ClockQuality, Stamp
from radios.gate import Gate
from sync.events import BY_NAME, key
from sync.ids import Lane
from sync.seal.contract import Role

RATE: Final = 125_000  # bytes per second
EVENTS: Final = 50
FLASH_EVERY: Final = 10
CROWDS: Final = 10  # times ten walkers: 100 readings a second
BARS: Final = {"urgent_s": 5.0, "share_of_rate": 0.8, "agent_rss_mb": 150.0}
URGENT: Final = f"SELECT count(*) FROM event WHERE origin = 2 AND lane IN ({Lane.FLASH}, {Lane.COMMAND})"
WAITING: Final = "SELECT count(*) FROM observation WHERE block IS NULL"
HELD: Final = "SELECT count(*) FROM block WHERE origin = 2"
SEALED: Final = "SELECT coalesce(sum(size), 0) FROM block WHERE origin = 2"


def run(hours: float = 1.0) -> dict[str, Any]:
    """What arrived when, at what share of the link's rate, and how large the agent grew; `hours` of outage."""
    with tempfile.TemporaryDirectory() as name:
        return asyncio.run(_run(Path(name), hours))


async def _run(folder: Path, hours: float) -> dict[str, Any]:
    keys.create(folder / "keys", {1: Role.COMMAND, 2: Role.MEMBER})
    broker = Mosquitto(folder)
    await broker.start()
    gate = Gate("127.0.0.1", broker.port, RATE)
    gate.open = False
    await gate.start()
    central = child(folder, "central", "C1", 1, MQTT.format(port=broker.port))
    agent = child(folder, "agent", "V1", 2, MQTT.format(port=gate.port))
    try:
        rows = _waiting(agent, hours)
        await asyncio.gather(central.start(), agent.start())
        await _sealed_ahead(agent)
        return {"hours": hours, "rows": rows, "events": EVENTS, "rate_bytes_s": RATE} | await _measure(
            agent, central, gate
        )
    finally:
        await asyncio.gather(agent.stop(), central.stop())
        await gate.stop()
        await broker.kill()


def _waiting(agent: Child, hours: float) -> int:
    """An outage's readings and events in the agent's store; the number of readings."""
    config = load(agent.file)
    config.store.parent.mkdir(parents=True)
    total = 0
    with closing(Store.open(config.store, 2)) as store:
        now = store.clock.stamp()
        for crowd in range(CROWDS):
            for hour in range(max(1, round(hours))):
                back = (max(1, round(hours)) - hour) * HOUR * 1000
                begin = Stamp(now.boot, now.mono_ms - back, None if now.wall_ms is None else now.wall_ms - back, ClockQuality.GNSS)  # fmt: skip
                rows = workload(begin, int(HOUR * min(1.0, hours)), 1 + CROWDS * crowd)
                fill(store, rows)
                total += len(rows)
        for number in range(EVENTS):
            kind = "sos" if number % FLASH_EVERY == 0 else "message"
            store.write_event(BY_NAME[kind].number, "P1", {key(kind, "text"): f"{number} 请求支援"}).result()
    return total


async def _sealed_ahead(agent: Child) -> None:
    """Until the agent has sealed what it seals without a link, as it does in the course of an outage."""
    waiting = -1
    while waiting != (waiting := count(agent.store, WAITING)):  # noqa: ASYNC110 (a file tells nobody)
        await asyncio.sleep(8.0)


async def _measure(agent: Child, central: Child, gate: Gate) -> dict[str, Any]:
    ahead = count(agent.store, SEALED)
    gate.reopen()
    begun = time.monotonic()
    await until(lambda: gate.connections > 0)
    linked = time.monotonic()
    await until(lambda: count(central.store, URGENT) >= EVENTS)
    urgent = time.monotonic() - linked
    await until(lambda: count(agent.store, WAITING) == 0, every_s=0.25)
    await until(lambda: count(central.store, HELD) >= count(agent.store, HELD), every_s=0.25)
    taken, size = time.monotonic() - linked, count(central.store, SEALED)
    found = {
        "link_s": round(linked - begun, 2),
        "urgent_s": round(urgent, 2),
        "sealed_ahead_bytes": ahead,
        "sealed_bytes": size,
        "sealed_s": round(taken, 2),
        "link_bytes": gate.forward + gate.back,
        "share_of_rate": round(size / taken / RATE, 3),
        "agent_rss_mb": _peak_mb(agent.pid),
        "unpacked_rows": count(central.store),
    }
    ok = found["urgent_s"] <= BARS["urgent_s"] and found["agent_rss_mb"] <= BARS["agent_rss_mb"]
    return {**found, "bars": BARS, "ok": ok and found["share_of_rate"] >= BARS["share_of_rate"]}


def _peak_mb(pid: int) -> float:
    """The most memory that a process ever had resident."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return round(int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) / 1024, 1)

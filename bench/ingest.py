"""The store's way in: observations made durable at a steady rate and in a burst, and what sealing and unpacking cost.

Each part is a process of its own, so that its memory and CPU are its own. Figures of CPU are shares of one core.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final

from edge.store.log import StoreLog
from edge.store.reader import Reader
from edge.store.store import Store
from hardware.clock import ClockQuality, Stamp
from hardware.observation import PROFILE_NAMED, Observation
from sync.ids import BlockId, Lane, Source
from sync.intake import opened
from sync.seal.contract import Role
from sync.seal.demo import demo_incarnation, demo_keyring

ROLES: Final = {1: Role.COMMAND, 2: Role.MEMBER}
CENTRAL, VEHICLE = ROLES
SEED: Final = b"bench ingest"
START_MS: Final = 1_790_000_000_000
PEOPLE: Final = 10
WALKER: Final = PROFILE_NAMED["walker"]
LARGE: Final = 60_000
LINK_BYTES: Final = 1_000_000 // 8  # per second, of the link that a backlog drains over


def walk(boot: int, count: int, rate: int) -> Iterator[Observation]:
    """`count` observations of ten walkers, `rate` a second in all: position, speed, heart, oxygen, skin."""
    state = 12345
    lat, lon = [313_000_000] * PEOPLE, [1_043_000_000] * PEOPLE
    for number in range(count):
        state = (state * 1103515245 + 12345) & 0x7FFFFFFF
        who = number % PEOPLE
        lat[who] += 90 + (state >> 8) % 41 - 20
        lon[who] += 60 + (state >> 16) % 41 - 20
        ms = number * 1000 // rate
        values = (lat[who], lon[who], 120 + state % 30, 90 + (state >> 12) % 5, 96 + (state >> 20) % 3, 366)
        time_ = Stamp(boot, ms, START_MS + ms, ClockQuality.GNSS)
        yield Observation(f"P{who:02}", f"strap{who}", WALKER, time_, values)


def steady(folder: Path, seconds: int = 60, rate: int = 500) -> dict[str, Any]:
    """`rate` observations a second for `seconds`, one write each as a device makes them; all durable at the end."""
    store = Store.open(folder / "node.db", VEHICLE)
    slowest, failed = 0.0, 0

    def stored(begun: float, wait: Future[int]) -> None:
        nonlocal slowest, failed
        slowest = max(slowest, time.monotonic() - begun)
        failed += wait.exception() is not None

    start, cpu = time.monotonic(), time.process_time()
    for number, item in enumerate(walk(store.life.boot, seconds * rate, rate)):
        if (ahead := start + number / rate - time.monotonic()) > 0.002:
            time.sleep(ahead)
        store.write([item]).add_done_callback(partial(stored, time.monotonic()))
    store.close()
    took, used = time.monotonic() - start, time.process_time() - cpu
    return {
        "seconds": round(took, 2),
        "offered": seconds * rate,
        "stored": _count(folder / "node.db"),
        "cpu_share": round(used / took, 3),
        "resident_MB": _resident(),
        "failed": failed,
        "slowest_s": round(slowest, 3),
    }


def burst(folder: Path, count: int = 20_000) -> dict[str, Any]:
    """`count` observations handed over at once, one write each."""
    store = Store.open(folder / "node.db", VEHICLE)
    items = list(walk(store.life.boot, count, 500))
    start = time.monotonic()
    waits = [store.write([item]) for item in items]
    failed = sum(wait.exception() is not None for wait in waits)
    took = time.monotonic() - start
    store.close()
    return {
        "offered": count,
        "stored": _count(folder / "node.db"),
        "failed": failed,
        "seconds": round(took, 2),
        "per_second": round(count / took),
        "resident_MB": _resident(),
    }


def backlog(folder: Path, hours: float = 0.5, rate: int = 100) -> dict[str, Any]:
    """A vehicle that is cut off for `hours` at `rate` observations a second, sealing ahead; then a link of 1 Mbit/s, and
    central taking it all in. `sending_of_1_Mbit` is how fast the blocks can be had, against what the link takes."""
    store = Store.open(folder / "node.db", VEHICLE)
    log = StoreLog(store, demo_keyring(SEED, ROLES, VEHICLE, store.life.incarnation))
    count = int(hours * 3600 * rate)
    _fill(store, count, rate)
    began = time.process_time()
    while log.work():
        pass
    sealing = time.process_time() - began
    source = Source(VEHICLE, log.incarnation, Lane.HISTORY)
    start = time.monotonic()
    while log.cut(Lane.HISTORY, LARGE, 1):
        pass
    blocks = [(each, log.read(each) or b"") for each in (BlockId(*source, at) for at in log.held(source).numbers())]
    took, size = time.monotonic() - start, sum(len(block) for _, block in blocks)
    result = {
        "rows": count,
        "blocks": len(blocks),
        "bytes_per_row": round(size / count, 2),
        "sealing_cpu_share": round(sealing / (count / rate), 4),
        "sending_of_1_Mbit": round(size / took / LINK_BYTES, 2),
        "vehicle_resident_MB": _resident(),
    }
    log.close()
    store.close()
    return result | _take_in(folder, blocks)


def _fill(store: Store, count: int, rate: int) -> None:
    items, waits = walk(store.life.boot, count, rate), deque[Any]()
    while chunk := list(islice(items, 1000)):
        waits.append(store.write(chunk))
        if len(waits) > 20:
            waits.popleft().result()
    for wait in waits:
        wait.result()


def _take_in(folder: Path, blocks: Sequence[tuple[BlockId, bytes]]) -> dict[str, Any]:
    """Central commits the sealed backlog, eight blocks at a time, and unpacks afterwards."""
    ring = demo_keyring(SEED, ROLES, CENTRAL, demo_incarnation(SEED, CENTRAL))
    store = Store.open(folder / "central.db", CENTRAL)
    log = StoreLog(store, ring)
    start = time.monotonic()
    for at in range(0, len(blocks), 8):
        log.commit([opened(ring, block, block_id, "bench") for block_id, block in blocks[at : at + 8]])
    took, size = time.monotonic() - start, sum(len(block) for _, block in blocks)
    start = time.monotonic()
    while log.unpack(4):
        pass
    lag = time.monotonic() - start
    log.close()
    store.close()
    rows = _count(folder / "central.db", CENTRAL)
    return {
        "committed_of_1_Mbit": round(size / took / LINK_BYTES, 2),
        "at_central": rows,
        "unpacked_per_s": round(rows / lag),
        "central_resident_MB": _resident(),
    }


def run(seconds: int = 60, hours: float = 0.5) -> dict[str, Any]:
    """All parts, each in a process of its own; `ok` when every bar is met."""
    results = {
        "steady": _alone("steady", seconds),
        "burst": _alone("burst"),
        "backlog": _alone("backlog", hours),
    }
    steady_, burst_, backlog_ = results.values()
    bars = {
        "cpu_share": steady_["cpu_share"] <= 0.25,
        "resident_MB": steady_["resident_MB"] <= 120,
        "nothing_lost": all(part["stored"] == part["offered"] for part in (steady_, burst_)),
        "backlog_whole": backlog_["at_central"] == backlog_["rows"],
        "backlog_rate": min(backlog_["sending_of_1_Mbit"], backlog_["committed_of_1_Mbit"]) >= 0.8,
        "backlog_resident_MB": backlog_["vehicle_resident_MB"] <= 150,
    }
    return {**results, "bars": bars, "ok": all(bars.values())}


def _alone(part: str, *values: float) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.ingest", part, *map(json.dumps, values)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def _count(path: Path, origin: int = VEHICLE) -> int:
    reader = Reader(path, origin)
    try:
        return reader.counts()["observation"]
    finally:
        reader.close()


def _resident() -> float:
    """The largest resident size of this process so far, in MB (10^6 bytes)."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6, 1)


PARTS: Final[dict[str, Callable[[Path], dict[str, Any]]]] = {"steady": steady, "burst": burst, "backlog": backlog}
if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        print(json.dumps(PARTS[sys.argv[1]](Path(name), *map(json.loads, sys.argv[2:]))))

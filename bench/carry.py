"""Carried media: a large backlog exported to a bundle and verified, against what the same disk does with a plain file."""

from __future__ import annotations

import os
import random
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Final

from edge.store.log import StoreLog
from edge.store.store import Store
from sync.carry import export
from sync.ids import BlockId, KeyClass, Lane
from sync.intake import import_, opened
from sync.seal.contract import Role
from sync.seal.demo import demo_incarnation, demo_keyring

BLOCK: Final = 64 * 1024
PIECE: Final = 1 << 20
TURNS: Final = 5
SEED: Final = b"bench carry"
ROLES: Final = {1: Role.MEMBER, 2: Role.COMMAND, 3: Role.MEMBER}
VEHICLE, CENTRAL, UNIT = ROLES


def run(megabytes: int = 1024, folder: Path | None = None) -> dict[str, Any]:
    """Export, verify and import `megabytes` of sealed blocks; rates in MB/s (10^6 bytes), shares of the disk's own rate.

    The disk's own rate is the same work done plainly on the same bytes: the bundle's, out of memory into a file, synced, dropped
    from the cache and read again. Both in turn, five times; medians. CPU seconds do not depend on what else the machine does.
    """
    with tempfile.TemporaryDirectory(dir=folder) as name:
        return _run(Path(name), megabytes * 10**6)


def _run(folder: Path, size: int) -> dict[str, Any]:
    vehicle, central = _node(folder, VEHICLE), _node(folder, CENTRAL)
    stick = folder / "stick"
    stick.mkdir()
    blocks = _fill(*vehicle[1:], size)
    plains, exports = [], []
    for turn in range(TURNS):
        os.sync()
        exports.append(_timed(partial(export, *vehicle[1:], stick, (CENTRAL,), "bench", turn)))
        data = next(stick.glob("*.sdbundle")).read_bytes()
        os.sync()
        plains.append(_timed(partial(_plain, stick / "plain", data)))
        (stick / "plain").unlink()
    written = len(data)
    plain, exported = (written / median(wall for wall, _ in each) for each in (plains, exports))
    start = time.perf_counter()
    report = import_(*central[1:], next(stick.glob("*.sdbundle")))
    imported = written / (time.perf_counter() - start)
    for store, log, _ in (vehicle, central):
        log.close()
        store.close()
    return {
        "bytes": written,
        "blocks": blocks,
        "turns": TURNS,
        "seed": SEED.decode(),
        "disk_MBps": round(plain / 1e6, 1),
        "disk_MBps_spread": _spread(written, plains),
        "export_verified_MBps": round(exported / 1e6, 1),
        "export_MBps_spread": _spread(written, exports),
        "disk_cpu_s": round(median(cpu for _, cpu in plains), 2),
        "export_cpu_s": round(median(cpu for _, cpu in exports), 2),
        "import_committed_MBps": round(imported / 1e6, 1),
        "share_of_disk": round(exported / plain, 3),
        "bar_share": 0.7,
        "imported": report.added,
        "ok": exported >= 0.7 * plain and report.whole and report.added == blocks,
    }


def _node(folder: Path, origin: int) -> tuple[Store, StoreLog, Any]:
    store = Store.open(folder / f"{origin}.db", origin, ballast=0)
    ring = demo_keyring(SEED, ROLES, origin, store.life.incarnation)
    return store, StoreLog(store, ring), ring


def _fill(log: StoreLog, ring: Any, size: int) -> int:
    """Another unit's sealed bulk data, as a vehicle holds it; the number of blocks."""
    unit = demo_keyring(SEED, ROLES, UNIT, demo_incarnation(SEED, UNIT))
    count = -(-size // BLOCK)
    body = random.Random(SEED).randbytes(BLOCK)

    def sealed() -> Iterator[tuple[BlockId, bytes]]:
        for number in range(count):
            block_id = BlockId(UNIT, unit.incarnation, Lane.BULK, number)
            yield block_id, unit.seal(block_id, KeyClass.FIELD, b"\x06" + number.to_bytes(4, "big") + body)

    batch = []
    for block_id, block in sealed():
        batch.append(opened(ring, block, block_id, "bench"))
        if len(batch) == 128:
            log.commit(batch)
            batch.clear()
    if batch:
        log.commit(batch)
    return count


def _plain(path: Path, data: bytes) -> None:
    """Write, sync and read back a plain file."""
    with path.open("wb", buffering=0) as file:
        for at in range(0, len(data), PIECE):
            file.write(memoryview(data)[at : at + PIECE])
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    with path.open("rb", buffering=0) as file:
        while file.read(PIECE):
            pass


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds on the wall and of all threads' CPU."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def _spread(size: int, turns: Iterable[tuple[float, float]]) -> list[float]:
    """Lowest and highest rate."""
    rates = [size / wall / 1e6 for wall, _ in turns]
    return [round(min(rates), 1), round(max(rates), 1)]

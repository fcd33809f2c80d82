"""Carried media: a large backlog exported to a bundle and verified, against what the same disk does with plain files."""

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
from radios.bundle import WINDOW, release
from sync.carry import export
from sync.ids import BlockId, KeyClass, Lane
from sync.intake import Report, import_, opened
from sync.seal.contract import Role
from sync.seal.demo import demo_incarnation, demo_keyring

BLOCK: Final = 64 * 1024
PIECE: Final = 1 << 20
TURNS: Final = 5
SEED: Final = b"bench carry"
ROLES: Final = {1: Role.MEMBER, 2: Role.COMMAND, 3: Role.MEMBER}
VEHICLE, CENTRAL, UNIT = ROLES
Timing = tuple[float, float]  # seconds on the wall and of all threads' CPU


def run(megabytes: int = 1024, folder: Path | None = None) -> dict[str, Any]:
    """Export, verify and import `megabytes` of sealed blocks; rates in MB/s (10^6 bytes), shares of the disk's own rate.

    The disk's own rate is the same work done plainly on the same bytes: the bundle's, out of memory into a file, synced, dropped
    from the cache and read again into one buffer, with nothing looked at. Twice: `disk` leaves the cache to the system, as any
    program that copies a file does; `windowed` lets it go behind itself as an export does, which spares the system finding a
    gigabyte of memory for it, and is the most this disk was seen to give. The bar is held against `disk`. All in turn, five times;
    medians. CPU seconds do not depend on what else the machine does.
    """
    with tempfile.TemporaryDirectory(dir=folder) as name:
        return _run(Path(name), megabytes * 10**6)


def _run(folder: Path, size: int) -> dict[str, Any]:
    vehicle, central = _node(folder, VEHICLE), _node(folder, CENTRAL)
    stick = folder / "stick"
    stick.mkdir()
    blocks = _fill(*vehicle[1:], size)
    plains: list[Timing] = []
    windowed: list[Timing] = []
    exports: list[Timing] = []
    for turn in range(TURNS):
        os.sync()
        exports.append(_timed(partial(export, *vehicle[1:], stick, (CENTRAL,), "bench", turn)))
        data = next(stick.glob("*.sdbundle")).read_bytes()
        for times, window in ((plains, len(data)), (windowed, WINDOW)):
            os.sync()
            times.append(_timed(partial(_plain, stick / "plain", data, window)))
            (stick / "plain").unlink()
    written = len(data)
    plain, best, exported = (written / median(wall for wall, _ in each) for each in (plains, windowed, exports))
    report: list[Report] = []
    importing = _timed(lambda: report.append(import_(*central[1:], next(stick.glob("*.sdbundle")))))
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
        "windowed_MBps": round(best / 1e6, 1),
        "windowed_MBps_spread": _spread(written, windowed),
        "export_verified_MBps": round(exported / 1e6, 1),
        "export_MBps_spread": _spread(written, exports),
        "disk_cpu_s": round(median(cpu for _, cpu in plains), 2),
        "export_cpu_s": round(median(cpu for _, cpu in exports), 2),
        "import_committed_MBps": round(written / importing[0] / 1e6, 1),
        "import_cpu_s": round(importing[1], 2),
        "share_of_disk": round(exported / plain, 3),
        "share_of_disk_by_turn": [round(a / b, 3) for (a, _), (b, _) in zip(plains, exports)],
        "share_of_windowed": round(exported / best, 3),
        "bar_share": 0.7,
        "imported": report[0].added,
        "ok": exported >= 0.7 * plain and report[0].whole and report[0].added == blocks,
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


def _plain(path: Path, data: bytes, window: int) -> None:
    """Write, sync and read back a plain file; every `window` bytes the system lets go of what it has of it."""
    room = bytearray(PIECE)
    with path.open("wb", buffering=0) as file:
        for at in range(0, len(data), PIECE):
            file.write(memoryview(data)[at : at + PIECE])
            if (at + PIECE) % window == 0:
                release(file)
        os.fsync(file.fileno())
        release(file)
    with path.open("rb", buffering=0) as file:
        while file.readinto(room):
            if file.tell() % window == 0:
                release(file, file.tell())


def _timed(work: Callable[[], object]) -> Timing:
    """Seconds on the wall and of all threads' CPU."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def _spread(size: int, turns: Iterable[Timing]) -> list[float]:
    """Lowest and highest rate."""
    rates = [size / wall / 1e6 for wall, _ in turns]
    return [round(min(rates), 1), round(max(rates), 1)]

"""A node on a disk that gets full while no link is up, on the disk of disk.c. Prints as JSON what became of its writes.

Arguments: folder; "alone", or "crowded": another program's file takes the rest of the disk, and goes away later; or
"failing": the disk fails now and then.
"""

from __future__ import annotations

import json
import logging
import logging.handlers
import shutil
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from edge.store import writer
from edge.store.log import StoreLog
from edge.store.reader import Reader
from edge.store.store import Store
from hardware.clock import ClockQuality, Stamp
from hardware.driver import Health
from hardware.errors import StoreError
from hardware.observation import PROFILE_NAMED, Observation
from sync.ids import Content, Lane
from sync.seal.contract import Role
from sync.seal.demo import demo_keyring

WALKER = PROFILE_NAMED["walker"]
START_MS = 1_790_000_000_000


def alone(folder: Path) -> dict[str, Any]:
    """Ten walkers at 1 Hz, messages, calls for help and pictures, far more than the disk holds."""
    store = Store.open(folder / "node.db", 2)
    log = StoreLog(store, demo_keyring(b"full", {1: Role.COMMAND, 2: Role.MEMBER}, 2, store.life.incarnation))
    waits: list[Any] = []
    states = set()
    for second in range(1500):
        stamp = Stamp(store.life.boot, 1000 * second, START_MS + 1000 * second, ClockQuality.GNSS)
        values = [(310_000_000 + second * 7, 1_040_000_000 + second * 11, 130, 80, 97, 366)] * 10
        waits.append(store.write([Observation(f"P{at}", "strap", WALKER, stamp, row) for at, row in enumerate(values)]))
        if second % 100 == 99:
            waits += [store.write_event(kind, "P1", {0: f"{second}"}) for kind in (1, 6)]
            waits[-1].result()
            for lane in (Lane.FLASH, Lane.COMMAND, Lane.HISTORY):
                log.cut(lane, 60_000, 4)
            log.put(Lane.BULK, Content.PICTURE, second.to_bytes(2) * 200_000)
            states.add(store.health[0].value)
    failed = [str(error) for wait in waits if (error := wait.exception()) is not None]
    given, ballast = dict(store.retention.given), (folder / "node.db.ballast").exists()
    log.close()
    store.close()
    return {"failed": failed, "states": sorted(states), "given": given, "ballast": ballast, **found(folder)}


def found(folder: Path) -> dict[str, Any]:
    """What is in the file, opened anew."""
    store = Store.open(folder / "node.db", 2)
    life = store.life
    store.close()
    reader = Reader(folder / "node.db", 2)
    events = reader._rows("SELECT kind, count(*) FROM event GROUP BY kind ORDER BY kind")
    whole = reader._rows("PRAGMA integrity_check") == [("ok",)]
    newest = reader._rows("SELECT max(mono_ms) / 1000 FROM observation")[0][0]
    rows = reader._rows("SELECT count(*) FROM observation")[0][0]
    urgent = reader._rows("SELECT count(*) FROM block WHERE lane < 2 AND NOT held")[0][0]
    holes = dict(reader._rows("SELECT reason, sum(last - first + 1) FROM hole GROUP BY reason"))
    reader.close()
    return {
        "events": events, "whole": whole, "newest": newest, "rows": rows, "urgent_lost": urgent, "holes": holes,
        "incarnations": 1 + (life.predecessor is not None),
    }  # fmt: skip


def crowded(folder: Path) -> dict[str, Any]:
    """Everything else on the disk is taken, ballast and all; then it is free again."""
    writer.RETRY_S = (0.1,)  # type: ignore[assignment, misc]
    store = Store.open(folder / "node.db", 2)
    store.write_event(1, "P1", {0: "before"}).result()
    store.write_status({"links": []})
    reader = Reader(folder / "node.db", 2)
    ballast = [(folder / "node.db.ballast").stat().st_size]
    crowd = Crowd(folder)
    waits = []
    while store.health[0] is not Health.DOWN:
        waits.append(store.write_event(1, "P1", {0: "x" * 200}))
        time.sleep(0.001)
    down = store.health
    ballast.append((folder / "node.db.ballast").exists())
    readable = len(reader.snapshot().events)
    reader.close()
    told = store.write_status({"links": []})
    try:
        store.writer.submit(lambda tx: tx.conn.execute("UPDATE meta SET value = value WHERE name = 'boot'")).result()
        impatient = ""
    except StoreError as error:
        impatient = type(error).__name__
    waiting = sum(not wait.done() for wait in waits)
    crowd.leave()
    for wait in waits:
        wait.result(120)
    while store.health[0] is Health.DOWN:
        time.sleep(0.01)
    up = store.health[0].value
    store.close()
    return {
        "ballast": ballast, "down": down[0].value, "why": down[1], "readable": readable, "told": told,
        "impatient": impatient, "waited": waiting, "up": up, "written": len(waits) + 1, **found(folder),
    }  # fmt: skip


def failing(folder: Path) -> dict[str, Any]:
    """Observations and events on a disk that fails now and then, also in the midst of commits."""
    writer.RETRY_S = (0.01,)  # type: ignore[assignment, misc]
    store = None
    while store is None:
        with suppress(StoreError):
            store = Store.open(folder / "node.db", 2, ballast=0)
    troubles = logging.handlers.BufferingHandler(10_000)
    logging.getLogger("edge.store.writer").addHandler(troubles)
    told = []
    for number in range(150):
        stamp = Stamp(store.life.boot, number, START_MS + number, ClockQuality.GNSS)
        told.append(store.write([Observation("P1", "strap", WALKER, stamp, (number, 0, 0, 0, 0, 0))]))
        told.append(store.write_event(1, "P1", {0: number}))
        if number % 10 == 9:
            told[-1].result()
    failed = [str(error) for wait in told if (error := wait.exception()) is not None]
    store.close()
    return {"failed": failed, "troubles": len(troubles.buffer)}


class Crowd:
    """Another program that takes whatever is free, as soon as it is."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "other"
        self._gone = threading.Event()
        self._thread = threading.Thread(target=self._fill, daemon=True)
        self._thread.start()

    def leave(self) -> None:
        """Give everything back."""
        self._gone.set()
        self._thread.join()
        self.file.unlink()

    def _fill(self) -> None:
        with self.file.open("wb", buffering=0) as file:
            while not self._gone.wait(0.001):
                with suppress(OSError):
                    file.write(bytes(shutil.disk_usage(self.file.parent).free))


if __name__ == "__main__":
    work = {"alone": alone, "crowded": crowded, "failing": failing}[sys.argv[2]]
    print(json.dumps(work(Path(sys.argv[1]))))

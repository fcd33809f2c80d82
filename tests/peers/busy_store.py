"""A node's day in short, for a recorded disk: it measures, seals, takes in others' blocks, and notes in `acknowledged` what
it was told is durable. Arguments: folder, rounds, synchronous."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path

from edge.store import connect
from edge.store.log import StoreLog
from edge.store.store import Store
from hardware.clock import ClockQuality, Stamp
from hardware.observation import PROFILE_NAMED, Observation
from sync.ids import BlockId, Content, KeyClass, Lane, Level, Source
from sync.log import Incoming
from sync.ranges import Ranges
from sync.seal.contract import Role
from sync.seal.demo import demo_keyring

ROLES = {1: Role.COMMAND, 2: Role.MEMBER, 3: Role.MEMBER}
BODY = PROFILE_NAMED["oximeter"]
START_MS = 1_790_000_000_000


def main(folder: Path, rounds: int, synchronous: str) -> None:
    connect.SETTINGS = tuple(  # type: ignore[misc]
        line.replace("synchronous=FULL", f"synchronous={synchronous}") for line in connect.SETTINGS
    )
    with (folder / "acknowledged").open("w", buffering=1, encoding="ascii") as told:
        work(folder, rounds, told.write)


def work(folder: Path, rounds: int, tell: Callable[[str], object]) -> None:
    store = Store.open(folder / "node.db", 2, ballast=0)
    # Often checkpointed, so that cuts fall into checkpoints as well.
    store.writer.submit(lambda tx: tx.conn.execute("PRAGMA wal_autocheckpoint=60").fetchall()).result()
    log = StoreLog(store, demo_keyring(b"power", ROLES, 2, store.life.incarnation))
    other = demo_keyring(b"power", ROLES, 3, 77)
    tell(f"life {store.life.incarnation}\n")
    for turn in range(rounds):
        first = 4 * turn
        time = [
            Stamp(store.life.boot, 1000 * (first + at), START_MS + 1000 * (first + at), ClockQuality.GNSS)
            for at in range(4)
        ]
        waits = [store.write([Observation("P1", "strap", BODY, time[at], (first + at, 70))]) for at in range(4)]
        store.write_event(6 if turn % 2 else 1, "P1", {0: turn}).result()
        for wait in waits:
            wait.result()
        tell(f"rows {first + 4}\nevents {turn + 1}\n")
        if turn % 3 == 0:
            for lane in (Lane.FLASH, Lane.COMMAND, Lane.HISTORY):
                for block_id in log.cut(lane, 400, 2):
                    tell(f"block {mark(log, block_id)}\n")
        if turn % 3 == 1:
            block_id = BlockId(3, 77, Lane.HISTORY, turn)
            body = bytes((Content.PICTURE,)) + bytes(40)
            log.commit([Incoming(block_id, other.seal(block_id, KeyClass.FIELD, body), body, Level.MEMBER, 0, "lan")])
            tell(f"block {mark(log, block_id)}\n")
        if turn % 3 == 2:
            source = Source(2, store.life.incarnation, Lane.HISTORY)
            top = log.have()[source].top
            log.merge_end(1, {source: Ranges([(0, top)])})
            tell(f"end {top}\n")
    log.close()
    store.close()


def mark(log: StoreLog, block_id: BlockId) -> str:
    """Lane, number and hash of a block."""
    return f"{block_id.origin} {int(block_id.lane)} {block_id.number} {hashlib.sha256(log.read(block_id) or b'').hexdigest()}"


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])

"""Nodes with a store, a log, keys and a clock set by hand, for the store's tests."""

from __future__ import annotations

from pathlib import Path

from edge.store.log import StoreLog
from edge.store.reader import Reader
from edge.store.retention import KEEP, Keep
from edge.store.store import Store
from hardware.clock import ManualClock
from hardware.observation import PROFILE_NAMED, Observation
from sync.events import BY_NAME
from sync.ids import BlockId, Lane, Level
from sync.log import Incoming, Verdict
from sync.records import Anchor
from sync.seal.contract import NotForUs, Role
from sync.seal.demo import demo_keyring

ROLES = {1: Role.COMMAND, 2: Role.MEMBER, 3: Role.MEMBER, 9: Role.RELAY}
CENTRAL, VEHICLE, OTHER = 1, 2, 3
FIX, BODY = PROFILE_NAMED["gauge"], PROFILE_NAMED["wearable"]


class Node:
    """A store with its log and a clock set by hand."""

    def __init__(
        self, folder: Path, origin: int, name: str = "", keep: Keep = KEEP, anchor: Anchor | None = None
    ) -> None:
        self.path = folder / f"{name or origin}.db"
        machine = folder / "machine-id"
        self.store = Store.open(self.path, origin, clock=self.clock_of, ballast=0, keep=keep, machine=machine)
        self.ring = demo_keyring(b"log", ROLES, origin, self.store.life.incarnation)
        self.log = StoreLog(self.store, self.ring, anchor)

    def clock_of(self, boot: int) -> ManualClock:
        self.clock = ManualClock(1000.0, 1_790_000_000_000, boot)
        return self.clock

    def write(self, count: int, subject: str = "G1", private: bool = False, first: int = 0) -> None:
        profile = BODY if private else FIX
        for index in range(first, first + count):
            self.clock.advance(1.0)
            values = tuple(1000 + 7919 * index * index % 997 + column for column in range(len(profile.columns)))
            self.store.write([Observation(subject, f"dev/{subject}", profile, self.clock.stamp(), values)])

    def event(self, text: str, kind: str = "message", wait: bool = True) -> None:
        stored = self.store.write_event(BY_NAME[kind].number, "P01", {0: text})
        if wait:
            stored.result()

    def flush(self) -> None:
        """Wait for everything written so far."""
        self.store.writer.submit(lambda tx: None).result()

    def give(self, ids: list[BlockId], to: Node) -> list[Verdict]:
        return list(to.log.commit([self.incoming(block_id, to) for block_id in ids]))

    def incoming(self, block_id: BlockId, to: Node, age_s: float = 2.0) -> Incoming:
        block = self.log.read(block_id)
        assert block is not None
        try:
            opened = to.ring.open(block, block_id.incarnation)
        except NotForUs:
            return Incoming(block_id, block, None, Level.MEMBER, age_s, "lan")
        return Incoming(block_id, block, opened.body, opened.level, age_s, "lan")

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        self.flush()
        reader = Reader(self.path, self.store.origin)
        try:
            return reader._rows(sql)
        finally:
            reader.close()

    def close(self) -> None:
        self.log.close()
        self.store.close()


def cut_all(node: Node, lane: Lane, budget: int = 2000) -> list[BlockId]:
    ids: list[BlockId] = []
    while more := node.log.cut(lane, budget, 4):
        ids += more
    return ids

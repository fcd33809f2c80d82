"""A store such as an agent keeps, for screens: what it would write, at a time that can be moved on by hand."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

from edge.config import Config, load
from edge.store.reader import Reader
from edge.store.store import Store
from hardware.clock import SystemClock
from hardware.observation import PROFILE_NAMED, Observation
from sync.events import BY_NAME, key
from sync.ids import Level
from sync.records import Event

BASE = """
[station]
id = "V1"
node = 2
[incident]
lat = 33.5
lon = 108.0
start = 2026-07-17T20:10:00+08:00
"""
CONFIG = f"""{BASE}central = [1]
[keys]
file = "none.keys"
[nodes.PROV]
node = 1
name = "省中心"
[nodes.V2]
node = 3
[people.R1]
name = "张伟"
unit = "一队"
[people.R2]
name = "李娜"
"""


class FakeTime(SystemClock):
    """The machine's clock, moved on by hand: `ahead` seconds."""

    ahead = 0.0

    def mono(self) -> float:
        return super().mono() + FakeTime.ahead


class Field:
    """A configured store and what an agent would write to it."""

    def __init__(self, folder: Path) -> None:
        file = folder / "v1.toml"
        file.write_text(CONFIG, encoding="utf-8")
        self.config: Config = load(file)
        self.config.store.parent.mkdir()
        self.store = Store.open(self.config.store, 2, ballast=0, machine=folder / "machine", clock=FakeTime)

    def observe(self, subject: str, profile: str, *values: int | None, level: Level = Level.ORIGIN) -> None:
        item = Observation(subject, f"dev/{subject}", PROFILE_NAMED[profile], self.store.clock.stamp(), values)
        self.store.write([item], level=level).result()

    def event(
        self, kind: str, actor: str = "", to: tuple[int, ...] = (), level: Level = Level.ORIGIN,
        valid_s: int | None = None, **fields: Any,
    ) -> Any:  # fmt: skip
        body = {key(kind, name): value for name, value in fields.items()}
        return self.store.write_event(BY_NAME[kind].number, actor, body, to=to, level=level, valid_s=valid_s).result()

    def status(self, **more: Any) -> None:
        rows = {"name": "lora", "state": "up", "why": "", "since_s": 60.0, "last_in_s": 2.0, "last_out_s": None,
                "bytes_in": 7, "bytes_out": 9, "loss": 0.25, "latency_s": 1.5, "budget_bytes": 400, "budget_wait_s": 0.0}  # fmt: skip
        self.store.write_status({"links": [rows], "devices": [], "clock": [1_784_290_200_000, 3], **more})

    def foreign(
        self,
        kind: str,
        origin: int,
        actor: str = "",
        to: tuple[int, ...] = (),
        level: Level = Level.ORIGIN,
        **fields: Any,
    ) -> Any:
        """An event that another node wrote."""
        event = self.event(kind, actor, to, level, 3600, **fields)

        def moved(tx: Any) -> None:
            tx.conn.execute(
                "UPDATE event SET origin = ?, incarnation = 9 WHERE origin = ? AND number = ?",
                (origin, event.id.origin, event.id.number),
            )

        self.store.writer.submit(moved, urgent=True).result()
        return event.id._replace(origin=origin, incarnation=9)

    def newest(self, kind: str) -> Event:
        """The latest event of a kind."""
        return self._events(kind)[-1]

    def count(self, kind: str) -> int:
        """How many events of a kind there are."""
        return len(self._events(kind))

    def _events(self, kind: str) -> list[Event]:
        with closing(Reader(self.config.store, 2)) as reader:
            return [line.event for line in reader.events("WHERE e.kind = ? ORDER BY e.id", (BY_NAME[kind].number,))]

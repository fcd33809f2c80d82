"""Power cuts on the way in: the real writes of a working store are recorded, then cut off anywhere, with what was not synced
dropped, reordered and torn. Nothing that was acknowledged may be missing from any image."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from edge.store.connect import Connection, DatabaseError, open_writer
from edge.store.life import Marker
from edge.store.rows import spans_of
from edge.store.store import Store
from sync.ids import Lane
from tests.peers import disk

pytestmark = pytest.mark.peer("gcc")
BUSY = Path(disk.__file__).with_name("busy_store.py")


@dataclass
class Told:
    """What the node had been told is durable."""

    life: int = -1
    rows: int = 0
    events: int = 0
    end: int = -1
    blocks: dict[tuple[int, int, int], str] = field(default_factory=dict)

    @classmethod
    def read(cls, lines: bytes) -> Told:
        told = cls()
        for line in lines.decode().splitlines(keepends=True):
            if line.endswith("\n"):
                name, *values = line.split()
                if name == "block":
                    told.blocks[int(values[0]), int(values[1]), int(values[2])] = values[3]
                else:
                    setattr(told, name, int(values[0]))
        return told


def images(trace: Path, folder: Path, cuts: int, seed: int) -> Iterator[tuple[Path, Told]]:
    """`cuts` disks after power cuts spread over a trace, with what had been acknowledged before each."""
    played, chance = disk.Disk(trace), random.Random(seed)
    at = 0
    for number, until in enumerate(sorted(chance.sample(range(1, len(played.records)), cuts))):
        played.play(at, until)
        at = until
        image = folder / f"cut{number}"
        image.mkdir()
        played.cut(image, chance)
        yield image, Told.read(played.read("acknowledged"))


def lost(image: Path, told: Told) -> str:
    """What is missing from an image, "" when nothing is."""
    conn = open_writer(image / "node.db")
    try:
        if conn.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
            return "damaged"
        if told.life < 0:
            return ""
        return _missing(conn, told) or _marker(conn, image)
    except DatabaseError as error:
        return str(error)
    finally:
        conn.close()


def _missing(conn: Connection, told: Told) -> str:
    execute = conn.execute
    if execute("SELECT incarnation FROM life").fetchall() != [(told.life,)]:
        return "life"
    count = "SELECT count(DISTINCT json_extract({}, '$[0]')) FROM {} WHERE json_extract({}, '$[0]') < ?"
    if execute(count.format("vals", "observation", "vals"), (told.rows,)).fetchone()[0] < told.rows:
        return "rows"
    events = "SELECT count(*) FROM event WHERE json_extract(body, '$.0') < ?"
    if execute(events, (told.events,)).fetchone()[0] < told.events:
        return "events"
    held = {
        tuple(row[:3]): hashlib.sha256(row[3]).hexdigest()
        for row in execute("SELECT origin, lane, number, bytes FROM block JOIN payload ON payload.block = block.id")
    }
    if any(held.get(place) != mark for place, mark in told.blocks.items()):
        return "blocks"
    for origin, lane, number in told.blocks:
        if origin == 2:
            (following,) = execute("SELECT next FROM counter WHERE name = ?", (f"block{lane}",)).fetchone()
            if following <= number:
                return "numbers"
    ends = execute("SELECT spans FROM end_list WHERE lane = ?", (Lane.HISTORY,)).fetchall()
    return "" if told.end < 0 or (ends and spans_of(ends[0][0]).top >= told.end) else "end list"


def _marker(conn: Connection, image: Path) -> str:
    """A marker that is gone or ahead of the file would end the store's life for nothing."""
    marked = Marker(image / "node.db.life").read()
    commits = conn.execute("SELECT value FROM meta WHERE name = 'commits'").fetchone()[0]
    return "" if marked is not None and marked["commits"] <= commits else "marker"


def losses(
    tmp_path: Path, cuts: int, rounds: int, seed: int, synchronous: str = "FULL"
) -> tuple[list[str], list[Path]]:
    """What each of `cuts` images lost, and where they are."""
    work = tmp_path / "work"
    work.mkdir()
    disk.run(BUSY, work, str(rounds), synchronous, trace=tmp_path / "trace")
    folder = tmp_path / "images"
    folder.mkdir()
    found = [(lost(image, told), image) for image, told in images(tmp_path / "trace", folder, cuts, seed)]
    return [each for each, _ in found], [image for _, image in found]


def test_no_acknowledged_row_is_lost(tmp_path: Path) -> None:
    found, folders = losses(tmp_path, 200, 60, 1)
    assert [each for each in found if each] == []
    for image in folders[::20]:
        store = Store.open(image / "node.db", 2, ballast=0)
        assert store.write_event(1, "P1", {0: -1}).result().id.number >= 0
        store.close()


def test_the_replay_is_not_blind(tmp_path: Path) -> None:
    """With a weaker setting than the store's own, acknowledged rows are lost, and it shows."""
    found, _ = losses(tmp_path, 200, 60, 1, "NORMAL")
    assert sum(bool(each) for each in found) > 50
    assert "damaged" not in found


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(5))
def test_long(tmp_path: Path, seed: int) -> None:
    found, _ = losses(tmp_path, 1000, 400, seed)
    assert [each for each in found if each] == []

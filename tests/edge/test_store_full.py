"""A store on a file system that is really full, alone on it and with others, and on a disk that fails now and then.

The disk is tests/peers/disk.c: real system calls that answer ENOSPC and EIO.
"""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest

from edge.store.connect import fetch, open_reader
from edge.store.store import Store
from tests.peers import disk

pytestmark = pytest.mark.peer("gcc")
FILLING = Path(disk.__file__).with_name("filling_store.py")
ROOM = 8 << 20


def test_a_full_disk_refuses_nothing_and_keeps_what_is_urgent(tmp_path: Path) -> None:
    """Without any link, far more than the disk holds: history gives way, nothing else does, no write fails."""
    found = json.loads(disk.run(FILLING, tmp_path, "alone", room=ROOM))
    assert found["failed"] == []
    assert found["states"] == ["degraded", "up"]
    assert found["events"] == [[1, 15], [6, 15]]
    assert found["urgent_lost"] == 0
    assert found["newest"] >= 1440
    assert found["given"]["thinned_rows"] > 5_000
    assert found["given"]["bytes"] > 500_000
    assert found["holes"]["replaced"] > 0
    assert found["holes"]["dropped"] > 0
    assert found["whole"]
    assert found["incarnations"] == 1


def test_a_disk_that_others_filled_is_waited_for(tmp_path: Path) -> None:
    """Health tells, screens read on, rows wait in memory and are stored as soon as there is room again."""
    found = json.loads(disk.run(FILLING, tmp_path, "crowded", room=ROOM))
    assert found["ballast"] == [ROOM // 16, False]  # held, then given up
    assert found["down"] == "down"
    assert "disk is full" in found["why"]
    assert found["readable"] > 0
    assert found["told"]
    assert found["impatient"] == "StoreFull"
    assert found["waited"] > 0
    assert found["up"] == "up"
    assert found["events"] == [[1, found["written"]]]
    assert found["whole"]
    assert found["incarnations"] == 1


@pytest.mark.parametrize("every", [61, 97])
def test_a_disk_that_fails_now_and_then_loses_and_doubles_nothing(tmp_path: Path, every: int) -> None:
    path = tmp_path / "node.db"
    Store.open(path, 2, ballast=0).close()
    found = json.loads(disk.run(FILLING, tmp_path, "failing", flaky=every))
    assert found["failed"] == []
    assert found["troubles"] >= 3
    with closing(open_reader(path)) as db:
        assert [fetch(db, path, f"SELECT count(*) FROM {table}")[0][0] for table in ("observation", "event")] == [
            150,
            150,
        ]
        assert fetch(db, path, "SELECT count(DISTINCT vals) FROM observation") == [(150,)]
        assert fetch(db, path, "PRAGMA integrity_check") == [("ok",)]

"""A store on a file system that is really full (tests/peers/disk.c refuses with ENOSPC), alone on it and with others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.peers import disk

pytestmark = pytest.mark.peer("gcc")
FILLING = Path(disk.__file__).with_name("filling_store.py")
ROOM = 8 << 20


def test_a_full_disk_refuses_nothing_and_keeps_what_is_urgent(tmp_path: Path) -> None:
    """Without any link, far more than the disk holds: history gives way, nothing else does, no write fails."""
    found = json.loads(disk.run(FILLING, tmp_path, "alone", room=ROOM))
    assert found["failed"] == []
    assert found["states"] == ["degraded", "up"]
    assert found["events"] == [[1, 20], [6, 20]]
    assert found["urgent_lost"] == 0
    assert found["newest"] >= 1940
    assert found["given"]["thinned_rows"] > 5_000
    assert found["given"]["bytes"] > 500_000
    assert found["holes"]["replaced"] > 0
    assert found["holes"]["dropped"] > 0
    assert found["whole"]
    assert found["incarnations"] == 1


def test_a_disk_that_others_filled_is_waited_for(tmp_path: Path) -> None:
    """Health tells, screens read on, rows wait in memory and are stored as soon as there is room again."""
    found = json.loads(disk.run(FILLING, tmp_path, "crowded", room=ROOM))
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

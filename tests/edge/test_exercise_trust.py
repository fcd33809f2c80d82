"""Identities of an exercise: everything from the seed, everybody enrolled by one root, each with what its role may hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.exercise.trust import identities
from edge.identity.identity import Identity
from hardware.errors import SealError
from sync.ids import BlockId, KeyClass, Lane, Level
from sync.records import Anchor
from sync.seal.contract import Role

ROLES = {1: Role.COMMAND, 2: Role.MEMBER, 3: Role.RELAY}
NAMES = {1: "V1", 2: "R1", 3: "RLY"}
ANCHOR = Anchor(335_200_000, 1_079_800_000, 1_784_290_200_000)


def made(folder: Path, seed: bytes) -> dict[int, Identity]:
    folder.mkdir()
    return identities(folder, seed, "drill", ANCHOR, ROLES, NAMES)


def test_one_seed_one_force(tmp_path: Path) -> None:
    one, again, other = (made(tmp_path / name, seed) for name, seed in (("a", b"7"), ("b", b"7"), ("c", b"8")))
    for node in ROLES:
        assert one[node].charter == again[node].charter != other[node].charter
        assert one[node].secrets.epochs == again[node].secrets.epochs
        assert [held.name for held in one[node].roster] == ["V1", "R1", "RLY"] and one[node].enrolled


def test_each_holds_what_its_role_may(tmp_path: Path) -> None:
    rings = {node: identity.keyring(16 + node) for node, identity in made(tmp_path / "a", b"7").items()}
    order = BlockId(1, 17, Lane.FLASH, 0)
    sealed = rings[1].seal(order, KeyClass.FIELD, b"go")
    assert rings[2].open(sealed, 17).level is Level.COMMAND
    with pytest.raises(SealError):
        rings[3].open(sealed, 17)
    assert rings[3].check(b"frame" + rings[2].mac(b"frame")) == b"frame"
    pulse = BlockId(2, 18, Lane.HISTORY, 0)
    assert rings[1].open(rings[2].seal(pulse, KeyClass.VITAL, b"96"), 18).body == b"96"

"""A stick brings a re-keying to a node that missed it, and the rest of the stick opens with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge import keys
from edge.config import Config, load
from edge.desk import desk
from edge.identity.enrol import revoke
from hardware.errors import ConfigError
from sync.carry import export
from sync.events import BY_NAME
from sync.intake import Report, import_
from sync.records import Anchor
from sync.seal.contract import Role

ANCHOR = Anchor(301_500_000, 1_191_000_000, 1_784_580_000_000)
FILE = """
[station]
id = "{id}"
node = {node}
data = "{id}"
[keys]
file = "keys/node{node}.keys"
{more}
"""


def configured(folder: Path, name: str, node: int, more: str = "") -> Config:
    file = folder / f"{name}.toml"
    file.write_text(FILE.format(id=name, node=node, more=more), encoding="utf-8")
    return load(file)


def brought(config: Config, stick: Path) -> list[Report]:
    with desk(config) as (log, ring, _):
        return [import_(log, ring, path) for path in sorted(stick.glob("*.sdbundle"))]


def test_a_stick_brings_the_new_keys_and_what_they_open(tmp_path: Path) -> None:
    keys.create(tmp_path / "keys", {1: Role.COMMAND, 2: Role.MEMBER}, anchor=ANCHOR)
    root, late = configured(tmp_path, "C1", 1), configured(tmp_path, "V2", 2)
    with desk(late):
        pass
    revoke(keys.of(root), [], {})
    with desk(root) as (log, _, _):
        log._store.write_event(BY_NAME["order"].number, "", {0: "go"}, valid_s=600).result()
    stick = tmp_path / "stick"
    stick.mkdir()
    with desk(root) as (log, ring, _):
        assert ring.epoch == 2
        export(log, ring, stick, (2,), "MULE", 1)
    (first,) = brought(late, stick)
    assert first.manifest is not None and first.added >= 1 and first.refused
    assert keys.of(late).keyring(0).epoch == 2
    (second,) = brought(late, stick)
    assert not second.refused
    with desk(late) as (log, _, _):
        assert log._rows("SELECT level FROM event WHERE origin = 1")


def test_the_signed_place_of_the_incident_counts(tmp_path: Path) -> None:
    keys.create(tmp_path / "keys", {1: Role.COMMAND}, anchor=ANCHOR)
    other = '[incident]\nlat = 31.0\nlon = 119.1\nstart = "x"'.replace('"x"', "2026-07-20T05:00:00+08:00")
    with pytest.raises(ConfigError, match="root signed"), desk(configured(tmp_path, "C1", 1, other)):
        pass
    with desk(configured(tmp_path, "C2", 1)) as (log, _, _):
        assert log._anchor == ANCHOR
    keys.create(tmp_path / "k2" / "keys", {1: Role.COMMAND})
    with pytest.raises(ConfigError, match="lat, lon and start"), desk(configured(tmp_path / "k2", "C3", 1)):
        pass


def test_a_configured_key_file_opens_the_identity(tmp_path: Path) -> None:
    keys.create(tmp_path / "keys", {1: Role.COMMAND}, anchor=ANCHOR)
    (tmp_path / "keys" / "unlock.key").replace(tmp_path / "elsewhere.key")
    with pytest.raises(ConfigError, match=r"unlock\.key"):
        keys.of(configured(tmp_path, "C1", 1))
    assert keys.of(configured(tmp_path, "C1", 1, 'unlock = "elsewhere.key"')).node == 1
    (tmp_path / "elsewhere.key").write_bytes(bytes(64))
    with pytest.raises(ConfigError, match="key file"):
        keys.of(configured(tmp_path, "C1", 1, 'unlock = "elsewhere.key"'))

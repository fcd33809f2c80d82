"""The command line: help a person can read, errors that name file, key and value, and what is carried by hand."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from qr_scan import modules, scan

from edge.config import load
from edge.desk import desk
from edge.keys import create, file_of
from edge.store.reader import Reader
from edge.store.store import Store
from sync.events import BY_NAME
from sync.seal.contract import Role
from tui.cli import commands, main

CONFIG = """
[station]
id = "V{node}"
node = {node}
role = "{role}"
[incident]
lat = 30.15
lon = 119.1
start = 2026-07-20T05:00:00+08:00
[keys]
file = "{keys}"
"""
Say = Callable[..., tuple[int, str, str]]


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    """Runs the command line; its status and what it printed."""

    def run(*words: object) -> tuple[int, str, str]:
        try:
            status = main([*map(str, words), "--lang", "en"])
        except SystemExit as stop:
            status = int(stop.code or 0)
        told = capsys.readouterr()
        return status, told.out, told.err

    return run


@pytest.fixture
def field(tmp_path: Path) -> dict[int, Path]:
    """Configuration files of two stations of one incident."""
    create(tmp_path / "keys", {1: Role.COMMAND, 2: Role.MEMBER})
    files = {}
    for node, role in ((1, "agent"), (2, "unit")):
        (tmp_path / str(node)).mkdir()
        files[node] = tmp_path / str(node) / "sanduan.toml"
        files[node].write_text(CONFIG.format(node=node, role=role, keys=file_of(tmp_path / "keys", node)))
    return files


def sos(file: Path, text: str = "腿伤") -> None:
    """An SOS in a station's store."""
    with desk(load(file)):
        pass
    config = load(file)
    store = Store.open(config.store, config.station["node"])
    store.write_event(BY_NAME["sos"].number, "", {0: "P1", 3: text}).result()
    store.close()


def texts(file: Path) -> list[object]:
    """The texts of all SOS that a station knows."""
    config = load(file)
    reader = Reader(config.store, config.station["node"])
    try:
        return [line.event.body.get(3) for line in reader.snapshot().events if line.event.kind == BY_NAME["sos"].number]
    finally:
        reader.close()


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_help_of_every_command(capsys: pytest.CaptureFixture[str], lang: str) -> None:
    for command in commands():
        with pytest.raises(SystemExit) as stop:
            main([*command.name.split(), "--help", "--lang", lang])
        assert stop.value.code == 0
        assert (command.zh if lang == "zh" else command.en).split("\n")[0] in capsys.readouterr().out


def test_a_wrong_file_is_told_line_by_line(say: Say, tmp_path: Path, field: dict[int, Path]) -> None:
    assert say("check-config", field[1])[0] == 0
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(field[1].read_text().replace("node = 1", 'nodes = 1\nnode = "one"'))
    status, _, err = say("check-config", wrong)
    assert status == 2 and len(err.splitlines()) == 2
    assert f"{wrong}:4" in err and "station.nodes = 1: unknown key" in err and "did you mean 'node'" in err
    assert f"{wrong}:5" in err and "station.node = 'one': a whole number" in err


def test_a_role_must_be_the_one_that_the_file_names(say: Say, field: dict[int, Path]) -> None:
    status, _, err = say("central", "-c", field[1])
    assert status == 2 and "station.role = 'agent'" in err and "sanduan agent -c" in err


def test_by_stick(say: Say, tmp_path: Path, field: dict[int, Path]) -> None:
    sos(field[2])
    stick = tmp_path / "stick"
    stick.mkdir()
    assert say("carry", "mark", stick, "--for", 1, 2, "--carrier", "摩托 motorbike")[0] == 0
    status, out, _ = say("carry", "export", stick, "--for", 1, "--carrier", "motorbike", "-c", field[2], "--json")
    made = json.loads(out)
    assert status == 0 and made["blocks"]["flash"] == 1 and made["for"] == [1]
    assert json.loads(say("carry", "show", stick, "-c", field[1], "--json")[1]) == made
    first, again = (json.loads(say("carry", "import", stick, "-c", field[1], "--json")[1]) for _ in range(2))
    assert first["whole"] and first["added"] >= 1 and again["added"] == 0
    assert texts(field[1]) == ["腿伤"]


def test_a_folder_without_bundles_is_said_so(say: Say, tmp_path: Path, field: dict[int, Path]) -> None:
    status, _, err = say("carry", "import", tmp_path, "-c", field[1])
    assert status == 1 and "holds no .sdbundle file" in err


def test_by_voice_with_a_misheard_group(say: Say, field: dict[int, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    sos(field[2])
    status, out, _ = say("paper", "write", "-c", field[2])
    assert status == 0 and out.startswith("SANDUAN 2.")
    groups = [word for line in out.splitlines()[1:] for word in line.split() if len(word) == 4]
    spoiled = out.replace(groups[3], "????", 1)
    monkeypatch.setattr("sys.stdin", io.StringIO(spoiled))
    status, out, err = say("paper", "read", "-c", field[1])
    assert status == 0 and "taken in" in out and "repaired groups 4" in err
    assert texts(field[1]) == ["腿伤"]


def test_by_qr_code(say: Say, tmp_path: Path, field: dict[int, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    sos(field[2])
    picture = tmp_path / "sos.png"
    assert say("qr", "show", "-o", picture, "-c", field[2])[0] == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    heading, _, drawn = say("qr", "show", "-c", field[2])[1].partition("\n")
    assert heading.endswith("1/1")
    monkeypatch.setattr("sys.stdin", io.StringIO(scan(modules(drawn.rstrip("\n")))))
    assert say("qr", "read", "-c", field[1])[0] == 0
    assert texts(field[1]) == ["腿伤"]


def test_an_exercise_gives_one_object(say: Say) -> None:
    status, out, _ = say("exercise", "qingxi24", "--hours", "0.2", "--json")
    result = json.loads(out)
    assert status == 0 and result["failed"] == 0
    assert {row["state"] for row in result["checkpoints"]} <= {"pass", "not yet"}

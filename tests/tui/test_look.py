"""`sanduan tui` and `sanduan replay` from the command line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from edge.config import load
from edge.store.store import Store
from hardware.observation import PROFILE_NAMED, Observation
from tui.cli import main
from tui.look import terminal

CONFIG = """
[station]
id = "V1"
node = 2
[keys]
file = "none.keys"
[screen]
lang = "en"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A configuration without a store."""
    path = tmp_path / "v1.toml"
    path.write_text(CONFIG, encoding="utf-8")
    return path


def test_without_a_terminal_it_says_what_to_do(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tui", "-c", str(file)]) == 1
    assert "--picture" in capsys.readouterr().err


def test_a_picture_needs_neither_terminal_nor_agent_nor_store(file: Path, tmp_path: Path) -> None:
    drawn = tmp_path / "screen.svg"
    assert main(["tui", "-c", str(file), "--picture", str(drawn)]) == 0
    text = drawn.read_text(encoding="utf-8").replace("&#160;", " ").replace("\xa0", " ")
    assert "Sanduan command screen V1" in text and "no store yet" in text
    config = load(file)
    config.store.parent.mkdir()
    store = Store.open(config.store, 2, ballast=0, machine=tmp_path / "machine")
    stamp = store.clock.stamp()
    store.write([Observation("R1", "strap", PROFILE_NAMED["oximeter"], stamp, (93, 88))]).result()
    store.close()
    assert (
        main(["tui", "-c", str(file), "--picture", str(drawn), "--lang", "zh", "--theme", "sun", "--symbols", "ascii"])
        == 0
    )
    text = drawn.read_text(encoding="utf-8").replace("&#160;", " ").replace("\xa0", " ")
    assert "R1" in text and "93" in text and "代理程序未运行" in text


def test_a_wrong_file_or_name_is_told(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tui", "-c", str(tmp_path / "none.toml")]) == 2
    assert "none.toml" in capsys.readouterr().err
    assert main(["tui", "-c", str(file), "--picture", str(tmp_path)]) == 1
    assert str(tmp_path) in capsys.readouterr().err


def test_the_demonstration_spoils_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "letter.txt").write_text("kept", encoding="utf-8")
    assert main(["demo", "--headless", "--folder", str(tmp_path)]) == 1
    assert "not empty" in capsys.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == ["letter.txt"]


@pytest.mark.parametrize("away", ["stdin", "stdout", "stderr"])
def test_a_screen_needs_all_three_ends_at_the_terminal(away: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(getattr(sys, name), "isatty", lambda name=name: name != away)
    assert not terminal()

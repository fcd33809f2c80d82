"""A marked stick is found wherever the system mounts it; a damaged mark is named, a stick pulled away is no error."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.sticks import Mark, insertion, mark, present, read_mark, usual_places
from hardware.errors import ConfigError

MULE = Mark((100, 3), '骡马 "MULE-1" \\ 2')


def test_what_is_marked_is_read(tmp_path: Path) -> None:
    mark(tmp_path, MULE)
    assert read_mark(tmp_path) == MULE


def test_found_where_systems_mount(tmp_path: Path) -> None:
    media, run = tmp_path / "media", tmp_path / "run"
    for stick in (media / "A", run / "user" / "B", run / "user" / "deep" / "C"):
        stick.mkdir(parents=True)
        mark(stick, MULE)
    (media / "camera").mkdir()
    assert list(present([media, run, tmp_path / "nowhere"])) == [media / "A", run / "user" / "B"]
    assert list(present([media / "A"])) == [media / "A"]


def test_no_mark_is_nothing(tmp_path: Path) -> None:
    assert read_mark(tmp_path) is None and not list(present([tmp_path]))


@pytest.mark.parametrize(
    "text",
    ["nodes = [", "nodes = 5", 'nodes = ["V1"]', "nodes = [true]", "nodes = [99999]", "nodes=[1]\ncarrier=2", "\xff"],
)
def test_a_damaged_mark_is_named(tmp_path: Path, text: str) -> None:
    mark(tmp_path, MULE).write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError, match=r"stick\.toml"):
        read_mark(tmp_path)


def test_insertion_differs_between_sticks(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        mark(tmp_path / name, MULE)
    assert insertion(tmp_path / "a") != insertion(tmp_path / "b")
    with pytest.raises(FileNotFoundError):
        insertion(tmp_path / "c")


def test_usual_places_of_every_system() -> None:
    assert Path("/media") in usual_places("linux") and usual_places("darwin") == (Path("/Volumes"),)
    assert Path("E:/") in usual_places("win32")

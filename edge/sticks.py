"""Marked sticks: found by polling the folders where the system mounts them, on any system, without asking it for events.

A stick is marked by `sanduan/stick.toml` on it: for which nodes it is loaded, and who carries it.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hardware.errors import ConfigError

FOLDER: Final = "sanduan"
MARK: Final = "stick.toml"
DEPTH: Final = 2  # /media/LABEL and /run/media/USER/LABEL
MOUNTS: Final = {"win32": tuple(f"{letter}:/" for letter in "DEFGHIJKLMNOPQRSTUVWXYZ"), "darwin": ("/Volumes",)}
ELSEWHERE: Final = ("/media", "/run/media", "/mnt")


def usual_places(system: str = sys.platform) -> tuple[Path, ...]:
    """Where a system mounts sticks: what is watched when the configuration names nothing else."""
    return tuple(Path(place) for place in MOUNTS.get(system, ELSEWHERE))


@dataclass(frozen=True, slots=True)
class Mark:
    """What a stick is for: roster indexes of the nodes to load it for, and who or what carries it."""

    nodes: tuple[int, ...]
    carrier: str


def mark(root: Path, mark: Mark) -> Path:
    """Mark a stick; the path of its mark. OSError when it cannot be written."""
    folder = root / FOLDER
    folder.mkdir(exist_ok=True)
    carrier = mark.carrier.replace("\\", "\\\\").replace('"', '\\"')
    text = f'# 三断 / Sanduan: this stick carries sealed bundles.\nnodes = {list(mark.nodes)}\ncarrier = "{carrier}"\n'
    path = folder / MARK
    path.write_text(text, encoding="utf-8")
    return path


def read_mark(root: Path) -> Mark | None:
    """The mark of a stick, None where there is none; ConfigError when it is damaged."""
    path = root / FOLDER / MARK
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(str(path), "mark", str(error), "sanduan carry mark writes it anew") from None
    nodes, carrier = data.get("nodes"), data.get("carrier", "")
    if not isinstance(nodes, list) or not all(type(node) is int and 0 < node < 1 << 14 for node in nodes):
        raise ConfigError(str(path), "nodes", nodes, "a list of roster indexes")
    if not isinstance(carrier, str) or len(carrier.encode()) > 64:
        raise ConfigError(str(path), "carrier", carrier, "text of at most 64 bytes")
    return Mark(tuple(nodes), carrier)


def present(watch: Iterable[Path]) -> Iterator[Path]:
    """Every folder at or below the watched ones that bears a mark, as deep as systems mount; unreadable ones are passed over."""
    for place in watch:
        yield from _below(place, DEPTH)


def _below(place: Path, depth: int) -> Iterator[Path]:
    try:
        if (place / FOLDER / MARK).is_file():
            yield place
        elif depth:
            for child in sorted(place.iterdir()):
                if child.is_dir() and not child.is_symlink():
                    yield from _below(child, depth - 1)
    except OSError:
        return


def insertion(root: Path) -> tuple[int, int]:
    """Device number and the mark's inode: another insertion, or another stick, rarely has the same; OSError when it is gone."""
    found = (root / FOLDER / MARK).stat()
    return found.st_dev, found.st_ino

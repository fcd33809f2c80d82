"""The preloaded disk (disk.c): builds it, runs a program on it, and replays what was recorded up to a power cut."""

from __future__ import annotations

import os
import random
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

ROOT = Path(__file__).parents[2]
SECTOR = 512
_HEAD = struct.Struct("<cIQI")


@cache
def shim() -> Path:
    """disk.c as a shared object."""
    built = Path(mkdtemp(prefix="sanduan-disk-")) / "disk.so"
    source = Path(__file__).with_name("disk.c")
    subprocess.run(["gcc", "-O1", "-shared", "-fPIC", "-o", built, source, "-ldl", "-lpthread"], check=True)
    return built


def run(
    script: Path,
    folder: Path,
    *arguments: str,
    room: int | None = None,
    trace: Path | None = None,
    readonly: bool = False,
    flaky: int | None = None,
) -> str:
    """What a Python script printed that worked in `folder` as on a disk of `room` bytes, or one that is read-only, or one
    where every `flaky` writes or syncs one fails; its changes recorded in `trace`."""
    extra = {"LD_PRELOAD": str(shim()), "SANDUAN_DISK": f"{folder}/", "PYTHONPATH": str(ROOT)}
    extra |= {"SANDUAN_ROOM": str(room)} if room else {}
    extra |= {"SANDUAN_TRACE": str(trace)} if trace else {}
    extra |= {"SANDUAN_READONLY": "1"} if readonly else {}
    extra |= {"SANDUAN_FLAKY": str(flaky)} if flaky else {}
    command = [sys.executable, str(script), str(folder), *arguments]
    done = subprocess.run(
        command, check=False, env={**os.environ, **extra}, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@dataclass
class File:
    """A file as a disk sees it: what surely is on it, and what was written since the last sync: (offset, data or None to
    cut it there)."""

    durable: bytearray = field(default_factory=bytearray)
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)

    def sync(self) -> None:
        """Everything written so far is on the disk."""
        for change in self.pending:
            _apply(self.durable, *change)
        self.pending.clear()

    def cut(self, chance: random.Random) -> bytes:
        """What is found after a power cut: of the unsynced changes none, some, or all; in any order; torn at sectors."""
        image = bytearray(self.durable)
        keep = chance.choice((0.0, 0.1, 0.5, 0.9, 1.0))
        for offset, data in self.pending:
            if chance.random() >= keep:
                continue
            if data is None or chance.random() < 0.7:
                _apply(image, offset, data)
                continue
            for at in range(0, len(data), SECTOR):
                if chance.random() < 0.5:
                    _apply(image, offset + at, data[at : at + SECTOR])
        return bytes(image)


def _apply(content: bytearray, offset: int, data: bytes | None) -> None:
    if data is None:
        del content[offset:]
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    if data is not None:
        content[offset : offset + len(data)] = data


class Disk:
    """Replays a trace record by record."""

    def __init__(self, trace: Path) -> None:
        self.records = list(_records(trace.read_bytes()))
        self.files: dict[str, File] = {}
        self._paths: dict[int, str] = {}

    def play(self, first: int, last: int) -> None:
        """The records from `first` up to, not including, `last`."""
        for op, number, offset, data in self.records[first:last]:
            if op == b"O":
                self._paths[number] = path = data.decode()
                file = self.files.setdefault(path, File())
                if offset:
                    file.pending.append((0, None))
                continue
            if op == b"R":
                self.files[data.decode()] = self.files.pop(self._paths[number])
                continue
            if op == b"U":
                self.files.pop(self._paths.get(number, ""), None)
                continue
            file = self.files[self._paths[number]]
            if op == b"S":
                file.sync()
            else:
                file.pending.append((offset, data if op == b"W" else None))

    def read(self, name: str) -> bytes:
        """Everything that was written to a file so far, synced or not."""
        for path, file in self.files.items():
            if Path(path).name == name:
                whole = File(bytearray(file.durable), list(file.pending))
                whole.sync()
                return bytes(whole.durable)
        return b""

    def cut(self, folder: Path, chance: random.Random) -> None:
        """Lay out in `folder` what the disk holds after a power cut now."""
        for path, file in self.files.items():
            if not path.endswith("-shm"):
                (folder / Path(path).name).write_bytes(file.cut(chance))


def _records(data: bytes) -> Iterator[tuple[bytes, int, int, bytes]]:
    at = 0
    while at < len(data):
        op, number, offset, length = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        yield op, number, offset, data[at : at + length]
        at += length

"""Room on the disk: how much there is, when it is short, and the ballast that lets a full disk delete and checkpoint."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from edge.store.connect import Connection, wal_bytes

BALLAST_BYTES: Final = 32 << 20
_CHUNK: Final = 1 << 20


class Usage(Protocol):
    """How full a disk is, in bytes."""

    @property
    def total(self) -> int:
        """Its size."""

    @property
    def free(self) -> int:
        """What is left of it."""


def room(
    conn: Connection, path: Path, quota: int | None, usage: Callable[[Path], Usage] | None = None
) -> tuple[int, int]:
    """Bytes that rows may still take, and the disk's or quota's size; usage: tells how full the disk of a folder is, the system
    when None.

    Free pages of the file count as room; what the write-ahead log has yet to grow does not, since only the disk can give it.
    """
    size, pages, free_pages = (
        conn.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_size", "page_count", "freelist_count")
    )
    disk: Usage = (usage or shutil.disk_usage)(path.parent)
    wal = path.with_name(path.name + "-wal")
    log = wal.stat().st_size if wal.exists() else 0
    total = disk.total if quota is None else min(quota, disk.total)
    growth = max(0, wal_bytes(disk.total) - log)
    free = disk.free if quota is None else min(disk.free, quota - pages * size - log)
    return free - growth + free_pages * size, total


class Ballast:
    """Space held beside the store; a size of 0 holds none. Never raises: a disk without room simply has no ballast."""

    def __init__(self, path: Path, size: int = BALLAST_BYTES) -> None:
        self.path, self.size = path, size

    def hold(self) -> bool:
        """Make the file when it is absent and the disk has four times its size to spare; True when it is there.

        On a small disk it takes at most one sixteenth.
        """
        if self.size <= 0 or self.path.exists():
            return self.size > 0
        try:
            disk = shutil.disk_usage(self.path.parent)
            size = min(self.size, disk.total // 16)
            if disk.free < 4 * size:
                return False
            part = self.path.with_name(self.path.name + ".part")
            with part.open("wb") as file:
                _allocate(file.fileno(), size)
            part.replace(self.path)
        except OSError:
            return False
        return True

    def give_up(self) -> bool:
        """Delete the file; True when that freed something."""
        try:
            self.path.unlink()
        except OSError:
            return False
        return True


def _allocate(descriptor: int, size: int) -> None:
    """Real blocks, not a sparse file; at once where the system can, else by writing zeros."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
        return
    for _ in range(0, size, _CHUNK):
        os.write(descriptor, bytes(_CHUNK))

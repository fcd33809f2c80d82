"""The ballast: a file that holds disk space back, so that a full disk can still delete and checkpoint."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

BALLAST_BYTES: Final = 32 << 20
_CHUNK: Final = 1 << 20


class Ballast:
    """Space held beside the store; a size of 0 holds none. Never raises: a disk without room simply has no ballast."""

    def __init__(self, path: Path, size: int = BALLAST_BYTES) -> None:
        self.path, self.size = path, size

    def hold(self) -> bool:
        """Make the file when it is absent and the disk has four times its size to spare; True when it is there."""
        if self.size <= 0 or self.path.exists():
            return self.size > 0
        try:
            if shutil.disk_usage(self.path.parent).free < 4 * self.size:
                return False
            part = self.path.with_name(self.path.name + ".part")
            with part.open("wb") as file:
                _allocate(file.fileno(), self.size)
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

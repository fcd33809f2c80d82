"""What the agent says about itself, for screens: a small file beside the store, written over in place.

It costs the disk nothing while the agent idles, needs no free space, and so still speaks when the disk is full. It is not
durable and need not be. Layout: length (4 bytes), CRC-32 (4 bytes), JSON; a torn reading fails its checksum and is repeated.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from edge.store.rows import compact

ROOM: Final = 64 << 10
_HEAD: Final = struct.Struct(">II")


def beside(store: Path) -> Path:
    """The status file of a store."""
    return store.with_name(store.name + ".status")


class StatusFile:
    """The writing side; never raises: a status that cannot be written is one that grows old."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, status: Mapping[str, Any]) -> bool:
        """Replace the status; False when the disk refuses or it is larger than ROOM."""
        text = compact(status).encode()
        data = _HEAD.pack(len(text), zlib.crc32(text)) + text
        if len(data) > ROOM:
            return False
        try:
            if not self.path.exists() or self.path.stat().st_size != ROOM:
                self.path.write_bytes(bytes(ROOM))
            with self.path.open("r+b") as file:
                file.write(data)
        except OSError:
            return False
        return True


def read_status(path: Path) -> dict[str, Any]:
    """The newest status; {} when there is none or it cannot be read whole just now."""
    for _ in range(3):
        try:
            data = path.read_bytes()
            length, crc = _HEAD.unpack_from(data)
        except (OSError, struct.error):
            return {}
        text = data[_HEAD.size : _HEAD.size + length]
        if length and zlib.crc32(text) == crc:
            status: dict[str, Any] = json.loads(text)
            return status
    return {}

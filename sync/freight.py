"""How blocks lie in a bundle: a list of them under the hop MAC, and behind it their bytes. docs/wire/bundle.md has the layout.

A list names each block by the mark that the store keeps beside it, so whoever writes a gigabyte need not hash it, and whoever
reads it hashes it once, for the list and the store alike.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final, NamedTuple

from hardware.errors import DecodeError
from sync.ids import BlockId, Header
from sync.log import mark_of
from sync.seal.contract import MAC

LIST: Final = 0xE0
SHORT: Final = 10  # bytes of a mark
ENTRY: Final = struct.Struct(f">HI{SHORT}s")
_HEAD: Final = struct.Struct(">BH")  # LIST, how many


class Entry(NamedTuple):
    """What a list says of a block: its full incarnation, its length, and the head of its mark."""

    incarnation: int
    size: int
    mark: bytes


def list_frame(entries: Iterable[Entry]) -> bytes:
    """The list of what follows, at most 65,535 blocks; the hop MAC is the caller's."""
    body = b"".join(ENTRY.pack(*entry) for entry in entries)
    return _HEAD.pack(LIST, len(body) // ENTRY.size) + body


def split(record: bytes) -> tuple[bytes, memoryview]:
    """A record's frame with its hop MAC, and what lies behind it, which only a list has; DecodeError when cut short."""
    end = len(record)
    if record[:1] == bytes((LIST,)):
        if end < _HEAD.size:
            raise DecodeError("list cut short")
        end = _HEAD.size + _HEAD.unpack_from(record)[1] * ENTRY.size + MAC
    if len(record) < max(end, MAC):
        raise DecodeError("frame cut short")
    return record[:end], memoryview(record)[end:]


def is_list(frame: bytes) -> bool:
    """Whether blocks follow behind this frame."""
    return frame[:1] == bytes((LIST,))


def read_list(frame: bytes) -> list[Entry]:
    """The entries of a frame that `split` cut off, its MAC taken away."""
    return [Entry(*each) for each in ENTRY.iter_unpack(frame[_HEAD.size :])]


def identify(entry: Entry, block: bytes) -> tuple[BlockId, bytes]:
    """The block's id and mark; DecodeError when it is not the one listed."""
    mark = mark_of(block)
    if len(block) != entry.size or mark[:SHORT] != entry.mark:
        raise DecodeError("a block is not the one listed")
    header, _ = Header.decode(block)
    return header.id(entry.incarnation), mark

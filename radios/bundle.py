"""Carried media: a file of frames on a stick, or for any courier. docs/wire/bundle.md has the bytes.

Written under a temporary name, synced, renamed, and read again before anyone says "done". Every record stands alone under a
checksum, so of a half-written or damaged file the good part is used; what was altered on purpose fails its frame's MAC.

A gigabyte passes through a few buffers that are used again and again: what the medium has taken, or given, is dropped from the
system's cache behind us. A small board keeps its memory for the store, and fresh memory costs more than the copying.
"""

from __future__ import annotations

import contextlib
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader, FileIO
from pathlib import Path
from typing import BinaryIO, Final

from hardware.errors import DecodeError

MAGIC: Final = b"SDBUNDL1"
MARK: Final = b"\x5d\xb1"  # begins every record, so that reading can go on behind damage
HEAD: Final = struct.Struct(">2sII")  # mark, length, CRC-32 of the payload
MOST: Final = 1 << 20  # bytes of one record
END: Final = b"\x00END"
CLOSING: Final = struct.Struct(">4sI")  # END, number of records
SUFFIX: Final = ".sdbundle"
BUFFER: Final = 1 << 20
WINDOW: Final = 16 << 20  # bytes after which the medium is asked to begin, so that the last sync is short


@dataclass(slots=True)
class Damage:
    """What reading found: good records, bytes passed over, and whether the closing record was there with the right count."""

    records: int = 0
    skipped: int = 0
    complete: bool = False

    @property
    def whole(self) -> bool:
        """Nothing missing and nothing passed over."""
        return self.complete and not self.skipped


class _Wake:
    """Lets the system forget what lies behind in a file that is written or read from front to back, every WINDOW bytes."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._next = file, WINDOW

    def at(self, end: int) -> None:
        """Written or read up to `end`."""
        if end >= self._next:
            self._next = end + WINDOW
            release(self._file, end)


class BundleWriter:
    """Writes one bundle; use as a context manager: leaving it well publishes the file, leaving by an exception removes it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.records = self.bytes = 0
        self._temporary = path.with_name(f".{path.name}.part")
        self._file: BinaryIO = self._temporary.open("wb", buffering=BUFFER)
        self._wake = _Wake(self._file)
        self._file.write(MAGIC)

    def add(self, *parts: bytes) -> None:
        """Append one record of these parts; ValueError beyond 1 MiB in all."""
        size = sum(map(len, parts))
        if not 0 < size <= MOST:
            raise ValueError(f"a record of {size} bytes")
        self._put(size, parts)
        self.records += 1
        self.bytes += size
        self._wake.at(self.bytes)

    def set_first(self, payload: bytes) -> None:
        """Put another payload of the same length in the first record, once what it tells about the rest is known."""
        end = self._file.tell()
        self._file.seek(len(MAGIC))
        self._put(len(payload), (payload,))
        self._file.seek(end)

    def _put(self, size: int, parts: tuple[bytes, ...]) -> None:
        check = 0
        for part in parts:
            check = zlib.crc32(part, check)
        self._file.write(HEAD.pack(MARK, size, check))
        for part in parts:
            self._file.write(part)

    def sync(self) -> None:
        """Wait until the medium has what was added so far."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def publish(self) -> None:
        """Close the bundle and give the file its name, durably."""
        self._put(CLOSING.size, (CLOSING.pack(END, self.records),))
        self.sync()
        self._file.close()
        self._temporary.replace(self.path)
        sync_folder(self.path.parent)

    def drop(self) -> None:
        """Forget a bundle that was not published; harmless once it was, or when the medium is gone."""
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError):
            self._temporary.unlink(missing_ok=True)

    def __enter__(self) -> BundleWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        if kind is None:
            self.publish()
        self.drop()

    def verify(self) -> None:
        """Read the published file again from the medium; DecodeError when it is not what was written.

        All of it and only now: a medium of less than it claims overwrites its beginning with what is written last.
        """
        damage = Damage()
        read = sum(map(len, _records(self.path, damage, fresh=True)))
        if not damage.whole or (damage.records, read) != (self.records, self.bytes):
            raise DecodeError(f"{self.path.name}: the medium did not keep what was written; use another one")


def sync_folder(folder: Path) -> None:
    """Make a rename durable where the system can (POSIX); elsewhere the file's own sync must do."""
    if hasattr(os, "O_DIRECTORY"):
        number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def release(file: BinaryIO, upto: int = 0) -> None:
    """Ask the system to forget its copy of the file up to there, 0 for all of it: what is not yet on the medium it begins to
    write, without waiting, and forgets the next time (Linux)."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(file.fileno(), 0, upto, os.POSIX_FADV_DONTNEED)


def read_bundle(path: Path, damage: Damage) -> Iterator[bytes]:
    """Every good record in order; `damage` is filled in as reading goes. DecodeError when it is no bundle at all."""
    return map(bytes, _records(path, damage))


def _records(path: Path, damage: Damage, fresh: bool = False) -> Iterator[memoryview]:
    """As read_bundle; each record only until the next is asked for.

    fresh: ask the system to forget its cached copy first, so that the medium itself answers.
    """
    room = memoryview(bytearray(MOST))
    with BufferedReader(FileIO(path), BUFFER) as file:
        if fresh:
            release(file)
        wake = _Wake(file)
        if file.read(len(MAGIC)) != MAGIC:
            raise DecodeError(f"{path.name} is no bundle")
        while payload := _next(file, room, damage):
            if len(payload) == CLOSING.size and bytes(payload[: len(END)]) == END:
                damage.complete = CLOSING.unpack(payload)[1] == damage.records
            else:
                damage.records += 1
                wake.at(file.tell())
                yield payload


def _next(file: BufferedReader[FileIO], room: memoryview, damage: Damage) -> memoryview | None:
    """The next record whose checksum holds, passing over what does not; None at the end."""
    while True:
        at = file.tell()
        head = file.read(HEAD.size)
        if not head:
            return None
        if len(head) == HEAD.size:
            mark, length, check = HEAD.unpack(head)
            if mark == MARK and 0 < length <= MOST:
                payload = room[:length]
                if file.readinto(payload) == length and zlib.crc32(payload) == check:
                    return payload
        if not _resume(file, at + 1, damage):
            return None


def _resume(file: BufferedReader[FileIO], start: int, damage: Damage) -> bool:
    """Place the file at the next mark at or behind `start`; False when there is none."""
    file.seek(start)
    damage.skipped += 1
    while chunk := file.read(1 << 16):
        found = chunk.find(MARK)
        if found >= 0:
            damage.skipped += found
            file.seek(start + found)
            return True
        keep = 1 if chunk.endswith(MARK[:1]) and len(chunk) > 1 else 0
        damage.skipped += len(chunk) - keep
        start += len(chunk) - keep
        file.seek(start)
    return False

"""Carried media: a file of frames on a stick, or for any courier. docs/wire/bundle.md has the bytes.

Written under a temporary name, synced, renamed, and read again before anyone says "done". Every record stands alone under a
checksum, so of a half-written or damaged file the good part is used; what was altered on purpose fails its frame's MAC.
"""

from __future__ import annotations

import contextlib
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from hardware.errors import DecodeError

MAGIC: Final = b"SDBUNDL1"
MARK: Final = b"\x5d\xb1"  # begins every record, so that reading can go on behind damage
HEAD: Final = struct.Struct(">2sII")  # mark, length, CRC-32 of the payload
MOST: Final = 1 << 20  # bytes of one record
END: Final = b"\x00END"
SUFFIX: Final = ".sdbundle"
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


class BundleWriter:
    """Writes one bundle; use as a context manager: leaving it well publishes the file, leaving by an exception removes it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.records = self.bytes = 0
        self._temporary = path.with_name(f".{path.name}.part")
        self._file: BinaryIO = self._temporary.open("wb", buffering=1 << 16)
        self._file.write(MAGIC)
        self._begun = 0

    def add(self, payload: bytes) -> None:
        """Append one record; ValueError beyond 1 MiB."""
        if not 0 < len(payload) <= MOST:
            raise ValueError(f"a record of {len(payload)} bytes")
        self._file.write(HEAD.pack(MARK, len(payload), zlib.crc32(payload)))
        self._file.write(payload)
        self.records += 1
        self.bytes += len(payload)
        if self.bytes - self._begun >= WINDOW:
            self._begun = self.bytes
            release(self._file)

    def set_first(self, payload: bytes) -> None:
        """Put another payload of the same length in the first record, once what it tells about the rest is known."""
        end = self._file.tell()
        self._file.seek(len(MAGIC))
        self._file.write(HEAD.pack(MARK, len(payload), zlib.crc32(payload)) + payload)
        self._file.seek(end)

    def sync(self) -> None:
        """Wait until the medium has what was added so far."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def publish(self) -> None:
        """Close the bundle and give the file its name, durably."""
        closing = END + struct.pack(">I", self.records)
        self._file.write(HEAD.pack(MARK, len(closing), zlib.crc32(closing)) + closing)
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
        """Read the published file again from the medium; DecodeError when it is not what was written."""
        damage = Damage()
        read = sum(len(payload) for payload in read_bundle(self.path, damage, fresh=True))
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


def release(file: BinaryIO) -> None:
    """Ask the system to forget its copy of the file: what is not yet on the medium it begins to write, without waiting (Linux)."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def read_bundle(path: Path, damage: Damage, fresh: bool = False) -> Iterator[bytes]:
    """Every good record in order; `damage` is filled in as reading goes. DecodeError when it is no bundle at all.

    fresh: ask the system to forget its cached copy first, so that the medium itself answers.
    """
    with path.open("rb", buffering=1 << 16) as file:
        if fresh:
            release(file)
        if file.read(len(MAGIC)) != MAGIC:
            raise DecodeError(f"{path.name} is no bundle")
        while payload := _next(file, damage):
            if payload[: len(END)] == END and len(payload) == len(END) + 4:
                damage.complete = struct.unpack(">I", payload[len(END) :])[0] == damage.records
            else:
                damage.records += 1
                yield payload


def _next(file: BinaryIO, damage: Damage) -> bytes | None:
    """The next record whose checksum holds, passing over what does not; None at the end."""
    while True:
        at = file.tell()
        head = file.read(HEAD.size)
        if not head:
            return None
        if len(head) == HEAD.size:
            mark, length, check = HEAD.unpack(head)
            if mark == MARK and 0 < length <= MOST:
                payload = file.read(length)
                if len(payload) == length and zlib.crc32(payload) == check:
                    return payload
        if not _resume(file, at + 1, damage):
            return None


def _resume(file: BinaryIO, start: int, damage: Damage) -> bool:
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

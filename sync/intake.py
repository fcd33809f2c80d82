"""What comes in by hand: bundles from sticks, and single blocks from paper, voice or a QR code, into the log."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hardware.errors import DecodeError, SealError
from radios.bundle import Damage, read_bundle
from sync.carried import read_frame
from sync.carry import Progress, Told, untold
from sync.freight import Entry, identify, is_list, read_list, split
from sync.ids import BlockId, Header, Level, Source
from sync.log import Incoming, Log, Verdict
from sync.manifest import DIGEST, Manifest, open_manifest
from sync.ranges import Ranges
from sync.seal.contract import MAC, NotForUs
from sync.seal.keyring import Keyring

BATCH: Final = 2 << 20  # bytes of blocks in one commit
BLOCKS: Final = 500  # or so many of them: urgent things wait behind it for a tenth of a second
COUNTED: Final = (Verdict.NEW, Verdict.SEALED, Verdict.UNREADABLE)


@dataclass(slots=True)
class Report:
    """What a bundle brought. verdicts: blocks by what became of them; refused: reasons by count; receipts: of how many blocks
    this node now knows that `manifest.origin` has them and did not before; whole: nothing missing, nothing altered."""

    path: Path
    manifest: Manifest | None = None
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    receipts: int = 0
    skipped: int = 0
    whole: bool = False

    @property
    def added(self) -> int:
        """Blocks that were not here before."""
        return sum(self.verdicts[verdict] for verdict in COUNTED)


def import_(
    log: Log, keyring: Keyring, path: Path, via: str = "carried", now_ms: int | None = None, told: Told = untold
) -> Report:
    """Take in everything good of one bundle; what was there already adds nothing. DecodeError when it is no bundle at all."""
    unloading = Unloading(log, keyring, path, via, now_ms)
    try:
        while record := unloading.next():
            unloading.take(record)
            told(unloading.progress)
    finally:
        unloading.settle()
    return unloading.finish()


class Unloading:
    """A bundle being read. `take` and `settle` belong to the thread of the log; `next` waits for the medium and may run anywhere."""

    def __init__(self, log: Log, keyring: Keyring, path: Path, via: str = "carried", now_ms: int | None = None) -> None:
        self._log, self._keyring, self._via, self._now_ms = log, keyring, via, now_ms
        self._report, self._damage = Report(path), Damage()
        self._records = read_bundle(path, self._damage)
        self._digest = hashlib.sha256()
        self._size = self._count = 0
        self._begun = self._altered = False
        self._waiting: list[Incoming] = []

    @property
    def progress(self) -> Progress:
        """How far it is; the total is 0 where the manifest cannot be read."""
        manifest = self._report.manifest
        total = sum(manifest.blocks.values()) if manifest else 0
        return Progress(sum(self._report.verdicts.values()), total, self._size)

    def next(self) -> bytes:
        """The next good record, b"" at the end; DecodeError when it is no bundle at all, OSError when the medium goes."""
        return next(self._records, b"")

    def take(self, record: bytes) -> None:
        """One record, which goes into the log with those behind it: BATCH bytes or BLOCKS blocks in one commit."""
        first, self._begun = not self._begun, True
        if first and (manifest := _manifest(record, self._keyring)) is not None:
            self._report.manifest = manifest
            return
        self._size, self._count = self._size + len(record), self._count + 1
        try:
            frame, freight = split(record)
            self._digest.update(frame[-MAC:])
            inner = _checked(self._keyring, frame)
        except (DecodeError, SealError) as error:
            self._altered = True
            self.refuse(error)
            return
        if is_list(inner):
            self._waiting += self._unpack(read_list(inner), freight)
        else:
            self._read(inner)
        if len(self._waiting) >= BLOCKS or sum(len(each.block) for each in self._waiting) >= BATCH:
            self.settle()

    def settle(self) -> None:
        """Commit what was taken and not committed yet: at the end, however it came."""
        incoming, self._waiting = self._waiting, []
        if incoming:
            self._report.verdicts.update(self._log.commit(incoming))

    def _unpack(self, entries: list[Entry], freight: memoryview) -> Iterator[Incoming]:
        """The listed blocks that are there as listed."""
        at = 0
        for entry in entries:
            block, at = bytes(freight[at : at + entry.size]), at + entry.size
            try:
                block_id, mark = identify(entry, block)
            except DecodeError as error:
                self._altered = True
                self.refuse(error)
                continue
            yield from self._opened(block, block_id, mark)
        self._altered |= at != len(freight)

    def _read(self, inner: bytes) -> None:
        """A frame as on any other bearer."""
        try:
            found = read_frame(self._keyring, inner)
        except (DecodeError, SealError) as error:
            self.refuse(error)
            return
        if found.ends is not None:
            self._report.receipts += _merge(self._log, found.ends)
        self._waiting += [each for carried in found.blocks for each in self._opened(carried.block, carried.id)]

    def _opened(self, block: bytes, block_id: BlockId, mark: bytes = b"") -> Iterator[Incoming]:
        try:
            yield opened(self._keyring, block, block_id, self._via, self._age_s(), mark)
        except (DecodeError, SealError) as error:
            self.refuse(error)

    def finish(self) -> Report:
        """The report, once `next` has come to the end and all is settled."""
        report, manifest = self._report, self._report.manifest
        report.skipped = self._damage.skipped
        told = (self._count, self._digest.digest()[:DIGEST])
        intact = self._damage.whole and not self._altered
        report.whole = intact and manifest is not None and told == (manifest.frames, manifest.digest)
        return report

    def refuse(self, error: Exception) -> None:
        """Count a reason why something was not taken in."""
        self._report.refused[str(error)] += 1

    def _age_s(self) -> float:
        """How long the bundle was under way, 0 where either clock did not know."""
        manifest = self._report.manifest
        if manifest is None or manifest.made_ms is None or self._now_ms is None:
            return 0.0
        return max(0.0, (self._now_ms - manifest.made_ms) / 1000)


def take_block(log: Log, keyring: Keyring, block: bytes, via: str) -> tuple[BlockId, Verdict]:
    """One block from paper, voice or a QR code into the log; SealError when no key here opens it, DecodeError when it is none."""
    incoming = opened(keyring, block, None, via)
    (verdict,) = log.commit([incoming])
    return incoming.id, verdict


def opened(
    keyring: Keyring, block: bytes, block_id: BlockId | None, via: str, age_s: float = 0.0, mark: bytes = b""
) -> Incoming:
    """A whole block from outside, opened where this node can; SealError or DecodeError when it must not be kept.

    block_id: as its carrier tells it; None on paper, where only a node that can read the block knows whose it is. mark: of
    the block, if known.
    """
    header, _ = Header.decode(block)
    if block_id is not None and header.id(block_id.incarnation) != block_id:
        raise DecodeError("a block under another's name")
    if not keyring.readable(header):
        return _unread(block, block_id, via, age_s, mark)
    try:
        found = keyring.open(block, None if block_id is None else block_id.incarnation)
    except NotForUs:
        return _unread(block, block_id, via, age_s, mark)
    return Incoming(found.id, block, found.body, found.level, age_s, via, mark)


def _unread(block: bytes, block_id: BlockId | None, via: str, age_s: float, mark: bytes) -> Incoming:
    if block_id is None:
        raise SealError("no key here opens this block")
    return Incoming(block_id, block, None, Level.MEMBER, age_s, via, mark)


def _manifest(record: bytes, keyring: Keyring) -> Manifest | None:
    try:
        return open_manifest(record, keyring)
    except (DecodeError, SealError):
        return None


def _checked(keyring: Keyring, record: bytes) -> bytes:
    """The frame without its MAC, of whatever epoch: what it holds proves itself."""
    try:
        return keyring.check(record)
    except SealError:
        return keyring.check_late(record)


def _merge(log: Log, ends: tuple[int, Mapping[Source, Ranges]]) -> int:
    """Learn a node's end list; of how many blocks had here it newly proves that the node has them too."""
    node, told = ends
    if node == log.origin:
        return 0
    known, have = log.end_of(node), log.have()
    news = {source: numbers.minus(known.get(source, Ranges())) for source, numbers in told.items()}
    log.merge_end(node, told, signed=True)
    return sum(len(numbers) - len(numbers.minus(have.get(source, Ranges()))) for source, numbers in news.items())

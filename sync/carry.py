"""Carried media: what some nodes lack goes into a bundle as whole sealed blocks; what a bundle brings goes into the log.

Both are generators that do a frame's worth of work at each step, so that links go on between; docs/wire/bundle.md has the bytes.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, TypeVar

from hardware.errors import DecodeError, SealError
from radios.bundle import SUFFIX, BundleWriter, Damage, read_bundle
from sync.carried import Carried, blocks_frame, ends_frame, read_frame
from sync.ids import BlockId, Header, Lane, Level, Source
from sync.log import Incoming, Log, Verdict
from sync.manifest import DIGEST, Manifest, open_manifest, seal_manifest
from sync.ranges import Ranges
from sync.seal.contract import MAC, NotForUs
from sync.seal.keyring import Keyring

T = TypeVar("T")
FRAME: Final = 256 * 1024  # bytes of blocks in one frame
BLOCK: Final = 32 * 1024  # what waits is cut to blocks of at most this for a stick
COUNTED: Final = (Verdict.NEW, Verdict.SEALED, Verdict.UNREADABLE)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a long work is: blocks done of all, bytes done."""

    done: int
    total: int
    size: int


@dataclass(slots=True)
class Report:
    """What a bundle brought. verdicts: blocks by what became of them; refused: reasons by count; receipts: blocks of which
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


def drive(work: Generator[Progress, None, T], told: Callable[[Progress], None] = lambda progress: None) -> T:
    """Do a long work to its end, telling each step; its result."""
    while True:
        try:
            told(next(work))
        except StopIteration as end:
            result: T = end.value
            return result


def lacking(log: Log, nodes: Iterable[int]) -> Iterator[BlockId]:
    """Blocks held here that at least one of the nodes is not known to have: most urgent lane first, newest first."""
    ends = [log.end_of(node) for node in nodes]
    for source in sorted(log.have(), key=lambda each: each.lane):
        wanted = Ranges()
        held = log.held(source)
        for end in ends:
            wanted.update(held.minus(end.get(source, Ranges())))
        for number in wanted.numbers(newest_first=True):
            yield BlockId(*source, number)


def cut_all(log: Log) -> None:
    """Seal everything that waits, pictures left out."""
    for lane in Lane:
        while lane is not Lane.PICTURE and log.cut(lane, BLOCK, 64):
            pass


def exporting(
    log: Log,
    keyring: Keyring,
    folder: Path,
    nodes: tuple[int, ...],
    carrier: str,
    serial: int,
    made_ms: int | None = None,
) -> Generator[Progress, None, Manifest]:
    """Write, publish and verify one bundle; its manifest. OSError when the medium fails, DecodeError when it forgets.

    serial: a number that this node never gave another bundle; made_ms: wall time UTC, if known.
    """
    cut_all(log)
    ids = list(lacking(log, nodes))
    plan = Manifest(
        log.origin, log.incarnation, serial, nodes, carrier, Counter(each.lane for each in ids), made_ms=made_ms
    )
    digest = hashlib.sha256()
    size = frames = done = 0
    with BundleWriter(folder / (plan.name + SUFFIX)) as bundle:
        bundle.add(seal_manifest(plan, keyring))
        for count, frame in _frames(log, keyring, ids):
            bundle.add(frame)
            digest.update(frame[-MAC:])
            size, frames, done = size + len(frame), frames + 1, done + count
            yield Progress(done, len(ids), size)
        made = replace(plan, size=size, frames=frames, digest=digest.digest()[:DIGEST])
        bundle.set_first(seal_manifest(made, keyring))
    bundle.verify()
    _remove_older(folder, made, keyring)
    return made


def _frames(log: Log, keyring: Keyring, ids: Iterable[BlockId]) -> Iterator[tuple[int, bytes]]:
    """This node's end list, then the blocks, each frame under its hop MAC, with how many blocks it carries."""
    yield 0, _mac(keyring, ends_frame(keyring, log.have()))
    group: list[Carried] = []
    size = 0
    for block_id in ids:
        block = log.read(block_id)
        if block is None:
            continue
        group.append(Carried(block_id, block))
        size += len(block)
        if size >= FRAME:
            yield len(group), _mac(keyring, blocks_frame(group))
            group, size = [], 0
    if group:
        yield len(group), _mac(keyring, blocks_frame(group))


def _mac(keyring: Keyring, frame: bytes) -> bytes:
    return frame + keyring.mac(frame)


def _remove_older(folder: Path, made: Manifest, keyring: Keyring) -> None:
    """Remove this node's earlier bundles for no other nodes than the new one, which holds all that they held unacknowledged."""
    for path in folder.glob(f"{made.origin}-*{SUFFIX}"):
        older = read_manifest(path, keyring)
        if older is not None and older.name != made.name and set(older.nodes) <= set(made.nodes):
            path.unlink(missing_ok=True)


def read_manifest(path: Path, keyring: Keyring) -> Manifest | None:
    """The manifest of a bundle; None when it is damaged, not the incident's, or of an earlier key epoch."""
    try:
        return open_manifest(next(read_bundle(path, Damage()), b""), keyring)
    except (DecodeError, SealError):
        return None


def importing(
    log: Log, keyring: Keyring, path: Path, via: str = "carried", now_ms: int | None = None
) -> Generator[Progress, None, Report]:
    """Take in everything good of one bundle; what was there already adds nothing. DecodeError when it is no bundle at all."""
    report, damage = Report(path), Damage()
    digest = hashlib.sha256()
    size = frames = 0
    for at, record in enumerate(read_bundle(path, damage)):
        if at == 0 and (manifest := _first(record, keyring)) is not None:
            report.manifest = manifest
            continue
        digest.update(record[-MAC:])
        size, frames = size + len(record), frames + 1
        _take(log, keyring, record, via, report, _age_s(report.manifest, now_ms))
        yield Progress(sum(report.verdicts.values()), _total(report.manifest), size)
    report.skipped = damage.skipped
    told = (frames, digest.digest()[:DIGEST])
    report.whole = (
        damage.whole and report.manifest is not None and told == (report.manifest.frames, report.manifest.digest)
    )
    return report


def _first(record: bytes, keyring: Keyring) -> Manifest | None:
    try:
        return open_manifest(record, keyring)
    except (DecodeError, SealError):
        return None


def _total(manifest: Manifest | None) -> int:
    return sum(manifest.blocks.values()) if manifest else 0


def _age_s(manifest: Manifest | None, now_ms: int | None) -> float:
    """How long the bundle was under way, 0 where either clock did not know."""
    if manifest is None or manifest.made_ms is None or now_ms is None:
        return 0.0
    return max(0.0, (now_ms - manifest.made_ms) / 1000)


def _take(log: Log, keyring: Keyring, record: bytes, via: str, report: Report, age_s: float) -> None:
    """One frame into the log, and into the report what became of it."""
    try:
        found = read_frame(keyring, *_checked(keyring, record))
    except (DecodeError, SealError) as error:
        report.refused[str(error)] += 1
        return
    if found.ends is not None:
        report.receipts += _merge(log, keyring, found.ends)
    incoming = []
    for carried in found.blocks:
        try:
            incoming.append(opened(keyring, carried.block, carried.id, via, age_s))
        except (DecodeError, SealError) as error:
            report.refused[str(error)] += 1
    if incoming:
        report.verdicts.update(log.commit(incoming))


def _checked(keyring: Keyring, record: bytes) -> tuple[bytes, bool]:
    """The frame without its MAC, and whether it is from an epoch that is no longer safe."""
    try:
        return keyring.check(record), False
    except SealError:
        return keyring.check_late(record), True


def opened(keyring: Keyring, block: bytes, block_id: BlockId | None, via: str, age_s: float = 0.0) -> Incoming:
    """A whole block from outside, opened where this node can; SealError or DecodeError when it must not be kept.

    block_id: as its carrier tells it; None on paper, where only a node that can read the block knows whose it is.
    """
    header, _ = Header.decode(block)
    if block_id is not None and header.id(block_id.incarnation) != block_id:
        raise DecodeError("a block under another's name")
    if not keyring.readable(header):
        return _unread(block, block_id, via, age_s)
    try:
        found = keyring.open(block, None if block_id is None else block_id.incarnation)
    except NotForUs:
        return _unread(block, block_id, via, age_s)
    return Incoming(found.id, block, found.body, found.level, age_s, via)


def _unread(block: bytes, block_id: BlockId | None, via: str, age_s: float) -> Incoming:
    if block_id is None:
        raise SealError("no key here opens this block")
    return Incoming(block_id, block, None, Level.MEMBER, age_s, via)


def _merge(log: Log, keyring: Keyring, ends: tuple[int, Mapping[Source, Ranges]]) -> int:
    """Learn a node's end list; of how many blocks had here it newly proves that the node has them too."""
    node, told = ends
    if node == log.origin:
        return 0
    known, have = log.end_of(node), log.have()
    news = {source: numbers.minus(known.get(source, Ranges())) for source, numbers in told.items()}
    log.merge_end(node, told)
    return sum(len(numbers) - len(numbers.minus(have.get(source, Ranges()))) for source, numbers in news.items())

"""Carried media, outward: what some nodes lack goes into a bundle as whole sealed blocks. docs/wire/bundle.md has the bytes."""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, NamedTuple

from hardware.errors import DecodeError, SealError
from radios.bundle import SUFFIX, BundleWriter, Damage, read_bundle
from sync.carried import ends_frame
from sync.freight import ENTRY, SHORT, Entry, list_frame
from sync.ids import BlockId, KeyClass, Lane, Source, class_of
from sync.log import Held, Log
from sync.manifest import DIGEST, Manifest, open_manifest, seal_manifest
from sync.ranges import Ranges
from sync.seal.contract import MAC
from sync.seal.keyring import Keyring

FRAME: Final = 256 * 1024  # bytes of blocks behind one list
STRETCH: Final = 16  # blocks read from the store at a time
BLOCK: Final = 32 * 1024  # what waits is cut to blocks of at most this for a stick
# bytes after which the medium must have caught up, so that the progress told is no lie on a slow stick
SYNC: Final = 64 << 20
AHEAD: Final = 16  # loads made before the medium has taken them: some 5 MB, which stay in the processor's cache


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a long work is: blocks done of all, bytes done."""

    done: int
    total: int
    size: int


class Load(NamedTuple):
    """One record in the making: a frame under its hop MAC, and the blocks that follow it."""

    frame: bytes
    blocks: Sequence[bytes] = ()

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.frame) + sum(map(len, self.blocks))


Told = Callable[[Progress], None]


def untold(progress: Progress) -> None:
    """Nobody watches."""


def wanted(log: Log, nodes: Iterable[int]) -> list[tuple[Source, Ranges]]:
    """What is held here that at least one of the nodes is not known to have, most urgent lane first."""
    ends, found = [log.end_of(node) for node in nodes], []
    for source in sorted(log.have(), key=lambda each: each.lane):
        numbers, held = Ranges(), log.held(source)
        for end in ends:
            numbers.update(held.minus(end.get(source, Ranges())))
        if numbers:
            found.append((source, numbers))
    return found


def lacking(log: Log, nodes: Iterable[int]) -> Iterator[BlockId]:
    """The blocks of `wanted` one by one, newest first."""
    for source, numbers in wanted(log, nodes):
        yield from (BlockId(*source, number) for number in numbers.numbers(newest_first=True))


def cut_all(log: Log) -> None:
    """Seal everything that waits, pictures left out."""
    for lane in Lane:
        while lane is not Lane.PICTURE and log.cut(lane, BLOCK, 64):
            pass


def export(
    log: Log,
    keyring: Keyring,
    folder: Path,
    nodes: tuple[int, ...],
    carrier: str,
    serial: int,
    made_ms: int | None = None,
    told: Told = untold,
) -> Manifest:
    """Write, publish and verify one bundle. OSError when the medium fails, DecodeError when it forgets."""
    with Loading(log, keyring, folder, nodes, carrier, serial, made_ms) as loading:
        with ThreadPoolExecutor(1) as medium:  # the store is read while the medium writes
            waiting: deque[Future[None]] = deque()
            while load := loading.next():
                waiting.append(medium.submit(loading.write, load))
                if len(waiting) > AHEAD:
                    waiting.popleft().result()
                told(loading.progress)
            for each in waiting:
                each.result()
        return loading.finish()


class Loading:
    """A bundle in the making; leave it (it is a context manager) without `finish` and nothing is published.

    Making one and `next` belong to the thread of the log; `write` and `finish` wait for the medium and may run anywhere.
    serial: a number that this node never gave another bundle; made_ms: wall time UTC, if known.
    """

    def __init__(
        self,
        log: Log,
        keyring: Keyring,
        folder: Path,
        nodes: tuple[int, ...],
        carrier: str,
        serial: int,
        made_ms: int | None = None,
    ) -> None:
        cut_all(log)
        found, count = wanted(log, nodes), Counter[Lane]()
        for source, numbers in found:
            count[source.lane] += len(numbers)
        self._plan = Manifest(log.origin, log.incarnation, serial, nodes, carrier, count, made_ms=made_ms)
        self._keyring, self._folder = keyring, folder
        self._loads = _loads(log, keyring, found)
        self._digest = hashlib.sha256()
        self._size = self._count = self._done = self._synced = 0
        _remove_torn(folder, log.origin)
        self._bundle = BundleWriter(folder / (self._plan.name + SUFFIX))
        self._bundle.add(seal_manifest(self._plan, keyring))

    def __enter__(self) -> Loading:
        return self

    def __exit__(self, *error: object) -> None:
        self._bundle.drop()

    @property
    def progress(self) -> Progress:
        """How far it is."""
        return Progress(self._done, sum(self._plan.blocks.values()), self._size)

    def next(self) -> Load | None:
        """What is to be written next, None at the end."""
        load = next(self._loads, None)
        if load is not None:
            self._done += len(load.blocks)
        return load

    def write(self, load: Load) -> None:
        """Put it on the medium; OSError when that fails."""
        self._bundle.add(load.frame, *load.blocks)
        self._digest.update(load.frame[-MAC:])
        self._size, self._count = self._size + load.size, self._count + 1
        if self._size - self._synced > SYNC:
            self._bundle.sync()
            self._synced = self._size

    def finish(self) -> Manifest:
        """Publish, read again from the medium, and only then remove what this bundle replaces."""
        digest = self._digest.digest()[:DIGEST]
        made = replace(self._plan, size=self._size, frames=self._count, digest=digest)
        self._bundle.set_first(seal_manifest(made, self._keyring))
        self._bundle.publish()
        self._bundle.verify()
        _remove_older(self._folder, made, self._keyring)
        return made


def _loads(log: Log, keyring: Keyring, found: Iterable[tuple[Source, Ranges]]) -> Iterator[Load]:
    """This node's end list, so that receipts count even when the rest is torn; then the blocks, each source's newest first."""
    ends = ends_frame(keyring, log.have())
    yield Load(ends + keyring.mac(ends))
    group: list[tuple[Entry, bytes]] = []
    size = 0
    for incarnation, held in _held(log, found):
        entry = Entry(incarnation, len(held.block), held.mark[:SHORT])
        if class_of(held.block) is KeyClass.TRUST:  # so that a node that missed a re-keying can read it
            yield _load(keyring, [(entry, held.block)], trust=True)
            continue
        group.append((entry, held.block))
        size += len(held.block) + ENTRY.size
        if size >= FRAME:
            yield _load(keyring, group)
            group, size = [], 0
    if group:
        yield _load(keyring, group)


def _held(log: Log, found: Iterable[tuple[Source, Ranges]]) -> Iterator[tuple[int, Held]]:
    """The blocks, each with its incarnation, a stretch of them in memory at a time."""
    for source, numbers in found:
        for first, last in reversed(numbers.pairs):
            for top in range(last, first - 1, -STRETCH):
                for held in log.stretch(source, max(first, top - STRETCH + 1), top):
                    yield source.incarnation, held


def _load(keyring: Keyring, group: Sequence[tuple[Entry, bytes]], trust: bool = False) -> Load:
    frame = list_frame(entry for entry, _ in group)
    return Load(frame + keyring.mac(frame, trust=trust), [block for _, block in group])


def _remove_torn(folder: Path, origin: int) -> None:
    """Remove what this node left half-written when a stick was pulled: it is published nowhere, and it may fill the stick."""
    for path in folder.glob(f".{origin}-*{SUFFIX}.part"):
        path.unlink(missing_ok=True)


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

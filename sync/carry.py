"""Carried media, outward: what some nodes lack goes into a bundle as whole sealed blocks. docs/wire/bundle.md has the bytes."""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from hardware.errors import DecodeError, SealError
from radios.bundle import SUFFIX, BundleWriter, Damage, read_bundle
from sync.carried import Carried, blocks_frame, ends_frame
from sync.ids import BlockId, KeyClass, Lane, class_of
from sync.log import Log
from sync.manifest import DIGEST, Manifest, open_manifest, seal_manifest
from sync.ranges import Ranges
from sync.seal.contract import MAC
from sync.seal.keyring import Keyring

FRAME: Final = 256 * 1024  # bytes of blocks in one frame
BLOCK: Final = 32 * 1024  # what waits is cut to blocks of at most this for a stick
# bytes after which the medium must have caught up, so that the progress told is no lie on a slow stick
SYNC: Final = 64 << 20
AHEAD: Final = 128  # frames made before the medium has taken them: 32 MiB


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a long work is: blocks done of all, bytes done."""

    done: int
    total: int
    size: int


Told = Callable[[Progress], None]


def untold(progress: Progress) -> None:
    """Nobody watches."""


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
        with ThreadPoolExecutor(1) as medium:  # frames are made while the medium writes
            waiting: deque[Future[None]] = deque()
            while frame := loading.next():
                waiting.append(medium.submit(loading.write, frame))
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
        ids = list(lacking(log, nodes))
        count = Counter(each.lane for each in ids)
        self._plan = Manifest(log.origin, log.incarnation, serial, nodes, carrier, count, made_ms=made_ms)
        self._keyring, self._folder = keyring, folder
        self._frames = _frames(log, keyring, ids)
        self._digest = hashlib.sha256()
        self._size = self._count = self._done = self._synced = 0
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

    def next(self) -> bytes:
        """The next frame under its hop MAC, b"" at the end."""
        count, frame = next(self._frames, (0, b""))
        self._done += count
        return frame

    def write(self, frame: bytes) -> None:
        """Put a frame on the medium; OSError when that fails."""
        self._bundle.add(frame)
        self._digest.update(frame[-MAC:])
        self._size, self._count = self._size + len(frame), self._count + 1
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


def _frames(log: Log, keyring: Keyring, ids: Iterable[BlockId]) -> Iterator[tuple[int, bytes]]:
    """This node's end list, then the blocks, each frame under its hop MAC, with how many blocks it carries."""
    yield 0, _mac(keyring, ends_frame(keyring, log.have()))
    group: list[Carried] = []
    size = 0
    for block_id in ids:
        block = log.read(block_id)
        if block is None:
            continue
        if class_of(block) is KeyClass.TRUST:  # so that a node that missed a re-keying can read it
            trust = blocks_frame([Carried(block_id, block)])
            yield 1, trust + keyring.mac(trust, trust=True)
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
    """Remove this node's earlier bundles for no other nodes than the new one, which holds all that they held unacknowledged,
    and what a stick pulled away left half-written."""
    for path in folder.glob(f".{made.origin}-*{SUFFIX}.part"):
        path.unlink(missing_ok=True)
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

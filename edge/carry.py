"""The courier: when a marked stick appears, take in what it brought and load it for the nodes its mark names.

The log is touched on the node's one thread, the medium on others, a frame at a time; links and screens go on meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from edge.sticks import FOLDER, Mark, insertion, present, read_mark
from edge.supervisor import Reporter
from hardware.clock import Clock, Stamp
from hardware.driver import Health
from hardware.errors import ConfigError, DecodeError
from radios.bundle import SUFFIX
from sync.carry import Load, Loading, Progress
from sync.intake import Report, Unloading
from sync.log import Log
from sync.manifest import Manifest
from sync.seal.keyring import Keyring

log = logging.getLogger(__name__)

POLL_S: Final = 2.0


class Caller(Protocol):
    """Runs a blocking function on the node's one thread and gives its result."""

    async def __call__(self, function: Callable[..., Any], *args: Any) -> Any:
        """Run it."""


@dataclass(frozen=True, slots=True)
class Visit:
    """What became of one stick: bundles taken in, and the one written (None when it names no other node)."""

    root: Path
    reports: tuple[Report, ...]
    written: Manifest | None


def serial_of(stamp: Stamp) -> int:
    """A number for a bundle, never given twice by one store: seconds of the wall clock, or boot and seconds since it."""
    return stamp.wall_ms // 1000 if stamp.wall_ms is not None else stamp.boot << 24 | stamp.mono_ms // 1000


class Courier:
    """Watches folders for marked sticks; `told` hears of every visit, `moved` is called when blocks came in."""

    def __init__(
        self,
        store_log: Log,
        keyring: Keyring,
        clock: Clock,
        call: Caller,
        watch: Sequence[Path] = (),
        told: Callable[[Visit], None] = lambda visit: None,
        moved: Callable[[], None] = lambda: None,
    ) -> None:
        self.progress: Progress | None = None
        self._log, self._keyring, self._clock, self._call = store_log, keyring, clock, call
        self._watch, self._told, self._moved = tuple(watch), told, moved
        self._done: dict[Path, tuple[int, int]] = {}

    async def run(self, reporter: Reporter) -> None:
        """Look for sticks until cancelled; each insertion is served once."""
        reporter.health(Health.UP, "no stick")
        while True:
            for root in await self._new():
                reporter.health(Health.UP, f"{root.name}: reading and writing, do not pull")
                reporter.health(*await self._serve(root))
            await asyncio.sleep(POLL_S)

    async def _new(self) -> list[Path]:
        """Sticks that were not there at the last look."""
        seen: dict[Path, tuple[int, int]] = await asyncio.to_thread(self._look)
        new = [root for root, mark in seen.items() if self._done.get(root) != mark]
        self._done = seen
        return new

    def _look(self) -> dict[Path, tuple[int, int]]:
        seen = {}
        for root in present(self._watch):
            try:
                seen[root] = insertion(root)
            except OSError:
                continue
        return seen

    async def _serve(self, root: Path) -> tuple[Health, str]:
        try:
            visit = await self.visit(root)
        except (OSError, DecodeError, ConfigError) as error:
            log.warning("stick %s: %s", root, error)
            return Health.DEGRADED, f"{root.name}: {error}"
        added = sum(report.added for report in visit.reports)
        return (
            Health.UP,
            f"{root.name}: {added} blocks in, {visit.written.size if visit.written else 0} bytes out, may be pulled",
        )

    async def visit(self, root: Path) -> Visit:
        """Serve one marked stick: everything in, then one bundle out. OSError when it is pulled, ConfigError for a bad mark."""
        mark = await asyncio.to_thread(read_mark, root) or Mark((), "")
        reports = []
        for path in sorted((root / FOLDER).glob(f"*{SUFFIX}")):
            if not path.name.startswith((".", f"{self._log.origin}-")):
                reports.append(await self.take_in(path))
        nodes = tuple(node for node in mark.nodes if node != self._log.origin)
        written = await self.load(root / FOLDER, nodes, mark.carrier) if nodes else None
        visit = Visit(root, tuple(reports), written)
        self._told(visit)
        return visit

    async def take_in(self, path: Path) -> Report:
        """One bundle into the log; what is no bundle is a reason in the report. OSError when the medium goes."""
        unloading = Unloading(self._log, self._keyring, path, "carried", self._clock.stamp().wall_ms)
        try:
            while record := await asyncio.to_thread(unloading.next):
                await self._call(unloading.take, record)
                self.progress = unloading.progress
        except DecodeError as error:
            unloading.refuse(error)
        finally:  # of a stick that is pulled, too, all that was read counts
            self.progress = None
            await self._call(unloading.settle)
        report = unloading.finish()
        if report.added or report.receipts:
            self._moved()
        return report

    async def load(self, folder: Path, nodes: Sequence[int], carrier: str) -> Manifest:
        """One bundle for `nodes`, published and verified."""
        stamp = self._clock.stamp()
        target = (folder, tuple(nodes), carrier, serial_of(stamp), stamp.wall_ms)
        loading: Loading = await self._call(Loading, self._log, self._keyring, *target)
        with loading:
            load: Load | None = await self._call(loading.next)
            while load is not None:  # the next one is made while the medium takes this one
                writing = asyncio.create_task(asyncio.to_thread(loading.write, load))
                try:
                    load = await self._call(loading.next)
                finally:
                    await writing
                self.progress = loading.progress
            self.progress = None
            return await asyncio.to_thread(loading.finish)

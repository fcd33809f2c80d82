"""The demonstration's processes: each role started as a person would start it, and none left behind."""

from __future__ import annotations

import asyncio
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from contextlib import suppress
from pathlib import Path
from typing import Final

from edge.store.status import beside, read_status
from hardware.errors import SanduanError

PATIENCE_S: Final = 60.0  # for a process to be up, on a machine with much else to do
STOP_S: Final = 10.0
LOOK_S: Final = 0.1


class Child:
    """One role in a process of its own, on a configuration file; `store` tells when it is up."""

    def __init__(self, role: str, file: Path, store: Path) -> None:
        self.role, self.file, self.store = role, file, store
        self._process: Process | None = None

    @property
    def pid(self) -> int:
        """The process id; 0 while it does not run."""
        return self._process.pid if self._process is not None and self._process.returncode is None else 0

    async def start(self) -> None:
        """Start, and return once it says of itself that it runs; SanduanError when it ends or waits instead."""
        with self.file.with_suffix(".out").open("ab") as out:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tui.cli", self.role, "-c", str(self.file), stdin=DEVNULL, stdout=out, stderr=out
            )
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._up(self._process)
        except TimeoutError:
            raise SanduanError(f"{self.file.name}: not up after {PATIENCE_S:g} s: {self._last_words()}") from None

    async def _up(self, process: Process) -> None:
        while read_status(beside(self.store)).get("station", {}).get("pid") != process.pid:
            if process.returncode is not None:
                raise SanduanError(f"{self.file.name}: {self._last_words()}")
            await asyncio.sleep(LOOK_S)

    async def stop(self) -> int:
        """Ask it to stop, and see that it does; its exit status."""
        if self._process is None:
            return 0
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_S):
                return await self._process.wait()
        return await self.kill()

    async def kill(self) -> int:
        """End it as a power cut would."""
        if self._process is None:
            return 0
        with suppress(ProcessLookupError):
            self._process.kill()
        return await self._process.wait()

    def _last_words(self) -> str:
        lines = self.file.with_suffix(".out").read_text(encoding="utf-8", errors="replace").splitlines()
        return lines[-1] if lines else "ended without a word"

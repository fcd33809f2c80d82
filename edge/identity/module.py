"""A cryptographic module as a process of its own: its lines travel over the process's standard input and output."""

from __future__ import annotations

import queue
import shlex
import subprocess
import threading
from contextlib import suppress
from typing import Final

from hardware.errors import SealError
from sync.seal.module import LONGEST, ModuleSuite

PATIENCE_S: Final = 10.0  # a token that asks its user for a PIN does so when it is started


class ModuleProcess:
    """Starts a module and asks it, one line at a time, from any thread; a module that ended or is silent is a SealError."""

    def __init__(self, command: str, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self._answers: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._broken = ""
        try:
            self._process = subprocess.Popen(
                shlex.split(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                encoding="ascii",
                bufsize=1,
            )
        except (OSError, ValueError) as error:
            raise SealError(f"the module does not start: {error}") from None
        self._reader = threading.Thread(target=self._read, name="module", daemon=True)
        self._reader.start()

    def __call__(self, line: str) -> str:
        """The answer to one line."""
        with self._lock:
            if self._broken:
                raise SealError(self._broken)
            try:
                assert self._process.stdin is not None
                self._process.stdin.write(line + "\n")
                answer = self._answers.get(timeout=self._patience_s)
            except (OSError, ValueError, queue.Empty):
                answer = ""
            if not answer.endswith("\n"):  # an answer that comes later would be taken for the next one's
                self._broken = "the module is gone or silent; start it again (密码模块无应答)"
                self._process.kill()
                raise SealError(self._broken)
            return answer[:-1]

    def close(self) -> None:
        """End the module."""
        with self._lock:
            self._broken = self._broken or "the module was ended"
            assert self._process.stdin is not None
            with suppress(OSError):
                self._process.stdin.close()
            self._process.kill()
            self._process.wait()
            self._reader.join()

    def _read(self) -> None:
        """Lines from the module until it ends; "" tells that it did."""
        assert self._process.stdout is not None
        with self._process.stdout as lines, suppress(ValueError):  # not ASCII
            while line := lines.readline(LONGEST):
                self._answers.put(line)
        self._answers.put("")


def module_suite(command: str) -> ModuleSuite:
    """The suite of the module that a command line starts."""
    process = ModuleProcess(command)
    try:
        return ModuleSuite(process)
    except SealError:
        process.close()
        raise

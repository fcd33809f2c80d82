"""A recording or simulator played through a pseudo-terminal behind a stable symlink, with unplugging. POSIX only."""

from __future__ import annotations

import contextlib
import os
import select
import threading
import tty
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from hardware.clock import SystemClock
from hardware.gnss.framer import Framer
from hardware.replay import is_epoch

_SETTLE_S: Final = 0.3  # a serial driver throws away what arrived before and while it opened
_LOOK_S: Final = 0.02


class PtyPlayer:
    """Plays a plan of (seconds to wait before, bytes) to whoever opens `link`; waits while nobody listens.

    sentences, epochs: checked sentences and distinct fix instants handed to a listener so far; heard: bytes it wrote.
    start, stop, unplug and replug may be called from any thread; `with` starts and stops.
    """

    def __init__(self, link: Path | str, plan: Iterable[tuple[float, bytes]]) -> None:
        self.link = Path(link)
        self.sentences = self.epochs = 0
        self.heard = bytearray()
        self.finished = threading.Event()
        self._plan = plan
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._master: int | None = None
        self._clock = SystemClock()
        self._framer = Framer()
        self._instant: bytes | None = None
        self._thread = threading.Thread(target=self._run, name=f"pty {self.link.name}", daemon=True)

    def start(self) -> None:
        """Plug the device in and begin to play."""
        self.replug()
        self._thread.start()

    def stop(self) -> None:
        """Unplug and end."""
        self._stop.set()
        self.unplug()
        if self._thread.is_alive():
            self._thread.join()

    def __enter__(self) -> PtyPlayer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def unplug(self) -> None:
        """The device goes away at once, in mid-sentence if it is speaking; the link vanishes."""
        with self._lock:
            if self._master is not None:
                os.close(self._master)
                self._master = None
                self.link.unlink(missing_ok=True)

    def replug(self) -> None:
        """The device comes back under the same link, as another terminal."""
        with self._lock:
            if self._master is not None:
                return
            self._master, slave = os.openpty()
            tty.setraw(slave)
            path = os.ttyname(slave)
            os.close(slave)
            os.set_blocking(self._master, False)
            self.link.unlink(missing_ok=True)
            self.link.symlink_to(path)

    def _listened(self) -> bool:
        """Whether somebody holds the terminal open; takes what was written to it."""
        with self._lock:
            if self._master is None:
                return False
            poll = select.poll()
            poll.register(self._master, select.POLLIN)
            events = dict(poll.poll(0)).get(self._master, 0)
            if events & select.POLLIN:
                with contextlib.suppress(OSError):
                    self.heard += os.read(self._master, 4096)
            return not events & select.POLLHUP

    def _await_listener(self) -> bool:
        """Wait until a listener is there and settled; False when stopped."""
        waited = False
        while not self._stop.is_set():
            if self._listened():
                if waited:
                    self._stop.wait(_SETTLE_S)
                return not self._stop.is_set()
            waited = True
            self._stop.wait(_LOOK_S)
        return False

    def _write(self, data: bytes) -> bool:
        """Hand over everything, as fast as it is taken; False when the device was unplugged or left meanwhile."""
        while data and not self._stop.is_set():
            with self._lock:
                if self._master is None:
                    return False
                try:
                    data = data[os.write(self._master, data) :]
                    continue
                except BlockingIOError:
                    pass
                except OSError:
                    return False
            if not self._listened():
                return False
            self._stop.wait(0.001)
        return not data

    def _count(self, data: bytes) -> None:
        for body in self._framer.feed(data):
            self.sentences += 1
            instant = is_epoch(body)
            if instant is not None and instant != self._instant:
                self.epochs += 1
                self._instant = instant

    def _run(self) -> None:
        due = self._clock.mono()
        for pause, chunk in self._plan:
            due = max(due + pause, self._clock.mono() - 1.0)
            if self._stop.wait(max(0.0, due - self._clock.mono())):
                return
            if not self._await_listener():
                return
            due = max(due, self._clock.mono() - 0.1)
            if self._write(chunk):
                self._count(chunk)
        self.finished.set()

"""A simulated satellite: carries what terminals radiate to the terminals addressed, with loss, duplicates, delay and reordering."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import Protocol

from radios.rdss.payload import Payload


@dataclass(frozen=True, slots=True)
class Sky:
    """Probabilities are 0..1 for each message; every copy takes `delay_s` and up to `reorder_s` more."""

    loss: float = 0.0
    duplicate: float = 0.0
    delay_s: float = 3.8
    reorder_s: float = 0.0


class Listener(Protocol):
    """A terminal as the satellite sees it."""

    @property
    def number(self) -> int:
        """The card's number."""

    def deliver(self, sender: int, payload: Payload) -> None:
        """A message has come down."""


class SatelliteSim:
    """Connects terminals by card number. radiated, lost, copies: counts of messages up, lost, and copies down."""

    def __init__(self, sky: Sky | None = None, seed: int = 0) -> None:
        self.sky = sky or Sky()
        self.radiated = self.lost = self.copies = 0
        self._rng = random.Random(seed)
        self._terminals: dict[int, Listener] = {}

    def connect(self, terminal: Listener) -> None:
        """A terminal with a card comes into view."""
        self._terminals[terminal.number] = terminal

    def disconnect(self, terminal: Listener) -> None:
        """It goes out of view; messages under way to it are lost."""
        self._terminals.pop(terminal.number, None)

    def radiate(self, sender: int, to: int, payload: Payload) -> None:
        """Take a message up."""
        self.radiated += 1
        if self._rng.random() < self.sky.loss:
            self.lost += 1
            return
        for _ in range(2 if self._rng.random() < self.sky.duplicate else 1):
            delay = self.sky.delay_s + self._rng.uniform(0, self.sky.reorder_s)
            asyncio.get_running_loop().call_later(delay, self._down, sender, to, payload)

    def _down(self, sender: int, to: int, payload: Payload) -> None:
        terminal = self._terminals.get(to)
        if terminal is not None:
            self.copies += 1
            terminal.deliver(sender, payload)

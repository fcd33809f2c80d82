"""The contract of every device driver; tests/contract/test_driver.py holds each one to it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol

from hardware.clock import Clock
from hardware.observation import Observation

LONGEST_WORDS: Final = 240  # characters of a stranger's text


class Health(Enum):
    """State of a device, bearer or service, worst last."""

    UP = "up"
    DEGRADED = "degraded"
    DOWN = "down"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Heard:
    """Something a device reports that is not a measurement: a text, a node's name, an alert.

    kind: "text", "name", "alert", "waypoint", "receipt"; sender: the device's own address; body: fields of that kind.
    packet: the radio's packet id, so that copies heard twice stay one; age_s: how old it was when heard.
    """

    source: str
    kind: str
    sender: str
    body: dict[str, str | int | float | None]
    packet: int | None = None
    age_s: float = 0.0


def plain(text: str, longest: int = LONGEST_WORDS) -> str:
    """Text of a stranger made fit for a screen: one line, line ends as semicolons, no control characters, bounded."""
    lines = ("".join(c if c.isprintable() else " " for c in line).strip() for line in text[:longest].splitlines())
    return "; ".join(line for line in lines if line)[:longest]


class DriverContext(Protocol):
    """What the node lends to a running driver."""

    clock: Clock

    def emit(self, observation: Observation) -> None:
        """Queue one observation for the store; never blocks; a full queue counts a loss and turns health DEGRADED."""

    def heard(self, item: Heard) -> None:
        """Queue something heard that is not a measurement."""

    def health(self, state: Health, why: str = "") -> None:
        """Report a change of state; repeating the same state is free."""


class Driver(Protocol):
    """A device. `run` works until cancelled, or raises a SanduanError when the device fails; the supervisor calls it again."""

    name: str

    async def run(self, context: DriverContext) -> None:
        """Open, read and emit until cancelled."""

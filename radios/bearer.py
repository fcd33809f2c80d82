"""The contract of every bearer; tests/contract/test_bearer.py holds each one to it.

A bearer moves whole frames and tells the truth about itself. "Sent" is a hint: delivery is what an end list says.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from hardware.driver import Health

REASONS: Final = 32  # kinds of refusal that are counted apart
EASE: Final = 1 / 16  # weight of one more frame in the measured loss


@dataclass(frozen=True, slots=True)
class Limits:
    """What a bearer can carry. mtu: bytes of one frame; rate: bytes per second it can hope for; gap_s: least time between frames.

    broadcast: one send reaches every listener; names_sender: the network itself names the sender, so no hop MAC is needed;
    cost: 0 free (LAN, stick) .. 9 precious (satellite); lanes: the lanes it may carry at all (0 flash .. 5 bulk).
    """

    mtu: int
    rate: float
    gap_s: float = 0.0
    two_way: bool = True
    broadcast: bool = False
    names_sender: bool = False
    cost: int = 0
    lanes: frozenset[int] = frozenset(range(6))


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be sent now: bytes and messages left in the window, and seconds until more where either is 0 or less than a frame."""

    bytes_left: int
    messages_left: int
    wait_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Arrival:
    """A frame as it came: `peer` is the bearer's own address of the sender, or "" where it has none; `at` is monotonic s."""

    frame: bytes
    peer: str
    at: float


def _nobody() -> None:
    """Nobody is told."""


@dataclass(slots=True)
class LinkHealth:
    """The one health model that screen, doctor and log share; times are monotonic seconds, None for never.

    loss: share of frames lost, 0..1, and latency_s: of the last frame whose end was seen; both None where the link cannot
    tell. refused: what was not taken, by reason. told: called after each change of state or reason; the node sets it.
    """

    state: Health = Health.DOWN
    why: str = "not started"
    since: float = 0.0
    last_in: float | None = None
    last_out: float | None = None
    bytes_in: int = 0
    bytes_out: int = 0
    frames_in: int = 0
    frames_out: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    loss: float | None = None
    latency_s: float | None = None
    told: Callable[[], None] = field(default=_nobody, repr=False, compare=False)

    def turn(self, state: Health, why: str, now: float) -> bool:
        """Change state; True when it was a change."""
        if state is self.state and why == self.why:
            return False
        if state is not self.state:
            self.since = now
        self.state, self.why = state, why
        self.told()
        return True

    def sent(self, size: int, now: float) -> None:
        """A frame went out; `size` in bytes, everything that the link itself adds and can count included."""
        self.frames_out, self.bytes_out, self.last_out = self.frames_out + 1, self.bytes_out + size, now

    def got(self, size: int, now: float) -> None:
        """A frame came in."""
        self.frames_in, self.bytes_in, self.last_in = self.frames_in + 1, self.bytes_in + size, now

    def refuse(self, why: str) -> None:
        """Something was not taken; reasons beyond the first few kinds are counted as one."""
        why = why if why in self.refused or len(self.refused) < REASONS else "other"
        self.refused[why] = self.refused.get(why, 0) + 1

    def proved(self, lost: float) -> None:
        """What is known of one more frame: 1 lost, 0 not lost; between for a measured share."""
        self.loss = lost if self.loss is None else self.loss + EASE * (lost - self.loss)

    def row(self, now: float, budget: Budget) -> dict[str, Any]:
        """Plain values for status file, doctor and log; times as seconds ago."""
        return {
            "state": self.state.value,
            "why": self.why,
            "since_s": _ago(self.since, now),
            "last_in_s": _ago(self.last_in, now),
            "last_out_s": _ago(self.last_out, now),
            "bytes_in": self.bytes_in,
            "bytes_out": self.bytes_out,
            "frames_in": self.frames_in,
            "frames_out": self.frames_out,
            "refused": dict(self.refused),
            "loss": None if self.loss is None else round(self.loss, 3),
            "latency_s": None if self.latency_s is None else round(self.latency_s, 3),
            "budget_bytes": budget.bytes_left,
            "budget_messages": budget.messages_left,
            "budget_wait_s": None if budget.wait_s == math.inf else round(budget.wait_s, 1),
        }

    def said(self, now: float, budget: Budget) -> str:
        """The known facts of `row` on one line, for the log."""
        return " ".join(
            f"{name}={value}" for name, value in self.row(now, budget).items() if value not in (None, "", {})
        )


def _ago(then: float | None, now: float) -> float | None:
    return None if then is None else round(max(now - then, 0.0), 1)


class Inbox(asyncio.Queue[Arrival]):
    """Frames that came and were not received yet, so many at most."""

    def take(self, arrival: Arrival, health: LinkHealth) -> None:
        """Keep and count a frame; one that finds no room is refused."""
        try:
            self.put_nowait(arrival)
        except asyncio.QueueFull:
            health.refuse("inbox full")
        else:
            health.got(len(arrival.frame), arrival.at)


class Bearer(Protocol):
    """One link. `run` keeps it open until cancelled; `send` and `receive` work while it is up."""

    name: str
    limits: Limits
    health: LinkHealth

    async def run(self) -> None:
        """Connect and stay connected until cancelled, reporting through `health`; raises a SanduanError only on defects."""

    async def send(self, frame: bytes, to: str = "") -> None:
        """Hand a frame to the link; raises LinkDown, LinkBusy or FrameTooLong. Returning is no proof of delivery."""

    async def receive(self) -> Arrival:
        """The next frame from the link's bounded queue; waits."""

    def budget(self) -> Budget:
        """What may be sent now."""

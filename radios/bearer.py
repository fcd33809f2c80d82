"""The contract of every bearer; tests/contract/test_bearer.py holds each one to it.

A bearer moves whole frames and tells the truth about itself. "Sent" is a hint: delivery is what an end list says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from hardware.driver import Health


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
    """What may be sent now: bytes and messages left in the window, and seconds until more if either is 0."""

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

    told: called after each change of state or reason; the node sets it.
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

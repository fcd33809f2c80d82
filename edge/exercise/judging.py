"""What every judge of a checkpoint needs: states, verdicts, and looking until something holds.

A judge is a generator that yields the seconds at which it wants to look, and returns its verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from edge.exercise.field import Field, Machine
from edge.exercise.scenario import Checkpoint
from sync.records import Event

LOOK_S: Final = 1.0
GIVE_UP_S: Final = 6 * 3600.0  # a late arrival is still measured this long


class State(Enum):
    """What became of a checkpoint."""

    PASS = "pass"
    FAIL = "fail"
    NOT_YET = "not yet"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A state and the figure behind it, for people."""

    state: State
    figure: str


Looking = Generator[float, None, Verdict]
Judge = Callable[[Field, Checkpoint], Looking]


def verdict(good: bool, figure: str) -> Verdict:
    """Pass or fail."""
    return Verdict(State.PASS if good else State.FAIL, figure)


def until(field: Field, begin: float, true: Callable[[], bool], most_s: float) -> Generator[float, None, float | None]:
    """Look every second from `begin`; how many seconds it took, None when it never came within `most_s`."""
    at = begin
    while at <= begin + most_s:
        yield at
        if true():
            return at - begin
        at += LOOK_S
    return None


def took_text(value: float | None) -> str:
    """How long something took, for people."""
    return "never" if value is None else f"{value:.0f} s"


def named(field: Field, names: Iterable[str]) -> list[Machine]:
    """Machines by name."""
    return [field.machines[name] for name in names]


def written(field: Field, name: str) -> Generator[float, None, tuple[Event, float]]:
    """Wait for an event of the timeline; the event, and the second at which it was written."""
    while name not in field.facts:
        yield field.world.now + LOOK_S
    return field.facts[name], field.written[name]

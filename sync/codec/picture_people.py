"""What a force picture says of people: cells, classes and the records on both ends (docs/wire/picture.md)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

MAX_PEOPLE: Final = 512
HR_LOW: Final = 45
HR_STEP: Final = 8
HR_CELLS: Final = 18  # 0 unknown, 1 below 45, 2 from 45 to 52 … 17 from 165 on
# upper ends of the age classes; the last class is older or never
AGES_S: Final = (12, 35, 55, 80, 120, 240, 600, 3600, 21_600)
NEVER: Final = len(AGES_S)


class Form(IntEnum):
    """What a picture's body is: its first symbol."""

    FORCE = 1
    FORCE_VITAL = 2
    SCENE = 3


FORMS: Final = 4


@dataclass(frozen=True, slots=True)
class Member:
    """What the sender knows of one person: 1e-7 degrees or None, beats per minute or None, alarm, age in seconds or None."""

    lat_e7: int | None
    lon_e7: int | None
    hr: int | None = None
    alarm: bool = False
    age_s: int | None = 0


class Seen(NamedTuple):
    """What a picture shows of one person: the middle of a grid cell of `grid_m` metres (0: no place), heart-rate cell, alarm,
    age class, and the way since the base in 1e-7 degrees (None: the base knew no place)."""

    lat_e7: int = 0
    lon_e7: int = 0
    grid_m: int = 0
    hr: int = 0
    alarm: bool = False
    age: int = NEVER
    moved: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Force:
    """A picture as every reader sees it: people by place in the sender's force list, those of its bases included.

    number: of its block; first, count: the places that this very picture speaks of; None: nobody spoke of that place yet.
    """

    number: int
    vitals: bool
    first: int
    count: int
    people: tuple[Seen | None, ...]

    def fresh(self) -> Sequence[tuple[int, Seen]]:
        """Place and sight of those whom this very picture speaks of."""
        part = enumerate(self.people[self.first : self.first + self.count], self.first)
        return [(place, seen) for place, seen in part if seen]


def hr_cell(hr: int | None) -> int:
    """The cell of a heart rate; 0 when there is none."""
    return 0 if hr is None else min(max((hr - HR_LOW) // HR_STEP + 2, 1), HR_CELLS - 1)


def hr_range(cell: int) -> tuple[int, int] | None:
    """Lowest and highest heart rate of a cell; None for unknown."""
    if cell == 0:
        return None
    low = HR_LOW + (cell - 2) * HR_STEP
    return (20 if cell == 1 else low, 250 if cell == HR_CELLS - 1 else low + HR_STEP - 1)


def age_class(age_s: int | None) -> int:
    """0 for the last seconds .. NEVER for older than all of AGES_S, or never."""
    return NEVER if age_s is None else sum(age_s > limit for limit in AGES_S)

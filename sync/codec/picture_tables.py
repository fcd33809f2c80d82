"""The laws of chance of a force picture that are fixed for all (docs/wire/picture.md)."""

from __future__ import annotations

from typing import Final

from sync.codec.stack import LAPLACE, Table


def mixed(narrow: Table, wide: Table, share: int) -> Table:
    """`share` sixteenths of a narrow law and the rest of a wide one, over the wide one's symbols."""
    most = len(narrow.starts) - 2
    weights = [
        (16 - share) * (wide.starts[at + 1] - wide.starts[at])
        + share * (narrow.starts[at + 1] - narrow.starts[at] if at < most else 0)
        for at in range(len(wide.starts) - 1)
    ]
    return Table.of(weights)


GRIDS_M: Final = (10, 14, 20, 28, 40, 56, 80, 112)
LEADS: Final = (0, 4, 6, 7, 8, 12, 18, 28)  # eighths of the last move that are expected again
SPREADS: Final = 10  # places in WALK that a picture may choose
TYPICAL: Final = 3  # the usual one
# Steps of the first person from the anchor, and of people whom a base does not have from the one before.
FIRST_PLACE: Final = LAPLACE[13]
NEAR_PLACE: Final = LAPLACE[8]
# Steps of people on the move, in half steps of spread; and their mean sizes.
WALK: Final = (
    LAPLACE[2], LAPLACE[3], mixed(LAPLACE[3], LAPLACE[4], 8), LAPLACE[4], mixed(LAPLACE[4], LAPLACE[5], 8), LAPLACE[5],
    LAPLACE[6], LAPLACE[7], LAPLACE[8], LAPLACE[9], LAPLACE[10], LAPLACE[11],
)  # fmt: skip
MEANS: Final = (1, 1, 2, 2, 3, 3, 5, 8, 12, 20, 32, 50)
# Steps of people who did not move (0) or moved by one step (1) before, by the spread of those who did.
REST: Final = tuple(tuple(mixed(LAPLACE[narrow], wide, share) for wide in WALK) for narrow, share in ((0, 13), (1, 12)))
HR_LAWS: Final = (LAPLACE[1], mixed(LAPLACE[1], LAPLACE[3], 8), mixed(LAPLACE[2], LAPLACE[4], 12), LAPLACE[3])
# What a picture chooses: places in LEADS, WALK, GRIDS_M, HR_LAWS.
LEAD: Final = Table.of((2, 2, 4, 8, 4, 3, 2, 2))
SPREAD: Final = Table.of((1, 2, 6, 8, 6, 5, 4, 2, 1, 1))
GRID: Final = Table.of((16, 4, 3, 2, 2, 1, 1, 1))
HR_LAW: Final = Table.of((1, 6, 4, 1))
ALARM: Final = (Table.of((120, 1)), Table.of((1, 8)))  # by the alarm before
PLACED: Final = (Table.of((1, 4)), Table.of((1, 120)))  # by whether there was a place before
PLACES: Final = Table.of([1] * 11)  # bit lengths of a place in the force list
MORE: Final = Table.of((30, 1))  # 1: other places than the base's
# By the age class before, the last row for people whom the base does not have.
AGE: Final = tuple(
    Table.of(weights)
    for weights in (
        (600, 14, 18, 4, 3, 3, 2, 1, 1, 1),
        (60, 60, 30, 12, 8, 5, 2, 1, 1, 1),
        (120, 50, 30, 20, 12, 10, 2, 1, 1, 1),
        (24, 40, 24, 24, 20, 16, 4, 1, 1, 1),
        (20, 30, 20, 20, 24, 24, 8, 1, 1, 1),
        (20, 20, 12, 12, 16, 40, 24, 1, 1, 1),
        (10, 3, 3, 3, 3, 6, 90, 20, 1, 1),
        (6, 1, 1, 1, 1, 1, 2, 120, 4, 1),
        (4, 1, 1, 1, 1, 1, 1, 1, 120, 2),
        (4, 1, 1, 1, 1, 1, 1, 1, 1, 120),
        (100, 14, 10, 8, 7, 6, 5, 4, 4, 10),
    )
)
HR_NEW: Final = Table.of((40, 1, 2, 4, 8, 14, 18, 20, 20, 18, 16, 14, 11, 8, 6, 4, 3, 2))

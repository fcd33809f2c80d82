"""The force picture: place, heart-rate cell, alarm bit and age of everybody in one short message (docs/wire/picture.md).

Newest replaces older. A picture either names an earlier one that its reader must hold (its base) or stands alone; then each
person's place follows from that of the one before in the force list, for people of one unit are near each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

from hardware.errors import DecodeError
from sync.codec.picture_grid import Cell, Grid
from sync.codec.picture_tables import (
    AGE,
    ALARM,
    GRID,
    HR_LAW,
    HR_LAWS,
    HR_NEW,
    LEAD,
    MEANS,
    MORE,
    PLACED,
    REST,
    SPREAD,
    WALK,
)
from sync.codec.stack import LAPLACE, StackReader, StackWriter, Table
from sync.records import Anchor

FORMS: Final = 4
BASES: Final = 32  # a base is named by its block number modulo this, and is at most so many numbers back
MAX_PEOPLE: Final = 512
GRIDS_M: Final = (10, 14, 20, 28, 40, 56, 80, 112)
SPLIT: Final = 2  # the place in GRIDS_M where a force that is too large even for the coarsest grid is divided
HR_LOW: Final = 45
HR_STEP: Final = 8
HR_CELLS: Final = 18  # 0 unknown, 1 below 45, 2 from 45 to 52 … 17 from 165 on
AGES_S: Final = (20, 60, 180, 600, 3600, 21_600)  # upper ends of the age classes; the last class is older or never
STALE: Final = 3  # from this age class on nobody is expected to have moved
LEADS: Final = (0, 4, 6, 7, 8, 12, 18, 28)  # eighths of the last move that are expected again
FIRST_PLACE: Final = LAPLACE[13]
NEAR_PLACE: Final = LAPLACE[8]  # places of people whom the base does not have


class Form(IntEnum):
    """What a picture's body is: its first symbol."""

    FORCE = 1
    FORCE_VITAL = 2
    SCENE = 3


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
    age: int = len(AGES_S)
    moved: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Force:
    """A picture as every reader sees it: people by place in the sender's force list, those of its bases included.

    first, count: the places that this picture itself speaks of; None in `people`: nobody spoke of that place yet.
    """

    number: int
    vitals: bool
    first: int
    count: int
    people: tuple[Seen | None, ...]

    def fresh(self) -> Sequence[tuple[int, Seen]]:
        """Place and sight of those whom this very picture speaks of."""
        return [
            (at, seen) for at, seen in enumerate(self.people) if self.first <= at < self.first + self.count and seen
        ]


class _Law(NamedTuple):
    """What a picture chooses: places in LEADS and WALK, heart-rate law, law of places in a picture that stands alone."""

    lead: int = 0
    spread: int = 0
    hr: int = 0
    near: int = 0


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
    """0 for the last seconds .. len(AGES_S) for older than all of AGES_S, or never."""
    return len(AGES_S) if age_s is None else sum(age_s > limit for limit in AGES_S)


def encode_force(
    number: int,
    people: Sequence[Member],
    base: Force | None,
    anchor: Anchor,
    budget: int,
    first: int = 0,
    vitals: bool = True,
) -> tuple[bytes, Force]:
    """As many people from place `first` on as fit `budget` bytes, and what readers will see; `number`: its block's number.

    Everybody on the finest grid that lets them all in; a force too large for the coarsest is divided on that of GRIDS_M[SPLIT].
    ValueError when not even one fits, or when the base is too far back or of the other kind.
    """
    if base is not None and not (0 < number - base.number <= BASES and base.vitals is vitals):
        raise ValueError("not a base for this picture")
    if first + len(people) > MAX_PEOPLE:
        raise ValueError(f"more than {MAX_PEOPLE} people")
    for at in range(len(GRIDS_M)):
        made = _encode(number, people, base, anchor, at, first, vitals)
        if len(made[0]) <= budget:
            return made
    count = len(people)
    while count > 1:
        count = min(count - 1, count * budget // len(made[0]) + 1)
        made = _encode(number, people[:count], base, anchor, SPLIT, first, vitals)
        if len(made[0]) <= budget:
            return made
    raise ValueError(f"no picture fits {budget} bytes")


def decode_force(data: bytes, number: int, bases: Mapping[int, Force], anchor: Anchor) -> Force:
    """The picture of block `number`; DecodeError when damaged, or when its base is not among `bases` (by block number)."""
    reader = StackReader(data)
    form = reader.uniform(FORMS)
    if form not in (Form.FORCE, Form.FORCE_VITAL):
        raise DecodeError("picture: not of the force")
    vitals = form == Form.FORCE_VITAL
    base = _read_base(reader, number, vitals, bases)
    at = reader.take(GRID)
    first, count = _read_span(reader, base)
    law = _read_law(reader, base, vitals)
    grid = Grid.around(anchor, GRIDS_M[at])
    seen = list(base.people) if base else []
    seen += [None] * (first + count - len(seen))
    near: Cell | None = None
    for place in range(first, first + count):
        person = _read(reader, grid, law, seen[place], near, vitals, GRIDS_M[at], base is None)
        near = grid.cell(person.lat_e7, person.lon_e7) if person.grid_m else near
        seen[place] = person
    reader.end()
    return Force(number, vitals, first, count, tuple(seen))


def _encode(
    number: int, people: Sequence[Member], base: Force | None, anchor: Anchor, at: int, first: int, vitals: bool
) -> tuple[bytes, Force]:
    grid, writer = Grid.around(anchor, GRIDS_M[at]), StackWriter()
    seen = list(base.people) if base else []
    seen += [None] * (first + len(people) - len(seen))
    law = _choose(people, seen[first:], grid, base is None)
    writer.uniform(Form.FORCE_VITAL if vitals else Form.FORCE, FORMS)
    writer.uniform(base.number % BASES + 1 if base else 0, BASES + 1)
    writer.put(GRID, at)
    _write_span(writer, first, len(people), base)
    _write_law(writer, law, base, vitals)
    near: Cell | None = None
    for place, member in enumerate(people, first):
        person = _write(writer, grid, law, seen[place], near, member, vitals, GRIDS_M[at], base is None)
        near = grid.cell(person.lat_e7, person.lon_e7) if person.grid_m else near
        seen[place] = person
    return writer.bytes(), Force(number, vitals, first, len(people), tuple(seen))


def _read_base(reader: StackReader, number: int, vitals: bool, bases: Mapping[int, Force]) -> Force | None:
    named = reader.uniform(BASES + 1)
    if not named:
        return None
    back = (number - named + 1) % BASES or BASES
    base = bases.get(number - back)
    if base is None or base.vitals is not vitals:
        raise DecodeError("picture: its base is not at hand")
    return base


def _write_span(writer: StackWriter, first: int, count: int, base: Force | None) -> None:
    """Places spoken of; as in the base, usually."""
    same = base is not None and (first, count) == (base.first, base.count)
    if base:
        writer.put(MORE, not same)
    if not same:
        for value in (first, count):
            writer.uniform(value.bit_length(), 11)
            if value > 1:
                writer.uniform(value - (1 << value.bit_length() - 1), 1 << value.bit_length() - 1)


def _read_span(reader: StackReader, base: Force | None) -> tuple[int, int]:
    if base and not reader.take(MORE):
        return base.first, base.count
    first, count = (
        bits if bits < 2 else (1 << bits - 1) + reader.uniform(1 << bits - 1)
        for bits in (reader.uniform(11) for _ in range(2))
    )
    if first + count > MAX_PEOPLE:
        raise DecodeError("picture: too many people")
    return first, count


def _write_law(writer: StackWriter, law: _Law, base: Force | None, vitals: bool) -> None:
    if base is None:
        writer.uniform(law.near, len(LAPLACE))
        return
    writer.put(LEAD, law.lead)
    writer.put(SPREAD, law.spread)
    if vitals:
        writer.put(HR_LAW, law.hr)


def _read_law(reader: StackReader, base: Force | None, vitals: bool) -> _Law:
    if base is None:
        return _Law(near=reader.uniform(len(LAPLACE)))
    lead, spread = reader.take(LEAD), reader.take(SPREAD)
    return _Law(lead, spread, reader.take(HR_LAW) if vitals else 0)


def _write(
    writer: StackWriter,
    grid: Grid,
    law: _Law,
    before: Seen | None,
    near: Cell | None,
    member: Member,
    vitals: bool,
    grid_m: int,
    alone: bool,
) -> Seen:
    """Put one person on; what readers will see of them."""
    age, placed = age_class(member.age_s), member.lat_e7 is not None and member.lon_e7 is not None
    writer.put(ALARM[before.alarm if before else False], member.alarm)
    writer.put(AGE[before.age if before else -1], age)
    writer.put(PLACED[bool(before and before.grid_m)], placed)
    lat = lon = 0
    if placed:
        cell = grid.cell(member.lat_e7 or 0, member.lon_e7 or 0)
        _write_cell(writer, cell, *_expected(grid, law, before, near, age, alone))
        lat, lon = grid.middle(cell)
    hr = hr_cell(member.hr) if vitals else 0
    if vitals:
        if before:
            writer.signed(HR_LAWS[law.hr], hr - before.hr)
        else:
            writer.put(HR_NEW, hr)
    return _seen(lat, lon, grid_m if placed else 0, hr, member.alarm, age, before)


def _read(
    reader: StackReader,
    grid: Grid,
    law: _Law,
    before: Seen | None,
    near: Cell | None,
    vitals: bool,
    grid_m: int,
    alone: bool,
) -> Seen:
    """Take one person off."""
    alarm = bool(reader.take(ALARM[before.alarm if before else False]))
    age = reader.take(AGE[before.age if before else -1])
    placed = bool(reader.take(PLACED[bool(before and before.grid_m)]))
    lat = lon = hr = 0
    if placed:
        lat, lon = grid.middle(_read_cell(reader, *_expected(grid, law, before, near, age, alone)))
        if abs(lat) > 900_100_000:
            raise DecodeError("picture: not on this planet")
    if vitals:
        hr = before.hr + reader.signed(HR_LAWS[law.hr]) if before else reader.take(HR_NEW)
        if not 0 <= hr < HR_CELLS:
            raise DecodeError("picture: heart rate out of range")
    return _seen(lat, lon, grid_m if placed else 0, hr, alarm, age, before)


def _seen(lat: int, lon: int, grid_m: int, hr: int, alarm: bool, age: int, before: Seen | None) -> Seen:
    moved = (lat - before.lat_e7, lon - before.lon_e7) if before and before.grid_m and grid_m else None
    return Seen(lat, lon, grid_m, hr, alarm, age, moved)


def _expected(
    grid: Grid, law: _Law, before: Seen | None, near: Cell | None, age: int, alone: bool
) -> tuple[Cell, Table, int | None]:
    """The cell expected, the table of its row, and the place in WALK from which its column's follows (None: the same)."""
    if before is None or not before.grid_m:
        table = FIRST_PLACE if near is None else LAPLACE[law.near] if alone else NEAR_PLACE
        return near or Cell(0, 0), table, None
    cell = grid.cell(before.lat_e7, before.lon_e7)
    moved = grid.steps(*before.moved) if before.moved else Cell(len(REST), 0)
    size = 0 if age >= STALE else abs(moved.row) + abs(moved.column)
    if size < len(REST):
        table = REST[size][law.spread]
        return cell, table, None
    lead = LEADS[law.lead] if before.moved else 0
    ahead = Cell(cell.row + (moved.row * lead + 4) // 8, cell.column + (moved.column * lead + 4) // 8)
    return ahead, WALK[law.spread], law.spread


def _write_cell(writer: StackWriter, cell: Cell, expected: Cell, table: Table, spread: int | None) -> None:
    miss = cell.row - expected.row
    writer.signed(table, miss)
    writer.signed(table if spread is None else _column(miss, spread), cell.column - expected.column)


def _read_cell(reader: StackReader, expected: Cell, table: Table, spread: int | None) -> Cell:
    miss = reader.signed(table)
    column = reader.signed(table if spread is None else _column(miss, spread))
    return Cell(expected.row + miss, expected.column + column)


def _column(miss: int, spread: int) -> Table:
    """Who was missed by much in the row is likely to be missed by much in the column."""
    times = 2 * abs(miss) // MEANS[spread]  # how many half means
    return WALK[max(spread + (-1 if times < 1 else 0 if times < 4 else 1 if times < 7 else 2), 0)]


def _choose(people: Sequence[Member], before: Sequence[Seen | None], grid: Grid, alone: bool) -> _Law:
    """The law under which these people cost least."""
    if alone:
        return _Law(near=min(range(len(LAPLACE)), key=lambda near: _cost(people, before, grid, _Law(near=near), True)))
    lead, spread = min(
        ((lead, spread) for lead in range(len(LEADS)) for spread in range(len(WALK) - 2)),
        key=lambda pair: _cost(people, before, grid, _Law(*pair), False),
    )
    return _Law(lead, spread, min(range(len(HR_LAWS)), key=lambda hr: _hr_cost(people, before, hr)))


def _cost(people: Sequence[Member], before: Sequence[Seen | None], grid: Grid, law: _Law, alone: bool) -> int:
    """What the places cost under a law."""
    writer, near = StackWriter(), None
    for member, seen in zip(people, before):
        if member.lat_e7 is not None and member.lon_e7 is not None:
            cell = grid.cell(member.lat_e7, member.lon_e7)
            _write_cell(writer, cell, *_expected(grid, law, seen, near, age_class(member.age_s), alone))
            near = cell
    return writer.cost


def _hr_cost(people: Sequence[Member], before: Sequence[Seen | None], law: int) -> int:
    writer = StackWriter()
    for member, seen in zip(people, before):
        if seen:
            writer.signed(HR_LAWS[law], hr_cell(member.hr) - seen.hr)
    return writer.cost

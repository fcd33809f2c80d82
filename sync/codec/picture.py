"""The force picture: place, heart-rate cell, alarm bit and age of everybody in one short message (docs/wire/picture.md).

Newest replaces older. A picture either names an earlier one that its reader must hold (its base) or stands alone; then each
person's place follows from that of the one before in the force list, for people of one unit are near each other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from hardware.errors import DecodeError
from sync.codec.ends import Coder, Reading, Writing, number
from sync.codec.picture_grid import Cell, Grid
from sync.codec.picture_people import (
    FORMS,
    HR_CELLS,
    MAX_PEOPLE,
    Force,
    Form,
    Member,
    Seen,
    age_class,
    hr_cell,
)
from sync.codec.picture_tables import (
    AGE,
    ALARM,
    FIRST_PLACE,
    GRID,
    GRIDS_M,
    HR_LAW,
    HR_LAWS,
    HR_NEW,
    LEAD,
    LEADS,
    MEANS,
    MORE,
    NEAR_PLACE,
    PLACED,
    PLACES,
    REST,
    SPREAD,
    SPREADS,
    TYPICAL,
    WALK,
)
from sync.codec.stack import LAPLACE, Table
from sync.records import Anchor

BASES: Final = 32  # a base is named by its block number modulo this, and is at most so many numbers back
SPLIT: Final = 2  # the place in GRIDS_M where a force that is too large even for the coarsest grid is divided


class _Law(NamedTuple):
    """What a picture chooses: places in GRIDS_M, LEADS, WALK and HR_LAWS, the law of places when it stands alone."""

    grid: int = 0
    lead: int = 0
    spread: int = 0
    hr: int = 0
    near: int = 0


@dataclass(frozen=True, slots=True)
class _Frame:
    """What the people of one picture are coded against."""

    law: _Law
    grid: Grid
    alone: bool
    vitals: bool


class _Person(NamedTuple):
    """One person in terms of the grid: cell or None, heart-rate cell."""

    cell: Cell | None = None
    hr: int = 0


def encode_force(
    block: int,
    people: Sequence[Member],
    base: Force | None,
    anchor: Anchor,
    budget: int,
    first: int = 0,
    vitals: bool = True,
) -> tuple[bytes, Force]:
    """As many people from place `first` on as fit `budget` bytes, and what readers will see; `block`: its block's number.

    Everybody on the finest grid that lets them all in; a force too large for the coarsest is divided on that of GRIDS_M[SPLIT].
    ValueError when not even one fits, or when the base is too far back or of the other kind.
    """
    if base is not None and not (0 < block - base.number <= BASES and base.vitals is vitals):
        raise ValueError("not a base for this picture")
    if first + len(people) > MAX_PEOPLE:
        raise ValueError(f"more than {MAX_PEOPLE} people")
    made = _encode(block, people, base, anchor, 0, first, vitals)
    if len(made[0]) <= budget:
        return made
    best, low, high = None, 1, len(GRIDS_M)
    while low < high:
        middle = (low + high) // 2
        made = _encode(block, people, base, anchor, middle, first, vitals)
        if len(made[0]) <= budget:
            best, high = made, middle
        else:
            low = middle + 1
    if best is not None:
        return best
    count = len(people)
    while count > 1:
        count = min(count - 1, count * budget // len(made[0]) + 1)
        made = _encode(block, people[:count], base, anchor, SPLIT, first, vitals)
        if len(made[0]) <= budget:
            return made
    raise ValueError(f"no picture fits {budget} bytes")


def decode_force(data: bytes, block: int, bases: Mapping[int, Force], anchor: Anchor) -> Force:
    """The picture of block `block`; DecodeError when damaged, or when its base is not among `bases` (by block number)."""
    coder = Reading(data)
    form = coder.uniform(FORMS)
    if form not in (Form.FORCE, Form.FORCE_VITAL):
        raise DecodeError("picture: not of the force")
    vitals = form == Form.FORCE_VITAL
    base = _base(coder.uniform(BASES + 1), block, vitals, bases)
    first, count = _span(coder, base, 0, 0)
    if first + count > MAX_PEOPLE:
        raise DecodeError("picture: too many people")
    law = _law(coder, base, vitals, _Law())
    frame = _Frame(law, Grid.around(anchor, GRIDS_M[law.grid]), base is None, vitals)
    seen = _people(coder, frame, _before(base, first, count), [None] * count)
    coder.stack.end()
    return _force(block, base, first, seen, vitals)


def _encode(
    block: int, people: Sequence[Member], base: Force | None, anchor: Anchor, at: int, first: int, vitals: bool
) -> tuple[bytes, Force]:
    coder, before = Writing(), _before(base, first, len(people))
    frame = _choose(people, before, Grid.around(anchor, GRIDS_M[at]), _Law(at), base is None, vitals)
    coder.uniform(FORMS, Form.FORCE_VITAL if vitals else Form.FORCE)
    coder.uniform(BASES + 1, base.number % BASES + 1 if base else 0)
    _span(coder, base, first, len(people))
    _law(coder, base, vitals, frame.law)
    seen = _people(coder, frame, before, people)
    return coder.stack.bytes(), _force(block, base, first, seen, vitals)


def _base(named: int, block: int, vitals: bool, bases: Mapping[int, Force]) -> Force | None:
    """The base that a picture names, None when it stands alone."""
    if not named:
        return None
    base = bases.get(block - ((block - named + 1) % BASES or BASES))
    if base is None or base.vitals is not vitals:
        raise DecodeError("picture: its base is not at hand")
    return base


def _before(base: Force | None, first: int, count: int) -> list[Seen | None]:
    """What the base shows at the places that the picture speaks of."""
    known = list(base.people[first : first + count]) if base else []
    return known + [None] * (count - len(known))


def _force(block: int, base: Force | None, first: int, seen: Sequence[Seen], vitals: bool) -> Force:
    """The picture with what its base shows at other places."""
    people = list(base.people) if base else []
    people += [None] * (first + len(seen) - len(people))
    people[first : first + len(seen)] = seen
    return Force(block, vitals, first, len(seen), tuple(people))


def _span(coder: Coder, base: Force | None, first: int, count: int) -> tuple[int, int]:
    """Places spoken of; as in the base, usually."""
    if base is not None and not coder.symbol(MORE, (first, count) != (base.first, base.count)):
        return base.first, base.count
    return number(coder, PLACES, first), number(coder, PLACES, count)


def _law(coder: Coder, base: Force | None, vitals: bool, law: _Law) -> _Law:
    grid = coder.symbol(GRID, law.grid)
    if base is None:
        return _Law(grid, near=coder.uniform(len(LAPLACE), law.near))
    lead, spread = coder.symbol(LEAD, law.lead), coder.symbol(SPREAD, law.spread)
    return _Law(grid, lead, spread, coder.symbol(HR_LAW, law.hr) if vitals else 0)


def _people(coder: Coder, frame: _Frame, before: Sequence[Seen | None], wanted: Sequence[Member | None]) -> list[Seen]:
    """Everybody's place and heart rate, then everybody's age, then everybody's alarm: what is usually 0 comes last and is free."""
    found, near = [], None
    for base, member in zip(before, wanted, strict=True):
        person = _person(coder, frame, base, near, _member(frame, member))
        near = person.cell or near
        found.append(person)
    given = [member or Member(None, None) for member in wanted]
    ages = [coder.symbol(AGE[base.age if base else -1], age_class(member.age_s)) for base, member in zip(before, given)]
    alarms = [coder.symbol(ALARM[base.alarm if base else False], member.alarm) for base, member in zip(before, given)]
    return [
        _seen(frame, person, base, age, bool(alarm)) for person, base, age, alarm in zip(found, before, ages, alarms)
    ]


def _member(frame: _Frame, member: Member | None) -> _Person:
    if member is None or member.lat_e7 is None or member.lon_e7 is None:
        return _Person(None, hr_cell(member.hr if member else None))
    return _Person(frame.grid.cell(member.lat_e7, member.lon_e7), hr_cell(member.hr))


def _person(coder: Coder, frame: _Frame, before: Seen | None, near: Cell | None, person: _Person) -> _Person:
    placed = coder.symbol(PLACED[bool(before and before.grid_m)], person.cell is not None)
    cell = _place(coder, frame, before, near, person.cell or Cell(0, 0)) if placed else None
    hr = 0
    if frame.vitals and before:
        hr = before.hr + coder.signed(HR_LAWS[frame.law.hr], person.hr - before.hr)
    elif frame.vitals:
        hr = coder.symbol(HR_NEW, person.hr)
    if not 0 <= hr < HR_CELLS:
        raise DecodeError("picture: heart rate out of range")
    return _Person(cell, hr)


def _place(coder: Coder, frame: _Frame, before: Seen | None, near: Cell | None, cell: Cell) -> Cell:
    """A cell by how far it misses the one expected; who is missed by much in the row is likely to be so in the column."""
    expected, table, spread = _expected(frame, before, near)
    miss = coder.signed(table, cell.row - expected.row)
    if spread is not None:
        halves = 2 * abs(miss) // MEANS[spread]
        wider = -1 if halves < 1 else 0 if halves < 4 else 1 if halves < 7 else 2
        table = WALK[max(spread + wider, 0)]
    return Cell(expected.row + miss, expected.column + coder.signed(table, cell.column - expected.column))


def _expected(frame: _Frame, before: Seen | None, near: Cell | None) -> tuple[Cell, Table, int | None]:
    """The cell expected, the table of its row, and the place in WALK from which its column's follows (None: the same)."""
    law = frame.law
    if before is None or not before.grid_m:
        table = FIRST_PLACE if near is None else LAPLACE[law.near] if frame.alone else NEAR_PLACE
        return near or Cell(0, 0), table, None
    cell = frame.grid.cell(before.lat_e7, before.lon_e7)
    if before.moved is None:
        return cell, WALK[law.spread], law.spread
    north, east = frame.grid.steps(*before.moved)
    if abs(north) + abs(east) < len(REST):
        return cell, REST[abs(north) + abs(east)][law.spread], None
    lead = LEADS[law.lead]
    ahead = Cell(cell.row + (north * lead + 4) // 8, cell.column + (east * lead + 4) // 8)
    return ahead, WALK[law.spread], law.spread


def _seen(frame: _Frame, person: _Person, before: Seen | None, age: int, alarm: bool) -> Seen:
    if person.cell is None:
        return Seen(hr=person.hr, alarm=alarm, age=age)
    lat, lon = frame.grid.middle(person.cell)
    if abs(lat) > 900_100_000:
        raise DecodeError("picture: not on this planet")
    moved = (lat - before.lat_e7, lon - before.lon_e7) if before and before.grid_m else None
    return Seen(lat, lon, GRIDS_M[frame.law.grid], person.hr, alarm, age, moved)


def _choose(
    people: Sequence[Member], before: Sequence[Seen | None], grid: Grid, law: _Law, alone: bool, vitals: bool
) -> _Frame:
    """The laws under which these people cost least."""

    def best(laws: Sequence[_Law], vitals: bool) -> _Law:
        return min(laws, key=lambda each: _cost(people, before, _Frame(each, grid, alone, vitals)))

    if alone:
        near = _lowest(len(LAPLACE), lambda at: _cost(people, before, _Frame(law._replace(near=at), grid, True, False)))
        return _Frame(law._replace(near=near), grid, True, vitals)
    law = best([law._replace(spread=TYPICAL, lead=lead) for lead in range(len(LEADS))], False)
    law = best([law._replace(spread=at) for at in range(SPREADS)], False)
    if vitals:
        law = best([law._replace(hr=at) for at in range(len(HR_LAWS))], True)
    return _Frame(law, grid, False, vitals)


def _lowest(count: int, cost: Callable[[int], int]) -> int:
    """Where a valley of costs at 0 .. count - 1 is lowest, found from its middle downhill."""
    known = {at: cost(at) for at in (count // 2 - 1, count // 2)}
    step = 1 if known[count // 2] <= known[count // 2 - 1] else -1
    at = count // 2 if step > 0 else count // 2 - 1
    while 0 <= at + step < count:
        known[at + step] = cost(at + step)
        if known[at + step] >= known[at]:
            break
        at += step
    return at


def _cost(people: Sequence[Member], before: Sequence[Seen | None], frame: _Frame) -> int:
    """What places (and heart rates, with vitals) cost under a law."""
    coder, near = Writing(), None
    for base, member in zip(before, people):
        near = _person(coder, frame, base, near, _member(frame, member)).cell or near
    return coder.stack.cost

"""Pictures: everybody in one message, the same on both ends, on the page's vectors; damage is one exception."""

from __future__ import annotations

import math
import random
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware.errors import DecodeError
from sync.codec.picture import BASES, decode_force, encode_force
from sync.codec.picture_chain import KEY, Album, Chain
from sync.codec.picture_grid import Grid, cosine
from sync.codec.picture_people import (
    AGES_S,
    HR_CELLS,
    MAX_PEOPLE,
    NEVER,
    Force,
    Form,
    Member,
    age_class,
    hr_cell,
    hr_range,
)
from sync.codec.picture_tables import GRIDS_M
from sync.codec.scene import FIELDS, HEARD, MAX_HEARD, Scene, decode_scene, encode_scene, form_of
from sync.ids import BlockId, Lane
from sync.records import Anchor
from tests.sync.damage import refused

ANCHOR = Anchor(335_200_000, 1_079_800_000, 1_784_290_200_000)
ROOM = 63
MEMBERS = st.builds(
    Member,
    st.none() | st.integers(-900_000_000, 900_000_000) | st.integers(335_000_000, 335_400_000),
    st.none() | st.integers(-1_800_000_000, 1_800_000_000) | st.integers(1_079_600_000, 1_080_000_000),
    st.none() | st.integers(0, 300),
    st.booleans(),
    st.none() | st.integers(0, 100_000),
)


def walk(minutes: int, people: int = 46, seed: int = 1) -> list[list[Member]]:
    """A force of walkers, one list for each minute."""
    rng = random.Random(seed)
    state = [
        [rng.uniform(-15_000, 15_000), rng.uniform(-15_000, 15_000), rng.uniform(0, 6.28), rng.gauss(110, 15)]
        for _ in range(people)
    ]
    out = []
    for _ in range(minutes):
        for person in state:
            pace = 600 if rng.random() < 0.8 else 0
            person[2] += rng.gauss(0, 0.3)
            person[0] += pace * math.cos(person[2]) + rng.gauss(0, 30)
            person[1] += pace * math.sin(person[2]) + rng.gauss(0, 30)
            person[3] += rng.gauss(0, 5)
        out.append(
            [
                Member(ANCHOR.lat_e7 + int(p[0]), ANCHOR.lon_e7 + int(p[1]), int(p[3]), rng.random() < 0.01, 5)
                for p in state
            ]
        )
    return out


def metres(lat: int, lon: int, member: Member) -> float:
    assert member.lat_e7 is not None and member.lon_e7 is not None
    east = (lon - member.lon_e7) * math.cos(math.radians(ANCHOR.lat_e7 / 1e7))
    return math.hypot(lat - member.lat_e7, east) * 0.0111319


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(MEMBERS, min_size=1, max_size=9), min_size=1, max_size=3), st.booleans(), st.integers(0, 9))
def test_both_ends_see_the_same(pictures: list[list[Member]], vitals: bool, first: int) -> None:
    seen: dict[int, Force] = {}
    for number, people in enumerate(pictures):
        body, force = encode_force(number, people, seen.get(number - 1), ANCHOR, 4096, first, vitals)
        assert decode_force(body, number, seen, ANCHOR) == force
        seen[number] = force
        assert len(force.fresh()) == len(people)
        for (_, shown), member in zip(force.fresh(), people):
            placed = member.lat_e7 is not None and member.lon_e7 is not None
            assert (shown.grid_m == 10) is placed and shown.alarm is member.alarm
            assert shown.hr == (hr_cell(member.hr) if vitals else 0)
            assert shown.age == age_class(member.age_s)


def test_places_are_true_to_half_a_cell_and_heart_rates_to_a_cell() -> None:
    before: Force | None = None
    for number, people in enumerate(walk(3)):
        body, force = encode_force(number, people, before, ANCHOR, 400)
        assert len(body) <= 400
        for (_, shown), member in zip(force.fresh(), people):
            assert metres(shown.lat_e7, shown.lon_e7, member) <= shown.grid_m * math.sqrt(0.5) * 1.01
            low, high = hr_range(shown.hr) or (0, 0)
            assert low <= (member.hr or 0) <= high
        before = force


@pytest.mark.parametrize("seed", range(2))
def test_46_people_in_one_message_each_minute(seed: int) -> None:
    chain, album = Chain(ANCHOR, True, {9}), Album(ANCHOR)
    for number, people in enumerate(walk(8, seed=seed)):
        base = chain.base(number, len(people))
        body, force = chain.next(number, people, ROOM)
        chain.keep(force, base)
        assert len(body) <= ROOM
        assert album.take(BlockId(7, 1, Lane.PICTURE, number), body) == force
        chain.told(9, album.heard()[7, True])
        if number >= 3:
            assert force.count == 46 and max(seen.grid_m for seen in force.people if seen) <= 20


def test_a_force_too_large_for_one_message_goes_on_in_the_next() -> None:
    chain, album = Chain(ANCHOR, False), Album(ANCHOR)
    people = walk(1, 120)[0]
    spans, known = [], 0
    while known < 120:
        number = len(spans)
        base = chain.base(number, 120)
        body, made = chain.next(number, people, ROOM)
        chain.keep(made, base)
        force = album.take(BlockId(7, 1, Lane.PICTURE, number), body)
        assert isinstance(force, Force) and all(force.people)
        spans.append((made.first, made.count))
        known = len(force.people)
    assert spans[0][0] == 0 and len(spans) <= 4
    assert all(after[0] == sum(before) for before, after in pairwise(spans)) and sum(spans[-1]) == 120


def test_without_a_listener_one_loss_costs_one_picture_and_every_fifth_stands_alone() -> None:
    chain = Chain(ANCHOR, True)
    bases = []
    for number, people in enumerate(walk(11, 20)):
        base = chain.base(number, 20)
        bases.append(base.number if base else None)
        chain.keep(chain.next(number, people, ROOM)[1], base)
    assert KEY == 5 and bases == [None, 0, 0, 0, 0, None, 5, 5, 5, 5, None]


def test_a_few_people_stand_alone_unless_all_listeners_follow() -> None:
    chain, album = Chain(ANCHOR, True, {9}), Album(ANCHOR)
    for number, people in enumerate(walk(4, 7)):
        base = chain.base(number, 7)
        body, made = chain.next(number, people, ROOM)
        chain.keep(made, base)
        assert base is None and Album(ANCHOR).take(BlockId(7, 1, Lane.PICTURE, number), body) == made, (
            "whatever was lost"
        )
        album.take(BlockId(7, 1, Lane.PICTURE, number), body)
    chain.told(9, album.heard()[7, True])
    followed = chain.base(4, 7)
    assert followed is not None and followed.number == 3


def test_listeners_decide_what_is_built_upon() -> None:
    chain = Chain(ANCHOR, True, {1, 2})
    pictures = walk(6, 20)
    for number in range(4):
        base = chain.base(number, 20)
        chain.keep(chain.next(number, pictures[number], ROOM)[1], base)
    chain.told(1, 3 % HEARD)
    chain.told(2, 2 % HEARD)
    base = chain.base(4, 20)
    assert base is not None and base.number == 0, "the newest that both hold: picture 0, on which 2 and 3 build"
    chain.told(2, 3 % HEARD)
    base = chain.base(4, 20)
    assert base is not None and base.number == 3
    chain.told(2, None)
    base = chain.base(4, 20)
    assert base is None, "who came back empty-handed has nothing to build upon"


def test_a_force_that_goes_on_builds_on_its_first_part_which_is_said_again_if_it_did_not_leave() -> None:
    chain = Chain(ANCHOR, True, {1})
    people = walk(1, 60)[0]
    chain.told(1, None)
    parts = []
    for number in range(4):
        base = chain.base(number, 60)
        parts.append((base, chain.next(number, people, ROOM)[1]))
        chain.keep(parts[-1][1], base)
        if number == 1:
            chain.undo()
    (_, first), (_, rest), (base, again), _ = parts
    assert first.first == 0 and rest.first == again.first == first.count > 0
    assert base is first and all(again.people[: first.count + again.count])


def test_a_picture_whose_base_is_missing_is_refused() -> None:
    first, second = walk(2, 5)
    _, base = encode_force(3, first, None, ANCHOR, 400)
    body, force = encode_force(5, second, base, ANCHOR, 400)
    assert decode_force(body, 5, {3: base}, ANCHOR) == force
    plain = Force(3, False, base.first, base.count, base.people)
    for known in ({}, {4: base}, {3: plain}):
        with pytest.raises(DecodeError, match="base"):
            decode_force(body, 5, known, ANCHOR)
    for number in (3, 2, 3 + BASES + 1):
        with pytest.raises(ValueError, match="not a base"):
            encode_force(number, second, base, ANCHOR, 400)
    with pytest.raises(ValueError, match="more than"):
        encode_force(1, first, None, ANCHOR, 400, first=MAX_PEOPLE - 2)
    with pytest.raises(ValueError, match="no picture fits"):
        encode_force(1, first, None, ANCHOR, 2)


def test_cells_and_classes() -> None:
    assert [hr_cell(hr) for hr in (None, 0, 44, 45, 52, 53, 164, 165, 300)] == [0, 1, 1, 2, 2, 3, 16, 17, 17]
    assert [hr_range(cell) for cell in (0, 1, 2, 16, HR_CELLS - 1)] == [
        None,
        (20, 44),
        (45, 52),
        (157, 164),
        (165, 250),
    ]
    assert [age_class(age) for age in (0, 12, 13, 21_600, 21_601, None)] == [0, 0, 1, len(AGES_S) - 1, NEVER, NEVER]


@pytest.mark.parametrize("lat", [0, 335_200_000, -335_200_000, 899_000_000, 900_000_000])
@pytest.mark.parametrize("lon", [0, 1_799_999_000, -1_799_999_000])
def test_the_grid_is_square_everywhere_and_knows_the_date_line(lat: int, lon: int) -> None:
    for step in GRIDS_M:
        grid = Grid.around(Anchor(lat, lon, 0), step)
        assert abs(grid.high - step / 0.0111319) <= 1
        ratio = max(math.cos(math.radians(lat / 1e7)), 1 / 64)
        assert abs(grid.wide - grid.high / ratio) <= 2 + grid.wide / 1000
        for east in (-50_000, 0, 50_000):
            place = (lon + east + 1_800_000_000) % 3_600_000_000 - 1_800_000_000
            cell = grid.cell(lat, place)
            back_lat, back_lon = grid.middle(cell)
            assert (
                abs(back_lat - lat) <= grid.high
                and abs((back_lon - place + 1_800_000_000) % 3_600_000_000 - 1_800_000_000) <= grid.wide
            )
            assert abs(cell.column) <= 50_000 // grid.wide + 1


def test_cosines_by_integers() -> None:
    for degrees in range(91):
        assert abs(cosine(degrees * 10_000_000) / 2**30 - math.cos(math.radians(degrees))) < 1e-6
        assert cosine(-degrees * 10_000_000) == cosine(degrees * 10_000_000)


SCENES = st.builds(
    Scene,
    st.dictionaries(st.sampled_from([row.name for row in FIELDS]), st.integers(-(2**30), 2**30 - 1)),
    st.dictionaries(st.integers(len(FIELDS), 63), st.integers(-(2**30), 2**30 - 1), max_size=3),
    st.dictionaries(st.tuples(st.integers(0, 16_383), st.booleans()), st.integers(0, HEARD - 1), max_size=MAX_HEARD),
)


@settings(max_examples=50, deadline=None)
@given(SCENES)
def test_scenes_come_back_rows_that_nobody_knows_included(scene: Scene) -> None:
    body = encode_scene(scene)
    assert decode_scene(body) == scene and form_of(body) is Form.SCENE


def test_a_scene_with_everything_fits_one_message_and_a_report_of_what_was_heard_takes_few_bytes() -> None:
    figures = (9, 46, 45, 3, 5, 9, 14, 3, 1, 17, 6, 1240, 18, 223, 2, 312_450, 2100, 820, 11, 480)
    full = Scene(dict(zip([row.name for row in FIELDS], figures, strict=True)), heard={(2, True): 17, (3, False): 60})
    assert len(encode_scene(full)) <= ROOM
    assert len(encode_scene(Scene(heard={(2, True): 45}))) <= 4
    with pytest.raises(ValueError, match="no colour"):
        encode_scene(Scene({"colour": 1}))
    with pytest.raises(ValueError, match="symbols"):
        encode_scene(Scene({"red": 2**40}))


def vectors() -> dict[str, bytes]:
    """What docs/wire/picture.md shows."""
    one = [
        Member(335_212_345, 1_079_812_345, 118, False, 4),
        Member(335_213_000, 1_079_815_000, None, False, 45),
        Member(None, None, None, True, None),
    ]
    two = [
        Member(335_215_400, 1_079_818_800, 131, False, 4),
        Member(335_213_010, 1_079_815_020, None, False, 4),
        Member(335_200_000, 1_079_800_000, 90, True, 4),
    ]
    alone, base = encode_force(6, one, None, ANCHOR, ROOM)
    linked, _ = encode_force(7, two, base, ANCHOR, ROOM)
    field, _ = encode_force(8, one, None, ANCHOR, ROOM, first=2, vitals=False)
    scene = encode_scene(
        Scene({"units": 3, "people": 21, "red": 2, "water_mm": 312_450, "water_mm_h": -40}, heard={(2, True): 7})
    )
    return {"alone": alone, "linked": linked, "field": field, "scene": scene}


def test_the_pages_vectors() -> None:
    page = (Path(__file__).parents[2] / "docs/wire/picture.md").read_text(encoding="utf-8")
    for name, body in vectors().items():
        assert f"`{body.hex()}`" in page, f"{name}: {body.hex()}"
    for form in (Form.FORCE, Form.FORCE_VITAL, Form.SCENE):
        assert f"| {int(form)} |" in page
    for row in FIELDS:
        assert f"| {row.number} | `{row.name}` |" in page, row


def broken(count: int, seed: int) -> None:
    pictures = walk(3, 7)
    bodies, seen = [], {}
    for number, people in enumerate(pictures):
        body, seen[number] = encode_force(number, people, seen.get(number - 1), ANCHOR, 400)
        bodies.append(body)
    bodies += vectors().values()

    def decode(body: bytes) -> None:
        if form_of(body) is Form.SCENE:
            decode_scene(body)
        else:
            force = decode_force(body, 2, seen, ANCHOR)
            assert force.first + force.count <= MAX_PEOPLE

    assert refused(decode, bodies, count, seed) > count // 4


def test_damage_is_one_exception() -> None:
    broken(10_000, 1)


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_damage_is_one_exception_a_million_times() -> None:
    broken(1_000_000, 2)

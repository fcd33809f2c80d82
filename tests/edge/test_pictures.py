"""Pictures end to end: wearables at one node, a picture of everybody, live values at the other; exact history replaces them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from edge.pictures import ROOM, Painter, Plan
from edge.store.reader import Latest, Reader, Snapshot
from hardware.kinds import BY_NAME as KIND
from hardware.observation import PROFILE_NAMED, Observation
from sync.codec.picture_people import AGES_S, Form
from sync.codec.scene import form_of
from sync.events import BY_NAME, key
from sync.ids import BlockId, Lane, Level
from sync.log import Incoming, Verdict
from sync.records import Anchor, Truth
from sync.seal.contract import Sealer
from tests.edge.store_nodes import CENTRAL, OTHER, VEHICLE, Node, cut_all

ANCHOR = Anchor(335_200_000, 1_079_800_000, 1_790_000_000_000)
HR, LAT, LON, ALARM = (KIND[name].number for name in ("vital.hr", "pos.lat", "pos.lon", "vital.alarm"))
WEARABLE = PROFILE_NAMED["wearable"]


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[dict[int, Node]]:
    made = {origin: Node(tmp_path, origin, anchor=ANCHOR) for origin in (CENTRAL, VEHICLE, OTHER)}
    yield made
    for node in made.values():
        node.close()


def place(who: int, at: int) -> tuple[int, int]:
    """Where somebody of a force spread over a square kilometre stands, 1e-6 degrees."""
    return 33_521_000 + 7919 * who % 9000 + 9 * at, 107_982_000 + 6427 * who % 11_000 + 7 * at


def wear(node: Node, count: int, at: int = 0) -> None:
    """One reading of each of `count` people."""
    rows = [
        Observation(
            f"P{who:02}", f"ble/P{who:02}", WEARABLE, node.clock.stamp(),
            (*place(who, at), 8120, 11, 96 + who, 97, 366, 80),
        )
        for who in range(count)
    ]  # fmt: skip
    node.store.write(rows).result()


def carry(block_id: BlockId, start: Node, end: Node, age_s: float = 2.0) -> tuple[int, Verdict]:
    """A block over a link: its size, and what became of it."""
    arrival = start.incoming(block_id, end, age_s)
    return len(arrival.block), end.log.commit([arrival])[0]


def look(node: Node) -> Snapshot:
    with closing(Reader(node.path, node.store.origin, clock=lambda _: node.clock)) as reader:
        return reader.snapshot()


def live(node: Node, subject: str) -> dict[int, Latest]:
    return dict(look(node).latest.get(subject, {}))


def test_central_sees_46_people_live_from_one_message_long_before_their_history(nodes: dict[int, Node]) -> None:
    vehicle, central = nodes[VEHICLE], nodes[CENTRAL]
    painter = Painter(vehicle.store, vehicle.log, ANCHOR, Plan(False, (Form.FORCE_VITAL,), frozenset({CENTRAL})))
    back = Painter(central.store, central.log, ANCHOR, Plan(True, (Form.SCENE,)))
    seen = []
    for minute in range(4):
        wear(vehicle, 46, 80 * minute)
        made = painter.paint(ROOM)
        assert made is not None
        for order in cut_all(vehicle, Lane.COMMAND):
            vehicle.give([order], central)
        size, verdict = carry(made, vehicle, central, age_s=30.0)
        painter.pause_s(False, vehicle.clock.mono())  # it has left
        assert size <= 78 and verdict is Verdict.NEW
        scene = back.paint(ROOM)
        assert scene is not None and carry(scene, central, vehicle)[1] is Verdict.NEW
        seen.append(sum(LAT in values for values in look(central).latest.values()))
        for node in nodes.values():
            node.clock.advance(60.0)
    picture = look(central).latest
    assert len(picture) == 46 and central.rows("SELECT count(*) FROM observation") == [(0,)]
    assert 20 < seen[0] < 46 and seen[1:] == [46, 46, 46], (
        "the first stands alone, the next build on what central tells"
    )
    for who in range(46):
        values = picture[f"P{who:02}"]
        lat, lon, hr = values[LAT], values[LON], values[HR]
        assert lat.truth is Truth.LIVE and lat.bound_m == 10
        assert abs((lat.value or 0) - 10 * place(who, 240)[0]) <= 500
        assert abs((lon.value or 0) - 10 * place(who, 240)[1]) <= 600
        assert abs((hr.value or 0) - 96 - who) <= 4 and values[ALARM].value == 0
        assert lat.age_s == 90.0 + AGES_S[0], "the link's 30 s, the minute since, and the age class's upper end"
    vehicle.flush()
    for block in cut_all(vehicle, Lane.HISTORY):
        vehicle.give([block], central)
    while central.log.unpack():
        pass
    exact = live(central, "P07")[LAT]
    assert exact.truth is Truth.EXACT and exact.bound_m == 0 and exact.value == place(7, 240)[0]


def test_who_may_not_see_vital_signs_sees_place_and_alarm(nodes: dict[int, Node]) -> None:
    vehicle, other = nodes[VEHICLE], nodes[OTHER]
    wear(vehicle, 5)
    alarm = BY_NAME["alarm"].number
    vehicle.store.write_event(alarm, "", {key("alarm", "subject"): "P03", key("alarm", "rule"): "hr"}).result()
    painter = Painter(vehicle.store, vehicle.log, ANCHOR, Plan(False, (Form.FORCE_VITAL, Form.FORCE)))
    vital = painter.paint()
    assert painter.pause_s(False, vehicle.clock.mono()) == 58.0, (
        "it has left, and the next is due when a card can send again"
    )
    plain = painter.paint()
    assert vital is not None and plain is not None
    for order in cut_all(vehicle, Lane.COMMAND):
        vehicle.give([order], other)
    assert carry(plain, vehicle, other)[1] is Verdict.NEW
    people = look(other).latest
    assert {subject: values[ALARM].value for subject, values in people.items()} == {
        "P00": 0, "P01": 0, "P02": 0, "P03": 1, "P04": 0,
    }  # fmt: skip
    assert all(HR not in values and LAT in values for values in people.values())


def test_the_next_picture_is_made_when_the_last_has_left_and_keeps_its_turn_until_then(nodes: dict[int, Node]) -> None:
    """A card that an alarm was sent by shows what is true a minute later, and no form is skipped."""
    vehicle = nodes[VEHICLE]
    wear(vehicle, 2)
    painter, clock = (
        Painter(vehicle.store, vehicle.log, ANCHOR, Plan(False, (Form.FORCE, Form.SCENE), every_s=60.0)),
        vehicle.clock,
    )

    def form() -> int:
        made = painter.paint()
        block = None if made is None else vehicle.log.read(made)
        assert made is not None and block is not None
        return form_of(vehicle.ring.open(block, made.incarnation).body[1:])

    assert painter.pause_s(False, clock.mono()) == 0.0 and form() == Form.FORCE
    clock.advance(59.5)
    assert painter.pause_s(True, clock.mono()) == 0.5
    clock.advance(0.5)
    assert painter.pause_s(True, clock.mono()) == 0.0 and form() == Form.FORCE, "anew, because it still waits"
    clock.advance(20.0)
    assert painter.pause_s(True, clock.mono()) == 1.0, "it is looked again whether it left"
    clock.advance(10.0)
    assert painter.pause_s(False, clock.mono()) == 60.0
    clock.advance(60.0)
    assert painter.pause_s(False, clock.mono()) == 0.0 and form() == Form.SCENE


def test_a_vital_picture_stays_shut_for_a_member(nodes: dict[int, Node]) -> None:
    vehicle, other = nodes[VEHICLE], nodes[OTHER]
    wear(vehicle, 5)
    made = Painter(vehicle.store, vehicle.log, ANCHOR, Plan(False, (Form.FORCE_VITAL,))).paint()
    assert made is not None
    sealer: Sealer = other.ring
    block = vehicle.log.read(made)
    assert block is not None
    from hardware.errors import SealError

    with pytest.raises(SealError):
        sealer.open(block, made.incarnation)
    assert other.log.commit(
        [Incoming(made, block, None, vehicle.incoming(made, nodes[CENTRAL]).level, 1.0, "lora")]
    ) == [Verdict.SEALED]


def test_own_people_only_or_the_whole_force(nodes: dict[int, Node]) -> None:
    """A unit tells of its own; the vehicle that heard it tells of all."""
    unit, vehicle, central = nodes[OTHER], nodes[VEHICLE], nodes[CENTRAL]
    wear(unit, 3)
    fix = Observation(
        "V1", "gnss0", PROFILE_NAMED["fix"], vehicle.clock.stamp(), (33_520_000, 107_980_000, *[None] * 7)
    )
    vehicle.store.write([fix]).result()
    name = {key("person", "person"): "P90", key("person", "name"): "李", key("person", "unit"): "R1"}
    vehicle.store.write_event(BY_NAME["person"].number, "", dict(name)).result()
    small = Painter(unit.store, unit.log, ANCHOR, Plan(False, (Form.FORCE,)))
    made = small.paint()
    assert made is not None
    unit.give(cut_all(unit, Lane.COMMAND), vehicle)
    size, _ = carry(made, unit, vehicle)
    assert size <= 40
    whole = Painter(vehicle.store, vehicle.log, ANCHOR, Plan(True, (Form.FORCE,))).paint()
    assert whole is not None
    vehicle.give(cut_all(vehicle, Lane.COMMAND), central)
    carry(whole, vehicle, central)
    people = look(central).latest
    assert set(people) == {"P00", "P01", "P02"}, "of P90 nothing was ever measured"
    assert (people["P00"][LAT].age_s or 0) >= AGES_S[1], "age is carried over both hops"


def test_a_scene_counts_what_the_store_knows(nodes: dict[int, Node]) -> None:
    vehicle, central = nodes[VEHICLE], nodes[CENTRAL]
    wear(vehicle, 2)
    for who in range(2):
        body = {key("person", "person"): f"P{who:02}", key("person", "unit"): "R1"}
        vehicle.store.write_event(BY_NAME["person"].number, "", dict(body)).result()
    for card, colour in (("M1", "red"), ("M2", "yellow"), ("M2", "red"), ("M3", "green")):
        body = {key("casualty", "card"): card, key("casualty", "colour"): colour}
        vehicle.store.write_event(BY_NAME["casualty"].number, "P01", dict(body)).result()
    call = {key("rollcall", "due_s"): 2400}
    vehicle.store.write_event(BY_NAME["rollcall"].number, "P01", dict(call), level=Level.COMMAND).result()
    report = {key("report", "form"): 1, key("report", "indicators"): [420, 3, 6, 31, 260, 17]}
    vehicle.store.write_event(BY_NAME["report"].number, "P01", dict(report)).result()
    for minute in range(31):
        now = vehicle.clock.stamp()
        gauge = Observation("gauge2", "rtu0", PROFILE_NAMED["gauge"], now, (311_000 + 35 * minute, 900, 386, 1260))
        gas = Observation("P01", "gas0", PROFILE_NAMED["gas4"], now, (208, 12, 150, 30))
        vehicle.store.write([gauge, gas]).result()
        vehicle.clock.advance(60.0)
    made = Painter(vehicle.store, vehicle.log, ANCHOR, Plan(True, (Form.SCENE,)), up=lambda: {"rdss", "lan"}).paint()
    assert made is not None
    size, verdict = carry(made, vehicle, central)
    assert size <= 78 and verdict is Verdict.NEW
    with closing(Reader(central.path, CENTRAL, clock=lambda _: central.clock)) as reader:
        values, age = reader.scenes()[VEHICLE]
    assert age == 2.0
    assert values == {
        "people": 2, "units": 1, "accounted": 0, "red": 2, "yellow": 0, "green": 1, "black": 0, "grey": 0,
        "missing": 6, "evacuated": 260, "trapped": 17, "gas_kind": KIND["gas.h2s"].number, "gas_value": 150, "gas_grade": 2,
        "water_mm": 312_050, "water_mm_h": 2100, "rain_dmm": 386, "rollcall": 540, "alarms": 0, "links": 0b1010,
    }  # fmt: skip


def test_places_outlive_a_restart_and_newcomers_stand_behind(nodes: dict[int, Node]) -> None:
    vehicle, central = nodes[VEHICLE], nodes[CENTRAL]
    wear(vehicle, 2)
    plan = Plan(False, (Form.FORCE_VITAL,))
    Painter(vehicle.store, vehicle.log, ANCHOR, plan).paint()
    late = Observation(
        "A00", "ble/A00", WEARABLE, vehicle.clock.stamp(), (33_521_000, 107_982_000, *[None] * 2, 70, *[None] * 3)
    )
    vehicle.store.write([late]).result()
    made = Painter(vehicle.store, vehicle.log, ANCHOR, plan).paint()
    assert made is not None
    vehicle.give(cut_all(vehicle, Lane.COMMAND), central)
    carry(made, vehicle, central)
    lists = [line.event.body for line in look(central).events if line.event.kind == BY_NAME["force"].number]
    assert {str(body[1]) for body in lists} == {"['P00', 'P01']", "['A00']"}
    assert set(look(central).latest) == {"P00", "P01", "A00"}


def test_nothing_to_show_makes_no_picture(nodes: dict[int, Node]) -> None:
    assert Painter(nodes[OTHER].store, nodes[OTHER].log, ANCHOR, Plan(False, (Form.FORCE,))).paint() is None

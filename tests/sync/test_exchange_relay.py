"""Relays, receipts over several hops, no central at all, several centrals, restored and cloned stores."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

from exchange_field import CENTRAL, LAN, LORA, PLENTY, SLOW, Field, Links, Pair, id_of, parts_of, ring

from edge.sim.memory import MemoryDisk
from radios.bearer import Arrival
from sync.carried import ENDS
from sync.exchange import Policy, State, frame
from sync.exchange.core import LOOK_S
from sync.exchange.ends import EVERY_S
from sync.exchange.frame import Whole
from sync.exchange.peers import STALE_S
from sync.exchange.policy import KEPT_S, VALID_S
from sync.exchange.relay import SWEEP_S
from sync.exchange.sending import MOST_REPEAT_S, REPEAT_S
from sync.ids import BlockId, KeyClass, Lane, Source
from sync.ranges import Ranges

ALONE = Policy()


def test_a_relay_passes_on_what_it_cannot_read_and_lets_go_in_time_what_arrived() -> None:
    """Vehicle 2, relay 4, central 1, vehicle 3: the relay meets each of them in turn and never two at once."""
    field = Field(1, {
        "valley": ((2, 4), LORA, {"hours": [(0.0, 1800.0), (15_000.0, 24_000.0)]}),
        "ridge": ((4, 1), SLOW, {"hours": [(3600.0, 7200.0)]}),
        "gorge": ((4, 3), LORA, {"hours": [(9000.0, 12_000.0)]}),
    })  # fmt: skip
    vehicle, relay, central, other = (field.nodes[origin] for origin in (2, 4, 1, 3))
    vehicle.write(Lane.FLASH, b"gas")
    vehicle.write(Lane.COMMAND, b"report")
    flash, command = id_of(vehicle.disk, Lane.FLASH, 0), id_of(vehicle.disk, Lane.COMMAND, 0)
    field.world.run(1800)
    assert relay.log.read(flash) and relay.log.read(command) and not central.have()
    assert vehicle.exchange.states(flash, [1]) == {1: State.RELAYED}
    assert not vehicle.log.end_of(4), "a relay's list is no end list"
    field.world.run(7200)
    assert central.log.read(flash) == vehicle.log.read(flash)
    field.world.run(12_000)
    assert other.log.read(flash) and other.log.read(command), "a central's receipt is not everybody's"
    field.world.run(18_000)
    assert vehicle.exchange.states(flash, [1]) == vehicle.exchange.states(command, [1]) == {1: State.STORED}
    field.world.run(KEPT_S[Lane.FLASH] + SWEEP_S + LOOK_S)
    assert relay.log.read(flash) is None is relay.log.read(command), "a central has them"
    assert relay.log.have()[flash.source]


def test_orders_go_the_other_way() -> None:
    field = Field(2, {"valley": ((2, 4), LORA, {"loss": 0.3}), "ridge": ((4, 1), SLOW, {"loss": 0.3})})
    field.nodes[1].write(Lane.COMMAND, b"order")
    order = id_of(field.nodes[1].disk, Lane.COMMAND, 0)
    field.world.run(1800)
    assert field.nodes[2].log.read(order)


def test_orders_wait_at_a_relay_though_the_central_that_gave_them_has_them() -> None:
    """The relay meets central 1 and vehicle 2 in turn."""
    hours = {"ridge": [(0.0, 3600.0)], "valley": [(7200.0, 10_800.0)]}
    field = Field(2, {"valley": ((2, 4), LORA, {"hours": hours["valley"]}), "ridge": ((4, 1), SLOW, {"hours": hours["ridge"]})})  # fmt: skip
    for at in (0.0, 900.0):
        field.world.run(at)
        field.nodes[1].write(Lane.COMMAND, b"order")
        field.nodes[1].write(Lane.FLASH, b"get out")
    field.world.run(10_000)
    for lane in (Lane.COMMAND, Lane.FLASH):
        assert all(field.nodes[2].log.read(id_of(field.nodes[1].disk, lane, number)) for number in (0, 1))


ONE_WAY = replace(LORA, two_way=False)
APART = dict.fromkeys((("N2", "N1"), ("N3", "N1"), ("N2", "N3"), ("N3", "N2")), 1.0)
FROM_ONE = {("N1", "N2"): 0.5, ("N1", "N3"): 0.5, **APART}


def orders_sent(field: Field) -> list[float]:
    """When central 1 sends its order on the line that only it speaks on."""
    times: list[float] = []

    def heard(sender: str, data: bytes) -> None:
        if sender == "N1":
            times.extend(
                field.world.now for part in parts_of(data) if isinstance(part, Whole) and part.id.lane is Lane.COMMAND
            )

    field.media["air"].taps.append(heard)
    return times


def test_a_central_s_order_goes_out_where_nobody_can_answer_until_its_validity_ends() -> None:
    field = Field(3, {"air": ((1, 2, 3), ONE_WAY, {"pair_loss": FROM_ONE, "hours": [(60.0, 100_000.0)]})})
    times = orders_sent(field)
    for lane in (Lane.COMMAND, Lane.FLASH):
        field.nodes[1].write(lane, b"get out")
    field.world.run(VALID_S[Lane.FLASH] + 8000)
    for origin in (2, 3):
        assert len(field.nodes[origin].have(Lane.COMMAND, Lane.FLASH)) == 2
    pauses = [later - at for at, later in pairwise(times)]
    assert all(pause >= REPEAT_S for pause in pauses) and len(times) < 30, "doubling"
    assert VALID_S[Lane.COMMAND] - MOST_REPEAT_S - 60 < times[-1] < VALID_S[Lane.COMMAND] + 60


def test_a_central_s_order_goes_out_where_nobody_can_answer_until_every_member_is_known_to_have_it() -> None:
    policy = Policy(central=CENTRAL, members=frozenset((1, 2, 3, 4)))
    links: Links = {"air": ((1, 2, 3), ONE_WAY, {"pair_loss": FROM_ONE, "hours": [(60.0, 40_000.0)]}), "two": ((1, 2), SLOW, {"hours": [(4000.0, 5000.0)]}), "three": ((1, 3), SLOW, {"hours": [(9000.0, 10_000.0)]})}  # fmt: skip
    field = Field(3, links, dict.fromkeys((1, 2, 3), policy))
    times = orders_sent(field)
    field.nodes[1].write(Lane.COMMAND, b"get out")
    field.world.run(40_000)
    assert 5000 < times[-1] < 10_000


def test_quotas_of_a_relay_hold_and_the_least_urgent_goes_first() -> None:
    policy = Policy(central=CENTRAL, relay=True, quota_disk=16_000, quota_origin=12_000)
    pair = Pair(LAN, (4, 2), policy)
    relay, disk = pair.ends[0], pair.disks[0]
    weights = []
    for number in range(40):
        for origin, lane in ((2, Lane.HISTORY), (3, Lane.BULK), (5, Lane.COMMAND)):
            sealer = ring(origin, 17 * origin)
            block_id = BlockId(origin, 17 * origin, lane, number)
            inner = frame.write_whole(block_id, 100 - number, sealer.seal(block_id, KeyClass.FIELD, bytes(200)))
            relay.received("x", Arrival(inner + sealer.mac(inner), str(origin), float(number)))
        weights.append(sum(disk.weight(source) for source in disk.have()))
    assert max(weights) <= 16_000
    held = {source.lane: len(disk.held(source)) for source in disk.have()}
    assert held[Lane.COMMAND] == 40 and held[Lane.BULK] <= 8 < held[Lane.HISTORY] < 40
    newest = disk.held(Source(2, 34, Lane.HISTORY))
    assert newest.top == 39 and newest.first > 0, "the oldest went"


def test_what_a_central_has_goes_first_where_a_relay_has_no_room() -> None:
    pair = Pair(LAN, (4, 2), Policy(central=CENTRAL, relay=True, quota_disk=8_000))
    relay, disk, sealer = pair.ends[0], pair.disks[0], ring(2, 34)

    def take(lane: Lane, number: int) -> int:
        block_id = BlockId(2, 34, lane, number)
        inner = frame.write_whole(block_id, 0, sealer.seal(block_id, KeyClass.FIELD, bytes(200)))
        taken = relay.received("x", Arrival(inner + sealer.mac(inner), "2", 0.0))
        assert sum(disk.weight(source) for source in disk.have()) <= 8_000
        return taken

    flash, history = Source(2, 34, Lane.FLASH), Source(2, 34, Lane.HISTORY)
    for number in range(12):
        take(Lane.FLASH, number)
        take(Lane.HISTORY, number)
    disk.merge_end(1, {flash: Ranges([(0, 7)])})
    assert all(take(Lane.COMMAND, number) for number in range(12))
    assert list(disk.held(flash)) == [(8, 11)] and list(disk.held(history)) == [(0, 11)]
    assert all(take(Lane.COMMAND, number) for number in range(12, 24))
    assert not any(take(Lane.COMMAND, number) for number in range(24, 36)), "of what no central has none goes"
    assert list(disk.held(flash)) == [(8, 11)] and not disk.held(history)


def test_one_neighbour_cannot_fill_a_disk_in_an_hour() -> None:
    pair = Pair(LAN, (4, 2), Policy(central=CENTRAL, relay=True, quota_neighbour=2000))
    sealer = ring(2, 34)
    took = []
    for number in range(20):
        block_id = BlockId(2, 34, Lane.HISTORY, number)
        inner = frame.write_whole(block_id, 0, sealer.seal(block_id, KeyClass.FIELD, bytes(300)))
        took.append(
            pair.ends[0].received("x", Arrival(inner + sealer.mac(inner), "2", 3599.0 if number < 15 else 3601.0))
        )
    assert sum(took[:15]) == 6 and sum(took[15:]) == 5
    assert pair.ends[0].status(0.0)["refused"] == {"quota of one neighbour": 9}


def test_what_ended_before_the_start_is_swept() -> None:
    pair = Pair(LAN, (4, 2), Policy(central=CENTRAL, relay=True))
    sealer, disk = ring(2, 34), pair.disks[0]
    for number in range(5):
        block_id = BlockId(2, 34, Lane.HISTORY, number)
        disk._keep(block_id, sealer.seal(block_id, KeyClass.FIELD, b"x"))
    disk.merge_end(1, {Source(2, 34, Lane.HISTORY): Ranges([(0, 2)])})
    again = type(pair.ends[0])(disk, disk.ring, Policy(central=CENTRAL, relay=True), random.Random(1))
    again.outgoing("x", PLENTY, 0.0)
    assert list(disk.held(Source(2, 34, Lane.HISTORY)).numbers()) == [3, 4]


def test_a_relay_between_two_who_do_not_hear_each_other_hands_on_at_once_what_either_says() -> None:
    """On one channel what others sent is left to others for a while, but not where somebody had it from us alone before; that it
    says something itself is no sign that it hears others."""
    deaf = {("N2", "N3"): 1.0, ("N3", "N2"): 1.0}
    for lane, loss in ((Lane.FLASH, 0.1), (Lane.COMMAND, 0.0)):
        field = Field(4, {"x": ((2, 3, 4), LORA, {"shared": True, "loss": loss, "pair_loss": deaf})})
        field.world.run(600)
        took = []
        for number in range(16):
            field.nodes[2 + number % 2].write(lane, b"message %d" % number)
            begun = field.world.now
            took.append(field.till_equal(600, lane, among=(2, 3)) - begun)
            field.world.run(field.world.now + 120)
        assert max(took[6:]) <= 3.0, took


def test_who_comes_to_hear_the_others_is_left_to_them_again() -> None:
    deaf = {("N2", "N3"): 1.0, ("N3", "N2"): 1.0}
    field = Field(4, {"x": ((2, 3, 4), LORA, {"shared": True, "pair_loss": deaf})})
    sent: list[str] = []
    field.media["x"].taps.append(lambda sender, data: sent.extend(sender for part in parts_of(data) if isinstance(part, Whole)))  # fmt: skip

    def copies(count: int) -> list[int]:
        out = []
        for _ in range(count):
            sent.clear()
            field.nodes[2].write(Lane.COMMAND, b"come back")
            field.world.run(field.world.now + 120)
            out.append(len(sent))
        return out

    field.world.run(600)
    assert copies(6) == [2] * 6
    deaf.clear()
    assert copies(20)[-4:] == [1] * 4


def test_nothing_is_sent_back_to_who_said_it() -> None:
    """Its author stays silent where another says the same list; that is no sign that it lacks what it said."""
    deaf = {("N2", "N5"): 1.0, ("N5", "N2"): 1.0}
    for lane in (Lane.FLASH, Lane.COMMAND):
        field = Field(1, {"x": ((2, 3, 5), LORA, {"shared": True, "pair_loss": deaf})})
        field.world.run(1000)
        sent: list[str] = []
        field.media["x"].taps.append(lambda sender, data, sent=sent: sent.extend(sender for part in parts_of(data) if isinstance(part, Whole)))  # type: ignore[misc]  # fmt: skip
        for _ in range(3):
            field.nodes[3].write(lane, b"to both")
            field.world.run(field.world.now + 400)
        assert sent and set(sent) == {"N3"}


def test_two_vehicles_need_no_central() -> None:
    field = Field(3, {"x": ((2, 3), LAN, {"loss": 0.2})}, {2: ALONE, 3: ALONE})
    for origin in (2, 3):
        for lane in (Lane.FLASH, Lane.COMMAND, Lane.TRACK, Lane.HISTORY, Lane.BULK):
            field.nodes[origin].write(lane, *(bytes([at]) * 50 for at in range(20)))
    field.till_equal(600)


def test_several_centrals_agree_and_each_one_s_word_counts() -> None:
    two = Policy(central=frozenset((1, 6)))
    field = Field(
        4,
        {"west": ((2, 6), SLOW, {}), "east": ((6, 1), LAN, {"hours": [(3000.0, 9000.0)]})},
        dict.fromkeys((1, 2, 6), two),
    )
    node = field.nodes[2]
    node.write(Lane.HISTORY, *(bytes(50) for _ in range(20)))
    node.write(Lane.FLASH, b"gas")
    field.world.run(600)
    assert node.exchange.states(id_of(node.disk, Lane.FLASH, 0), [1, 6]) == {1: State.RELAYED, 6: State.STORED}
    field.till_equal(6000)
    field.world.run(9000)
    assert node.exchange.states(id_of(node.disk, Lane.FLASH, 0), [1, 6]) == {1: State.STORED, 6: State.STORED}


def test_a_signed_end_list_reaches_each_node_of_an_addressed_line_once() -> None:
    field = Field(1, {"x": ((1, 2, 3, 4, 5), LAN, {})})
    heard: dict[int, Counter[bytes]] = {}

    def ear(origin: int) -> Callable[[bytes, str], None]:
        counts = heard[origin] = Counter()

        def hear(data: bytes, peer: str) -> None:
            counts.update([data] if data[0] == ENDS else [])
            field.nodes[origin].sim._heard("x", data, peer)

        return hear

    for origin in (2, 3, 4, 5):
        field.media["x"].join(f"N{origin}", ear(origin))
    field.world.run(300)
    for at in range(4):
        field.nodes[2].write(Lane.COMMAND, b"report %d" % at)
        field.world.run(field.world.now + EVERY_S + 30)
    every = set().union(*heard.values())
    assert len(every) >= 4
    assert all(counts == dict.fromkeys(every, 1) for counts in heard.values())


def test_receipts_that_a_wide_line_brings_are_passed_on_to_a_narrow_one() -> None:
    field = Field(1, {"hub": ((1, 2, 3, 5), LAN, {}), "valley": ((2, 4), LORA, {})})
    for origin in (2, 3, 5):
        for lane in (Lane.FLASH, Lane.COMMAND, Lane.TRACK, Lane.HISTORY, Lane.BULK):
            field.nodes[origin].write(lane, bytes(40))
    field.world.run(1200)
    central = field.nodes[1].have(Lane.FLASH, Lane.COMMAND)
    assert len(central) == 6 and field.nodes[4].log.end_of(1).keys() == central.keys()


def test_history_of_others_is_not_pressed_on_a_vehicle() -> None:
    field = Field(5, {"a": ((2, 1), LAN, {}), "b": ((3, 1), LAN, {})})
    field.nodes[2].write(Lane.HISTORY, bytes(50))
    field.nodes[2].write(Lane.COMMAND, b"for all")
    field.world.run(300)
    assert field.nodes[1].have(Lane.HISTORY) and not field.nodes[3].have(Lane.HISTORY)
    assert field.nodes[3].have(Lane.COMMAND)


def test_a_restored_store_gets_back_what_it_lost_and_never_reuses_a_number() -> None:
    field = Field(6, {"x": ((1, 2), LAN, {})})
    one, two = field.nodes[1], field.nodes[2]
    two.write(Lane.COMMAND, b"before")
    field.world.run(60)
    backup = two.disk.copied(two.disk.incarnation)
    for at in range(5):
        one.write(Lane.COMMAND, b"order %d" % at)
        two.write(Lane.COMMAND, b"report %d" % at)
        field.world.run(60 + 30 * (at + 1))
    old = set(_ids(one.disk))
    restored = backup.copied(0x7007)
    two.restore(restored)
    two.write(Lane.COMMAND, b"afterwards")
    field.till_equal(1200, Lane.COMMAND)
    assert set(_ids(two.disk)) >= old and one.disk.conflicts == two.disk.conflicts == 0
    fresh = set(_ids(two.disk)) - old
    assert fresh == {BlockId(2, 0x7007, Lane.COMMAND, 0)}


def _ids(disk: MemoryDisk) -> list[BlockId]:
    return [BlockId(*source, number) for source, numbers in disk.have().items() for number in numbers.numbers()]


def test_a_number_known_elsewhere_reaches_the_store_that_never_gave_it_out() -> None:
    """The other's word goes to the log, which then knows that a copy of this store lives (StoreLog seals nothing more)."""
    pair = Pair(LAN)
    copy = MemoryDisk(lambda incarnation: ring(2, incarnation), pair.disks[1].incarnation, lambda: 0.0)
    for text in (b"a", b"b", b"c"):
        copy.add(Lane.COMMAND, text)
        (block_id,) = copy.cut(Lane.COMMAND, 160)
        pair.disks[0]._keep(block_id, copy.read(block_id) or b"")
    pair.ends[0].changed()
    for _ in range(int(STALE_S)):
        pair.step()
    own = Source(2, pair.disks[1].incarnation, Lane.COMMAND)
    assert pair.disks[1].end_of(1)[own].top == 2 > pair.disks[1].have().get(own, Ranges()).top


def test_age_adds_up_over_hops_without_any_clock() -> None:
    field = Field(7, {
        "valley": ((2, 4), LORA, {"hours": [(0.0, 600.0)]}),
        "ridge": ((4, 1), SLOW, {"hours": [(5000.0, 7200.0)]}),
    })  # fmt: skip
    ages: list[tuple[float, int]] = []

    def heard(sender: str, data: bytes) -> None:
        ages.extend((field.world.now, part.age_s) for part in parts_of(data) if isinstance(part, Whole))

    field.media["ridge"].taps.append(heard)
    field.world.run(10)
    field.nodes[2].write(Lane.COMMAND, b"x")
    field.world.run(600)
    field.nodes[4].sim.crash(5.0)
    field.world.run(7200)
    assert ages and all(abs(now - 10 - age) < 3 for now, age in ages)
    assert abs(field.nodes[1].log.age_s(id_of(field.nodes[2].disk, Lane.COMMAND, 0)) - (7200 - 10)) < 5

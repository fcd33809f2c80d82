"""The exchange: whatever happens to the links, sets become equal; urgent things go first; nothing goes twice without need."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from functools import partial

import pytest
from exchange_field import CENTRAL, LAN, LORA, PLENTY, SLOW, Field, Links, Pair, id_of, parts_of
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.sim.disk import PowerCut
from hardware.errors import DecodeError
from radios.bearer import Arrival, Budget, Limits
from sync.carried import ENDS
from sync.exchange import Exchange, Policy, State
from sync.exchange.ends import EVERY_S
from sync.exchange.forecast import HOUR
from sync.exchange.frame import MOST_AGE, MOST_BLOCK, Piece, Whole, piece_head, write_whole
from sync.exchange.packing import LEAST_MTU, LEAST_PIECE
from sync.ids import BlockId, KeyClass, Lane
from sync.seal.contract import MAC

BOTH: Links = {"x": ((1, 2), SLOW, {})}


def history(node: object, count: int, size: int = 60) -> None:
    node.write(Lane.HISTORY, *(bytes([at % 251]) * size for at in range(count)))  # type: ignore[attr-defined]


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 1 << 30),
    loss=st.sampled_from((0.0, 0.2, 0.5)),
    outages=st.lists(st.tuples(st.integers(0, 900), st.integers(1, 600)), max_size=4),
    crashes=st.lists(st.tuples(st.sampled_from((1, 2, 3)), st.integers(0, 900)), max_size=3),
)
def test_sets_become_equal_after_any_finite_outage(
    seed: int, loss: float, outages: list[tuple[int, int]], crashes: list[tuple[int, int]]
) -> None:
    alone = dict.fromkeys((1, 2, 3), Policy())  # no central at all
    hostile = {"loss": loss, "duplicate": 0.1, "reorder_s": 3.0, "shared": True}
    field = Field(seed, {"x": ((1, 2, 3), SLOW, hostile)}, alone)
    medium = field.media["x"]
    for begin, lasts in outages:
        field.world.at(begin, lambda: medium.split(("N1",), ("N2", "N3")))
        field.world.at(begin + lasts, medium.split)
    for origin, at in crashes:
        field.world.at(at, partial(field.nodes[origin].sim.crash, 20.0))
    for origin, node in field.nodes.items():
        for at in range(4):
            lane = (Lane.FLASH, Lane.COMMAND, Lane.HISTORY, Lane.TRACK)[at]
            field.world.at(200 * at + origin, partial(node.write, lane, bytes(70)))
    field.world.run(1600)
    field.till_equal(4 * 3600)
    assert sum(node.disk.conflicts for node in field.nodes.values()) == 0
    for node in field.nodes.values():
        for other in field.nodes.values():
            for source, numbers in node.log.end_of(other.origin).items():
                assert not numbers.minus(other.log.have()[source]), "acknowledged but not there"


def flash_delay(seed: int, loss: float) -> float:
    """Seconds from a flash event to its commit at the other end, in the middle of a large backlog."""
    field = Field(seed, {"x": ((1, 2), SLOW, {"loss": loss, "shared": True})})
    history(field.nodes[2], 400)
    field.world.run(60 + seed % 7 * 0.37)
    begun = field.world.now
    field.nodes[2].write(Lane.FLASH, b"gas alarm")
    return field.world.run_till(lambda: bool(field.nodes[1].have(Lane.FLASH)), begun + 600, 0.05) - begun


def test_flash_overtakes_a_backlog() -> None:
    frame_s = (SLOW.mtu + MAC) / SLOW.rate
    assert max(flash_delay(seed, 0.0) for seed in range(7)) <= 1.0 + 2 * frame_s
    late = sorted(flash_delay(seed, 0.3) for seed in range(20))
    assert late[18] <= 6 * frame_s


def test_a_cut_block_goes_on_where_it_was() -> None:
    field = Field(3, {"x": ((1, 2), SLOW, {})})
    field.world.run(30)
    sent: Counter[tuple[BlockId, int]] = Counter()

    def heard(sender: str, frame: bytes) -> None:
        for part in parts_of(frame):
            if isinstance(part, Piece):
                sent.update((part.id, at) for at in range(part.at, part.at + len(part.data)))

    field.media["x"].taps.append(heard)
    history(field.nodes[2], 80, 50)
    field.world.run(45)
    assert 500 < len(sent) < 2000
    for node in (1, 2):
        field.media["x"].shade(f"N{node}", True)
    field.world.run(100)
    field.media["x"].shade("N1", False)
    field.media["x"].shade("N2", False)
    field.till_equal(600, Lane.HISTORY)
    twice = sum(count > 1 for count in sent.values())
    assert twice <= 2 * SLOW.mtu, f"{twice} of {len(sent)} bytes went twice"


def test_nothing_leaves_before_it_is_durable() -> None:
    field = Field(5, BOTH)
    field.world.run(30)
    node = field.nodes[2]
    node.sim.lose_power = lambda: node.sim.crash(None)
    node.log.fail_in = 1
    frames = field.media["x"].spent["N2"].frames
    node.write(Lane.FLASH, b"help")
    field.world.run(31)
    assert not node.sim.running and field.media["x"].spent["N2"].frames == frames
    with pytest.raises(PowerCut):
        node.log.fail_in = 1
        node.log.cut(Lane.FLASH, 200)
        node.log.merge_end(1, {})


def test_history_runs_newest_first_without_samples() -> None:
    field = Field(7, {"x": ((1, 2), Limits(mtu=2000, rate=500.0, cost=1), {})}, {})
    field.world.run(30)
    node = field.nodes[2]
    for at in range(30):
        node.disk.add(Lane.HISTORY, bytes([at]) * 900)
        node.disk.cut(Lane.HISTORY, 950)
    node.sim.nudge()
    for second in range(31, 120):
        field.world.run(second)
        spans = next(iter(field.nodes[1].have(Lane.HISTORY).values()), [(29, 29)])
        assert len(spans) == 1 and spans[0][1] == 29
    assert spans == [(0, 29)]


def test_a_picture_is_sent_once_newest_only_and_never_listed() -> None:
    field = Field(9, BOTH)
    field.world.run(30)
    node = field.nodes[2]
    for at in range(5):
        node.disk.add(Lane.PICTURE, b"scene %d" % at)
        node.disk.cut(Lane.PICTURE, 200)
    node.sim.nudge()
    field.world.run(200)
    source = id_of(node.disk, Lane.PICTURE, 4).source
    assert list(field.nodes[1].log.held(source).numbers()) == [4]


def test_one_way_flash_is_repeated_until_its_receipt_comes_by_another_way() -> None:
    beam = Limits(mtu=200, rate=100.0, two_way=False, cost=2)
    field = Field(11, {
        "beam": ((1, 2), beam, {"loss": 0.7, "pair_loss": {("N1", "N2"): 1.0}}),
        "road": ((1, 2), LAN, {"hours": [(3000.0, 3600.0)]}),
    })  # fmt: skip
    field.nodes[2].write(Lane.FLASH, b"man down")
    field.world.run(2990)
    sent = field.media["beam"].spent["N2"].frames
    assert sent >= 5 and field.nodes[1].have(Lane.FLASH)
    field.world.run(20_000)
    assert field.media["beam"].spent["N2"].frames <= sent + 1
    assert field.nodes[2].exchange.states(id_of(field.nodes[2].disk, Lane.FLASH, 0), [1]) == {1: State.STORED}


def test_what_goes_bare_goes_alone() -> None:
    """Whatever else is due waits for the next message, and is not taken for sent."""
    card = Limits(mtu=78, rate=78.0, gap_s=60.0, names_sender=True, cost=9, lanes=frozenset((0, 1)))
    pair = Pair(card)
    disk, ids = pair.disks[1], []
    for number, size in enumerate((63, 20)):
        ids.append(id_of(disk, Lane.FLASH, number))
        disk._keep(ids[number], disk.ring.seal(ids[number], KeyClass.FIELD, bytes(size), signed=False))
    pair.ends[1].changed()
    pair.now = 1.0
    assert pair.frame(1) == disk.read(ids[0])
    assert [pair.ends[1].states(each, [1])[1] for each in ids] == [State.SENT, State.QUEUED]


def test_the_network_s_own_sender_spares_mac_and_head() -> None:
    """78 bytes of a card leave 63 for content, because the block travels bare."""
    card = Limits(mtu=78, rate=1.3, gap_s=60.0, names_sender=True, cost=9, lanes=frozenset((0, 1)))
    pair = Pair(card)
    disk = pair.disks[1]
    block_id = id_of(disk, Lane.COMMAND, 0)
    block = disk.ring.seal(block_id, KeyClass.FIELD, bytes(66), signed=False)
    assert len(block) == card.mtu
    disk._keep(block_id, block)
    pair.ends[1].changed()
    pair.now = 1.0
    assert pair.frame(1) == block
    pair.ends[0].received("x", Arrival(block, "2", 1.0))
    assert pair.disks[0].read(block_id) == block
    pair.now = 600.0
    receipt = pair.frame(0)
    assert receipt is not None and len(receipt) <= 40
    pair.ends[1].received("x", Arrival(receipt, "1", 600.0))
    assert pair.ends[1].states(block_id, [1]) == {1: State.STORED}


def test_an_idle_line_is_nearly_silent() -> None:
    field = Field(13, {"x": ((1, 2, 3), LORA, {"shared": True})})
    field.world.run(1800)
    begun = field.bytes()
    field.world.run(1800 + 6 * 3600)
    assert (field.bytes() - begun) / 6 / 3 < 100  # bytes an hour and node


def test_a_sick_line_loses_the_history_to_another() -> None:
    field = Field(15, {"cheap": ((1, 2), Limits(mtu=1000, rate=5000.0), {}), "dear": ((1, 2), Limits(mtu=1000, rate=2000.0, cost=1), {})})  # fmt: skip
    field.world.run(120)
    field.media["cheap"].spec.pair_loss["N2", "N1"] = 0.999  # type: ignore[index]
    history(field.nodes[2], 400)
    field.till_equal(900, Lane.HISTORY)
    assert field.media["dear"].spent["N2"].bytes > 5000


def test_backlog_goes_when_the_link_comes_not_when_new_rows_do() -> None:
    field = Field(17, {"x": ((1, 2), SLOW, {"hours": [(5000.0, 9000.0)]})})
    history(field.nodes[2], 20)
    field.world.run(4999)
    assert not field.nodes[1].have()
    field.world.run(5120)
    assert field.nodes[1].have(Lane.HISTORY)


def test_history_waits_for_company_but_not_for_ever() -> None:
    field = Field(19, {"x": ((1, 2), LAN, {})})
    field.world.run(60)
    for second in range(60, 120):
        field.world.run(second)
        field.nodes[2].write(Lane.HISTORY, bytes(20))
    field.world.run(140)
    blocks = sum(last - first + 1 for spans in field.nodes[1].have(Lane.HISTORY).values() for first, last in spans)
    assert 60 / 10 <= blocks <= 60 / 4


def test_three_bearers_hardly_ever_carry_the_same() -> None:
    """2,000 observations and 20 events over three lossy bearers at once: at most 3 % of bytes beyond flash are needless."""
    links = {
        "lan": ((1, 2), Limits(mtu=8000, rate=3000.0), {"loss": 0.1}),
        "cell": ((1, 2), Limits(mtu=8000, rate=2000.0, cost=1), {"loss": 0.1}),
        "radio": ((1, 2), Limits(mtu=230, rate=200.0, gap_s=0.1, broadcast=True, cost=3), {"loss": 0.1}),
    }
    field = Field(21, links)
    seen: set[object] = set()
    useful = needless = 0

    def heard(sender: str, frame: bytes) -> None:
        nonlocal useful, needless
        for part in parts_of(frame):
            if isinstance(part, Whole) and part.id.lane is not Lane.FLASH:
                had = part.id.number in field.nodes[1].log.have().get(part.id.source, ())
                useful, needless = useful + len(part.block), needless + (len(part.block) if had else 0)
                seen.add(part.id)

    for medium in field.media.values():
        medium.taps.append(heard)
    for at in range(200):
        field.world.at(60 + at, lambda: history(field.nodes[2], 10, 30))
        if at % 10 == 0:
            field.world.at(60 + at, lambda: field.nodes[2].write(Lane.COMMAND, b"event"))
    field.world.run(300)
    field.till_equal(900)
    assert len(seen) > 30 and needless <= 0.03 * useful, (needless, useful)


def test_a_block_that_does_not_open_spoils_no_other() -> None:
    pair = Pair()
    pair.meet()
    sender = pair.disks[1]
    for text in (b"one", b"two"):
        sender.add(Lane.TRACK, text)
        sender.cut(Lane.TRACK, 60)
    bad = id_of(sender, Lane.TRACK, 0)
    good = sender.read(bad) or b""
    sender._blocks[bad] = good[:-1] + bytes([good[-1] ^ 1])
    pair.ends[1].changed()
    for _ in range(30):
        pair.step()
    got = pair.disks[0].have()[bad.source]
    assert list(got.numbers()) == [1]
    assert pair.ends[0].status(pair.now)["refused"]
    sender._blocks[bad] = good
    for _ in range(600):
        pair.step()
    assert list(pair.disks[0].have()[bad.source].numbers()) == [0, 1]


def test_same_id_with_other_bytes_is_told_to_people() -> None:
    pair, twins = Pair(), [Pair(origins=(3, 5)).disks[0] for _ in range(2)]
    pair.meet()
    for twin, text in zip(twins, (b"true", b"forged")):
        twin.add(Lane.COMMAND, text)
        (block_id,) = twin.cut(Lane.COMMAND, 200)
        inner = write_whole(block_id, 0, twin.read(block_id) or b"")
        pair.ends[0].received("x", Arrival(inner + twin.ring.mac(inner), "1", pair.now))
    status = pair.ends[0].status(pair.now)
    assert status["conflicts"] == [str(block_id)] and status["refused"] == {"same id, other bytes": 1}
    assert pair.disks[0].conflicts == 1


def test_who_is_heard_over_others_only_is_promised_what_its_own_word_took() -> None:
    field = Field(3, {"x": ((2, 4), LORA, {}), "y": ((4, 3), LORA, {})})
    node = field.nodes[2]
    field.world.run(60)
    (blind,) = node.exchange.promises(100, Lane.COMMAND, [3], node.sim.mono())
    assert blind.in_s is None and blind.p == 0.0
    field.nodes[3].write(Lane.COMMAND, b"here we are")
    field.till_equal(120, Lane.COMMAND)
    (over,) = node.exchange.promises(100, Lane.COMMAND, [3], node.sim.mono())
    assert over.in_s is not None and over.in_s < 120 and over.p == 0.8
    (stale,) = node.exchange.promises(100, Lane.COMMAND, [3], node.sim.mono() + 2 * HOUR)
    assert stale.in_s is None


def test_forecasts_before_and_states_after() -> None:
    field = Field(
        23, {"x": ((1, 2), SLOW, {"shared": True, "hours": [(0.0, 400.0), (1000.0, 1400.0), (2000.0, 4000.0)]})}
    )
    node = field.nodes[2]
    node.write(Lane.FLASH, b"x")
    (first,) = node.exchange.promises(100, Lane.FLASH, [3], 0.0)
    assert first.in_s is None and first.p == 0.0
    field.world.run(100)
    history(node, 100)
    field.world.run(110)
    quick, slow = (node.exchange.promises(100, lane, [1], node.sim.mono())[0] for lane in (Lane.FLASH, Lane.HISTORY))
    assert quick.by == "x" and quick.in_s is not None and quick.in_s < 8 and quick.p > 0.9
    assert slow.in_s is not None and slow.in_s > 4 * quick.in_s
    row = node.exchange.status(node.sim.mono())["lanes"]["history"]["x"]
    assert row["queued"] or row["in_flight"]
    assert 0 < row["drain_s"] < 600 and 0 < row["bytes_left"] < 125 * 3600
    field.world.run(1500)  # it was down for 600 s, came back, and is down again
    (later,) = node.exchange.promises(100, Lane.COMMAND, [1], node.sim.mono())
    assert later.in_s is not None and later.p > 0
    node.write(Lane.COMMAND, b"order")
    field.world.run(1501)
    field.world.run(2300)
    assert node.exchange.states(id_of(node.disk, Lane.COMMAND, 0), [1, 6]) == {1: State.STORED, 6: State.RELAYED}


def test_what_arrives_and_what_does_not_tell_how_good_a_line_is() -> None:
    for loss in (0.0, 0.4):
        field = Field(4, {"x": ((1, 2), SLOW, {"loss": loss})})
        node = field.nodes[2]
        for at in range(60):
            node.write(Lane.COMMAND, bytes([at]) * 60)
            field.world.run(60.0 * (at + 1))
        (promise,) = node.exchange.promises(100, Lane.COMMAND, [1], node.sim.mono())
        assert (promise.p > 0.99) is (loss == 0.0)
        assert 0.5 < node.exchange._core.lines["x"].success + loss < 1.1


def test_nothing_is_remembered_of_blocks_that_arrived() -> None:
    field = Field(5, {"x": ((1, 2, 3), LORA, {"loss": 0.45})})
    for at in range(40):
        for lane in (Lane.FLASH, Lane.COMMAND):
            field.nodes[2].write(lane, bytes(random.Random(at).randbytes(600)))
        field.world.run(field.world.now + 120)
    field.till_equal(7200, Lane.FLASH, Lane.COMMAND)
    field.world.run(field.world.now + 7200)
    core = field.nodes[2].exchange._core
    assert not any(target.parts or len(target.tries) > 1 for target in core.targets())


def test_a_message_waits_then_is_sent() -> None:
    pair = Pair()
    disk, end = pair.disks[1], pair.ends[1]
    disk.add(Lane.COMMAND, b"order")
    (block_id,) = disk.cut(Lane.COMMAND, 200)
    end.changed()
    assert end.states(block_id, [1]) == {1: State.QUEUED}
    pair.now = 2.0
    while pair.frame(1) is not None:
        pass
    assert end.states(block_id, [1]) == {1: State.SENT}


def test_budget_bounds_every_frame() -> None:
    pair = Pair()
    pair.disks[1].add(Lane.COMMAND, bytes(90))
    pair.ends[1].changed()
    pair.now = 5.0
    sizes = []
    for _ in range(20):
        pair.now += 1.0
        frame = pair.frame(1, Budget(60, 1))
        sizes += [len(frame)] if frame else []
    assert sizes and max(sizes) <= 60
    assert pair.ends[1].outgoing("x", Budget(3, 1), pair.now) is None
    assert pair.ends[1].outgoing("gone", PLENTY, pair.now) is None and pair.ends[1].next_at("gone", 0.0) == float("inf")
    assert pair.ends[1].received("gone", Arrival(b"x", "", 0.0)) == 0


def test_what_the_budget_cannot_carry_waits_for_it_without_being_asked_for_again_and_again() -> None:
    pair = Pair()
    pair.meet()
    pair.disks[1].add(Lane.COMMAND, bytes(90))
    pair.ends[1].changed()
    pair.step()
    pair.now += EVERY_S
    central, small, asked = pair.ends[0], Budget(60, 1, 500.0), 0
    while pair.now < 5000.0:
        asked += 1
        central.outgoing("x", small, pair.now)
        pair.now = max(pair.now + 0.01, central.next_at("x", pair.now))
    assert asked < 100
    receipt = pair.frame(0, Budget(200, 1))
    assert receipt is not None and receipt[0] == ENDS
    pair.disks[0].add(Lane.FLASH, b"alarm")
    central.outgoing("x", small, pair.now)
    central.changed()
    assert central.next_at("x", pair.now) <= pair.now + 1.0, "something new may fit"


@pytest.mark.parametrize("broadcast", [False, True])
def test_the_least_frame_brings_blocks_through_and_a_smaller_one_is_refused(broadcast: bool) -> None:
    longest = BlockId((1 << 14) - 1, 0xFFFF, Lane.BULK, (1 << 42) - 1)
    assert len(piece_head(longest, MOST_AGE, MOST_BLOCK, MOST_BLOCK)) + 3 + LEAST_PIECE + MAC == LEAST_MTU
    limits = Limits(mtu=LEAST_MTU, rate=125.0, broadcast=broadcast)
    field = Field(1, {"x": ((1, 2, 3), limits, {"loss": 0.1})})
    for origin in (1, 2, 3):
        for lane in (Lane.FLASH, Lane.COMMAND, Lane.HISTORY):
            field.nodes[origin].write(lane, bytes(40), bytes(90))
    field.till_equal(3600, Lane.FLASH, Lane.COMMAND)
    assert field.world.events < 10_000
    with pytest.raises(ValueError, match="45 are needed"):
        Pair(replace(limits, mtu=LEAST_MTU - 1))


def test_an_hour_s_budget_that_is_used_up_leaves_no_busy_loop() -> None:
    links: Links = {"x": ((1, 2, 3, 5), LORA, {"loss": 0.45, "window_s": 3600.0, "window_bytes": 1000})}
    field = Field(1, links)
    for at in range(20):
        field.nodes[2].write(Lane.COMMAND, bytes([at]) * 150)
    field.world.run(2 * 3600.0)
    assert field.world.events < 5000


def test_a_down_line_gives_back_what_was_on_it() -> None:
    pair = Pair(LAN)
    pair.meet()
    sender, end = pair.disks[1], pair.ends[1]
    end.attach("y", Limits(mtu=1000, rate=1000.0, cost=1), pair.now)
    end.received("y", Arrival(_digest_of(pair, 0), "1", pair.now))
    sender.add(Lane.COMMAND, b"order")
    end.changed()
    pair.now += 1.0
    first = pair.frame(1)
    assert (first is not None and end.outgoing("y", PLENTY, pair.now + 0.1) is None) or True
    end.detach("x", pair.now)
    wholes = []
    for _ in range(5):
        pair.now += 1.0
        out = end.outgoing("y", PLENTY, pair.now)
        wholes += [part for part in parts_of(out.frame) if isinstance(part, Whole)] if out else []
    assert [part.id for part in wholes] == [id_of(sender, Lane.COMMAND, 0)]


def _digest_of(pair: Pair, at: int) -> bytes:
    """A frame with the list of one end, made for another line."""
    pair.ends[at].attach("z", Limits(mtu=1000, rate=1000.0, cost=1), pair.now)
    out = None
    while out is None:
        pair.now += 1.0
        out = pair.ends[at].outgoing("z", PLENTY, pair.now)
    return out.frame


def test_policy_and_public_names() -> None:
    policy = Policy(central=CENTRAL)
    assert policy.may(Lane.FLASH, frozenset(range(6)), 9) and not policy.may(Lane.HISTORY, frozenset(range(6)), 3)
    assert Exchange.__doc__ and issubclass(DecodeError, Exception)


def test_what_came_twice_is_counted() -> None:
    field = Field(25, {"x": ((1, 2), LAN, {"duplicate": 1.0})})
    field.nodes[2].write(Lane.COMMAND, *(bytes(50) for _ in range(20)))
    field.world.run(60)
    assert field.nodes[1].exchange.status(60.0)["twice"] > 1000 > field.nodes[2].exchange.status(60.0)["twice"]

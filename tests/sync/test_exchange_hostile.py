"""Hostile bytes and lying peers: refused with a counted reason, no growth, no stall of others."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from exchange_field import CENTRAL, LAN, LORA, PLENTY, SLOW, Field, Pair, id_of, parts_of, ring
from hypothesis import given, settings
from hypothesis import strategies as st

from radios.bearer import Arrival, Limits
from sync.carried import ends_frame
from sync.exchange import Exchange, Policy, frame
from sync.exchange.frame import Delta, Digest, Listing, Need, Whole
from sync.exchange.havelist import MOST_SOURCES, Vector, encode_entries
from sync.exchange.lines import NEIGHBOURS
from sync.exchange.telling import statement
from sync.ids import BlockId, Header, KeyClass, Lane, Source
from sync.intake import opened
from sync.ranges import Ranges

LIAR = ring(2, 34)


def signed(inner: bytes) -> bytes:
    return inner + LIAR.mac(inner)


def claim(sets: dict[Source, Ranges]) -> bytes:
    """The liar's digest and whole list, with its word."""
    made, out = Vector(), b""
    for source, numbers in sets.items():
        made.put(source, numbers)
    digest = made.digest(2)
    word = LIAR.vouch(statement(2, 2, digest))
    entries, count = encode_entries(made.sets, made.order(2), 60_000)
    out += frame.write_listing(2, 2, digest, 255, None, True, count, entries, word)
    return signed(out)


def alone(policy: Policy | None = None) -> Pair:
    return Pair(LAN, policy=policy)


def test_frames_cut_or_altered_anywhere_are_refused_and_counted() -> None:
    pair = alone()
    pair.disks[1].add(Lane.FLASH, b"alarm")
    pair.ends[1].changed()
    pair.now = 1.0
    good = pair.frame(1)
    assert good is not None and any(isinstance(part, Whole) for part in parts_of(good))
    for end in range(len(good)):
        assert pair.ends[0].received("x", Arrival(good[:end], "2", 1.0)) == 0
    for at in range(len(good)):
        bad = bytearray(good)
        bad[at] ^= 1 << at % 8
        assert pair.ends[0].received("x", Arrival(bytes(bad), "2", 1.0)) == 0
    assert not pair.disks[0].have()
    assert sum(pair.ends[0].status(1.0)["refused"].values()) == 2 * len(good)
    assert pair.ends[0].received("x", Arrival(good, "2", 1.0)) == 1


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=80), max_size=8))
def test_an_insider_s_garbage_does_no_harm(inners: list[bytes]) -> None:
    pair = alone()
    for inner in inners:
        for first in (b"", b"\xc2", b"\xc3", b"\xe6", b"\xea", b"\xee", b"\xd2", b"\xd4", b"\xd8", b"\xdc", b"\xc1"):
            assert pair.ends[0].received("x", Arrival(signed(first + inner), "2", 1.0)) in (0, 1)
    pair.now = 2.0
    pair.step()
    assert pair.ends[0].status(2.0)["unfinished"] <= 80


def test_who_claims_everything_gets_nothing_and_stops_nobody() -> None:
    pair = alone()
    everything = {
        Source(origin, 1, lane): Ranges([(0, (1 << 42) - 1)])
        for origin in range(1, 200)
        for lane in (Lane.FLASH, Lane.COMMAND, Lane.HISTORY)
    }
    everything |= {Source(1, pair.disks[0].incarnation, lane): Ranges([(0, 1 << 40)]) for lane in (Lane.FLASH, Lane.COMMAND, Lane.HISTORY)}  # fmt: skip
    for round_ in range(20):
        pair.ends[0].received("x", Arrival(claim(everything), "2", float(round_)))
    pair.now = 30.0
    pair.disks[0].add(Lane.COMMAND, b"order")
    pair.ends[0].changed()
    frames = [pair.frame(0) for _ in range(10)]
    assert not any(isinstance(part, Whole) for data in frames if data for part in parts_of(data))
    honest = Pair(LAN, (1, 3))
    honest.ends[0].received("x", Arrival(claim(everything), "2", 0.0))
    honest.disks[0].add(Lane.COMMAND, b"order")
    honest.ends[0].changed()
    for _ in range(30):
        honest.step()
    assert honest.disks[1].have()


def test_who_claims_nothing_again_and_again_is_sent_ever_less() -> None:
    pair = Pair(SLOW, policy=Policy(central=frozenset({6})))
    disk = pair.disks[0]
    for at in range(4):
        disk.add(Lane.COMMAND, bytes([at]) * 60)
    pair.ends[0].changed()
    sent = []
    for second in range(7200):
        pair.now = float(second)
        if second % 5 == 0:
            digest = Vector().digest(1 if SLOW.cost > 2 else 2)
            word = LIAR.vouch(statement(2, 2, digest))
            pair.ends[0].received("x", Arrival(signed(frame.write_digest(2, 2, digest, word)), "2", pair.now))
        while (data := pair.frame(0)) is not None:
            sent += [second for part in parts_of(data) if isinstance(part, Whole)]
    assert len(sent) < 4 * 14, len(sent)
    assert sum(second > 3600 for second in sent) <= 4 * 3


def test_too_many_sources_or_neighbours_are_not_believed() -> None:
    pair = alone()
    many = {Source(1 + at % 16000, at // 16000, Lane.FLASH): Ranges([(0, 0)]) for at in range(MOST_SOURCES - 1)}
    digest = b"\1" * 6
    for part in range(3):
        sets = {source._replace(lane=(Lane.FLASH, Lane.COMMAND, Lane.TRACK)[part]): r for source, r in many.items()}
        entries, count = encode_entries(sets, sorted(sets), 1 << 20)
        inner = frame.write_listing(2, 2, digest, 0, None, False, count, entries, b"")
        pair.ends[0].received("x", Arrival(signed(inner), "2", 1.0))
    assert pair.ends[0].status(1.0)["refused"] == {"more sources than a node may have": 2}


def test_who_varies_its_address_fills_no_table() -> None:
    pair = alone()
    digest = signed(frame.write_digest(2, 2, Vector().digest(2), b""))
    for number in range(NEIGHBOURS + 100):
        pair.ends[0].received("x", Arrival(digest, f"host {number}", 1.0))
    line = pair.ends[0]._core.lines["x"]
    assert len(line._places) == NEIGHBOURS
    assert line.node_at(f"host {NEIGHBOURS + 99}") == 2 and line.node_at("host 0") is None


def test_unfinished_blocks_are_bounded_and_the_urgent_ones_stay() -> None:
    pair = alone(Policy(central=CENTRAL, partial_bytes=100_000))
    first = BlockId(2, 34, Lane.FLASH, 0)
    pair.ends[0].received("x", Arrival(signed(frame.write_piece(first, 0, 600, 0, b"x" * 20)), "2", 0.0))
    for number in range(300):
        block_id = BlockId(2, 34, Lane.HISTORY, number)
        piece = frame.write_piece(block_id, 0, 30_000, 0, b"x" * 20)
        pair.ends[0].received("x", Arrival(signed(piece), "2", float(number)))
    core = pair.ends[0]._core
    assert core.assembly.bytes <= 100_000 and first in core.assembly and core.assembly.evicted > 200
    other = frame.write_piece(first, 0, 700, 20, b"x" * 20)
    pair.ends[0].received("x", Arrival(signed(other), "2", 400.0))
    assert pair.ends[0].status(1.0)["refused"] == {"pieces of one block disagree about its length": 1}


def test_pieces_that_never_open_are_dropped_and_come_again() -> None:
    pair = alone()
    block_id = BlockId(2, 34, Lane.COMMAND, 0)
    block = LIAR.seal(block_id, KeyClass.FIELD, b"true" * 40)
    forged = block[:-1] + bytes([block[-1] ^ 1])
    for data in (forged, block):
        for at in range(0, len(data), 100):
            piece = frame.write_piece(block_id, 0, len(data), at, data[at : at + 100])
            pair.ends[0].received("x", Arrival(signed(piece), "2", 1.0))
    assert pair.disks[0].read(block_id) == block and pair.ends[0].status(1.0)["unfinished"] == 0
    assert pair.ends[0].status(1.0)["refused"] == {"tag does not hold": 1}


def stranger(number: int, size: int) -> bytes:
    """A frame with a block of an origin that is on no roster."""
    clear = Header(1, Lane.COMMAND, KeyClass.FIELD, 1, 3, 99, number).encode()
    return signed(frame.write_whole(BlockId(99, 3, Lane.COMMAND, number), 0, clear + bytes(size)))


def test_unknown_origins_get_little_room() -> None:
    pair = alone(Policy(central=CENTRAL, quota_stranger=5000))
    for number in range(20):
        pair.ends[0].received("x", Arrival(stranger(number, 900), "2", 1.0))
    (numbers,) = pair.disks[0].have().values()
    assert 4 <= len(numbers) <= 5
    assert pair.ends[0].status(1.0)["refused"] == {"quota of unknown origins": 20 - len(numbers)}


def test_reasons_are_bounded() -> None:
    pair = alone()
    hearing = pair.ends[0]._hearing
    for at in range(500):
        hearing.refuse(f"reason {at}")
    assert len(pair.ends[0].status(0.0)["refused"]) <= 65


@pytest.mark.parametrize("bearer_knows", [True, False])
def test_a_bare_block_counts_only_where_the_network_names_the_sender(bearer_knows: bool) -> None:
    pair = Pair(replace(SLOW, names_sender=bearer_knows))
    block = LIAR.seal(BlockId(2, 34, Lane.COMMAND, 0), KeyClass.FIELD, b"order")
    assert pair.ends[0].received("x", Arrival(block, "2", 1.0)) == int(bearer_knows)


def test_a_receipt_forged_or_of_another_is_not_believed() -> None:
    pair = alone()
    own = Source(1, pair.disks[0].incarnation, Lane.COMMAND)
    inner = bytearray(ends_frame(LIAR, {own: Ranges([(0, 3)])}))
    inner[70] ^= 1
    pair.ends[0].received("x", Arrival(signed(bytes(inner)), "2", 1.0))
    assert not pair.disks[0].end_of(2) and sum(pair.ends[0].status(1.0)["refused"].values()) == 1
    word = ring(3, 51).vouch(statement(2, 2, Vector().digest(2)))
    pair.ends[0].received("x", Arrival(signed(frame.write_digest(2, 2, Vector().digest(2), word)), "2", 1.0))
    assert not pair.disks[0].end_of(2)


def test_a_flood_of_lists_costs_no_memory() -> None:
    pair, chance = alone(), random.Random(1)
    for at in range(400):
        sets = {
            Source(chance.randrange(1, 60), 1, Lane.COMMAND): Ranges([(0, chance.randrange(1000))]) for _ in range(5)
        }
        pair.ends[0].received("x", Arrival(claim(sets), "2", float(at)))
    peer = pair.ends[0]._core.neighbours[2].peer
    assert len(peer.views[2].bases) <= 4 and len(peer.views[2].recent) <= 16 and len(peer.vector.sets) <= 60
    assert len(pair.ends[0]._core._ages) <= 4096
    assert id_of(pair.disks[0], Lane.FLASH, 0) not in pair.ends[0]._core.neighbours[2].target.flash
    assert isinstance(pair.ends[0], Exchange) and pair.ends[0].outgoing("x", PLENTY, 500.0) is not None


def test_who_says_behind_for_ever_takes_nobody_s_sign_of_life() -> None:
    field = Field(1, {"x": ((1, 2, 3), LORA, {"shared": True})})
    field.world.run(3000)
    said: list[object] = []
    field.media["x"].taps.append(lambda sender, data: said.extend(parts_of(data) if sender == "N2" else ()))
    inner = frame.write_behind(3)

    def flood() -> None:
        field.nodes[2].sim._heard("x", inner + ring(4, 99).mac(inner), "N3")
        field.world.after(5.0, flood)

    flood()
    field.world.run(field.world.now + 2 * 3600)
    assert sum(isinstance(part, Digest | Delta | Listing) for part in said) >= 6


def test_a_list_with_many_gaps_fits_the_narrowest_line() -> None:
    source, narrow = Pair(LAN, (5, 3)).disks[0], Limits(mtu=78, rate=125.0, cost=4, names_sender=True)
    pair = Pair(narrow, (2, 3))
    for at in range(80):
        source.add(Lane.COMMAND, b"%d" % at)
        for block_id in source.cut(Lane.COMMAND, 20):
            block = source.read(block_id)
            if block is not None and at % 2:
                pair.disks[0].commit([opened(pair.disks[0].ring, block, block_id, "t", 0.0)])
    pair.ends[0].changed()
    told: list[object] = []
    for _ in range(3600):
        pair.now += 1.0
        while (data := pair.frame(0)) is not None:
            told += parts_of(data)
            pair.ends[1].received("x", Arrival(data, "0", pair.now))
        while (data := pair.frame(1)) is not None:
            pair.ends[0].received("x", Arrival(data, "1", pair.now))
    assert any(isinstance(part, Listing) for part in told)
    assert pair.ends[0].next_at("x", pair.now) > pair.now


def test_who_asks_for_a_list_for_ever_keeps_nobody_else_from_asking() -> None:
    field = Field(1, {"x": ((1, 2, 3), LORA, {"shared": True})})
    field.world.run(3000)
    said: list[object] = []
    field.media["x"].taps.append(lambda sender, data: said.extend(parts_of(data) if sender == "N2" else ()))
    unclear, asks = frame.write_digest(3, 1, b"\1" * 6, b""), frame.write_need(3, 1)

    def flood() -> None:
        field.nodes[2].sim._heard("x", asks + ring(4, 99).mac(asks), "N4")
        field.world.after(3.0, flood)

    field.nodes[2].sim._heard("x", unclear + ring(4, 99).mac(unclear), "N3")
    flood()
    field.world.run(field.world.now + 120)
    assert any(isinstance(part, Need) and part.node == 3 for part in said)

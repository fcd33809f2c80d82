"""Have-lists: digest, delta and list say the same; nothing malformed or absurd is believed; sizes and golden vectors hold."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path

import pytest
from exchange_field import ring
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware.errors import DecodeError
from sync.codec.octets import Reader
from sync.exchange import bits
from sync.exchange.frame import Delta, Digest, Listing, Need, Partial, read_parts
from sync.exchange.havelist import (
    MOST_SPANS,
    Scope,
    Vector,
    bounded,
    decode_delta,
    decode_entries,
    differing,
    encode_delta,
    encode_entries,
)
from sync.exchange.lines import Debt
from sync.exchange.peers import Heard, Peer
from sync.exchange.telling import Teller, statement
from sync.ids import Lane, Source
from sync.ranges import Ranges

LANES = (Lane.FLASH, Lane.COMMAND, Lane.TRACK, Lane.HISTORY, Lane.BULK)
sources = st.builds(Source, st.integers(1, 300), st.integers(0, 65535), st.sampled_from(LANES))
numbers = st.lists(st.tuples(st.integers(0, 900), st.integers(0, 40)), min_size=1, max_size=6).map(
    lambda pairs: Ranges((first, first + more) for first, more in pairs)
)
vectors = st.dictionaries(sources, numbers, max_size=12)
PAGE = Path(__file__).parents[2] / "docs" / "wire" / "havelist.md"


def vector(sets: dict[Source, Ranges]) -> Vector:
    made = Vector()
    for source, ranges in sets.items():
        made.put(source, ranges)
    return made


def fifty(seed: int = 1) -> Vector:
    """One lane of 50 origins."""
    chance = random.Random(seed)
    return vector({Source(origin, chance.randrange(1 << 16), Lane.COMMAND): Ranges([(0, chance.randrange(400))]) for origin in range(1, 51)})  # fmt: skip


def moved(base: Vector, count: int, seed: int) -> Vector:
    chance, now = random.Random(seed), base.copy()
    for source in chance.sample(sorted(base.sets), count):
        more = base.sets[source].copy()
        more.add(more.top + 1, more.top + chance.randint(1, 16))
        now.put(source, more)
    return now


@settings(max_examples=50, deadline=None)
@given(vectors, vectors, st.sampled_from(list(Scope)))
def test_a_delta_leads_from_one_vector_to_the_other(
    before: dict[Source, Ranges], after: dict[Source, Ranges], scope: Scope
) -> None:
    base, now = vector(before), vector(after)
    result = base.copy()
    for source, ranges in decode_delta(base, encode_delta(base, now, scope), scope).items():
        result.put(source, ranges)
    assert result.digest(scope) == now.digest(scope)
    assert {s: r for s, r in result.sets.items() if s in now.order(scope)} == {s: now.sets[s] for s in now.order(scope)}


@settings(max_examples=40, deadline=None)
@given(vectors, st.integers(30, 200))
def test_a_list_in_parts_gives_the_whole(sets: dict[Source, Ranges], room: int) -> None:
    made = vector(sets)
    order, found = made.order(Scope.ALL), dict[Source, Ranges]()
    while order:
        entries, count = encode_entries(made.sets, order, max(room, 60))
        assert count and len(entries) <= max(room, 60)
        found.update(decode_entries(Reader(entries), count, Scope.ALL))
        order = order[count:]
    assert found == made.sets


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=60), vectors)
def test_no_bytes_do_harm(data: bytes, sets: dict[Source, Ranges]) -> None:
    base = vector(sets)
    for scope in Scope:
        try:
            for source, ranges in decode_delta(base, data, scope).items():
                assert ranges.spans <= MOST_SPANS + base.sets.get(source, Ranges()).spans and ranges.top < 1 << 43
        except DecodeError:
            pass
    for first in range(0xC0, 0x100):
        with contextlib.suppress(DecodeError):
            read_parts(bytes((first,)) + data)


def test_a_change_that_keeps_size_and_top_is_noticed() -> None:
    one, other = (vector({Source(1, 7, Lane.FLASH): Ranges(r)}) for r in ([(0, 3), (7, 9)], [(0, 4), (7, 9)]))
    assert one.digest(0) != other.digest(0) and one.buckets(0) != other.buckets(0)
    assert len(Ranges([(0, 4), (8, 9)])) == len(Ranges([(0, 3), (7, 9)]))


def test_gaps_that_are_told_are_bounded_and_err_on_the_safe_side() -> None:
    many = Ranges((at, at) for at in range(0, 400, 2))
    for lane, most in ((Lane.HISTORY, MOST_SPANS), (Lane.COMMAND, 21)):
        told = bounded(many, lane)
        assert told.spans == most and not told.minus(many) and told.top == many.top and told.first == many.first
    far = bounded(Ranges((at << 36, at << 36) for at in range(40)), Lane.FLASH)
    assert 3 <= far.spans <= 7 and far.top == 39 << 36


def test_sizes_for_fifty_origins() -> None:
    """The issue's bars before the hop MAC: 40 bytes with 20 of 50 moved, 12 with none."""
    teller, peer = Teller(ring(1, 17)), Peer(2)
    base = teller.mine = fifty()
    teller.own(Debt(), Scope.URGENT, [], 4000)
    peer.got(Scope.URGENT, base.digest(Scope.URGENT)[:2])
    assert len(teller.own(Debt(), Scope.URGENT, [peer], 200)) <= 12
    sizes = []
    for seed in range(50):
        teller.mine = moved(base, 20, seed)
        told = teller.own(Debt(), Scope.URGENT, [peer], 200)
        (part,) = read_parts(told)
        assert isinstance(part, Delta)
        sizes.append(len(told))
    assert max(sizes) <= 40, sizes


def test_a_base_that_is_not_known_is_asked_for_and_the_answer_builds_on_what_is() -> None:
    teller, debt = Teller(ring(1, 17)), Debt()
    teller.mine = base = fifty()
    teller.own(Debt(), Scope.URGENT, [], 4000)
    other, unsaid = Peer(1), Teller(ring(2, 17)).ours
    assert other.delta(Delta(1, 0, b"??", b"!!", b""), 0.0, unsaid) is Heard.UNCLEAR
    lists = []
    debt.mask = 255
    while debt.mask or debt.listing:
        lists += read_parts(teller.own(debt, Scope.URGENT, [], 120))
    assert len(lists) > 2
    results = [other.listing(part, Vector(), 0.0) for part in lists if isinstance(part, Listing)]
    assert results[-1] is Heard.NEWS and set(results[:-1]) == {Heard.UNCLEAR}
    key = other.keep(Scope.URGENT)
    teller.mine = moved(base, 5, 1)
    debt.asked[key] = None
    (answer,) = read_parts(teller.own(debt, Scope.URGENT, [Peer(3)], 120))
    assert isinstance(answer, Delta) and other.delta(answer, 1.0, unsaid) is Heard.NEWS
    assert other.vector.sets == teller.mine.sets


def test_a_list_gets_through_the_least_frame_with_some_of_a_set_s_ranges() -> None:
    """Below 78 bytes a set with gaps fits no frame; the rest of the list must not wait for it for ever."""
    teller, debt, other = Teller(ring(1, 17)), Debt(mask=255), Peer(1)
    gaps = Ranges([(10 * at, 10 * at + 3) for at in range(20)])
    teller.mine.put(Source(1, 1, Lane.FLASH), gaps)
    teller.mine.put(Source(2, 1, Lane.FLASH), Ranges([(0, 9)]))
    assert teller.own(debt, Scope.URGENT, [], 41) == b"", "beside something else it waits"
    for _ in range(4):
        for part in read_parts(teller.own(debt, Scope.URGENT, [], 41, whole=True)) if debt.listing else ():
            assert isinstance(part, Listing) and other.listing(part, Vector(), 0.0) is Heard.UNCLEAR
    assert debt.listing is None and other.vector.sets[Source(2, 1, Lane.FLASH)] == Ranges([(0, 9)])
    told = other.vector.sets[Source(1, 1, Lane.FLASH)]
    assert told and told.minus(gaps) == Ranges() and told.top == gaps.top


def test_a_delta_may_build_on_what_its_listener_said_itself() -> None:
    """Who said a vector knows it: nobody has to name it first."""
    speaker, listener = Teller(ring(1, 17)), Teller(ring(2, 17))
    speaker.mine = listener.mine = fifty()
    heard = Peer(2)
    (said,) = read_parts(listener.own(Debt(), Scope.URGENT, [], 4000))
    assert isinstance(said, Listing) and heard.listing(said, speaker.mine, 0.0) is Heard.NEWS
    speaker.own(Debt(), Scope.URGENT, [], 4000)
    speaker.mine = moved(fifty(), 5, 1)
    (told,) = read_parts(speaker.own(Debt(), Scope.URGENT, [heard], 200))
    assert isinstance(told, Delta)
    assert Peer(1).delta(told, 1.0, Teller(ring(2, 17)).ours) is Heard.UNCLEAR
    other = Peer(1)
    assert other.delta(told, 1.0, listener.ours) is Heard.NEWS and other.vector.sets == speaker.mine.sets


def test_an_old_list_that_comes_late_changes_nothing_unless_it_is_meant() -> None:
    """Frames overtake each other; a node restored from a backup really has less."""
    teller, peer = Teller(ring(1, 17)), Peer(1)
    old, new = fifty(), moved(fifty(), 5, 3)
    teller.mine = new
    assert peer.digest(Digest(1, 0, old.digest(0)), old, 0.0) is Heard.NEWS
    peer.keep(0)
    assert peer.digest(Digest(1, 0, new.digest(0)), new, 10.0) is Heard.NEWS
    assert peer.digest(Digest(1, 0, old.digest(0)), new, 20.0) is Heard.OLD
    assert peer.vector.sets == new.sets
    assert peer.digest(Digest(1, 0, old.digest(0)), new, 200.0) is Heard.NEWS
    assert peer.vector.sets == old.sets


def test_buckets_tell_where_vectors_differ() -> None:
    one, other = fifty(), moved(fifty(), 1, 5)
    mask = differing(one.buckets(0), other.buckets(0))
    assert bin(mask).count("1") == 1 and not differing(one.buckets(0), fifty().buckets(0))


@pytest.mark.parametrize(
    "clear",
    [
        "d001000000000000ff020201000a09000001",  # sources out of order
        "d00100000000000100020100010a2000",  # a number without end
        "dc01",  # an unknown form cut short
        "c100",  # a carried frame among parts
        "00",  # a bare block among parts
        "c701000000000000",  # scope 3
        "d8020001000000010011",  # more ranges than a part may tell
    ],
)
def test_malformed_parts_are_refused(clear: str) -> None:
    with pytest.raises(DecodeError):
        read_parts(bytes.fromhex(clear))


def test_bits_are_total() -> None:
    out = bits.Writer()
    for value, k in ((0, 0), (5, 1), (1000, 8), (3, 0)):
        out.rice(value, k)
        out.gamma(value)
    code = bits.Reader(out.done())
    for value, k in ((0, 0), (5, 1), (1000, 8), (3, 0)):
        assert code.rice(k) == value and code.gamma() == value
    code.end()
    for data in (b"", b"\xff" * 600, b"\x00" * 20):
        with pytest.raises(DecodeError):
            bits.Reader(data).gamma() if data[:1] != b"\xff" else bits.Reader(data).rice(0)


def golden() -> list[str]:
    """One line for each form, as the page has them."""
    base = vector(
        {Source(3, 0x1A2B, Lane.FLASH): Ranges([(0, 4)]), Source(7, 0x0102, Lane.COMMAND): Ranges([(0, 2), (5, 9)])}
    )
    now = base.copy()
    now.put(Source(3, 0x1A2B, Lane.FLASH), Ranges([(0, 6)]))
    now.put(Source(9, 0xFFFF, Lane.FLASH), Ranges([(0, 0)]))
    entries, _ = encode_entries(base.sets, base.order(0), 100)
    return [
        f"digest   {base.digest(0).hex()}",
        f"buckets  {base.buckets(0).hex()}",
        f"entries  {entries.hex()}",
        f"delta    {encode_delta(base, now, 0).hex()}",
        f"after    {now.digest(0).hex()}",
        f"covered  {statement(3, 0, base.digest(0)).hex()}",
    ]


def test_the_page_has_these_vectors() -> None:
    text = PAGE.read_text()
    for line in golden():
        assert line in text, line


def test_parts_read_as_written() -> None:
    parts = read_parts(bytes.fromhex("d00a" + "0000" + "d8050300110002020200000400"))
    assert parts[0] == Need(10, 0)
    assert isinstance(parts[1], Partial) and parts[1].node == 5

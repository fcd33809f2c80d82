"""Large blocks over a broadcast line: symbols on the wire and in memory, what is sent next, and what is asked for."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware.errors import DecodeError
from radios.bearer import Limits
from sync import repair
from sync.exchange.assembly import Assembly
from sync.exchange.frame import Partial, Symbol, read_parts, symbol_head, write_partial, write_symbol
from sync.exchange.ledger import Lease, Mend, Target
from sync.exchange.lines import Line, Sending
from sync.exchange.mending import Mender, awaited, lacked, mends, size_on
from sync.exchange.policy import Policy
from sync.ids import BlockId, Lane
from sync.ranges import Ranges
from sync.seal.contract import MAC

ID = BlockId(7, 0x1234, Lane.COMMAND, 3)
BLOCK = random.Random(1).randbytes(4000)
MESH = Limits(mtu=200, rate=400.0, broadcast=True, cost=3)


def line(limits: Limits = MESH) -> Line:
    return Line("lora", limits, Policy(), 0.0)


def symbols(size: int, *places: int) -> list[Symbol]:
    parts = [read_parts(write_symbol(ID, 5.0, 4000, size, at, repair.symbol(BLOCK, size, at))) for at in places]
    return [part for (part,) in parts if isinstance(part, Symbol)]


def test_a_symbol_fills_a_frame_and_no_more() -> None:
    size = size_on(line(), ID, 4000)
    assert repair.count(4000, size) == 22
    for age in (0, 127, 128, 20_000, 10**9):
        assert len(write_symbol(ID, age, 4000, size, 255, bytes(size))) + MAC <= 200
    assert size + symbol_head(ID, 4000) + MAC == 200


@pytest.mark.parametrize(
    "limits",
    [
        Limits(mtu=200, rate=400.0, broadcast=False, cost=9),
        Limits(mtu=65_000, rate=1e6, broadcast=True, cost=0),
        Limits(mtu=200, rate=400.0, broadcast=True, two_way=False, cost=3),
    ],
)
def test_other_lines_carry_pieces(limits: Limits) -> None:
    assert not mends(line(limits)) and size_on(line(limits), ID, 4000) == 0


@settings(deadline=None, max_examples=40)
@given(st.sets(st.integers(0, 60), min_size=22, max_size=40))
def test_any_twenty_two_symbols_are_the_block(places: set[int]) -> None:
    assembly, found = Assembly(1 << 20), None
    for count, symbol in enumerate(symbols(182, *places), 1):
        found = assembly.add(symbol, "lora", 1.0)
        assert (found is None) == (count < 22)
        if found is not None:
            break
    assert found is not None and found[0] == BLOCK and found[1] == 5
    assert assembly.bytes == 0 and len(assembly) == 0


def test_symbols_of_another_size_and_too_many_of_them_take_no_memory() -> None:
    assembly = Assembly(1 << 20)
    for symbol in symbols(182, 30, 31, 32):
        assembly.add(symbol, "lora", 1.0)
    held = assembly.bytes
    for symbol in symbols(170, 40, 41):
        assembly.add(symbol, "lora", 2.0)
    assert assembly.bytes == held
    assembly.drop(ID)
    assert assembly.bytes == 0


def test_the_first_sending_is_everything_and_what_losses_will_take() -> None:
    mender, target, lora = Mender(random.Random(2)), Target(5), line()
    first = mender.plan(lora, ID, 22, [target])
    assert first[:22] == list(range(22)) and all(22 <= at < 256 for at in first[22:]) and len(first) > 22
    lacked(lora, target, ID, 4)
    more = mender.plan(lora, ID, 22, [target])
    assert 4 <= len(more) <= 16 and not set(more) & set(first)


def test_without_an_answer_little_is_sent_and_with_one_as_much_as_is_lacked() -> None:
    mender, lora = Mender(random.Random(2)), line()
    near, far = Target(5), Target(6)
    mender.plan(lora, ID, 22, [near, far])
    assert 1 <= len(mender.plan(lora, ID, 22, [near, far])) <= 16
    lacked(lora, near, ID, 1)
    lacked(lora, far, ID, 9)
    assert len(mender.plan(lora, ID, 22, [near, far])) >= 9, "the neediest decides"


def test_losses_are_learnt_and_bounded() -> None:
    lora, target = line(), Target(5)
    for _ in range(50):
        target.mends[ID] = Mend(22, 30)
        lacked(lora, target, ID, 22 - 15)
    assert lora.losses.share == pytest.approx(0.5, abs=0.02) and lora.losses.sent < 260
    for _ in range(50):
        target.mends[ID] = Mend(22, 30)
        lacked(lora, target, ID, 500)
    assert lora.losses.share == 0.8


def test_nothing_more_is_sent_once_nobody_lacks_it() -> None:
    lora, target = line(), Target(5)
    sending = Sending(ID, BLOCK, 0.0, 0.0, Ranges(), [target, lora.anyone])
    assert not awaited(sending, lora)
    target.lease(ID, Lease("lora", 100.0, 0.0, 4000))
    assert awaited(sending, lora)


def test_what_is_unfinished_is_told_again_with_patience() -> None:
    assembly = Assembly(1 << 20)
    for symbol in symbols(182, 0, 1, 30):
        assembly.add(symbol, "lora", 10.0)
    ((_, got, spare),) = assembly.stalled("lora", 12.0, 12.0)
    (part,) = read_parts(write_partial(4, ID, got, spare))
    assert isinstance(part, Partial) and part.spare == 1 and list(part.got) == [(0, 363)]
    waits = [assembly.told(ID, 12.0, lambda asks: 2.0**asks) for _ in range(8)]
    assert waits[:3] == [13.0, 14.0, 16.0] and waits[-1] == float("inf"), "and not for ever"
    assert not list(assembly.stalled("lora", 9.0, 12.0))


@pytest.mark.parametrize(("total", "size"), [(4000, 0), (100, 200), (200_000, 182)])
def test_no_symbol_of_a_block_that_has_none(total: int, size: int) -> None:
    with pytest.raises(DecodeError):
        read_parts(write_symbol(ID, 0.0, total, size, 3, bytes(size)))


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_rubbish_is_refused(data: bytes) -> None:
    try:
        read_parts(b"\xdc" + data)
    except DecodeError:
        return

"""A block read aloud survives misheard and missed groups, and nothing wrong is ever taken for right silently."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware.errors import DecodeError
from radios.groups import MOST_BYTES, PRIME, checks, data_groups, decode, encode, lines


def test_forty_bytes_are_thirty_groups() -> None:
    assert len(encode(bytes(range(40)))) == 30
    assert len(encode(b"\xff" * 40)) == 30


def test_golden_vector() -> None:
    """docs/wire/paper-and-voice.md carries the same."""
    assert encode(b"sanduan") == ["7964", "9609", "6624", "5655", "0010", "9551", "0910", "7165", "8164", "0336"]


@settings(max_examples=60, deadline=None)
@given(st.binary(min_size=1, max_size=60))
def test_round_trip(block: bytes) -> None:
    assert decode(encode(block)) == (block, [])


@settings(max_examples=60, deadline=None)
@given(st.binary(min_size=1, max_size=40), st.randoms(use_true_random=False))
def test_two_misheard_and_one_missed_are_repaired(block: bytes, chance: random.Random) -> None:
    groups = encode(block)
    hurt = sorted(chance.sample(range(len(groups)), 3))
    for at in hurt[:2]:
        groups[at] = f"{(int(groups[at]) + chance.randrange(1, PRIME)) % PRIME:04d}"
    groups[hurt[2]] = "??"
    assert decode(groups) == (block, [at + 1 for at in hurt])


def test_five_missing_are_repaired_and_six_are_refused_in_words() -> None:
    groups = encode(b"0123456789" * 4)
    for at in (0, 7, 13, 22, 29):
        groups[at] = ""
    assert decode(groups)[0] == b"0123456789" * 4
    groups[3] = ""
    with pytest.raises(DecodeError, match="6 groups are missing"):
        decode(groups)


@settings(max_examples=8, deadline=None)
@given(st.binary(min_size=12, max_size=40), st.randoms(use_true_random=False))
def test_three_wrong_digits_that_nobody_marked_are_repaired(block: bytes, chance: random.Random) -> None:
    groups = encode(block)
    hurt = sorted(chance.sample(range(len(groups)), 3))
    for at in hurt:
        place = 10 ** chance.randrange(4)
        digit = int(groups[at]) // place % 10
        groups[at] = f"{int(groups[at]) + ((digit + chance.randrange(1, 10)) % 10 - digit) * place:04d}"
    assert decode(groups) == (block, [at + 1 for at in hurt])


def test_four_wrong_digits_are_found_and_repaired_once_three_are_marked() -> None:
    block = bytes(range(40))
    groups = encode(block)
    for at in (2, 11, 17, 25):
        groups[at] = f"{(int(groups[at]) + 10) % 10000:04d}"
    with pytest.raises(DecodeError, match="too many groups are wrong"):
        decode(groups)
    groups[2] = groups[11] = groups[17] = ""
    assert decode(groups) == (block, [3, 12, 18, 26])


@settings(max_examples=25, deadline=None)
@given(st.binary(min_size=1, max_size=40), st.randoms(use_true_random=False), st.booleans())
def test_a_group_left_out_or_doubled_is_placed(block: bytes, chance: random.Random, also_wrong: bool) -> None:
    """Nobody said "missing": whoever wrote skipped one, or wrote one twice; and perhaps misheard another."""
    groups = encode(block)
    at, twice = chance.randrange(len(groups)), chance.random() < 0.5
    if also_wrong:
        hurt = chance.randrange(len(groups))
        groups[hurt] = f"{(int(groups[hurt]) + 1000) % PRIME:04d}"
    if twice:
        groups.insert(at, groups[at])
    else:
        del groups[at]
    try:
        got, repaired = decode(groups)
    except DecodeError as error:  # at the very ends two blocks may fit as well: then none is taken
        assert "two blocks" in str(error) and not 2 <= at < len(groups) - 2
    else:
        assert got == block and (repaired or twice)


def test_a_group_put_in_from_another_letter_is_dropped() -> None:
    groups = encode(bytes(range(40)))
    groups.insert(7, "4711")
    assert decode(groups) == (bytes(range(40)), [8])
    del groups[7], groups[19]
    assert decode(groups) == (bytes(range(40)), [20])


def test_a_group_left_out_of_a_long_message_is_placed() -> None:
    groups = encode(bytes(range(100)))
    del groups[57]
    assert decode(groups) == (bytes(range(100)), [58])


def test_two_left_out_are_found_but_not_placed() -> None:
    groups = encode(bytes(range(40)))
    del groups[20], groups[4]
    with pytest.raises(DecodeError, match="too many groups are wrong"):
        decode(groups)
    groups.insert(4, "?")
    assert decode(groups) == (bytes(range(40)), [5, 21])


def test_where_two_blocks_fit_as_well_none_is_taken() -> None:
    groups = encode(bytes(range(40)))
    for at in (0, 7, 13, 22):
        groups[at] = ""
    groups[3] = f"{(int(groups[3]) + 1) % PRIME:04d}"
    with pytest.raises(DecodeError, match="too many groups are wrong"):
        decode(groups)


@pytest.mark.parametrize("size", [1, 13, 40, 78, 200, MOST_BYTES])
def test_every_length_names_its_own_data(size: int) -> None:
    groups = encode(b"\xa5" * size)
    assert data_groups(len(groups)) + checks(data_groups(len(groups))) == len(groups)
    assert decode(groups)[0] == b"\xa5" * size


def test_nonsense_is_refused() -> None:
    chance = random.Random(5)
    for count in range(0, 40, 3):
        groups = [f"{chance.randrange(10000):04d}" for _ in range(count)]
        with pytest.raises(DecodeError):
            decode(groups)


def test_written_in_numbered_lines_of_five() -> None:
    assert lines(["0001"] * 7) == [" 1  0001 0001 0001 0001 0001", " 2  0001 0001"]

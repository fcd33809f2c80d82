"""Hole records: the page's vector, the way there and back, and everything else refused."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.errors import DecodeError
from sync.holes import REASONS, decode_holes, encode_holes
from sync.ids import Lane
from sync.records import Hole

PAGE = Path(__file__).parents[2] / "docs/wire/holes.md"
VECTOR = Hole(3, 0x1A2B, Lane.HISTORY, 5, 9, "replaced", 4000)
LARGEST = (1 << 42) - 1


def test_the_pages_vector() -> None:
    (line,) = re.findall(r"^    ((?:[0-9a-f]{2} )+[0-9a-f]{2})$", PAGE.read_text(encoding="utf-8"), re.M)
    assert encode_holes([VECTOR]) == bytes.fromhex(line)
    assert decode_holes(bytes.fromhex(line)) == [VECTOR]


@st.composite
def holes(draw: st.DrawFn) -> Hole:
    first, last = sorted(draw(st.tuples(st.integers(0, LARGEST), st.integers(0, LARGEST))))
    place = draw(st.tuples(st.integers(0, (1 << 14) - 1), st.integers(0, (1 << 16) - 1), st.sampled_from(Lane)))
    return Hole(*place, first, last, draw(st.sampled_from(REASONS)), draw(st.integers(0, LARGEST)))


@given(st.lists(holes(), max_size=5))
def test_there_and_back(records: list[Hole]) -> None:
    assert decode_holes(encode_holes(records)) == records


@given(st.binary(max_size=40))
def test_only_decode_errors_leave(data: bytes) -> None:
    with suppress(DecodeError):
        assert encode_holes(decode_holes(data)) == data


@pytest.mark.parametrize(
    "data", ["03ab340405", "03ab3406050400000", "03ab3404ffffffffff7f0100a01f", "03ab340405040202"]
)
def test_cut_short_or_out_of_range(data: str) -> None:
    with pytest.raises(DecodeError):
        decode_holes(bytes.fromhex(data + "0" * (len(data) % 2)))

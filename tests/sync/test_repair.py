"""Repair symbols: any k of 256 give the block back, whatever was lost; what is none is refused; the page's vectors hold."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware.errors import DecodeError
from sync.ranges import Ranges
from sync.repair import INDEXES, MOST, count, lacking, mendable, solve, symbol, whole_symbols

PAGE = Path(__file__).parents[2] / "docs/wire/repair.md"


def hold(block: bytes, size: int, indexes: list[int]) -> tuple[bytearray, Ranges, dict[int, bytes]]:
    """What a listener holds who got these symbols only."""
    data, got, repairs = bytearray(len(block)), Ranges(), {}
    for index in indexes:
        if index < count(len(block), size):
            end = min((index + 1) * size, len(block))
            data[index * size : end] = block[index * size : end]
            got.add(index * size, end - 1)
        else:
            repairs[index] = symbol(block, size, index)
    return data, got, repairs


@given(st.data())
@settings(deadline=None, max_examples=60)
def test_any_k_symbols_give_the_block_back_and_fewer_never(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 40))
    block = data.draw(st.binary(min_size=size + 1, max_size=min(size * 20, 600)))
    sources = count(len(block), size)
    indexes = data.draw(st.permutations(range(min(sources * 3, INDEXES))))[:sources]
    if not mendable(len(block), size):
        return
    assert solve(len(block), size, *hold(block, size, indexes)) == block
    held, got, repairs = hold(block, size, indexes[1:])
    assert solve(len(block), size, held, got, repairs) is None
    assert lacking(len(block), size, got, len(repairs)) == 1


def test_the_longest_block_with_every_source_symbol_lost() -> None:
    block = bytes(range(256)) * 10
    assert count(len(block), 20) == MOST
    assert solve(len(block), 20, *hold(block, 20, list(range(MOST, INDEXES)))) == block


def test_bytes_that_fill_no_symbol_help_nobody_and_harm_nobody() -> None:
    block = bytes(range(100))
    data, got, repairs = hold(block, 30, [0, 2, 7, 9])
    data[35:40], _ = block[35:40], got.add(35, 39)
    assert whole_symbols(100, 30, got) == [0, 2] and lacking(100, 30, got, 1) == 1
    assert solve(100, 30, data, got, repairs) == block


@pytest.mark.parametrize("repairs", [{3: bytes(30)}, {256: bytes(30)}, {-1: bytes(30)}, {5: bytes(29)}, {5: b""}])
def test_what_is_no_repair_symbol_is_refused(repairs: dict[int, bytes]) -> None:
    with pytest.raises(DecodeError):
        solve(100, 30, bytearray(100), Ranges(), repairs)


@pytest.mark.parametrize(("total", "size"), [(30, 30), (30, 0), (0, 30), (MOST * 30 + 1, 30)])
def test_a_block_too_short_or_too_long_has_none(total: int, size: int) -> None:
    assert not mendable(total, size)
    with pytest.raises(ValueError, match="no symbol"):
        symbol(bytes(total), size, 200)


def test_the_vectors_of_the_page() -> None:
    block = bytes(range(100))
    rows = re.findall(r"^\| (\d+) \| `([0-9a-f]+)` \|$", PAGE.read_text(encoding="utf-8"), re.M)
    assert len(rows) == 5
    for index, data in rows:
        assert symbol(block, 16, int(index)).hex() == data

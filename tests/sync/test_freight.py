"""Blocks behind a list of their marks: whole and the ones listed, or not at all; docs/wire/bundle.md has the vector."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware.errors import DecodeError
from sync.freight import Entry, identify, is_list, list_frame, read_list, split
from sync.ids import BlockId, Lane
from sync.log import mark_of
from sync.seal.contract import MAC

PAGE = Path(__file__).parents[2] / "docs/wire/bundle.md"
FIRST = bytes.fromhex("20120305aabbccdd")  # history 5 of node 3
SECOND = bytes.fromhex("281203060102")
BLOCKS = [FIRST, SECOND]
VECTOR = "e00002 1a22 00000008 6415ebfbc8edfbad21ad 1a22 00000006 0767554e0dfb0613c52d"


def entry(block: bytes, incarnation: int = 0x1A22) -> Entry:
    return Entry(incarnation, len(block), mark_of(block)[:10])


LIST = list_frame(map(entry, BLOCKS))
RECORD = LIST + b"MAC!" + FIRST + SECOND


def test_golden() -> None:
    assert bytes.fromhex(VECTOR) == LIST and VECTOR in PAGE.read_text("utf-8")


def test_what_is_listed_is_found_again() -> None:
    frame, freight = split(RECORD)
    assert frame == LIST + b"MAC!" and bytes(freight) == FIRST + SECOND and is_list(frame)
    entries = read_list(frame[:-MAC])
    assert entries == [entry(block) for block in BLOCKS]
    assert [identify(*pair) for pair in zip(entries, BLOCKS)] == [
        (BlockId(3, 0x1A22, Lane.HISTORY, 5), mark_of(FIRST)),
        (BlockId(3, 0x1A22, Lane.BULK, 6), mark_of(SECOND)),
    ]


def test_another_frame_has_nothing_behind_it() -> None:
    assert split(b"\xc1 an end list") == (b"\xc1 an end list", b"") and not is_list(b"\xc1") and not is_list(b"")


@pytest.mark.parametrize(
    "block", [b"", FIRST[:-1], FIRST + b"x", SECOND, FIRST[:-1] + b"?"], ids=["gone", "short", "long", "other", "bent"]
)
def test_only_the_listed_block_will_do(block: bytes) -> None:
    with pytest.raises(DecodeError, match="not the one listed"):
        identify(entry(FIRST), block)


def test_a_block_under_another_incarnation_is_refused() -> None:
    with pytest.raises(DecodeError):
        identify(entry(FIRST, 0x1A23), FIRST)


def test_a_list_cut_anywhere_is_no_list() -> None:
    for end in range(1, len(LIST) + MAC):
        with pytest.raises(DecodeError, match="cut short"):
            split(RECORD[:end])


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=80), st.sampled_from([b"\xe0", b"\xe0\x00\x01", b""]))
def test_nothing_else_leaves_the_decoder(data: bytes, kind: bytes) -> None:
    with contextlib.suppress(DecodeError):
        frame, freight = split(kind + data)
        assert bytes(frame) + bytes(freight) == kind + data
        for each in read_list(frame[:-MAC]) if is_list(frame) else ():
            identify(each, bytes(freight))

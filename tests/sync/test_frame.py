"""Frames: every part reads as it was written, cut frames are refused, and the page tells the truth."""

from __future__ import annotations

from pathlib import Path

import pytest

from hardware.errors import DecodeError
from sync.exchange import frame
from sync.exchange.frame import Behind, Delta, Digest, Got, Listing, Need, Part, Partial, Piece, Whole, read_parts
from sync.exchange.havelist import encode_entries
from sync.ids import BlockId, Header, KeyClass, Lane, Source
from sync.ranges import Ranges

PAGE = Path(__file__).parents[2] / "docs" / "wire" / "frame.md"
ID = BlockId(3, 0x1A2B, Lane.HISTORY, 5)
BLOCK = Header(0, Lane.COMMAND, KeyClass.FIELD, 1, 0xB, 7, 9).encode() + bytes.fromhex("12345678abcdef01")
WORD, DIGEST = bytes.fromhex("aabbccdd"), bytes.fromhex("112233445566")
SETS = {Source(3, 0x1A2B, Lane.HISTORY): Ranges([(0, 4)])}


def parts() -> dict[str, tuple[bytes, Part]]:
    entries, count = encode_entries(SETS, SETS, 100)
    return {
        "whole": (frame.write_whole(BlockId(7, 0x1A2B, Lane.COMMAND, 9), 5.9, BLOCK), Whole(BlockId(7, 0x1A2B, Lane.COMMAND, 9), 5, BLOCK)),
        "piece": (frame.write_piece(ID, 320, 150, 120, b"\xab\xcd"), Piece(ID, 320, 150, 120, b"\xab\xcd")),
        "digest": (frame.write_digest(3, 0, DIGEST, WORD), Digest(3, 0, DIGEST, WORD)),
        "delta": (frame.write_delta(3, 0, b"\xaa\xaa", b"\xbb\xbb", b"\x49\xe0", WORD), Delta(3, 0, b"\xaa\xaa", b"\xbb\xbb", b"\x49\xe0", WORD)),
        "list": (frame.write_listing(3, 2, DIGEST, 255, None, True, count, entries, WORD), Listing(3, 2, DIGEST, 255, None, True, tuple(SETS.items()), WORD)),
        "behind": (frame.write_behind(3), Behind(3)),
        "need": (frame.write_need(3, 0, b"\xa1\xb2"), Need(3, 0, b"\xa1\xb2")),
        "got": (frame.write_got(5, 3, 0, b"\xa1\xb2"), Got(5, 3, 0, b"\xa1\xb2")),
        "partial": (frame.write_partial(5, ID, Ranges([(0, 99), (102, 151)])), Partial(5, ID, Ranges([(0, 99), (102, 151)]))),
    }  # fmt: skip


@pytest.mark.parametrize("name", list(parts()))
def test_a_part_reads_as_it_was_written(name: str) -> None:
    clear, part = parts()[name]
    assert read_parts(clear) == (part,)
    assert read_parts(clear + clear) == (part, part)
    for end in range(1, len(clear)):
        with pytest.raises(DecodeError):
            read_parts(clear[:end])


def test_the_page_has_these_vectors() -> None:
    text = PAGE.read_text()
    for name, (clear, _) in parts().items():
        assert f"{name:8} {clear.hex()}" in text, f"{name:8} {clear.hex()}"


@pytest.mark.parametrize(
    "clear",
    [
        frame.write_piece(ID, 0, 10, 8, b"abc"),  # beyond its block
        frame.write_piece(ID, 0, 1 << 19, 0, b"abc"),  # of an absurd block
        bytes((0xC3,)) + b"\x03\x1a\x2b\x07\x05" + bytes(6),  # no such lane
        bytes((0xC3,)) + b"\x00\x1a\x2b\x04\x05" + bytes(6),  # no such origin
        frame.write_whole(ID, 0, BLOCK),  # a block under another's incarnation is caught by its low bits
        frame.write_digest(0, 0, DIGEST, WORD),  # no such node
        bytes((0xF4,)) + b"\x05\x03\xa1\xb2",  # vouched where nothing can be
        bytes((0xD8,)) + b"\x05\x03\x1a\x2b\x04\x05\x11" + bytes(40),  # more ranges than may be told
    ],
)
def test_absurd_parts_are_refused(clear: bytes) -> None:
    if clear[0] == 0xC2:
        clear = clear[:2] + b"\x2c" + clear[3:]
    with pytest.raises(DecodeError):
        read_parts(clear)


def test_a_one_row_block_stays_small() -> None:
    """27 bytes of a row, sealed, addressed and MACed: 60 bytes at most."""
    assert frame.whole_size(6 + 27 + 1 + 8, 100) + 4 <= 60

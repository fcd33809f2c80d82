"""Frames of carried media: what is written is read, what is malformed is refused, and nobody speaks for another."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware.errors import DecodeError, SealError
from sync.carried import ENDS, Carried, blocks_frame, ends_frame, read_frame
from sync.ids import BlockId, KeyClass, Lane, Source
from sync.ranges import Ranges
from sync.seal.contract import Role
from sync.seal.demo import demo_keyrings

ROLES = {1: Role.MEMBER, 2: Role.COMMAND, 3: Role.RELAY}
RINGS = demo_keyrings(b"carried", ROLES)
BLOCKS = [
    Carried(block_id, RINGS[1].seal(block_id, KeyClass.FIELD, bytes(20)))
    for block_id in (BlockId(1, RINGS[1].incarnation, lane, 300 + lane) for lane in Lane)
]
HAVE = {
    Source(1, 0xABCD, Lane.FLASH): Ranges([(0, 9), (11, 11), (1000, 2000)]),
    Source(900, 7, Lane.BULK): Ranges([(5, 1 << 41)]),
}
SOURCES = st.builds(Source, st.integers(1, 9000), st.integers(0, 65535), st.sampled_from([Lane.FLASH, Lane.HISTORY]))
SPANS = st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 50)).map(lambda pair: (pair[0], sum(pair))), max_size=8)


def test_blocks_of_every_lane() -> None:
    assert read_frame(RINGS[2], blocks_frame(BLOCKS)).blocks == BLOCKS


def test_an_end_list_of_any_node() -> None:
    for origin in RINGS:
        assert read_frame(RINGS[2], ends_frame(RINGS[origin], HAVE)).ends == (origin, HAVE)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(SOURCES, SPANS.map(Ranges), max_size=6))
def test_round_trip(have: dict[Source, Ranges]) -> None:
    assert read_frame(RINGS[2], ends_frame(RINGS[1], have)).ends == (1, have)


def test_nobody_speaks_for_another() -> None:
    frame = bytearray(ends_frame(RINGS[3], HAVE))
    frame[65] = 1  # the origin, behind the signature
    with pytest.raises(SealError):
        read_frame(RINGS[2], bytes(frame))


def test_a_revoked_node_acknowledges_nothing() -> None:
    ring = demo_keyrings(b"carried", ROLES)[2]
    frame = ends_frame(RINGS[1], HAVE)
    assert read_frame(ring, frame).ends == (1, HAVE)
    ring.enforce({1: {}}, 2)
    with pytest.raises(SealError, match="revoked"):
        read_frame(ring, frame)


def test_a_block_under_another_incarnation_is_refused() -> None:
    frame = bytearray(blocks_frame(BLOCKS[:1]))
    frame[2] ^= 1
    with pytest.raises(DecodeError):
        read_frame(RINGS[2], bytes(frame))


def test_cut_anywhere() -> None:
    for frame in (blocks_frame(BLOCKS[:2]), ends_frame(RINGS[1], HAVE)):
        for end in range(len(frame)):
            with contextlib.suppress(DecodeError, SealError):
                found = read_frame(RINGS[2], frame[:end])
                assert found.ends is None and len(found.blocks) < 2


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=60), st.sampled_from([b"\xc0", b"\xc1", b""]))
def test_nothing_else_leaves_the_decoder(data: bytes, kind: bytes) -> None:
    with contextlib.suppress(DecodeError, SealError):
        read_frame(RINGS[2], kind + data)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=40))
def test_signed_nonsense_is_refused_too(data: bytes) -> None:
    """A member's own device may be broken or turned: its signature proves who, not sense."""
    body = b"\x01" + data
    signature = RINGS[1].sign(b"sanduan end list" + RINGS[1].incident + body)
    with contextlib.suppress(DecodeError):
        node, ends = read_frame(RINGS[2], bytes((ENDS,)) + signature + body).ends or (0, {})
        assert node == 1 and all(source.lane is not Lane.PICTURE for source in ends)

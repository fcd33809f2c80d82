"""The codec's contract: what goes in comes out, and nothing but DecodeError leaves a decoder."""

from __future__ import annotations

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st

from hardware.clock import ClockQuality, Stamp
from hardware.errors import DecodeError
from hardware.observation import PROFILE_NAMED, Column, Predictor, Profile
from sync.codec import (
    decode_batches,
    decode_events,
    decode_streams,
    encode_batches,
    encode_events,
    encode_streams,
    encode_within,
)
from sync.ids import Lane, Source
from sync.records import Anchor, Batch, Event, EventId, Row, StreamInfo

ANCHOR = Anchor(301234567, 1041234567, 1_790_000_000_000)
SOURCE = Source(3, 0xBEEF, Lane.COMMAND)
INT64 = st.integers(-(2**63), 2**63 - 1)
SMALL = st.integers(-5000, 5000)


@st.composite
def profiles(draw: st.DrawFn) -> Profile:
    if draw(st.booleans()):
        return draw(st.sampled_from(sorted(PROFILE_NAMED.values(), key=lambda p: p.number)))
    column = st.builds(Column, st.integers(0, 5000), st.integers(-9, 9), st.sampled_from(Predictor))
    return Profile(draw(st.integers(0, 300)), draw(st.text(max_size=8)), tuple(draw(st.lists(column, max_size=5))))


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    profile = draw(profiles())
    width = len(profile.columns)
    start, mono = draw(st.integers(0, 2_000_000_000_000)), draw(st.integers(0, 10**9))
    rows = []
    for _ in range(draw(st.integers(0, 6))):
        step = draw(st.one_of(st.integers(0, 3000), st.integers(-(10**12), 10**12)))
        start, mono = start + step, mono + draw(st.integers(0, 2000))
        wall = draw(st.sampled_from([None, start]))
        values = draw(st.lists(st.one_of(st.none(), SMALL, INT64), min_size=width, max_size=width))
        qualities = draw(st.lists(st.integers(0, 7), min_size=width, max_size=width))
        rows.append(Row(mono, wall, draw(st.integers(0, 3)), tuple(values), tuple(qualities)))
    return Batch(draw(st.integers(0, 300)), draw(st.integers(0, 70000)), profile, tuple(rows))


def settled(batch: Batch) -> tuple[object, ...]:
    """What a batch must keep: everything, but mono only where the contract promises it."""
    rows = tuple(
        (row.mono_ms if index == 0 or row.wall_ms is None else None, *row[1:]) for index, row in enumerate(batch.rows)
    )
    return batch.stream, batch.boot, batch.profile, rows


@settings(max_examples=80, deadline=None)
@given(st.lists(batches(), max_size=3), st.sampled_from([None, ANCHOR]))
def test_rows_come_back(given_batches: list[Batch], anchor: Anchor | None) -> None:
    back = decode_batches(encode_batches(given_batches, anchor), anchor)
    assert [settled(b) for b in back] == [settled(b) for b in given_batches]


def walk(count: int) -> Batch:
    """A person walking north east, one fix a second."""
    profile = PROFILE_NAMED["walker"]
    rows = [
        Row(
            1000 * n,
            1_790_000_060_000 + 1000 * n,
            3,
            (301234567 + 97 * n, 1041234567 + 31 * n, 120, 90 + n % 3, 97, 366),
            (0,) * 6,
        )
        for n in range(count)
    ]
    return Batch(7, 1, profile, tuple(rows))


def test_budget_is_kept_and_filled() -> None:
    batch = walk(200)
    for budget in (1, 40, 63, 200, 1750):
        body, taken = encode_within([batch], ANCHOR, budget)
        assert len(body) <= budget
        if taken:
            assert settled(decode_batches(body, ANCHOR)[0])[3] == settled(batch)[3][:taken]
    assert encode_within([batch], ANCHOR, 1) == (b"", 0)


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), INT64, st.text(max_size=12), st.binary(max_size=8)),
    lambda v: st.lists(v, max_size=3),
    max_leaves=5,
)
IDS = st.builds(EventId, st.integers(0, 300), st.integers(0, 65535), st.integers(0, 10**6))
STAMPS = st.builds(
    Stamp,
    st.integers(0, 9),
    st.integers(0, 10**9),
    st.none() | st.integers(0, 2 * 10**12),
    st.sampled_from(ClockQuality),
)
EVENTS = st.builds(
    Event,
    IDS,
    st.integers(0, 300),
    st.text(max_size=8),
    st.integers(0, 10**6),
    STAMPS,
    st.dictionaries(st.integers(0, 40), VALUES, max_size=4),
    st.lists(IDS, max_size=2).map(tuple),
    st.lists(st.integers(0, 300), max_size=3).map(tuple),
    st.none() | st.integers(0, 10**6),
)


@settings(max_examples=80, deadline=None)
@given(st.lists(EVENTS, max_size=3), st.sampled_from([None, ANCHOR]))
def test_events_come_back(events: list[Event], anchor: Anchor | None) -> None:
    assert decode_events(encode_events(events, anchor, source=SOURCE), anchor, source=SOURCE) == events


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.builds(StreamInfo, st.integers(0, 300), st.text(max_size=9), st.text(max_size=9), profiles()), max_size=4
    )
)
def test_streams_come_back(infos: list[StreamInfo]) -> None:
    assert decode_streams(encode_streams(infos)) == infos


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60))
def test_noise_is_refused_with_one_exception(data: bytes) -> None:
    for head in (b"", b"\x10", b"\x11", b"\x12", b"\x13"):
        with contextlib.suppress(DecodeError):
            decode_batches(head + data, ANCHOR)
        with contextlib.suppress(DecodeError):
            decode_events(head + data, ANCHOR, source=SOURCE)
        with contextlib.suppress(DecodeError):
            decode_streams(head + data)

"""Events on the wire: whatever a body may hold comes back, an order fits one message, damage is one exception."""

from __future__ import annotations

import random
from pathlib import Path

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware.clock import ClockQuality, Stamp
from hardware.errors import DecodeError
from sync.codec import decode_events, encode_events, event_stack
from sync.events import BY_NAME, KINDS, key
from sync.ids import Lane, Source
from sync.records import Anchor, Event, EventId, Value
from tests.sync.damage import refused

ANCHOR = Anchor(335_200_000, 1_079_800_000, 1_784_290_200_000)
SOURCE = Source(3, 0xBEEF, Lane.COMMAND)
ROOM = 63
INT64 = st.integers(-(2**63), 2**63 - 1)
VALUES = st.recursive(
    st.none() | st.booleans() | INT64 | st.text(max_size=20) | st.binary(max_size=12),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=6,
)
OWN = st.builds(EventId, st.just(3), st.just(0xBEEF), st.integers(0, 2**40))
IDS = OWN | st.builds(EventId, st.integers(0, 16_383), st.integers(0, 65_535), st.integers(0, 2**62))
STAMPS = st.builds(
    Stamp,
    st.integers(0, 2**20),
    st.integers(0, 2**45),
    st.none() | st.integers(0, 2**42),
    st.sampled_from(ClockQuality),
)
EVENTS = st.builds(
    Event,
    IDS,
    st.integers(0, 2**20),
    st.sampled_from(["", "P01", "李雷"]),
    st.integers(0, 2**50),
    STAMPS,
    st.dictionaries(st.integers(0, 70), VALUES, max_size=5),
    st.lists(IDS, max_size=3).map(tuple),
    st.lists(st.integers(0, 16_383), max_size=4).map(tuple),
    st.none() | st.integers(-5, 10**9),
)


def event(kind: str, body: dict[str, Value], number: int = 412, **rest: object) -> Event:
    """An event of the block's own source, five and a half hours after the incident's start."""
    stamp = Stamp(3, 7_200_123 + 1000 * number, ANCHOR.start_ms + 19_800_456 + 1000 * number, ClockQuality.GNSS)
    named = {key(kind, name): value for name, value in body.items()}
    return Event(EventId(3, 0xBEEF, number), BY_NAME[kind].number, "P01", 2000 + number, stamp, named, **rest)  # type: ignore[arg-type]


# What docs/wire/events.md shows.
ORDER = event("order", {"text": "上游水库准备泄洪，十八点前河边的人全部撤走"}, to=(7,), valid_s=3600)
PHRASE = event("order", {"phrase": 101, "arguments": ["K12"], "deadline_s": 1800}, to=(7,), valid_s=3600)
EVACUATE = event("evacuate", {"phrase": 306, "state": 1}, valid_s=7200)
LIFT = event("evacuate", {"area": "K12", "state": 0, "of": [3, 0xBEEF, 412]}, 440, valid_s=7200)
RECEIPT = event("receipt", {"of": [1, 0x1234, 77], "state": 1}, parents=(EventId(1, 0x1234, 77),))
TWO = (event("casualty", {"card": "M1", "colour": "red"}), event("casualty", {"card": "M2", "colour": "green"}, 413))


@settings(max_examples=60, deadline=None)
@given(st.lists(EVENTS, max_size=4), st.sampled_from([None, ANCHOR]))
def test_events_come_back(events: list[Event], anchor: Anchor | None) -> None:
    assert decode_events(encode_events(events, anchor, source=SOURCE), anchor, source=SOURCE) == events
    packed = event_stack.pack(events, anchor, SOURCE)
    assert packed is None or event_stack.unpack(packed, anchor, SOURCE) == events


def test_a_small_order_fits_one_message() -> None:
    for small in (ORDER, PHRASE, EVACUATE, LIFT, RECEIPT):
        body = encode_events([small], ANCHOR, source=SOURCE)
        assert len(body) + 1 <= ROOM, "the content byte goes before it"
        assert decode_events(body, ANCHOR, source=SOURCE) == [small]
    assert len(encode_events([PHRASE], ANCHOR, source=SOURCE)) <= 34
    assert len(encode_events([EVACUATE], ANCHOR, source=SOURCE)) <= 28


def test_the_disaster_report_as_an_event_fits_one_message() -> None:
    figures = (48_213, 23, 6, 412, 15_873, 640, 3120, 1875, 5214, 11_034, 38_742, 12_055, 125_631, 24_305)
    when = {"disaster": 6, "division": "610722104", "occurred": 29_739_130, "until": 29_739_870}
    report = event("report", {"form": 1, "indicators": list(figures), "stage": 1, "serial": 3, **when})
    body = encode_events([report], ANCHOR, source=SOURCE)
    assert len(body) + 1 <= ROOM
    (back,) = decode_events(body, ANCHOR, source=SOURCE)
    assert back.body == report.body


def test_many_events_cost_little_each() -> None:
    cards = [event("casualty", {"card": f"M{at}", "colour": "yellow"}, 412 + at) for at in range(31)]
    body = encode_events(cards, ANCHOR, source=SOURCE)
    assert decode_events(body, ANCHOR, source=SOURCE) == cards and len(body) <= 31 * 13
    crowd = [event("message", {"text": f"第{at}组到达"}, at) for at in range(300)]
    assert decode_events(encode_events(crowd, ANCHOR, source=SOURCE), ANCHOR, source=SOURCE) == crowd


def test_what_the_stack_cannot_hold_takes_the_other_way() -> None:
    deep: Value = 1
    for _ in range(event_stack.MAX_DEPTH + 2):
        deep = [deep]
    for odd in (
        event("message", {"text": "水" * 600}), Event(EventId(3, 0xBEEF, 1), 1, "", 1, ORDER.time, {-3: 1}),
        Event(EventId(3, 0xBEEF, 1), 1, "", 1, ORDER.time, {2000: 1}), event("message", {"text": deep}),
        event("message", {"text": bytes(2000)}),
    ):  # fmt: skip
        assert event_stack.pack([odd], ANCHOR, SOURCE) is None
        assert decode_events(encode_events([odd], ANCHOR, source=SOURCE), ANCHOR, source=SOURCE) == [odd]


def test_kinds_have_words_in_both_languages_and_keys_that_stay() -> None:
    assert len(KINDS) == len(BY_NAME) and all(kind.zh and kind.en and kind.name for kind in KINDS.values())
    assert key("report", "form") == 0 and key("report", "stage") == 3 and key("force", "subjects") == 1
    with pytest.raises(KeyError):
        key("order", "colour")


def test_the_pages_vectors() -> None:
    page = (Path(__file__).parents[2] / "docs/wire/events.md").read_text(encoding="utf-8")
    for events in ([ORDER], [PHRASE], [EVACUATE], [LIFT], [RECEIPT], list(TWO)):
        body = encode_events(events, ANCHOR, source=SOURCE)
        assert f"`{body.hex()}`" in page, body.hex()
    for kind in KINDS.values():
        keys = ", ".join(f"{number} {name}" for number, name in kind.keys.items())
        assert f"| {kind.number} | `{kind.name}` | {kind.lane.name.lower()} | {kind.zh} | {keys} |" in page, kind


def broken(count: int, seed: int) -> None:
    rng = random.Random(seed)
    crowd = [event("message", {"text": f"{rng.randrange(10**6)}"}, at) for at in range(80)]
    bodies = [
        encode_events(events, ANCHOR, source=SOURCE) for events in ([ORDER], [PHRASE], [RECEIPT], list(TWO), crowd)
    ]
    assert {body[0] & 15 for body in bodies} == {1, 2}

    def decode(body: bytes) -> None:
        for each in decode_events(body, ANCHOR, source=SOURCE):
            assert -(2**63) <= each.lamport < 2**63

    assert refused(decode, bodies, count, seed) > count // 4


def test_damage_is_one_exception() -> None:
    broken(3000, 1)
    for body in (b"\x12", b"\x12" + b"\xff" * 5000, b"\x13abc", b"\x22"):
        if body != b"\x12":
            with pytest.raises(DecodeError):
                decode_events(body, ANCHOR, source=SOURCE)


@pytest.mark.parametrize(
    "change",
    [
        {5: {0: 1.5}},
        {5: {0: {1: 2}}},
        {5: {0: msgpack.ExtType(5, b"x")}},
        {5: {0: 2**63}},
        {5: {0: [[1.0]]}},
        {1: -1},
        {0: [-1]},
        {7: [-7]},
    ],
    ids=str,
)
def test_packed_events_hold_nothing_that_a_body_may_not(change: dict[int, object]) -> None:
    row = [[1], 1, "", 1, [1, 1, None, 3], {0: [1, "a", b"b", None, True]}, [], [], None]
    assert len(decode_events(b"\x10" + msgpack.packb([row]), ANCHOR, source=SOURCE)) == 1
    odd = [change.get(at, value) for at, value in enumerate(row)]
    with pytest.raises(DecodeError):
        decode_events(b"\x10" + msgpack.packb([odd]), ANCHOR, source=SOURCE)


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_damage_is_one_exception_a_million_times() -> None:
    broken(1_000_000, 2)

"""Fixed forms in report events: identical after decoding, short enough for one message, on the page's vectors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sync.codec import decode_events, encode_events, event_stack
from sync.codec.ends import Writing
from sync.codec.report import DISASTERS, EPOCH_MIN, FORMS, MAX_INDICATORS, STAGES, Report, fill, join, split
from sync.events import key
from sync.records import Event, Value
from tests.sync.damage import refused
from tests.sync.test_events import ANCHOR, ROOM, SOURCE, VALUES, event

TIMES = st.none() | st.integers(EPOCH_MIN, EPOCH_MIN + (1 << 24) - 1)
REPORTS = st.builds(
    Report,
    st.integers(0, 15),
    st.lists(st.none() | st.integers(0, 2**47) | st.integers(0, 300), max_size=MAX_INDICATORS).map(tuple),
    st.integers(0, len(STAGES) - 1),
    st.integers(0, 1023),
    st.sampled_from(["", "610722", "610722104", "610722104203", "000001"]),
    st.integers(0, 31),
    TIMES,
    TIMES,
)
# A county in a great earthquake, a township in a flood, the first report of the exercise, a shelter. docs/wire/report.md has them.
COUNTY = Report(
    1, (48_213, 23, 6, 412, 15_873, 640, 3120, 1875, 5214, 11_034, 38_742, 12_055, 125_631, 24_305),
    1, 3, "610722104", 6, 29_739_130, 29_739_130 + 740,
)  # fmt: skip
TOWN = Report(
    1, (1260, 0, 1, 4, 520, 17, 310, 12, 31, 88, 140, 60, 870, 215), 0, 1, "610722104", 2, 29_739_130, 29_739_210,
)  # fmt: skip
BARE = Report(1, (3, 31, 420, 260, 180, 5, 9, 14, 3, 46, 2, 640, 12, 7))
SHELTER = Report(
    2, (640, 640, 212, 131, 96, 14, 7, 12, 52, None, 25, 30, 12, 0), 1, 2, "610722104203", 6, None, 29_739_800
)
PAGE = (COUNTY, TOWN, BARE, SHELTER)


def told(report: Report, **more: Value) -> Event:
    """The event that says it."""
    said = event("report", more)
    return replace(said, body=join(report, said.body))


def packed(report: Report, **more: Value) -> bytes:
    return encode_events([told(report, **more)], ANCHOR, source=SOURCE)


def read(body: bytes) -> Report:
    (back,) = decode_events(body, ANCHOR, source=SOURCE)
    report, _ = split(back.body)
    assert report is not None
    return report


@settings(max_examples=200, deadline=None)
@given(REPORTS)
def test_forms_come_back(report: Report) -> None:
    assert read(packed(report)) == report


@settings(max_examples=200, deadline=None)
@example(Report(0, (), 0, 0, "", 0, None, None), {5: []}, set())
@given(REPORTS, st.dictionaries(st.integers(0, 12), VALUES, max_size=4), st.sets(st.integers(0, 8), max_size=3))
def test_any_other_body_comes_back_too(report: Report, other: dict[int, Any], left_out: set[int]) -> None:
    body = {number: value for number, value in {**join(report, {}), **other}.items() if number not in left_out}
    odd = replace(event("report", {}), body=body)
    assert decode_events(encode_events([odd, odd], ANCHOR, source=SOURCE), ANCHOR, source=SOURCE) == [odd, odd]


def test_fourteen_indicators_fit_one_message_with_their_place_and_times() -> None:
    form = FORMS[1]
    assert form.zh == "灾情快报" and len(form.indicators) == 14
    for report, most in zip(PAGE, (56, 48, 41, 44), strict=True):
        assert len(packed(report)) + 1 <= most <= ROOM, "the content byte goes before it"
        assert event_stack.unpack(packed(report)[1:], ANCHOR, SOURCE) == [told(report)]


def test_unknown_is_not_zero_and_lines_have_names_in_both_languages() -> None:
    assert read(packed(Report(1, (None, 0, *[None] * 12)))).indicators[:2] == (None, 0)
    named = COUNTY.lines()
    assert named[0][0].zh == "受灾人口" and named[0][1] == 48_213 and named[4][0].en == "urgently evacuated"
    later = read(packed(Report(1, (*COUNTY.indicators, 7, None))))
    assert later.lines()[14][0].en == "line 15" and later.indicators[14:] == (7, None)
    assert Report(9, (1,)).lines()[0][0].zh == "第1项"


def test_what_no_form_holds_is_none_and_travels_as_any_body() -> None:
    good = (1,) * 14
    for report in (
        Report(1, good, division="61072"), Report(1, good, division="61072x"), Report(1, good, stage=4), Report(16, good),
        Report(1, (-1,)), Report(1, (2**50,)), Report(1, good, serial=5000), Report(1, (1,) * 40),
        Report(1, good, occurred=5), Report(1, good, disaster=32), Report(1, good, division="六一〇七二二"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"\w"):
            fill(Writing(), report)
        assert split(join(report, {}))[0] is None
        assert decode_events(packed(report), ANCHOR, source=SOURCE) == [told(report)]
    assert split({**join(COUNTY, {}), key("report", "disaster"): True})[0] is None
    assert split({key("report", "form"): 1})[0] is None


def test_the_pages_vectors() -> None:
    page = (Path(__file__).parents[2] / "docs/wire/report.md").read_text(encoding="utf-8")
    for report in PAGE:
        assert f"{len(packed(report))} bytes `{packed(report).hex()}`" in page, packed(report).hex()
    for form in FORMS.values():
        for at, line in enumerate(form.indicators):
            row = f"| {at} | `{line.name}` | {line.zh} | {line.en} | {line.unit} | {line.exponent} | {line.bits} |"
            assert row in page, row
    for at, (zh, en) in enumerate(DISASTERS):
        assert f"{at} {zh} {en}" in page


def broken(count: int, seed: int) -> None:
    bodies = [packed(report) for report in PAGE]

    def decode(body: bytes) -> None:
        for each in decode_events(body, ANCHOR, source=SOURCE):
            report, _ = split(each.body)
            assert report is None or len(report.indicators) <= MAX_INDICATORS

    assert refused(decode, bodies, count, seed) > count // 4


def test_damage_is_one_exception() -> None:
    broken(10_000, 1)


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_damage_is_one_exception_a_million_times() -> None:
    broken(1_000_000, 2)

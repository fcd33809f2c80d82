"""Fixed forms: identical after decoding, short enough for one message, on the page's vectors; damage is one exception."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware.errors import DecodeError
from sync.codec.report import (
    DISASTERS,
    EPOCH_MIN,
    FORMS,
    MAX_INDICATORS,
    STAGES,
    Report,
    decode_report,
    encode_report,
)
from tests.sync.damage import refused

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


@settings(max_examples=200, deadline=None)
@given(REPORTS)
def test_forms_come_back(report: Report) -> None:
    assert decode_report(encode_report(report)) == report


def test_fourteen_indicators_in_forty_bytes() -> None:
    form = FORMS[1]
    assert form.zh == "灾情快报" and len(form.indicators) == 14
    assert len(encode_report(COUNTY)) <= 40
    assert len(encode_report(TOWN)) <= 32
    assert len(encode_report(BARE)) <= 24
    assert len(encode_report(SHELTER)) <= 40
    greatest = (
        46_250_000,
        69_227,
        17_923,
        374_643,
        15_106_341,
        83_988,
        9_870_000,
        7_967_000,
        24_540_000,
        31_000_000,
        92_000,
        41_000,
        84_514_000,
        3_120_000,
    )
    assert len(encode_report(Report(1, greatest, 2, 99, "510000", 6, EPOCH_MIN, EPOCH_MIN + 40_000))) <= 63, (
        "one message still"
    )


def test_unknown_is_not_zero_and_lines_have_names_in_both_languages() -> None:
    report = Report(1, (None, 0, *[None] * 12))
    assert decode_report(encode_report(report)).values[:2] == (None, 0)
    named = COUNTY.lines()
    assert named[0][0].zh == "受灾人口" and named[0][1] == 48_213 and named[4][0].en == "urgently evacuated"
    later = decode_report(encode_report(Report(1, (*COUNTY.values, 7, None))))
    assert later.lines()[14][0].en == "line 15" and later.values[14:] == (7, None)
    assert Report(9, (1,)).lines()[0][0].zh == "第1项"


def test_what_no_form_holds_is_refused_at_the_door() -> None:
    good = (1,) * 14
    for report in (
        Report(1, good, division="61072"), Report(1, good, division="61072x"), Report(1, good, stage=4), Report(16, good),
        Report(1, (-1,)), Report(1, (2**50,)), Report(1, good, serial=5000), Report(1, (1,) * 40),
        Report(1, good, occurred_min=5), Report(1, good, disaster=32),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"\w"):
            encode_report(report)


def test_the_pages_vectors() -> None:
    page = (Path(__file__).parents[2] / "docs/wire/report.md").read_text(encoding="utf-8")
    for report in (COUNTY, TOWN, BARE, SHELTER):
        assert f"`{encode_report(report).hex()}`" in page, encode_report(report).hex()
    for form in FORMS.values():
        for at, line in enumerate(form.indicators):
            row = f"| {at} | `{line.name}` | {line.zh} | {line.en} | {line.unit} | {line.exponent} | {line.bits} |"
            assert row in page, row
    for at, (zh, en) in enumerate(DISASTERS):
        assert f"{at} {zh} {en}" in page


def broken(count: int, seed: int) -> None:
    bodies = [encode_report(report) for report in (COUNTY, TOWN, BARE, SHELTER)]

    def decode(body: bytes) -> None:
        report = decode_report(body)
        assert len(report.values) <= MAX_INDICATORS and all(value is None or value >= 0 for value in report.values)

    assert refused(decode, bodies, count, seed) > count // 4


def test_damage_is_one_exception() -> None:
    broken(10_000, 1)
    with pytest.raises(DecodeError, match="version"):
        decode_report(b"")


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_damage_is_one_exception_a_million_times() -> None:
    broken(1_000_000, 2)

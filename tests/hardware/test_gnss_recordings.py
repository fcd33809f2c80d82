"""Real receivers' recordings against numbers counted by another program and by gpsd (tests/data/gnss/expected.json)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hardware.gnss.receiver import Receiver
from hardware.gnss.replay import replay
from hardware.gnss.satellites import Constellation

DATA = Path(__file__).parent.parent / "data/gnss"
EXPECTED: dict[str, dict[str, Any]] = json.loads((DATA / "expected.json").read_text(encoding="utf-8"))
# beidou-bd, bt451: gpsd gives no position for the first epoch after the fix came, since it waits for a full cycle.
MORE_FIXES_THAN_GPSD = {"beidou-bd.log": 1, "bt451.log": 1}


@pytest.mark.parametrize("name", EXPECTED)
def test_counts_and_fix_times(name: str) -> None:
    raw, gpsd = EXPECTED[name]["from_raw_sentences"], EXPECTED[name]["from_gpsd_chk"]
    *rows, last = replay(DATA / name)
    fixes = gpsd["distinct_fix_times"] + MORE_FIXES_THAN_GPSD.get(name, 0)
    good, bad = raw["sentences_checksum_ok"], raw["sentences_checksum_bad"]
    assert last == {"summary": {"file": name, "sentences_good": good, "sentences_bad": bad, "fixes": fixes}}
    assert len({row["time"] for row in rows}) == len(rows) == fixes
    assert gpsd["first_fix_time"] in [row["time"] for row in rows[:2]]
    assert rows[0]["lat"] == pytest.approx(raw["first_position"][0], abs=2e-6)
    assert rows[-1]["lon"] == pytest.approx(raw["last_position"][1], abs=2e-6)


@pytest.mark.parametrize("name", EXPECTED)
def test_in_view_and_used_agree_with_gpsd(name: str) -> None:
    receiver, fixes = Receiver(), []
    for line in (DATA / name).read_bytes().splitlines(keepends=True):
        fixes += receiver.feed(line)
    gpsd = EXPECTED[name]["from_gpsd_chk"]
    assert max(fix.in_view.get(Constellation.BEIDOU, 0) for fix in fixes) in range(
        gpsd["max_beidou_satellites_in_a_sky"] - 1, gpsd["max_beidou_satellites_in_a_sky"] + 3
    )


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_the_cut_of_reads_changes_nothing(size: int) -> None:
    data = (DATA / "quectel-l76k-dual.log").read_bytes()[:40000]
    whole, cut = Receiver(), Receiver()
    once = list(whole.feed(data))
    pieces = [fix for at in range(0, len(data), size) for fix in cut.feed(data[at : at + size])]
    assert pieces == once
    assert (cut.framer.good, cut.framer.bad) == (whole.framer.good, whole.framer.bad)

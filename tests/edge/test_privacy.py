"""Vital signs go when policy says so, with the sealed blocks that brought them; everything else stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.privacy import DAY_MS, Privacy
from edge.store.log import StoreLog
from edge.store.reader import Reader
from edge.store.store import Store
from hardware.clock import ManualClock
from hardware.observation import PROFILE_NAMED, Observation
from sync.events import BY_NAME, key
from sync.ids import Lane
from sync.records import Value
from sync.seal.contract import Role
from sync.seal.demo import demo_keyring


def test_old_vital_signs_go_and_nothing_else(tmp_path: Path) -> None:
    clock = ManualClock(1000.0, 1_790_000_000_000)
    store = Store.open(tmp_path / "a.db", 2, clock=lambda boot: clock, ballast=0, machine=tmp_path / "id")
    log = StoreLog(store, demo_keyring(b"privacy", {1: Role.COMMAND, 2: Role.MEMBER}, 2, store.life.incarnation))

    def measure(profile: str) -> None:
        shape = PROFILE_NAMED[profile]
        items = [Observation("P1", "dev/P1", shape, clock.stamp(), tuple(60 for _ in shape.columns)) for _ in range(20)]
        store.write(items).result()
        while log.cut(Lane.HISTORY, 400, 8):
            pass

    def count(sql: str) -> int:
        reader = Reader(store.path, 2)
        try:
            return int(reader._rows(sql)[0][0])
        finally:
            reader.close()

    measure("wearable")
    measure("gauge")
    clock.advance(8 * 86_400)
    measure("wearable")
    blocks = count("SELECT count(*) FROM payload")
    assert Privacy(store, log, 0).sweep() == 0
    privacy = Privacy(store, log, 7)
    assert privacy.sweep() == 20 and privacy.sweep() == 0
    vital = "SELECT count(*) FROM observation WHERE vital = "
    assert (count(vital + "1"), count(vital + "0")) == (20, 20)
    assert count("SELECT count(*) FROM payload") < blocks
    assert count("SELECT min(wall_ms) FROM observation WHERE vital = 1") >= 1_790_000_000_000 + 7 * DAY_MS
    log.close()
    store.close()


def test_without_a_clock_nothing_is_old(tmp_path: Path) -> None:
    clock = ManualClock(1000.0)
    store = Store.open(tmp_path / "a.db", 2, clock=lambda boot: clock, ballast=0, machine=tmp_path / "id")
    log = StoreLog(store, demo_keyring(b"privacy", {1: Role.COMMAND, 2: Role.MEMBER}, 2, store.life.incarnation))
    assert Privacy(store, log, 1).sweep() == 0
    log.close()
    store.close()


@pytest.mark.parametrize(
    ("rule", "figures"),
    [
        (1, False),
        ("vital.spo2", False),
        (14, True),
        ("gas.co", True),
        (20, True),
        ("hr", False),
        (None, False),
        ([1], False),
    ],
)
def test_an_alarm_tells_no_vital_sign_whoever_writes_it(tmp_path: Path, rule: Value, figures: bool) -> None:
    store = Store.open(tmp_path / "a.db", 2, ballast=0, machine=tmp_path / "id")
    body: dict[int, Value] = {key("alarm", "subject"): "P03", key("alarm", "rule"): rule,
                              key("alarm", "value"): 191, key("alarm", "limit"): 180}  # fmt: skip
    told = store.write_event(BY_NAME["alarm"].number, "", body).result().body
    store.close()
    assert told[key("alarm", "subject")] == "P03"
    assert (key("alarm", "value") in told, key("alarm", "limit") in told) == (figures, figures)

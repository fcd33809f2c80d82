"""Captured keys, mutated frames and replayed days: short here, in full by `make campaign`; docs/campaign.md has the last report."""

from __future__ import annotations

import json

import pytest

from bench.forgeries import ATTACKERS, COUNTS, forge, replay
from bench.seal import mutated
from sync.seal.guomi import SUITE_2
from sync.seal.suite import SUITE_1, Suite

SEED = 20261125
SUITES = pytest.mark.parametrize("suite", [SUITE_1, SUITE_2], ids=["suite1", "suite2"])


def report(name: str, **figures: object) -> None:
    """One line of the report."""
    print(json.dumps({name: figures}))


@pytest.mark.parametrize("attacker", ATTACKERS)
def test_captured_keys_forge_nobody(attacker: str) -> None:
    assert not any(forge(attacker, 400, SEED)[name] for name in COUNTS)


def test_the_counts_can_see() -> None:
    """With central's own keys everything would succeed that the campaign counts."""
    found = forge("command", 200, SEED)
    assert all(found[name] for name in ("above_member", "orders", "acknowledgements", "digests", "trust_changed"))


def test_a_replayed_day_changes_nothing() -> None:
    found = replay(60, SEED)
    assert found["rows"] > 200 and found["events"] > 100
    assert (found["new_rows"], found["alarms_again"]) == (0, 0)


@SUITES
def test_mutants_are_refused(suite: Suite) -> None:
    assert mutated(suite, 2_000, SEED) == 0


@pytest.mark.campaign
@SUITES
@pytest.mark.parametrize("part", range(10))
def test_a_million_mutants(suite: Suite, part: int) -> None:
    accepted = mutated(suite, 100_000, SEED + part)
    report("mutants", suite=suite.number, part=part, tried=100_000, accepted=accepted)
    assert accepted == 0


@pytest.mark.campaign
@pytest.mark.parametrize("attacker", ATTACKERS)
@pytest.mark.parametrize("part", range(10))
def test_a_hundred_thousand_forgeries(attacker: str, part: int) -> None:
    found = forge(attacker, 10_000, SEED + part)
    report("forgeries", attacker=attacker, part=part, **found)
    assert not any(found[name] for name in COUNTS)


@pytest.mark.campaign
@pytest.mark.parametrize("part", range(10))
def test_a_recorded_day_three_times(part: int) -> None:
    found = replay(10_000, SEED + part)
    report("replay", part=part, **found)
    assert (found["new_rows"], found["alarms_again"]) == (0, 0)

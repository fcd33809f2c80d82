"""The exercise as a machine: real stores, seals and sticks under virtual time; one seed, one trace; judges that can say no."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edge.exercise.run import run
from edge.exercise.scenario import Scenario, load
from edge.exercise.talkers import exchange
from hardware.errors import ConfigError

RIDGE = Path(__file__).with_name("ridge.toml")
SMALL = """
[exercise]
name = "small"
start = 2026-07-17T20:10:00+08:00
lat = 33.5
lon = 108.3
hours = 1
[nodes]
V1 = {origin = 1, role = "agent", people = 2, devices = ["fix"], command = true}
R1 = {origin = 11, role = "unit", people = 3}
TENT = {origin = 3, role = "agent"}
PROV = {origin = 100, role = "central"}
[[links]]
name = "lora"
members = ["V1", "R1", "TENT"]
mtu = 200
rate = 300
broadcast = true
loss = "given"
duplicate = 0.1
reorder_s = 20
[[timeline]]
at = "0:01"
do = "muster"
until = "0:05"
[[timeline]]
at = "0:10"
do = "alarm"
node = "R1"
key = "gas"
subject = "R1-2"
[[timeline]]
at = "0:15"
do = "power cut"
node = "V1"
back_s = 20
rtc = 2000-01-01T00:00:00Z
[[timeline]]
at = "0:20"
do = "evacuate"
node = "V1"
key = "go"
area = "C"
to = ["V1", "R1"]
[[timeline]]
at = "0:25"
do = "stranger"
link = "lora"
node = "R1"
[[timeline]]
at = "0:26"
do = "replay"
link = "lora"
node = "TENT"
[[timeline]]
at = "0:30"
do = "load"
node = "TENT"
mule = "M"
for = ["PROV"]
[[timeline]]
at = "0:40"
do = "unload"
node = "PROV"
mule = "M"
back = "M"
for = ["TENT"]
[[timeline]]
at = "0:50"
do = "unload"
node = "TENT"
mule = "M"
[[checkpoints]]
at = "0:05"
name = "muster"
judge = "muster"
[[checkpoints]]
at = "0:12"
name = "alarm"
judge = "alarms"
keys = ["gas"]
to = "TENT"
within_s = 120
[[checkpoints]]
at = "0:12"
name = "alarm at the province, which no link reaches yet"
judge = "alarms"
keys = ["gas"]
to = "PROV"
within_s = 120
[[checkpoints]]
at = "0:15"
name = "brown-out"
judge = "brown-out"
node = "V1"
within_s = 60
[[checkpoints]]
at = "0:22"
name = "evacuation"
judge = "evacuation"
key = "go"
within_s = 120
[[checkpoints]]
at = "0:27"
name = "refused"
judge = "refused"
[[checkpoints]]
at = "0:40"
name = "carried"
judge = "carried"
mule = "M"
held_by = "TENT"
to = "PROV"
[[checkpoints]]
at = "0:50"
name = "receipts"
judge = "receipts"
mule = "M"
node = "TENT"
[[checkpoints]]
at = "0:55"
name = "later"
judge = "not yet"
needs = "something"
"""


@pytest.fixture
def small(tmp_path: Path) -> Scenario:
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    return load(path)


def states(result: dict[str, Any]) -> dict[str, str]:
    return {row["name"]: row["state"] for row in result["checkpoints"]}


def test_every_judge_of_a_small_day(small: Scenario) -> None:
    result = run(small, 1, 0.3, exchange)
    assert states(result) == {
        "muster": "pass",
        "alarm": "pass",
        "alarm at the province, which no link reaches yet": "fail",
        "brown-out": "pass",
        "evacuation": "pass",
        "refused": "pass",
        "carried": "pass",
        "receipts": "pass",
        "later": "not yet",
    }, result["checkpoints"]
    assert (result["passed"], result["failed"]) == (7, 1)
    assert list(result["checkpoints"][0]) == ["time", "name", "state", "figure"]


def test_two_valleys_a_ridge_and_a_satellite_card() -> None:
    """The decisive parts of the long exercise at 30 % loss: a report and counters by the card alone, an alarm from a gorge, an order
    over the ridge, an alarm over a split, the rejoin, orders by a stranger and from a recording, a lost radio."""
    result = run(load(RIDGE), 1, 0.3, exchange)
    assert result["failed"] == 0 and result["passed"] == len(result["checkpoints"]), result["checkpoints"]


def test_one_seed_one_trace(small: Scenario) -> None:
    one, again, other = (run(small, seed, 0.3, exchange, hours=0.2)["trace"] for seed in (1, 1, 2))
    assert one == again != other


def test_stopped_early_the_rest_is_not_yet(small: Scenario) -> None:
    found = states(run(small, 1, 0.0, exchange, hours=0.1))
    assert found["muster"] == "pass" and found["evacuation"] == found["carried"] == "not yet"


def test_a_link_that_loses_everything_fails_the_evacuation(small: Scenario) -> None:
    assert states(run(small, 1, 0.999, exchange, hours=0.6))["evacuation"] == "fail"


@pytest.mark.parametrize(
    ("old", "new", "named"), [('do = "alarm"', 'do = "dance"', "dance"), ('judge = "muster"', 'judge = "jury"', "jury")]
)
def test_unknown_acts_and_judges_are_named(tmp_path: Path, old: str, new: str, named: str) -> None:
    path = tmp_path / "odd.toml"
    path.write_text(SMALL.replace(old, new))
    with pytest.raises(ConfigError, match=named):
        run(load(path), 1, 0.0, exchange)

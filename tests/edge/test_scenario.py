"""A scenario file is read whole or refused with the key that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.exercise.scenario import find, load, seconds
from hardware.errors import ConfigError
from sync.ids import Lane

SMALL = """
[exercise]
name = "small"
start = 2026-07-17T20:10:00+08:00
lat = 33.5
lon = 108.3
hours = 1
[nodes]
A = {origin = 1, role = "agent", people = 2, devices = ["fix"]}
B = {origin = 2, role = "central"}
[[links]]
name = "radio"
members = ["A", "B"]
mtu = 200
rate = 300
loss = "given"
lanes = ["flash"]
hours = [["0:10", "0:20:30"]]
[[timeline]]
at = "0:05"
do = "alarm"
until = "0:06"
node = "A"
"""


def test_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    scenario = load(path)
    (link,) = scenario.with_loss(0.25)
    assert (link.loss, link.limits.lanes, link.hours) == (0.25, {Lane.FLASH}, ((600.0, 1230.0),))
    assert scenario.timeline[0].at == 300 and scenario.timeline[0].args == {"until": 360.0, "node": "A"}
    assert scenario.start_ms == 1_784_290_200_000


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("[nodes]", "[nodes", "TOML|Expected"),
        ('role = "agent"', 'role = "king"', "nodes.A.role"),
        ('["fix"]', '["fox"]', "fox"),
        ('"A", "B"', '"A", "C"', "unknown node C"),
        ("mtu = 200", "", "mtu"),
        ('"0:05"', '"5"', "small"),
        ("origin = 2", "number = 2", "number"),
        ('["flash"]', '["fast"]', "FAST"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, old: str, new: str, named: str) -> None:
    path = tmp_path / "small.toml"
    path.write_text(SMALL.replace(old, new))
    with pytest.raises(ConfigError, match=named):
        load(path)


def test_the_exercise_that_comes_along() -> None:
    scenario = load(find("qingxi24"))
    assert sum(actor.people for actor in scenario.actors.values()) == 46
    assert sum(bool(actor.people) for actor in scenario.actors.values()) == 8
    assert len(scenario.links) == 5 and len(scenario.checkpoints) >= 24
    wearing = sum(actor.people + len(actor.devices) for actor in scenario.actors.values())
    assert wearing == 67 - 1  # the relay has a receiver of its own, which is no stream of observations here


def test_times() -> None:
    assert seconds("9:04:20") == 32660 and seconds("24:00") == 86400
    for text in ("9", "1:2:3:4", "a:b", ""):
        with pytest.raises(ValueError):
            seconds(text)

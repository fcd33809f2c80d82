"""Reading a scenario file (TOML): nodes, links, timeline, checkpoints. Everything wrong with it is a ConfigError."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from edge.sim.medium import LinkSpec
from hardware.errors import ConfigError
from hardware.observation import PROFILE_NAMED
from radios.bearer import Limits
from sync.ids import Lane
from sync.records import Anchor

ROLES: Final = ("agent", "unit", "relay", "central")
GIVEN: Final = "given"  # a loss that the command line gives


@dataclass(frozen=True, slots=True)
class Actor:
    """One node: its roster index, its role, how many people it gathers, which devices it reads, and whether it makes pictures."""

    name: str
    origin: int
    role: str
    people: int = 0
    devices: tuple[str, ...] = ()
    command: bool = False
    medic: bool = False
    pictures: bool = True


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happens at `at` seconds; `do` names the act, `args` are its own keys, times among them in seconds."""

    at: float
    do: str
    args: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What is judged: `judge` names the judge, `needs` says what is missing where that is "not yet"."""

    at: float
    name: str
    judge: str
    args: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Scenario:
    """A checked scenario. groups: by link, who may hear whom on it; lossy: links whose loss is given from outside;
    start_ms: wall time UTC of second 0."""

    name: str
    start_ms: int
    anchor: Anchor
    hours: float
    actors: Mapping[str, Actor]
    links: tuple[LinkSpec, ...]
    lossy: frozenset[str]
    groups: Mapping[str, tuple[tuple[str, ...], ...]]
    timeline: tuple[Step, ...]
    checkpoints: tuple[Checkpoint, ...]
    losses: tuple[float, ...]
    seeds: tuple[int, ...]

    def with_loss(self, loss: float) -> tuple[LinkSpec, ...]:
        """The links, those with a loss from outside having this one."""
        return tuple(replace(link, loss=loss) if link.name in self.lossy else link for link in self.links)


TIMES: Final = frozenset(
    ("at", "until", "after", "deadline", "opens", "at_heal", "since", "over")
)  # keys that hold a time


def seconds(text: str) -> float:
    """`hours:minutes` or `hours:minutes:seconds` since the beginning; ValueError for anything else."""
    hours, minutes, *rest = text.split(":")
    if len(rest) > 1:
        raise ValueError(text)
    return int(hours) * 3600.0 + int(minutes) * 60 + (float(rest[0]) if rest else 0.0)


def find(name: str) -> Path:
    """The file of a scenario: a path, or the name of one that comes with the program."""
    path = Path(name)
    if not path.suffix and not path.exists():
        return Path(str(files("edge.exercise").joinpath(f"{name}.toml")))
    return path


def load(path: Path) -> Scenario:
    """The checked scenario; ConfigError names the file, the key and what is wrong."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(str(path), "file", str(error), "a scenario in TOML") from None
    try:
        return _scenario(data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigError(str(path), str(error).strip("'\""), "", "as in edge/exercise/qingxi24.toml") from None


def _scenario(data: Mapping[str, Any]) -> Scenario:
    head = data["exercise"]
    start: datetime = head["start"]
    start_ms = int(start.timestamp() * 1000)
    actors = {name: _actor(name, row) for name, row in data["nodes"].items()}
    rows = data["links"]
    for row in rows:
        _known(row["members"], actors)
    return Scenario(
        name=str(head["name"]),
        start_ms=start_ms,
        anchor=Anchor(round(head["lat"] * 1e7), round(head["lon"] * 1e7), start_ms),
        hours=float(head["hours"]),
        actors=actors,
        links=tuple(_link(row) for row in rows),
        lossy=frozenset(row["name"] for row in rows if row.get("loss") == GIVEN),
        groups={row["name"]: tuple(tuple(group) for group in row.get("groups", ())) for row in rows},
        timeline=tuple(_step(row) for row in data.get("timeline", ())),
        checkpoints=tuple(_checkpoint(row) for row in data.get("checkpoints", ())),
        losses=tuple(float(loss) for loss in head.get("losses", (0.0,))),
        seeds=tuple(int(seed) for seed in head.get("seeds", (1,))),
    )


def _actor(name: str, row: Mapping[str, Any]) -> Actor:
    actor = Actor(name, **{**row, "devices": tuple(row.get("devices", ()))})
    if actor.role not in ROLES:
        raise ValueError(f"nodes.{name}.role")
    for device in actor.devices:
        if device not in PROFILE_NAMED:
            raise ValueError(f"nodes.{name}.devices: {device}")
    return actor


def _known(names: list[str], actors: Mapping[str, Actor]) -> None:
    for name in names:
        if name not in actors:
            raise ValueError(f"unknown node {name}")


def _link(row: Mapping[str, Any]) -> LinkSpec:
    lanes = frozenset(int(Lane[lane.upper()]) for lane in row["lanes"]) if "lanes" in row else frozenset(range(6))
    limits = Limits(
        mtu=int(row["mtu"]),
        rate=float(row["rate"]),
        gap_s=float(row.get("gap_s", 0.0)),
        broadcast=bool(row.get("broadcast", False)),
        names_sender=bool(row.get("names_sender", False)),
        cost=int(row.get("cost", 0)),
        lanes=lanes,
    )
    return LinkSpec(
        name=row["name"],
        members=tuple(row["members"]),
        limits=limits,
        loss=0.0 if row.get("loss") == GIVEN else float(row.get("loss", 0.0)),
        duplicate=float(row.get("duplicate", 0.0)),
        delay_s=float(row.get("delay_s", 0.0)),
        reorder_s=float(row.get("reorder_s", 0.0)),
        reorder=float(row.get("reorder", 1.0)),
        window_s=float(row.get("window_s", 0.0)),
        window_bytes=int(row.get("window_bytes", 0)),
        window_messages=int(row.get("window_messages", 0)),
        shared=bool(row.get("shared", False)),
        hours=tuple((seconds(begin), seconds(end)) for begin, end in row.get("hours", ())),
    )


def _timed(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: seconds(value) if key in TIMES else value for key, value in row.items()}


def _step(row: Mapping[str, Any]) -> Step:
    args = _timed(row)
    return Step(args.pop("at"), args.pop("do"), args)


def _checkpoint(row: Mapping[str, Any]) -> Checkpoint:
    args = _timed(row)
    return Checkpoint(args.pop("at"), args.pop("name"), args.pop("judge"), args)

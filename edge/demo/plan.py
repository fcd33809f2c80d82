"""Who takes part in the demonstration, and the configuration file that each of them gets."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from edge.keys import create, file_of
from radios.meshtastic.packets import node_id
from radios.meshtastic.team import FIRST_NUMBER
from sync.seal.contract import Role

PLACE: Final = (44.0688, -121.3142)  # where the recorded receivers stood
MEMBERS: Final = 6
PEOPLE: Final = {
    "V1": {"P1": "王强", "P2": "李敏", "P3": "张伟", "P4": "刘洋", "P5": "陈静", "P6": "赵磊", "M1": "通信员"},
    "U1": {"P7": "孙涛", "P8": "周敏"},
}
WEARABLES: Final = {name: tuple(person for person in people if person != "M1") for name, people in PEOPLE.items()}
SUBJECTS: Final = {("V1", "gnss0"): "V1", ("V1", "gnss1"): "M1", ("U1", "gnss0"): "U1"}


@dataclass(frozen=True, slots=True)
class Actor:
    """One process: its name, roster index, role, and what its keys let it do; radio: its Meshtastic number, 0 for none."""

    name: str
    node: int
    role: str
    keys: Role
    title: str
    radio: int = 0


CENTRAL = Actor("C1", 1, "central", Role.COMMAND, "省中心 / central")
VEHICLE = Actor("V1", 2, "agent", Role.COMMAND, "指挥车 / vehicle", 0x5A000002)
UNIT = Actor("U1", 3, "unit", Role.MEMBER, "徒步分队 / foot unit", 0x5A000003)
RELAY = Actor("K1", 4, "relay", Role.RELAY, "山脊中继 / ridge relay", 0x5A000004)
ACTORS: Final = (CENTRAL, VEHICLE, UNIT, RELAY)
MEASURING: Final = (VEHICLE, UNIT)


@dataclass(frozen=True, slots=True)
class Sockets:
    """Where the simulated world can be reached: ports of receivers and radios by actor, TCP ports of broker and gate."""

    receivers: Mapping[str, Mapping[str, str]]
    radios: Mapping[str, str]
    broker: int
    gate: int


def home(folder: Path, actor: Actor) -> Path:
    """An actor's data folder."""
    return folder / actor.name


def store(folder: Path, actor: Actor) -> Path:
    """An actor's store."""
    return home(folder, actor) / "sanduan.db"


def mounts(folder: Path, actor: Actor) -> Path:
    """Where a stick appears to an actor."""
    return folder / "mounts" / actor.name


def write(folder: Path, start: str, sockets: Sockets) -> dict[str, Path]:
    """Keys and a configuration file for every actor; the files by actor. `start` is ISO 8601 with an offset."""
    create(folder / "keys", {actor.node: actor.keys for actor in ACTORS})
    files = {}
    for actor in ACTORS:
        mounts(folder, actor).mkdir(parents=True)
        files[actor.name] = folder / f"{actor.name}.toml"
        files[actor.name].write_text(_toml(dict(_sections(folder, actor, start, sockets))), encoding="utf-8")
    return files


def _sections(folder: Path, actor: Actor, start: str, sockets: Sockets) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "station", {"id": actor.name, "name": actor.title, "role": actor.role, "node": actor.node, "data": actor.name}
    lat, lon = PLACE
    yield "incident", {"name": "三断演示", "lat": lat, "lon": lon, "start": start, "central": [CENTRAL.node]}
    yield "keys", {"file": str(file_of(folder / "keys", actor.node))}
    for other in ACTORS:
        if actor is not RELAY and other not in (actor, RELAY):
            yield f"nodes.{other.name}", {"node": other.node, "name": other.title.split(" / ")[0]}
    yield "log", {"file": f"{actor.name}.log"}
    if actor is not RELAY:
        yield "sticks", {"watch": [str(mounts(folder, actor))]}
    if actor is CENTRAL:
        yield "broker", {"listen": f"127.0.0.1:{sockets.broker}"}
    if actor is VEHICLE:
        yield "bearers.mqtt", {"type": "mqtt", "brokers": [f"mqtt://127.0.0.1:{sockets.gate}"], "keepalive_s": 5}
    for number, (person, name) in enumerate(PEOPLE.get(actor.name, {}).items()):
        device = node_id(FIRST_NUMBER + number) if actor is VEHICLE and number < MEMBERS else ""
        yield f"people.{person}", {"name": name, "device": device}
    if actor.radio:
        yield "devices.mesh", {"driver": "meshtastic", "port": sockets.radios[actor.name]}
        yield "bearers.lora", {"type": "meshtastic", "device": "mesh", "share": 1.0}
    for name, port in sockets.receivers.get(actor.name, {}).items():
        yield (
            f"devices.{name}",
            {"driver": "nmea.gnss", "port": port, "sets_clock": False, "subject": SUBJECTS[actor.name, name]},
        )
    for seed, person in enumerate(WEARABLES.get(actor.name, ()), 10 * actor.node):
        counter = str(home(folder, actor) / f"{person}.emitted")
        yield f"wearables.{person}", {"driver": "sim.wearable", "seed": seed, "counter": counter}


def _toml(sections: Mapping[str, Mapping[str, Any]]) -> str:
    """Sections as TOML; JSON's texts, numbers and lists are TOML's."""
    lines = []
    for section, keys in sections.items():
        lines += ["", f"[{section}]", *(f"{key} = {value if key == 'start' else json.dumps(value, ensure_ascii=False)}" for key, value in keys.items())]  # fmt: skip
    return "\n".join(lines) + "\n"

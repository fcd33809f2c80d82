"""The scene picture: everything a commander counts, in at most 63 bytes, and the pictures its sender has (docs/wire/picture.md).

A scene names each value by its row in FIELDS; what is not known is left out. Rows are only ever added at the end, and a reader
keeps the numbers of rows that it does not know. What was heard of others' pictures costs about two bytes for each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from hardware.errors import DecodeError
from sync.codec.ends import Coder, Reading, Writing, number
from sync.codec.picture_people import FORMS, Form
from sync.codec.stack import StackReader, Table
from sync.ids import unzigzag, zigzag

MAX_FIELDS: Final = 64
MAX_HEARD: Final = 32
HEARD: Final = 64  # a picture heard is told by its block number modulo this


@dataclass(frozen=True, slots=True)
class Field:
    """One value of a scene; `unit` is UCUM, "1" for counts and bits."""

    number: int
    name: str
    unit: str
    zh: str
    en: str


_ROWS: Final = (
    "units 1 单位 units in the field",
    "people 1 人员 people in the field",
    "accounted 1 已点到 accounted for",
    "alarms 1 告警 open alarms",
    "red 1 红 casualties, immediate",
    "yellow 1 黄 casualties, delayed",
    "green 1 绿 casualties, minor",
    "black 1 黑 casualties, dead",
    "grey 1 灰 casualties, expectant",
    "trapped 1 被困 trapped",
    "missing 1 失联 missing",
    "evacuated 1 已转移 evacuated",
    "gas_kind 1 最危气体 kind of the worst gas",
    "gas_value 1 气体浓度 worst gas, in its kind's own steps",
    "gas_grade 1 气体等级 worst gas: 0 safe, 1 low alarm, 2 high alarm",
    "water_mm mm 水位 water level",
    "water_mm_h mm/h 涨率 rise of the water level",
    "rain_dmm dmm 时雨量 rain in the last hour, tenths of a millimetre",
    "links 1 链路 links up, one bit for each of LINKS",
    "rollcall 1 点名 roll call open: seconds left",
)
FIELDS: Final = tuple(
    Field(number, name, unit, zh, en) for number, row in enumerate(_ROWS) for name, unit, zh, en in (row.split(" ", 3),)
)
LINKS: Final = ("mqtt", "lan", "meshtastic", "rdss", "carried", "voice")
_KNOWN: Final = Table.of((1, 3))
_ORIGIN: Final = Table.of((1, 3, 4, 4, 4, 3, 2, 2, 1, 1, 1, 1, 1, 1, 1))  # bit length of a roster index
_SIZE: Final = Table.of((20, 20, 20, 18, 16, 14, 12, 10, 8, 7, 6, 5, 4, *[3] * 8, *[1] * 11))  # bits of a folded value


@dataclass(frozen=True, slots=True)
class Scene:
    """What one node knows of the whole: values by FIELDS name, those of unknown rows by number; heard: by origin and
    whether with vital signs, the latest force picture that can be built upon, as its block number modulo HEARD."""

    values: Mapping[str, int] = field(default_factory=dict)
    unknown: Mapping[int, int] = field(default_factory=dict)
    heard: Mapping[tuple[int, bool], int] = field(default_factory=dict)


def encode_scene(scene: Scene) -> bytes:
    """The body of a scene picture; ValueError for a name that FIELDS lacks or a value beyond 31 bits."""
    if odd := set(scene.values) - {row.name for row in FIELDS}:
        raise ValueError(f"a scene has no {', '.join(sorted(odd))}")
    coder = Writing()
    coder.uniform(FORMS, Form.SCENE)
    _scene(
        coder, {row.number: scene.values[row.name] for row in FIELDS if row.name in scene.values} | dict(scene.unknown)
    )
    _heard(coder, scene.heard)
    return coder.stack.bytes()


def decode_scene(data: bytes) -> Scene:
    """The inverse of encode_scene; DecodeError on anything else."""
    coder = Reading(data)
    if coder.uniform(FORMS) != Form.SCENE:
        raise DecodeError("picture: not of the scene")
    found, heard = _scene(coder, {}), _heard(coder, {})
    coder.stack.end()
    return Scene(
        {FIELDS[row].name: value for row, value in found.items() if row < len(FIELDS)},
        {row: value for row, value in found.items() if row >= len(FIELDS)},
        heard,
    )


def _scene(coder: Coder, values: Mapping[int, int]) -> dict[int, int]:
    """Values by the number of their row."""
    count = coder.uniform(MAX_FIELDS + 1, max(values, default=-1) + 1)
    found = {}
    for row in range(count):
        if coder.symbol(_KNOWN, row in values):
            found[row] = unzigzag(number(coder, _SIZE, zigzag(values.get(row, 0))))
    return found


def _heard(coder: Coder, heard: Mapping[tuple[int, bool], int]) -> dict[tuple[int, bool], int]:
    """Block numbers modulo HEARD by origin and kind of picture."""
    found = {}
    listed = sorted(heard) or [(0, False)] * MAX_HEARD
    for origin, vitals in listed[: coder.uniform(MAX_HEARD + 1, len(heard))]:
        number_heard = heard.get((origin, vitals), 0) % HEARD
        key = number(coder, _ORIGIN, origin), bool(coder.uniform(2, vitals))
        found[key] = coder.uniform(HEARD, number_heard)
    return found


def form_of(data: bytes) -> Form:
    """What a picture's body is; DecodeError when it is none."""
    try:
        return Form(StackReader(data).uniform(FORMS))
    except ValueError as error:
        raise DecodeError("picture: unknown form") from error

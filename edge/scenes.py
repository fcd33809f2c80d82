"""What a node counts of the whole scene, as the values of a scene picture (sync/codec/scene.py), from its own store alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Final, NamedTuple

from edge.folds import alarms, field, text
from edge.store.reader import EventLine, Latest, Reader, Sight
from hardware.kinds import BY_NAME as KIND
from sync.codec.scene import LINKS
from sync.events import BY_NAME
from sync.ids import Level
from sync.records import Value

COLOURS: Final = ("red", "yellow", "green", "black", "grey")
HEARD_S: Final = 600  # whose place or pulse is older is not accounted for
LATE_S: Final = 3600  # a gauge or gas reading older than this is left out
_COUNTED: Final = ("alarm", "alarm.ack", "sos", "casualty", "report", "rollcall")
# Places of the disaster report's indicators (sync/codec/report.py, form 1) -> names in a scene.
_REPORTED: Final = {2: "missing", 4: "evacuated", 5: "trapped"}
LEVEL, RAIN, LAT, PULSES = KIND["hydro.level"].number, KIND["hydro.rain_1h"].number, KIND["pos.lat"].number, (1, 13)


class Gas(NamedTuple):
    """Where a gas is at its low and its high alarm, in the kind's own steps; `below`: it is scarcity that kills."""

    kind: int
    low: int
    high: int
    below: bool = False


# GB/T 50493-2019 levels 1 and 2, mg/m3 taken to ppm at 20 degrees and 101.3 kPa; oxygen by GBZ/T 205.
GASES: Final = {
    KIND[name].number: Gas(KIND[name].number, low, high, name == "gas.o2")
    for name, low, high in (
        ("gas.h2s", 70, 140), ("gas.co", 17, 34), ("gas.lel", 250, 500), ("gas.ch4", 125, 250), ("gas.nh3", 280, 560), ("gas.so2", 19, 38),
        ("gas.cl2", 34, 68), ("gas.co2", 4900, 9800), ("gas.o2", 195, 180),
    )
}  # fmt: skip


def scene_values(reader: Reader, sight: Sight, up: Collection[str]) -> dict[str, int]:
    """Everything that is known; what is not known is left out. up: kinds of links that work (sync.codec.scene.LINKS)."""
    kinds = [BY_NAME[name].number for name in _COUNTED]
    marks = ", ".join("?" * len(kinds))
    found = reader.events(f"WHERE e.kind IN ({marks}) ORDER BY e.lamport, e.origin, e.number", kinds, {})
    lines = [line for line in found if line.level >= Level.GUEST]
    values = _people(sight) | _casualties(lines) | _reported(lines) | _gas(sight.latest) | _water(reader, sight)
    values |= _rollcall(lines)
    values["alarms"] = sum(alarm.active for alarm in alarms(lines))
    values["links"] = sum(1 << at for at, kind in enumerate(LINKS) if kind in up)
    return values


def _people(sight: Sight) -> dict[str, int]:
    """People known, their units, and those of whom something was heard lately."""
    people = sight.people
    if not people:
        return {}
    heard = 0
    for subject in people:
        ages = [each.age_s for kind, each in sight.latest.get(subject, {}).items() if kind in (LAT, *PULSES)]
        heard += any(age is not None and age <= HEARD_S for age in ages)
    units = {text(line.event, "unit") for line in people.values()} - {""}
    return {"people": len(people), "units": len(units), "accounted": heard}


def _casualties(lines: Iterable[EventLine]) -> dict[str, int]:
    """Cards by colour, each as its latest event says."""
    cards: dict[Value, str] = {}
    for line in lines:
        if line.event.kind == BY_NAME["casualty"].number:
            colour = field(line.event, "colour")
            known = COLOURS[colour] if type(colour) is int and 0 <= colour < len(COLOURS) else str(colour)
            cards[field(line.event, "card")] = known
    counted = Counter(cards.values())
    return {colour: counted[colour] for colour in COLOURS} if cards else {}


def _reported(lines: Iterable[EventLine]) -> dict[str, int]:
    """Trapped, missing and evacuated by the latest disaster report."""
    found: dict[str, int] = {}
    for line in lines:
        if line.event.kind == BY_NAME["report"].number and field(line.event, "form") == 1:
            told = field(line.event, "indicators")
            if isinstance(told, list):
                found |= {
                    name: value for at, name in _REPORTED.items() if at < len(told) and type(value := told[at]) is int
                }
    return found


def _rollcall(lines: Iterable[EventLine]) -> dict[str, int]:
    """Seconds left of the latest roll call that command asked for, while there are any."""
    left = 0
    for line in lines:
        due = field(line.event, "due_s")
        if line.event.kind == BY_NAME["rollcall"].number and line.level >= Level.COMMAND and type(due) is int:
            left = max(0, due - int(line.age_s)) if line.age_s is not None else 0
    return {"rollcall": left} if left else {}


def _gas(latest: Mapping[str, Mapping[int, Latest]]) -> dict[str, int]:
    """The worst fresh gas reading: by grade, then by how far it is on its way to the high alarm."""
    worst: tuple[int, float, int, int] | None = None
    for values in latest.values():
        for kind, reading in values.items():
            gas = GASES.get(kind)
            if gas is None or reading.value is None or reading.age_s is None or reading.age_s > LATE_S:
                continue
            value = int(reading.value * 10 ** (reading.exponent - _exponent(kind)))
            reached = [value <= limit if gas.below else value >= limit for limit in (gas.low, gas.high)]
            share = gas.high / max(value, 1) if gas.below else value / gas.high
            worst = max(worst or (-1, 0.0, 0, 0), (sum(reached), share, kind, value))
    if worst is None:
        return {}
    grade, _, kind, value = worst
    return {"gas_kind": kind, "gas_value": value, "gas_grade": grade}


def _exponent(kind: int) -> int:
    return next(each.exponent for each in KIND.values() if each.number == kind)


def _water(reader: Reader, sight: Sight) -> dict[str, int]:
    """The gauge that rises fastest, and the most rain of an hour."""
    found: dict[str, int] = {}
    for subject, values in sight.latest.items():
        level, rain = values.get(LEVEL), values.get(RAIN)
        if level and level.value is not None and level.age_s is not None and level.age_s <= LATE_S:
            rise = _rise(reader, subject)
            if rise >= found.get("water_mm_h", rise):
                found |= {"water_mm": level.value, "water_mm_h": rise}
        if rain and rain.value is not None and rain.age_s is not None and rain.age_s <= LATE_S:
            found["rain_dmm"] = max(rain.value, found.get("rain_dmm", 0))
    return found


def _rise(reader: Reader, subject: str) -> int:
    """Millimetres an hour over the last hour of a gauge's history, 0 when there is too little of it."""
    rows = [row for row in reader.history(subject, "gauge", 120) if row.values[0] is not None]
    recent = [row for row in rows if rows[-1].mono_ms - row.mono_ms <= LATE_S * 1000]
    span = recent[-1].mono_ms - recent[0].mono_ms if recent else 0
    if span < 60_000:
        return 0
    return ((recent[-1].values[0] or 0) - (recent[0].values[0] or 0)) * 3_600_000 // span

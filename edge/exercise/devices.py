"""What the devices of a simulated node measure: people walk about their unit's place, everything else wanders a little."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final

from edge.exercise.scenario import Actor
from hardware.clock import Stamp
from hardware.kinds import BY_NAME
from hardware.observation import PROFILE_NAMED, Column, Observation, Profile
from sync.records import Anchor

SPAN_S: Final = 30  # observations of so long at most are made together
WORN_S: Final = 10  # between two observations of wearables and receivers
STATION_S: Final = 60  # and of everything else
APART_E7: Final = 150_000  # units are within a mile of the anchor
NEAR_E7: Final = 8_000  # people within a hundred yards of their unit
STEP_E7: Final = 900  # and walk ten yards between two observations
LAT, LON = BY_NAME["pos.lat"].number, BY_NAME["pos.lon"].number
USUAL: Final = {  # where a kind's values begin, in the column's own steps; 100 for all others
    BY_NAME[name].number: value
    for name, value in {"vital.hr": 84, "vital.spo2": 96, "gas.o2": 205, "gas.co": 0, "gas.h2s": 0, "gas.lel": 0, "hydro.rain_1h": 0}.items()
}  # fmt: skip
WANDER: Final = 6  # steps up from there


class Devices:
    """Everything that one actor wears and reads."""

    def __init__(self, actor: Actor, anchor: Anchor, chance: random.Random) -> None:
        self._chance, self._told = chance, 0
        home = (anchor.lat_e7 + self._about(APART_E7), anchor.lon_e7 + self._about(APART_E7))
        people = [(f"{actor.name}-{number}", "strap", "wearable") for number in range(1, actor.people + 1)]
        read = [(f"{actor.name}/{device}{number}", device, device) for number, device in enumerate(actor.devices)]
        self._streams = [(subject, source, PROFILE_NAMED[name]) for subject, source, name in (*people, *read)]
        self._places = {
            subject: (home[0] + self._about(NEAR_E7), home[1] + self._about(NEAR_E7)) for subject, _, _ in self._streams
        }

    def due(self, at: float, now: Stamp) -> Iterator[Observation]:
        """What was measured since the last asking, but no longer than SPAN_S ago, oldest first by stream; `at`: true seconds."""
        ticks = range(max(self._told, int(at) // WORN_S - SPAN_S // WORN_S) + 1, int(at) // WORN_S + 1)
        self._told = ticks.stop - 1
        for subject, source, profile in self._streams:
            placed = any(column.kind == LAT for column in profile.columns)
            for tick in ticks:
                if placed or not tick * WORN_S % STATION_S:
                    time = _before(now, round((at - tick * WORN_S) * 1000))
                    yield Observation(subject, source, profile, time, self._values(subject, profile))

    def _values(self, subject: str, profile: Profile) -> tuple[int, ...]:
        lat, lon = self._places[subject]
        self._places[subject] = lat + self._about(STEP_E7), lon + self._about(STEP_E7)
        return tuple(self._value(column, lat, lon) for column in profile.columns)

    def _value(self, column: Column, lat: int, lon: int) -> int:
        if column.kind in (LAT, LON):
            steps: int = 10 ** (column.exponent + 7)
            return (lat if column.kind == LAT else lon) // steps
        return USUAL.get(column.kind, 100) + self._chance.randrange(WANDER)

    def _about(self, reach: int) -> int:
        return self._chance.randrange(-reach, reach + 1)


def _before(now: Stamp, back_ms: int) -> Stamp:
    wall = None if now.wall_ms is None else now.wall_ms - back_ms
    return Stamp(now.boot, max(0, now.mono_ms - back_ms), wall, now.quality)

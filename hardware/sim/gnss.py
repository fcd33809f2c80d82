"""A simulated four-constellation receiver: NMEA 4.11 with GN and GB talkers along a path, with losses of fix."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from hardware.clock import BUILD_WALL_MS, SystemClock
from hardware.gnss.framer import sentence
from hardware.ports import SourceStream
from hardware.replay import play

METRES_PER_DEGREE: Final = 111_195.0
_SATELLITES: Final = {"GP": (1, (2, 5, 12, 15, 20, 25, 29)), "GB": (4, (7, 10, 19, 21, 22, 36)), "GL": (2, (65, 72, 81)), "GA": (3, (3, 8, 13))}  # fmt: skip
_KNOT: Final = 1852 / 3600


def _angle(value: float, digits: int, signs: str) -> str:
    """Degrees -> `ddmm.mmmmm,N`."""
    minutes = round(abs(value) * 60 * 100_000)
    degrees, rest = divmod(minutes, 60 * 100_000)
    return f"{degrees:0{digits}d}{rest / 100_000:08.5f},{signs[value < 0]}"


@dataclass(slots=True)
class GnssSimulator:
    """Moves at `speed` m/s along `path` ((lat, lon) in degrees, there and back), from UTC `start_ms` on, `rate` epochs/s.

    lost: (from, to) pairs of seconds since the start during which there is no fix. epochs: how many were given.
    """

    path: Sequence[tuple[float, float]] = ((38.0412, 110.9511), (38.0466, 110.9655), (38.0521, 110.9702))
    start_ms: int = BUILD_WALL_MS
    rate: float = 1.0
    speed: float = 1.4
    alt: float = 950.0
    lost: Sequence[tuple[float, float]] = ()
    epochs: int = 0

    def _place(self, metres: float) -> tuple[float, float, float]:
        """Latitude, longitude, course after so many metres along the path."""
        legs = list(zip(self.path, self.path[1:], strict=False)) or [(self.path[0], self.path[0])]
        legs += [(there, here) for here, there in reversed(legs)]
        sizes = []
        for (lat, lon), (lat2, lon2) in legs:
            north, east = lat2 - lat, (lon2 - lon) * math.cos(math.radians(lat))
            sizes.append((math.hypot(north, east) * METRES_PER_DEGREE, math.degrees(math.atan2(east, north)) % 360))
        metres %= sum(size for size, _ in sizes) or 1.0
        for ((lat, lon), (lat2, lon2)), (size, course) in zip(legs, sizes, strict=True):
            if metres <= size and size:
                part = metres / size
                return lat + (lat2 - lat) * part, lon + (lon2 - lon) * part, course
            metres -= size
        return *self.path[0], 0.0

    def epoch(self) -> bytes:
        """The sentences of the next epoch."""
        elapsed = self.epochs / self.rate
        self.epochs += 1
        lost = any(begin <= elapsed < end for begin, end in self.lost)
        at = datetime.fromtimestamp((self.start_ms + round(elapsed * 1000)) / 1000, UTC)
        bodies = [*self._solution(at, lost, *self._place(elapsed * self.speed)), *self._sky(lost)]
        return b"".join(sentence(body.encode("ascii")) for body in bodies)

    def _solution(self, at: datetime, lost: bool, lat: float, lon: float, course: float) -> list[str]:
        clock, day = f"{at:%H%M%S}.{at.microsecond // 10_000:02d}", f"{at:%d%m%y}"
        place = ",,," if lost else f"{_angle(lat, 2, 'NS')},{_angle(lon, 3, 'EW')}"
        count = sum(len(numbers) for _, numbers in _SATELLITES.values())
        knots = f"{self.speed / _KNOT:.2f},{course:.1f}"
        solution = "0,00,99.99,,M,,M,," if lost else f"1,{count},0.7,{self.alt:.1f},M,-28.0,M,,"
        status = f"V,{place},,,{day},,,N,V" if lost else f"A,{place},{knots},{day},,,A,V"
        return [f"GNRMC,{clock},{status}", f"GNGGA,{clock},{place},{solution}", f"GNZDA,{clock},{at:%d,%m,%Y},00,00"]

    def _sky(self, lost: bool) -> Iterator[str]:
        for talker, (system, numbers) in _SATELLITES.items():
            used = [] if lost else [f"{number:02d}" for number in numbers]
            cells = ",".join(used + [""] * (12 - len(used)))
            yield f"GNGSA,A,{1 if lost else 3},{cells},1.3,0.7,1.1,{system}"
            rows = [f"{number:02d},{30 + number % 50},{number * 17 % 360:03d},{38 - number % 9}" for number in numbers]
            pages = [rows[at : at + 4] for at in range(0, len(rows), 4)]
            for page, cells4 in enumerate(pages, 1):
                yield f"{talker}GSV,{len(pages)},{page},{len(rows):02d},{','.join(cells4)},1"

    def plan(self) -> Iterator[tuple[float, bytes]]:
        """(seconds to wait before, bytes) without end."""
        yield 0.0, self.epoch()
        while True:
            yield 1 / self.rate, self.epoch()


def stream(options: Mapping[str, str]) -> SourceStream:
    """`sim:gnss?rate=1&speed=1.4&lost=60-90`: a receiver from now on; ValueError says what is wrong."""
    if unknown := set(options) - {"rate", "speed", "lost"}:
        raise ValueError(f"unknown option {', '.join(sorted(unknown))}; allowed are rate, speed, lost=FROM-TO")
    rate, speed = float(options.get("rate", "1")), float(options.get("speed", "1.4"))
    if not (0.01 <= rate <= 100 and 0 <= speed <= 1000):
        raise ValueError("rate must be 0.01 to 100 per second, speed 0 to 1000 m/s")
    begin, _, end = options.get("lost", "0-0").partition("-")
    start_ms = SystemClock().stamp().wall_ms or BUILD_WALL_MS
    simulator = GnssSimulator(rate=rate, speed=speed, start_ms=start_ms, lost=((float(begin), float(end)),))
    return SourceStream(play(simulator.plan()))

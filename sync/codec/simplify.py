"""The cheapest polyline that stays within a bound of every fix: a shortest path over places on a grid and times on a raster.

A vertex need not be a fix: it may lie on any grid point within the bound of the way at any raster time, which halves the
vertices. Only the encoder runs this; a reader needs nothing but the vertices (sync/codec/track.py).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from math import ceil, cos, floor, gcd, radians
from typing import Final, NamedTuple

E7_METRES: Final = 0.0111319491  # one 1e-7 degree of latitude on the WGS 84 equator's radius: never less than the truth
MARGIN: Final = 0.997  # of the bound is used, so that rounding in a reader never breaks it
RASTER_MS: Final = 5000
TICKS_MS: Final = (5000, 1000, 500, 200, 100, 20, 10, 1)
MAX_STRETCH: Final = 4096
REACH_MS: Final = 900_000  # no fix for longer than this: the way between is not known and a new span begins
NEAR: Final = 2.5  # columns tried to either side, where cells near a pole are much narrower than the bound
FARTHEST: Final = 6  # raster times kept as ends of a leg: the farthest ones
SLACK: Final = 24  # a state this many eighths of a bit worse than one farther on is given up


class Fix(NamedTuple):
    """Where something was: time in ms, 1e-7 degrees."""

    ms: int
    lat_e7: int
    lon_e7: int


class Grid(NamedTuple):
    """Steps of the vertices' grid: places in 1e-7 degrees, times in ms; `raster` ticks make a coarse step.

    All follow from the bound in metres, how many 64ths a degree of longitude is wider drawn than one of latitude, and the
    place of the tick in TICKS_MS.
    """

    lat: int
    lon: int
    tick_ms: int
    raster: int

    @classmethod
    def of(cls, bound_m: int, stretch: int, tick: int) -> Grid:
        """The grid that encoder and reader share; integers alone."""
        lat = max(1, bound_m * 71_865 // 1000)  # 0.8 x bound / 0.0111319491 m
        return cls(lat, lat * stretch // 64, TICKS_MS[tick], RASTER_MS // TICKS_MS[tick])


class Vertex(NamedTuple):
    """A corner of the way in grid steps: ticks since the first fix, rows of latitude, columns of longitude."""

    tick: int
    row: int
    column: int


def split(fixes: Sequence[Fix]) -> Iterator[list[Fix]]:
    """Runs of fixes in rising time without a gap beyond REACH_MS; a second fix of one instant is left out."""
    run: list[Fix] = []
    for fix in fixes:
        if run and not 0 < fix.ms - run[-1].ms <= REACH_MS:
            if fix.ms == run[-1].ms:
                continue
            yield run
            run = []
        run.append(fix)
    if run:
        yield run


def fitting(fixes: Sequence[Fix]) -> tuple[int, int]:
    """Stretch and tick for Grid.of at these fixes: square cells at their latitude, the longest tick that hits every fix."""
    widest = min(abs(fix.lat_e7) for fix in fixes)
    common = gcd(*(fix.ms for fix in fixes))
    stretch = min(int(64 / max(cos(radians(widest / 1e7)), 1e-3)), MAX_STRETCH - 1)
    return stretch, next(at for at, tick in enumerate(TICKS_MS) if common % tick == 0)


@dataclass(slots=True)
class _State:
    cost: int
    before: Vertex | None
    speed: tuple[float, float]


class _Search:
    """One shortest-path search; lengths in grid steps, costs in eighths of a bit."""

    def __init__(self, fixes: Sequence[Fix], bound_m: int, steps: Grid) -> None:
        first = fixes[0]
        self.raster, self.reach = steps.raster, REACH_MS // steps.tick_ms
        self.ticks = [(fix.ms - first.ms) // steps.tick_ms for fix in fixes]
        self.ys = [fix.lat_e7 / steps.lat for fix in fixes]
        self.xs = [fix.lon_e7 / steps.lon for fix in fixes]
        widest = min(abs(fix.lat_e7) for fix in fixes)
        self.bound = bound_m * MARGIN
        self.high = steps.lat * E7_METRES
        self.wide = steps.lon * E7_METRES * cos(radians(widest / 1e7))
        self._near: dict[int, list[Vertex]] = {}
        self.states: dict[int, dict[Vertex, _State]] = {}
        self.queue: list[int] = []

    def near(self, tick: int) -> list[Vertex]:
        """Grid points within the bound of the way at a tick."""
        if tick not in self._near:
            x, y = self._at(tick)
            over, up = min(self.bound / self.wide, NEAR), self.bound / self.high
            self._near[tick] = [
                Vertex(tick, row, column)
                for row in range(ceil(y - up), floor(y + up) + 1)
                for column in range(ceil(x - over), floor(x + over) + 1)
                if self._fits(column - x, row - y)
            ]
        return self._near[tick]

    def _at(self, tick: int) -> tuple[float, float]:
        after = bisect_left(self.ticks, tick)
        if after == 0 or self.ticks[after] == tick:
            return self.xs[after], self.ys[after]
        share = (tick - self.ticks[after - 1]) / (self.ticks[after] - self.ticks[after - 1])
        x, y = self.xs[after - 1], self.ys[after - 1]
        return x + share * (self.xs[after] - x), y + share * (self.ys[after] - y)

    def _fits(self, dx: float, dy: float) -> bool:
        return (dx * self.wide) ** 2 + (dy * self.high) ** 2 <= self.bound**2

    def leg(self, start: Vertex, end: Vertex) -> bool:
        """Whether every fix from start to end lies within the bound of the straight leg at its own time."""
        span = end.tick - start.tick
        vx, vy = (end.column - start.column) / span, (end.row - start.row) / span
        ticks, xs, ys = self.ticks, self.xs, self.ys
        wide, high, limit = self.wide, self.high, self.bound**2
        for at in range(bisect_left(ticks, start.tick), len(ticks)):
            passed = ticks[at] - start.tick
            if passed > span:
                break
            dx = (start.column + vx * passed - xs[at]) * wide
            dy = (start.row + vy * passed - ys[at]) * high
            if dx * dx + dy * dy > limit:
                return False
        return True

    def ends(self, start: Vertex) -> list[Vertex]:
        """Where a leg from `start` may end: the farthest raster times it reaches; the next fix where it reaches none."""
        last = self.ticks[-1]
        found: list[list[Vertex]] = []
        missed = 0
        for tick in range(start.tick + self.raster, min(last, start.tick + self.reach) + self.raster, self.raster):
            held = [end for end in self.near(min(tick, last)) if self.leg(start, end)]
            missed = 0 if held else missed + 1
            if held:
                found.append(held)
            if missed == 2:
                break
        if not found:
            upcoming = self.ticks[bisect_left(self.ticks, start.tick + 1)]
            found = [[end for end in self.near(upcoming) if self.leg(start, end)]]
        return [end for held in found[-FARTHEST:] for end in held]

    def expand(self, start: Vertex, state: _State) -> None:
        """Offer every end of a leg the way through `start`."""
        for end in self.ends(start):
            span = end.tick - start.tick
            dx, dy = end.column - start.column, end.row - start.row
            cost = state.cost + leg_cost(span, dx, dy, state.speed, self.raster)
            beside = self.states.get(end.tick)
            if beside is None:
                beside = self.states[end.tick] = {}
                heappush(self.queue, end.tick)
            known = beside.get(end)
            if known is None or cost < known.cost:
                beside[end] = _State(cost, start, (dx / span, dy / span))

    def run(self) -> list[Vertex]:
        """The cheapest way from the first to the last fix."""
        last = self.ticks[-1]
        self.states[0] = {vertex: _State(0, None, (0.0, 0.0)) for vertex in self.near(0)}
        heappush(self.queue, 0)
        while (tick := heappop(self.queue)) != last:
            ahead = min((state.cost for later in self.queue for state in self.states[later].values()), default=1 << 60)
            for vertex, state in self.states[tick].items():
                if state.cost <= ahead + SLACK:
                    self.expand(vertex, state)
        best = min(self.states[last], key=lambda end: self.states[last][end].cost)
        return list(self._back(best))[::-1]

    def _back(self, end: Vertex | None) -> Iterator[Vertex]:
        while end is not None:
            yield end
            end = self.states[end.tick][end].before


def leg_cost(span: int, dx: int, dy: int, speed: tuple[float, float], raster: int) -> int:
    """About what a leg costs in eighths of a bit: its time, and how far it ends from where the last speed led."""
    coarse, fine = divmod(span, raster)
    time = 20 + 10 * abs(coarse.bit_length() - 4) if not fine else 100
    return time + _spread(dx - round(speed[0] * span)) + _spread(dy - round(speed[1] * span))


def _spread(value: int) -> int:
    return 12 + 11 * abs(value).bit_length()


def vertices(fixes: Sequence[Fix], bound_m: int, steps: Grid) -> list[Vertex]:
    """Corners such that every fix of a run (see `split`) is within `bound_m` of the straight way at its own time."""
    return _Search(fixes, bound_m, steps).run()

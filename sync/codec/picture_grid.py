"""The grid of a force picture: square cells around the incident's fixed point, by integers alone (docs/wire/picture.md)."""

from __future__ import annotations

from typing import Final, NamedTuple

from sync.records import Anchor

E7_PER_KM: Final = 89_832  # 1e-7 degrees of latitude in a kilometre, on the WGS 84 equator's radius
TURN: Final = 3_600_000_000  # 1e-7 degrees of a full turn
_ONE: Final = 1 << 30
_RADIAN: Final = 1_874_033_054  # 2**30 parts of a radian in a degree, times 100
_WIDEST: Final = 64  # beyond 89 degrees of latitude columns grow no wider in degrees


class Cell(NamedTuple):
    """Steps of the grid north and east of the anchor's cell."""

    row: int
    column: int


class Grid(NamedTuple):
    """Steps in 1e-7 degrees of latitude and longitude; cell (0, 0) has the anchor as its south-west corner."""

    lat: int
    lon: int
    high: int
    wide: int

    @classmethod
    def around(cls, anchor: Anchor, step_m: int) -> Grid:
        """The grid of `step_m` metres that every node lays around the anchor."""
        high = step_m * E7_PER_KM // 1000
        wide = high * _ONE // max(cosine(anchor.lat_e7), _ONE // _WIDEST)
        return cls(anchor.lat_e7, anchor.lon_e7, high, wide)

    def cell(self, lat_e7: int, lon_e7: int) -> Cell:
        """The cell that holds a place; longitudes go the shorter way round."""
        east = (lon_e7 - self.lon + TURN // 2) % TURN - TURN // 2
        return Cell((lat_e7 - self.lat) // self.high, east // self.wide)

    def middle(self, cell: Cell) -> tuple[int, int]:
        """The middle of a cell: 1e-7 degrees."""
        lat = self.lat + cell.row * self.high + self.high // 2
        lon = self.lon + cell.column * self.wide + self.wide // 2
        return lat, (lon + TURN // 2) % TURN - TURN // 2

    def steps(self, north_e7: int, east_e7: int) -> Cell:
        """A way in 1e-7 degrees as the nearest number of steps."""
        return Cell(
            (2 * north_e7 + self.high) // (2 * self.high),
            (2 * east_e7 + self.wide) // (2 * self.wide),
        )


def cosine(lat_e7: int) -> int:
    """The cosine of a latitude in 2**-30, to about 1e-6: its series, rounded down at each step."""
    angle = abs(lat_e7) * _RADIAN // 1_000_000_000
    square = angle * angle >> 30
    total = _ONE
    for step in (132, 90, 56, 30, 12, 2):
        total = _ONE - (total * square >> 30) // step
    return total

"""The observation: all values that one device gave about one subject for one instant."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from hardware.clock import Stamp
from hardware.kinds import BY_NAME, KINDS, Kind, Privacy, Quality, unknown


class Predictor(Enum):
    """How a column usually moves; what a codec may assume, never what it must."""

    GENERIC = 0
    POSITION = 1
    ANGLE = 2
    COUNTER = 3
    HOLD = 4
    RAW = 5


@dataclass(frozen=True, slots=True)
class Column:
    """One value of a profile: a kind number, the decimal exponent used here, and how it moves."""

    kind: int
    exponent: int
    predictor: Predictor = Predictor.GENERIC

    @property
    def meaning(self) -> Kind:
        """The registry's row for this column; an unknown number gets a plain one."""
        return KINDS.get(self.kind) or unknown(self.kind)


@dataclass(frozen=True, slots=True)
class Profile:
    """A versioned list of columns. Numbers 1..127 are the table below; 0 is a profile described in line."""

    number: int
    name: str
    columns: tuple[Column, ...]

    @property
    def private(self) -> bool:
        """Whether any column is a vital sign."""
        return any(column.meaning.privacy is Privacy.VITAL for column in self.columns)


def _column(spec: str) -> Column:
    """`name`, `name@exponent`, `name:predictor` or both -> Column."""
    body, _, predictor = spec.partition(":")
    name, _, exponent = body.partition("@")
    kind = BY_NAME[name]
    how = Predictor[predictor.upper()] if predictor else Predictor.GENERIC
    return Column(kind.number, int(exponent) if exponent else kind.exponent, how)


def _profile(number: int, name: str, specs: str) -> Profile:
    return Profile(number, name, tuple(_column(spec) for spec in specs.split()))


_FIX = "pos.alt pos.speed pos.course:angle pos.fix:hold pos.sats:hold pos.sats_beidou:hold pos.hdop:hold"
_ROWS: Final = (
    _profile(1, "fix", f"pos.lat:position pos.lon:position {_FIX}"),
    _profile(2, "fix.rtk", f"pos.lat@-7:position pos.lon@-7:position {_FIX}"),
    _profile(3, "heart", "vital.hr vital.contact:hold vital.rr vital.rr vital.rr"),
    _profile(4, "oximeter", "vital.spo2 vital.pulse"),
    _profile(5, "thermometer", "vital.temp"),
    _profile(6, "battery", "dev.battery:hold"),
    _profile(7, "pressure", "vital.bp_sys vital.bp_dia vital.pulse"),
    _profile(
        8,
        "mesh.position",
        "pos.lat@-7:position pos.lon@-7:position pos.alt pos.sats:hold "
        "mesh.packet:raw dev.rssi dev.snr mesh.hops:hold dev.age",
    ),
    _profile(
        9,
        "mesh.device",
        "dev.battery:hold pwr.voltage mesh.channel_util mesh.air_util_tx dev.uptime:counter "
        "mesh.packet:raw dev.rssi dev.snr mesh.hops:hold",
    ),
    _profile(
        10,
        "mesh.environment",
        "met.temp met.rh met.pressure met.wind_speed met.wind_dir:angle met.gust "
        "hydro.rain_1h rad.dose_rate mesh.packet:raw dev.rssi dev.snr mesh.hops:hold",
    ),
    _profile(11, "mesh.health", "vital.hr vital.spo2 vital.temp mesh.packet:raw dev.rssi dev.snr mesh.hops:hold"),
    _profile(12, "walker", "pos.lat@-7:position pos.lon@-7:position pos.speed@-2 vital.hr vital.spo2 vital.temp@-1"),
    _profile(13, "gas4", "gas.o2 gas.co gas.h2s gas.lel"),
    _profile(14, "gauge", "hydro.level hydro.rain_total hydro.rain_1h pwr.voltage"),
    _profile(15, "weather", "met.temp met.rh met.pressure met.wind_speed met.wind_dir:angle met.gust hydro.rain_1h"),
    _profile(16, "trigger", "geo.pga geo.sta_lta"),
    _profile(17, "vehicle", "veh.speed veh.rpm veh.coolant veh.fuel pwr.voltage"),
    _profile(18, "power", "pwr.mains:hold pwr.soc pwr.voltage pwr.runtime"),
    _profile(
        19,
        "wearable",
        "pos.lat:position pos.lon:position pos.alt pos.speed vital.hr vital.spo2 vital.temp@-1 dev.battery:hold",
    ),
    _profile(
        24,
        "mesh.power",
        "pwr.voltage pwr.current@-3 mesh.packet:raw dev.rssi dev.snr mesh.hops:hold",
    ),
)

PROFILES: Final[dict[int, Profile]] = {profile.number: profile for profile in _ROWS}
PROFILE_NAMED: Final[dict[str, Profile]] = {profile.name: profile for profile in _ROWS}


@dataclass(frozen=True, slots=True)
class Observation:
    """One instant of one device about one subject; `values` follow the profile's columns, None where nothing was measured.

    subject: who or what the reading is about ("P03", "V1", "gauge2"); source: the device ("gnss0", "mesh0/!a1b2c3d4").
    qualities: one for each value; a None value never carries GOOD.
    """

    subject: str
    source: str
    profile: Profile
    time: Stamp
    values: tuple[int | None, ...]
    qualities: tuple[Quality, ...] = field(default=())

    def __post_init__(self) -> None:
        if len(self.values) != len(self.profile.columns):
            raise ValueError(f"{self.profile.name} has {len(self.profile.columns)} columns, not {len(self.values)}")
        if not self.qualities:
            filled = tuple(Quality.BAD if value is None else Quality.GOOD for value in self.values)
            object.__setattr__(self, "qualities", filled)

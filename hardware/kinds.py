"""The registry of measured kinds: numbers are never reused; a value is an integer with a decimal exponent."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Final


class Privacy(Enum):
    """Who may read a kind: anyone in the incident, or only the roles that may see vital signs."""

    FIELD = "field"
    VITAL = "vital"


class Quality(IntEnum):
    """What a value is worth; 3 bits on the wire. A null value always has a quality other than GOOD."""

    GOOD = 0
    SUSPECT = 1
    BAD = 2
    STALE = 3
    SUBSTITUTED = 4
    CALIBRATING = 5
    OVER_RANGE = 6
    FAULT = 7


@dataclass(frozen=True, slots=True)
class Kind:
    """One measured quantity: real value = integer x 10**exponent, in `unit` (UCUM); lo and hi bound what is plausible."""

    number: int
    name: str
    unit: str
    exponent: int
    lo: float
    hi: float
    stale_s: float
    zh: str
    en: str
    privacy: Privacy = Privacy.FIELD


V = Privacy.VITAL
_ROWS: Final = (
    # number, name, unit, exponent, plausible range, stale after s, Chinese, English
    Kind(1, "vital.hr", "/min", 0, 20, 250, 15, "心率", "heart rate", V),
    Kind(2, "vital.spo2", "%", 0, 50, 100, 30, "血氧", "SpO2", V),
    Kind(3, "vital.temp", "Cel", -2, 25, 45, 120, "体温", "body temperature", V),
    Kind(4, "vital.resp", "/min", 0, 2, 80, 60, "呼吸", "respiration", V),
    Kind(5, "vital.rmssd", "ms", 0, 0, 1000, 120, "心率变异", "HRV rMSSD", V),
    Kind(6, "vital.bp_sys", "mm[Hg]", 0, 40, 300, 900, "收缩压", "systolic pressure", V),
    Kind(7, "vital.bp_dia", "mm[Hg]", 0, 20, 200, 900, "舒张压", "diastolic pressure", V),
    Kind(8, "vital.activity", "1", 0, 0, 255, 60, "活动", "activity", V),
    Kind(9, "vital.man_down", "1", 0, 0, 1, 60, "倒地", "man down"),
    Kind(10, "vital.contact", "1", 0, 0, 1, 15, "佩戴", "skin contact"),
    Kind(11, "vital.rr", "ms", 0, 200, 3000, 15, "RR间期", "RR interval", V),
    Kind(12, "vital.energy", "kJ", 0, 0, 65535, 60, "能耗", "energy", V),
    Kind(13, "vital.pulse", "/min", 0, 20, 250, 30, "脉率", "pulse rate", V),
    Kind(14, "vital.alarm", "1", 0, 0, 1, 60, "体征告警", "vital alarm"),
    Kind(16, "gas.o2", "%{vol}", -1, 0, 100, 10, "氧气", "oxygen"),
    Kind(17, "gas.co", "[ppm]", 0, 0, 10000, 10, "一氧化碳", "carbon monoxide"),
    Kind(18, "gas.h2s", "[ppm]", -1, 0, 1000, 10, "硫化氢", "hydrogen sulphide"),
    Kind(19, "gas.lel", "%{LEL}", 0, 0, 100, 10, "可燃气", "combustible gas"),
    Kind(20, "gas.ch4", "%{vol}", -2, 0, 100, 10, "甲烷", "methane"),
    Kind(21, "gas.co2", "[ppm]", 0, 0, 100000, 30, "二氧化碳", "carbon dioxide"),
    Kind(22, "gas.nh3", "[ppm]", -1, 0, 1000, 10, "氨气", "ammonia"),
    Kind(23, "gas.cl2", "[ppm]", -2, 0, 100, 10, "氯气", "chlorine"),
    Kind(24, "gas.so2", "[ppm]", -1, 0, 200, 10, "二氧化硫", "sulphur dioxide"),
    Kind(25, "gas.voc", "[ppm]", -1, 0, 10000, 10, "挥发物", "VOC"),
    Kind(26, "rad.dose_rate", "uSv/h", -2, 0, 100000, 30, "剂量率", "dose rate"),
    Kind(32, "hydro.level", "m", -3, -100, 9000, 900, "水位", "water level"),
    Kind(33, "hydro.flow", "m3/s", -3, -100000, 1000000, 900, "流量", "flow"),
    Kind(34, "hydro.velocity", "m/s", -3, -20, 20, 900, "流速", "flow velocity"),
    Kind(35, "hydro.rain_total", "mm", -1, 0, 100000, 900, "累计雨量", "rain total"),
    Kind(36, "hydro.rain_1h", "mm", -1, 0, 500, 900, "时雨量", "rain 1 h"),
    Kind(37, "hydro.water_temp", "Cel", -1, -5, 60, 900, "水温", "water temperature"),
    Kind(38, "pos.lat", "deg", -6, -90, 90, 60, "纬度", "latitude"),
    Kind(39, "pos.lon", "deg", -6, -180, 180, 60, "经度", "longitude"),
    Kind(40, "pos.alt", "m", -1, -500, 20000, 60, "高程", "altitude MSL"),
    Kind(41, "pos.speed", "m/s", -1, 0, 400, 60, "速度", "ground speed"),
    Kind(42, "pos.course", "deg", 0, 0, 360, 60, "航向", "course"),
    Kind(43, "pos.fix", "1", 0, 0, 9, 60, "定位状态", "fix quality (GGA)"),
    Kind(44, "pos.sats", "1", 0, 0, 100, 60, "卫星数", "satellites used"),
    Kind(45, "pos.hdop", "1", -1, 0, 100, 60, "水平精度因子", "HDOP"),
    Kind(46, "pos.geoid", "m", -1, -150, 150, 600, "大地水准面差距", "geoid separation"),
    Kind(47, "pos.sats_beidou", "1", 0, 0, 63, 60, "北斗卫星数", "BeiDou satellites used"),
    Kind(48, "met.temp", "Cel", -1, -60, 80, 300, "气温", "air temperature"),
    Kind(49, "met.rh", "%", 0, 0, 100, 300, "湿度", "relative humidity"),
    Kind(50, "met.pressure", "hPa", -1, 300, 1100, 300, "气压", "air pressure"),
    Kind(51, "met.wind_speed", "m/s", -1, 0, 120, 120, "风速", "wind speed"),
    Kind(52, "met.wind_dir", "deg", 0, 0, 360, 120, "风向", "wind direction"),
    Kind(53, "met.gust", "m/s", -1, 0, 150, 120, "阵风", "gust"),
    Kind(64, "geo.pga", "cm/s2", -1, 0, 5000, 60, "地震动峰值", "PGA"),
    Kind(65, "geo.sta_lta", "1", -1, 0, 1000, 60, "长短时比", "STA/LTA"),
    Kind(66, "geo.crack", "mm", -2, -10000, 10000, 3600, "裂缝", "crack width"),
    Kind(67, "geo.tilt", "deg", -3, -90, 90, 3600, "倾角", "tilt"),
    Kind(68, "geo.displacement", "mm", -1, -100000, 100000, 3600, "位移", "displacement"),
    Kind(69, "geo.pore_pressure", "kPa", -1, -100, 10000, 3600, "孔压", "pore pressure"),
    Kind(80, "veh.speed", "km/h", 0, 0, 250, 15, "车速", "vehicle speed"),
    Kind(81, "veh.rpm", "/min", 0, 0, 10000, 15, "转速", "engine speed"),
    Kind(82, "veh.coolant", "Cel", 0, -40, 215, 60, "冷却液温度", "coolant"),
    Kind(83, "veh.fuel", "%", 0, 0, 100, 300, "油量", "fuel"),
    Kind(84, "veh.odometer", "km", -1, 0, 10000000, 3600, "里程", "odometer"),
    Kind(85, "veh.dtc_count", "1", 0, 0, 127, 3600, "故障码数", "trouble codes"),
    Kind(90, "dev.battery", "%", 0, 0, 101, 900, "电量", "battery"),
    Kind(91, "dev.rssi", "dBm", 0, -200, 20, 300, "信号强度", "RSSI"),
    Kind(92, "dev.snr", "dB", -2, -50, 50, 300, "信噪比", "SNR"),
    Kind(93, "mesh.packet", "1", 0, 0, 4294967295, 300, "报文号", "radio packet id"),
    Kind(94, "mesh.hops", "1", 0, 0, 7, 300, "跳数", "hops"),
    Kind(95, "mesh.channel_util", "%", -1, 0, 100, 300, "信道占用", "channel utilisation"),
    Kind(96, "pwr.voltage", "V", -2, 0, 1000, 120, "电压", "voltage"),
    Kind(97, "pwr.current", "A", -2, -1000, 1000, 120, "电流", "current"),
    Kind(98, "pwr.soc", "%", 0, 0, 100, 120, "电池余量", "state of charge"),
    Kind(99, "pwr.runtime", "min", 0, 0, 100000, 120, "续航", "runtime left"),
    Kind(100, "pwr.power", "W", 0, -100000, 100000, 120, "功率", "power"),
    Kind(101, "pwr.mains", "1", 0, 0, 1, 120, "市电", "mains present"),
    Kind(102, "mesh.air_util_tx", "%", -1, 0, 100, 300, "发射占用", "airtime transmitted"),
    Kind(103, "dev.uptime", "s", 0, 0, 4294967295, 900, "运行时间", "uptime"),
    Kind(104, "dev.age", "s", 0, 0, 4294967295, 900, "接收时龄", "age when heard"),
    Kind(110, "air.aircraft", "1", 0, 0, 2**31, 60, "航空器", "aircraft"),
    Kind(111, "water.vessel", "1", 0, 0, 2**31, 300, "船舶", "vessel"),
    Kind(112, "uav.position", "1", 0, 0, 2**31, 60, "无人机", "UAV"),
)

KINDS: Final[dict[int, Kind]] = {kind.number: kind for kind in _ROWS}
BY_NAME: Final[dict[str, Kind]] = {kind.name: kind for kind in _ROWS}


def unknown(number: int) -> Kind:
    """The kind of a number that this version does not know: plain integers, kept as they are."""
    return Kind(number, f"kind.{number}", "1", 0, float("-inf"), float("inf"), 300, f"类别{number}", f"kind {number}")

"""Fixed forms in a `report` event: the disaster report (灾情快报, 14 indicators) and the shelter form (docs/wire/report.md).

A form is a row of FORMS; what a reader gets is the same integers, place and times that were entered, nothing rounded. Indicators are
integers times ten to the row's exponent; one that is not known is null, which is not the same as 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import chain, repeat
from typing import Any, Final

from hardware.errors import DecodeError
from sync.codec.ends import Coder, Writing, number
from sync.codec.stack import LAPLACE, Table
from sync.events import BY_NAME, key
from sync.ids import unzigzag, zigzag
from sync.records import Value

REPORT: Final = BY_NAME["report"].number
MAX_FORMS: Final = 16
MAX_INDICATORS: Final = 32
EPOCH_MIN: Final = 26_297_280  # minutes from 1970 to 2020-01-01, UTC
_MINUTES: Final = 1 << 24  # until 2051
_SERIAL: Final = Table.of((2, 8, 8, 6, 4, 2, 1, 1, 1, 1, 1))  # bit length of the serial number
_STATE: Final = Table.of((13, 2, 1))  # of an indicator: more than 0, 0, not known
_SOME, _ZERO, _UNKNOWN = range(3)
_BITS: Final = LAPLACE[4]  # bit length beside the line's usual one
_MAX_BITS: Final = 48
_USUAL_BITS: Final = 8  # of lines that no table names
_USUAL: Final = Table.of((31, 1))  # 1: not as many values as the form has lines
_DIVISION: Final = (0, 6, 9, 12)  # digits of a division code: none, county, township, village (GB/T 2260, GB/T 10114)
_SPAN: Final = Table.of((1, *[2] * 6, *[6] * 8, *[2] * 12))  # bit length of the minutes between two times


@dataclass(frozen=True, slots=True)
class Indicator:
    """One line of a form: real value = integer x 10**exponent in `unit`; bits: the usual bit length of that integer."""

    name: str
    zh: str
    en: str
    unit: str
    exponent: int = 0
    bits: int = _USUAL_BITS


@dataclass(frozen=True, slots=True)
class FormTable:
    """A form: its lines in their order, which never changes; new lines are added at the end."""

    number: int
    zh: str
    en: str
    indicators: tuple[Indicator, ...]


def _lines(rows: str) -> tuple[Indicator, ...]:
    parts = [[part.strip() for part in row.split("|")] for row in rows.strip().splitlines()]
    return tuple(
        Indicator(name, zh, en, unit, int(exponent), int(bits)) for name, zh, en, unit, exponent, bits in parts
    )


_DISASTER: Final = """
affected | 受灾人口 | people affected | 人 | 0 | 14
dead | 因灾死亡人口 | dead | 人 | 0 | 4
missing | 因灾失踪人口 | missing | 人 | 0 | 3
hurt | 因灾伤病人口 | injured or ill | 人 | 0 | 7
evacuated | 紧急转移安置人口 | urgently evacuated | 人 | 0 | 13
trapped | 被困人口 | trapped | 人 | 0 | 7
thirsty | 饮水困难需救助人口 | without drinking water | 人 | 0 | 11
collapsed | 倒塌房屋 | rooms collapsed | 间 | 0 | 10
severe | 严重损坏房屋 | rooms severely damaged | 间 | 0 | 11
slight | 一般损坏房屋 | rooms slightly damaged | 间 | 0 | 13
crops | 农作物受灾面积 | crops affected | 公顷 | 0 | 13
crops_lost | 农作物成灾面积 | crops lost by three tenths or more | 公顷 | 0 | 12
loss | 直接经济损失 | direct economic loss | 万元 | 0 | 18
farm_loss | 农业经济损失 | agricultural loss | 万元 | 0 | 15
"""
_SHELTER: Final = """
capacity | 可容纳 | capacity | 人 | 0 | 10
people | 在册人数 | people registered | 人 | 0 | 9
households | 户数 | households | 户 | 0 | 7
old | 老人 | aged 65 and over | 人 | 0 | 6
children | 儿童 | under 14 | 人 | 0 | 6
infants | 婴幼儿 | under 3 | 人 | 0 | 4
special | 特殊照护 | in need of care | 人 | 0 | 4
ill | 伤病 | ill or injured | 人 | 0 | 4
tents | 帐篷 | tents | 顶 | 0 | 7
quilts | 被褥 | quilts | 床 | 0 | 9
water | 饮水可用 | drinking water left | 天 | -1 | 5
food | 食品可用 | food left | 天 | -1 | 5
toilets | 厕位 | toilets | 个 | 0 | 4
power | 供电可用 | power left | 小时 | 0 | 5
"""
FORMS: Final[dict[int, FormTable]] = {
    form.number: form
    for form in (
        FormTable(1, "灾情快报", "disaster report", _lines(_DISASTER)),
        FormTable(2, "安置点情况表", "shelter form", _lines(_SHELTER)),
    )
}
STAGES: Final = (("初报", "first report"), ("续报", "follow-up"), ("核报", "final report"), ("零报告", "nothing new"))
DISASTERS: Final = (
    ("不明", "not known"), ("洪涝", "flood"), ("山洪", "flash flood"), ("滑坡", "landslide"), ("泥石流", "debris flow"),
    ("崩塌", "rockfall"), ("地震", "earthquake"), ("台风", "typhoon"), ("风雹", "wind and hail"), ("低温冷冻", "frost"),
    ("雪灾", "snow"), ("干旱", "drought"), ("森林火灾", "forest fire"), ("草原火灾", "grassland fire"), ("沙尘暴", "sandstorm"),
    ("堰塞湖", "landslide lake"), ("危化品事故", "chemical accident"), ("矿山事故", "mine accident"), ("火灾", "fire"),
    ("建筑垮塌", "building collapse"), ("交通事故", "traffic accident"), ("其他", "other"),
)  # fmt: skip
_MAX_DISASTERS: Final = 32


@dataclass(frozen=True, slots=True)
class Report:
    """A filled form, named as the event's fields. stage, disaster: places in STAGES and DISASTERS; division: administrative code of 6, 9 or 12 digits, "" for
    none; occurred, until: minutes since 1970 UTC of the event and of the figures' cut-off, None when not said."""

    form: int
    indicators: tuple[int | None, ...]
    stage: int = 0
    serial: int = 1
    division: str = ""
    disaster: int = 0
    occurred: int | None = None
    until: int | None = None

    def lines(self) -> list[tuple[Indicator, int | None]]:
        """Indicators with their values; lines that this version does not know are named by their number."""
        known = FORMS[self.form].indicators if self.form in FORMS else ()
        spare = [
            Indicator(f"line{at}", f"第{at + 1}项", f"line {at + 1}", "1")
            for at in range(len(known), len(self.indicators))
        ]
        return list(zip([*known, *spare], self.indicators))


_FIELDS: Final = {key("report", each.name): each for each in fields(Report)}
_INDICATORS: Final = key("report", "indicators")


def split(body: Mapping[int, Value]) -> tuple[Report | None, dict[int, Value]]:
    """A report's body as its filled form and what else it says; None where it is more or less than a form holds."""
    said: dict[str, Any] = {_FIELDS[number].name: value for number, value in body.items() if number in _FIELDS}
    rest = {number: value for number, value in body.items() if number not in _FIELDS}
    figures = said.get("indicators")
    if type(figures) is not list or any(type(value) is bool for value in (*said.values(), *figures)):
        return None, dict(body)
    try:
        report = Report(**said | {"indicators": tuple(figures)})
        told = fill(Writing(), report)
    except (AttributeError, TypeError, ValueError):
        return None, dict(body)
    return (report, rest) if told == report and join(report, rest) == body else (None, dict(body))


def join(report: Report, rest: Mapping[int, Value]) -> dict[int, Value]:
    """The inverse of `split`; what is as usual is not said."""
    values = {number: getattr(report, each.name) for number, each in _FIELDS.items()}
    told = {number: value for number, value in values.items() if value != _FIELDS[number].default}
    return {**rest, **told, _INDICATORS: list(report.indicators)}


def fill(coder: Coder, report: Report) -> Report:
    """A filled form, at either end; ValueError for what no form holds."""
    if len(report.division) not in _DIVISION or not (report.division or "0").isdecimal():
        raise ValueError(f"{report.division} is no division code")
    form, stage = coder.uniform(MAX_FORMS, report.form), coder.uniform(len(STAGES), report.stage)
    serial, disaster = number(coder, _SERIAL, report.serial), coder.uniform(_MAX_DISASTERS, report.disaster)
    digits = _DIVISION[coder.uniform(len(_DIVISION), _DIVISION.index(len(report.division)))]
    division = str(coder.uniform(10**digits, int(report.division or 0))).zfill(digits) if digits else ""
    occurred, until = _times(coder, report.occurred, report.until)
    values = _values(coder, FORMS[form].indicators if form in FORMS else (), report.indicators)
    return Report(form, values, stage, serial, division, disaster, occurred, until)


def _times(coder: Coder, occurred: int | None, until: int | None) -> tuple[int | None, int | None]:
    """The earlier-named time from EPOCH_MIN, the other as the way from there."""
    says_occurred, says_until = coder.uniform(2, occurred is not None), coder.uniform(2, until is not None)
    if not says_occurred and not says_until:
        return None, None
    start = EPOCH_MIN + coder.uniform(_MINUTES, (occurred if occurred is not None else until or 0) - EPOCH_MIN)
    if not says_occurred or not says_until:
        return (start, None) if says_occurred else (None, start)
    return start, start + unzigzag(number(coder, _SPAN, zigzag((until or 0) - (occurred or 0))))


def _values(coder: Coder, lines: Sequence[Indicator], values: Sequence[int | None]) -> tuple[int | None, ...]:
    other = coder.symbol(_USUAL, len(values) != len(lines))
    count = coder.uniform(MAX_INDICATORS + 1, len(values)) if other else len(lines)
    return tuple(
        _value(coder, value, lines[at].bits if at < len(lines) else _USUAL_BITS)
        for at, value in zip(range(count), chain(values, repeat(None)))
    )


def _value(coder: Coder, value: int | None, usual: int) -> int | None:
    state = coder.symbol(_STATE, _UNKNOWN if value is None else _SOME if value else _ZERO)
    if state != _SOME:
        return 0 if state == _ZERO else None
    wanted = value or 0
    if wanted < 0 or wanted.bit_length() > _MAX_BITS:
        raise ValueError(f"{wanted} is no number for a report")
    bits = usual + coder.signed(_BITS, wanted.bit_length() - usual)
    if not 0 < bits <= _MAX_BITS:
        raise DecodeError("report: number out of range")
    high = 1 << bits - 1
    return high + coder.uniform(high, wanted - high)

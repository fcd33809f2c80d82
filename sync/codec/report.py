"""Fixed forms in a short message: the disaster report (灾情快报, 14 indicators) and the shelter form (docs/wire/report.md).

A form is a row of FORMS; what a reader gets is the same integers, place and times that were entered, nothing rounded. Indicators are
integers times ten to the row's exponent; one that is not known is left out, which is not the same as 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hardware.errors import DecodeError
from sync.codec.stack import LAPLACE, StackReader, StackWriter, Table
from sync.ids import unzigzag, zigzag

VERSION: Final = 1
_VERSIONS: Final = 4
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
    """A filled form. stage, disaster: places in STAGES and DISASTERS; division: administrative code of 6, 9 or 12 digits, "" for
    none; occurred, until: minutes since 1970 UTC of the event and of the figures' cut-off, None when not said."""

    form: int
    values: tuple[int | None, ...]
    stage: int = 0
    serial: int = 1
    division: str = ""
    disaster: int = 0
    occurred_min: int | None = None
    until_min: int | None = None

    def lines(self) -> list[tuple[Indicator, int | None]]:
        """Indicators with their values; lines that this version does not know are named by their number."""
        known = FORMS[self.form].indicators if self.form in FORMS else ()
        spare = [
            Indicator(f"line{at}", f"第{at + 1}项", f"line {at + 1}", "1") for at in range(len(known), len(self.values))
        ]
        return list(zip([*known, *spare], self.values))


def encode_report(report: Report) -> bytes:
    """A form with all 14 figures in about 30 bytes; ValueError for what no form holds."""
    if len(report.division) not in _DIVISION or not all(digit in "0123456789" for digit in report.division):
        raise ValueError(f"{report.division} is no division code")
    writer = StackWriter()
    writer.uniform(VERSION, _VERSIONS)
    writer.uniform(report.form, MAX_FORMS)
    writer.uniform(report.stage, len(STAGES))
    _write(writer, _SERIAL, report.serial)
    writer.uniform(report.disaster, _MAX_DISASTERS)
    writer.uniform(_DIVISION.index(len(report.division)), len(_DIVISION))
    if report.division:
        writer.uniform(int(report.division), 10 ** len(report.division))
    _write_times(writer, report.occurred_min, report.until_min)
    lines = FORMS[report.form].indicators if report.form in FORMS else ()
    other = len(report.values) != len(lines)
    writer.put(_USUAL, other)
    if other:
        writer.uniform(len(report.values), MAX_INDICATORS + 1)
    for at, value in enumerate(report.values):
        _write_value(writer, value, lines[at].bits if at < len(lines) else _USUAL_BITS)
    return writer.bytes()


def decode_report(data: bytes) -> Report:
    """The inverse of encode_report; DecodeError on anything else."""
    reader = StackReader(data)
    if reader.uniform(_VERSIONS) != VERSION:
        raise DecodeError("report: unknown version")
    form, stage, serial = reader.uniform(MAX_FORMS), reader.uniform(len(STAGES)), _read(reader, _SERIAL)
    disaster, digits = reader.uniform(_MAX_DISASTERS), _DIVISION[reader.uniform(len(_DIVISION))]
    division = str(reader.uniform(10**digits)).zfill(digits) if digits else ""
    occurred, until = _read_times(reader)
    lines = FORMS[form].indicators if form in FORMS else ()
    count = reader.uniform(MAX_INDICATORS + 1) if reader.take(_USUAL) else len(lines)
    values = [_read_value(reader, lines[at].bits if at < len(lines) else _USUAL_BITS) for at in range(count)]
    reader.end()
    return Report(form, tuple(values), stage, serial, division, disaster, occurred, until)


def _write_times(writer: StackWriter, occurred: int | None, until: int | None) -> None:
    for known in (occurred, until):
        writer.uniform(known is not None, 2)
    first = occurred if occurred is not None else until
    if first is not None:
        writer.uniform(first - EPOCH_MIN, _MINUTES)
    if occurred is not None and until is not None:
        _write(writer, _SPAN, zigzag(until - occurred))


def _read_times(reader: StackReader) -> tuple[int | None, int | None]:
    has_occurred, has_until = reader.uniform(2), reader.uniform(2)
    first = reader.uniform(_MINUTES) + EPOCH_MIN if has_occurred or has_until else None
    if first is None or not has_occurred:
        return None, first
    return first, first + unzigzag(_read(reader, _SPAN)) if has_until else None


def _write_value(writer: StackWriter, value: int | None, usual: int) -> None:
    writer.put(_STATE, _UNKNOWN if value is None else _SOME if value else _ZERO)
    if value:
        bits = value.bit_length()
        if value < 0 or bits > _MAX_BITS:
            raise ValueError(f"{value} is no number for a report")
        writer.signed(_BITS, bits - usual)
        writer.uniform(value - (1 << bits - 1), 1 << bits - 1)


def _read_value(reader: StackReader, usual: int) -> int | None:
    state = reader.take(_STATE)
    if state != _SOME:
        return 0 if state == _ZERO else None
    bits = reader.signed(_BITS) + usual
    if not 0 < bits <= _MAX_BITS:
        raise DecodeError("report: number out of range")
    return (1 << bits - 1) + reader.uniform(1 << bits - 1)


def _write(writer: StackWriter, sizes: Table, folded: int) -> None:
    """A number by its bit length and the bits below the highest."""
    bits = folded.bit_length()
    if folded < 0 or bits >= len(sizes.starts) - 1:
        raise ValueError(f"{folded} is no number for a report")
    writer.put(sizes, bits)
    if bits > 1:
        writer.uniform(folded - (1 << bits - 1), 1 << bits - 1)


def _read(reader: StackReader, sizes: Table) -> int:
    bits = reader.take(sizes)
    return bits if bits < 2 else (1 << bits - 1) + reader.uniform(1 << bits - 1)

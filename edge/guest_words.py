"""The few plain words in which people without a node take part, Chinese and English, as acts: pure, total, and never an order.

    到 · here                    check-in                 SOS · 求救               SOS; "SOS 解除", "SOS over" ends it
    安4 · 安4缺1 · PAR 4         roll-call answer         收到 · roger             receipt: read
    红2黄3 · red 2 yellow 3      triage counts            完成 · done, 不能 · unable  receipt: acted, refused

Several may stand in one message, parted by commas or line ends. What fits no row says nothing here; the words themselves are
kept whatever they are.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from sync.records import Value

LONGEST: Final = 240
READ, ACTED, REFUSED = 1, 2, 3
ANSWER: Final = "rollcall.answer"
OVER: Final = 0
COLOURS: Final = {
    "红": "red", "黄": "yellow", "绿": "green", "黑": "black",
    "red": "red", "yellow": "yellow", "green": "green", "black": "black",
    "r": "red", "y": "yellow", "g": "green", "b": "black",
}  # fmt: skip
ORDER: Final = ("red", "yellow", "green", "black")  # of the counts in a triage report
_DIGITS: Final = {digit: str(value) for value, digit in enumerate("零一二三四五六七八九")} | {"两": "2", "〇": "0"}
_NUMBER: Final = re.compile(r"(?<=[安全par红黄绿黑缺联少])\s*[零〇一二两三四五六七八九十]+")
_MISSING: Final = "缺|少|失联|missing"
# Possessive throughout: there is one way to read a count, or a stranger's line of blanks would keep the node busy for ever.
_COLOUR: Final = r"(红|黄|绿|黑|red|yellow|green|black|r|y|g|b)\s*+(?:[::]\s*+)?(\d{1,3})(?:\s*+[人个名])?"


@dataclass(frozen=True, slots=True)
class Said:
    """One act. kind: a name of sync.events; fields: of that kind, without those that only the listening node knows."""

    kind: str
    fields: dict[str, Value] = field(default_factory=dict)


_NOBODY: Final = Said(ANSWER, {"missing": 0})


def _triage(found: re.Match[str]) -> Said:
    counts = dict.fromkeys(ORDER, 0)
    for colour, number in re.findall(_COLOUR, found.string):
        counts[COLOURS[colour]] += int(number)
    return Said("report", {"form": "triage", "indicators": [counts[colour] for colour in ORDER], "text": ""})


def _par(found: re.Match[str]) -> Said:
    return Said(ANSWER, {"safe": int(found["safe"]), "missing": int(found["missing"] or 0)})


def _says(kind: str, **fields: Value) -> Callable[[re.Match[str]], Said]:
    return lambda found: Said(kind, fields)


# The first row that fits the whole of a clause is what it says.
_ROWS: Final = tuple(
    (re.compile(pattern), made)
    for pattern, made in (
        (r"(sos|求救|mayday)\s*(解除|结束|取消|已获救|over|off|cancel(led)?|clear)|(解除|取消|cancel)\s*(sos|求救)", _says("sos", state=OVER)),
        (r"(.*\W)?(sos|mayday)(\W.*)?|.*(求救|救命|救我).*|help( me| us)?", _says("sos")),
        (rf"(?:安|平安|安全|par|safe)\s*(?P<safe>\d{{1,4}})\s*[人名]?(?:\s*(?:{_MISSING})\s*(?P<missing>\d{{1,4}})\s*[人名]?)?", _par),
        (r"(?P<safe>\d{1,4})\s*(?:safe|平安|安全)(?:\s*(?P<missing>\d{1,4})\s*(?:missing|失联))?", _par),
        (rf"(?:{_COLOUR}[\s+]*+)++", _triage),
        (r"到|到了|到达|报到|已到|在|here|check(ed)?[ -]?in|arrived|on scene", _says("checkin")),
        (r"收到|明白|知道了|roger|ack|copy|copied|received|wilco|r", _says("receipt", state=READ)),
        (r"完成|已完成|办好了|done|completed?", _says("receipt", state=ACTED)),
        (r"不能|无法|做不到|办不到|unable|cannot|can't|can not", _says("receipt", state=REFUSED)),
    )
)  # fmt: skip


def read(text: str) -> list[Said]:
    """The acts in a message, in order, each kind once; empty when it is only words."""
    said: dict[str, Said] = {}
    plain = re.sub(rf"[,;。.、\s]+(?={_MISSING})", " ", _plain(text))
    for clause in re.split(r"[,;。.!\n、]+", plain):
        found = _clause(clause.strip())
        if found is not None:
            said.setdefault(found.kind, found)
    if re.search(_MISSING, plain) and not said.get(ANSWER, _NOBODY).fields["missing"]:
        said.pop(ANSWER, None)  # somebody is missing and nobody understood how many: a person must read it
    return list(said.values())


def _clause(clause: str) -> Said | None:
    for pattern, made in _ROWS:
        found = pattern.fullmatch(clause)
        if found is not None:
            return made(found)
    return None


def _plain(text: str) -> str:
    """Lower case, half width, Chinese numbers below a hundred as digits where a count is meant."""
    flat = unicodedata.normalize("NFKC", text[:LONGEST]).lower()
    return _NUMBER.sub(lambda found: str(_value(found[0].strip())), flat)


def _value(number: str) -> int:
    tens, ten, ones = number.rpartition("十")
    if not ten:
        return int("".join(_DIGITS[digit] for digit in number)[:4])
    high = int(_DIGITS.get(tens[-1:], "1"))
    return high * 10 + int(_DIGITS.get(ones[:1], "0"))

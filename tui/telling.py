"""What an event says, in one line of words: a template for each kind; what the body does not have is left out."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from edge.folds import field
from hardware.kinds import KINDS as MEASURED
from sync.codec.phrases import words
from sync.codec.report import DISASTERS, STAGES, Indicator, split
from sync.events import KINDS
from sync.records import Event, Value
from sync.trust.standing import GUEST_SAYINGS
from tui.words import Said

# kind -> template in Chinese and English; {name} is a body field, and a part in [] is left out when its field is absent.
TEMPLATES: Final[dict[str, tuple[str, str]]] = {
    "message": ("[{phrase:phrase} ]{text}", "[{phrase:phrase} ]{text}"),
    "order": ("[{phrase:phrase} ]{text}[ 地点 {place}]", "[{phrase:phrase} ]{text}[ at {place}]"),
    "receipt": ("{state:receipt}[ {text}]", "{state:receipt}[ {text}]"),
    "alarm": ("{state:over}{subject} {rule:kind}[ {value}][ 限 {limit}][ {text}]",
              "{state:over}{subject} {rule:kind}[ {value}][ limit {limit}][ {text}]"),
    "alarm.ack": ("{text}", "{text}"),
    "sos": ("{state:over}{subject}[ {text}]", "{state:over}{subject}[ {text}]"),
    "evacuate": ("{state:over}{area}[ 路线 {route}][ {phrase:phrase}][ {text}]", "{state:over}{area}[ by {route}][ {phrase:phrase}][ {text}]"),
    "checkin": ("{subject}[ {unit}][ {state}]", "{subject}[ {unit}][ {state}]"),
    "rollcall": ("[{area} ][限 {due_s} 秒][ {text}]", "[{area} ][within {due_s} s][ {text}]"),
    "rollcall.answer": ("{unit} 平安 {safe}[ 失踪 {missing}]", "{unit} safe {safe}[ missing {missing}]"),
    "task": ("{task}[ {text}][ 交 {assignee}][ {state}]", "{task}[ {text}][ for {assignee}][ {state}]"),
    "task.state": ("{task}[ {state}][ {text}]", "{task}[ {state}][ {text}]"),
    "casualty": ("{card} {colour:colour}[ {place}][ {text}]", "{card} {colour:colour}[ {place}][ {text}]"),
    "supplies": ("{item}[ {change}][ {place}][ {text}]", "{item}[ {change}][ {place}][ {text}]"),
    "report": ("[{division} ][{disaster:disaster} ]{indicators:figures}[ {text}]",
               "[{division} ][{disaster:disaster} ]{indicators:figures}[ {text}]"),
    "incident": ("{name}[ {state}]", "{name}[ {state}]"),
    "roster": ("第 {version} 版", "version {version}"),
    "revocation": ("第 {version} 版", "version {version}"),
    "mark": ("{what}[ {text}]", "{what}[ {text}]"),
    "node": ("{state}[ {text}]", "{state}[ {text}]"),
    "person": ("{person}[ {name}][ {unit}][ {role}]", "{person}[ {name}][ {unit}][ {role}]"),
    "force": ("{subjects}", "{subjects}"),
    "access": ("{subject} 的体征[ {what}]", "vital signs of {subject}[ {what}]"),
    **dict.fromkeys(GUEST_SAYINGS, ("{text}[ ({name})]", "{text}[ ({name})]")),
}  # fmt: skip
WORDS: Final[dict[str, dict[Value, tuple[str, str]]]] = {
    "receipt": {1: ("已读", "read"), 2: ("已办", "done"), 3: ("不能办", "refused")},
    "over": {0: ("解除:", "over: ")},
    "colour": {
        "red": ("红", "red"),
        "yellow": ("黄", "yellow"),
        "green": ("绿", "green"),
        "black": ("黑", "black"),
    },
    "disaster": {**dict(enumerate(DISASTERS))},
}
# Units that an English name of an indicator does not hold.
UNITS: Final = {"公顷": "ha", "万元": "x 10000 yuan", "天": "days", "小时": "h"}
_OPTIONAL: Final = re.compile(r"\[([^\]]*)\]")
_FIELD: Final = re.compile(r"\{(\w+)(?::(\w+))?\}")


def tell(event: Event) -> Said:
    """The line in both languages; empty for a kind without words."""
    name = KINDS[event.kind].name if event.kind in KINDS else ""
    zh, en = TEMPLATES.get(name, ("", ""))
    return _fill(event, zh, 0), _fill(event, en, 1)


def _fill(event: Event, template: str, column: int) -> str:
    def said(match: re.Match[str]) -> str:
        value = field(event, match[1])
        if match[2] in WHOLE:
            return WHOLE[match[2]](event, value, column)
        return _word(value, match[2] or "", column)

    def part(match: re.Match[str]) -> str:
        inner = _FIELD.search(match[1])
        return "" if inner is None or not said(inner) else match[1]

    return " ".join(_FIELD.sub(said, _OPTIONAL.sub(part, template)).split())


def _phrase(event: Event, number: Value, column: int) -> str:
    """A phrase of the book with its arguments."""
    if not isinstance(number, int):
        return ""
    given = field(event, "arguments")
    arguments = [each for each in given if isinstance(each, int | str)] if isinstance(given, list) else []
    return words(number, arguments, "en" if column else "zh")


def _figures(event: Event, value: Value, column: int) -> str:
    """What a filled form tells, figures that nobody knows left out."""
    report, _ = split(event.body)
    if report is None:
        return ""
    figures = (_figure(line, value, column) for line, value in report.lines() if value is not None)
    return f"{STAGES[report.stage][column]} {report.serial}: {', '.join(figures)}"


def _figure(line: Indicator, value: int, column: int) -> str:
    shown = f"{value * 10.0**line.exponent:.{-line.exponent}f}"
    return f"{line.en} {shown} {UNITS.get(line.unit, '')}".rstrip() if column else f"{line.zh} {shown}{line.unit}"


# What takes more than the field itself.
WHOLE: Final[dict[str, Callable[[Event, Value, int], str]]] = {"phrase": _phrase, "figures": _figures}


def _word(value: Value, table: str, column: int) -> str:
    """A value as a person reads it: numbers as they are, a word of a table by that table, names of a list in a row."""
    if isinstance(value, list):
        return " ".join(each for each in value if isinstance(each, str))
    if not isinstance(value, int | str):
        return ""
    if table == "kind":
        kind = MEASURED.get(value) if isinstance(value, int) else None
        return (kind.zh, kind.en)[column] if kind else str(value)
    if table == "over":
        return WORDS[table].get(value, ("", ""))[column]
    return WORDS[table].get(value, (str(value),) * 2)[column] if table else str(value)

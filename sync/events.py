"""The table of event kinds: number, name, lane, and the integer keys of each body. Numbers are never reused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from hardware.kinds import BY_NAME as MEASURED_BY_NAME
from hardware.kinds import KINDS as MEASURED
from hardware.kinds import Privacy
from sync.ids import Lane
from sync.records import Value


@dataclass(frozen=True, slots=True)
class EventKind:
    """One kind of event; `keys` maps the body's integer keys to names; `command` kinds are acted on only from command."""

    number: int
    name: str
    lane: Lane
    zh: str
    en: str
    keys: dict[int, str]
    command: bool = False


def _keys(names: str) -> dict[int, str]:
    return dict(enumerate(names.split()))


F, C = Lane.FLASH, Lane.COMMAND
_ROWS: Final = (
    EventKind(1, "message", C, "消息", "message", _keys("text phrase arguments reply_to")),
    EventKind(2, "order", C, "命令", "order", _keys("text phrase arguments place deadline_s"), command=True),
    EventKind(3, "receipt", C, "回执", "receipt", _keys("of state text")),  # state: 1 read, 2 acted, 3 refused
    EventKind(4, "alarm", F, "告警", "alarm", _keys("episode rule subject priority value limit state lat lon text")),
    EventKind(5, "alarm.ack", F, "告警确认", "alarm seen", _keys("episode text")),
    EventKind(6, "sos", F, "求救", "SOS", _keys("subject lat lon text state episode")),
    EventKind(7, "evacuate", F, "撤离", "evacuate", _keys("area text phrase route state of"), command=True),
    EventKind(8, "checkin", C, "报到", "check-in", _keys("subject unit state")),
    EventKind(9, "rollcall", F, "点名", "roll call", _keys("area due_s state text"), command=True),
    EventKind(10, "rollcall.answer", F, "点名应答", "roll-call answer", _keys("of unit safe missing")),
    EventKind(11, "task", C, "任务", "task", _keys("task text assignee state place due_s"), command=True),
    EventKind(12, "task.state", C, "任务状态", "task state", _keys("task state text")),
    EventKind(13, "casualty", C, "伤员", "casualty card", _keys("card colour lat lon place text state")),
    EventKind(14, "supplies", C, "物资", "supplies", _keys("item change place text")),
    EventKind(
        15,
        "report",
        C,
        "灾情快报",
        "situation report",
        _keys("form indicators text stage serial division disaster occurred until"),
    ),  # sync.codec.report
    EventKind(16, "incident", C, "事件", "incident", _keys("name lat lon start_ms state"), command=True),
    EventKind(17, "roster", C, "名册", "roster", _keys("version body"), command=True),
    EventKind(18, "revocation", F, "吊销", "revocation", _keys("version body"), command=True),
    EventKind(19, "mark", C, "标注", "mark", _keys("mark what lat lon text state")),
    EventKind(20, "node", C, "节点", "node state", _keys("state text boot gap_ms")),
    EventKind(21, "person", C, "人员", "person", _keys("person name unit role device")),
    EventKind(22, "guest.text", C, "来宾消息", "guest message", _keys("guest text packet snr hops age_s name")),
    EventKind(23, "force", C, "编队名单", "force list", _keys("first subjects")),  # places in this node's pictures
    EventKind(24, "access", Lane.HISTORY, "查阅", "access", _keys("subject what")),  # who looked at whose vital signs
    EventKind(
        25, "guest.words", Lane.HISTORY, "来宾消息", "guest message", _keys("guest text packet snr hops age_s name")
    ),  # of a crowd
)

KINDS: Final[dict[int, EventKind]] = {kind.number: kind for kind in _ROWS}
BY_NAME: Final[dict[str, EventKind]] = {kind.name: kind for kind in _ROWS}


def key(kind: str, name: str) -> int:
    """The integer key of a body field; KeyError on a name that the kind does not have."""
    for number, field in BY_NAME[kind].keys.items():
        if field == name:
            return number
    raise KeyError(f"{kind} has no field {name}")


_FIGURES: Final = (key("alarm", "value"), key("alarm", "limit"))


def public(kind: int, body: Mapping[int, Value]) -> dict[int, Value]:
    """The body as everybody may read it: an alarm tells its figures only where its rule is a measured kind that is no vital
    sign, by number or name."""
    if kind != BY_NAME["alarm"].number:
        return dict(body)
    rule = body.get(key("alarm", "rule"))
    measured = MEASURED.get(rule) if isinstance(rule, int) else MEASURED_BY_NAME.get(str(rule))
    if measured is not None and measured.privacy is Privacy.FIELD:
        return dict(body)
    return {field: value for field, value in body.items() if field not in _FIGURES}

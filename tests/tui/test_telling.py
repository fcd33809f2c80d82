"""What events say in words: every kind, and bodies that hold anything at all."""

from __future__ import annotations

import random
from typing import Any

import pytest

from hardware.clock import ClockQuality, Stamp
from sync.events import KINDS, EventKind, key
from sync.records import Event, EventId
from tui.telling import TEMPLATES, tell


def event(kind: int, body: dict[int, Any]) -> Event:
    return Event(EventId(2, 7, 1), kind, "P01", 1, Stamp(1, 0, None, ClockQuality.NONE), body)


def said(kind: EventKind, **fields: Any) -> tuple[str, str]:
    return tell(event(kind.number, {key(kind.name, name): value for name, value in fields.items()}))


def test_every_kind_has_words() -> None:
    assert set(TEMPLATES) == {kind.name for kind in KINDS.values()}


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_a_kind_tells_the_fields_it_was_given(kind: EventKind) -> None:
    fields = {name: f"<{name}>" for name in kind.keys.values()}
    zh, en = said(kind, **fields)
    assert zh and en and "{" not in zh + en and "[" not in zh + en and "<" in zh


def test_numbers_of_tables_are_words() -> None:
    by_name = {kind.name: kind for kind in KINDS.values()}
    assert said(by_name["receipt"], state=2) == ("已办", "done")
    assert said(by_name["casualty"], card="M1", colour="red", place="村口") == ("M1 红 村口", "M1 red 村口")
    assert said(by_name["sos"], subject="R4", state=0) == ("解除:R4", "over: R4")
    assert said(by_name["order"], phrase=101, arguments=["K12"]) == ("前往K12", "proceed to K12")
    assert said(by_name["rollcall.answer"], unit="R1", safe=7) == ("R1 平安 7", "R1 safe 7")


def test_a_report_tells_its_figures() -> None:
    report = KINDS[15]
    flood = {"form": 1, "indicators": [48_213, 0, None, 412, 15_873], "stage": 1, "serial": 3, "disaster": 1}
    assert said(report, **flood, text="桥断") == (
        "洪涝 续报 3: 受灾人口 48213人, 因灾死亡人口 0人, 因灾伤病人口 412人, 紧急转移安置人口 15873人 桥断",
        "flood follow-up 3: people affected 48213, dead 0, injured or ill 412, urgently evacuated 15873 桥断",
    )
    shelter = said(report, form=2, indicators=[*[None] * 10, 25, 30], division="610722")
    assert shelter == ("610722 初报 1: 饮水可用 2.5天, 食品可用 3.0天",
                       "610722 first report 1: drinking water left 2.5 days, food left 3.0 days")  # fmt: skip


def test_any_body_has_a_line() -> None:
    chance = random.Random(5)
    values: tuple[Any, ...] = (None, 0, 1, -1, 1 << 70, True, "", "x\ny", b"\xff", [], [1, [2]], "{text}", "[a]")
    for _ in range(3000):
        body = {chance.randrange(10): chance.choice(values) for _ in range(chance.randrange(8))}
        for text in tell(event(chance.choice([*KINDS, 999]), body)):
            assert "\n" not in text

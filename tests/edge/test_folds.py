"""Folds of events: alarms that stand, receipts that count, and bodies that hold anything at all."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from edge.folds import Stage, alarms, episode_of, lifted, progress, receipts
from edge.store.reader import EventLine
from hardware.clock import ClockQuality, Stamp
from sync.events import BY_NAME, KINDS, key
from sync.ids import BlockId, Lane, Level
from sync.records import Event, EventId

V1, PROV, V2 = 2, 1, 3


def line(
    kind: str, number: int, origin: int = V1, level: Level = Level.ORIGIN, actor: str = "", **fields: Any
) -> EventLine:
    body = {key(kind, name): value for name, value in fields.items()}
    event = Event(
        EventId(origin, 7, number), BY_NAME[kind].number, actor, number, Stamp(1, 0, None, ClockQuality.NONE), body
    )
    return EventLine(event, level, 5.0, BlockId(origin, 7, Lane.COMMAND, number), (), ())


def test_an_alarm_stands_until_it_is_over_and_seen() -> None:
    began = line("alarm", 1, episode=b"abcdef", subject="R4", priority=1, state=1)
    seen = line("alarm.ack", 2, origin=PROV, actor="P01", episode=b"abcdef")
    over = line("alarm", 3, episode=b"abcdef", state=0)
    assert [(a.subject, a.active, a.acked) for a in alarms([began])] == [("R4", True, "")]
    assert [(a.active, a.acked) for a in alarms([seen, began])] == [(True, "P01")]
    assert [(a.active, a.acked) for a in alarms([over, began])] == [(False, "")]
    assert alarms([over, seen, began]) == []


def test_copies_of_an_episode_are_one_alarm() -> None:
    told = [line("alarm", number, origin=node, episode=b"abcdef", subject="R4") for number, node in ((1, V1), (2, V2))]
    assert len(alarms(told)) == 1


def test_worst_and_unseen_first() -> None:
    told = [line("alarm", 1, episode=b"a", subject="low", priority=3), line("alarm", 2, episode=b"b", subject="mid"),
            line("sos", 3, subject="sos"), line("alarm", 4, episode=b"d", subject="seen", priority=1),
            line("alarm.ack", 5, episode=b"d", actor="P01"), line("sos", 6, level=Level.GUEST, subject="guest")]  # fmt: skip
    assert [alarm.subject for alarm in alarms(told)] == ["sos", "guest", "mid", "low", "seen"]


def test_an_sos_is_acknowledged_by_its_own_id_and_ends_by_its_subject() -> None:
    cry = line("sos", 1, subject="R1", state=1)
    assert alarms([cry, line("alarm.ack", 2, episode=episode_of(cry.event), actor="P01")])[0].acked == "P01"
    assert not alarms([cry, line("sos", 3, subject="R1", state=0)])[0].active
    assert alarms([cry, line("sos", 3, subject="R2", state=0)])[0].active


def test_of_a_guest_only_an_sos_is_an_alarm_and_of_the_quarantined_nothing() -> None:
    told = [line("sos", 1, level=Level.GUEST, subject="x"), line("alarm", 2, level=Level.GUEST, episode=b"a"),
            line("sos", 3, level=Level.QUARANTINE, subject="y")]  # fmt: skip
    assert [(alarm.subject, alarm.line.level) for alarm in alarms(told)] == [("x", Level.GUEST)]


def test_progress_is_what_is_proven_for_each_addressee() -> None:
    message = line("message", 1, text="hi")
    said = receipts([line("receipt", 1, origin=PROV, of=[V1, 7, 1], state=1), line("receipt", 2, origin=PROV, of=[V1, 7, 1], state=2),
                     line("receipt", 3, origin=V2, level=Level.MEMBER, of=[V1, 7, 1], state=1)])  # fmt: skip
    assert progress(message, (PROV, V2), {}) == {PROV: Stage.QUEUED, V2: Stage.QUEUED}
    sent = replace(message, sent=("lora",))
    assert progress(sent, (PROV, V2), {}) == {PROV: Stage.SENT, V2: Stage.SENT}
    assert progress(sent, (V2,), {}, relayed=True) == {V2: Stage.RELAYED}
    assert progress(replace(sent, stored=(V2, 9)), (PROV, V2), said) == {PROV: Stage.ACTED, V2: Stage.STORED}


def test_only_command_takes_an_evacuation_back_and_says_which() -> None:
    leave, other = line("evacuate", 1, area="K12", state=1), line("evacuate", 2, area="K14", state=1)
    over = {"origin": PROV, "area": "K12", "state": 0, "of": list(leave.event.id)}
    assert lifted([leave, other, line("evacuate", 3, level=Level.COMMAND, **over)]) == {leave.event.id}
    for wrong in ({"level": Level.ORIGIN}, {"level": Level.COMMAND, "state": 1}, {"level": Level.COMMAND, "of": None}):
        assert not lifted([leave, other, line("evacuate", 3, **(over | wrong))])


def test_any_body_from_outside_is_folded() -> None:
    chance = random.Random(3)
    values: tuple[Any, ...] = (
        None,
        0,
        1,
        -5,
        1 << 70,
        "",
        "x",
        b"",
        b"abcdef",
        True,
        [],
        [1, 2, 3],
        [[1], None, "y"],
        [1, 2],
    )

    def hostile(number: int) -> EventLine:
        body: Mapping[int, Any] = {chance.randrange(12): chance.choice(values) for _ in range(chance.randrange(8))}
        kind = chance.choice([*KINDS, 9999])
        base = line("message", number, level=chance.choice(list(Level)))
        return replace(base, event=replace(base.event, kind=kind, body=body))

    lines = [hostile(number) for number in range(3000)]
    assert alarms(lines) == alarms(lines[::-1])
    assert lifted(lines) == lifted(lines[::-1])
    said = receipts(lines)
    assert all(progress(each, (PROV,), said) for each in lines)

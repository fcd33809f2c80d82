"""From a row to a card's page: everything known of one person, event, alarm or roll call, in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from edge.folds import Stage
from hardware.kinds import BY_NAME, Quality
from sync.ids import Level
from sync.records import Truth
from tui import lines
from tui.rows import ASKING
from tui.scene import AlarmRow, Answer, EventRow, PersonRow, Reading, RollCall, Scene
from tui.symbols import State
from tui.widgets.card import Page
from tui.words import HELP, Words

Symbols = dict[State, str]
CLASSES: Final = {Truth.EXACT: "exact", Truth.BOUNDED: "bounded", Truth.LIVE: "live"}


def person_card(person: PersonRow, words: Words, symbols: Symbols) -> Page:
    """Every reading with its age, source and trust."""
    state, word = lines.person_state(person)
    title = f"{symbols[state]}{words(word)} {person.subject} {person.name} {person.unit}  {words.of(person.alarm)}"
    rows = [(words("age"), words.age(person.age_s))]
    if person.checked_s is not None:
        rows.append((words("checkin"), words.age(person.checked_s)))
    if person.place is not None:
        within = "" if person.truth is Truth.EXACT else f"  {words(CLASSES[person.truth])} ≤{person.within_m} m"
        rows.append((words("place"), f"{person.place[0]:.5f} {person.place[1]:.5f}{within}"))
    if person.metres is not None and person.bearing is not None:
        rows.append((words("from here"), f"{lines.length(person.metres)} {words.bearing(person.bearing)}"))
    readings = sorted(person.readings.items(), key=lambda item: BY_NAME[item[0]].number if item[0] in BY_NAME else 9999)
    rows += [_reading(name, reading, words) for name, reading in readings]
    return Page(title, rows, (("c", words("checkin"), "checkin"), ("Esc", words("close"), "")))


def _reading(name: str, reading: Reading, words: Words) -> tuple[str, str]:
    kind = BY_NAME.get(name)
    label = words.of((kind.zh, kind.en)) if kind else name
    value = lines.reading(reading).text
    unit = kind.unit if kind and reading.fresh and kind.unit != "1" else ""
    doubt = "" if reading.quality is Quality.GOOD else reading.quality.name.lower()
    mark = lines.LEVELS[reading.level][1]
    trust = f"[{words(mark)}]" if mark else ""
    shown = f"{value} {unit}".strip()
    return label, f"{shown:<16} {words.age(reading.age_s):>5}  {reading.source}  {doubt} {trust}".rstrip()


def event_card(row: EventRow, words: Words, symbols: Symbols, commands: bool) -> Page:
    """Who wrote what when, and how far it got with each addressee; commands: whether orders may be given here."""
    written = "-" if row.wall_ms is None else f"{lines.local(row.wall_ms):%m-%d %H:%M:%S}"
    rows = [
        ("", words.of(row.text)),
        (words("source"), row.who or words("here")),
        (words("level"), words(lines.LEVELS[row.level][1] or row.level.name.lower())),
        (words("written"), f"{written}  ({words.age(row.age_s)})"),
        (words("id"), "{}.{:04x}.{}".format(*row.id)),
        *_reached(row, words, symbols),
    ]
    again = [("e", words("another"), "evacuate")] if row.lift is not None and not row.to_us else []
    again += [("E", words("lift"), "lift")] if row.lift is not None and commands else []
    acts = [("r", words("confirm read"), "1"), ("d", words("confirm acted"), "2"), ("f", words("confirm refused"), "3")]
    return Page(
        words.of(row.title),
        rows,
        [
            *(acts if row.to_us and row.level >= Level.MEMBER and row.standing not in lines.STANDINGS else ()),
            *again,
            ("Esc", words("close"), ""),
        ],
    )


def _reached(row: EventRow, words: Words, symbols: Symbols) -> Iterator[tuple[str, str]]:
    """Who refuses and who has not answered yet stands first."""
    if row.kind in ASKING and row.reached:
        yield words("answered"), f"{sum(each.stage >= Stage.READ for each in row.reached)}/{len(row.reached)}"
    for reach in sorted(row.reached, key=lambda each: (each.stage is not Stage.REFUSED, each.stage)):
        state, word = lines.STAGES[reach.stage]
        yield f"{words('to')} {reach.name}", f"{symbols[state]}{words(word)}"


def alarm_card(row: AlarmRow, words: Words, symbols: Symbols) -> Page:
    """What is wrong with whom since when, and who has seen it."""
    state = lines.PRIORITIES[row.priority]
    rows = [
        ("", words.of(row.text)),
        (words("age"), words.age(row.age_s)),
        (words("acked"), row.acked or words("not acked")),
        (words("state"), words("alarm") if row.active else words("over")),
    ]
    acts = () if row.acked else (("a", words("acknowledge"), "ack"),)
    return Page(
        f"{symbols[state]}{lines.alarm_word(row, words)} {row.subject}", rows, (*acts, ("Esc", words("close"), ""))
    )


def rollcall_card(scene: Scene, call: RollCall, words: Words, symbols: Symbols) -> Page:
    """How long is left, who answered what, how far it got with each addressee, and of whom nothing was heard since."""
    row = call.row
    left = (
        ""
        if call.left_s is None
        else words("overdue")
        if call.left_s < 0
        else f"{words('left')} {words.age(call.left_s)}"
    )
    rows = [("", words.of(row.text)), (words("source"), row.who or words("here")), (words("age"), words.age(row.age_s))]
    rows += [_answer(each, words, symbols) for each in call.answers]
    rows += _reached(row, words, symbols)
    since = row.age_s or 0.0
    silent = [
        each for each in scene.people if not lines.heard(each) and (each.checked_s is None or each.checked_s > since)
    ]
    rows.append(
        (words("not heard"), ", ".join(f"{each.subject} {each.name}".strip() for each in silent) or words("none"))
    )
    acts = [("a", words("rollcall.answer"), "rollcall.answer")] if row.to_us else []
    acts += [("p", words("another"), "rollcall")] if scene.commands else []
    return Page(f"{symbols[State.WARN]}{words('rollcall')}  {left}", rows, [*acts, ("Esc", words("close"), "")])


def _answer(answer: Answer, words: Words, symbols: Symbols) -> tuple[str, str]:
    state = State.BAD if answer.missing else State.OK
    mark = f"[{words('guest')}] " if answer.level is Level.GUEST else ""
    counts = f"{words('safe')} {answer.safe}  {words('missing')} {answer.missing}"
    return answer.unit, f"{symbols[state]}{counts}  {words.age(answer.age_s)}  {mark}{answer.who}"


def help_card(words: Words) -> Page:
    """Every key and what it does."""
    return Page(words("help"), [(key, words.of(said)) for key, said in HELP.items()], (("Esc", words("close"), ""),))

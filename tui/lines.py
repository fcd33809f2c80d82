"""From a scene to table lines: pure functions, one for each pane. State is shape + word + colour, never colour alone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from hardware.clock import ClockQuality
from hardware.driver import Health
from hardware.kinds import Quality
from sync.ids import Level
from tui.scene import EventRow, LinkRow, PersonRow, Reading, Scene
from tui.symbols import State
from tui.widgets.live_table import Cell, Head, Line
from tui.words import Words

Symbols = dict[State, str]

HEALTH: Final = {
    Health.UP: State.OK,
    Health.DEGRADED: State.WARN,
    Health.DOWN: State.BAD,
    Health.OFF: State.OFF,
}
VITALS: Final = (
    ("vital.hr", "hr", 5),
    ("vital.spo2", "spo2", 5),
    ("vital.temp", "temp", 5),
    ("dev.battery", "battery", 5),
)
LOST_S: Final = 120.0


def people_heads(words: Words) -> tuple[Head, ...]:
    """Columns of the people pane; 44 cells without the name's share."""
    vitals = tuple(Head(words(key), width, right=True) for _, key, width in VITALS)
    return Head(words("state"), 6), Head(words("name"), 0), *vitals, Head(words("age"), 4, right=True)


def reading(value: Reading | None) -> Cell:
    """A value as it may be drawn: `?` and dim when stale, `--` when there is none, never an old number as fresh."""
    if value is None:
        return Cell("", State.OFF)
    if value.age_s > value.stale_s or value.quality is Quality.STALE:
        return Cell("?", State.STALE)
    if value.value is None:
        return Cell("--", State.WARN)
    text = f"{value.value:.{value.decimals}f}"
    return Cell(text, State.INFO if value.quality is Quality.GOOD else State.WARN)


def person_state(person: PersonRow) -> tuple[State, str]:
    """Worst thing known of a person: alarm, lost, stale, ok; and its word."""
    if person.alarm:
        return State.BAD, "alarm"
    if person.age_s is None or person.age_s > LOST_S:
        return State.WARN, "lost"
    fresh = [r for r in person.readings.values() if r.age_s <= r.stale_s]
    return (State.OK, "ok") if fresh else (State.STALE, "stale")


def people(scene: Scene, words: Words, symbols: Symbols) -> list[Line]:
    """Worst first, then by name, so that the list holds still."""
    order = {State.BAD: 0, State.WARN: 1, State.STALE: 2, State.OK: 3}
    ranked = sorted(((person_state(p), p) for p in scene.people), key=lambda pair: (order[pair[0][0]], pair[1].subject))
    return [_person(state, word, person, words, symbols) for (state, word), person in ranked]


def _person(state: State, word: str, person: PersonRow, words: Words, symbols: Symbols) -> Line:
    label = f"{person.subject} {person.name}" if person.name else person.subject
    cells = tuple(reading(person.readings.get(kind)) for kind, _, _ in VITALS)
    age = Cell(words.age(person.age_s), State.STALE if state in {State.WARN, State.STALE} else State.INFO)
    return Cell(f"{symbols[state]}{words(word)}", state), Cell(label, state), *cells, age


def link_heads(words: Words) -> tuple[Head, ...]:
    """Columns of the links pane."""
    return (
        Head(words("link"), 10),
        Head(words("state"), 5),
        Head(words("since"), 4, right=True),
        Head(words("in"), 4, right=True),
        Head(words("out"), 4, right=True),
        Head(words("why"), 0),
    )


def links(scene: Scene, words: Words, symbols: Symbols) -> list[Line]:
    """Bearers first, then devices that are not well."""
    unwell = tuple(row for row in scene.devices if row.state is not Health.UP)
    return [_link(row, words, symbols) for row in (*scene.links, *unwell)]


def _link(row: LinkRow, words: Words, symbols: Symbols) -> Line:
    state = HEALTH[row.state]
    ages = (row.since_s, row.in_s, row.out_s)
    return (
        Cell(row.name, state),
        Cell(f"{symbols[state]}{words(row.state.value)}", state),
        *(Cell(words.age(age)) for age in ages),
        Cell(row.why, State.INFO if row.state is Health.UP else state),
    )


def event_heads(words: Words) -> tuple[Head, ...]:
    """Columns of the events pane."""
    return Head(words("age"), 4, right=True), Head(words("events"), 12), Head("", 0)


LEVELS: Final = {
    Level.QUARANTINE: (State.WARN, "quarantine"),
    Level.GUEST: (State.INFO, "guest"),
    Level.MEMBER: (State.INFO, ""),
    Level.ORIGIN: (State.OK, ""),
    Level.COMMAND: (State.OK, ""),
}


def events(scene: Scene, words: Words, symbols: Symbols) -> list[Line]:
    """Newest first; a guest or quarantined author is named as such."""
    return [_event(row, words, symbols) for row in scene.events]


def _event(row: EventRow, words: Words, symbols: Symbols) -> Line:
    state, level = LEVELS[row.level]
    state = State.BAD if row.urgent else state
    kind = row.zh if words.language == "zh" else row.en
    mark = f"[{words(level)}] " if level else ""
    return (
        Cell(words.age(row.age_s)),
        Cell(f"{symbols[state]}{kind}", state),
        Cell(f"{mark}{row.who} {row.text}".strip()),
    )


def where(scene: Scene, words: Words) -> str:
    """Place, error sources and clock in one line of at most 80 cells."""
    spot = scene.where
    if spot is None:
        return f"{words('where')} {words('no fix')}"
    sats = f"{spot.sats} {words('sats')} ({words('beidou')} {spot.beidou})"
    alt = "" if spot.alt is None else f" {spot.alt:.0f} m"
    age = f" ?{words.age(spot.age_s)}" if spot.age_s > 10 else ""
    return f"{spot.lat:.5f} {spot.lon:.5f}{alt} · {sats}{age}"


def when(scene: Scene, words: Words) -> str:
    """Local wall time with the clock's quality; without one it says so instead of guessing."""
    quality = words(f"clock.{scene.clock.name.lower()}")
    if scene.wall_ms is None or scene.clock is ClockQuality.NONE:
        return quality
    local = datetime.fromtimestamp(scene.wall_ms / 1000, UTC).astimezone()
    return f"{local:%m-%d %H:%M:%S} {quality}"


def backlog(scene: Scene, words: Words, symbols: Symbols) -> tuple[str, State]:
    """What has not arrived, by lane, oldest age first in the eye; `all delivered` only when nothing waits."""
    waiting = [row for row in scene.backlog if row.waiting]
    if not waiting:
        return f"{words('backlog')} {symbols[State.OK]}{words('all sent')}", State.OK
    urgent = any(row.lane in {"flash", "command"} for row in waiting)
    state = State.BAD if urgent and max(row.oldest_s for row in waiting) > 60 else State.WARN
    lanes = "  ".join(
        f"{words(row.lane)} {row.waiting} ({words('oldest')} {words.age(row.oldest_s)})" for row in waiting
    )
    return f"{words('backlog')} {symbols[state]} {lanes}", state

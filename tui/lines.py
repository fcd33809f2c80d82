"""From a scene to table lines: pure functions, one for each pane. State is shape + word + colour, never colour alone."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Final

from edge.folds import CRITICAL, NOTE, WARNING, Stage
from hardware.clock import ClockQuality
from hardware.driver import Health
from hardware.kinds import Quality
from sync.ids import Level
from sync.trust.standing import Standing
from tui.reasons import reason
from tui.scene import LOST_S, AlarmRow, EventRow, FlowRow, Forecast, LinkRow, PersonRow, Reach, Reading, Scene
from tui.symbols import State
from tui.widgets.live_table import Cell, Head, Line
from tui.words import Words

Symbols = dict[State, str]

HEALTH: Final = {
    Health.UP: (State.OK, "up"),
    Health.DEGRADED: (State.WARN, "degraded"),
    Health.DOWN: (State.BAD, "down"),
    Health.OFF: (State.OFF, "off"),
    None: (State.STALE, "unknown"),
}
VITALS: Final = (
    ("vital.hr", "hr", 4),
    ("vital.spo2", "spo2", 4),
    ("vital.temp", "temp", 5),
    ("dev.battery", "battery", 4),
)
LEVELS: Final = {
    Level.QUARANTINE: (State.WARN, "quarantine"),
    Level.GUEST: (State.INFO, "guest"),
    Level.MEMBER: (State.INFO, ""),
    Level.ORIGIN: (State.INFO, ""),
    Level.COMMAND: (State.INFO, ""),
}
STANDINGS: Final = {Standing.UNPROVEN: "unproven", Standing.EXPIRED: "expired", Standing.LIFTED: "over"}
STAGES: Final = {
    Stage.QUEUED: (State.WARN, "queued"),
    Stage.SENT: (State.INFO, "radiated"),
    Stage.RELAYED: (State.INFO, "relayed"),
    Stage.STORED: (State.OK, "stored"),
    Stage.READ: (State.OK, "read"),
    Stage.ACTED: (State.OK, "acted"),
    Stage.REFUSED: (State.BAD, "refused"),
}
STEPS: Final = (Stage.SENT, Stage.STORED, Stage.READ, Stage.ACTED)
PRIORITIES: Final = {CRITICAL: State.BAD, WARNING: State.WARN, NOTE: State.INFO}
CHECKED_S: Final = 3600.0  # how long a check-in stands for somebody of whom no device tells
LOSSY: Final = 0.25  # share of frames lost from which a link is drawn as doubtful
OLD_PLACE_S: Final = 10.0
BAR_KEYS: Final = {"acknowledge": "a", "confirm read": "r", "rollcall.answer": "p"}
SLOW_S: Final = 60.0  # an urgent item that waits longer is drawn as bad


def people_heads(words: Words) -> tuple[Head, ...]:
    """Columns of the people pane."""
    state = 7 if words.language == "zh" else 8
    vitals = tuple(Head(words(key), width, right=True) for _, key, width in VITALS)
    off = Head(words("distance"), 10, right=True)
    return Head(words("state"), state), Head(words("name"), 0), *vitals, off, Head(words("age"), 4, right=True)


def reading(value: Reading | None) -> Cell:
    """A value as it may be drawn: `?` and dim when stale, `--` when there is none, never an old number as fresh."""
    if value is None:
        return Cell("", State.OFF)
    if not value.fresh:
        return Cell("?", State.STALE)
    if value.value is None:
        return Cell("--", State.WARN)
    text = f"{value.value:.{value.decimals}f}"
    return Cell(text, State.INFO if value.quality is Quality.GOOD else State.WARN)


def person_state(person: PersonRow) -> tuple[State, str]:
    """Worst thing known of a person: alarm, lost, stale or never heard, ok; and its word."""
    if any(person.alarm):
        return State.BAD, "alarm"
    if not heard(person) and person.checked_s is not None and person.checked_s <= CHECKED_S:
        return State.OK, "checked"
    if person.age_s is None:
        return State.STALE, "unknown"
    if person.age_s > LOST_S:
        return State.WARN, "lost"
    return (State.OK, "ok") if any(each.fresh for each in person.readings.values()) else (State.STALE, "stale")


def heard(person: PersonRow) -> bool:
    """Whether a device told of somebody lately."""
    return person.age_s is not None and person.age_s <= LOST_S


def ranked(scene: Scene) -> list[PersonRow]:
    """Worst first, then by name, so that the list holds still."""
    order = {State.BAD: 0, State.WARN: 1, State.STALE: 2, State.OK: 3}
    return sorted(scene.people, key=lambda person: (order[person_state(person)[0]], person.subject))


def people(scene: Scene, words: Words, symbols: Symbols) -> list[Line]:
    """A line for each person, in the order of `ranked`."""
    return [_person(person, scene.where is not None, words, symbols) for person in ranked(scene)]


def _person(person: PersonRow, placed: bool, words: Words, symbols: Symbols) -> Line:
    state, word = person_state(person)
    mark = LEVELS[person.level][1]
    parts = (f"[{words(mark)}]" if mark else "", person.subject, person.name, words.of(person.alarm))
    cells = tuple(reading(person.readings.get(kind)) for kind, _, _ in VITALS)
    age_s = person.checked_s if word == "checked" else person.age_s
    age = Cell(words.age(age_s), State.STALE if state in {State.WARN, State.STALE} else State.INFO)
    return (
        Cell(f"{symbols[state]}{words(word)}", state),
        Cell(" ".join(part for part in parts if part), state),
        *cells,
        _distance(person, placed, words),
        age,
    )


def _distance(person: PersonRow, placed: bool, words: Words) -> Cell:
    """How far and in which direction; `?` when a place is too old; nothing from a node that has no place of its own."""
    if person.metres is None or person.bearing is None:
        return Cell("?" if person.place and placed else "", State.STALE)
    return Cell(f"{length(person.metres)} {words.bearing(person.bearing)}")


def length(metres: float) -> str:
    """A distance a person reads at a glance."""
    return f"{metres:.0f}m" if metres < 1000 else f"{metres / 1000:.1f}km" if metres < 100_000 else f"{metres / 1000:.0f}km"  # fmt: skip


def link_heads(words: Words) -> tuple[Head, ...]:
    """Columns of the links pane; where it is narrow the reason matters more than latency, loss and budget, in this order."""
    zh = words.language == "zh"
    return (
        Head(words("link"), 10),
        Head(words("state"), 6 if zh else 8),
        Head(words("since"), 4, right=True),
        Head(words("in"), 4, right=True),
        Head(words("out"), 4, right=True),
        Head(words("budget"), 6, right=True, room=58),
        Head(words("loss"), 4, right=True, room=64),
        Head(words("latency"), 5 if zh else 7, right=True, room=72),
        Head(words("why"), 0),
    )


def links(scene: Scene, words: Words, symbols: Symbols) -> list[Line]:
    """Bearers first, then devices that are not well."""
    unwell = tuple(row for row in scene.devices if row.state not in (Health.UP, None))
    return [_link(row, words, symbols) for row in (*scene.links, *unwell)]


def every_link(scene: Scene, words: Words, symbols: Symbols) -> list[Line]:
    """Bearers first, then every device and service."""
    return [_link(row, words, symbols) for row in (*scene.links, *scene.devices)]


def _link(row: LinkRow, words: Words, symbols: Symbols) -> Line:
    state, word = HEALTH[row.state]
    ages = (row.since_s, row.in_s, row.out_s)
    return (
        Cell(row.name, state),
        Cell(f"{symbols[state]}{words(word)}", state),
        *(Cell(words.age(age), State.STALE if row.state is None else State.INFO) for age in ages),
        _budget(row, words),
        Cell("" if row.loss is None else f"{row.loss:.0%}", State.WARN if (row.loss or 0) > LOSSY else State.INFO),
        Cell(_latency(row.latency_s, words)),
        Cell(reason(row.why, words), State.INFO if row.state is Health.UP else state),
    )


def _budget(row: LinkRow, words: Words) -> Cell:
    """Bytes that may go now, or in how long some may again; nothing of what has no budget."""
    if row.budget_bytes is None:
        return Cell("")
    if row.budget_bytes > 0:
        return Cell(size(row.budget_bytes))
    if row.budget_wait_s is None or row.state is Health.DOWN:
        return Cell("0", State.WARN)
    return Cell(words("in a while").format(words.age(math.ceil(row.budget_wait_s))), State.WARN)


def _latency(seconds: float | None, words: Words) -> str:
    if seconds is None or seconds >= 10:
        return "" if seconds is None else words.age(seconds)
    return f"{seconds * 1000:.0f}ms" if seconds < 1 else f"{seconds:.1f}s"


def flow_heads(words: Words) -> tuple[Head, ...]:
    """Columns of the pane that says what waits for which link."""
    return (
        Head(words("lane"), 8),
        Head(words("link"), 0),
        Head(words("queued"), 7, right=True),
        Head(words("in flight"), 6, right=True),
        Head(words("this hour"), 8, right=True),
        Head(words("drained in"), 8, right=True),
    )


def flows(scene: Scene, words: Words, symbols: Symbols) -> list[Line]:
    """Most urgent lane first."""
    return [_flow(row, words, symbols) for row in scene.flows]


def _flow(row: FlowRow, words: Words, symbols: Symbols) -> Line:
    left = "-" if row.bytes_left is None else size(row.bytes_left)
    drain = Cell(symbols[State.STALE], State.WARN) if row.drain_s is None else Cell(words.age(row.drain_s))
    return Cell(words(row.lane)), Cell(row.bearer), Cell(str(row.queued)), Cell(str(row.in_flight)), Cell(left), drain


def size(count: int) -> str:
    """Bytes a person reads at a glance."""
    for unit, least in (("G", 1_000_000_000), ("M", 1_000_000), ("k", 1000)):
        if count >= least:
            return f"{count / least:.1f}{unit}" if count < 100 * least else f"{count // least}{unit}"
    return str(count)


def event_heads(words: Words) -> tuple[Head, ...]:
    """Columns of the events pane."""
    kind = 11 if words.language == "zh" else 17
    return Head(words("age"), 4, right=True), Head(words("events"), kind), Head("", 0), Head(words("reached"), 17)


def events(scene: Scene, words: Words, symbols: Symbols) -> list[Line]:
    """Newest first; a guest or quarantined author is named as such."""
    return [_event(row, words, symbols) for row in scene.events]


def _event(row: EventRow, words: Words, symbols: Symbols) -> Line:
    state, level = LEVELS[row.level]
    state = State.BAD if row.urgent else state
    label = STANDINGS.get(row.standing, level)
    mark = f"[{words(label)}] " if label else ""
    text = words.of(row.text)
    told = row.who if row.who.endswith(text) else text if text.startswith(row.who) else f"{row.who}: {text}"
    return (
        Cell(words.age(row.age_s)),
        Cell(f"{symbols[state]}{words.of(row.title)}", state),
        Cell(f"{mark}{told}", State.STALE if row.standing in STANDINGS else State.INFO),
        reached(row.reached, words, symbols) if row.answer is None else answer(row.answer, words, symbols),
    )


def answer(stage: Stage, words: Words, symbols: Symbols) -> Cell:
    """What was said here of something that came for this node."""
    if stage is Stage.QUEUED:
        return Cell(f"{symbols[State.WARN]}{words('unread')}", State.WARN)
    state, word = STAGES[stage]
    return Cell(f"{symbols[state]}{words(word)} {words('here')}", state)


def reached(rows: tuple[Reach, ...], words: Words, symbols: Symbols) -> Cell:
    """How far a message got: with its one addressee, or the next step that not all have made yet and how many have."""
    if not rows:
        return Cell("")
    refused = [row for row in rows if row.stage is Stage.REFUSED]
    if refused or len(rows) == 1:
        row = (*refused, *rows)[0]
        state, word = STAGES[row.stage]
        return Cell(f"{symbols[state]}{words(word)} {row.name}", state)
    done = Stage.QUEUED
    for step in STEPS:
        count = sum(row.stage >= step for row in rows)
        if count == len(rows):
            done = step
        elif count:
            return Cell(f"{symbols[State.WARN]}{words(STAGES[step][1])} {count}/{len(rows)}", State.WARN)
        else:
            break
    state, word = STAGES[done]
    return Cell(f"{symbols[state]}{words(word)} {len(rows)}/{len(rows)}", state)


def alarm_heads(words: Words) -> tuple[Head, ...]:
    """Columns of the alarms pane."""
    return Head(words("age"), 4, right=True), Head(words("alarms"), 8), Head("", 0), Head(words("acked"), 14)


def alarms(scene: Scene, words: Words, symbols: Symbols) -> list[Line]:
    """Unseen first, then worst, then newest."""
    return [_alarm(row, words, symbols) for row in scene.alarms]


def _alarm(row: AlarmRow, words: Words, symbols: Symbols) -> Line:
    state = PRIORITIES[row.priority]
    acked = Cell(f"{symbols[State.OK]}{row.acked}", State.OK) if row.acked else Cell(words("not acked"), state)
    marks = (LEVELS[row.level][1], "" if row.active else "over")
    over = "".join(f"[{words(mark)}] " for mark in marks if mark)
    return (
        Cell(words.age(row.age_s)),
        Cell(f"{symbols[state]}{alarm_word(row, words)}", state),
        Cell(f"{over}{words.of(row.text)}", state),
        acked,
    )


def alarm_word(row: AlarmRow, words: Words) -> str:
    """SOS, or how bad it is."""
    return words("sos") if row.sos else words({CRITICAL: "critical", WARNING: "warning", NOTE: "note"}[row.priority])


def alarm_bar(scene: Scene, words: Words, symbols: Symbols) -> tuple[str, State] | None:
    """An evacuation that nobody has answered, else the worst alarm that nobody has acknowledged, else the order that nobody has
    answered, and how many; None without."""
    unseen = [row for row in scene.alarms if not row.acked]
    orders = [row for row in scene.events if row.open]
    if orders and orders[0].kind == "evacuate":
        unseen = []
    if unseen:
        alarm = unseen[0]
        state, mark = PRIORITIES[alarm.priority], f"[{words('guest')}] " if alarm.level is Level.GUEST else ""
        text, age_s, key = f"{alarm_word(alarm, words)} {mark}{words.of(alarm.text)}", alarm.age_s, "acknowledge"
    elif orders:
        order = orders[0]
        state = State.BAD if order.urgent else State.WARN
        text = f"{words.of(order.title)} {order.who}: {words.of(order.text)}"
        age_s, key = order.age_s, "rollcall.answer" if order.kind == "rollcall" else "confirm read"
    else:
        return None
    more = len(unseen or orders) - 1
    bar = f"{symbols[state]}{text} ({words.age(age_s)}){f' +{more}' if more else ''}  [{BAR_KEYS[key]}] {words(key)}"
    return bar, state


def where(scene: Scene, words: Words) -> str:
    """Place, satellites and age in one line of at most 80 cells."""
    spot = scene.where
    if spot is None:
        return f"{words('where')} {words('no fix')}"
    sats = "" if spot.sats is None else f" · {spot.sats} {words('sats')}"
    beidou = "" if spot.beidou is None else f" ({words('beidou')} {spot.beidou})"
    alt = "" if spot.alt is None else f" {spot.alt:.0f} m"
    age = f" ?{words.age(spot.age_s)}" if spot.age_s is None or spot.age_s > OLD_PLACE_S else ""
    return f"{spot.lat:.5f} {spot.lon:.5f}{alt}{sats}{beidou}{age}"


def when(scene: Scene, words: Words) -> str:
    """Local wall time with the clock's quality; without one it says so instead of guessing."""
    quality = words(f"clock.{scene.clock.name.lower()}")
    if scene.wall_ms is None or scene.clock is ClockQuality.NONE:
        return quality
    return f"{local(scene.wall_ms):%m-%d %H:%M:%S} {quality}"


def local(wall_ms: int) -> datetime:
    """An instant in the time zone of this machine."""
    return datetime.fromtimestamp(wall_ms / 1000, UTC).astimezone()


def backlog(scene: Scene, words: Words, symbols: Symbols) -> tuple[str, State]:
    """What has not arrived, by lane, oldest age first in the eye; `all delivered` only when nothing waits."""
    waiting = [row for row in scene.backlog if row.waiting]
    aside = f"  {symbols[State.WARN]}{words('quarantine')} {scene.quarantined}" if scene.quarantined else ""
    if not waiting:
        return f"{words('backlog')} {symbols[State.OK]}{words('all sent')}{aside}", State.WARN if aside else State.OK
    urgent = [row.oldest_s for row in waiting if row.lane in {"flash", "command"}]
    state = State.BAD if any(age is None or age > SLOW_S for age in urgent) else State.WARN
    lanes = "  ".join(f"{words(row.lane)} {row.waiting} ({words.age(row.oldest_s)})" for row in waiting)
    return f"{words('backlog')} {symbols[state]} {lanes}{aside}", state


def forecast(scene: Scene, to: tuple[int, ...], words: Words) -> str:
    """When a message written now reaches whom: `省中心 20:47 90 %`; says so where the agent cannot tell."""
    whom = to or tuple(node for node, _ in scene.nodes)
    rows = [row for row in scene.forecasts if row.lane == "command" and row.node in whom]
    if not rows:
        return words("no forecast")
    return "  ".join(_forecast(row, scene, words) for row in rows)


def _forecast(row: Forecast, scene: Scene, words: Words) -> str:
    if row.in_s is None:
        return f"{row.name} {words('no way')}"
    chance = f"{row.p * 100:.0f} %"
    if scene.wall_ms is None:
        return f"{row.name} {words('in time')} {words.age(row.in_s)} {chance}"
    return f"{row.name} {local(scene.wall_ms + int(row.in_s * 1000)):%H:%M} {chance}"

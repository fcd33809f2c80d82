"""The command screen: a process of its own that only reads the store; what people do goes to the agent as intents.

The store is read on a thread of its own, so that a slow disk never stops the screen: it goes on drawing ages, and says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ClassVar, Final, NamedTuple

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.events import Resize
from textual.timer import Timer
from textual.widgets import Static

from tui import lines
from tui.cards import alarm_card, event_card, help_card, person_card
from tui.scene import EventRow, Feed, Scene
from tui.symbols import State
from tui.symbols import pick as pick_symbols
from tui.theme import NAMED, THEMES, chosen, head, styles
from tui.widgets.card import Card
from tui.widgets.draft import Draft
from tui.widgets.live_table import Head, Line, LiveTable
from tui.words import LANGUAGES, Words

WIDE: Final = 132  # from this width on, links and events stand beside the people
RIGHT: Final = ("links", "flows", "events", "alarms")
VIEWS: Final = ("overview", "people", "links", "events", "alarms")
BELL_S: Final = (0, 10, 20, 40)  # seconds after an alarm came at which it is heard, until somebody acknowledges it
TAKEN: Final = ("sent", "not stored yet")
SEEN_S: Final = 0.2  # after which what somebody did is on the screen
SAID_S: Final = 8.0  # how long an answer stays on the screen
KEYS: Final = (
    ("1-5", "views"),
    ("a", "acknowledge"),
    ("w", "write"),
    ("x", "sos"),
    ("space", "freeze"),
    ("l", "language"),
    ("?", "help"),
    ("q", "quit"),
)


class Pane(NamedTuple):
    """A table: its columns, its lines and their names, and the word for having none."""

    heads: Callable[[Words], tuple[Head, ...]]
    lines: Callable[[Scene, Words, lines.Symbols], list[Line]]
    names: Callable[[Scene], Sequence[Any]]
    empty: str = "none"


PANES: Final[dict[str, Pane]] = {
    "people": Pane(
        lines.people_heads, lines.people, lambda scene: [row.subject for row in lines.ranked(scene)], "waiting"
    ),
    "links": Pane(lines.link_heads, lines.links, lambda scene: ()),
    "flows": Pane(lines.flow_heads, lines.flows, lambda scene: ()),
    "events": Pane(lines.event_heads, lines.events, lambda scene: [row.id for row in scene.events]),
    "alarms": Pane(lines.alarm_heads, lines.alarms, lambda scene: [row.episode for row in scene.alarms]),
}


class CommandScreen(App[None]):
    """The overview and its larger views; draws only what changed, once a refresh."""

    CSS_PATH = "app.tcss"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(str(number), f"view('{view}')") for number, view in enumerate(VIEWS, 1)),
        Binding("q", "quit"),
        Binding("ctrl+c", "quit", priority=True),
        Binding("space", "freeze"),
        Binding("w", "write('message')"),
        Binding("o", "write('order')"),
        Binding("x", "write('sos')"),
        Binding("a", "acknowledge"),
        Binding("r", "receipt(1)"),
        Binding("d", "receipt(2)"),
        Binding("f", "receipt(3)"),
        Binding("escape", "leave"),
        Binding("n", "dress('night')"),
        Binding("u", "dress('sun')"),
        Binding("l", "language"),
        Binding("question_mark", "help"),
        Binding("tab", "app.focus_next", priority=True),
        Binding("shift+tab", "app.focus_previous", priority=True),
    ]

    def __init__(
        self,
        feed: Feed,
        language: str | None = None,
        symbols: str | None = None,
        refresh_s: float = 1.0,
        theme: str = "day",
    ) -> None:
        super().__init__()
        self._feed, self._refresh_s, self._dress = feed, refresh_s, theme
        self.words = Words(language)
        self.symbols = pick_symbols(symbols)
        self.view = "overview"
        self._scene = Scene()
        self._frozen = self._left_behind = False
        self._reading: Future[None] | None = None
        self._reader = ThreadPoolExecutor(1, "store")
        self._rung: dict[bytes, int] = {}
        self._hush: Timer | None = None
        self._lines = {name: Static(id=name) for name in ("top", "backlog", "alarm", "notice", "said", "keys")}
        self._tables = {
            name: LiveTable(pane.heads(self.words), self.words(pane.empty), id=name) for name, pane in PANES.items()
        }
        self._draft = Draft(lambda to: lines.forecast(self._scene, to, self.words), id="draft")
        self._left = Vertical(self._tables["people"], id="left")
        self._panes = Horizontal(self._left, Vertical(*(self._tables[name] for name in RIGHT), id="right"), id="panes")

    def compose(self) -> ComposeResult:
        """Three lines on top, the panes, alarm and notice, the draft, the bar of keys at the bottom."""
        yield self._lines["top"]
        yield self._lines["backlog"]
        yield self._panes
        for name in ("alarm", "notice", "said"):
            yield self._lines[name]
        yield self._draft
        yield self._lines["keys"]

    async def on_mount(self) -> None:
        """Dress, read and draw once, then once a refresh."""
        for theme in THEMES:
            self.register_theme(theme)
        self._tables["people"].focus()
        self.action_dress(self._dress)
        self.set_interval(self._refresh_s, self.tick)
        self.tick()
        if self._reading is not None:
            await asyncio.wait([asyncio.wrap_future(self._reading)], timeout=1.0)
        self.draw(self._feed.scene())

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Under a card the screen's own keys do nothing."""
        return action == "quit" or not isinstance(self.screen, Card)

    def on_unmount(self) -> None:
        """Let the reading thread end."""
        self._left_behind = True
        self._reader.shutdown(wait=False, cancel_futures=True)

    def on_resize(self, event: Resize) -> None:
        """Side by side where there is room, below each other at 80x24."""
        self._panes.set_class(event.size.width >= WIDE and self.view == "overview", "wide")

    def tick(self) -> None:
        """Have the store read, unless that still goes on, and draw what is known."""
        if self._left_behind:
            return
        if self._reading is None or self._reading.done():
            self._reading = self._reader.submit(self._feed.read)
        if not self._frozen:
            self.draw(self._feed.scene())
        self._ring()

    def draw(self, scene: Scene) -> None:
        """Draw a scene."""
        self._scene, words, symbols = scene, self.words, self.symbols
        top = f"{words('title')} {scene.station}  {lines.when(scene, words)}\n{lines.where(scene, words)}"
        self._put("top", Text(top))
        text, state = lines.backlog(scene, words, symbols)
        self._put("backlog", Text(text, style=self._styles[state]))
        for name, pane in PANES.items():
            made = lines.every_link if name == self.view == "links" else pane.lines
            self._tables[name].show(made(scene, words, self.symbols), pane.names(scene))
        self._bars(scene)
        self._fit(scene)
        self._put("keys", Text("  ".join(f"{key} {words(name)}" for key, name in KEYS)))
        if self._draft.display:
            self._draft.tell()

    def _fit(self, scene: Scene) -> None:
        """People (below each other only) and links take no more lines than they need; the events get the rest."""
        left, links = self._left, self._tables["links"]
        wide = self._panes.has_class("wide")
        overview = self.view == "overview"
        needed = max(len(lines.links(scene, self.words, self.symbols)), 1) + 1
        links.styles.height = min(needed, self.size.height // 2 if wide else 5) if overview else None
        needed = max(len(scene.people), 1) + 1
        left.styles.height = min(needed, max(self.size.height // 2 - 3, 4)) if overview and not wide else None

    def _bars(self, scene: Scene) -> None:
        """The alarm nobody has seen, and what hinders the screen itself."""
        alarm = lines.alarm_bar(scene, self.words, self.symbols)
        self._lines["alarm"].display = alarm is not None
        if alarm is not None:
            self._put("alarm", Text(alarm[0], style=self._styles[alarm[1]], no_wrap=True, overflow="ellipsis"))
        trouble = [self.words("frozen")] if self._frozen else [self.words(each) for each in scene.trouble]
        self._lines["notice"].display = bool(trouble)
        self._put("notice", Text(f"{self.symbols[State.WARN]} {'; '.join(trouble)}", no_wrap=True, overflow="ellipsis"))

    def _put(self, name: str, text: Text) -> None:
        widget = self._lines[name]
        if widget.content != text:
            widget.update(text)

    def _ring(self) -> None:
        """The bell at a new alarm, and again until somebody acknowledges it."""
        open_ = [row.episode for row in self._feed.scene().alarms if not row.acked]
        self._rung = {episode: self._rung.get(episode, -1) + 1 for episode in open_}
        due = {round(seconds / self._refresh_s) for seconds in BELL_S}
        if any(ticks in due for ticks in self._rung.values()):
            self.bell()

    # how it looks

    def action_dress(self, name: str) -> None:
        """Change to a theme, or back to the first when it is worn already."""
        theme = NAMED[self._dress if self.theme == f"sanduan-{name}" else name]
        self.theme = theme.name
        self._styles = styles(theme)
        for table in self._tables.values():
            table.dress(self._styles, head(theme), chosen(theme))
        self.draw(self._scene)

    def action_freeze(self) -> None:
        """Hold the screen still, unmistakably, or let it go on."""
        self._frozen = not self._frozen
        self.draw(self._scene if self._frozen else self._feed.scene())

    def action_language(self) -> None:
        """The other language."""
        self.words = words = Words(LANGUAGES[1 - LANGUAGES.index(self.words.language)])
        for name, pane in PANES.items():
            self._tables[name].head(pane.heads(words), words(pane.empty))
        self.draw(self._scene)

    def action_view(self, view: str) -> None:
        """One pane large, or all of them."""
        self.view = view
        for name in VIEWS[1:]:
            self._panes.set_class(name == view, name)
        self._panes.set_class(self.size.width >= WIDE and view == "overview", "wide")
        self._tables["people" if view == "overview" else view].focus()
        self.draw(self._scene)

    # what people do

    def action_write(self, act: str, text: str = "") -> None:
        """Open the line for a message, an order or an SOS."""
        if act == "order" and not self._scene.commands:
            self._say("not command", State.WARN)
            return
        self._draft.open(act, self._scene.nodes, self.words, text)

    def action_leave(self) -> None:
        """Close the line without sending, or go back to the overview."""
        if self._draft.display:
            self._draft.close()
            self._tables["people" if self.view == "overview" else self.view].focus()
        elif self.view != "overview":
            self.action_view("overview")

    def on_draft_sent(self, event: Draft.Sent) -> None:
        """Hand what was written to the agent."""
        if event.act == "sos" and event.text.lower() != "sos":
            return
        self.action_leave()
        if event.act == "sos":
            self._act("sos", None, subject=self._scene.station, state=1, **self._place())
        elif event.text:
            self._act(event.act, event.text, text=event.text, to=list(event.to))

    def _place(self) -> dict[str, int]:
        """Where this node is, as an event says it (1e-6 degrees); nothing when that is unknown or old."""
        spot = self._scene.where
        if spot is None or spot.age_s is None or spot.age_s > lines.LOST_S:
            return {}
        return {"lat": round(spot.lat * 1e6), "lon": round(spot.lon * 1e6)}

    def action_acknowledge(self) -> None:
        """Acknowledge the chosen alarm, or the worst that nobody has."""
        table = self.focused
        chosen = table.chosen if isinstance(table, LiveTable) and table.id == "alarms" else None
        unseen = [row for row in self._scene.alarms if not row.acked]
        row = next((row for row in unseen if row.episode == chosen), unseen[0] if unseen and chosen is None else None)
        if row is None:
            self._say("no alarm")
        else:
            self._act("alarm.ack", episode=row.episode)

    def action_receipt(self, state: int) -> None:
        """Say that the chosen event, or the order that waits for an answer, was read, acted on, or cannot be."""
        waiting = next((row for row in self._scene.events if row.open), None)
        row = self._event(self._tables["events"].chosen) if self.focused is self._tables["events"] else waiting
        if row is None:
            self._say("nothing selected")
        else:
            self._receipt(row, state)

    def _receipt(self, row: EventRow, state: int) -> None:
        if row.standing in lines.STANDINGS:
            self._say(lines.STANDINGS[row.standing], State.WARN)
        elif row.to_us:
            self._act("receipt", of=list(row.id), state=state)
        else:
            self._say("not for us")

    def _act(self, act: str, draft: str | None = None, **fields: Any) -> None:
        """Ask the agent on another thread, and say what became of it; a draft it did not take is opened again."""

        async def ask() -> None:
            answer = await asyncio.to_thread(self._feed.act, act, **fields)
            self._say(answer, State.OK if answer == "sent" else State.BAD)
            if draft is not None and answer not in TAKEN:
                self.action_write(act, draft)
            self.tick()
            self.set_timer(SEEN_S, self.tick)

        self.run_worker(ask())

    def _say(self, word: str, state: State = State.INFO) -> None:
        """Tell the operator something for a few seconds."""
        said = self._lines["said"]
        said.update(Text(f"{self.symbols[state]} {self.words(word)}", style=self._styles[state]))
        said.display = True
        if self._hush is not None:
            self._hush.stop()
        self._hush = self.set_timer(SAID_S, self._hushed)

    def _hushed(self) -> None:
        self._lines["said"].display = False

    # more about one row

    def _event(self, name: object) -> EventRow | None:
        return next((row for row in self._scene.events if row.id == name), None)

    def on_live_table_opened(self, event: LiveTable.Opened) -> None:
        """Show everything known of the chosen row."""
        shows: dict[str | None, Callable[[object], None]] = {
            "people": self._show_person,
            "events": self._show_event,
            "alarms": self._show_alarm,
        }
        if event.table.id in shows:
            shows[event.table.id](event.name)

    def _show_person(self, name: object) -> None:
        person = next((each for each in self._scene.people if each.subject == name), None)
        if person is not None:
            if any(kind.startswith("vital.") for kind in person.readings):  # who looks at whom is told as an event
                self.run_worker(asyncio.to_thread(self._feed.act, "access", subject=person.subject))
            self.push_screen(person_card(person, self.words, self.symbols))

    def _show_event(self, name: object) -> None:
        row = self._event(name)
        if row is not None:
            card = event_card(row, self.words, self.symbols)
            self.push_screen(card, lambda answer: self._receipt(row, int(answer)) if answer else None)

    def _show_alarm(self, name: object) -> None:
        row = next((each for each in self._scene.alarms if each.episode == name), None)
        if row is not None:
            card = alarm_card(row, self.words, self.symbols)
            self.push_screen(card, lambda answer: self._act("alarm.ack", episode=row.episode) if answer else None)

    def action_help(self) -> None:
        """Every key."""
        self.push_screen(help_card(self.words))

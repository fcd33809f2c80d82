"""The command screen: a process of its own that only reads the store; what people do goes to the agent as intents.

The store is read on a thread of its own, so that a slow disk never stops the screen: it goes on drawing ages, and says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, ClassVar, Final, NamedTuple

from rich.text import Text
from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.command import CommandPalette
from textual.containers import Horizontal, Vertical
from textual.events import Resize
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from tui import lines
from tui.doing import Doing
from tui.keys import KEYS, VIEWS, bar
from tui.scene import Feed, Scene
from tui.symbols import State
from tui.symbols import pick as pick_symbols
from tui.theme import NAMED, THEMES, chosen, head, styles
from tui.widgets.draft import Draft
from tui.widgets.live_table import Head, Line, LiveTable
from tui.words import LANGUAGES, Words

WIDE: Final = 132  # from this width on, links and events stand beside the people
RIGHT: Final = ("links", "flows", "events", "alarms")
BELL_S: Final = (0, 10, 20, 40)  # seconds after an alarm came at which it is heard, until somebody acknowledges it


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


class CommandScreen(Doing):
    """The overview and its larger views; draws only what changed, once a refresh."""

    CSS_PATH = "app.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(key.key, key.action) for key in KEYS),
        Binding("ctrl+c", "quit", priority=True),
        Binding("escape", "leave"),
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
        self._lines = {name: Static(id=name) for name in ("top", "backlog", "alarm", "notice", "said", "keys")}
        self._tables = {
            name: LiveTable(pane.heads(self.words), self.words(pane.empty), id=name, top=name == "events")
            for name, pane in PANES.items()
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
        """Under a card and the list of commands the screen's own keys do nothing."""
        return action == "quit" or not isinstance(self.screen, ModalScreen)

    def get_system_commands(self, screen: Screen[Any]) -> Iterator[SystemCommand]:
        """Every key, by name."""
        for key in KEYS:
            if self._scene.commands or not key.command:
                yield SystemCommand(f"{self.words(key.name)} ({key.shown})", "", partial(self.run_action, key.action))

    def action_command_palette(self) -> None:
        """The list of commands, in the screen's language."""
        self.push_screen(CommandPalette(placeholder=self.words("commands")))

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
        self._put("keys", Text(bar(words, scene.commands, self.size.width - 2)))
        if self._draft.display:
            self._draft.tell()
        self._follow(scene)

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

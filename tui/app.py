"""The command screen: a process of its own that only reads the store; what people do goes to the agent as intents."""

from __future__ import annotations

from typing import ClassVar

from rich.style import Style
from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.events import Resize
from textual.widgets import Input, Static

from tui import lines
from tui.scene import Feed, Scene
from tui.symbols import SETS, State
from tui.symbols import pick as pick_symbols
from tui.theme import THEMES, styles
from tui.widgets.live_table import LiveTable
from tui.words import LANGUAGES, Words

WIDE = 118  # from this width on, links and events stand beside the people
KEYS = (
    ("space", "freeze"),
    ("w", "write"),
    ("n", "night"),
    ("u", "sun"),
    ("l", "language"),
    ("tab", "next"),
    ("q", "quit"),
)


class CommandScreen(App[None]):
    """The overview: where and when, links, backlog, people, events; redraws only what changed, once a second."""

    CSS_PATH = "app.tcss"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit"),
        Binding("space", "freeze"),
        Binding("w", "write"),
        Binding("escape", "leave", priority=True),
        Binding("n", "dress('sanduan-night')"),
        Binding("u", "dress('sanduan-sun')"),
        Binding("l", "language"),
        Binding("tab", "app.focus_next", priority=True),
    ]

    def __init__(
        self, feed: Feed, language: str | None = None, symbols: str | None = None, refresh_s: float = 1.0
    ) -> None:
        super().__init__()
        self._feed, self._refresh_s = feed, refresh_s
        self.words = Words(language)
        self.symbols = SETS[symbols] if symbols in SETS else pick_symbols()
        self._scene = Scene()
        self._frozen = False

    def compose(self) -> ComposeResult:
        """Three lines on top, the panes, the bar of keys at the bottom."""
        words = self.words
        yield Static(id="top")
        yield Static(id="backlog")
        with Horizontal(id="panes"):
            with Vertical(id="left"):
                yield LiveTable(lines.people_heads(words), words("waiting"), id="people")
            with Vertical(id="right"):
                yield LiveTable(lines.link_heads(words), words("none"), id="links")
                yield LiveTable(lines.event_heads(words), words("none"), id="events")
        yield Static(id="notice")
        yield Input(id="message")
        yield Static(id="keys")

    def on_mount(self) -> None:
        """Dress, draw once, then once a refresh."""
        for theme in THEMES:
            self.register_theme(theme)
        self.query_one("#message", Input).display = False
        self.query_one("#people").focus()
        self.action_dress("sanduan-day")
        self.set_interval(self._refresh_s, self.tick)
        self.tick()

    def on_resize(self, event: Resize) -> None:
        """Side by side where there is room, below each other at 80x24."""
        self.query_one("#panes").set_class(event.size.width >= WIDE, "wide")

    def tick(self) -> None:
        """Read the store and draw what changed."""
        if not self._frozen:
            self._scene = self._feed.scene()
            self.draw()

    def draw(self) -> None:
        """Draw the scene at hand."""
        scene, words, symbols = self._scene, self.words, self.symbols
        top = f"{words('title')} {scene.station}  {lines.when(scene, words)}\n{lines.where(scene, words)}"
        self._put("top", Text(top))
        text, state = lines.backlog(scene, words, symbols)
        self._put("backlog", Text(text, style=self._styles[state]))
        self._table("people").show(lines.people(scene, words, symbols))
        self._table("links").show(lines.links(scene, words, symbols))
        self._table("events").show(lines.events(scene, words, symbols))
        self._notice(words("frozen") if self._frozen else words(scene.trouble) if scene.trouble else "")
        self._put("keys", Text("  ".join(f"{key} {words(name)}" for key, name in KEYS)))

    def _put(self, name: str, text: Text) -> None:
        widget = self.query_one(f"#{name}", Static)
        if widget.content != text:
            widget.update(text)

    def _table(self, name: str) -> LiveTable:
        return self.query_one(f"#{name}", LiveTable)

    def _notice(self, text: str) -> None:
        notice = self.query_one("#notice", Static)
        notice.display = bool(text)
        self._put("notice", Text(f" {self.symbols[State.WARN]} {text} "))

    def action_dress(self, name: str) -> None:
        """Change to a theme, or back to day when it is worn already."""
        name = "sanduan-day" if self.theme == name and name != "sanduan-day" else name
        self.theme = name
        theme = next(theme for theme in THEMES if theme.name == name)
        self._styles = styles(theme)
        head = Style(color=theme.primary, bgcolor=theme.panel, bold=True)
        for table in self.query(LiveTable):
            table.dress(self._styles, head)
        self.draw()

    def action_freeze(self) -> None:
        """Hold the screen still, unmistakably, or let it go on."""
        self._frozen = not self._frozen
        self.draw()

    def action_language(self) -> None:
        """The other language."""
        self.words = words = Words(LANGUAGES[1 - LANGUAGES.index(self.words.language)])
        self._table("people").head(lines.people_heads(words), words("waiting"))
        self._table("links").head(lines.link_heads(words), words("none"))
        self._table("events").head(lines.event_heads(words), words("none"))
        self.draw()

    def action_write(self) -> None:
        """Open the line for a message."""
        line = self.query_one("#message", Input)
        line.placeholder, line.value, line.display = self.words("message hint"), "", True
        line.focus()

    def action_leave(self) -> None:
        """Close the message line without sending."""
        self.query_one("#message", Input).display = False
        self.query_one("#people").focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Hand the message to the agent and say what became of it."""
        text = event.value.strip()
        self.action_leave()
        if text:
            self.notify(self.words(self._feed.send(text)))


def run(feed: Feed, language: str | None = None, symbols: str | None = None) -> None:
    """Show the screen until the operator leaves it."""
    CommandScreen(feed, language, symbols).run()

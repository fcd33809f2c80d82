"""A page over the screen: everything known of one person, event or alarm, or the help; it goes on with the screen, Escape closes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from rich.cells import cell_len
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static


class Page(NamedTuple):
    """What stands on a card: title, lines of (label, text), and what may be done: key, word, answer."""

    title: str
    lines: Sequence[tuple[str, str]]
    acts: Sequence[tuple[str, str, str]] = ()

    def text(self) -> Text:
        """Title and lines, the texts below each other."""
        width = max((cell_len(label) for label, _ in self.lines), default=0) + 2
        rows = (f"\n{label}{' ' * (width - cell_len(label))}{text}" for label, text in self.lines)
        return Text.assemble((self.title, "bold"), *rows)


class Card(ModalScreen[str]):
    """Shows a page; the answer of the act that was chosen is handed back, "" for nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter", "leave"),
        *(Binding(key, f"answer('{key}')") for key in "ardfcpeE"),
    ]

    def __init__(self, page: Page) -> None:
        super().__init__()
        self._page = page
        self._text, self._bar = Static(page.text()), Static(self._acts(), id="acts")

    def compose(self) -> ComposeResult:
        """The lines scroll; what may be done stands at the bottom."""
        with VerticalScroll(id="card"):
            yield self._text
        yield self._bar

    def show(self, page: Page) -> None:
        """The same a moment later."""
        if page != self._page:
            self._page = page
            self._text.update(page.text())
            self._bar.update(self._acts())

    def _acts(self) -> Text:
        return Text("   ".join(f"{key} {word}" for key, word, _ in self._page.acts))

    def action_answer(self, key: str) -> None:
        """Hand an act back, if the page offers it."""
        answers = {each: answer for each, _, answer in self._page.acts}
        if key in answers:
            self.dismiss(answers[key])

    def action_leave(self) -> None:
        """Nothing is done."""
        self.dismiss("")

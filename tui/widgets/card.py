"""A page over the screen: everything known of one person, event or alarm, or the help; Escape closes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static


class Card(ModalScreen[str]):
    """Title, lines of (label, text), and what may be done: key -> (word, answer); the answer is handed back, "" for nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter", "leave"),
        *(Binding(key, f"answer('{key}')") for key in "ardf"),
    ]

    def __init__(self, title: str, lines: Sequence[tuple[str, str]], acts: Sequence[tuple[str, str, str]] = ()) -> None:
        super().__init__()
        self._title, self._lines = title, tuple(lines)
        self._acts = {key: (word, answer) for key, word, answer in acts}

    def compose(self) -> ComposeResult:
        """The title on top, what may be done at the bottom, the lines between scroll."""
        width = max((Text(label).cell_len for label, _ in self._lines), default=0) + 2
        with VerticalScroll(id="card"):
            yield Static(Text(self._title, style="bold"))
            for label, text in self._lines:
                yield Static(Text(label + " " * (width - Text(label).cell_len)) + Text(text))
        yield Static(Text("   ".join(f"{key} {word}" for key, (word, _) in self._acts.items())), id="acts")

    def action_answer(self, key: str) -> None:
        """Hand an act back, if this card offers it."""
        if key in self._acts:
            self.dismiss(self._acts[key][1])

    def action_leave(self) -> None:
        """Nothing is done."""
        self.dismiss("")

"""The line in which people write: what it becomes, to whom, and when it would be there, before it is sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input, Static

from tui.words import Words

LONGEST = 500  # characters
ADDRESSED = ("message", "order", "evacuate", "rollcall")  # what may go to one node alone


class Draft(Vertical):
    """Hidden until `open`. Up and down choose the addressee; Enter posts `Sent`; Escape is the screen's."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "to(-1)", priority=True),
        Binding("down", "to(1)", priority=True),
    ]

    class Sent(Message):
        """Somebody pressed Enter: act, text, and roster indexes, () for everyone."""

        def __init__(self, act: str, text: str, to: tuple[int, ...]) -> None:
            super().__init__()
            self.act, self.text, self.to = act, text, to

    def __init__(self, expected: Callable[[tuple[int, ...]], str], id: str) -> None:
        """expected: says when a message to these nodes would arrive."""
        super().__init__(id=id)
        self._expected = expected
        self._act, self._about, self._words = "message", "", Words()
        self._whom: tuple[tuple[int, str], ...] = ()
        self._at = 0

    def compose(self) -> ComposeResult:
        """What and to whom, above the text."""
        yield Static(id="draft-head")
        yield Input(max_length=LONGEST, id="draft-text")

    def open(self, act: str, nodes: Sequence[tuple[int, str]], words: Words, text: str = "", about: str = "") -> None:
        """Begin a text, or go on with one that could not be sent: an act's name, whom it may go to, in whose language; about: what
        it answers."""
        self._act, self._whom, self._words, self._about = act, tuple(nodes), words, about
        self._at = min(self._at, len(self._whom))
        line = self.query_one(Input)
        line.value, line.placeholder = text, words(f"{act} hint")
        self.display = True
        line.focus()
        self.tell()

    def close(self) -> None:
        """Away with it."""
        self.display = False

    @property
    def to(self) -> tuple[int, ...]:
        """The chosen addressee, () for everyone."""
        return () if self._at == 0 or self._act not in ADDRESSED else (self._whom[self._at - 1][0],)

    def tell(self) -> None:
        """Draw the line above the text."""
        words, text = self._words, self.query_one(Input).value
        whom = words("everyone") if not self.to else self._whom[self._at - 1][1]
        about = (
            self._about
            or f"{words('to')} {whom}   {words('forecast')} {self._expected(self.to)}   {len(text)}/{LONGEST}"
        )
        self.query_one(Static).update(Text(f"{words(self._act)} {about}"))

    def action_to(self, by: int) -> None:
        """Another addressee."""
        self._at = (self._at + by) % (len(self._whom) + 1)
        self.tell()

    def on_input_changed(self, event: Input.Changed) -> None:
        """The count follows."""
        self.tell()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Hand it over."""
        event.stop()
        self.post_message(self.Sent(self._act, event.value.strip(), self.to))

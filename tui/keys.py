"""The keys of the screen: one table for the bindings, the bar at the bottom and the list of commands (ctrl+p)."""

from __future__ import annotations

from typing import Final, NamedTuple

from rich.cells import cell_len

from tui.words import Words

VIEWS: Final = ("overview", "people", "links", "events", "alarms")


class Key(NamedTuple):
    """A key as Textual names it, the action, what it is called (a word); bar: its place in the bottom line, 0 none; command: only
    for nodes that may give orders."""

    key: str
    action: str
    name: str
    bar: int = 0
    command: bool = False

    @property
    def shown(self) -> str:
        """The key as people know it."""
        return "?" if self.key == "question_mark" else self.key


KEYS: Final = (
    *(Key(str(number), f"view('{view}')", view) for number, view in enumerate(VIEWS, 1)),
    Key("a", "acknowledge", "acknowledge", 3),
    Key("w", "write('message')", "write", 4),
    Key("o", "write('order')", "order", command=True),
    Key("r", "receipt(1)", "confirm read"),
    Key("d", "receipt(2)", "confirm acted"),
    Key("f", "receipt(3)", "confirm refused"),
    Key("c", "checkin", "checkin", 5),
    Key("p", "rollcall", "rollcall", 6),
    Key("e", "evacuate", "evacuate", 7, command=True),
    Key("E", "lift", "lift", command=True),
    Key("x", "write('sos')", "sos", 8),
    Key("space", "freeze", "freeze", 10),
    Key("n", "dress('night')", "night"),
    Key("u", "dress('sun')", "sun"),
    Key("l", "language", "language", 11),
    Key("question_mark", "help", "help", 1),
    Key("q", "quit", "quit", 9),
)


def bar(words: Words, commands: bool, width: int) -> str:
    """The bottom line: the most important keys, as many as fit in `width` cells."""
    keys = sorted((key for key in KEYS if key.bar and (commands or not key.command)), key=lambda key: key.bar)
    parts = [f"{key.shown} {words(key.name)}" for key in keys]
    parts.insert(1, f"1-5 {words('views')}")
    while cell_len("  ".join(parts)) > width and len(parts) > 1:
        parts.pop()
    return "  ".join(parts)

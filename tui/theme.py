"""Colours for day, night (red) and sunlight; every pair of text and ground keeps a contrast of at least 4.5 to 1.

The fourth theme takes the terminal's own 16 colours, for consoles without more and for slow lines.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from rich.style import Style
from textual.theme import BUILTIN_THEMES, Theme

from tui.symbols import State

THEMES: Final = (
    Theme(
        name="sanduan-day",
        primary="#7fb4ff",
        secondary="#1f3147",
        background="#101418",
        surface="#101418",
        panel="#1d242b",
        foreground="#e6e6e6",
        success="#4fd17f",
        warning="#ffc04d",
        error="#ff6b6b",
        accent="#7fb4ff",
        dark=True,
    ),
    Theme(
        name="sanduan-night",
        primary="#ff5a5a",
        secondary="#3a0000",
        background="#000000",
        surface="#000000",
        panel="#200000",
        foreground="#ff4040",
        success="#ff4040",
        warning="#ff7a5c",
        error="#ff9a8a",
        accent="#ff5a5a",
        dark=True,
    ),
    Theme(
        name="sanduan-sun",
        primary="#003a8c",
        secondary="#cfe0ff",
        background="#ffffff",
        surface="#ffffff",
        panel="#e4e4e4",
        foreground="#000000",
        success="#005a20",
        warning="#8a4b00",
        error="#b00000",
        accent="#003a8c",
        dark=False,
    ),
    replace(
        BUILTIN_THEMES["ansi-dark"],
        name="sanduan-16",
        primary="ansi_bright_cyan",
        accent="ansi_bright_cyan",
        error="ansi_bright_red",
    ),
)
NAMED: Final = {theme.name.removeprefix("sanduan-"): theme for theme in THEMES}

_ROLE: Final = {
    State.OK: "success",
    State.INFO: "foreground",
    State.WARN: "warning",
    State.BAD: "error",
    State.STALE: "foreground",
    State.OFF: "foreground",
}


def styles(theme: Theme) -> dict[State, Style]:
    """A Rich style for each state under a theme; stale and off are dim, bad is bold."""
    return {
        state: Style(
            color=_colour(theme, role),
            bgcolor=_colour(theme, "background"),
            bold=state is State.BAD,
            dim=state in {State.STALE, State.OFF},
        )
        for state, role in _ROLE.items()
    }


def head(theme: Theme) -> Style:
    """The style of a table's head."""
    return Style(color=_colour(theme, "primary"), bgcolor=_colour(theme, "panel"), bold=True)


def chosen(theme: Theme) -> Style:
    """What is laid over the chosen line; `secondary` is its ground, reversed where there are only 16 colours."""
    return Style(reverse=True) if theme.ansi else Style(bgcolor=theme.secondary)


def _colour(theme: Theme, role: str) -> str:
    """A theme's colour by Rich's name for it."""
    return str(getattr(theme, role)).removeprefix("ansi_")

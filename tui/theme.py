"""Colours for day, night (red) and sunlight; every pair of text and ground keeps a contrast of at least 4.5 to 1."""

from __future__ import annotations

from typing import Final

from rich.style import Style
from textual.theme import Theme

from tui.symbols import State

THEMES: Final = (
    Theme(
        name="sanduan-day",
        primary="#7fb4ff",
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
)

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
            color=getattr(theme, role),
            bgcolor=theme.background,
            bold=state is State.BAD,
            dim=state in {State.STALE, State.OFF},
        )
        for state, role in _ROLE.items()
    }

"""State as a shape: three sets of symbols, so that colour is never the only sign.

full: any terminal with East Asian fonts; narrow: only characters that no terminal draws double; ascii: bare consoles.
"""

from __future__ import annotations

import os
import sys
from enum import Enum
from typing import Final


class State(Enum):
    """What a cell says about its value, best first."""

    OK = "ok"
    INFO = "info"
    WARN = "warn"
    BAD = "bad"
    STALE = "stale"
    OFF = "off"


SETS: Final[dict[str, dict[State, str]]] = {
    "full": {
        State.OK: "●",
        State.INFO: "○",
        State.WARN: "▲",
        State.BAD: "■",
        State.STALE: "?",
        State.OFF: "·",
    },
    "narrow": {
        State.OK: "✔",
        State.INFO: "i",
        State.WARN: "⚠",
        State.BAD: "✖",
        State.STALE: "?",
        State.OFF: "-",
    },
    "ascii": {
        State.OK: "+",
        State.INFO: ".",
        State.WARN: "!",
        State.BAD: "!!",
        State.STALE: "?",
        State.OFF: "-",
    },
}


def pick(wanted: str | None = None) -> dict[State, str]:
    """The set asked for, else by the terminal: ascii on the bare console or a non-Unicode locale, full elsewhere."""
    if wanted in SETS:
        return SETS[wanted]
    encoding = (getattr(sys.stdout, "encoding", None) or "").lower()
    bare = os.environ.get("TERM") in {"linux", "dumb", "vt100"} or "utf" not in encoding
    return SETS["ascii" if bare else "full"]

"""What may be done with what came: drawn, acted on, or kept aside. One table decides for every screen and rule."""

from __future__ import annotations

from enum import Enum
from typing import Final

from sync.events import BY_NAME, KINDS
from sync.ids import Level
from sync.records import Event

GUEST_SAYINGS: Final = ("guest.text", "guest.words")  # a guest's own words, with commands or as history
GUEST_KINDS: Final = frozenset(
    BY_NAME[name].number
    for name in (
        *GUEST_SAYINGS,
        "sos",
        "receipt",
        "alarm.ack",
        "checkin",
        "rollcall.answer",
        "message",
        "report",
        "mark",
    )
)  # what a stock terminal without keys may do: report and acknowledge, never order
_SAYINGS: Final = frozenset(BY_NAME[name].number for name in GUEST_SAYINGS)
GUEST_ACTOR: Final = "guest "  # begins the actor of whatever a node passes on for a guest
STRANGER: Final = "!"  # begins a radio's address, the only name of whoever carries one and is not on the roster


class Standing(Enum):
    """How an event stands here and now."""

    ACTIONABLE = "actionable"  # may be acted on
    SHOWN = "shown"  # drawn as fact, nothing to act on
    UNPROVEN = "unproven"  # a command whose author is not proven to be command: shown as such, never acted on
    EXPIRED = "expired"  # a command past its validity, or one that never had any
    LIFTED = "lifted"  # a command that command took back; what other events say of it, see edge/folds.py
    ASIDE = "aside"  # quarantined: kept, counted, not drawn

    @property
    def zh(self) -> str:
        """The word on a Chinese screen."""
        return _ZH[self]


_ZH: Final = {
    Standing.ACTIONABLE: "可执行",
    Standing.SHOWN: "有效",
    Standing.UNPROVEN: "未证实",
    Standing.EXPIRED: "已过期",
    Standing.LIFTED: "已解除",
    Standing.ASIDE: "隔离",
}


def drawn(level: Level) -> bool:
    """Whether what has this level may be drawn at all; a guest's carries its label, a member's is hollow until ORIGIN."""
    return level is not Level.QUARANTINE


def of_guest(kind: int, actor: str) -> bool:
    """Whether an event of this kind and actor is what a guest said, passed on by the node that wrote it."""
    return actor.startswith(GUEST_ACTOR) or kind in _SAYINGS


def passed_on(event: Event, level: Level) -> Level:
    """The level of an event from a block of `level`: a guest's words stay a guest's, whoever passes them on."""
    return min(level, Level.GUEST) if of_guest(event.kind, event.actor) else level


def measured(subject: str | None, level: Level) -> Level:
    """The level of an observation about `subject` from a block of `level`: what a stranger's radio says is a guest's."""
    return min(level, Level.GUEST) if subject is not None and subject.startswith(STRANGER) else level


def standing(event: Event, level: Level, age_s: float) -> Standing:
    """How an event stands; age_s: seconds since its author wrote it, as carried from hop to hop, not by anyone's clock."""
    kind = KINDS.get(event.kind)
    if not drawn(level) or (level is Level.GUEST and event.kind not in GUEST_KINDS):
        return Standing.ASIDE
    if kind is None or not kind.command:
        return Standing.SHOWN
    if level is not Level.COMMAND:
        return Standing.UNPROVEN
    if kind.name in STATES:
        return Standing.ACTIONABLE
    return Standing.ACTIONABLE if event.valid_s is not None and age_s <= event.valid_s else Standing.EXPIRED


STATES: Final = frozenset(("incident", "roster", "revocation"))  # what holds until something newer says otherwise

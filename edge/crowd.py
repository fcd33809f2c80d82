"""How much the guests of one link may say: bounds for each and for all, so that nobody's flood fills the store or our air.

What counts here is what was taken, not what was tried: a flood slows its sender down and silences nobody.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from enum import Enum
from typing import Final, TypeVar

T = TypeVar("T")

SENDERS: Final = 256  # guests kept in mind
WINDOW_S: Final = 600.0
SAYINGS: Final = 20  # of one guest in a window
URGENT: Final = 60  # of all in a window that are acted on and travel with commands: some six kilobytes
ALL_SAYINGS: Final = 400  # of all in a window that are kept at all
ALARMS: Final = 40  # SOS begun in a window
SOS_AGAIN_S: Final = 600.0
RECENT_S: Final = 6 * 3600.0  # a guest heard within this time is present


class Weight(Enum):
    """What becomes of a saying: understood and sent with commands, kept as words that travel as history, or not taken."""

    URGENT = "urgent"
    WORDS = "words"
    REFUSED = "refused"


class Crowd:
    """The guests heard over one link. Times are monotonic seconds."""

    def __init__(self) -> None:
        self.refused_at: float | None = None
        self._heard: OrderedDict[str, float] = OrderedDict()
        self._said: OrderedDict[str, deque[float]] = OrderedDict()
        self._urgent: deque[float] = deque(maxlen=URGENT)
        self._all: deque[float] = deque(maxlen=ALL_SAYINGS)
        self._alarms: deque[float] = deque(maxlen=ALARMS)
        self._crying: OrderedDict[str, float] = OrderedDict()

    def weigh(self, sender: str, now: float) -> Weight:
        """What a saying is worth; counts it."""
        _touch(self._heard, sender, now)
        said = self._said.get(sender) or deque(maxlen=SAYINGS)
        _touch(self._said, sender, said)
        if _full(said, now) or _full(self._all, now):
            self.refused_at = now
            return Weight.REFUSED
        said.append(now)
        self._all.append(now)
        if _full(self._urgent, now):
            return Weight.WORDS
        self._urgent.append(now)
        return Weight.URGENT

    def cries(self, sender: str, now: float) -> bool:
        """Whether an SOS is a new one, and there were not too many of late; counts it."""
        last = self._crying.get(sender)
        _touch(self._crying, sender, now)
        if (last is not None and now - last < SOS_AGAIN_S) or _full(self._alarms, now):
            return False
        self._alarms.append(now)
        return True

    def calmed(self, sender: str) -> None:
        """A guest's SOS is over: the next one is new."""
        self._crying.pop(sender, None)

    def present(self, now: float) -> list[str]:
        """Addresses of the guests heard within the last hours, the latest last."""
        return [sender for sender, at in self._heard.items() if now - at < RECENT_S]


def _full(times: deque[float], now: float) -> bool:
    return len(times) == times.maxlen and now - times[0] < WINDOW_S


def _touch(kept: OrderedDict[str, T], sender: str, value: T) -> None:
    """Remember as the latest; of too many the earliest is forgotten."""
    kept[sender] = value
    kept.move_to_end(sender)
    if len(kept) > SENDERS:
        kept.popitem(last=False)

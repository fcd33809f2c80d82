"""What the host knows of its terminal, and what it asks: sans-IO, for all three families."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hardware.driver import Health
from radios.rdss.codec import Decoder, encode
from radios.rdss.events import (
    AskState,
    Beams,
    Card,
    Event,
    Family,
    Output,
    Query,
    Refusal,
    Result,
    Send,
    Service,
    State,
)
from radios.rdss.payload import Payload, room

PROBES: Final = (Family.V3, Family.V21, Family.V40)
PROBE_S: Final = 2.0
BEAMS_S: Final = 10  # how often beam reports are wanted
REFRESH_S: Final = 60.0  # how often the card is asked for again: it may have been pulled
SAFE_BITS: Final = 628  # 78 bytes: carried by every card in use whose size is unknown
SAFE_FREQUENCY_S: Final = 60
LONGEST_S: Final = 3600  # a period or a wait beyond this is no terminal's: 60 or 120 s are usual
LEAST_BITS, MOST_BITS = 110, 14_000  # the smallest card and the system's own maximum
MARGIN_S: Final = 1.5
HOLD_S: Final = 60.0
WEAK_BARS: Final = 1
_FIRST_BAR, _BAR = 37, 4  # dB-Hz; shipped programs want more than 40 to send
# (generation, encrypted, level) -> bits; of BDS-3 only level 2 is known, and higher levels carry no less.
_SECOND: Final = {
    (False, 1): 110,
    (False, 2): 408,
    (False, 3): 628,
    (False, 4): 848,
    (True, 1): 140,
    (True, 2): 360,
    (True, 3): 580,
    (True, 4): 1680,
}
_THIRD: Final = {2: 1835, 3: 1835, 4: 1835, 5: 1835}
GONE: Final = (Refusal.NO_CARD, Refusal.FORBIDDEN)
SENDS: Final = ("TXA", "TCQ", "TXSQ", "")  # commands whose result is a send's; 4.0 names none on failure


@dataclass(frozen=True, slots=True)
class Settings:
    """What the operator fixed. family None: found out; capacity_bits and frequency_s 0: as the card says;
    letters: whether the terminal carries the digits A to F in code mode (the self-test tells)."""

    family: Family | None = None
    capacity_bits: int = 0
    frequency_s: int = 0
    letters: bool = True


def capacity_bits(family: Family, card: Card, service: Service | None = None) -> int:
    """Bits of one ordinary message; the safe size where the card's is unknown."""
    if service is not None and LEAST_BITS <= service.capacity_bits <= MOST_BITS:
        return service.capacity_bits
    if family is Family.V3:
        return _THIRD.get(card.level, SAFE_BITS)
    return _SECOND.get((card.encrypted, card.level), SAFE_BITS)


class Session:
    """The terminal as known so far. Give it bytes with `heard`, write what `due` says, ask `state` for its health.

    refusal: why the last command was refused, until one succeeds.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.decoder = Decoder()
        self.family: Family | None = None
        self.card: Card | None = None
        self.service: Service | None = None
        self.beams: Beams | None = None
        self.refusal = Refusal.NONE
        self._asked = 0
        self._ask_at = 0.0
        self._beams_wanted = True

    @property
    def bits(self) -> int:
        """Bits that one message carries."""
        if self.settings.capacity_bits:
            return self.settings.capacity_bits
        if self.family is None or self.card is None:
            return SAFE_BITS
        return capacity_bits(self.family, self.card, self.service)

    @property
    def mtu(self) -> int:
        """Bytes of a frame in code mode."""
        return room(self.bits, self.settings.letters)

    @property
    def period_s(self) -> float:
        """Seconds from one send to the next, the margin included."""
        return self.settings.frequency_s + MARGIN_S if self.settings.frequency_s else self.card_period_s

    @property
    def card_period_s(self) -> float:
        """The same as the card says, whatever the operator fixed."""
        said = self.card.frequency_s if self.card else 0
        return (said if 0 < said <= LONGEST_S else SAFE_FREQUENCY_S) + MARGIN_S

    @property
    def bars(self) -> int | None:
        """Link quality by the best beam, 0 (no sending) to 4; None before the terminal has told."""
        if self.beams is None:
            return None
        if not self.beams.carrier:
            return min(self.beams.best, 4)
        if self.beams.timed is False or self.beams.best <= 0:
            return 0
        return max(1, min((self.beams.best - _FIRST_BAR) // _BAR + 1, 4))

    def heard(self, data: bytes) -> list[Event]:
        """Take bytes from the terminal; gives all events, after learning from them."""
        events = self.decoder.feed(data)
        for event in events:
            self._learn(event)
        return events

    def _learn(self, event: Event) -> None:
        match event:
            case Card():
                self._carded(event)
            case Beams():
                self.beams = event
            case State():
                self.beams = event.beams
            case Service() if event.frequency_s:
                self.service = event
            case Result() if event.command in SENDS:
                self.refusal = event.refusal
                if event.refusal in GONE:
                    self._ask_at = 0.0

    def _carded(self, card: Card) -> None:
        """A card, or none: a terminal that speaks several families keeps the one it was first heard in."""
        family = self.decoder.card_family
        if self.settings.family not in (None, family) or (self.family not in (None, family) and self.card):
            return
        if self.family is None:
            self._ask_at = 0.0
        self.family, self.card = family, card

    def due(self, now: float) -> bytes:
        """What to write now, b"" for nothing: a query in the next family, the card again, or the wish for beam reports."""
        if now < self._ask_at:
            return b""
        if self.family is None:
            probes = PROBES if self.settings.family is None else (self.settings.family,)
            family = probes[self._asked % len(probes)]
            self._asked += 1
            self._ask_at = now + PROBE_S
            return encode(Query(), family)
        self._ask_at = now + REFRESH_S
        if self._beams_wanted:
            self._beams_wanted = False
            return self._wish(self.family)
        return encode(Query(), self.family)

    def _wish(self, family: Family) -> bytes:
        """Ask for beam reports."""
        if family is Family.V40:
            return encode(AskState(self.card.number if self.card else 0, BEAMS_S), family)
        return encode(Output("BSI" if family is Family.V21 else "PWI", 2, BEAMS_S), family)

    def next_at(self) -> float:
        """When `due` wants to be asked again."""
        return self._ask_at

    def rounds(self) -> int:
        """How often every family has been asked in vain."""
        return self._asked // len(PROBES)

    def message(self, to: int, payload: Payload) -> bytes:
        """The send command; only when `state` is not DOWN."""
        assert self.family is not None and self.card is not None
        return encode(Send(to, payload, own=self.card.number), self.family)

    def state(self) -> tuple[Health, str]:
        """Health and reason, from card, beams and the last refusal."""
        if self.family is None or self.card is None:
            return Health.DOWN, "no RDSS terminal answers"
        if not self.card.number:
            return Health.DOWN, "no card in the terminal"
        if self.bars == 0:
            return Health.DOWN, "no beam: free view to the south is needed"
        if self.refusal not in (Refusal.NONE, Refusal.EARLY):
            return Health.DEGRADED, f"last send refused: {self.refusal.value}"
        said = f"card {self.card.number}, {self.mtu} bytes every {self.period_s - MARGIN_S:g} s, beam {self.bars or '?'} of 4"
        return (Health.UP if self.bars is None or self.bars > WEAK_BARS else Health.DEGRADED), said

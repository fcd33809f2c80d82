"""What passes between a BeiDou RDSS terminal and its host, the same for all three wire families."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import TypeAlias

from radios.rdss.payload import Payload


class Family(Enum):
    """How a terminal speaks: 4.0 binary frames, 2.1 sentences, BDS-3 sentences."""

    V40 = "4.0"
    V21 = "2.1"
    V3 = "bds3"


class Refusal(Enum):
    """Why a command was not carried out, in one vocabulary for all families."""

    NONE = "done"
    EARLY = "too early"
    SUPPRESSED = "suppressed by the system"
    BATTERY = "battery low"
    SILENCE = "radio silence"
    UNLOCKED = "no beam locked"
    NO_CARD = "no card"
    FORBIDDEN = "not permitted"
    CHECKSUM = "wrong checksum"
    CRYPTO = "encryption error"
    FAILED = "failed"


class Ask(IntEnum):
    """What a card query asks for (CCICA 0 and 1; CCICR 0 to 3)."""

    OWN = 0
    GROUP = 1
    SUBORDINATES = 2
    MODE = 3


@dataclass(frozen=True, slots=True)
class Query:
    """Ask for the card."""

    ask: int = Ask.OWN


@dataclass(frozen=True, slots=True)
class Card:
    """The card's service: a send every `frequency_s` s at message `level`; number 0: there is no card."""

    number: int
    broadcast: int = 0
    frequency_s: int = 0
    level: int = 0
    encrypted: bool = False
    user_class: int = 0
    subordinates: int = 0


@dataclass(frozen=True, slots=True)
class Send:
    """Send a payload to a card. express: the short, urgent category of the second generation; own: this card (4.0 only);
    confirm: ask for an inbound confirmation; repeat_s: the terminal repeats by itself, 0 for never (BDS-3)."""

    to: int
    payload: Payload
    express: bool = False
    own: int = 0
    confirm: bool = False
    repeat_s: int = 0


@dataclass(frozen=True, slots=True)
class Message:
    """A payload that came. kind: BDTXR's type (1 ordinary, 2 express, 3 broadcast, 4 and 5 from store); at: hhmm or hhmmss;
    intact: the terminal found no error in it."""

    sender: int
    payload: Payload
    to: int = 0
    kind: int = 1
    at: str = ""
    intact: bool = True


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a command. `ok` for a send means radiated, never delivered; wait_s: the terminal's own, None if unsaid."""

    command: str
    ok: bool
    refusal: Refusal = Refusal.NONE
    wait_s: int | None = None


@dataclass(frozen=True, slots=True)
class AskStored:
    """Ask the centre (CCCXA). positions or messages; how: 1 latest, 2 by sender, 3 receipts."""

    positions: bool
    how: int
    user: int


@dataclass(frozen=True, slots=True)
class Receipts:
    """Receipts of messages sent to `peer`: pairs of (sent hhmm, received hhmm)."""

    peer: int
    times: tuple[tuple[str, str], ...]
    own: int = 0


@dataclass(frozen=True, slots=True)
class Output:
    """Have the terminal repeat a sentence: target of three letters or "" for all; mode 1 off, 2 on, 3 all off, 4 all on."""

    target: str
    mode: int
    period_s: int


@dataclass(frozen=True, slots=True)
class Beams:
    """Strength by beam. carrier: dB-Hz (BDS-3) or else steps 0..4; timed: the terminal has the satellites' time, None if unsaid."""

    strengths: tuple[tuple[int, int], ...]
    carrier: bool = False
    timed: bool | None = None
    response: int = 0
    difference: int = 0

    @property
    def best(self) -> int:
        """The strongest beam's value, 0 without any."""
        return max((value for _, value in self.strengths), default=0)


@dataclass(frozen=True, slots=True)
class ChooseBeams:
    """Set the response and time-difference beams (CCBSS)."""

    response: int
    difference: int


@dataclass(frozen=True, slots=True)
class AskPosition:
    """Ask for a position (CCDWA, $DWSQ); height in metres, antenna height in metres, pressure in Pa."""

    own: int
    urgent: bool = False
    height_mode: int = 0
    high: bool = False
    height: float = 0.0
    antenna: float = 0.0
    pressure: float = 0.0
    temperature: float = 0.0
    period_s: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """A position by RDSS (BDDWR, $DWXX): degrees, metres; kind 1 own, 2 queried, 3 report; tod: hhmmss.ss."""

    number: int
    tod: str
    lat: float
    lon: float
    height: float | None = None
    kind: int = 1
    precise: bool = False
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class Moment:
    """The satellites' date and time (BDZDA, $SJXX)."""

    year: int
    month: int
    day: int
    hour: int
    minute: int
    second: float
    mode: int = 1


@dataclass(frozen=True, slots=True)
class Service:
    """A BDS-3 module's own summary (BDZDX): beam powers, and the capacity in bits that its card has."""

    number: int
    battery: int
    frequency_s: int
    level: int
    capacity_bits: int
    strengths: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class AskState:
    """Ask for state or powers (4.0 $XTZJ, $GLJC) every period_s seconds, 0 for once."""

    own: int
    period_s: int = 0
    powers_only: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """A 4.0 terminal's own check ($ZJXX): 0 in card, hardware and inbound is good."""

    own: int
    card: int
    hardware: int
    battery: int
    inbound: int
    beams: Beams


@dataclass(frozen=True, slots=True)
class Subordinates:
    """One line of a commander's list (BDICZ)."""

    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Other:
    """A known RDSS sentence that the toolkit has no use for: address and fields."""

    address: str
    fields: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Nmea:
    """A sentence of the positioning receiver on the same line: what stands between `$` and `*`."""

    body: bytes


Event: TypeAlias = (
    Query
    | Card
    | Send
    | Message
    | Result
    | AskStored
    | Receipts
    | Output
    | Beams
    | ChooseBeams
    | AskPosition
    | Place
    | Moment
    | Service
    | AskState
    | State
    | Subordinates
    | Other
    | Nmea
)

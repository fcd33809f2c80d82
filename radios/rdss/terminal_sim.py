"""A simulated RDSS terminal of any family: card, levels, beams, refusals, and a positioning receiver on the same line."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace

from hardware.ports import Port
from hardware.sim.gnss import GnssSimulator
from radios.rdss.codec import Decoder, encode
from radios.rdss.events import (
    AskState,
    Beams,
    Card,
    Event,
    Family,
    Message,
    Output,
    Query,
    Refusal,
    Result,
    Send,
    State,
)
from radios.rdss.payload import Mode, Payload
from radios.rdss.satellite_sim import SatelliteSim, Sky
from radios.rdss.session import capacity_bits

RESULT_S = 0.8
_PENDING = 256
COMMANDS = {Family.V40: "TXSQ", Family.V21: "TXA", Family.V3: "TCQ"}
_LETTERS = frozenset(b"ABCDEFabcdef")


@dataclass(frozen=True, slots=True)
class Traits:
    """How a terminal behaves. beams: how many are in view; letters: False where code mode turns A to F into 0;
    nmea: epochs of positions per second; mute: it carries out sends without ever answering."""

    family: Family = Family.V3
    beams: int = 4
    letters: bool = True
    nmea: float = 0.0
    mute: bool = False


class TerminalSim:
    """One terminal with its card (number 0: none). Attach a host with `attach`; bytes of the host go to `feed`.

    counts: "sent", "early", "refused", "received"; a send is carried out only when the card's period is over.
    """

    def __init__(self, card: Card, satellite: SatelliteSim, traits: Traits | None = None) -> None:
        self.card, self.satellite, self.traits = card, satellite, traits or Traits()
        self.counts: Counter[str] = Counter()
        self._decoder = Decoder()
        self._host: Callable[[bytes], None] | None = None
        self._free_at = 0.0
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._receiver = GnssSimulator(rate=self.traits.nmea or 1.0)
        if card.number:
            satellite.connect(self)

    @property
    def number(self) -> int:
        """The card's number."""
        return self.card.number

    def attach(self, host: Callable[[bytes], None]) -> None:
        """A host opens the line."""
        self._host = host
        if self.traits.nmea:
            self._every("nmea", 1 / self.traits.nmea, lambda: self._out(self._receiver.epoch()))

    def detach(self) -> None:
        """The host is gone: what the terminal says is lost."""
        self._host = None
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def pull_card(self) -> None:
        """The card is taken out."""
        self.satellite.disconnect(self)
        self.card = Card(0)

    def feed(self, data: bytes) -> None:
        """Bytes from the host."""
        for event in self._decoder.feed(data):
            self._handle(event)

    def deliver(self, sender: int, payload: Payload) -> None:
        """A message for this card has come down."""
        self.counts["received"] += 1
        self._say(Message(sender, payload, to=0 if self.traits.family is Family.V21 else self.number, at="0830"))

    def _handle(self, event: Event) -> None:
        match event:
            case Query() if self._mine(event):
                self._say(self.card)
            case Output(target, 2, period) if target in ("BSI", "PWI"):
                self._every("beams", float(max(period, 1)), lambda: self._say(self._beams()))
            case AskState(_, period) if self.traits.family is Family.V40:
                self._every("beams", float(max(period, 1)), lambda: self._say(self._checked()))
            case Send():
                self._send(event)

    def _mine(self, query: Query) -> bool:
        """Whether the query came in this terminal's own family: others are not understood."""
        return self._decoder.query_family is self.traits.family

    def _send(self, send: Send) -> None:
        now = asyncio.get_running_loop().time()
        refusal = self._refusal(send, now)
        command = COMMANDS[self.traits.family]
        if refusal is None:
            self.counts["sent"] += 1
            self._free_at = now + self.card.frequency_s
            self.satellite.radiate(self.number, send.to, self._spoil(send.payload))
            wait = self.card.frequency_s if self.traits.family is Family.V21 else 0
            result = Result(command, True, Refusal.NONE, wait)
        else:
            self.counts["early" if refusal is Refusal.EARLY else "refused"] += 1
            wait = round(self._free_at - now + 0.5) if refusal is Refusal.EARLY else 0
            result = Result(command, False, refusal, wait)
        if not self.traits.mute:
            asyncio.get_running_loop().call_later(RESULT_S, self._say, result)

    def _refusal(self, send: Send, now: float) -> Refusal | None:
        if not self.number:
            return Refusal.NO_CARD
        if not self.traits.beams:
            return Refusal.UNLOCKED
        if now < self._free_at:
            return Refusal.EARLY
        return Refusal.FAILED if send.payload.bits > capacity_bits(self.traits.family, self.card) else None

    def _spoil(self, payload: Payload) -> Payload:
        if self.traits.letters or payload.mode is not Mode.CODE:
            return payload
        return replace(payload, value=bytes(0x30 if digit in _LETTERS else digit for digit in payload.value))

    def _beams(self) -> Beams:
        if self.traits.family is Family.V3:
            rows = tuple((beam, 45 + beam) for beam in range(1, self.traits.beams + 1))
            return Beams(rows, carrier=True, timed=bool(self.traits.beams))
        rows = tuple((beam, 4 if beam <= self.traits.beams else 0) for beam in range(1, 7))
        return Beams(rows, response=1, difference=2)

    def _checked(self) -> State:
        return State(self.number, 0 if self.number else 1, 0, 90, 0, self._beams())

    def _say(self, event: Event) -> None:
        self._out(encode(event, self.traits.family))

    def _out(self, data: bytes) -> None:
        if self._host is not None:
            self._host(data)

    def _every(self, what: str, period_s: float, act: Callable[[], None]) -> None:
        """Do something now and every `period_s` seconds, in place of what was done under the same name."""
        if (timer := self._timers.pop(what, None)) is not None:
            timer.cancel()
        if self._host is None:
            return
        self._timers[what] = asyncio.get_running_loop().call_later(period_s, self._every, what, period_s, act)
        act()


class _Line:
    """A Stream that ends at a simulated terminal, without a device between."""

    def __init__(self, terminal: TerminalSim) -> None:
        self._terminal = terminal
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue(_PENDING)
        terminal.attach(self._put)

    def _put(self, data: bytes) -> None:
        with suppress(asyncio.QueueFull):  # a host that does not read loses what the line cannot hold
            self._waiting.put_nowait(data)

    async def read(self) -> bytes:
        """What the terminal has said."""
        return await self._waiting.get()

    async def write(self, data: bytes) -> None:
        """Say something to the terminal."""
        self._terminal.feed(data)

    async def close(self) -> None:
        """Close the line."""
        self._terminal.detach()


def in_memory(terminal: TerminalSim) -> Callable[[int], Awaitable[Port]]:
    """An opener (as RdssBearer takes one) of a line to the terminal; works under virtual time."""

    async def opened(baud: int) -> Port:
        return Port(f"terminal {terminal.number}", _Line(terminal), True, None)

    return opened


def stream(options: Mapping[str, str]) -> _Line:
    """`sim:rdss?family=bds3&card=4204990&level=2&frequency=60`: a terminal alone under its satellite, which it hears itself by."""
    allowed = ("family", "card", "level", "frequency", "beams", "letters", "nmea", "delay", "loss")
    if unknown := set(options) - set(allowed):
        raise ValueError(f"unknown option {', '.join(sorted(unknown))}; allowed are {', '.join(allowed)}")
    numbers = {"card": 4204990, "level": 2, "frequency": 60} | {
        key: int(options[key]) for key in ("card", "level", "frequency") if key in options
    }
    family = Family(options.get("family", Family.V3.value))
    card = Card(numbers["card"], frequency_s=numbers["frequency"], level=numbers["level"])
    beams, letters = int(options.get("beams", "4")), options.get("letters") != "no"
    traits = Traits(family, beams, letters, float(options.get("nmea", "0")))
    sky = Sky(float(options.get("loss", "0")), delay_s=float(options.get("delay", 3.8)))
    return _Line(TerminalSim(card, SatelliteSim(sky), traits))


@asynccontextmanager
async def serve_pty(terminal: TerminalSim) -> AsyncIterator[str]:
    """Put the terminal on a pseudo-terminal; yields its path. POSIX only."""
    import tty

    master, slave = os.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    loop = asyncio.get_running_loop()

    def readable() -> None:
        with suppress(OSError):
            terminal.feed(os.read(master, 4096))

    def say(data: bytes) -> None:
        with suppress(OSError):  # as above
            os.write(master, data)

    loop.add_reader(master, readable)
    terminal.attach(say)
    try:
        yield os.ttyname(slave)
    finally:
        terminal.detach()
        loop.remove_reader(master)
        os.close(slave)
        os.close(master)

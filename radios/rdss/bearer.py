"""Frames over BeiDou short messages: one at a time, each one precious. "Radiated" is all the terminal can say, never "delivered"."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final

from hardware.clock import Clock
from hardware.driver import Health, Heard, plain
from hardware.errors import DecodeError, FrameTooLong, LinkBusy, LinkDown, PortError, PortSilent
from hardware.gnss.framer import sentence
from hardware.ports import Backoff, Port, open_port
from hardware.usb import plugged_in
from radios.bearer import Arrival, Budget, Inbox, Limits, LinkHealth
from radios.rdss.events import Event, Family, Message, Nmea, Receipts, Refusal, Result
from radios.rdss.payload import MIXED_MARK, Mode, Payload, binary, mixed, octets
from radios.rdss.session import GONE, HOLD_S, LONGEST_S, MARGIN_S, SENDS, Session, Settings
from radios.rdss.slots import Slots

log = logging.getLogger(__name__)

BAUDS: Final = (115_200, 19_200, 9_600)
RESULT_S: Final = 10.0  # shipped programs wait 2 to 8 s for the result of a send
IDLE_S: Final = 150.0
YIELD_S: Final = 2.0  # a free slot that no frame has taken for so long is for plain words again
SHORTEST_S: Final = 0.05
INBOX: Final = 64
LARGEST, LARGEST_40 = 10**10, 1 << 24
ROUNDS: Final = 2  # unanswered rounds of queries before another speed is tried
LANES: Final = frozenset((0, 1, 2))  # flash, command, picture

Opener = Callable[[int], Awaitable[Port]]


def _nobody(item: object) -> None:
    """Nobody listens."""


def _stated_s(result: Result) -> int:
    """Seconds to wait as the terminal says; 0 when it says nothing that can be meant."""
    return result.wait_s if result.wait_s is not None and result.wait_s <= LONGEST_S else 0


class RdssBearer:
    """A Bearer over one terminal. peers: node -> card number; `to` and Arrival.peer are nodes, "" means the first of peers.

    nmea: gets the positioning receiver's sentences as bytes (SharedGnss.hear); heard: gets plain words and receipts.
    file: remembers the last send over restarts; baud 0: 115200, 19200 and 9600 are tried.
    """

    def __init__(
        self,
        name: str,
        port: str | Opener,
        clock: Clock,
        peers: Mapping[str, int],
        *,
        baud: int = 0,
        settings: Settings | None = None,
        file: Path | None = None,
        nmea: Callable[[bytes], None] = _nobody,
        heard: Callable[[Heard], None] = _nobody,
    ) -> None:
        self.name, self.clock, self.peers = name, clock, dict(peers)
        self.settings = settings or Settings()
        self.session = Session(self.settings)
        self.slots = Slots(clock, file)
        self.health = LinkHealth(since=clock.mono())
        self._where = port if isinstance(port, str) else ""
        self._open = self._by_name if isinstance(port, str) else port
        self._bauds = (baud,) if baud else BAUDS
        self._turn = 0
        self._posted = False  # the last slot went to plain words
        self._nmea, self._heard = nmea, heard
        self._port: Port | None = None
        self._result: asyncio.Future[Result] | None = None
        self._inbox = Inbox(INBOX)
        self.limits = self._limits()

    async def run(self) -> None:
        """Keep the terminal open until cancelled."""
        backoff = Backoff()
        try:
            while True:
                started = self.clock.mono()
                await self._attempt()
                await plugged_in(self._where, backoff.pause(self.clock.mono() - started))
        finally:
            self.health.turn(Health.DOWN, "stopped", self.clock.mono())

    async def _attempt(self) -> None:
        """Work with the terminal until its port fails."""
        try:
            await self._connected()
        except PortError as error:
            self.health.turn(Health.DOWN, str(error), self.clock.mono())
        finally:
            self._port = None
            self._fail_result()

    async def send(self, frame: bytes, to: str = "") -> None:
        """Have the terminal radiate a frame and wait for its result; LinkDown, LinkBusy or FrameTooLong."""
        await self._transmit(self._card_of(to), binary(frame, self.settings.letters))
        self._posted = False
        self.health.sent(len(frame), self.clock.mono())

    async def post(self, text: str, card: int) -> None:
        """Plain words to an ordinary terminal; FrameTooLong when they do not fit one message.

        Of two slots in a row the second is a frame's: LinkBusy while one might still take it.
        """
        if self._posted and not self.slots.wait_s() and (left := YIELD_S - self.slots.free_s()) > 0:
            raise LinkBusy(f"{self.name}: frames first", left)
        try:
            await self._transmit(card, mixed(text))
            self._posted = True
        except UnicodeEncodeError as error:
            raise FrameTooLong(f"{self.name}: {text[error.start]!r} is not in GBK") from error

    async def receive(self) -> Arrival:
        """The next frame; peer is the node that the satellite network's card number stands for."""
        return await self._inbox.get()

    def budget(self) -> Budget:
        """One message, when the card's period is over and no other is outstanding."""
        if self.health.state is Health.DOWN:
            return Budget(0, 0, HOLD_S)
        wait = RESULT_S if self._result is not None else self.slots.wait_s()
        return Budget(0, 0, wait) if wait else Budget(self.limits.mtu, 1)

    # ---- sending

    def _card_of(self, to: str) -> int:
        card = self.peers.get(to) if to else next(iter(self.peers.values()), None)
        if card is None:
            raise LinkDown(f"{self.name}: no card is known for node {to or 'of any name'}")
        return card

    def _addressable(self, card: int) -> bool:
        return 0 < card < (LARGEST_40 if self.session.family is Family.V40 else LARGEST)

    async def _transmit(self, card: int, payload: Payload) -> None:
        if payload.bits > self.session.bits:
            raise FrameTooLong(f"{self.name}: {payload.bits} bits, the card carries {self.session.bits}")
        if self.health.state is Health.DOWN or self._port is None:
            raise LinkDown(f"{self.name}: {self.health.why}")
        if not self._addressable(card):
            raise LinkDown(f"{self.name}: {card} is no card number (24 bits in the 4.0 family)")
        if self._result is not None:
            raise LinkBusy(f"{self.name}: a message is being sent", RESULT_S)
        if wait := self.slots.wait_s():
            raise LinkBusy(f"{self.name}: the card sends once in {self.session.period_s:g} s", wait)
        self._conclude(await self._exchange(self._port, self.session.message(card, payload)))
        self.health.last_out = self.clock.mono()

    async def _exchange(self, port: Port, command: bytes) -> Result | None:
        """Write a send and wait for its result, None when none comes."""
        self._result = asyncio.get_running_loop().create_future()
        try:
            self.slots.take(self.session.period_s)
            await port.write(command)
            async with asyncio.timeout(RESULT_S):
                return await self._result
        except TimeoutError:
            return None
        except PortError as error:
            raise LinkDown(f"{self.name}: {error}") from error
        finally:
            self._result = None

    def _conclude(self, result: Result | None) -> None:
        """Radiated: return. Refused: hold back as long as the terminal says, or as the reason asks."""
        period = self.session.period_s
        if result is not None and result.ok:
            self.slots.at_least(_stated_s(result) + MARGIN_S, period)
            return
        refusal = Refusal.FAILED if result is None else result.refusal
        why = "no result" if result is None else refusal.value
        self.health.refuse(why)
        if refusal in GONE:
            raise LinkDown(f"{self.name}: {why}")
        stated = 0 if result is None else _stated_s(result)
        unsaid = max(period, self.session.card_period_s) if refusal in (Refusal.EARLY, Refusal.FAILED) else HOLD_S
        wait = stated + MARGIN_S if stated else unsaid
        self.slots.told(wait, period)
        raise LinkBusy(f"{self.name}: {why}", wait)

    def _fail_result(self) -> None:
        if self._result is not None and not self._result.done():
            self._result.set_exception(PortError("the terminal went away"))

    # ---- the line

    async def _by_name(self, baud: int) -> Port:
        return await open_port(self._where, baud=baud, write=True, idle_s=IDLE_S)

    async def _connected(self) -> None:
        self.session = Session(self.settings)
        baud = self._bauds[self._turn % len(self._bauds)]
        async with await self._open(baud) as port:
            self._port = port
            self.health.turn(Health.DOWN, "asking for the card", self.clock.mono())
            while True:
                await self._step(port)
                if self.session.family is None and self.session.rounds() > ROUNDS:
                    self._turn += 1
                    raise PortSilent(f"{port.name}: no RDSS terminal answers at {baud} baud")

    async def _step(self, port: Port) -> None:
        if command := self.session.due(self.clock.mono()):
            await port.write(command)
        data = await port.read(max(self.session.next_at() - self.clock.mono(), SHORTEST_S))
        good = self.session.decoder.framer.good
        for event in self.session.heard(data):
            self._take(event)
        if self.session.decoder.framer.good > good:
            port.alive()
        self._follow()

    def _follow(self) -> None:
        """Limits and health from what the session knows."""
        limits = self._limits()
        if limits != self.limits:
            self.limits = limits
        if self.session.family is not None:
            self.health.turn(*self.session.state(), self.clock.mono())

    def _limits(self) -> Limits:
        mtu, period = self.session.mtu, self.session.period_s
        return Limits(
            mtu, float(mtu), period, names_sender=True, cost=9, lanes=LANES
        )  # a second on the air, then the pause

    # ---- what comes

    def _take(self, event: Event) -> None:
        match event:
            case Nmea():
                self._nmea(sentence(event.body))
            case Message():
                self._message(event)
            case Result() if event.command in SENDS and self._result is not None and not self._result.done():
                self._result.set_result(event)
            case Receipts():
                for sent, received in event.times:
                    body: dict[str, str | int | float | None] = {"sent": sent, "received": received}
                    self._heard(Heard(self.name, "receipt", str(event.peer), body))

    def _message(self, message: Message) -> None:
        """A frame from a known card, or plain words from any."""
        if not message.intact:
            self.health.refuse("damaged")
            return
        node = next((node for node, card in self.peers.items() if card == message.sender), None)
        frame = self._frame_of(message.payload, node is not None)
        if frame is None:
            self._heard(Heard(self.name, "text", str(message.sender), {"text": plain(message.payload.text)}))
        elif node is None:
            self.health.refuse("stranger")
        else:
            self._inbox.take(Arrival(frame, node, self.clock.mono()), self.health)

    def _frame_of(self, payload: Payload, known: bool) -> bytes | None:
        """The frame in a payload, None for words. In 4.0 a frame that begins with A4 looks like mixed text."""
        if payload.mode is Mode.MIXED and known and self.session.family is Family.V40:
            return bytes([MIXED_MARK]) + payload.value
        try:
            return octets(payload)
        except DecodeError:
            return None

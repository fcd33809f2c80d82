"""Commissioning a real terminal: who is it, does it see the sky, does it carry our bytes unharmed. Costs two to four messages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Final

from hardware.clock import Clock, SystemClock
from hardware.driver import Health
from hardware.errors import LinkBusy, LinkError
from radios.rdss.bearer import Opener, RdssBearer
from radios.rdss.session import MARGIN_S

ANSWER_S: Final = 45.0  # two rounds of queries at each of three speeds
BEAM_S: Final = 15.0
BACK_S: Final = 60.0  # a message to oneself takes about 4 s
TRIES: Final = 2  # one message in twenty is lost
SELF: Final = "self"
LOOK_S: Final = 0.1
PATTERN: Final = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210A4F0")
_SAY: Final[dict[str, tuple[str, str]]] = {
    "silent": ("没有北斗终端应答:{why}", "no RDSS terminal answers: {why}"),
    "found": ("终端应答,协议 {family}", "a terminal answers, interface {family}"),
    "card": (
        "卡号 {card},等级 {level},频度 {frequency:g} 秒,每条 {mtu} 字节",
        "card {card}, level {level}, one message in {frequency:g} s, {mtu} bytes each",
    ),
    "down": ("不能发送:{why}", "it cannot send: {why}"),
    "beam": ("波束强度 {bars}/4", "beam {bars} of 4"),
    "blind": ("终端没有报告波束", "the terminal reports no beams"),
    "wait": ("等待卡的频度:{wait:.0f} 秒", "waiting for the card's period: {wait:.0f} s"),
    "letters": ("代码方式传送 A–F 无误", "code mode carries A to F unharmed"),
    "spoilt": (
        "代码方式损坏 A–F 或未收到,改试纯数字",
        "code mode spoils A to F or nothing came back; trying digits alone",
    ),
    "digits": ("纯数字方式无误:配置中写 letters = false", "digits alone are carried: set letters = false"),
    "full": ("满长报文 {mtu} 字节无误", "a full message of {mtu} bytes came back whole"),
    "short": (
        "满长报文 {mtu} 字节未通过:请在配置中减小 capacity_bits",
        "a full message of {mtu} bytes did not: lower capacity_bits",
    ),
    "failed": ("自发自收失败:{why}", "no message to itself came back: {why}"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One finding, by name; str() is what an operator reads. passes: it speaks against no terminal."""

    ok: bool
    text: str
    name: str

    @property
    def passes(self) -> bool:
        """Whether the terminal can be used all the same: one that spoils letters carries digits."""
        return self.ok or self.name == "spoilt"

    def __str__(self) -> str:
        return f"{'✓' if self.ok else '✗'} {self.text}"


async def selftest(
    port: str | Opener, baud: int = 0, *, lang: str = "zh", clock: Clock | None = None
) -> AsyncIterator[Line]:
    """Test the terminal on a port, line by line; the terminal is fit for use when every line passes. baud 0: found out."""
    test = _Test(port, baud, lang, clock or SystemClock())
    try:
        async for line in test.run():
            yield line
    finally:
        await test.stop()


class _Test:
    def __init__(self, port: str | Opener, baud: int, lang: str, clock: Clock) -> None:
        self._lang = lang
        self._bearer = RdssBearer("selftest", port, clock, {}, baud=baud)
        self._task = asyncio.create_task(self._bearer.run())

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def _line(self, ok: bool, key: str, **values: object) -> Line:
        return Line(ok, _SAY[key][self._lang != "zh"].format(**values), key)

    async def run(self) -> AsyncIterator[Line]:
        if not await self._until(lambda: self._bearer.session.card, ANSWER_S):
            yield self._line(False, "silent", why=self._bearer.health.why)
            return
        async for line in self._terminal():
            yield line
        if self._bearer.health.state is Health.DOWN:
            yield self._line(False, "down", why=self._bearer.health.why)
            return
        session = self._bearer.session
        self._bearer.peers[SELF] = session.card.number if session.card else 0
        async for line in self._messages():
            yield line

    async def _terminal(self) -> AsyncIterator[Line]:
        """What the terminal says of itself."""
        await self._until(lambda: self._bearer.session.bars is not None, BEAM_S)
        session, card = self._bearer.session, self._bearer.session.card
        if session.family is None or card is None:
            return
        yield self._line(True, "found", family=session.family.value)
        frequency = session.period_s - MARGIN_S
        yield self._line(
            bool(card.number), "card", card=card.number, level=card.level, frequency=frequency, mtu=session.mtu
        )
        bars = session.bars
        yield self._line(True, "beam", bars=bars) if bars else self._line(False, "blind")

    async def _messages(self) -> AsyncIterator[Line]:
        """Messages to itself: with letters, else digits alone, then one of full length."""
        yield self._line(True, "wait", wait=self._bearer.slots.wait_s())
        good, why = await self._loop(self._filled(len(PATTERN)))
        if good:
            yield self._line(True, "letters")
        else:
            yield self._line(True, "spoilt")
            self._letters_off()
            good, why = await self._loop(self._filled(len(PATTERN)))
            yield self._line(True, "digits") if good else self._line(False, "failed", why=why)
        if not good:
            return
        mtu = self._bearer.session.mtu
        yield self._line(True, "wait", wait=self._bearer.slots.wait_s())
        good, why = await self._loop(self._filled(mtu))
        yield self._line(good, "full" if good else "short", mtu=mtu)

    def _filled(self, size: int) -> bytes:
        """So many bytes of the pattern, or as many as the card carries."""
        size = min(size, self._bearer.session.mtu)
        return (PATTERN * (size // len(PATTERN) + 1))[:size]

    def _letters_off(self) -> None:
        self._bearer.settings = self._bearer.session.settings = replace(self._bearer.settings, letters=False)

    async def _loop(self, frame: bytes) -> tuple[bool, str]:
        """Send a frame to ourselves until it has come back whole; why it did not."""
        why = ""
        for _ in range(TRIES):
            try:
                await self._send(frame)
                async with asyncio.timeout(BACK_S):
                    if (await self._bearer.receive()).frame == frame:
                        return True, ""
                why = "altered"
            except TimeoutError:
                why = "not received"
            except LinkError as error:
                why = str(error)
        return False, why

    async def _send(self, frame: bytes) -> None:
        """Send when the card is free; a refusal for time is waited for once."""
        await asyncio.sleep(self._bearer.slots.wait_s())
        try:
            await self._bearer.send(frame, SELF)
        except LinkBusy as busy:
            await asyncio.sleep(busy.wait_s)
            await self._bearer.send(frame, SELF)

    async def _until(self, true: Callable[[], object], within_s: float) -> bool:
        for _ in range(round(within_s / LOOK_S)):
            if true():
                return True
            await asyncio.sleep(LOOK_S)
        return bool(true())

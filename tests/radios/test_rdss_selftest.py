"""Commissioning: a good terminal, one that spoils letters, one without a card, one without a sky, nothing at all."""

from __future__ import annotations

import asyncio

import pytest

from hardware.clock import SystemClock
from hardware.ports import Port, SourceStream, open_port
from hardware.virtual import VirtualClock, run_virtual
from radios.rdss.bearer import Opener
from radios.rdss.events import Card, Family
from radios.rdss.satellite_sim import SatelliteSim, Sky
from radios.rdss.selftest import Line, selftest
from radios.rdss.terminal_sim import TerminalSim, Traits, in_memory

NUMBER = 4_204_986
GOOD = Card(NUMBER, frequency_s=60, level=2)


def commission(traits: Traits, card: Card = GOOD, sky: Sky | None = None) -> list[Line]:
    async def main() -> list[Line]:
        clock = VirtualClock(asyncio.get_running_loop(), 1_800_000_000_000)
        terminal = TerminalSim(card, SatelliteSim(sky), traits)
        return [line async for line in selftest(in_memory(terminal), clock=clock, lang="en")]

    return run_virtual(main)


@pytest.mark.parametrize("family", list(Family), ids=lambda family: family.value)
def test_a_good_terminal_passes(family: Family) -> None:
    lines = commission(Traits(family))
    assert all(line.ok for line in lines)
    words = "\n".join(map(str, lines))
    for expected in (
        family.value,
        f"card {NUMBER}, level 2, one message in 60 s",
        "A to F unharmed",
        "came back whole",
    ):
        assert expected in words


@pytest.mark.parametrize("letters", [True, False])
@pytest.mark.parametrize("level", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("family", list(Family), ids=lambda family: family.value)
def test_cards_of_every_level_pass(family: Family, level: int, letters: bool) -> None:
    """A level 1 card of the second generation carries 13 bytes: the pattern must fit it."""
    lines = commission(Traits(family, letters=letters), Card(NUMBER, frequency_s=60, level=level))
    assert all(line.passes for line in lines) and lines[-1].name == "full"


def test_spoiled_letters_lead_to_digits_alone() -> None:
    words = "\n".join(map(str, commission(Traits(letters=False))))
    assert "set letters = false" in words and "189 bytes came back whole" in words


def test_a_lost_message_is_tried_again() -> None:
    assert all(line.ok for line in commission(Traits(), sky=Sky(loss=0.3)))


@pytest.mark.parametrize(
    ("traits", "card", "words"),
    [
        (Traits(), Card(0), "no card"),
        (Traits(beams=0), GOOD, "no beam"),
        (Traits(mute=True), GOOD, "no result"),
    ],
)
def test_what_is_wrong_is_said(traits: Traits, card: Card, words: str) -> None:
    lines = commission(traits, card)
    assert not lines[-1].ok and words in lines[-1].text


def test_a_port_without_a_terminal() -> None:
    async def dead(baud: int) -> Port:
        async def nothing():  # type: ignore[no-untyped-def]
            while True:
                await asyncio.sleep(1)
                yield b"$GNGGA,,,,,,0,,,,,,,,*78\r\n"

        return Port("dead", SourceStream(nothing()), True, None)

    async def main() -> list[Line]:
        opener: Opener = dead
        clock = VirtualClock(asyncio.get_running_loop(), 1_800_000_000_000)
        return [line async for line in selftest(opener, clock=clock)]

    (line,) = run_virtual(main)
    assert not line.ok and "没有北斗终端应答" in line.text


def test_a_simulated_terminal_is_a_port() -> None:
    async def main() -> bytes:
        async with await open_port("sim:rdss?family=2.1&card=166166&level=3", write=True) as port:
            await port.write(b"$CCICA,0,00*7B\r\n")
            return await port.read(2)

    assert b"$BDICI,0166166," in asyncio.run(main())


def test_a_simulated_terminal_without_a_beam_or_a_card() -> None:
    async def main(options: str) -> list[str]:
        clock = SystemClock()
        return [line.name async for line in selftest(f"sim:rdss?{options}", clock=clock)]

    assert asyncio.run(main("beams=0"))[-1] == "down" and asyncio.run(main("card=0&loss=1"))[-1] == "down"

"""The short-message bearer against simulated terminals and satellite: both generations, refusals, restarts, words, positions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware.clock import ClockQuality, ManualClock, SystemClock
from hardware.driver import Health, Heard
from hardware.errors import FrameTooLong, LinkBusy, LinkDown, LinkError, PortBusy
from hardware.gnss.framer import sentence
from hardware.observation import Observation
from hardware.ports import Port, SourceStream, open_port
from hardware.virtual import VirtualClock, run_virtual
from radios.rdss.bearer import IDLE_S, RdssBearer
from radios.rdss.events import Beams, Card, Family, Refusal, Result
from radios.rdss.gnss import SharedGnss
from radios.rdss.payload import mixed
from radios.rdss.satellite_sim import SatelliteSim, Sky
from radios.rdss.session import SAFE_BITS, Session, Settings, capacity_bits
from radios.rdss.slots import Slots
from radios.rdss.terminal_sim import TerminalSim, Traits, in_memory, serve_pty

WALL_MS = 1_800_000_000_000
FAMILIES = list(Family)
each_family = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.value)


class Field:
    """Terminals 1, 2, … under one satellite, each with a bearer that knows the others' cards as nodes "1", "2", …."""

    def __init__(
        self,
        *traits: Traits,
        level: int = 2,
        frequency: int = 60,
        sky: Sky | None = None,
        settings: Settings | None = None,
        file: Path | None = None,
    ) -> None:
        self.clock = VirtualClock(asyncio.get_running_loop(), WALL_MS)
        self.clock.discipline(WALL_MS, 0, ClockQuality.GNSS)
        self.satellite = SatelliteSim(sky, seed=5)
        cards = [Card(4_204_986 + at, frequency_s=frequency, level=level) for at in range(len(traits))]
        self.terminals = [TerminalSim(card, self.satellite, each) for card, each in zip(cards, traits)]
        peers = {str(at): card.number for at, card in enumerate(cards, 1)}
        self.words: list[Heard] = []
        self.bearers = [
            RdssBearer(
                f"rdss{node}",
                in_memory(terminal),
                self.clock,
                {other: card for other, card in peers.items() if other != node},
                settings=settings,
                file=file,
                heard=self.words.append,
            )
            for node, terminal in zip(peers, self.terminals)
        ]

    @asynccontextmanager
    async def up(self, state: Health = Health.UP) -> AsyncIterator[Field]:
        tasks = [asyncio.create_task(bearer.run()) for bearer in self.bearers]
        try:
            await self.until(lambda: all(bearer.health.state is state for bearer in self.bearers))
            yield self
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def until(self, true: Callable[[], object], within_s: float = 60) -> None:
        async with asyncio.timeout(within_s):
            while not true():
                await asyncio.sleep(0.05)


async def arrival(bearer: RdssBearer, within_s: float = 30) -> bytes:
    async with asyncio.timeout(within_s):
        return (await bearer.receive()).frame


@each_family
def test_two_nodes_talk_by_their_cards_alone(family: Family) -> None:
    async def main() -> None:
        async with Field(Traits(family), Traits(family), level=3).up() as field:
            one, two = field.bearers
            frame = bytes(range(one.limits.mtu))
            await one.send(frame, "2")
            got = await two.receive()
            assert (got.frame, got.peer) == (frame, "1")
            await two.send(b"\xa4answer")
            assert await arrival(one) == b"\xa4answer"
            assert one.limits.names_sender and one.limits.cost == 9 and not one.limits.broadcast
            assert field.terminals[0].counts == {"sent": 1, "received": 1}

    run_virtual(main)


@pytest.mark.parametrize(
    ("family", "level", "encrypted", "mtu"),
    [
        (Family.V21, 1, False, 13),
        (Family.V21, 2, False, 51),
        (Family.V21, 3, False, 78),
        (Family.V21, 4, False, 106),
        (Family.V21, 4, True, 210),
        (Family.V21, 7, False, 78),
        (Family.V40, 3, True, 72),
        (Family.V3, 2, False, 229),
        (Family.V3, 5, False, 229),
        (Family.V3, 1, False, 78),
    ],
)
def test_the_card_decides_the_size(family: Family, level: int, encrypted: bool, mtu: int) -> None:
    assert capacity_bits(family, Card(1, level=level, encrypted=encrypted)) // 8 == mtu


def test_size_and_period_can_be_overridden_and_are_safe_when_unknown() -> None:
    async def main() -> None:
        fixed = Settings(capacity_bits=14_000, frequency_s=120)
        async with Field(Traits(), settings=fixed).up() as field:
            assert field.bearers[0].limits.mtu == 1750
            assert field.bearers[0].limits.gap_s == pytest.approx(121.5)
        assert Session().bits == SAFE_BITS and Session().mtu == 78

    run_virtual(main)


def test_numbers_that_no_card_has_are_not_believed() -> None:
    """A period of months would silence the link, a size of gigabytes would spoil every frame."""
    session = Session()
    session.heard(sentence(b"BDICP,4238473,0,0,3,0,N,2,N,1,0,0,3,1,9999999999,2,0,0,0,0,21,0,0,0"))
    assert (session.period_s, session.mtu) == (61.5, 229)
    for bits in (b"9999999999", b"8", b"0"):
        session.heard(sentence(b"BDZDX,4238473,80," + b"0," * 21 + b"60,2," + bits))
        assert session.mtu == 229
    session.heard(sentence(b"BDZDX,4238473,80," + b"0," * 21 + b"60,2,628"))
    assert session.mtu == 78


def test_a_wait_of_months_is_no_wait() -> None:
    async def main() -> None:
        async with Field(Traits(mute=True), Traits()).up() as field:
            one, terminal = field.bearers[0], field.terminals[0]
            sending = asyncio.create_task(one.send(b"x", "2"))
            await asyncio.sleep(0.1)
            terminal._say(Result("TCQ", False, Refusal.EARLY, 9_999_999_999))
            with pytest.raises(LinkBusy):
                await sending
            assert 0 < one.budget().wait_s <= 61.5

    run_virtual(main)


def test_one_send_in_a_period_and_never_too_early() -> None:
    async def main() -> None:
        async with Field(Traits(), Traits()).up() as field:
            one = field.bearers[0]
            first = asyncio.create_task(one.send(b"one", "2"))
            await asyncio.sleep(0.1)
            with pytest.raises(LinkBusy, match="being sent"):
                await one.send(b"two", "2")
            await first
            for _ in range(5):
                with pytest.raises(LinkBusy, match=r"once in 61\.5") as busy:
                    await one.send(b"next", "2")
                assert one.budget().wait_s == pytest.approx(busy.value.wait_s)
                await asyncio.sleep(busy.value.wait_s)
                assert one.budget().messages_left == 1
                await one.send(b"next", "2")
            assert field.terminals[0].counts["sent"] == 6
            assert field.terminals[0].counts["early"] == 0

    run_virtual(main)


@each_family
def test_the_terminals_wait_is_obeyed(family: Family) -> None:
    """The operator believes in 10 s; the card wants 60."""

    async def main() -> None:
        hasty = Settings(frequency_s=10)
        async with Field(Traits(family), Traits(family), settings=hasty).up() as field:
            one, terminal = field.bearers[0], field.terminals[0]
            await one.send(b"one", "2")
            while terminal.counts["sent"] < 4:
                await asyncio.sleep(max(one.budget().wait_s, 0.01))
                try:
                    await one.send(b"more", "2")
                except LinkBusy as busy:
                    assert "too early" in str(busy) or "once in" in str(busy)
            # 2.1 says its wait with each success; the others when they refuse, 4.0 without a number: then the card's is taken
            assert terminal.counts["early"] == (0 if family is Family.V21 else 3)

    run_virtual(main)


def test_the_period_survives_a_restart(tmp_path: Path) -> None:
    async def main() -> None:
        file = tmp_path / "rdss0.json"
        field = Field(Traits(), Traits(), file=file)
        async with field.up():
            await field.bearers[0].send(b"one", "2")
        later = Slots(field.clock, file)
        assert 55 < later.wait_s() <= 61.5
        await asyncio.sleep(later.wait_s())
        assert Slots(field.clock, file).wait_s() == pytest.approx(0, abs=0.01)

    run_virtual(main)


@pytest.mark.parametrize(
    ("note", "wait"),
    [
        ('{"at_ms": 1800000000000, "wait_ms": 61500, "period_ms": 61500}', 41.5),
        ('{"at_ms": 1800000099000, "wait_ms": 61500, "period_ms": 61500}', 61.5),
        ('{"at_ms": null, "wait_ms": 61500, "period_ms": 61500}', 61.5),
        ('{"at_ms": 1700000000000, "wait_ms": 61500, "period_ms": 61500}', 0),
        ("", 120),
        ("[1]", 120),
        ('{"at_ms": "x", "wait_ms": -5, "period_ms": 1e99}', 120),
    ],
)
def test_a_note_that_cannot_be_trusted_counts_as_a_send_just_now(tmp_path: Path, note: str, wait: float) -> None:
    file = tmp_path / "slots.json"
    file.write_text(note)
    assert Slots(ManualClock(5.0, 1_800_000_020_000), file).wait_s() == pytest.approx(wait)


def test_a_disk_that_cannot_be_written_stops_no_send(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    slots = Slots(ManualClock(), tmp_path / "gone" / "slots.json")
    for _ in range(3):
        slots.take(60)
    assert slots.wait_s() == 60
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_no_card_no_beam_no_answer() -> None:
    async def main() -> None:
        field = Field(Traits(), Traits(beams=0), Traits(mute=True))
        field.terminals[0].pull_card()
        tasks = [asyncio.create_task(bearer.run()) for bearer in field.bearers]
        blind, unseen, mute = field.bearers
        await field.until(lambda: "no card" in blind.health.why and "no beam" in unseen.health.why)
        assert blind.health.state is unseen.health.state is Health.DOWN
        assert blind.budget().messages_left == 0
        with pytest.raises(LinkDown, match="no card in the terminal"):
            await blind.send(b"x", "2")
        await field.until(lambda: mute.health.state is Health.UP)
        with pytest.raises(LinkBusy, match="no result") as busy:
            await mute.send(b"x", "1")
        assert busy.value.wait_s > 40 and mute.health.refused == {"no result": 1}
        for task in tasks:
            task.cancel()

    run_virtual(main)


def test_a_card_pulled_later_is_noticed() -> None:
    async def main() -> None:
        async with Field(Traits(), Traits()).up() as field:
            field.terminals[0].pull_card()
            with pytest.raises(LinkDown, match="no card"):
                await field.bearers[0].send(b"x", "2")
            await field.until(lambda: field.bearers[0].health.state is Health.DOWN, 90)

    run_virtual(main)


@pytest.mark.parametrize("refusal", [Refusal.SILENCE, Refusal.SUPPRESSED, Refusal.BATTERY])
def test_a_system_that_forbids_is_not_pressed(refusal: Refusal) -> None:
    async def main() -> None:
        async with Field(Traits(Family.V21), Traits(Family.V21)).up() as field:
            one, terminal = field.bearers[0], field.terminals[0]
            terminal._refusal = lambda send, now: refusal  # type: ignore[method-assign]
            with pytest.raises(LinkBusy, match=refusal.value) as busy:
                await one.send(b"x", "2")
            assert busy.value.wait_s == 60
            await field.until(lambda: one.health.state is Health.DEGRADED and refusal.value in one.health.why)

    run_virtual(main)


def test_too_long_unknown_and_down() -> None:
    async def main() -> None:
        field = Field(Traits(), Traits())
        with pytest.raises(LinkDown):
            await field.bearers[0].send(b"x", "2")
        async with field.up():
            one = field.bearers[0]
            with pytest.raises(FrameTooLong, match="1835"):
                await one.send(bytes(230), "2")
            with pytest.raises(LinkDown, match="no card is known for node 9"):
                await one.send(b"x", "9")
            with pytest.raises(FrameTooLong, match="GBK"):
                await one.post("🚑", 1)
        assert (one.health.state, one.health.why) == (Health.DOWN, "stopped")
        async with Field(Traits(Family.V40)).up() as field:
            with pytest.raises(LinkDown, match="24 bits"):
                await field.bearers[0].post("x", 1 << 24)

    run_virtual(main)


def test_digits_only_where_the_terminal_spoils_letters() -> None:
    async def main() -> None:
        for letters in (True, False):
            traits = Traits(letters=False)
            async with Field(traits, Traits(), settings=Settings(letters=letters)).up() as field:
                one, two = field.bearers
                frame = bytes(range(256 - one.limits.mtu, 256))
                await one.send(frame, "2")
                assert (await arrival(two) == frame) is not letters
                assert one.limits.mtu == (229 if letters else 189)

    run_virtual(main)


def test_words_of_ordinary_terminals_and_frames_of_strangers() -> None:
    async def main() -> None:
        async with Field(Traits(), Traits()).up() as field:
            one, two = field.bearers
            field.satellite.radiate(777, field.terminals[1].number, mixed("红2黄3"))
            await field.until(lambda: field.words)
            assert (field.words[0].sender, field.words[0].body) == ("777", {"text": "红2黄3"})
            two.peers.clear()
            await one.send(b"order", "2")
            await field.until(lambda: two.health.refused)
            assert two.health.refused == {"stranger": 1}
            await asyncio.sleep(61)
            await one.post("收到请回复", field.terminals[1].number)
            await field.until(lambda: len(field.words) == 2)
            assert field.words[1].body == {"text": "收到请回复"}
            field.satellite.radiate(777, field.terminals[1].number, mixed("收到\r\n\x1b[2J安4" + "长" * 300))
            await field.until(lambda: len(field.words) == 3)
            text = str(field.words[2].body["text"])
            assert text.startswith("收到; [2J安4长") and len(text) <= 240 and text.isprintable()

    run_virtual(main)


def test_of_two_slots_one_is_for_frames() -> None:
    """Words to eight guests three times each would hold the link for half an hour."""

    async def main() -> None:
        async with Field(Traits(), Traits()).up() as field:
            one = field.bearers[0]
            took: list[str] = []

            async def words() -> None:
                while True:
                    try:
                        await one.post("撤离", 777)
                        took.append("words")
                    except LinkBusy as busy:
                        await asyncio.sleep(busy.wait_s)

            async def frames() -> None:
                while took.count("frame") < 4:
                    await asyncio.sleep(one.budget().wait_s)
                    await asyncio.sleep(0.5)  # what the exchange and the store take
                    with suppress(LinkBusy):
                        await one.send(b"flash", "2")
                        took.append("frame")

            posting = asyncio.create_task(words())
            await frames()
            assert took == ["words", "frame"] * 4
            await asyncio.sleep(200)
            assert took[8:] == ["words"] * 3, "nobody else wants it"
            posting.cancel()

    run_virtual(main)


def test_loss_duplicates_and_reordering_pass_through_as_they_are() -> None:
    async def main() -> None:
        sky = Sky(loss=0.3, duplicate=0.3, reorder_s=90)
        async with Field(Traits(), Traits(), sky=sky, frequency=30).up() as field:
            one, two = field.bearers
            for number in range(40):
                await asyncio.sleep(one.budget().wait_s)
                await one.send(bytes([number]), "2")
            await asyncio.sleep(100)
            got = [two._inbox.get_nowait().frame[0] for _ in range(two._inbox.qsize())]
            assert len(set(got)) == 40 - field.satellite.lost
            assert len(got) == field.satellite.copies > len(set(got))
            assert got != sorted(got)
            assert field.terminals[0].counts["early"] == 0

    run_virtual(main)


class Ear:
    """A driver context that remembers."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.observations: list[Observation] = []
        self.states: list[Health] = []

    def emit(self, observation: Observation) -> None:
        self.observations.append(observation)

    def heard(self, item: Heard) -> None:
        raise AssertionError(item)

    def health(self, state: Health, why: str = "") -> None:
        self.states.append(state)


def test_positions_on_the_same_line_reach_the_gnss_driver() -> None:
    async def main() -> None:
        field = Field(Traits(nmea=1.0))
        gnss, ear = SharedGnss("gnss0", "V1", sets_clock=False), Ear(field.clock)
        field.bearers[0]._nmea = gnss.hear
        async with field.up():
            task = asyncio.create_task(gnss.run(ear))
            await asyncio.sleep(30)
            task.cancel()
        assert 28 <= len(ear.observations) <= 32
        assert all(item.values[0] is not None for item in ear.observations)
        assert ear.states[-1] is Health.UP

    run_virtual(main)


def test_a_real_line_pulled_in_mid_message_and_put_back(tmp_path: Path) -> None:
    """A pseudo-terminal, real time: the node says why it is down and comes back."""

    async def main() -> None:
        link = tmp_path / "ttyRDSS"
        satellite = SatelliteSim(Sky(delay_s=0.05))
        terminal = TerminalSim(Card(4_204_986, frequency_s=60, level=2), satellite, Traits(nmea=20.0))
        bearer = RdssBearer("rdss0", str(link), SystemClock(), {"1": 4_204_986}, baud=115_200)
        task = asyncio.create_task(bearer.run())
        try:
            for turn in range(2):
                async with serve_pty(terminal) as path:
                    link.symlink_to(path)
                    await _until(lambda: bearer.health.state is Health.UP)
                    if not turn:
                        await bearer.send(b"to myself", "1")
                        assert await arrival(bearer) == b"to myself"
                    link.unlink()
                await _until(lambda: bearer.health.state is Health.DOWN)
                assert "ttyRDSS" in bearer.health.why
                with pytest.raises(LinkError):
                    await bearer.send(b"x", "1")
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())


async def _until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(15):
        while not true():
            await asyncio.sleep(0.02)


def test_nonsense_from_the_terminal_is_no_result() -> None:
    async def main() -> None:
        async with Field(Traits(Family.V21), Traits(Family.V21)).up() as field:
            one, terminal = field.bearers[0], field.terminals[0]
            sending = asyncio.create_task(one.send(b"x", "2"))
            await asyncio.sleep(0.1)
            terminal._say(Result("RMO", False, Refusal.FAILED))
            terminal._out(b"$BDFKI,,,,,*00\r\n$BDFKI*50\r\n\x00$BDTXR,9,x,7,,*11\r\n")
            await sending
            assert one.health.frames_out == 1

    run_virtual(main)


def test_speeds_are_tried_in_turn_until_one_is_answered() -> None:
    async def main() -> None:
        clock = VirtualClock(asyncio.get_running_loop(), WALL_MS)
        terminal = TerminalSim(Card(1, frequency_s=60, level=2), SatelliteSim(), Traits(Family.V40))
        asked: list[int] = []

        async def deaf() -> AsyncIterator[bytes]:
            while True:
                await asyncio.sleep(1)
                yield b"\xfe\x80\x00\xff"  # another speed looks like this

        async def opened(baud: int) -> Port:
            asked.append(baud)
            return await in_memory(terminal)(baud) if baud == 9600 else Port("x", SourceStream(deaf()), True, 150)

        bearer = RdssBearer("rdss0", opened, clock, {})
        task = asyncio.create_task(bearer.run())
        while bearer.health.state is not Health.UP:
            await asyncio.sleep(0.5)
        task.cancel()
        assert asked == [115_200, 19_200, 9600]
        assert clock.mono() < 60

    run_virtual(main)


def test_a_terminal_that_falls_silent_is_opened_again() -> None:
    async def main() -> None:
        clock = VirtualClock(asyncio.get_running_loop(), WALL_MS)
        terminal = TerminalSim(Card(1, frequency_s=60, level=2), SatelliteSim())
        opens: list[float] = []

        async def opened(baud: int) -> Port:
            opens.append(clock.mono())
            port = await in_memory(terminal)(baud)
            return Port(port.name, port._stream, True, IDLE_S)

        bearer = RdssBearer("rdss0", opened, clock, {}, baud=115_200)
        task = asyncio.create_task(bearer.run())
        while bearer.health.state is not Health.UP:
            await asyncio.sleep(0.5)
        terminal.detach()
        while bearer.health.state is not Health.DOWN:
            await asyncio.sleep(0.5)
        assert "nothing valid for 150 s" in bearer.health.why
        while bearer.health.state is not Health.UP:
            await asyncio.sleep(0.5)
        task.cancel()
        assert len(opens) == 2

    run_virtual(main)


def test_the_line_is_ours_alone_and_only_queries_are_written_unasked(tmp_path: Path) -> None:
    async def main() -> None:
        terminal = TerminalSim(Card(1, frequency_s=60, level=2), SatelliteSim())
        said = bytearray()
        take = terminal.feed
        terminal.feed = lambda data: (said.extend(data), take(data))[1]  # type: ignore[method-assign,func-returns-value]
        async with serve_pty(terminal) as path:
            bearer = RdssBearer("rdss0", path, SystemClock(), {}, baud=115_200)
            task = asyncio.create_task(bearer.run())
            await _until(lambda: bearer.session.bars)
            with pytest.raises(PortBusy):
                await open_port(path)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await (await open_port(path)).close()
        assert bytes(said) == b"$CCICR,0,00*68\r\n$CCRMO,PWI,2,10*01\r\n"

    asyncio.run(main())


@given(st.lists(st.binary(max_size=60), max_size=8), st.sampled_from(FAMILIES))
@settings(max_examples=40, deadline=None)
def test_whatever_the_terminal_says_the_bearer_stays_sound(noise: list[bytes], family: Family) -> None:
    async def main() -> None:
        async with Field(Traits(family), Traits(family), level=3).up() as field:
            one, two = field.bearers
            for item in noise:
                field.terminals[1]._out(item)
                await asyncio.sleep(0.1)
            field.terminals[1]._out(b"\n" * 520)
            await one.send(b"still here", "2")
            assert await arrival(two) == b"still here"

    run_virtual(main)


def test_quality_is_told_in_bars() -> None:
    session = Session()
    assert session.bars is None
    for beams, bars in [
        (Beams(((1, 4),)), 4),
        (Beams(((1, 1), (2, 0))), 1),
        (Beams(((1, 0),)), 0),
        (Beams(()), 0),
        (Beams(((2, 51),), carrier=True, timed=True), 4),
        (Beams(((2, 51),), carrier=True, timed=False), 0),
        (Beams(((2, 40), (3, 12)), carrier=True, timed=True), 1),
        (Beams(((2, 41),), carrier=True, timed=True), 2),
    ]:
        session.beams = beams
        assert session.bars == bars


@each_family
def test_each_family_over_a_pseudo_terminal(family: Family) -> None:
    """Real bytes through a real line, positions between them."""

    async def main() -> None:
        terminal = TerminalSim(
            Card(166_166, frequency_s=60, level=3), SatelliteSim(Sky(delay_s=0.01)), Traits(family, nmea=50)
        )
        positions: list[bytes] = []
        async with serve_pty(terminal) as path:
            bearer = RdssBearer(
                "r", path, SystemClock(), {"1": 166_166}, baud=9600, settings=Settings(family), nmea=positions.append
            )
            task = asyncio.create_task(bearer.run())
            await _until(lambda: bearer.health.state is Health.UP)
            frame = b"$*\r\n\xa4" + bytes(range(256 - bearer.limits.mtu + 5, 256))
            await bearer.send(frame)
            assert await arrival(bearer) == frame
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert {line[3:6] for line in positions} == {b"RMC", b"GGA", b"ZDA", b"GSA", b"GSV"}

    asyncio.run(main())


def test_each_terminal_sends_at_its_own_cards_rate() -> None:
    """A commander's card of 1 s, one of 30 s, one of 60 s, of three families, each to the next."""

    async def main() -> None:
        clock, satellite = VirtualClock(asyncio.get_running_loop(), WALL_MS), SatelliteSim()
        kinds = [(Family.V3, 1, 5), (Family.V21, 30, 3), (Family.V40, 60, 2)]
        numbers = [166_166 + at for at in range(3)]
        bearers, terminals = [], []
        for at, (family, frequency, level) in enumerate(kinds):
            terminal = TerminalSim(Card(numbers[at], frequency_s=frequency, level=level), satellite, Traits(family))
            terminals.append(terminal)
            bearers.append(RdssBearer(f"r{at}", in_memory(terminal), clock, {"n": numbers[(at + 1) % 3]}))

        async def busy(bearer: RdssBearer) -> None:
            while True:
                await asyncio.sleep(max(bearer.budget().wait_s, 0.01))
                if bearer.budget().messages_left:
                    await bearer.send(b"\x01", "n")

        tasks = [asyncio.create_task(work) for bearer in bearers for work in (bearer.run(), busy(bearer))]
        await asyncio.sleep(600)
        for task in tasks:
            task.cancel()
        sent = [terminal.counts["sent"] for terminal in terminals]
        assert [terminal.counts["early"] for terminal in terminals] == [0, 0, 0]
        assert 200 <= sent[0] <= 260 and 17 <= sent[1] <= 20 and 9 <= sent[2] <= 10
        assert satellite.radiated == sum(sent)

    run_virtual(main)

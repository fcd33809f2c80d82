"""Guests end to end: a stock phone and an ordinary terminal say their words, are told orders, and can never give one."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from meshtastic.protobuf.mesh_pb2 import MeshPacket, Waypoint
from meshtastic.protobuf.portnums_pb2 import PortNum

from edge.crowd import ALARMS, ALL_SAYINGS, SAYINGS, SENDERS, URGENT, WINDOW_S, Crowd, Weight
from edge.folds import alarms, field
from edge.gather import Context, Gather
from edge.guests import MARK, Channel, Guests, Note
from edge.outlets import MeshOutlet, RdssOutlet, cut, outlet
from edge.store.reader import EventLine, Reader
from edge.store.store import Store
from edge.store.unpacking import passed_on
from edge.supervisor import Reporter, Supervisor
from hardware.clock import SystemClock
from hardware.driver import Health, Heard
from hardware.errors import LinkBusy
from radios.meshtastic.bearer import MeshtasticBearer
from radios.meshtastic.driver import MeshtasticDriver
from radios.meshtastic.fake import FakeRadio
from radios.meshtastic.fake_config import Setting
from radios.meshtastic.fake_ports import in_memory
from radios.meshtastic.radio import Radio
from radios.rdss.bearer import RdssBearer
from radios.rdss.events import Card
from radios.rdss.payload import mixed
from radios.rdss.satellite_sim import SatelliteSim, Sky
from radios.rdss.terminal_sim import TerminalSim, Traits
from radios.rdss.terminal_sim import in_memory as line
from sync.events import BY_NAME, KINDS, key
from sync.ids import Lane, Level

PHONE, CARD = "!0000000a", 7_000_001


class Told:
    """An outlet that remembers."""

    def __init__(self) -> None:
        self.notes: list[tuple[Note, str]] = []

    async def say(self, note: Note, to: str) -> None:
        self.notes.append((note, to))

    def whom(self, present: list[str]) -> list[str]:
        return [""] if present else []


def said(text: str, sender: str = PHONE, packet: int | None = None) -> Heard:
    return Heard(f"mesh/{sender}", "text", sender, {"text": text}, packet)


def lines(store: Store, kind: str = "") -> list[EventLine]:
    store.writer.submit(lambda tx: None).result()
    with closing(Reader(store.path, store.origin)) as reader:
        found = reader.events("ORDER BY e.id")
    return [each for each in found if not kind or KINDS[each.event.kind].name == kind]


async def until(true: Callable[[], object], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.02)


@pytest.fixture
def store(tmp_path: Path) -> object:
    opened = Store.open(tmp_path / "v1.db", 7, ballast=0, machine=tmp_path / "id")
    yield opened
    opened.close()


def test_words_become_events_at_level_guest_with_the_words_kept(store: Store) -> None:
    guests = Guests(store, {PHONE: "P03"})
    guests.heard(Heard("mesh", "name", PHONE, {"name": "Li Wei"}))
    for packet, text in enumerate(["到", "安4缺1", "红2黄3", "SOS", "收到", "撤离 全体"]):
        guests.heard(said(text, packet=packet))
    found = lines(store)
    assert {each.level for each in found} == {Level.GUEST} and {each.event.actor for each in found} == {"guest P03"}
    kinds = sorted(KINDS[each.event.kind].name for each in found)
    assert [kind for kind in kinds if kind != "guest.text"] == ["checkin", "report", "rollcall.answer", "sos"]
    assert kinds.count("guest.text") == 6, "a receipt of nothing and an order are words only"
    assert field(lines(store, "checkin")[0].event, "subject") == "P03"
    assert field(lines(store, "guest.text")[0].event, "name") == "Li Wei"
    assert field(lines(store, "report")[0].event, "indicators") == [2, 3, 0, 0]


def test_a_guests_sos_is_an_alarm_labelled_as_such_and_one_at_every_node(store: Store, tmp_path: Path) -> None:
    other = Store.open(tmp_path / "v2.db", 8, ballast=0, machine=tmp_path / "id2")
    for each in (store, other):
        guests = Guests(each, {})
        for packet in (5, 6):
            guests.heard(said("SOS", packet=packet))
    both = [*lines(store), *lines(other)]
    other.close()
    found = alarms(both)
    assert len(found) == 1 and found[0].line.level is Level.GUEST and found[0].subject == PHONE


def test_whoever_passes_it_on_it_stays_a_guests(store: Store) -> None:
    Guests(store, {}).heard(said("SOS"))
    for each in lines(store):
        assert passed_on(each.event, Level.COMMAND) is Level.GUEST


def test_a_packet_counts_once_and_a_flood_is_bounded(store: Store) -> None:
    guests = Guests(store, {})
    for _ in range(3):
        guests.heard(said("到", packet=9))
    assert len(lines(store, "checkin")) == 1
    for packet in range(100, 200):
        guests.heard(said("words", packet=packet))
    assert len(lines(store, "guest.text")) == SAYINGS and guests.refused == 100 - SAYINGS + 1
    guests.heard(said("SOS", packet=300))
    assert len(lines(store, "sos")) == 1, "an SOS always counts"


def test_a_flood_of_many_is_bounded_and_slows_no_command(store: Store) -> None:
    """Thousands of made-up senders, long texts, emoji, SOS: what is beyond the bounds is counted, what is over travels as history."""
    guests = Guests(store, {})
    for number in range(3000):
        guests.heard(said("🆘🧑‍🚒" * 60 if number % 2 else "安4", f"!{number:08x}", number))
    for number in range(3000):
        guests.heard(said("SOS", f"!{number:08x}", 10_000 + number))
    found = lines(store)
    by_kind = Counter(KINDS[each.event.kind].name for each in found)
    assert by_kind["guest.text"] == URGENT + ALARMS and by_kind["guest.words"] == ALL_SAYINGS - URGENT
    assert by_kind["rollcall.answer"] == URGENT // 2 and by_kind["sos"] == ALARMS
    assert guests.refused == 3000 - ALL_SAYINGS + 3000 - ALARMS
    assert {each.level for each in found} == {Level.GUEST} and KINDS[25].lane is Lane.HISTORY
    assert len(guests._packets) <= 4 * SENDERS and len(guests.present) <= SENDERS


def test_a_flood_over_one_link_silences_nobody_on_another(store: Store) -> None:
    guests = Guests(store, {})
    guests.heard(Heard("rdss", "text", str(CARD), {"text": "到"}))
    for number in range(1000):
        guests.heard(said("words", f"!{number:08x}", number))
    guests.heard(Heard("rdss", "text", str(CARD), {"text": "安3"}))
    assert len(lines(store, "rollcall.answer")) == 1 and str(CARD) in guests.present


def test_who_says_too_much_is_heard_again_in_time() -> None:
    crowd = Crowd()
    weights = [crowd.weigh("a", float(now)) for now in range(0, 3 * int(WINDOW_S), 10)]
    taken = len(weights) - weights.count(Weight.REFUSED)
    assert taken == 3 * SAYINGS


def test_an_sos_after_one_that_is_over_is_a_new_alarm(store: Store) -> None:
    """By BeiDou too, where packets have no number: an alarm that somebody saw and closed must not swallow the next one."""
    guests = Guests(store, {})
    for word in ("SOS", "SOS", "SOS 解除", "求救"):
        guests.heard(Heard("rdss", "text", str(CARD), {"text": word}))
    first, over, again = lines(store, "sos")
    found = alarms([first, over, again])
    assert {alarm.active for alarm in found} == {True, False} and found[0].line.event.id != found[1].line.event.id


def test_a_guest_cannot_end_a_members_sos(store: Store) -> None:
    """Anybody's radio can take the address that P03 carries."""
    body = {key("sos", "subject"): "P03"}
    store.write_event(BY_NAME["sos"].number, "P03", body, level=Level.ORIGIN).result()  # type: ignore[arg-type]
    Guests(store, {PHONE: "P03"}).heard(said("SOS 解除"))
    assert [alarm.active for alarm in alarms(lines(store, "sos"))] == [True]


def test_a_waypoint_is_a_mark(store: Store) -> None:
    body: dict[str, str | int | float | None] = {"id": 4, "name": "Bridge out", "text": "", "lat_e7": 380_412_340, "lon_e7": 1109_511_230}  # fmt: skip
    Guests(store, {}).heard(Heard("mesh", "waypoint", PHONE, body, 1))
    event = lines(store, "mark")[0].event
    assert (field(event, "what"), field(event, "lat"), field(event, "lon")) == ("Bridge out", 38_041_234, 110_951_123)


@asynccontextmanager
async def at_work(store: Store, guests: Guests) -> AsyncIterator[None]:
    task = asyncio.create_task(guests.run(Reporter(Supervisor(store.clock), "guests", "service")))
    try:
        await asyncio.sleep(0.05)
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def command(store: Store, kind: str, level: Level = Level.COMMAND, valid_s: int | None = 600, **fields: object) -> None:
    body = {key(kind, name): value for name, value in fields.items()}
    store.write_event(BY_NAME[kind].number, "chief", body, valid_s=valid_s, level=level).result()  # type: ignore[arg-type]


class Prompt(random.Random):
    """Chance that never waits."""

    def random(self) -> float:
        return 0.0


async def test_commands_reach_guests_and_their_answers_find_them(store: Store) -> None:
    guests, told = Guests(store, {}, chance=Prompt()), Told()
    guests.add(told)
    async with at_work(store, guests):
        guests.heard(said("到"))
        command(store, "rollcall", area="A")
        command(store, "order", text="wait at the bridge")
        command(store, "evacuate", area="valley", route="east")
        await until(lambda: len(told.notes) >= 3)
        texts = [note.text for note, _ in told.notes]
        assert any("wait at the bridge" in text and "收到" in text for text in texts)
        assert [note.rings for note, _ in told.notes if "valley · east" in note.text] == [True]
        guests.heard(said("收到,安3"))
    order, rollcall = (lines(store, kind)[0].event.id for kind in ("evacuate", "rollcall"))
    assert field(lines(store, "receipt")[0].event, "of") == list(order)
    assert field(lines(store, "rollcall.answer")[0].event, "of") == list(rollcall)


async def test_of_an_evacuation_that_is_taken_back_its_end_alone_is_told(store: Store) -> None:
    guests, told = Guests(store, {}, chance=Prompt()), Told()
    guests.add(told)
    async with at_work(store, guests):
        guests.heard(said("到"))
        command(store, "evacuate", area="valley", state=1)
        await until(lambda: told.notes)
        order = lines(store, "evacuate")[0].event.id
        command(store, "evacuate", area="valley", state=0, of=list(order))
        await until(lambda: len(told.notes) == 2)
        waiting = [due[2].text for channel in guests._channels for due in channel._due]
    texts = [note.text for note, _ in told.notes]
    assert "EVACUATE: valley" in texts[0] and "解除撤离 EVACUATION OVER: valley" in texts[1]
    assert told.notes[1][0].rings and waiting == [texts[1]]


async def test_a_flood_is_told_of(store: Store) -> None:
    guests = Guests(store, {})
    supervisor = Supervisor(store.clock)
    task = asyncio.create_task(guests.run(reporter := Reporter(supervisor, "guests", "service")))
    for number in range(SAYINGS + 1):
        guests.heard(said("words", packet=number + 1))
    await until(lambda: reporter.row.state is Health.DEGRADED)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_what_may_not_be_acted_on_is_not_passed_on(store: Store) -> None:
    guests, told = Guests(store, {}, chance=Prompt()), Told()
    guests.add(told)
    async with at_work(store, guests):
        guests.heard(said("到"))
        command(store, "order", Level.ORIGIN, text="not from command")
        command(store, "order", valid_s=None, text="without an end")
        command(store, "mark", Level.GUEST, what="a guest's mark")
        guests.heard(said("SOS"))
        store.write_event(
            BY_NAME["order"].number, "", {0: "for others"}, to=(9,), valid_s=600, level=Level.COMMAND
        ).result()
        command(store, "order", text="good")
        await until(lambda: told.notes)
        await asyncio.sleep(0.3)
    assert [note.text.rpartition(": ")[2] for note, _ in told.notes] == ["good"]


async def test_with_no_guest_there_nothing_is_sent_and_one_node_speaks_for_all(store: Store) -> None:
    guests, told = Guests(store, {}, chance=Prompt()), Told()
    guests.add(told)
    async with at_work(store, guests):
        command(store, "order", text="nobody hears")
        await asyncio.sleep(0.4)
        assert not told.notes
        guests.heard(said("here"))
        command(store, "evacuate", area="valley")
        await until(lambda: told.notes)
        text = told.notes[0][0].text
        assert text.startswith(MARK)
        left = [due for channel in guests._channels for due in channel._due if due[2].text == text]
        for to in ({"to": "!00000007"}, {}):
            guests.heard(Heard("mesh/!000000fe", "text", "!000000fe", {"text": text, **to}))
            assert left == [due for channel in guests._channels for due in channel._due if due[2].text == text]
        guests.heard(Heard("mesh/!000000ff", "text", "!000000ff", {"text": text, "to": ""}))
        assert left and not [due for channel in guests._channels for due in channel._due if due[2].text == text]
    assert not [each for each in lines(store, "guest.text") if MARK in str(field(each.event, "text"))]


async def test_of_what_is_due_the_longest_waiting_is_told_first(store: Store) -> None:
    """A busy link must not tell one guest twice before it has told the next one once."""
    told: list[tuple[str, str]] = []

    class Slow(Told):
        free_at = 0.0

        async def say(self, note: Note, to: str) -> None:
            now = store.clock.mono()
            if now < self.free_at:
                raise LinkBusy("busy", self.free_at - now)
            self.free_at = now + 0.05
            told.append((note.text, to))

        def whom(self, present: list[str]) -> list[str]:
            return ["a", "b", "c"]

    channel = Channel(Slow(), store.clock)
    task = asyncio.create_task(channel.run(list))
    for number in range(2):
        channel.plan(store.clock.mono() + number * 0.02, Note(str(number)))
    await until(lambda: len(told) == 6)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert [text for text, _ in told] == ["0", "0", "0", "1", "1", "1"]


async def test_a_stock_phone_over_the_radio(store: Store) -> None:
    """Words, a waypoint and an alert through the stream protocol in; a text out of the radio again."""
    clock = SystemClock()
    fake = FakeRadio(clock, 0x11, setting=Setting(0x11, preset=6), haste=100)
    radio = Radio("mesh", in_memory(fake), clock, seed=1)
    guests = Guests(store, {}, chance=Prompt())
    bearer, driver = MeshtasticBearer("lora", radio, clock), MeshtasticDriver("mesh", radio)
    reach = outlet(bearer)
    assert isinstance(reach, MeshOutlet)
    guests.add(reach)
    context = Context(Gather(store, guests.heard), clock, Reporter(Supervisor(clock), "mesh", "device"))
    tasks = [asyncio.create_task(bearer.run()), asyncio.create_task(driver.run(context))]

    def phone(port: PortNum.ValueType, payload: bytes, number: int) -> None:
        packet = MeshPacket(to=0xFFFFFFFF, id=number)
        setattr(packet, "from", 0x0A)
        packet.decoded.portnum, packet.decoded.payload = port, payload
        fake.hear(packet)

    async with at_work(store, guests):
        await until(lambda: bearer.health.state is Health.UP)
        phone(PortNum.TEXT_MESSAGE_APP, "安4".encode(), 1)
        phone(PortNum.ALERT_APP, b"SOS", 2)
        phone(PortNum.WAYPOINT_APP, Waypoint(id=1, name="Camp", latitude_i=10, longitude_i=20).SerializeToString(), 3)
        phone(PortNum.WAYPOINT_APP, b"\xff\xff", 4)
        await until(lambda: len(guests._packets) == 3)
        command(store, "evacuate", area="三号沟", text="走东侧山路")
        await until(lambda: any(p.decoded.portnum == PortNum.ALERT_APP for p in fake.sent))
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert sorted(KINDS[each.event.kind].name for each in lines(store) if each.level is Level.GUEST) == [
        "guest.text", "guest.text", "mark", "rollcall.answer", "sos",
    ]  # fmt: skip
    told = next(p for p in fake.sent if p.decoded.portnum == PortNum.ALERT_APP).decoded.payload.decode()
    assert "三号沟" in told and "EVACUATE" in told and len(told.encode()) <= 200


async def test_an_ordinary_beidou_terminal(store: Store) -> None:
    clock = SystemClock()
    satellite = SatelliteSim(Sky(delay_s=0.05))
    terminal = TerminalSim(Card(4_204_986, frequency_s=1, level=2), satellite, Traits())
    other = TerminalSim(Card(CARD, frequency_s=1, level=2), satellite, Traits())
    got: list[str] = []
    other.deliver = lambda sender, payload: got.append(payload.text)  # type: ignore[method-assign]
    guests = Guests(store, {}, chance=Prompt())
    bearer = RdssBearer("rdss", line(terminal), clock, {"1": 42}, heard=guests.heard)
    reach = outlet(bearer)
    assert isinstance(reach, RdssOutlet)
    guests.add(reach)
    task = asyncio.create_task(bearer.run())
    async with at_work(store, guests):
        await until(lambda: bearer.health.state is Health.UP)
        satellite.radiate(CARD, 4_204_986, mixed("安5缺1"))
        await until(lambda: guests.present)
        command(store, "order", text="退到二号点🙂" + "很" * 200)
        await until(lambda: got)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert field(lines(store, "rollcall.answer")[0].event, "missing") == 1
    assert lines(store, "rollcall.answer")[0].event.actor == f"guest {CARD}"
    assert "退到二号点" in got[0]


def test_text_is_cut_between_characters() -> None:
    assert cut("甲乙丙丁", 7) == ["甲乙", "丙丁"] and cut("", 7) == [""]
    assert "".join(cut("撤离 EVACUATE now" * 30, 200)) == "撤离 EVACUATE now" * 30

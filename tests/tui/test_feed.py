"""The feed over a real store with a real status file and real intents: what is fresh, what is old, and what is nobody's fact."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from screen_field import FakeTime, Field

import tui.feed
from edge.folds import Stage
from edge.intents import Intents
from edge.store.reader import Reader, Snapshot
from edge.supervisor import Supervisor, Task
from hardware.clock import ClockQuality, SystemClock
from hardware.driver import Health
from sync.ids import Lane, Level
from sync.ranges import Ranges
from sync.trust.standing import Standing
from tui import lines
from tui.feed import StoreFeed
from tui.rows import apart
from tui.symbols import SETS
from tui.words import Words


@pytest.fixture
def field(tmp_path: Path) -> Iterator[Field]:
    FakeTime.ahead = 0.0
    made = Field(tmp_path)
    yield made
    made.store.close()


@pytest.fixture
def feed(field: Field, monkeypatch: pytest.MonkeyPatch) -> Iterator[StoreFeed]:
    monkeypatch.setattr(tui.feed, "REST", 0.0)
    made = StoreFeed(field.config, "P01", FakeTime)
    yield made
    made.close()


def test_every_value_has_its_age_and_grows_old_without_a_commit(field: Field, feed: StoreFeed) -> None:
    field.observe("R1", "wearable", 33_503_000, 108_000_000, 9000, 0, 88, 97, 368, 64)
    field.observe("V1", "fix", 33_500_000, 108_000_000, 9124, 0, 0, 1, 17, 9, 8)
    field.status()
    feed.read()
    scene = feed.scene()
    one = next(person for person in scene.people if person.subject == "R1")
    assert (one.name, one.unit) == ("张伟", "一队") and one.metres == pytest.approx(333.6, abs=1) and one.bearing == 0
    pulse = one.readings["vital.hr"]
    assert pulse.value == 88 and pulse.fresh and one.readings["vital.temp"].value == 36.8
    assert scene.where is not None and (scene.where.sats, scene.where.beidou) == (17, 9)
    assert scene.clock is ClockQuality.GNSS and scene.trouble == ()
    FakeTime.ahead = 40.0
    feed.read()
    later = next(person for person in feed.scene().people if person.subject == "R1")
    assert not later.readings["vital.hr"].fresh and later.readings["vital.spo2"].age_s > 39  # type: ignore[operator]
    FakeTime.ahead = 100.0
    assert feed.scene().people[0].metres is None


def test_nothing_is_read_again_while_nothing_is_committed(
    field: Field, feed: StoreFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    field.observe("R1", "battery", 60)
    feed.read()
    reader, taken = feed._reader, []
    assert reader is not None
    whole = reader.snapshot

    def counted(events: int) -> Snapshot:
        taken.append(1)
        return whole(events)

    monkeypatch.setattr(reader, "snapshot", counted)
    for _ in range(5):
        feed.read()
    assert taken == []
    field.observe("R1", "battery", 59)
    feed.read()
    assert taken == [1]


def test_a_large_store_that_always_changes_does_not_take_the_whole_machine(
    field: Field, feed: StoreFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = []
    whole = Reader.snapshot

    def slow(reader: Reader, events: int) -> Snapshot:
        taken.append(1)
        FakeTime.ahead += 2.0
        return whole(reader, events)

    monkeypatch.setattr(Reader, "snapshot", slow)
    monkeypatch.setattr(tui.feed, "REST", 4.0)
    for level in range(4):
        field.observe("R1", "battery", 60 - level)
        feed.read()
    assert len(taken) == 1
    FakeTime.ahead += 9.0
    feed.read()
    assert len(taken) == 2
    assert feed.scene().people[0].readings["dev.battery"].value == 57


def test_people_nobody_enrolled_are_shown_and_guests_are_marked(field: Field, feed: StoreFeed) -> None:
    field.event("person", person="P07", name="王强", unit="二队")
    field.observe("R9", "heart", 70, 1, None, None, None)
    field.observe(
        "!a1b2c3d4", "mesh.position", 335_000_000, 1_080_000_000, None, 5, 77, -90, 500, 1, 0, level=Level.GUEST
    )
    field.observe("V1.gnss1", "fix", 33_500_000, 108_000_000, 9124, 0, 0, 1, 17, 9, 8)
    field.observe("gauge2", "gauge", 1000, 1, 2, 1200)
    field.observe("ghost", "heart", 70, 1, None, None, None, level=Level.QUARANTINE)
    feed.read()
    people = {person.subject: person for person in feed.scene().people}
    assert sorted(people) == ["!a1b2c3d4", "P07", "R1", "R2", "R9"]
    assert people["!a1b2c3d4"].level is Level.GUEST and people["P07"].name == "王强"
    assert people["R2"].age_s is None


def test_a_guests_words_are_those_of_whom_the_radio_was_given_to(field: Field, feed: StoreFeed) -> None:
    for address, who in (("!a1b2c3d4", "R1"), ("!00000009", "!00000009")):
        field.event("guest.text", f"guest {who}", level=Level.GUEST, guest=address, text="到")
    feed.read()
    assert [(row.who, row.level) for row in feed.scene().events] == [("!00000009", Level.GUEST), ("R1", Level.GUEST)]


def test_a_message_is_followed_to_each_addressee(field: Field, feed: StoreFeed) -> None:
    event = field.event("message", "P01", (1, 3), text="塌方")
    feed.read()

    def stages() -> dict[str, Stage]:
        feed.read()
        row = next(row for row in feed.scene().events if row.kind == "message")
        return {reach.name: reach.stage for reach in row.reached}

    assert stages() == {"省中心": Stage.QUEUED, "V2": Stage.QUEUED}
    life = field.store.life.incarnation

    def seal(tx: Any) -> None:
        tx.conn.execute(
            "INSERT INTO block (origin, incarnation, lane, number, state, held, level, size, hash, rows, via, age_ms, at_boot, at_ms) "
            "VALUES (2, ?, 1, 0, 'own', 1, 3, 40, x'00', 1, '', 0, 1, 1)",
            (life,),
        )
        tx.conn.execute("UPDATE event SET block = (SELECT max(id) FROM block)")
        tx.conn.execute(
            "INSERT INTO ledger (block, bearer, times, bytes, at_boot, at_ms) SELECT max(id), 'lora', 1, 40, 1, 1 FROM block"
        )

    field.store.writer.submit(seal, urgent=True).result()
    assert stages() == {"省中心": Stage.SENT, "V2": Stage.SENT}
    field.status(exchange={"relayed": [f"2.{life:04x}.command.0"]})
    assert stages()["V2"] is Stage.RELAYED

    def arrived(tx: Any) -> None:
        spans = str([list(span) for span in Ranges([(0, 0)])])
        tx.conn.execute("INSERT INTO end_list VALUES (1, 2, ?, ?, ?)", (life, Lane.COMMAND, spans))

    field.store.writer.submit(arrived, urgent=True).result()
    assert stages()["省中心"] is Stage.STORED
    assert tuple(event.id) == (2, life, 0)


def test_alarms_stand_with_the_person_they_are_about(field: Field, feed: StoreFeed) -> None:
    field.event("alarm", episode=b"abcdef", rule=1, subject="R1", priority=1, value=172, limit=150, state=1)
    feed.read()
    scene = feed.scene()
    assert [(row.subject, row.text, row.acked) for row in scene.alarms] == [("R1", ("R1 心率", "R1 heart rate"), "")]
    assert scene.people[0].alarm == ("心率", "heart rate")
    field.event("sos", "P99", subject="P99")
    field.event("alarm.ack", "P01", episode=b"abcdef")
    feed.read()
    assert [(row.subject, row.acked) for row in feed.scene().alarms] == [("P99", ""), ("R1", "P01")]
    unknown = next(person for person in feed.scene().people if person.subject == "P99")
    assert unknown.alarm == ("求救", "SOS") and unknown.age_s is None
    assert feed.scene().events[0].text == ("R1 心率", "R1 heart rate")


def test_a_dead_agent_is_said_and_its_links_are_unknown(field: Field, feed: StoreFeed) -> None:
    field.status(commands=True, exchange={"lanes": {"command": {"lora": {"queued": 2, "in_flight": 1, "bytes_left": 9, "drain_s": 4.0}}},
                                          "forecast": [{"node": 1, "lane": "command", "in_s": 60.0, "p": 0.9}]})  # fmt: skip
    feed.read()
    scene = feed.scene()
    lora = scene.links[0]
    assert (lora.name, lora.state) == ("lora", Health.UP)
    assert (lora.loss, lora.latency_s, lora.budget_bytes, lora.budget_wait_s) == (0.25, 1.5, 400, 0.0)
    assert (scene.flows[0].queued, scene.forecasts[0].name, scene.commands) == (2, "省中心", True)
    FakeTime.ahead = 30.0
    feed.read()
    scene = feed.scene()
    assert scene.trouble == ("agent down",) and scene.links[0].state is None and scene.links[0].since_s is None
    assert scene.links[0].budget_bytes is None
    assert scene.links[0].in_s == pytest.approx(32, abs=2) and scene.forecasts == () and not scene.commands


@pytest.mark.parametrize("status", [{"links": [{"name": "x"}]}, {"links": 5}, {"clock": [1, 9]}, {"exchange": {"lanes": {"a": 1}}},
                                    {"clock": "now"}, {"links": [{"state": "up", "name": "x", "why": "", "since_s": 1, "loss": "half"}]}, {"devices": [{"state": "odd", "name": "x", "why": "", "since_s": 1}]}])  # fmt: skip
def test_another_versions_status_is_no_status(field: Field, feed: StoreFeed, status: dict[str, Any]) -> None:
    field.store.write_status(status)
    feed.read()
    assert feed.scene().trouble == ("agent down",)


def test_a_store_that_comes_late_is_damaged_or_replaced_is_told(field: Field, tmp_path: Path) -> None:
    field.observe("R1", "battery", 60)
    field.store.close()
    path, away = field.config.store, tmp_path / "away"
    path.rename(away)
    feed = StoreFeed(field.config, clock=FakeTime)
    feed.read()
    assert feed.scene().trouble == ("no store",)
    path.write_bytes(b"not a database" * 100)
    feed.read()
    assert "sanduan.db" in feed.scene().trouble[0] and feed.scene().station == "V1"
    path.unlink()
    shutil.copy(away, path)
    feed.read()
    assert feed.scene().trouble == ("agent down",) and feed.scene().people[0].readings["dev.battery"].value == 60
    feed.close()


def test_intents_go_through_the_real_socket(field: Field, feed: StoreFeed) -> None:
    assert feed.act("message", text="hi") == "not sent: agent down"

    async def play() -> None:
        supervisor = Supervisor(SystemClock())
        supervisor.add(Task("intents", "service", Intents(field.store).run))
        running = asyncio.create_task(supervisor.run())
        while supervisor.rows[0].state is not Health.UP:
            await asyncio.sleep(0.01)
        assert await asyncio.to_thread(feed.act, "message", text="塌方", to=[1]) == "sent"
        assert await asyncio.to_thread(feed.act, "order", text="撤") == "not command"
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(play())
    feed.read()
    row = feed.scene().events[0]
    assert (row.text, row.who, row.reached[0].name) == (("塌方", "塌方"), "P01", "省中心")


def test_what_comes_for_this_node_can_be_answered(field: Field, feed: StoreFeed) -> None:
    field.foreign("order", 1, "C1", (2,), Level.COMMAND, text="撤到 K12")
    feed.read()
    row = feed.scene().events[0]
    assert row.to_us and row.level is Level.COMMAND and row.who == "省中心 C1" and row.reached == ()
    assert row.answer is Stage.QUEUED and row.open
    field.event("message", text="later")
    feed.read()
    assert feed.scene().events[0].kind == "order"
    field.event("receipt", "P01", of=list(row.id), state=2)
    feed.read()
    assert [(row.kind, row.answer) for row in feed.scene().events] == [("message", None), ("order", Stage.ACTED)]


def test_only_a_proven_order_in_force_is_one(field: Field, feed: StoreFeed) -> None:
    for number, (level, valid_s) in enumerate(((Level.COMMAND, 600), (Level.COMMAND, None), (Level.ORIGIN, 600), (Level.QUARANTINE, 600),
                                               (Level.GUEST, 600))):  # fmt: skip
        field.event("order", "C1", (2,), level, valid_s=valid_s, text=f"order {number}")
    feed.read()
    scene = feed.scene()
    standings = {row.text[0]: row.standing for row in scene.events}
    assert standings == {"order 0": Standing.ACTIONABLE, "order 1": Standing.EXPIRED, "order 2": Standing.UNPROVEN}
    assert scene.quarantined == 2
    words = Words("en")
    shown = [line[2].text for line in lines.events(scene, words, SETS["ascii"])]
    assert [text.split("]")[0] for text in shown] == ["[unproven, do not act", "[expired", "C1: order 0"]
    assert "!quarantined 2" in lines.backlog(scene, words, SETS["ascii"])[0]


def test_distance_and_bearing() -> None:
    metres, bearing = apart((33.5, 108.0), (33.5, 108.01))
    assert (round(metres), round(bearing)) == (927, 90)
    assert round(apart((0.0, 179.999), (0.0, -179.999))[0]) == 222

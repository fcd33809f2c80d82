"""What people do at the screen, to the end: the real app at its keys, a real socket, a real store."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from screen_field import FakeTime, Field
from textual.pilot import Pilot
from textual.widgets import Input

import tui.feed
from edge.intents import Intents
from edge.supervisor import Supervisor, Task
from hardware.clock import SystemClock
from hardware.driver import Health
from sync.ids import Level
from tui.app import CommandScreen
from tui.feed import StoreFeed
from tui.keys import KEYS, bar
from tui.words import LANGUAGES, Words

SIZE = (80, 24)


class Desk:
    """A screen with its agent."""

    def __init__(self, field: Field, app: CommandScreen, pilot: Pilot[Any]) -> None:
        self.field, self.app, self._pilot = field, app, pilot

    def shown(self) -> str:
        """What stands on the screen."""
        strips = self.app.screen._compositor.render_strips()
        return "\n".join(" ".join("".join(segment.text for segment in strip).split()) for strip in strips)

    async def press(self, *keys: str) -> str:
        """Keys, one after the other, and what the screen shows then."""
        for key in keys:
            await self._pilot.press(key)
            await self._pilot.pause()
        return self.shown()

    async def until(self, *wanted: str) -> str:
        """What is shown as soon as all of it is there."""
        for _ in range(400):
            if all(text in self.shown() for text in wanted):
                break
            self.app.tick()
            await self._pilot.pause(0.05)
        assert [text for text in wanted if text not in self.shown()] == [], self.shown()
        return self.shown()


Play = Callable[[Desk], Awaitable[None]]


@pytest.fixture
def field(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Field]:
    monkeypatch.setattr(tui.feed, "REST", 0.0)
    monkeypatch.setattr(tui.feed, "SILENT_S", 600.0)
    FakeTime.ahead = 0.0
    made = Field(tmp_path)
    yield made
    made.store.close()


def at_desk(field: Field, play: Play, commands: bool = True, language: str = "en") -> None:
    """Play with an agent that serves the store, as command or as a member."""

    async def whole() -> None:
        supervisor = Supervisor(SystemClock())
        supervisor.add(Task("intents", "service", Intents(field.store, commands).run))
        serving = asyncio.create_task(supervisor.run())
        while supervisor.rows[0].state is not Health.UP:
            await asyncio.sleep(0.01)
        field.status(commands=commands)
        feed = StoreFeed(field.config, "P01", FakeTime)
        app = CommandScreen(feed, language, "ascii", refresh_s=0.2)
        async with app.run_test(size=SIZE) as pilot:
            await play(Desk(field, app, pilot))
        feed.close()
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)

    asyncio.run(whole())


def test_a_person_is_checked_in_with_two_keys_and_counts_as_accounted(field: Field) -> None:
    async def play(desk: Desk) -> None:
        assert "?unknown R1" in await desk.until("R1 张伟", "R2 李娜")
        await desk.press("c")
        await desk.until("+checked R1", "check-in")
        await desk.press("up", "c")
        await desk.until("+checked R2")
        await desk.press("up", "enter")
        await desk.until("check-in ")

    at_desk(field, play)
    assert field.count("checkin") == 2 and field.newest("checkin").body == {0: "R2"}


def test_an_evacuation_takes_a_word_and_shows_who_acknowledged(field: Field) -> None:
    async def play(desk: Desk) -> None:
        await desk.until("e evacuate")
        shown = await desk.press("e", *"K12", "comma", *"N2", "enter")
        assert "EVACUATE K12,N2 to everyone" in shown
        await desk.press("y", "enter")
        assert desk.app.query_one(Input).display and desk.field.count("evacuate") == 0
        await desk.press("backspace", *"go", "enter")
        shown = await desk.until("answered 0/2", "to 省中心 !queued", "to V2 !queued")
        event = desk.field.newest("evacuate")
        assert event.body == {0: "K12", 3: "N2", 4: 1} and event.valid_s
        desk.field.foreign("receipt", 1, "C1", of=list(event.id), state=1)
        await desk.until("answered 1/2", "to V2 !queued\nto 省中心 +read")
        await desk.press("escape")
        await desk.press("e")
        await desk.until("answered 1/2", "e another")
        await desk.press("e", "escape")
        assert desk.field.count("evacuate") == 1

    at_desk(field, play)


def test_an_evacuation_to_some_names_them(field: Field) -> None:
    async def play(desk: Desk) -> None:
        await desk.until("e evacuate")
        shown = await desk.press("e", *"K1", "down", "down", "enter")
        assert "EVACUATE K1 to V2" in shown
        await desk.press(*"GO", "enter")
        await desk.until("to V2 !queued")
        assert desk.field.newest("evacuate").to == (3,)

    at_desk(field, play)


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_evacuation_is_taken_back_by_a_word_of_its_own(field: Field, language: str) -> None:
    words = Words(language)

    async def play(desk: Desk) -> None:
        await desk.until(f"e {words('evacuate')}")
        assert words("no evacuation") in await desk.press("E")
        await desk.press("e", *"K12", "down", "down", "enter", *"go", "enter")
        await desk.until(f"{words('to')} V2", f"E {words('lift')}")
        order = desk.field.newest("evacuate")
        assert f"{words('lift')} K12 {words('to')} V2" in await desk.press("E")
        await desk.press(*"go", "enter")
        assert desk.field.count("evacuate") == 1
        await desk.press("backspace", "backspace", *"over", "enter")
        await desk.until(f"{words('to')} V2", "解除:K12" if language == "zh" else "over: K12")
        over = desk.field.newest("evacuate")
        assert over.body == {0: "K12", 4: 0, 5: list(order.id)} and over.to == order.to == (3,) and over.valid_s
        await desk.press("escape")
        await desk.until(f"[{words('over')}] P01: K12")
        assert words("no evacuation") in await desk.press("E")
        await desk.press("e")
        assert desk.app.query_one(Input).has_focus and f"{words('evacuate')} {words('to')}" in desk.shown()

    at_desk(field, play, language=language)
    assert field.count("evacuate") == 2


def test_a_lifted_evacuation_asks_nobody_any_more_and_its_end_does(field: Field) -> None:
    async def play(desk: Desk) -> None:
        leave = desk.field.foreign("evacuate", 1, "C1", level=Level.COMMAND, area="K12", state=1)
        await desk.until("!!evacuate 省中心 C1: K12")
        desk.field.foreign("evacuate", 1, "C1", area="K12", state=0, of=list(leave))
        await desk.until("[unproven, do not act] 省中心 C1: o", "!!evacuate 省中心 C1: K12")
        desk.field.foreign("evacuate", 1, "C1", level=Level.COMMAND, area="K12", state=0, of=list(leave))
        await desk.until("!!evacuate 省中心 C1: over: K12", "[over] 省中心 C1: K12")
        assert Words("en")("not command") in await desk.press("E")
        await desk.press("r")
        await desk.until("+read here")
        assert desk.field.newest("receipt").body[0] != list(leave)

    at_desk(field, play, commands=False)


def test_an_evacuation_that_came_is_on_the_bar_before_every_alarm(field: Field) -> None:
    async def play(desk: Desk) -> None:
        desk.field.event("sos", "P99", subject="P99")
        leave = desk.field.foreign("evacuate", 1, "C1", level=Level.COMMAND, area="K12", state=1)
        desk.field.foreign("order", 1, "C1", level=Level.COMMAND, text="hold")
        await desk.until("!!evacuate 省中心 C1: K12", "[r] mark read")
        await desk.press("r")
        await desk.until("SOS P99", "[a] seen")
        assert desk.field.newest("receipt").body == {0: list(leave), 1: 1}

    at_desk(field, play, commands=False)


def test_a_roll_call_is_answered_with_two_numbers_and_receipted(field: Field) -> None:
    async def play(desk: Desk) -> None:
        assert "no roll call" in await desk.press("p")
        call = desk.field.foreign("rollcall", 1, "C1", level=Level.COMMAND, due_s=600, area="K12", state=1)
        await desk.until("[p] answer roll call")
        shown = await desk.press("p")
        assert "roll call left" in shown and "not heard R1 张伟, R2 李娜" in shown
        shown = await desk.press("a")
        assert "answer roll call 省中心 C1: K12 within 600 s" in shown
        await desk.press(*"all", "enter")
        assert "that is not what it needs" in desk.shown() and desk.field.count("rollcall.answer") == 0
        await desk.press("backspace", "backspace", "backspace", *"12", "space", "1", "enter")
        await desk.until("V1 safe 12 missing 1")
        answer = desk.field.newest("rollcall.answer")
        assert answer.body == {0: list(call), 1: "V1", 2: 12, 3: 1}
        await desk.until("+done here")
        assert desk.field.newest("receipt").body == {0: list(call), 1: 2}

    at_desk(field, play, commands=False)


def test_command_begins_a_roll_call_and_sees_who_answered(field: Field) -> None:
    async def play(desk: Desk) -> None:
        await desk.until("p roll call", "e evacuate")
        await desk.press("p", *"K12", "enter")
        await desk.until("roll call", "K12 within 600 s")
        call = desk.field.newest("rollcall")
        assert call.body == {0: "K12", 1: 600, 2: 1}
        desk.field.foreign("rollcall.answer", 3, "P9", of=list(call.id), unit="V2", safe=4, missing=1)
        desk.field.foreign(
            "rollcall.answer", 3, "guest R7", level=Level.GUEST, of=list(call.id), unit="R7", safe=1, missing=0
        )
        desk.field.foreign("rollcall.answer", 3, "P9", of=[1, 1, 1], unit="V9", safe=9, missing=9)
        await desk.press("p")
        shown = await desk.until("V2", "!!safe 4 missing 1", "+safe 1 missing 0", "[guest] V2 R7")
        assert "V9" not in shown and "not heard R1 张伟, R2 李娜" in shown

    at_desk(field, play)


def test_who_is_no_command_gives_none_of_its_orders(field: Field) -> None:
    async def play(desk: Desk) -> None:
        shown = await desk.until("p roll call")
        assert "evacuate" not in shown
        assert Words("en")("not command") in await desk.press("e")

    at_desk(field, play, commands=False)
    assert field.count("evacuate") == 0


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_key_is_in_the_list_of_commands(field: Field, language: str) -> None:
    words = Words(language)

    async def play(desk: Desk) -> None:
        await desk.until("R1 张伟")
        await desk.press("ctrl+p")
        await desk.until(words("commands"), words("overview") if language == "en" else words("checkin"))
        names = [command.title for command in desk.app.get_system_commands(desk.app.screen)]
        assert names == [f"{words(key.name)} ({key.shown})" for key in KEYS] and len(set(names)) == len(names)
        await desk.press("escape", "ctrl+p", *words("checkin"))
        await desk.until(words("checkin"))
        await desk.press("down", "enter")
        await desk.until(f"+{words('checked')} R")
        assert desk.field.count("checkin") == 1

    at_desk(field, play, language=language)


def test_the_bar_names_what_fits_and_always_the_help() -> None:
    for language in LANGUAGES:
        words = Words(language)
        for commands in (False, True):
            for width in (20, 40, 78, 160):
                shown = bar(words, commands, width)
                assert shown.startswith("? ") and (words("evacuate") in shown) <= commands
            assert words("language") in shown
        assert all(words(name) in bar(words, True, 78) for name in ("checkin", "rollcall", "evacuate", "sos"))


def test_what_is_new_is_in_sight_though_somebody_looked_further_down(field: Field) -> None:
    async def play(desk: Desk) -> None:
        for number in range(40):
            desk.field.event("message", "P01", text=f"news {number}.")
        await desk.until("news 39.")
        shown = await desk.press("4", "end")
        assert "news 0." in shown and "news 39." not in shown
        await desk.press("enter", "escape", "up", "enter")
        assert "news 1." in await desk.press("down"), "closing a card leaves the line chosen"
        shown = await desk.press("escape", "1")
        assert "news 39." in shown and "news 0." not in shown
        await desk.press("4")
        desk.field.event("message", "P01", text="news 40.")
        await desk.until("news 40.")
        assert "news 40." in await desk.press("enter"), "the first line stays the newest"
        await desk.press("escape", "down", "down")
        for number in range(41, 59):
            desk.field.event("message", "P01", text=f"news {number}.")
        await desk.until("news 38.")
        assert "news 38." in await desk.press("enter"), "what was chosen stays in sight"

    at_desk(field, play)


def test_an_order_stays_on_the_screen_whatever_comes_after_it(field: Field) -> None:
    async def play(desk: Desk) -> None:
        desk.field.foreign("order", 1, "C1", (2,), Level.COMMAND, text="hold K12")
        for number in range(tui.feed.NEWS + 5):
            desk.field.event("message", "P01", text=f"news {number}")
        await desk.until("C1: hold K12", "[r] mark read")

    at_desk(field, play)

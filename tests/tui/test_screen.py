"""The screen with a fake feed: what a commander must be able to read at 80x24, in both languages, by day and by night."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from hardware.clock import ClockQuality
from hardware.driver import Health
from sync.ids import Level
from tui import lines
from tui.app import CommandScreen
from tui.scene import EventRow, LaneRow, LinkRow, PersonRow, Reading, Scene, Where
from tui.symbols import SETS, State
from tui.widgets.live_table import LiveTable, fit
from tui.words import WORDS, Words


def person(subject: str, age_s: float, hr: float | None = 88, alarm: str = "") -> PersonRow:
    return PersonRow(subject, "", {"vital.hr": Reading(hr, age_s, 15)}, age_s, alarm=alarm)


SCENE = Scene(
    station="V1",
    clock=ClockQuality.GNSS,
    wall_ms=1_784_290_200_000,
    where=Where(33.52, 107.98, 912.4, 1, 17, 9, 1.0),
    links=(
        LinkRow("mqtt", Health.DOWN, "connection refused", 2520, 2600, 2530, 1200, 88_000),
        LinkRow("lora", Health.UP, "MediumFast 7 %", 400, 3, 2),
    ),
    devices=(LinkRow("gnss0", Health.UP, "", 10), LinkRow("gas0", Health.DOWN, "port missing", 30)),
    backlog=(LaneRow("flash", 0, 0), LaneRow("command", 2, 12), LaneRow("history", 4120, 2400)),
    people=(person("R1", 2), person("R2", 40), person("R3", 600), person("R4", 1, 141, "man down")),
    events=(EventRow(5, "求救", "SOS", "R4 倒地", "R4", Level.MEMBER, urgent=True),
            EventRow(90, "来宾消息", "guest message", "到", "!a1b2c3d4", Level.GUEST)),
)  # fmt: skip


class FakeFeed:
    def __init__(self, scene: Scene) -> None:
        self.now, self.said = scene, []

    def scene(self) -> Scene:
        return self.now

    def send(self, text: str) -> str:
        self.said.append(text)
        return "sent"


def text_of(app: CommandScreen) -> str:
    """What stands on the screen, as text."""
    return "\n".join("".join(segment.text for segment in strip) for strip in app.screen._compositor.render_strips())


def drive(
    feed: FakeFeed, keys: list[str], size: tuple[int, int] = (80, 24), language: str = "zh"
) -> tuple[str, CommandScreen]:
    async def play() -> tuple[str, CommandScreen]:
        app = CommandScreen(feed, language, "full")
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            for key in keys:
                await pilot.press(key)
            await pilot.pause()
            return text_of(app), app

    return asyncio.run(play())


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_everything_a_commander_needs_fits(size: tuple[int, int], language: str) -> None:
    shown, _ = drive(FakeFeed(SCENE), [], size, language)
    words = Words(language)
    for wanted in ("V1", "33.52000", "R1", "R2", "R3", "R4", "mqtt", "connection refused", "lora", "gas0", words("down"),
                   words("lost"), words("command"), "4120", "40m", words("guest"), "R4 倒地"):  # fmt: skip
        assert wanted in shown, wanted
    assert len(shown.splitlines()) == size[1]


def test_a_stale_value_is_never_drawn_as_a_number() -> None:
    cells = {line[1].text: line[2] for line in lines.people(SCENE, Words("en"), SETS["full"])}
    assert cells["R1"].text == "88" and cells["R1"].state is State.INFO
    assert cells["R2"] == ("?", State.STALE) and cells["R3"] == ("?", State.STALE)


def test_a_missing_value_is_not_zero() -> None:
    assert lines.reading(Reading(None, 1, 15)).text == "--"
    assert lines.reading(None).text == ""


def test_worst_first_and_shape_differs_without_colour() -> None:
    shown = lines.people(SCENE, Words("en"), SETS["ascii"])
    assert [line[1].text for line in shown] == ["R4", "R3", "R2", "R1"]
    assert len({line[0].text for line in shown}) == 4


def test_only_changed_lines_are_drawn_again() -> None:
    async def play() -> tuple[int, int]:
        feed = FakeFeed(SCENE)
        app = CommandScreen(feed, "zh", "full")
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.pause()
            table = app.query_one("#people", LiveTable)
            same = table.show(lines.people(SCENE, app.words, app.symbols))
            moved = replace(SCENE, people=(*SCENE.people[:3], person("R4", 1, 150, "man down")))
            return same, table.show(lines.people(moved, app.words, app.symbols))

    assert asyncio.run(play()) == (0, 1)


def test_freeze_is_unmistakable_and_holds() -> None:
    feed = FakeFeed(SCENE)
    shown, _ = drive(feed, ["space"])
    assert Words("zh")("frozen") in shown


def test_language_and_themes_change_at_a_key() -> None:
    shown, app = drive(FakeFeed(SCENE), ["l", "n"])
    assert "Sanduan" in shown and app.theme == "sanduan-night"
    _, app = drive(FakeFeed(SCENE), ["n", "n"])
    assert app.theme == "sanduan-day"


def test_a_message_goes_to_the_agent() -> None:
    feed = FakeFeed(SCENE)
    drive(feed, ["w", *"hi", "enter"])
    assert feed.said == ["hi"]


def test_a_dead_agent_is_said() -> None:
    shown, _ = drive(FakeFeed(replace(SCENE, trouble="agent down")), [])
    assert Words("zh")("agent down") in shown


def test_every_word_has_both_languages() -> None:
    assert all(zh and en for zh, en in WORDS.values())


def test_fit_never_breaks_the_grid() -> None:
    assert [fit("张伟长", 4), fit("ab", 4, True), fit("abcdef", 4)] == ["张 ~", "  ab", "abc~"]

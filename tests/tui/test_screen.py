"""The screen with a fake feed: what a commander must be able to read at 80x24, in both languages, by day and by night."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from rich.cells import cell_len

from edge.folds import Stage
from hardware.clock import ClockQuality
from hardware.driver import Health
from hardware.errors import SanduanError
from sync.ids import Level
from sync.trust.standing import Standing
from tui import lines
from tui.app import CommandScreen
from tui.picture import picture
from tui.scene import (
    AlarmRow,
    EventRow,
    FlowRow,
    Forecast,
    LaneRow,
    LinkRow,
    PersonRow,
    Reach,
    Reading,
    Scene,
    Where,
)
from tui.symbols import SETS, State
from tui.theme import NAMED
from tui.widgets.live_table import LiveTable, fit
from tui.words import WORDS, Words


def person(subject: str, age_s: float, hr: float | None = 88, alarm: tuple[str, str] = ("", "")) -> PersonRow:
    return PersonRow(subject, "", {"vital.hr": Reading(hr, age_s, 15)}, age_s, alarm=alarm)


DOWN = ("倒地", "man down")


SCENE = Scene(
    station="V1",
    clock=ClockQuality.GNSS,
    wall_ms=1_784_290_200_000,
    where=Where(33.52, 107.98, 912.4, 1, 17, 9, 1.0),
    links=(
        LinkRow("mqtt", Health.DOWN, "connection refused", 2520, 2600, 2530, budget_bytes=0, budget_wait_s=1.0),
        LinkRow("lora", Health.UP, "MediumFast 7 %", 400, 3, 2, 0.3, 4.25, 13_200, 0.0),
    ),
    devices=(LinkRow("gnss0", Health.UP, "", 10), LinkRow("gas0", Health.DOWN, "port missing", 30)),
    backlog=(LaneRow("flash", 0, 0), LaneRow("command", 2, 12), LaneRow("history", 4120, 2400)),
    people=(person("R1", 2), person("R2", 40), person("R3", 600), person("R4", 1, 141, DOWN)),
    events=(
        EventRow(5, ("求救", "SOS"), ("R4 倒地", "R4 down"), "R4", Level.MEMBER, True, (3, 7, 1), "sos"),
        EventRow(9, ("命令", "order"), ("撤到 K12", "back to K12"), "PROV", Level.COMMAND, id=(1, 7, 2), kind="order", to_us=True),
        EventRow(60, ("消息", "message"), ("塌方", "landslide"), "", Level.ORIGIN, id=(2, 7, 3), kind="message",
                 reached=(Reach(1, "省中心", Stage.READ), Reach(3, "V2", Stage.SENT))),
        EventRow(90, ("来宾消息", "guest message"), ("到", "here"), "!a1b2c3d4", Level.GUEST, id=(2, 7, 4)),
    ),
    alarms=(AlarmRow(b"abcdef", 1, "R4", ("R4 倒地", "R4 man down"), 5, sos=True),
            AlarmRow(b"ghijkl", 2, "R2", ("R2 心率 172", "R2 heart rate 172"), 50, acked="P01")),
    nodes=((1, "省中心"), (3, "V2")),
    forecasts=(Forecast(1, "省中心", 2220, 0.9),),
    flows=(FlowRow("command", "lora", 2, 1, 4100, 90), FlowRow("history", "mqtt", 4120, 0, None, None)),
)  # fmt: skip


class FakeFeed:
    def __init__(self, scene: Scene, answer: str = "sent") -> None:
        self.now, self.answer, self.reads = scene, answer, 0
        self.said: list[tuple[str, dict[str, Any]]] = []

    def read(self) -> None:
        self.reads += 1

    def scene(self) -> Scene:
        return self.now

    def act(self, act: str, **fields: Any) -> str:
        self.said.append((act, fields))
        return self.answer


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
            await app.workers.wait_for_complete()
            await pilot.pause()
            return text_of(app), app

    return asyncio.run(play())


@pytest.mark.parametrize("size", [(80, 24), (140, 40)])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_everything_a_commander_needs_fits(size: tuple[int, int], language: str) -> None:
    shown, _ = drive(FakeFeed(SCENE), [], size, language)
    words = Words(language)
    for wanted in ("V1", "33.52000", "R1", "R2", "R3", "R4", "mqtt", "connection refused", "lora", "gas0", words("down"),
                   words("lost"), words("command"), "4120", "40m", words("guest"),
                   words.of(("R4 倒地", "R4 down")), words("acknowledge")):  # fmt: skip
        assert wanted in shown, wanted
    assert len(shown.splitlines()) == size[1]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_link_tells_what_fits_its_reason_before_all_else(language: str) -> None:
    for width, facts in ((54, []), (62, ["13.2k"]), (68, ["13.2k", "30%"]), (80, ["13.2k", "30%", "4.2s"])):
        shown, _ = drive(FakeFeed(SCENE), [], (width, 24), language)
        mqtt, lora = (next(line for line in shown.splitlines() if name in line) for name in ("mqtt", "lora"))
        assert "conn" in mqtt and "Medi" in lora
        assert [fact for fact in ("13.2k", "30%", "4.2s") if fact in lora] == facts, width


def test_a_links_budget_is_bytes_or_how_long_until_some() -> None:
    def told(**facts: Any) -> tuple[str, ...]:
        line = lines.links(Scene(links=(LinkRow("x", Health.UP, "", 1, **facts),)), Words("en"), SETS["ascii"])[0]
        return tuple(cell.text for cell in line[5:8])

    assert told() == ("", "", "")
    assert told(budget_bytes=1 << 30, loss=1.0, latency_s=0.25) == ("1.1G", "100%", "250ms")
    assert told(budget_bytes=0, budget_wait_s=44.2, latency_s=61.0) == ("in 45s", "", "61s")
    assert told(budget_bytes=0) == ("0", "", "")


def test_a_stale_value_is_never_drawn_as_a_number() -> None:
    cells = {line[1].text.split()[0]: line[2] for line in lines.people(SCENE, Words("en"), SETS["full"])}
    assert cells["R1"].text == "88" and cells["R1"].state is State.INFO
    assert cells["R2"] == ("?", State.STALE) and cells["R3"] == ("?", State.STALE)


def test_a_missing_value_is_not_zero() -> None:
    assert lines.reading(Reading(None, 1, 15)).text == "--"
    assert lines.reading(None).text == ""


def test_who_was_never_heard_is_unknown_not_lost() -> None:
    silent = PersonRow("R9", "", {}, None)
    assert lines.person_state(silent) == (State.STALE, "unknown")
    assert lines.person_state(replace(silent, age_s=121.0)) == (State.WARN, "lost")


def test_worst_first_and_shape_differs_without_colour() -> None:
    shown = lines.people(SCENE, Words("en"), SETS["ascii"])
    assert [line[1].text.split()[0] for line in shown] == ["R4", "R3", "R2", "R1"]
    assert len({line[0].text for line in shown}) == 4


def test_only_changed_lines_are_drawn_again() -> None:
    async def play() -> tuple[int, int]:
        feed = FakeFeed(SCENE)
        app = CommandScreen(feed, "zh", "full")
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.pause()
            table = app.query_one("#people", LiveTable)
            same = table.show(lines.people(SCENE, app.words, app.symbols))
            moved = replace(SCENE, people=(*SCENE.people[:3], person("R4", 1, 150, DOWN)))
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


def test_a_message_goes_to_the_agent_and_its_arrival_is_told_before() -> None:
    feed = FakeFeed(SCENE)
    shown, _ = drive(feed, ["w", *"hi"])
    assert "省中心" in shown and "90 %" in shown and not feed.said
    shown, _ = drive(feed, ["w", *"hi", "down", "enter"])
    assert feed.said == [("message", {"text": "hi", "to": [1]})]
    assert Words("zh")("sent") in shown


def test_what_the_agent_refuses_is_said_and_the_text_is_not_lost() -> None:
    shown, _ = drive(FakeFeed(SCENE, "not sent: agent down"), ["w", *"hello", "enter"])
    assert Words("zh")("not sent: agent down") in shown and "hello" in shown


def test_only_command_nodes_write_orders() -> None:
    feed = FakeFeed(SCENE)
    shown, _ = drive(feed, ["o"])
    assert Words("zh")("not command") in shown and not feed.said
    feed = FakeFeed(replace(SCENE, commands=True))
    drive(feed, ["o", *"go", "enter"])
    assert feed.said == [("order", {"text": "go", "to": []})]


def test_an_sos_is_typed_not_slipped() -> None:
    feed = FakeFeed(SCENE)
    drive(feed, ["x", "enter", *"so", "enter"])
    assert not feed.said
    drive(feed, ["x", *"SOS", "enter"])
    assert feed.said == [("sos", {"subject": "V1", "state": 1, "lat": 33_520_000, "lon": 107_980_000})]


def test_the_worst_unseen_alarm_is_acknowledged_and_the_chosen_one() -> None:
    feed = FakeFeed(SCENE)
    drive(feed, ["a"])
    assert feed.said == [("alarm.ack", {"episode": b"abcdef"})]
    shown, _ = drive(feed, ["5", "down", "a"])
    assert Words("zh")("no alarm") in shown and "P01" in shown


def test_read_and_done_are_said_of_what_came_for_us() -> None:
    feed = FakeFeed(SCENE)
    drive(feed, ["4", "down", "r"])
    drive(feed, ["4", "down", "enter", "d"])
    assert feed.said == [("receipt", {"of": [1, 7, 2], "state": 1}), ("receipt", {"of": [1, 7, 2], "state": 2})]
    shown, _ = drive(feed, ["4", "down", "down", "r"])
    assert Words("zh")("not for us") in shown and len(feed.said) == 2


def test_an_order_nobody_answered_is_on_the_bar_and_answered_from_anywhere() -> None:
    order = replace(SCENE.events[1], standing=Standing.ACTIONABLE, answer=Stage.QUEUED)
    feed = FakeFeed(replace(SCENE, alarms=(), events=(SCENE.events[0], order)))
    shown, _ = drive(feed, ["d"])
    assert "[r] 标为已读" in shown and "未读" in shown
    assert feed.said == [("receipt", {"of": [1, 7, 2], "state": 2})]


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_views_and_cards_open_and_close(language: str) -> None:
    words = Words(language)
    steps: tuple[tuple[list[str], list[str]], ...] = (
        (["2"], ["R3"]),
        (["enter"], ["R4", "141", words("close")]),
        (["escape", "3"], ["gas0", "gnss0", "4.1k", words("drained in")]),
        (["4", "down", "down", "enter"], ["V2", words("radiated"), words("read")]),
        (["escape", "5"], [words("not acked")]),
        (["enter"], [words("acknowledge")]),
        (["escape", "question_mark"], [words("close"), "Enter"]),
        (["escape", "escape"], ["R1", "lora"]),
    )
    app = CommandScreen(FakeFeed(SCENE), language, "full")
    async with app.run_test(size=(80, 24)) as pilot:
        for keys, wanted in steps:
            await pilot.press(*keys)
            await pilot.pause()
            shown = text_of(app)
            assert [text for text in wanted if text not in shown] == [], keys


def test_progress_names_the_next_step_that_not_all_have_made() -> None:
    def told(*stages: Stage) -> str:
        rows = tuple(Reach(node, f"N{node}", stage) for node, stage in enumerate(stages, 1))
        return lines.reached(rows, Words("en"), SETS["ascii"]).text

    assert told(Stage.QUEUED) == "!queued N1" and told(Stage.ACTED) == "+done N1"
    assert told(Stage.STORED, Stage.SENT, Stage.READ) == "!stored 2/3"
    assert told(Stage.STORED, Stage.READ) == "!read 1/2"
    assert told(Stage.QUEUED, Stage.QUEUED) == "!queued 2/2"
    assert told(Stage.READ, Stage.REFUSED) == "!!refused N2"


def test_the_screen_goes_on_under_a_card() -> None:
    async def play() -> str:
        feed = FakeFeed(SCENE)
        app = CommandScreen(feed, "en", "full", refresh_s=0.05)
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.press("question_mark")
            feed.now = replace(SCENE, station="V9")
            await pilot.pause(0.2)
            await pilot.press("escape")
            await pilot.pause()
            return text_of(app)

    assert "V9" in asyncio.run(play())


def test_a_forecast_says_when_or_that_nobody_knows() -> None:
    told = replace(
        SCENE, forecasts=(*SCENE.forecasts, Forecast(3, "V2", None, 0.0), Forecast(4, "V4", 9, 1.0, "flash"))
    )
    words = Words("en")
    assert lines.forecast(told, (), words).endswith("90 %  V2 no way now")
    assert lines.forecast(told, (3,), words) == "V2 no way now"
    assert lines.forecast(SCENE, (3,), words) == "arrival unknown"
    assert lines.forecast(replace(told, wall_ms=None), (1,), words) == "省中心 in 37m 90 %"


def test_hindrances_are_said() -> None:
    shown, _ = drive(FakeFeed(replace(SCENE, trouble=("agent down",))), [])
    assert Words("zh")("agent down") in shown
    unknown = replace(SCENE, links=(replace(SCENE.links[0], state=None, since_s=None),))
    shown, _ = drive(FakeFeed(unknown), [])
    assert f"?{Words('zh')('unknown')}" in shown


def test_a_store_that_hangs_does_not_hang_the_screen() -> None:
    class Hanging(FakeFeed):
        def __init__(self) -> None:
            super().__init__(replace(SCENE, trouble=("store stuck",)))
            self.gate = threading.Event()

        def read(self) -> None:
            self.reads += 1
            self.gate.wait(20)

    async def play() -> str:
        feed = Hanging()
        app = CommandScreen(feed, "en", "full", refresh_s=0.05)
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.pause(0.3)
            await pilot.press("w", *"hi", "enter")
            await pilot.pause(0.1)
            shown = text_of(app)
            assert feed.said and feed.reads == 1
            feed.gate.set()
        return shown

    assert Words("en")("store stuck") in asyncio.run(play())


@pytest.mark.parametrize("symbols", ["full", "narrow", "ascii"])
@pytest.mark.parametrize("theme", sorted(NAMED))
def test_every_dress_draws_everything(theme: str, symbols: str) -> None:
    async def play() -> str:
        app = CommandScreen(FakeFeed(SCENE), "en", symbols, theme=theme)
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.pause()
            return text_of(app)

    shown = asyncio.run(play())
    assert "R1" in shown and f"{SETS[symbols][State.BAD]}alarm" in shown
    if symbols == "ascii":
        assert [char for char in shown if ord(char) > 127 and char not in "省中心塌方撤到倒地…"] == ["·"]


def test_a_picture_is_drawn_as_wide_as_a_terminal_would(tmp_path: Path) -> None:
    file = tmp_path / "screen.svg"
    picture(CommandScreen(FakeFeed(SCENE), "zh", "full"), file)
    drawn = ElementTree.fromstring(file.read_text(encoding="utf-8"))
    texts = {
        "".join(text.itertext()).replace("\xa0", " "): text for text in drawn.iter("{http://www.w3.org/2000/svg}text")
    }
    row = next(text for name, text in texts.items() if name.startswith("三断 指挥屏 V1"))
    assert "R4 倒地" in " ".join(texts) and "@font-face" not in file.read_text(encoding="utf-8")
    content = "".join(row.itertext())
    assert abs(float(row.get("textLength", 0)) / cell_len(content) - 12.2) < 0.1
    with pytest.raises(SanduanError):
        picture(CommandScreen(FakeFeed(SCENE), "zh", "full"), tmp_path / "no" / "screen.svg")


def test_text_keeps_its_contrast() -> None:
    """WCAG's 4.5 to 1 for every state on its ground."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    for name in ("day", "night", "sun"):
        theme = NAMED[name]
        for role in ("foreground", "success", "warning", "error", "primary"):
            for ground in ("background", "panel", "secondary"):
                low, high = sorted((luminance(str(getattr(theme, role))), luminance(str(getattr(theme, ground)))))
                assert (high + 0.05) / (low + 0.05) >= 4.5, (name, role, ground)


def test_every_word_has_both_languages() -> None:
    assert all(zh and en for zh, en in WORDS.values())


def test_fit_never_breaks_the_grid() -> None:
    assert [fit("张伟长", 4), fit("ab", 4, True), fit("abcdef", 4)] == ["张 ~", "  ab", "abc~"]

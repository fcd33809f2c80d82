"""What people do at the screen: lines they write, cards they open, and the intents that come of both."""

from __future__ import annotations

import asyncio
import math
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, Final

from rich.text import Text
from textual.app import App
from textual.timer import Timer
from textual.widgets import Static

from tui import lines
from tui.cards import alarm_card, event_card, help_card, person_card, rollcall_card
from tui.scene import EventRow, Feed, Scene
from tui.symbols import State
from tui.widgets.card import Card, Page
from tui.widgets.draft import ADDRESSED, Draft
from tui.widgets.live_table import LiveTable
from tui.wishes import DUE_MIN, SURE, WISHES
from tui.words import Words

COMMANDED: Final = ("order", "evacuate", "rollcall", "lift")  # acts of command nodes alone
TAKEN: Final = ("sent", "not stored yet")
SEEN_S: Final = 0.2  # after which what somebody did is on the screen
SAID_S: Final = 8.0  # how long an answer stays on the screen


class Doing(App[None]):
    """The acting half of the command screen; what is drawn and when is the other's."""

    words: Words
    symbols: lines.Symbols
    view: str
    _feed: Feed
    _scene: Scene
    _draft: Draft
    _tables: dict[str, LiveTable]
    _lines: dict[str, Static]
    _styles: dict[State, Any]

    def __init__(self) -> None:
        super().__init__()
        self._page: Callable[[], Page | None] = lambda: None
        self._leaving: dict[str, Any] = {}
        self._ordered: frozenset[object] | None = None
        self._hush: Timer | None = None

    @abstractmethod
    def tick(self) -> None:
        """Read and draw what changed."""

    @abstractmethod
    def action_view(self, view: str) -> None:
        """One pane large, or all of them."""

    def _follow(self, scene: Scene) -> None:
        """What an open card shows goes on with the scene."""
        page = self._page()
        if isinstance(self.screen, Card) and page is not None:
            self.screen.show(page)
        self._went_out(scene)

    def action_write(self, act: str, text: str = "", about: str = "") -> None:
        """Open the line for an act; about: what it answers or confirms."""
        if act in COMMANDED and not self._scene.commands:
            self._say("not command", State.WARN)
            return
        self._draft.open(act, self._scene.nodes, self.words, text, about)

    def action_leave(self) -> None:
        """Close the line without sending, or go back to the overview."""
        if self._draft.display:
            self._draft.close()
            self._tables["people" if self.view == "overview" else self.view].focus()
        elif self.view != "overview":
            self.action_view("overview")

    def on_draft_sent(self, event: Draft.Sent) -> None:
        """Hand what was written to the agent; an evacuation is asked about once more, and so is its end."""
        if event.act in SURE:
            self._sure(event.act, event.text)
            return
        fields = WISHES[event.act](event.text, self._scene)
        if fields is None:
            if event.text and event.act != "sos":
                self._say("not understood", State.WARN)
            return
        if event.act in ADDRESSED:
            fields["to"] = list(event.to)
        if event.act == "evacuate":
            self._leaving = fields
            self._confirm("evacuate sure", event.text)
            return
        self.action_leave()
        self._act(event.act, event.text if event.act != "sos" else None, **fields)
        if event.act == "rollcall.answer":
            self._act("receipt", of=fields["of"], state=2)

    def _confirm(self, act: str, about: str) -> None:
        """Ask once more about what is to go out."""
        to = self._leaving["to"]
        whom = ", ".join(name for node, name in self._scene.nodes if node in to) or self.words("everyone")
        self.action_write(act, about=f"{about} {self.words('to')} {whom}")

    def _sure(self, act: str, typed: str) -> None:
        """Order the evacuation or take it back, once the word was typed."""
        if typed.lower() == SURE[act]:
            self.action_leave()
            self._ordered = frozenset(row.id for row in self._scene.events)
            self._act("evacuate", **self._leaving)

    def _went_out(self, scene: Scene) -> None:
        """As soon as what was ordered here stands in the store: who has acknowledged it, and who not."""
        if self._ordered is None:
            return
        fresh = (row for row in scene.events if row.kind == "evacuate" and row.id not in self._ordered)
        row = next((row for row in fresh if not row.to_us), None)
        if row is not None:
            self._ordered = None
            self._show_event(row.id)

    def action_checkin(self) -> None:
        """Check the chosen person in."""
        subject = self._tables["people"].chosen
        if self.focused is not self._tables["people"] or subject is None:
            self._say("nothing selected")
        else:
            self._checkin(subject)

    def _checkin(self, subject: object) -> None:
        unit = next((row.unit for row in self._scene.people if row.subject == subject), "")
        self._act("checkin", subject=subject, **({"unit": unit} if unit else {}))

    def action_evacuate(self) -> None:
        """Who has acknowledged the evacuation in force that was ordered here; without one, order one."""
        row = next((row for row in self._scene.events if row.lift is not None and not row.to_us), None)
        if row is None:
            self.action_write("evacuate")
        else:
            self._show_event(row.id)

    def action_lift(self) -> None:
        """Take back the chosen evacuation, or the newest in force, whichever command node ordered it."""
        chosen = self._event(self._tables["events"].chosen) if self.focused is self._tables["events"] else None
        standing = [row for row in self._scene.events if row.lift is not None]
        if not self._scene.commands or not standing:
            self._say("no evacuation" if self._scene.commands else "not command", State.WARN)
        else:
            self._lift(
                chosen
                if chosen in standing
                else min(standing, key=lambda row: math.inf if row.age_s is None else row.age_s)
            )

    def _lift(self, row: EventRow) -> None:
        if row.lift is not None:
            self._leaving = dict(row.lift)
            self._confirm("lift", self.words.of(row.text))

    def action_rollcall(self) -> None:
        """The roll call in force: who answered; without one, command nodes begin one."""
        if self._scene.rollcall is not None:
            self._open(self._rollcall, self._called)
        elif self._scene.commands:
            self.action_write("rollcall", f"{DUE_MIN} ")
        else:
            self._say("no roll call")

    def _rollcall(self) -> Page | None:
        call = self._scene.rollcall
        return None if call is None else rollcall_card(self._scene, call, self.words, self.symbols)

    def _called(self, answer: str) -> None:
        call = self._scene.rollcall
        about = "" if call is None else f"{call.row.who}: {self.words.of(call.row.text)}"
        self.action_write(answer, f"{DUE_MIN} " if answer == "rollcall" else "", "" if answer == "rollcall" else about)

    def action_acknowledge(self) -> None:
        """Acknowledge the chosen alarm, or the worst that nobody has."""
        table = self.focused
        chosen = table.chosen if isinstance(table, LiveTable) and table.id == "alarms" else None
        unseen = [row for row in self._scene.alarms if not row.acked]
        row = next((row for row in unseen if row.episode == chosen), unseen[0] if unseen and chosen is None else None)
        if row is None:
            self._say("no alarm")
        else:
            self._act("alarm.ack", episode=row.episode)

    def action_receipt(self, state: int) -> None:
        """Say that the chosen event, or the order that waits for an answer, was read, acted on, or cannot be."""
        waiting = next((row for row in self._scene.events if row.open), None)
        row = self._event(self._tables["events"].chosen) if self.focused is self._tables["events"] else waiting
        if row is None:
            self._say("nothing selected")
        else:
            self._receipt(row, state)

    def _receipt(self, row: EventRow, state: int) -> None:
        if row.standing in lines.STANDINGS:
            self._say(lines.STANDINGS[row.standing], State.WARN)
        elif row.to_us:
            self._act("receipt", of=list(row.id), state=state)
        else:
            self._say("not for us")

    def _act(self, act: str, draft: str | None = None, **fields: Any) -> None:
        """Ask the agent on another thread, and say what became of it; a draft it did not take is opened again."""

        async def ask() -> None:
            answer = await asyncio.to_thread(self._feed.act, act, **fields)
            self._say(answer, State.OK if answer == "sent" else State.BAD)
            if draft is not None and answer not in TAKEN:
                self.action_write(act, draft)
            self.tick()
            self.set_timer(SEEN_S, self.tick)

        self.run_worker(ask())

    def _say(self, word: str, state: State = State.INFO) -> None:
        """Tell the operator something for a few seconds."""
        said = self._lines["said"]
        said.update(Text(f"{self.symbols[state]} {self.words(word)}", style=self._styles[state]))
        said.display = True
        if self._hush is not None:
            self._hush.stop()
        self._hush = self.set_timer(SAID_S, self._hushed)

    def _hushed(self) -> None:
        self._lines["said"].display = False

    # more about one row

    def _event(self, name: object) -> EventRow | None:
        return next((row for row in self._scene.events if row.id == name), None)

    def on_live_table_opened(self, event: LiveTable.Opened) -> None:
        """Show everything known of the chosen row."""
        shows: dict[str | None, Callable[[object], None]] = {
            "people": self._show_person,
            "events": self._show_event,
            "alarms": self._show_alarm,
        }
        if event.table.id in shows:
            shows[event.table.id](event.name)

    def _open(self, page: Callable[[], Page | None], done: Callable[[str], None] = lambda answer: None) -> None:
        """Show a page that goes on with the scene; done: what becomes of the answer."""
        shown = page()
        if shown is not None:
            self._page = page
            self.push_screen(Card(shown), lambda answer: done(answer) if answer else None)

    def _show_person(self, name: object) -> None:
        def page() -> Page | None:
            person = next((each for each in self._scene.people if each.subject == name), None)
            return None if person is None else person_card(person, self.words, self.symbols)

        person = next((each for each in self._scene.people if each.subject == name), None)
        if person is not None and any(kind.startswith("vital.") for kind in person.readings):
            self.run_worker(
                asyncio.to_thread(self._feed.act, "access", subject=name)
            )  # who looks at whom is told as an event
        self._open(page, lambda _: self._checkin(name))

    def _show_event(self, name: object) -> None:
        def page() -> Page | None:
            row = self._event(name)
            return None if row is None else event_card(row, self.words, self.symbols, self._scene.commands)

        def done(answer: str) -> None:
            row = self._event(name)
            if answer == "evacuate":
                self.action_write(answer)
            elif row is not None and answer == "lift":
                self._lift(row)
            elif row is not None:
                self._receipt(row, int(answer))

        self._open(page, done)

    def _show_alarm(self, name: object) -> None:
        def page() -> Page | None:
            row = next((each for each in self._scene.alarms if each.episode == name), None)
            return None if row is None else alarm_card(row, self.words, self.symbols)

        self._open(page, lambda _: self._act("alarm.ack", episode=name))

    def action_help(self) -> None:
        """Every key."""
        self._open(lambda: help_card(self.words))

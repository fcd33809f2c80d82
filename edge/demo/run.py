"""The demonstration from start to finish: what happens when, and the result as one plain object."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self

from edge import intents
from edge.demo.plan import ACTORS, CENTRAL, MEASURING, RELAY, UNIT, VEHICLE, Actor, mounts, store, write
from edge.demo.processes import Child
from edge.demo.tally import Tally, bytes_out, tally
from edge.demo.world import World
from edge.sticks import FOLDER, Mark, mark
from edge.store.status import beside, read_status
from hardware.clock import BUILD_WALL_MS, SystemClock
from hardware.errors import LinkDown
from radios.bundle import SUFFIX

LOOK_S: Final = 0.2
SETTLE_S: Final = 5.0  # for what was emitted to be stored
VISIT_S: Final = 20.0  # for a stick to be served
DRAIN_S: Final = 45.0  # for everything to be at central after the last link-up
PULL: Final = "may be pulled"
ROUND_S: Final = 60.0  # length of the course when nobody set one
# share of the course -> what happens then
COURSE: Final = (
    (0.00, "up"),
    (0.15, "sos"),
    (0.25, "down"),
    (0.30, "order"),
    (0.35, "stick"),
    (0.50, "up"),
    (0.65, "down"),
    (0.80, "up"),
)

Told = Callable[..., None]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens: seconds since the beginning of the course."""

    at: float
    what: str


def course(seconds: float | None) -> Iterator[Step]:
    """The steps of a course of so many seconds; without end when None."""
    length, start = seconds or ROUND_S, 0.0
    while True:
        yield from (Step(start + share * length, what) for share, what in COURSE)
        start += length
        if seconds is not None:
            return


class Demo:
    """Enter it to start the field. told: hears the name of each thing that happens, with what belongs to it."""

    def __init__(self, folder: Path, told: Told, seed: int = 1) -> None:
        self.folder, self._told = folder, told
        self.world = World(folder, seed)
        self.children: dict[str, Child] = {}
        self._clock = SystemClock()
        self._carried: dict[str, int] = {}
        self._visits = 0
        self._courier: asyncio.Task[None] | None = None
        self._steps: dict[str, Callable[[], Any]] = {
            "up": self._up, "down": self._down, "sos": self._sos, "order": self._order, "stick": self._stick,
        }  # fmt: skip

    async def __aenter__(self) -> Self:
        begun = self._clock.mono()
        await self.world.__aenter__()
        async with AsyncExitStack() as undo:
            undo.push_async_callback(self.__aexit__)
            self._told("world")
            start = datetime.fromtimestamp((self._clock.stamp().wall_ms or BUILD_WALL_MS) / 1000, UTC)
            files = write(self.folder, start.isoformat(timespec="seconds"), self.world.sockets)
            mark(self._stick_home(), Mark((CENTRAL.node, VEHICLE.node, UNIT.node), "通信员 / courier"))
            for actor in ACTORS:
                self.children[actor.name] = Child(actor.role, files[actor.name], self._store(actor))
            await self._start_all()
            undo.pop_all()
        self._told("started", seconds=round(self._clock.mono() - begun, 1))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._courier is not None:
            self._courier.cancel()
            await asyncio.gather(self._courier, return_exceptions=True)
        await asyncio.gather(*(child.stop() for child in self.children.values()))
        await self.world.__aexit__()

    async def _start_all(self) -> None:
        """All at once; when one cannot, none of the others is left half started."""
        try:
            async with asyncio.TaskGroup() as group:
                for actor in ACTORS:
                    group.create_task(self._start(actor))
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None

    async def _start(self, actor: Actor) -> None:
        await self.children[actor.name].start()
        self._told("running", name=actor.name, title=actor.title, pid=self.children[actor.name].pid)

    # the course

    async def play(self, seconds: float | None = None) -> None:
        """Let the course happen; without `seconds` again and again until cancelled."""
        begun = self._clock.mono()
        for step in course(seconds):
            await asyncio.sleep(max(0.0, begun + step.at - self._clock.mono()))
            await self._steps[step.what]()
        await asyncio.sleep(max(0.0, begun + (seconds or 0.0) - self._clock.mono()))

    async def _up(self) -> None:
        if not self.world.gate.open:
            self.world.gate.reopen()
            self._told("up", **self._counts())

    async def _down(self) -> None:
        await self.world.gate.shut()
        self._told("down", **self._counts())

    async def _sos(self) -> None:
        """A member of the foot unit presses the button; it goes over LoRa by the relay."""
        await self._intent(UNIT, "sos", subject="P8", text="腿部受伤 leg injured")

    async def _order(self) -> None:
        """The vehicle orders while the broadband link is down."""
        await self._intent(VEHICLE, "order", text="撤到二号集结点 fall back to point 2", to=[UNIT.node])

    async def _intent(self, actor: Actor, act: str, **fields: Any) -> None:
        with suppress(LinkDown):
            await asyncio.to_thread(intents.ask, intents.beside(self._store(actor)), act, **fields)
            self._told(act, name=actor.name, text=fields["text"])

    async def _stick(self) -> None:
        """The courier sets out; the course goes on."""
        if self._courier is None or self._courier.done():
            self._courier = asyncio.create_task(self._walk(), name="courier")

    async def _walk(self) -> None:
        """The stick goes from the foot unit to central."""
        for actor in (UNIT, CENTRAL):
            await self._visit(actor)

    # the stick

    def _stick_home(self) -> Path:
        home = self.folder / "pocket" / "stick"
        home.mkdir(parents=True, exist_ok=True)
        return home

    async def _visit(self, actor: Actor) -> None:
        """Put the stick in, wait until it may be pulled, pull it."""
        self._visits += 1
        pocket, there = self._stick_home(), mounts(self.folder, actor) / f"stick{self._visits}"
        shutil.move(pocket, there)
        try:
            await self._wait(VISIT_S, lambda: self._word(actor, there.name).endswith(PULL))
        finally:
            shutil.move(there, pocket)
        self._told("stick", name=actor.name, why=self._word(actor, there.name))
        for bundle in (pocket / FOLDER).glob(f"*{SUFFIX}"):
            self._carried[bundle.name] = bundle.stat().st_size

    def _word(self, actor: Actor, stick: str) -> str:
        """What an actor says of this visit; "" before it has looked."""
        rows = read_status(beside(self._store(actor))).get("devices", ())
        return next((str(row["why"]) for row in rows if row["name"] == "sticks" and row["why"].startswith(stick)), "")

    # the end

    async def finish(self) -> dict[str, Any]:
        """Link up for good, devices silent, everything on its way; then count."""
        self._told("finish")
        self.world.gate.reopen()
        await self.world.hush()
        if self._courier is not None:
            await self._courier
        await self._wait(SETTLE_S, lambda: self._tally().stored >= self.world.emitted())
        await self._walk()
        await self._wait(DRAIN_S, lambda: self._tally().at_central >= self.world.emitted())
        return self.result()

    async def _wait(self, seconds: float, true: Callable[[], bool]) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not true():  # noqa: ASYNC110 (files of other processes tell nobody)
                    await asyncio.sleep(LOOK_S)

    def result(self) -> dict[str, Any]:
        """The counts as they stand."""
        emitted, found = self.world.emitted(), self._tally()
        sizes = {
            "mqtt": self.world.gate.forward + self.world.gate.back,
            "lora": bytes_out([self._store(actor) for actor in (VEHICLE, UNIT, RELAY)], "lora"),
            "carried": sum(self._carried.values()),
        }
        return {
            "emitted": emitted,
            "stored": found.stored,
            "at_central": found.at_central,
            "lost": max(0, emitted - found.at_central),
            "duplicates": found.duplicates,
            "bytes": sizes,
            "bytes_per_observation": round(sum(sizes.values()) / max(1, found.at_central), 2),
            "outages": self.world.gate.outages,
            "worst_age_s": found.worst_age_s,
        }

    def _counts(self) -> dict[str, int]:
        found = self._tally()
        return {"stored": found.stored, "at_central": found.at_central}

    def _tally(self) -> Tally:
        return tally(self._store(CENTRAL), [(actor.node, self._store(actor)) for actor in MEASURING])

    def _store(self, actor: Actor) -> Path:
        return store(self.folder, actor)

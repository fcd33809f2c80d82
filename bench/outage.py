"""One scripted outage with crashes, side by side: mosquitto's bridge with its defaults, with its best settings, and Sanduan.

A publisher hands a message to the edge 100 times a second; one in a hundred is urgent. The link to the centre is cut from
second 2 to 14; the edge is killed (-9) at 6 and 10 and started again at once. What the edge acknowledged must arrive.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from bench.outage_peers import Bridge
from bench.outage_sanduan import Sanduan
from radios.gate import Gate

RATE: Final = 100
URGENT: Final = 100  # one in so many
AWAY: Final = (2.0, 14.0)
CRASHES: Final = (6.0, 10.0)
PUBLISHED_S: Final = 13.0
SETTLE_S: Final = 20.0  # given after the link is back
LATE_S: Final = 5.0  # after the link is back, an urgent message should be there


class Side(Protocol):
    """A system under test: an edge that acknowledges, a centre that receives, a link between them through a gate."""

    name: str
    abreast: int  # messages that may wait for their acknowledgement at once
    gate: Gate
    arrived: dict[int, list[float]]  # message number -> when it was seen at the centre, each time

    async def start(self) -> None:
        """Start both ends and connect them."""

    async def publish(self, number: int, urgent: bool) -> bool:
        """Hand a message to the edge; whether it was acknowledged."""

    async def crash(self) -> None:
        """Kill the edge -9 and start it again."""

    async def stop(self) -> None:
        """End both."""


@dataclass(slots=True)
class Play:
    """What happened in one run: numbers acknowledged, and when the link was back."""

    acknowledged: set[int] = field(default_factory=set)
    back: float = 0.0


async def play(side: Side) -> dict[str, Any]:
    """Run the script against one system; the row of its result."""
    await side.start()
    run = Play()
    begun = time.monotonic()

    async def hand(number: int, places: asyncio.Semaphore) -> None:
        async with places:
            if await side.publish(number, number % URGENT == 0):
                run.acknowledged.add(number)

    async def publish() -> None:
        places = asyncio.Semaphore(side.abreast)
        async with asyncio.TaskGroup() as group:
            for number in range(int(PUBLISHED_S * RATE)):
                await asyncio.sleep(max(0.0, begun + number / RATE - time.monotonic()))
                group.create_task(hand(number, places))

    async def trouble() -> None:
        for at, act in _script(side, run):
            await asyncio.sleep(max(0.0, begun + at - time.monotonic()))
            await act

    try:
        await asyncio.gather(publish(), trouble())
        await _settled(side, run)
        return _row(side, run)
    finally:
        await side.stop()


def _script(side: Side, run: Play) -> Iterator[tuple[float, Any]]:
    async def back() -> None:
        side.gate.reopen()
        run.back = time.monotonic()

    yield AWAY[0], side.gate.shut()
    for at in CRASHES:
        yield at, side.crash()
    yield AWAY[1], back()


async def _settled(side: Side, run: Play) -> None:
    """Until everything acknowledged is there, or SETTLE_S after the link came back."""
    while time.monotonic() < run.back + SETTLE_S and run.acknowledged - side.arrived.keys():  # noqa: ASYNC110
        await asyncio.sleep(0.1)


def _row(side: Side, run: Play) -> dict[str, Any]:
    there = run.acknowledged & side.arrived.keys()
    urgent = [number for number in run.acknowledged if number % URGENT == 0]
    waits = [min(side.arrived[number]) - run.back for number in urgent if number in side.arrived]
    return {
        "acknowledged": len(run.acknowledged),
        "delivered": len(there),
        "lost": len(run.acknowledged) - len(there),
        "twice": sum(len(times) > 1 for times in side.arrived.values()),
        "urgent_lost": len(urgent) - len(waits),
        "urgent_late": sum(wait > LATE_S for wait in waits),
        "urgent_last_s_after_link": round(max(waits, default=0.0), 2),
        "link_bytes": side.gate.forward + side.gate.back,
    }


def sides(folder: Path) -> list[Side]:
    """Everybody who plays, in order."""
    return [Bridge(folder, best=False), Bridge(folder, best=True), Sanduan(folder)]


def run() -> dict[str, Any]:
    """Every system through the same script."""
    found: dict[str, Any] = {"rate": RATE, "away_s": AWAY, "crashes_s": CRASHES, "messages": int(PUBLISHED_S * RATE)}
    with tempfile.TemporaryDirectory() as name:
        for side in sides(Path(name)):
            found[side.name] = asyncio.run(play(side))
    return found

"""The contract of every bearer: whole frames or none, true limits, true health, and no harm from what comes over the link."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from link_rigs import (
    Hostile,
    Lan,
    Mesh,
    OverEmbedded,
    OverMosquitto,
    Quiet,
    Rig,
    Satellite,
    Satellite21,
    Satellite40,
    up,
)

from hardware.driver import Health
from hardware.errors import FrameTooLong, LinkBusy, LinkDown, LinkError
from hardware.virtual import run_virtual
from radios.bearer import Arrival, Bearer

mosquitto = pytest.param(OverMosquitto, marks=pytest.mark.peer("mosquitto"))
ALL = [Quiet, Hostile, mosquitto, OverEmbedded, Lan, Mesh, Satellite, Satellite21, Satellite40]
each = pytest.mark.parametrize("make", ALL, ids=lambda make: make.__name__)

Make = Callable[[], Rig]
WAIT_S, VIRTUAL_S = 15.0, 900.0


def play(make: Make, folder: Path, act: Callable[[Rig], Coroutine[Any, Any, None]]) -> None:
    """Plug the link in, act, pull it out; in virtual time where the link lives there."""

    async def main() -> None:
        rig = make()
        await rig.plug(folder)
        try:
            async with asyncio.timeout(40_000 if rig.virtual else 40):
                await act(rig)
        finally:
            await rig.unplug()

    if make.virtual:  # type: ignore[attr-defined]
        run_virtual(main)
    else:
        asyncio.run(main())


async def until(rig: Rig, true: Callable[[], object]) -> None:
    async with asyncio.timeout(VIRTUAL_S if rig.virtual else WAIT_S):
        while not true():
            await asyncio.sleep(0.05 if rig.virtual else 0.01)


def ends(rig: Rig) -> list[Bearer]:
    return [end for end in (rig.near, rig.far, rig.third) if end is not None]


@asynccontextmanager
async def running(rig: Rig) -> AsyncIterator[list[asyncio.Task[None]]]:
    """All ends at work; each stops within a second of being cancelled, is then not up, and leaves no task behind."""
    before = asyncio.all_tasks()
    tasks = [asyncio.create_task(end.run()) for end in ends(rig)]
    try:
        await until(rig, lambda: all(up(end) for end in ends(rig)))
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=1)
        assert all(task.done() for task in tasks)
        await asyncio.sleep(0.2)
        left = [repr(task) for task in asyncio.all_tasks() - before]
        assert not [each for each in left if re.search(r"coro=<(\w+Bearer|Radio)\.", each)]
        assert not any(up(end) for end in ends(rig))


async def put(bearer: Bearer, frame: bytes, to: str = "") -> None:
    """Send as soon as the bearer has room."""
    while True:
        budget = bearer.budget()
        if budget.messages_left <= 0 or budget.bytes_left < len(frame):
            assert budget.wait_s > 0, "without room it says when there will be some"
            await asyncio.sleep(min(budget.wait_s, 60.0))
            continue
        try:
            await bearer.send(frame, to)
            return
        except LinkBusy as busy:
            await asyncio.sleep(busy.wait_s)
        except LinkDown:
            await asyncio.sleep(0.1)


async def across(rig: Rig, sender: Bearer, receiver: Bearer, frame: bytes, to: str = "") -> Arrival:
    """Send until it comes, whole: what replication does; a link that is not lossy needs one send."""
    patience = 60.0 if rig.virtual else 3.0
    for _ in range(60):
        await put(sender, frame, to)
        try:
            async with asyncio.timeout(patience):
                while (arrival := await receiver.receive()).frame != frame:
                    pass
                return arrival
        except TimeoutError:
            assert rig.lossy, "lost on a link that loses nothing"
    raise AssertionError("nothing comes through")


@each
def test_before_it_runs_it_is_down(make: Make, tmp_path: Path) -> None:
    async def act(rig: Rig) -> None:
        for end in ends(rig):
            assert not up(end) and end.health.why
            now = asyncio.get_running_loop().time()
            assert end.health.row(now, end.budget())["since_s"] < 60, "not since the machine was started"
            assert end.budget().messages_left == 0 < end.budget().wait_s
            with pytest.raises(LinkDown):
                await end.send(b"x")

    play(make, tmp_path, act)


@each
def test_frames_of_every_size_come_whole_both_ways(make: Make, tmp_path: Path) -> None:
    async def act(rig: Rig) -> None:
        async with running(rig):
            near, far = rig.near, rig.far
            for size in (1, 2, near.limits.mtu // 2, near.limits.mtu - 1, near.limits.mtu):
                frame = (b"\xa4$*\r\n\x94\xc3\x00" + bytes(range(255)) * (size // 255 + 1))[:size]
                arrival = await across(rig, near, far, frame)
                assert arrival.at >= 0
            answer = await across(rig, far, near, b"for you alone", arrival.peer)
            assert (
                await across(rig, near, far, b"and back", answer.peer if answer.peer != "0" else "")
            ).frame == b"and back"

    play(make, tmp_path, act)


@each
def test_longer_than_its_mtu_is_the_callers_fault(make: Make, tmp_path: Path) -> None:
    async def act(rig: Rig) -> None:
        async with running(rig):
            with pytest.raises(FrameTooLong):
                await rig.near.send(bytes(rig.near.limits.mtu + 1))
            assert rig.near.health.frames_out == 0
            assert (await across(rig, rig.near, rig.far, b"still fit")).frame == b"still fit"

    play(make, tmp_path, act)


@each
def test_health_counts_what_moved(make: Make, tmp_path: Path) -> None:
    async def act(rig: Rig) -> None:
        async with running(rig):
            told: list[Health] = []
            rig.near.health.told = lambda: told.append(rig.near.health.state)
            frame = bytes(20)
            await across(rig, rig.near, rig.far, frame)
            await until(rig, lambda: rig.near.health.frames_out)
            out, got = rig.near.health, rig.far.health
            assert out.frames_out >= 1 <= got.frames_in and out.bytes_out >= 20 <= got.bytes_in
            assert out.last_out is not None and got.last_in is not None
            assert out.loss is None or 0 <= out.loss <= 1
            row = json.loads(json.dumps(out.row(out.last_out + 5, rig.near.budget())))
            assert row["state"] in ("up", "degraded") and row["why"] and row["last_out_s"] == 5
            await rig.cut()
            await until(rig, lambda: told and told[-1] is Health.DOWN)
            since = out.since
            await rig.mend()
            await until(rig, lambda: up(rig.near))
            assert out.since >= since

    play(make, tmp_path, act)


@each
def test_one_send_reaches_every_listener_where_it_says_so(make: Make, tmp_path: Path) -> None:
    async def act(rig: Rig) -> None:
        async with running(rig):
            await across(rig, rig.far, rig.near, b"to all")
            if rig.far.limits.broadcast and rig.third is not None and not isinstance(rig, Hostile):
                async with asyncio.timeout(60):
                    assert (await rig.third.receive()).frame == b"to all"

    play(make, tmp_path, act)


@each
def test_cut_in_mid_frame_it_says_why_and_comes_back(make: Make, tmp_path: Path) -> None:
    async def act(rig: Rig) -> None:
        async with running(rig):
            for turn in range(2):
                await across(rig, rig.near, rig.far, b"before %d" % turn)
                sending = asyncio.create_task(_try(rig.near, bytes(rig.near.limits.mtu)))
                await asyncio.sleep(0)
                await rig.cut()
                await until(rig, lambda: not up(rig.near))
                await sending
                assert rig.near.health.why
                assert rig.near.budget().messages_left == 0 < rig.near.budget().wait_s
                with pytest.raises(LinkDown):
                    await rig.near.send(b"nobody takes this")
                await rig.mend()
                await until(rig, lambda: up(rig.near) and up(rig.far))
                await across(rig, rig.near, rig.far, b"after %d" % turn)

    play(make, tmp_path, act)


async def _try(bearer: Bearer, frame: bytes) -> None:
    with suppress(LinkError):
        await bearer.send(frame)


@each
def test_rubbish_does_no_harm(make: Make, tmp_path: Path) -> None:
    async def act(rig: Rig) -> None:
        async with running(rig) as tasks:
            for turn in range(3):
                await across(rig, rig.far, rig.near, b"good %d" % turn, "")
                await rig.rubbish()
                await until(rig, lambda: up(rig.near) and up(rig.far))
                await across(rig, rig.far, rig.near, b"still good %d" % turn, "")
                await across(rig, rig.near, rig.far, b"both ways %d" % turn, "")
            assert not any(task.done() for task in tasks)

    play(make, tmp_path, act)


@each
def test_what_its_budget_promises_it_takes(make: Make, tmp_path: Path) -> None:
    async def act(rig: Rig) -> None:
        async with running(rig):
            taken = 0
            while taken < 20:
                budget = rig.near.budget()
                if budget.messages_left <= 0:
                    await asyncio.sleep(budget.wait_s)
                    continue
                await rig.near.send(bytes(min(budget.bytes_left, rig.near.limits.mtu)))
                taken += 1
                await asyncio.sleep(rig.near.limits.gap_s)

    play(make, tmp_path, act)


@each
def test_nobody_receiving_fills_a_bounded_queue_only(make: Make, tmp_path: Path) -> None:
    async def act(rig: Rig) -> None:
        async with running(rig):
            count = 400
            for number in range(count):
                await put(rig.far, b"%d" % number)
            await asyncio.sleep(60 if rig.virtual else 0.5)
            kept = 0
            while True:
                try:
                    async with asyncio.timeout(0.2):
                        await rig.near.receive()
                    kept += 1
                except TimeoutError:
                    break
            assert 0 < kept <= count * 1.3
            assert isinstance(rig, Lan) or kept <= 256, "a LAN's socket holds back the sender instead"
            await across(rig, rig.far, rig.near, b"and on")

    play(make, tmp_path, act)


@each
def test_stopped_it_can_be_started_again(make: Make, tmp_path: Path) -> None:
    async def act(rig: Rig) -> None:
        for turn in range(2):
            async with running(rig):
                await across(rig, rig.near, rig.far, b"turn %d" % turn)
            with pytest.raises(LinkDown):
                await rig.near.send(b"stopped")

    play(make, tmp_path, act)

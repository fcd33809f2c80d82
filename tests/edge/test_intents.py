"""Intents over the real socket: what a screen asks is stored before it is answered, and nothing else gets in."""

from __future__ import annotations

import asyncio
import random
import socket
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgpack
import pytest

from edge import intents
from edge.intents import ACTS, CALLS, FRAME, HEAD, Intents, ask, read_intent
from edge.store.reader import Reader
from edge.store.store import Store
from edge.supervisor import Supervisor, Task
from hardware.clock import SystemClock
from hardware.driver import Health
from hardware.errors import DecodeError, LinkDown, PortBusy
from sync.events import BY_NAME, key
from sync.ids import Level
from sync.trust.standing import Standing, standing

NODE = 2
FIELDS: dict[str, dict[str, Any]] = {
    "message": {"text": "三号点塌方", "to": [1, 3]},
    "order": {"text": "撤到 K12", "to": [3], "valid_s": 600},
    "receipt": {"of": [1, 77, 4], "state": 1},
    "alarm.ack": {"episode": b"\x01\x02\x03\x04\x05\x06"},
    "sos": {"subject": "V1", "lat": 33_520_000, "lon": 107_980_000, "state": 1},
    "checkin": {"subject": "R1", "unit": "R"},
    "evacuate": {"area": "K12", "to": [3]},
    "rollcall": {"due_s": 180},
    "rollcall.answer": {"of": [1, 77, 5], "unit": "R1", "safe": 7, "missing": 0},
    "access": {"subject": "P1"},
}


@asynccontextmanager
async def agent(
    folder: Path, commands: bool = False, unix: bool = True
) -> AsyncIterator[tuple[Store, Callable[..., Awaitable[Any]]]]:
    """A store with its intents served under a supervisor, and `ask` as the screen's thread would call it."""
    store = Store.open(folder / "s.db", NODE, ballast=0, machine=folder / "machine")
    service = Intents(store, commands, unix=unix)
    supervisor = Supervisor(SystemClock())
    supervisor.add(Task("intents", "service", service.run))
    running = asyncio.create_task(supervisor.run())
    while supervisor.rows[0].state is not Health.UP:
        await asyncio.sleep(0.01)

    async def call(act: str, **fields: Any) -> Any:
        return await asyncio.to_thread(ask, service.path, act, **fields)

    try:
        yield store, call
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        store.close()
    assert not service.path.exists()


@pytest.mark.parametrize("unix", [True, False])
async def test_every_act_is_in_the_store_when_it_is_answered(tmp_path: Path, unix: bool) -> None:
    async with agent(tmp_path, commands=True, unix=unix) as (store, call):
        for act in ACTS:
            event_id = await call(act, actor="P01", **FIELDS[act])
            reader = Reader(store.path, NODE)
            line = reader.events("WHERE e.number = ?", (event_id.number,))[0]
            reader.close()
            assert (line.event.kind, line.event.actor) == (BY_NAME[act].number, "P01")
            assert line.event.to == tuple(FIELDS[act].get("to", ()))
            assert line.level is Level.COMMAND
            command = BY_NAME[act].command
            assert line.event.valid_s == FIELDS[act].get("valid_s", intents.VALID_S if command else None)
            assert standing(line.event, line.level, 1.0) is (Standing.ACTIONABLE if command else Standing.SHOWN)
            sent = {name: value for name, value in FIELDS[act].items() if name not in ("to", "valid_s")}
            assert line.event.body == {key(act, name): value for name, value in sent.items()}


async def test_only_a_command_node_may_order(tmp_path: Path) -> None:
    async with agent(tmp_path) as (store, call):
        for act in ("order", "evacuate", "rollcall"):
            with pytest.raises(DecodeError, match=intents.NOT_COMMAND):
                await call(act, **FIELDS[act])
        assert (await call("message", text="hi")).origin == NODE
        reader = Reader(store.path, NODE)
        assert reader.counts()["event"] == 1
        reader.close()


async def test_the_door_is_the_users_alone(tmp_path: Path) -> None:
    async with agent(tmp_path) as (store, _):
        assert stat.S_IMODE(intents.beside(store.path).stat().st_mode) == 0o600
    async with agent(tmp_path, unix=False) as (store, call):
        path = intents.beside(store.path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        path.write_text(path.read_text().split()[0] + " 00", encoding="ascii")
        with pytest.raises(DecodeError, match="token"):
            await call("message", text="hi")


def test_no_agent_is_said(tmp_path: Path) -> None:
    for content in (None, "nonsense", "1 2 3", "99999999 aa", "1 aa"):
        path = tmp_path / "s.db.intents"
        if content is not None:
            path.write_text(content, encoding="ascii")
        with pytest.raises(LinkDown):
            ask(path, "message", text="hi")


async def test_what_a_killed_agent_left_is_taken_over_and_a_live_one_is_not(tmp_path: Path) -> None:
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(tmp_path / "s.db.intents"))
    left.close()
    async with agent(tmp_path) as (store, call):
        assert await call("message", text="hi")
        supervisor = Supervisor(SystemClock())
        reporter = supervisor.add(Task("second", "service", Intents(store).run))
        with pytest.raises(PortBusy):
            await Intents(store).run(reporter)
        assert await call("message", text="still")


def test_a_path_too_long_for_a_socket_becomes_a_port(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)

    async def play() -> None:
        async with agent(deep) as (store, call):
            assert intents.beside(store.path).is_file()
            assert await call("message", text="hi")

    asyncio.run(play())


WRONG: tuple[dict[str, Any], ...] = (
    {},
    {"act": "person", "person": "P01"},
    {"act": "message"},
    {"act": "message", "text": " "},
    {"act": "message", "text": "x" * 501},
    {"act": "message", "text": 7},
    {"act": "message", "text": "hi", "to": [0]},
    {"act": "message", "text": "hi", "to": list(range(1, 99))},
    {"act": "message", "text": "hi", "to": 3},
    {"act": "message", "text": "hi", "strange": 1},
    {"act": "message", "text": "hi", "phrase": 1},
    {"act": "message", "text": "hi", "valid_s": -1},
    {"act": "message", "text": "hi", "actor": "x" * 33},
    {"act": "receipt", "of": [1, 2], "state": 1},
    {"act": "receipt", "of": [1, 2, -3], "state": 1},
    {"act": "receipt", "of": [1, 2, 3], "state": True},
    {"act": "sos", "subject": "V1", "lat": 90_000_001, "lon": 0},
    {"act": ["message"], "text": "hi"},
    {"act": "message", "text": "hi", "token": 5},
)


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_wish_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(DecodeError):
        read_intent(msgpack.packb(wrong))


def test_the_decoder_is_total() -> None:
    chance = random.Random(7)
    good = [msgpack.packb({"act": act, **FIELDS[act]}) for act in ACTS]
    taken = 0
    for number in range(20_000):
        data = bytearray(good[number % len(good)])
        for _ in range(chance.randint(1, 3)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        del data[chance.randint(len(data) // 2, len(data)) :]
        try:
            intent, _ = read_intent(bytes(data))
            taken += intent.act in ACTS
        except DecodeError:
            pass
    assert taken < 20_000
    for hostile in (
        b"",
        b"\xc1",
        b"\x91" * 5000,
        b"\xdf\xff\xff\xff\xff",
        b"\xc7\xff\xff",
        b"\x81\xa3act\xd6\xff\0\0\0\0",
    ):
        with pytest.raises(DecodeError):
            read_intent(hostile)


async def test_hostile_callers_do_not_stop_others(tmp_path: Path) -> None:
    async with agent(tmp_path) as (store, call):
        held = []
        for first in (
            b"",
            b"\xff" * 4,
            HEAD.pack(FRAME + 1),
            HEAD.pack(0),
            HEAD.pack(50) + b"x",
            b"GET / HTTP/1.1\r\n\r\n",
        ):
            caller = socket.socket(socket.AF_UNIX)
            caller.connect(str(intents.beside(store.path)))
            caller.sendall(first)
            held.append(caller)
        assert await call("message", text="meanwhile")
        for caller in held:
            caller.close()


async def test_calls_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intents, "CALL_S", 0.3)
    async with agent(tmp_path) as (store, call):
        held = [socket.socket(socket.AF_UNIX) for _ in range(CALLS)]
        for caller in held:
            caller.connect(str(intents.beside(store.path)))
        await asyncio.sleep(0.1)
        with pytest.raises(LinkDown):
            await call("message", text="one too many")
        while True:
            try:
                assert await call("message", text="the silent ones were let go")
                break
            except LinkDown:
                await asyncio.sleep(0.1)
        for caller in held:
            caller.close()


async def test_a_disk_that_takes_nothing_is_said_and_the_wish_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intents, "CALL_S", 0.2)
    async with agent(tmp_path) as (store, call):
        blocker = store.writer.submit(lambda tx: __import__("time").sleep(1.0), urgent=True)
        with pytest.raises(DecodeError, match=intents.NOT_STORED):
            await call("message", text="late")
        await asyncio.to_thread(blocker.result)
        reader = Reader(store.path, NODE)
        while reader.counts()["event"] == 0:
            await asyncio.sleep(0.05)
        reader.close()

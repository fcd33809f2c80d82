"""Real processes over a real broker: whatever is killed, cut, doubled or shuffled, all that was stored reaches central once."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiomqtt import Client
from field_rig import FieldRig

from bench.rig import Mosquitto
from radios.gate import Gate

pytestmark = pytest.mark.peer("mosquitto")


@asynccontextmanager
async def field(folder: Path, gated: bool = False) -> AsyncIterator[tuple[FieldRig, Mosquitto, Gate]]:
    """Broker, gate and both processes, all ended afterwards."""
    broker = Mosquitto(folder)
    await broker.start()
    gate = Gate("127.0.0.1", broker.port)
    await gate.start()
    rig = FieldRig(folder, broker.port, gate.port if gated else 0)
    try:
        await rig.start()
        yield rig, broker, gate
    finally:
        await rig.stop()
        await gate.stop()
        await broker.kill()


async def flowing(rig: FieldRig) -> None:
    """Until something measured after this moment is at central."""
    before = rig.tally()
    found = await rig.until(lambda it: it.at_central > before.stored)
    assert found.at_central > before.stored


async def test_killed_broker_agent_and_central_lose_nothing_stored(tmp_path: Path) -> None:
    async with field(tmp_path) as (rig, broker, _):
        await flowing(rig)
        await broker.kill()  # its memory goes with it
        await broker.start()
        await rig.agent.kill()
        await rig.agent.start()
        await rig.central.kill()
        assert rig.believed()
        await rig.central.start()
        await flowing(rig)
        await rig.agent.kill()
        await broker.kill()
        await broker.start()
        await rig.agent.start()
        found = await rig.delivered()
        assert rig.believed()
        assert found.at_central == found.stored > 0 and found.duplicates == 0
        assert (
            rig.emitted() - 250 <= found.stored <= rig.emitted() + 2
        )  # at a kill, what was not yet on the disk is gone


async def test_a_flapping_link_loses_and_doubles_nothing(tmp_path: Path) -> None:
    async with field(tmp_path, gated=True) as (rig, _, gate):
        for up_s in (0.3, 0.8, 0.1, 0.5, 1.2):
            await asyncio.sleep(up_s)
            await gate.shut()
            await asyncio.sleep(0.2)
            gate.reopen()
        found = await rig.delivered()
        assert found.at_central == found.stored == rig.emitted() and found.duplicates == 0
        assert gate.outages == 5


async def meddle(port: int, chance: random.Random) -> None:
    """Everything that passes the broker is sent once more, later and in another order."""
    held: list[tuple[str, bytes]] = []
    seen: set[bytes] = set()
    async with Client("127.0.0.1", port) as client:
        await client.subscribe("sanduan/#", qos=1)
        async for message in client.messages:
            payload = bytes(message.payload) if isinstance(message.payload, bytes | bytearray) else b""
            if payload in seen:
                continue
            seen.add(payload)
            held.append((str(message.topic), payload))
            if len(held) >= 3:
                chance.shuffle(held)
                for topic, again in held:
                    await client.publish(topic, again, qos=1)
                held.clear()


async def test_doubled_and_shuffled_messages_change_nothing(tmp_path: Path) -> None:
    async with field(tmp_path) as (rig, broker, _):
        meddler = asyncio.create_task(meddle(broker.port, random.Random(5)))
        try:
            await asyncio.sleep(2)
            await flowing(rig)
            found = await rig.delivered()
        finally:
            meddler.cancel()
            await asyncio.gather(meddler, return_exceptions=True)
        assert found.at_central == found.stored == rig.emitted() and found.duplicates == 0


@pytest.mark.campaign
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(3))
async def test_kills_at_any_moment(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    async with field(tmp_path, gated=True) as (rig, broker, gate):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            await asyncio.sleep(chance.uniform(0.05, 2.0))
            match chance.choice(("agent", "central", "broker", "link")):
                case "agent":
                    await rig.agent.kill()
                    await rig.agent.start()
                case "central":
                    await rig.central.kill()
                    assert rig.believed()
                    await rig.central.start()
                case "broker":
                    await broker.kill()
                    await broker.start()
                case _:
                    await gate.shut()
                    await asyncio.sleep(chance.uniform(0.0, 1.0))
                    gate.reopen()
        found = await rig.delivered(90)
        assert found.at_central == found.stored > 0 and found.duplicates == 0


async def test_a_stopped_agent_has_stored_and_ended_everything(tmp_path: Path) -> None:
    async with field(tmp_path) as (rig, _, _):
        await rig.until(lambda it: it.stored > 0)
        assert await rig.agent.stop() == 0
        assert rig.tally().stored == rig.emitted()
        assert "stopped" in rig.agent.file.with_suffix(".out").read_text()
        assert rig.agent.pid == 0

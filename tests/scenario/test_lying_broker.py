"""A broker that acknowledges and forgets costs nothing: what counts as delivered is what central says it has committed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from brokers import AnyBroker, Embedded

from bench.rig import Mosquitto
from edge.node import Node
from edge.sim.memory import MemoryDisk
from edge.supervisor import Supervisor
from hardware.clock import SystemClock
from radios.mqtt import Broker, MqttBearer
from sync.exchange import Exchange, Policy
from sync.ids import Lane, Source
from sync.seal.contract import Role
from sync.seal.demo import demo_keyring

NODE, CENTRAL, ITEMS = 7, 1, 20
ROLES = {NODE: Role.MEMBER, CENTRAL: Role.COMMAND}


class End:
    """A node over one MQTT bearer, with a log in memory."""

    def __init__(self, number: int, port: int) -> None:
        clock = SystemClock()
        self.disk = MemoryDisk(lambda life: demo_keyring(b"liar", ROLES, number, life), number, clock.mono)
        policy = Policy(central=frozenset({CENTRAL}), members=frozenset(ROLES))
        self.node = Node(Exchange(self.disk, self.disk.ring, policy, random.Random(number)), Supervisor(clock))
        brokers = [Broker("127.0.0.1", port)]
        self.bearer = MqttBearer(
            "mqtt", brokers, self.disk.ring.incident, number, clock.mono, number == CENTRAL, retry_s=(0.1,)
        )
        self.node.add(self.bearer)

    def known_at(self, source: Source) -> int:
        return len(self.disk.end_of(CENTRAL).get(source, ()))


@pytest.mark.parametrize("kind", [pytest.param(Mosquitto, marks=pytest.mark.peer("mosquitto")), Embedded])
async def test_what_a_broker_took_and_lost_is_sent_again(kind: Callable[..., AnyBroker], tmp_path: Path) -> None:
    broker = kind(tmp_path) if kind is Mosquitto else kind()
    await broker.start()
    end, central = End(NODE, broker.port), End(CENTRAL, broker.port)
    tasks = [asyncio.create_task(end.node.run())]
    async with asyncio.timeout(30):
        for number in range(ITEMS):
            end.disk.add(Lane.COMMAND, b"order %d" % number)
        end.node.nudge()
        while not end.bearer.health.frames_out:  # nobody listens: the broker acknowledges and forgets
            await asyncio.sleep(0.02)
        assert not end.disk.end_of(CENTRAL), "acknowledged is not delivered"
        await broker.kill()
        await broker.start()
        tasks.append(asyncio.create_task(central.node.run()))
        source = Source(NODE, end.disk.incarnation, Lane.COMMAND)
        while not end.known_at(source) or end.known_at(source) < len(end.disk.have()[source]):
            await asyncio.sleep(0.02)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await broker.kill()
    bodies = b"".join(central.disk.read(each) or b"" for each in end.disk._blocks)
    assert bodies and central.disk.have()[source] == end.disk.have()[source]

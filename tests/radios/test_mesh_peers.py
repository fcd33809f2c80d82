"""Independent peers: the meshtastic package's own client on our fake radio, and meshtastic-mcp's replay on our transport."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from meshtastic.mesh_interface import MeshInterface
from meshtastic.protobuf.portnums_pb2 import PortNum
from meshtastic.serial_interface import SerialInterface
from meshtastic.tcp_interface import TCPInterface
from meshtastic_mcp.replay import ReplayParams, ReplaySession, fuzz, sim
from pubsub import pub

from hardware.clock import Clock, SystemClock
from hardware.driver import Health, Heard
from hardware.observation import Observation
from radios.meshtastic.driver import MeshtasticDriver
from radios.meshtastic.facts import Timing
from radios.meshtastic.fake import FakeRadio
from radios.meshtastic.fake_ports import serve_pty, serve_tcp
from radios.meshtastic.packets import node_id
from radios.meshtastic.radio import Radio
from radios.meshtastic.team import Periods, Team


class Received:
    """What the package's client publishes for one interface; kept alive, since its topics hold listeners weakly."""

    def __init__(self) -> None:
        self.packets: list[dict[str, Any]] = []
        pub.subscribe(self.take, "meshtastic.receive")

    def take(self, packet: dict[str, Any], interface: MeshInterface) -> None:
        self.packets.append(packet)


def converse(client: MeshInterface, fake: FakeRadio) -> None:
    """On a thread: what a user of the package does with a radio."""
    try:
        acknowledged = threading.Event()
        assert client.myInfo.my_node_num == fake.number
        assert {node_id(member.number) for member in fake.team.members} <= set(client.nodes)
        assert client.localNode.localConfig.lora.hop_limit == 3
        assert len(client.localNode.channels) == 8
        client.sendData(
            bytes(range(200)),
            destinationId=fake.team.members[0].number,
            portNum=PortNum.PRIVATE_APP,
            wantAck=True,
            onResponse=lambda packet: acknowledged.set(),
            onResponseAckPermitted=True,
        )
        assert acknowledged.wait(10)
        with pytest.raises(MeshInterface.MeshInterfaceError, match="too big"):
            client.sendData(bytes(234), portNum=PortNum.PRIVATE_APP)
    finally:
        client.close()


async def talk(client_on: Any, fake: FakeRadio) -> list[dict[str, Any]]:
    received = Received()
    life = asyncio.create_task(fake.run())
    client = await asyncio.to_thread(client_on)
    await asyncio.to_thread(converse, client, fake)
    life.cancel()
    assert [packet.decoded.payload for packet in fake.sent] == [bytes(range(200))]
    return received.packets


def lively(clock: Clock) -> FakeRadio:
    return FakeRadio(clock, team=Team(clock, 6, periods=Periods(position=0.2, health=0.3, text=0.5)), haste=20)


async def test_the_packages_tcp_client_accepts_the_fake_radio() -> None:
    fake = lively(SystemClock())
    async with serve_tcp(fake) as port:
        packets = await talk(lambda: TCPInterface("127.0.0.1", portNumber=port, timeout=10), fake)
    assert any("decoded" in packet and packet["decoded"]["portnum"] == "POSITION_APP" for packet in packets)


async def test_the_packages_serial_client_accepts_the_fake_radio() -> None:
    fake = lively(SystemClock())
    async with serve_pty(fake) as path:
        packets = await talk(lambda: SerialInterface(path, timeout=10), fake)
    assert any("decoded" in packet and packet["decoded"]["portnum"] == "POSITION_APP" for packet in packets)


class Context:
    """A driver's context that keeps everything."""

    def __init__(self) -> None:
        self.clock: Clock = SystemClock()
        self.observations: list[Observation] = []
        self.things: list[Heard] = []
        self.states: list[tuple[Health, str]] = []

    def emit(self, observation: Observation) -> None:
        self.observations.append(observation)

    def heard(self, item: Heard) -> None:
        self.things.append(item)

    def health(self, state: Health, why: str = "") -> None:
        self.states.append((state, why))


@pytest.fixture
def replay(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ReplaySession]:
    """A seeded synthetic mesh, spoiled by the fuzz preset of the parameter, on a TCP port."""
    monkeypatch.setenv("MESHTASTIC_MCP_DATA_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    spoiled = fuzz.from_spec(request.param, seed=7)
    params = ReplayParams(host="127.0.0.1", port=0, rate=1000, node_delay=0.0, fuzz=spoiled)
    session = ReplaySession("peer", sim.generate(nodes=30, days=1, seed=7), params)
    session.start()
    yield session
    session.stop()
    assert session.state.thread is not None
    session.state.thread.join(5)


@pytest.mark.parametrize("replay", fuzz.PRESET_NAMES, indirect=True)
async def test_replay_with_fuzz_does_not_disturb_us(replay: ReplaySession) -> None:
    clock = SystemClock()
    radio = Radio("mesh0", f"tcp://127.0.0.1:{replay.params.port}", clock, Timing(retry_s=(0.05, 0.1)))
    context = Context()
    driver = asyncio.create_task(MeshtasticDriver("mesh0", radio).run(context))
    async with asyncio.timeout(20):
        while radio.counters.packets < 300:
            assert not driver.done()
            await asyncio.sleep(0.02)
    driver.cancel()
    await asyncio.gather(driver, return_exceptions=True)
    assert radio.counters.connections == 1
    assert context.observations
    assert {item.kind for item in context.things} <= {"name", "text", "waypoint", "alert"}
    for observation in context.observations:
        for value, column in zip(observation.values, observation.profile.columns):
            if value is not None:
                real = value * 10.0**column.exponent
                assert math.isfinite(real)
                assert column.meaning.lo - 1 <= real <= column.meaning.hi + 1
    assert all(text.isprintable() for item in context.things for text in item.body.values() if isinstance(text, str))

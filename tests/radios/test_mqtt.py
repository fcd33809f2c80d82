"""The MQTT bearer over a real mosquitto and over the embedded broker: frames both ways, outages, lies and floods."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from brokers import AnyBroker, Embedded

from bench.rig import Mosquitto, free_port
from hardware.driver import Health
from hardware.errors import FrameTooLong, LinkBusy, LinkDown
from radios.gate import Gate
from radios.mqtt import ARRIVALS, MTU, Broker, MqttBearer, tag

INCIDENT = bytes(range(16))
BOTH = [pytest.param("mosquitto", marks=pytest.mark.peer("mosquitto")), "embedded"]


def make(kind: str, folder: Path) -> AnyBroker:
    return Mosquitto(folder) if kind == "mosquitto" else Embedded()


def bearer(port: int | list[int], node: int, central: bool = False, **more: object) -> MqttBearer:
    ports = [port] if isinstance(port, int) else port
    brokers = [Broker("127.0.0.1", each, **more) for each in ports]  # type: ignore[arg-type]
    return MqttBearer("mqtt0", brokers, INCIDENT, node, time.monotonic, central, retry_s=(0.05, 0.1))


@asynccontextmanager
async def running(*bearers: MqttBearer) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(each.run()) for each in bearers]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(true: Callable[[], object], within_s: float = 8.0) -> None:
    async with asyncio.timeout(within_s):
        while True:
            if true():
                return
            await asyncio.sleep(0.01)


async def insist(sender: MqttBearer, receiver: MqttBearer, frame: bytes) -> bytes:
    """Send until it comes: what replication does, for no broker is trusted."""
    async with asyncio.timeout(8):
        while True:
            try:
                await sender.send(frame)
                return (await asyncio.wait_for(receiver.receive(), 0.5)).frame
            except (LinkDown, LinkBusy, TimeoutError):
                await asyncio.sleep(0.05)


@pytest.mark.peer("mosquitto")
async def test_a_cut_while_nobody_reads_leaves_no_traceback(tmp_path: Path) -> None:
    """The library keeps the reason of a cut for whoever reads messages; a session that ends otherwise never asks for it."""
    unheard: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unheard.append(context))
    broker, tried = Mosquitto(tmp_path), bearer(1, 3)
    await broker.start()
    gate = Gate("127.0.0.1", broker.port)
    port = await gate.start()
    for _ in range(2):
        async with tried._connect(Broker("127.0.0.1", port), modern=True) as client:
            await gate.shut()
            await until(client._disconnected.done)
        gate.reopen()
        del client
        gc.collect()
    await gate.stop()
    await broker.kill()
    assert not unheard


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of its own for 127.0.0.1, and its key."""
    key, cert = folder / "key.pem", folder / "cert.pem"
    make_cert = (
        f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {key} -out {cert} -days 2"
    )
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*make_cert.split(), *names], check=True, capture_output=True)
    return cert, key


@pytest.mark.parametrize("kind", BOTH)
def test_frames_both_ways(kind: str, tmp_path: Path) -> None:
    async def main() -> None:
        broker = make(kind, tmp_path)
        await broker.start()
        node, other, central = bearer(broker.port, 7), bearer(broker.port, 8), bearer(broker.port, 1, central=True)
        async with running(node, other, central):
            await until(lambda: {each.health.state for each in (node, other, central)} == {Health.UP})
            await node.send(b"\x01" * MTU)
            arrival = await asyncio.wait_for(central.receive(), 5)
            assert (len(arrival.frame), arrival.peer) == (MTU, "7")
            await central.send(b"order", "7")
            assert (await asyncio.wait_for(node.receive(), 5)).frame == b"order"
            await central.send(b"to all")
            assert {(await asyncio.wait_for(each.receive(), 5)).frame for each in (node, other)} == {b"to all"}
            assert other.health.frames_in == 1
            await until(lambda: node.health.frames_out == 1)
            assert node.health.bytes_out == MTU
            assert node.health.latency_s is not None
            with pytest.raises(FrameTooLong):
                await node.send(bytes(MTU + 1))
        assert node.health.state is Health.OFF
        with pytest.raises(LinkDown):
            await node.send(b"x")
        await broker.kill()

    asyncio.run(main())


@pytest.mark.parametrize("kind", BOTH)
def test_a_broker_killed_and_back_without_memory(kind: str, tmp_path: Path) -> None:
    async def main() -> None:
        broker = make(kind, tmp_path)
        await broker.start()
        node, central = bearer(broker.port, 7), bearer(broker.port, 1, central=True)
        async with running(node, central):
            await until(lambda: node.health.state is central.health.state is Health.UP)
            assert await insist(node, central, b"before") == b"before"
            await broker.kill()
            await until(lambda: node.health.state is central.health.state is Health.DOWN)
            assert node.health.why.startswith(f"127.0.0.1:{broker.port}: ")
            with pytest.raises(LinkDown):
                await node.send(b"nobody takes this")
            await broker.start()
            assert await insist(node, central, b"after") == b"after"
        await broker.kill()

    asyncio.run(main())


def test_brokers_are_tried_in_order() -> None:
    async def main() -> None:
        broker = Embedded()
        await broker.start()
        node = bearer([free_port(), free_port(), broker.port], 7)
        async with running(node):
            await until(lambda: node.health.state is Health.UP)
            assert node.health.why.startswith(f"127.0.0.1:{broker.port}, MQTT 3.1.1")
        await broker.kill()

    asyncio.run(main())


def test_user_names_open_the_embedded_broker() -> None:
    async def main() -> None:
        broker = Embedded({"v7": "river"})
        await broker.start()
        good = bearer(broker.port, 7, username="v7", password="river")
        bad = bearer(broker.port, 8, username="v7", password="lake")
        nobody = bearer(broker.port, 9)
        async with running(good, bad, nobody):
            await until(lambda: good.health.state is Health.UP)
            await until(lambda: "refused" in bad.health.why and "refused" in nobody.health.why)
        await broker.kill()

    asyncio.run(main())


@pytest.mark.peer("mosquitto", "openssl")
def test_mqtt_5_with_tls_and_the_right_root_only(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)

    async def main() -> None:
        broker = Mosquitto(tmp_path, f"certfile {cert}\nkeyfile {key}\n")
        await broker.start()
        trusting = bearer(broker.port, 7, tls=True, ca_file=str(cert))
        wary = bearer(broker.port, 8, tls=True)
        async with running(trusting, wary):
            await until(lambda: trusting.health.state is Health.UP)
            assert trusting.health.why.endswith("MQTT 5")
            await until(lambda: "certificate" in wary.health.why.lower())
        await broker.kill()

    asyncio.run(main())


@pytest.mark.peer("mosquitto")
@pytest.mark.peer("mosquitto_passwd", "openssl")
def test_a_user_name_over_tls_and_a_wrong_password_said(tmp_path: Path) -> None:
    users = tmp_path / "users"
    subprocess.run(["mosquitto_passwd", "-c", "-b", str(users), "v7", "river"], check=True, capture_output=True)
    users.chmod(0o600)
    cert, key = certificate(tmp_path)
    lines = f"allow_anonymous false\npassword_file {users}\ncertfile {cert}\nkeyfile {key}\n"

    async def main() -> None:
        broker = Mosquitto(tmp_path, lines)
        await broker.start()
        secure = {"tls": True, "ca_file": str(cert)}
        good = bearer(broker.port, 7, username="v7", password="river", **secure)
        bad = bearer(broker.port, 8, username="v7", password="lake", **secure)
        async with running(good, bad):
            await until(lambda: good.health.state is Health.UP)
            await until(lambda: "refused" in bad.health.why)
        await broker.kill()

    asyncio.run(main())


@pytest.mark.peer("mosquitto")
def test_what_came_while_the_other_end_was_away_waits_in_its_session(tmp_path: Path) -> None:
    async def main() -> None:
        broker = Mosquitto(tmp_path)
        await broker.start()
        node, central = bearer(broker.port, 7), bearer(broker.port, 1, central=True)
        async with running(node):
            async with running(central):
                await until(lambda: node.health.state is central.health.state is Health.UP)
            await node.send(b"while you were away")
            await until(lambda: node.health.frames_out == 1)
            async with running(central):
                assert (await asyncio.wait_for(central.receive(), 5)).frame == b"while you were away"
        await broker.kill()

    asyncio.run(main())


def test_a_packet_longer_than_any_of_ours_ends_the_connection() -> None:
    """A hostile broker announces 256 MB and begins to send them."""
    sent = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.read(4096)
        writer.write(b"\x20\x03\x00\x00\x00\x30\xff\xff\xff\x7f")
        with suppress(OSError):
            while True:
                writer.write(bytes(65_536))
                await writer.drain()
                sent += 65_536
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(flood, "127.0.0.1", 0)
        node = bearer(server.sockets[0].getsockname()[1], 7)
        async with running(node):
            await until(lambda: node.health.state is Health.DOWN and node.health.why != "not started")
        server.close()
        assert sent < 64 << 20

    asyncio.run(main())


def test_a_cut_link_is_told_at_once_and_comes_back() -> None:
    async def main() -> None:
        broker = Embedded()
        await broker.start()
        gate = Gate("127.0.0.1", broker.port)
        node, central = bearer(await gate.start(), 7), bearer(broker.port, 1, central=True)
        async with running(node, central):
            await until(lambda: node.health.state is central.health.state is Health.UP)
            for number in range(3):
                frame = bytes([number])
                await gate.shut()
                await until(lambda: node.health.state is Health.DOWN)
                gate.reopen()
                assert await insist(node, central, frame) == frame
            assert gate.outages == 3
            assert gate.forward > 0 < gate.back
        await gate.stop()
        await broker.kill()

    asyncio.run(main())


def test_a_flood_and_wrong_sizes_cost_counters_only() -> None:
    node = bearer(1, 7)
    for _ in range(ARRIVALS + 500):
        node._take("sanduan/x/down/7", b"frame")
    for payload in (b"", bytes(MTU + 1), None, "text"):
        node._take("sanduan/x/down/7", payload)
    assert node.health.refused == {"inbox full": 500, "bad size": 4}


def test_a_broker_that_swallows_is_a_busy_link_not_a_growing_one() -> None:
    """It accepts the connection, takes every frame and acknowledges none."""

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)
        writer.write(b"\x20\x03\x00\x00\x00")
        subscribed = 0
        while data := await reader.read(65536):
            if data[0] == 0x82:
                for at in range(len(data)):
                    if data[at] == 0x82 and at + 4 <= len(data):
                        writer.write(b"\x90\x04" + data[at + 2 : at + 4] + b"\x00\x01")
                        subscribed += 1
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(swallow, "127.0.0.1", 0)
        node = bearer(server.sockets[0].getsockname()[1], 7)
        async with running(node):
            await until(lambda: node.health.state is Health.UP)
            with pytest.raises(LinkBusy):
                for _ in range(1000):
                    await node.send(bytes(1000))
            assert node.budget().messages_left == 0
            assert node.health.frames_out == 0
        server.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    "reply", [b"", b"\x00" * 64, b"HTTP/1.0 400 no\r\n\r\n", b"\x20\xff\xff\xff\xff\xff", b"\xff" * 999]
)
def test_a_broker_that_talks_nonsense(reply: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(reply)
        await writer.drain()
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(talk, "127.0.0.1", 0)
        node = bearer(server.sockets[0].getsockname()[1], 7)
        async with running(node):
            await until(lambda: node.health.state is Health.DOWN and node.health.why != "not started")
        server.close()

    asyncio.run(main())


def test_the_tag_names_no_secret() -> None:
    assert tag(INCIDENT) == tag(INCIDENT) != tag(bytes(16))
    assert INCIDENT.hex()[:8] not in tag(INCIDENT)

"""Bytes that nobody would send: from peers and strangers on a LAN, from a broker, on sticks and in letters, in a bearer's notes."""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
from contextlib import suppress
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hardware.clock import ManualClock, SystemClock
from hardware.driver import Health
from hardware.errors import DecodeError
from radios import groups
from radios.bundle import Damage, read_bundle
from radios.lan import MAGIC, MTU, LanBearer
from radios.meshtastic.airtime import AirBudget
from radios.mqtt import Broker, MqttBearer
from radios.notes import NoteFile
from radios.rdss.slots import Slots

quick = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(st.binary(max_size=400), st.binary(max_size=30))
@quick
def test_a_stick_with_anything_on_it(tmp_path: Path, data: bytes, tail: bytes) -> None:
    path = tmp_path / "x.sdbundle"
    for content in (data, b"SDBUNDLE" + data, data + tail * 3):
        path.write_bytes(content)
        with suppress(DecodeError):
            assert all(isinstance(record, bytes) for record in read_bundle(path, Damage()))


@given(st.lists(st.one_of(st.text(max_size=6), st.from_regex(r"\d{4}", fullmatch=True)), max_size=40))
@quick
def test_a_letter_with_anything_in_it(written: list[str]) -> None:
    with suppress(DecodeError):
        groups.decode(written)


@given(
    st.one_of(
        st.binary(max_size=60), st.text(max_size=60).map(str.encode), st.just(b'{"wait_ms": 1e400, "tokens_us": -9}')
    )
)
@quick
def test_notes_with_anything_in_them(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "notes"
    file.write_bytes(data)
    assert 0 <= Slots(ManualClock(5.0, 1_800_000_000_000), file).wait_s() <= 3600
    air = AirBudget(0.25, 0.0)
    air.restore(NoteFile(file).read() or {}, 0.0, 1_800_000_000_000)
    assert 0 <= air.left_us(0.0) <= air.longest_us


def _prove(data: bytes) -> bytes:
    return hashlib.blake2s(data, key=b"k", digest_size=16).digest()


async def _speaks(port: int, data: bytes, proven: bool) -> None:
    """Connect, prove to be a peer or not, and say something."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with suppress(OSError, asyncio.IncompleteReadError):
        if proven:
            mine = random.Random(1).randbytes(16)
            writer.write(MAGIC + mine)
            hello = await reader.readexactly(len(MAGIC) + 16)
            writer.write(_prove(b"lan" + hello[4:] + mine))
            await reader.readexactly(16)
        writer.write(data)
        await writer.drain()
    writer.close()


def test_a_lan_port_hears_anything_from_anybody() -> None:
    async def main() -> None:
        chance = random.Random(6)
        bearer = LanBearer(SystemClock(), _prove, host="127.0.0.1")
        task = asyncio.create_task(bearer.run())
        while not bearer.port:
            await asyncio.sleep(0.01)
        for turn in range(60):
            size = chance.choice((0, 1, 3, 4, 20, 36, 400))
            head = chance.choice((b"", MAGIC, bytes(4), (5).to_bytes(4), (MTU + 1).to_bytes(4), b"\xff" * 4))
            await _speaks(bearer.port, head + chance.randbytes(size), turn % 2 == 0)
        friend = LanBearer(SystemClock(), _prove, host="127.0.0.1", peers=[f"127.0.0.1:{bearer.port}"], retry_s=0.1)
        other = asyncio.create_task(friend.run())
        async with asyncio.timeout(10):
            while not friend.peers:
                await asyncio.sleep(0.02)
            await friend.send(b"good")
            while (await bearer.receive()).frame != b"good":
                pass
        assert not task.done()
        for each in (task, other):
            each.cancel()
        await asyncio.gather(task, other, return_exceptions=True)

    asyncio.run(main())


def test_a_broker_says_anything() -> None:
    """After its greeting, and instead of it; the bearer ends the connection or goes on, and tries again."""

    async def main() -> None:
        chance, said = random.Random(7), 0

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal said
            said += 1
            try:
                await reader.read(4096)
                if said % 3:
                    writer.write(b"\x20\x03\x00\x00\x00")
                kind = chance.choice((0x20, 0x30, 0x32, 0x40, 0x90, 0xD0, 0xE0, 0xF0, 0x00))
                body = chance.randbytes(chance.choice((0, 1, 2, 9, 60)))
                writer.write(
                    bytes((kind | chance.randrange(16), len(body))) + body + chance.randbytes(chance.randrange(9))
                )
                await writer.drain()
                await asyncio.sleep(0.02)
            except OSError:
                return
            finally:
                writer.transport.abort()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        bearer = MqttBearer("mqtt", [Broker("127.0.0.1", port)], bytes(16), 7, time.monotonic, retry_s=(0.0,))
        task = asyncio.create_task(bearer.run())
        async with asyncio.timeout(20):
            while said < 40:
                await asyncio.sleep(0.02)
        assert not task.done() and bearer.health.why
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert bearer.health.state is Health.OFF
        server.close()

    asyncio.run(main())

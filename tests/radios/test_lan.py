"""LAN: peers find each other and are equal within seconds; a stranger gets nothing and can fill nothing."""

from __future__ import annotations

import asyncio
import hashlib
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from hardware.clock import SystemClock
from hardware.driver import Health
from hardware.errors import FrameTooLong, LinkDown
from radios.lan import ADDRESSES, MAGIC, MTU, STRANGERS, LanBearer


def keyed(key: bytes) -> Callable[[bytes], bytes]:
    return lambda message: hashlib.blake2s(message, key=key, digest_size=16).digest()


@asynccontextmanager
async def running(*bearers: LanBearer) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(bearer.run()) for bearer in bearers]
    try:
        await until(lambda: all(bearer.port for bearer in bearers))
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(true: Callable[[], object], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.01)


def bearer(key: bytes = b"k") -> LanBearer:
    return LanBearer(SystemClock(), keyed(key), host="127.0.0.1")


async def test_two_peers_exchange_frames_both_ways() -> None:
    a, b = bearer(), bearer()
    async with running(a, b):
        b.add_peer(f"127.0.0.1:{a.port}")
        await until(lambda: a.peers and b.peers)
        await b.send(b"hello")
        arrival = await asyncio.wait_for(a.receive(), 2)
        await a.send(b"y" * 100_000, arrival.peer)
        assert (arrival.frame, (await asyncio.wait_for(b.receive(), 2)).frame) == (b"hello", b"y" * 100_000)
        assert a.health.state is Health.UP and a.health.bytes_in == 9


async def test_without_peers_it_is_down_and_says_so() -> None:
    a = bearer()
    async with running(a):
        with pytest.raises(LinkDown):
            await a.send(b"x")
        assert a.budget().bytes_left == 0 and a.health.why == "no peer in reach"
        with pytest.raises(FrameTooLong):
            await a.send(b"x" * (MTU + 1))


async def test_a_stranger_gets_nothing() -> None:
    a, thief = bearer(), bearer(b"other")
    async with running(a, thief):
        thief.add_peer(f"127.0.0.1:{a.port}")
        await until(lambda: a.health.refused.get("peer without the incident's key"))
        assert not a.peers and not thief.peers


async def test_a_reflected_challenge_proves_nothing() -> None:
    """A stranger that echoes our own hello and proof back at us stays a stranger."""
    a = bearer()
    async with running(a):
        reader, writer = await asyncio.open_connection("127.0.0.1", a.port)
        hello = await reader.readexactly(len(MAGIC) + 16)
        writer.write(MAGIC + bytes(8) + hello[12:])
        writer.write(await reader.readexactly(16))
        await until(lambda: a.health.refused)
        assert not a.peers
        writer.close()


async def test_silent_strangers_are_few_and_short() -> None:
    a = bearer()
    async with running(a):
        writers = [(await asyncio.open_connection("127.0.0.1", a.port))[1] for _ in range(STRANGERS + 4)]
        await until(lambda: a.health.refused.get("too many strangers at once", 0) >= 4)
        await until(lambda: a.health.refused.get("peer without the incident's key", 0) >= STRANGERS)
        for writer in writers:
            writer.close()


async def test_a_flood_of_strangers_keeps_no_peer_out() -> None:
    """Two thousand connections that say nothing, or garbage little by little; a peer that only listens gets in all the while."""
    a, b = bearer(), bearer()
    held: list[asyncio.StreamWriter] = []

    async def flood() -> None:
        for number in range(2000):
            held.append((await asyncio.open_connection("127.0.0.1", a.port))[1])
            held[-1].write(MAGIC + bytes(3) if number % 2 else b"\xff" * 7)
            if len(held) > 100:
                held.pop(0).close()

    async with running(a, b):
        flooding = asyncio.create_task(flood())
        await until(lambda: a.health.refused.get("too many strangers at once"))
        b.add_peer(f"127.0.0.1:{a.port}")
        await until(lambda: a.peers and b.peers)
        await b.send(b"through")
        assert (await asyncio.wait_for(a.receive(), 5)).frame == b"through"
        await flooding
        assert len(a._strangers) <= STRANGERS and len(a.peers) == 1
        for writer in held:
            writer.close()
        await until(lambda: not a._strangers)


async def test_announced_lies_are_few_and_keep_no_peer_out() -> None:
    a, b = bearer(), bearer()
    async with running(a, b):
        for port in range(1, 40):
            b.add_peer(f"127.0.0.1:{port}")
        await until(lambda: all(b._wanted.values()))
        b.add_peer(f"127.0.0.1:{a.port}")
        for port in range(40, 200):
            b.add_peer(f"127.0.0.1:{port}")
        assert len(b._wanted) <= ADDRESSES
        await until(lambda: a.peers and b.peers)


async def test_stopped_it_lets_go_of_whoever_was_greeting() -> None:
    a = bearer()
    async with running(a):
        reader, writer = await asyncio.open_connection("127.0.0.1", a.port)
        await reader.readexactly(len(MAGIC) + 16)
    assert await asyncio.wait_for(reader.read(), 2) == b""
    writer.close()


async def test_an_absurd_length_ends_the_connection_only() -> None:
    a, b = bearer(), bearer()
    async with running(a, b):
        b.add_peer(f"127.0.0.1:{a.port}")
        await until(lambda: a.peers and b.peers)
        next(iter(b._peers.values())).writer.write(struct.pack(">I", 1 << 31))
        await until(lambda: a.health.refused.get("frame too long"))
        await until(lambda: a.peers, 8)
        await b.send(b"again")
        assert (await asyncio.wait_for(a.receive(), 2)).frame == b"again"


async def test_it_never_talks_to_itself() -> None:
    a = bearer()
    async with running(a):
        a.add_peer(f"127.0.0.1:{a.port}")
        await until(lambda: a.health.refused)
        assert not a.peers

"""The MQTT broker that central embeds when no bearer is configured: amqtt (MQTT 3.1.1), in memory, no durability asked of it.

This listener stands in front of amqtt, which waits without end for a client that speaks MQTT 5 with properties and takes
packets of any size: it tells such clients to use 3.1.1, and ends connections that are no MQTT or send too much at once.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from amqtt.adapters import ReaderAdapter, StreamWriterAdapter
from amqtt.broker import Broker
from amqtt.contexts import BrokerConfig, ListenerConfig, ListenerType
from amqtt.plugins.base import BaseAuthPlugin
from amqtt.session import Session

from hardware.errors import DecodeError, PortBusy

CONNECTIONS: Final = 1000
SESSION_S: Final = 600  # what waits for a client that is away is kept no longer
HELLO_S: Final = 10.0
STOP_S: Final = 2.0
PACKET: Final = 1 << 17
CONNECT: Final = 0x10
MQTT_3_1_1: Final = 4
WRONG_VERSION: Final = {5: b"\x20\x03\x00\x84\x00"}  # CONNACK of MQTT 5: unsupported protocol version
WRONG_VERSION_OLD: Final = b"\x20\x02\x00\x01"

for _name in ("amqtt", "transitions"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)  # a refused or broken client is not this node's news


class Users(BaseAuthPlugin):  # type: ignore[misc]
    """Lets in the users of the table; everybody when it is empty."""

    @dataclass
    class Config:
        """users: user name -> password."""

        users: dict[str, str] = field(default_factory=dict)

    async def authenticate(self, *, session: Session) -> bool | None:
        """Whether name and password are those of the table."""
        users: Mapping[str, str] = self.config.users
        wanted = users.get(session.username or "")
        given = session.password or ""
        if isinstance(given, bytes | bytearray):
            given = bytes(given).decode("utf-8", "replace")
        return not users or (wanted is not None and hmac.compare_digest(wanted.encode(), given.encode()))


class _Reader(ReaderAdapter):  # type: ignore[misc]
    """amqtt's view of a connection: the bytes already looked at come first; a read larger than PACKET ends it."""

    def __init__(self, first: bytes, reader: asyncio.StreamReader) -> None:
        self._first, self._reader = first, reader

    async def read(self, n: int = -1) -> bytes:
        """Exactly n bytes."""
        if n > PACKET or n < 0:
            raise asyncio.IncompleteReadError(b"", n)
        head, self._first = self._first[:n], self._first[n:]
        return head + await self._reader.readexactly(n - len(head)) if len(head) < n else head

    def feed_eof(self) -> None:
        """No more will be read."""
        self._reader.feed_eof()


async def _hello(reader: asyncio.StreamReader) -> tuple[bytes, int]:
    """The first bytes of a CONNECT, up to and including the protocol level, and that level; DecodeError on anything else."""
    first = await reader.readexactly(2)
    while first[-1] & 128 and len(first) < 5:
        first += await reader.readexactly(1)
    first += await reader.readexactly(7)
    if first[0] != CONNECT or first[-7:-1] != b"\x00\x04MQTT":
        raise DecodeError("not an MQTT client")
    return first, first[-1]


class EmbeddedBroker:
    """A supervised service: listens on host:port until cancelled; raises PortBusy when it cannot. port 0: any free one;
    `up` is told where it listens."""

    def __init__(
        self,
        host: str,
        port: int,
        users: Mapping[str, str] | None = None,
        up: Callable[[str], None] = lambda where: None,
    ) -> None:
        self.host, self.port, self._up = host, port, up
        self.ready = asyncio.Event()
        plugins = {f"{Users.__module__}.{Users.__qualname__}": {"users": dict(users or {})}}
        listener = ListenerConfig(type=ListenerType.EXTERNAL, bind="external")
        self._config = BrokerConfig(listeners={"default": listener}, plugins=plugins, session_expiry_interval=SESSION_S)
        self._clients: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Serve until cancelled."""
        broker = Broker(self._config)

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._serve(broker, reader, writer)

        try:
            server = await asyncio.start_server(accept, self.host, self.port)
        except OSError as error:
            raise PortBusy(f"cannot listen on {self.host}:{self.port} (端口不可用): {error.strerror}") from None
        self.port = int(server.sockets[0].getsockname()[1])
        await broker.start()
        self.ready.set()
        self._up(f"{self.host}:{self.port}")
        try:
            await asyncio.Event().wait()
        finally:
            self.ready.clear()
            server.close()
            for client in list(self._clients):
                client.cancel()
            await asyncio.gather(*self._clients, return_exceptions=True)
            with suppress(TimeoutError):  # it may wait for a client that left in mid-message
                async with asyncio.timeout(STOP_S):
                    await broker.shutdown()

    async def _serve(self, broker: Broker, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, from its first byte to its last."""
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        try:
            if len(self._clients) <= CONNECTIONS:
                await self._admit(broker, reader, writer)
        except (OSError, EOFError, TimeoutError, DecodeError, asyncio.CancelledError):
            pass  # the client left, never spoke MQTT, or the broker stops: closed below
        finally:
            self._clients.discard(task)
            writer.transport.abort()

    async def _admit(self, broker: Broker, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(HELLO_S):
            first, level = await _hello(reader)
        if level == MQTT_3_1_1:
            await broker.external_connected(_Reader(first, reader), StreamWriterAdapter(writer), "default")
            return
        writer.write(WRONG_VERSION.get(level, WRONG_VERSION_OLD))
        await writer.drain()
        writer.close()
        await writer.wait_closed()

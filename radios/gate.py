"""A TCP gate: carries a port to another while open, counts every byte both ways, and cuts everything when shut.

A link that goes up and down on purpose, for the demo, the tests and the benchmarks.
"""

from __future__ import annotations

import asyncio
import math
from typing import Final

CHUNK: Final = 65_536
PIECE_S: Final = 0.05  # a limited rate is kept over so long


class Gate:
    """Listens on a loopback port and forwards to host:port, at most `rate` bytes per second each way. `forward` and `back`
    count bytes, `outages` how often it shut."""

    def __init__(self, host: str, port: int, rate: float = math.inf) -> None:
        self.host, self.target, self.rate = host, port, rate
        self.port = 0
        self.open = True
        self.forward = self.back = self.outages = self.connections = 0
        self._server: asyncio.Server | None = None
        self._pairs: set[asyncio.Task[None]] = set()

    async def start(self, port: int = 0) -> int:
        """Begin to listen on loopback; the port."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", port)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self.port

    async def stop(self) -> None:
        """Cut everything and stop listening."""
        if self._server is not None:
            self._server.close()
        await self._cut()

    async def shut(self) -> None:
        """Cut what is connected and refuse the rest until `reopen`."""
        if self.open:
            self.open, self.outages = False, self.outages + 1
            await self._cut()

    def reopen(self) -> None:
        """Carry again."""
        self.open = True

    async def _cut(self) -> None:
        pairs = list(self._pairs)
        for pair in pairs:
            pair.cancel()
        await asyncio.gather(*pairs, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pair = asyncio.current_task()
        assert pair is not None
        self._pairs.add(pair)
        try:
            if self.open:
                await self._carry(reader, writer)
        except asyncio.CancelledError:
            pass
        except OSError:
            pass  # either end gone: both are closed below
        finally:
            self._pairs.discard(pair)
            writer.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(self.host, self.target)
        self.connections += 1
        ways = [
            asyncio.create_task(self._copy(reader, far_writer, "forward")),
            asyncio.create_task(self._copy(far_reader, writer, "back")),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            far_writer.transport.abort()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: str) -> None:
        loop, chunk = asyncio.get_running_loop(), int(min(CHUNK, max(1, self.rate * PIECE_S)))
        due = loop.time()
        while data := await reader.read(chunk):
            setattr(self, way, getattr(self, way) + len(data))
            writer.write(data)
            await writer.drain()
            due = max(due, loop.time() - PIECE_S) + len(data) / self.rate
            if due > loop.time():
                await asyncio.sleep(due - loop.time())

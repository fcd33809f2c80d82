"""LAN bearer: direct peers over TCP, found by zeroconf or listed; no broker, no server. docs/wire/lan.md has the bytes.

A connection begins with a challenge each way under the incident's transit key; whoever cannot answer it is told nothing,
sends nothing, and is dropped after a second. Frames are then length-prefixed, u32 big-endian.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import os
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from hardware.clock import Clock
from hardware.driver import Health
from hardware.errors import FrameTooLong, LinkBusy, LinkDown
from radios.bearer import Arrival, Budget, Limits, LinkHealth

MAGIC: Final = b"SDL1"
NONCE: Final = 16
PROOF: Final = 16
HELLO_S: Final = 1.0  # a peer on a LAN answers in milliseconds
RETRY_S: Final = 2.0
STRANGERS: Final = 8  # connections at once that have not proven anything yet
QUEUE: Final = 64
MTU: Final = 256 * 1024

Prove = Callable[[bytes], bytes]


@dataclass(slots=True)
class _Peer:
    """A proven connection and the address it is known by."""

    address: str
    writer: asyncio.StreamWriter
    tasks: set[asyncio.Task[None]] = field(default_factory=set)


class LanBearer:
    """Listens, dials the listed and found peers, and sends each frame to one or all of them.

    prove: 16-byte keyed digest under the transit key (both sides hold it); name: this node's own, so that it never dials itself.
    """

    def __init__(
        self,
        clock: Clock,
        prove: Prove,
        name: str = "lan",
        host: str = "0.0.0.0",
        port: int = 0,
        peers: Iterable[str] = (),
    ) -> None:
        self.name = name
        self.limits = Limits(mtu=MTU, rate=12_500_000.0)
        self.health = LinkHealth()
        self.port = port
        self._clock, self._prove, self._host = clock, prove, host
        self._wanted: set[str] = set(peers)
        self._peers: dict[str, _Peer] = {}
        self._arrivals: asyncio.Queue[Arrival] = asyncio.Queue(QUEUE)
        self._strangers = 0
        self._self = os.urandom(8)  # so that two ends of one program are told apart from two nodes

    def add_peer(self, address: str) -> None:
        """Dial `host:port` from now on (zeroconf found it)."""
        self._wanted.add(address)

    @property
    def peers(self) -> list[str]:
        """Addresses of the peers proven and connected now."""
        return sorted(self._peers)

    async def run(self) -> None:
        """Listen and dial until cancelled."""
        server = await asyncio.start_server(self._accept, self._host, self.port)
        self.port = server.sockets[0].getsockname()[1]
        self._turn(Health.DOWN, "no peer in reach")
        dialled: dict[str, asyncio.Task[None]] = {}
        try:
            while True:
                for address in self._wanted:
                    if address not in dialled:
                        dialled[address] = asyncio.create_task(self._dial(address))
                await asyncio.sleep(RETRY_S / 4)
        finally:
            for task in dialled.values():
                task.cancel()
            server.close()
            for peer in list(self._peers.values()):
                self._drop(peer)

    async def send(self, frame: bytes, to: str = "") -> None:
        """Write to one peer, or to all when `to` is empty; waits while the peer's socket is full."""
        if len(frame) > MTU:
            raise FrameTooLong(f"{len(frame)} bytes, at most {MTU}")
        chosen = [self._peers[to]] if to in self._peers else [] if to else list(self._peers.values())
        if not chosen:
            raise LinkDown("no peer in reach")
        for peer in chosen:
            peer.writer.writelines((struct.pack(">I", len(frame)), frame))
            try:
                await asyncio.wait_for(peer.writer.drain(), 10)
            except (ConnectionError, TimeoutError) as error:
                self._drop(peer)
                raise LinkBusy(f"{peer.address}: {error or 'stalled'}", RETRY_S) from error
            self.health.bytes_out += len(frame) + 4
        self.health.frames_out += 1
        self.health.last_out = self._clock.mono()

    async def receive(self) -> Arrival:
        """The next frame of any peer."""
        return await self._arrivals.get()

    def budget(self) -> Budget:
        """A LAN has no budget to speak of while anyone is there."""
        return Budget(1 << 30, 1 << 16) if self._peers else Budget(0, 0, RETRY_S)

    async def _dial(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        while True:
            if address not in self._peers:
                with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
                    reader, writer = await asyncio.wait_for(asyncio.open_connection(host, int(port)), HELLO_S * 3)
                    await self._serve(reader, writer, address)
            await asyncio.sleep(RETRY_S)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._strangers >= STRANGERS:
            self._refuse("too many strangers at once")
            writer.close()
            return
        host, port = writer.get_extra_info("peername")[:2]
        with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
            await self._serve(reader, writer, f"{host}:{port}")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, address: str) -> None:
        """Greet, then read frames until the connection ends."""
        self._strangers += 1
        try:
            proven = await asyncio.wait_for(self._greet(reader, writer), HELLO_S)
        except TimeoutError:
            proven = False
        finally:
            self._strangers -= 1
        if not proven:
            self._refuse("peer without the incident's key")
            writer.close()
            return
        peer = self._peers[address] = _Peer(address, writer)
        self._turn(Health.UP, self._who())
        try:
            while True:
                await self._read(reader, address)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._drop(peer)

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Challenge and answer; neither side says anything else before the other has proven itself."""
        mine = self._self + os.urandom(NONCE - 8)
        writer.write(MAGIC + mine)
        theirs = await reader.readexactly(len(MAGIC) + NONCE)
        if theirs[:4] != MAGIC or theirs[4:12] == self._self:
            return False
        writer.write(self._proof(theirs[4:], mine))
        return hmac.compare_digest(await reader.readexactly(PROOF), self._proof(mine, theirs[4:]))

    def _proof(self, challenge: bytes, own: bytes) -> bytes:
        """What only a holder of the transit key can say to `challenge`; bound to the speaker's own nonce against reflection."""
        return self._prove(b"lan" + challenge + own)[:PROOF]

    async def _read(self, reader: asyncio.StreamReader, address: str) -> None:
        (length,) = struct.unpack(">I", await reader.readexactly(4))
        if length > MTU:
            self._refuse("frame too long")
            raise ConnectionResetError
        frame = await reader.readexactly(length)
        now = self._clock.mono()
        self.health.bytes_in += length + 4
        self.health.frames_in += 1
        self.health.last_in = now
        await self._arrivals.put(Arrival(frame, address, now))

    def _drop(self, peer: _Peer) -> None:
        peer.writer.close()
        if self._peers.get(peer.address) is peer:
            del self._peers[peer.address]
        self._turn(*((Health.UP, self._who()) if self._peers else (Health.DOWN, "no peer in reach")))

    def _who(self) -> str:
        return f"{len(self._peers)} peer{'s' if len(self._peers) != 1 else ''}"

    def _turn(self, state: Health, why: str) -> None:
        self.health.turn(state, why, self._clock.mono())

    def _refuse(self, why: str) -> None:
        self.health.refused[why] = self.health.refused.get(why, 0) + 1

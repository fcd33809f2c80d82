"""LAN bearer: direct peers over TCP, found by zeroconf or listed; no broker, no server. docs/wire/lan.md has the bytes.

A connection begins with a challenge each way under the incident's transit key; whoever cannot answer it is told nothing,
sends nothing, and is dropped after a second. Frames are then length-prefixed, u32 big-endian; length 0 is a sign of life.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import math
import os
import struct
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final

from hardware.clock import Clock
from hardware.driver import Health
from hardware.errors import FrameTooLong, LinkBusy, LinkDown
from radios.bearer import Arrival, Budget, Limits, LinkHealth

MAGIC: Final = b"SDL1"
NONCE: Final = 16
SELF: Final = 8  # bytes of the nonce that stay the same while the program runs
PROOF: Final = 16
HELLO_S: Final = 1.0  # a peer on a LAN answers in milliseconds
RETRY_S: Final = 2.0
STALL_S: Final = 10.0
QUIET_S: Final = 4.0  # a peer with nothing to say gives a sign of life so often
SILENT_S: Final = 12.0  # and is gone when nothing at all came for so long
RACE_S: Final = 3.0  # two connections to one peer within this time were dialled from both ends at once
STRANGERS: Final = 8  # connections at once that have not proven anything yet
ADDRESSES: Final = 64  # addresses that are dialled
QUEUE: Final = 64
MTU: Final = 256 * 1024

Prove = Callable[[bytes], bytes]
Found = Callable[[str], None]
Finder = Callable[[int, Found], Awaitable[None]]  # looks for peers of a node that listens on that port, until cancelled


@dataclass(slots=True)
class _Peer:
    """A proven connection. run: what names the other program's run; rank: which of two connections both ends keep."""

    address: str
    run: bytes
    rank: tuple[bool, bytes]
    writer: asyncio.StreamWriter
    since: float
    heard: float


class LanBearer:
    """Listens, dials the listed and found peers, and sends each frame to one or all of them; one connection to each.

    prove: 16-byte keyed digest under the transit key (both sides hold it); find: looks for more peers while it runs.
    """

    def __init__(
        self,
        clock: Clock,
        prove: Prove,
        name: str = "lan",
        host: str = "0.0.0.0",
        port: int = 0,
        peers: Iterable[str] = (),
        find: Finder | None = None,
        retry_s: float = RETRY_S,
    ) -> None:
        self.name = name
        self.limits = Limits(mtu=MTU, rate=12_500_000.0)
        self.health = LinkHealth(since=clock.mono())
        self.port = port
        self._clock, self._prove, self._host, self._find, self._retry_s = clock, prove, host, find, retry_s
        self._listed = tuple(dict.fromkeys(peers))
        self._wanted: dict[str, asyncio.Task[None] | None] = dict.fromkeys(self._listed)
        self._runs: dict[str, bytes] = {}  # who answered last at an address
        self._peers: dict[str, _Peer] = {}
        self._arrivals: asyncio.Queue[Arrival] = asyncio.Queue(QUEUE)
        self._strangers: dict[
            asyncio.StreamWriter, str
        ] = {}  # who called and has not proven anything yet, oldest first
        self._self = os.urandom(SELF)

    def add_peer(self, address: str) -> None:
        """Dial `host:port` from now on (zeroconf found it); of too many, one that was tried and never proved itself makes room."""
        if address in self._wanted:
            return
        if len(self._wanted) >= ADDRESSES:
            useless = [
                (each, task)
                for each, task in self._wanted.items()
                if task is not None and each not in self._runs and each not in self._listed
            ]
            if not useless:
                return
            each, task = useless[0]
            del self._wanted[each]
            task.cancel()
        self._wanted[address] = None

    @property
    def peers(self) -> list[str]:
        """Addresses of the peers proven and connected now."""
        return sorted(self._peers)

    async def run(self) -> None:
        """Listen and dial until cancelled."""
        try:
            server = await asyncio.start_server(self._accept, self._host, self.port)
        except OSError as error:
            raise LinkDown(f"cannot listen on {self._host}:{self.port} (端口不可用): {error.strerror}") from None
        self.port = server.sockets[0].getsockname()[1]
        self._turn(Health.DOWN, "no peer in reach")
        finding = None if self._find is None else asyncio.ensure_future(self._find(self.port, self.add_peer))
        try:
            while True:
                for address, task in self._wanted.items():
                    if task is None:
                        self._wanted[address] = asyncio.create_task(self._dial(address))
                await asyncio.sleep(self._retry_s / 4)
        finally:
            server.close()
            for task in (finding, *self._wanted.values()):
                if task is not None:
                    task.cancel()
            self._wanted = dict.fromkeys(self._wanted)
            for stranger in list(self._strangers):
                stranger.transport.abort()
            for peer in list(self._peers.values()):
                self._drop(peer)
            self._turn(Health.OFF, "stopped")

    async def send(self, frame: bytes, to: str = "") -> None:
        """Write to one peer, or to all when `to` is empty; waits while a peer's socket is full. LinkBusy when none took it."""
        if len(frame) > MTU:
            raise FrameTooLong(f"{len(frame)} bytes, at most {MTU}")
        chosen = [self._peers[to]] if to in self._peers else [] if to else list(self._peers.values())
        if not chosen:
            raise LinkDown(f"{to}: not in reach" if to else "no peer in reach")
        for peer in chosen:
            peer.writer.writelines((struct.pack(">I", len(frame)), frame))
        took = [await self._drained(peer) for peer in chosen]
        if not any(took):
            raise LinkBusy(f"{chosen[0].address}: stalled", self._retry_s)
        self.health.sent((len(frame) + 4) * sum(took), self._clock.mono())

    async def _drained(self, peer: _Peer) -> bool:
        """Whether the peer's socket has room again; one that stalls is dropped."""
        try:
            async with asyncio.timeout(STALL_S):
                await peer.writer.drain()
        except (ConnectionError, TimeoutError):
            self._drop(peer)
            return False
        return True

    async def receive(self) -> Arrival:
        """The next frame of any peer."""
        return await self._arrivals.get()

    def budget(self) -> Budget:
        """A LAN has no budget to speak of while anyone is there."""
        return Budget(1 << 30, 1 << 16) if self._peers else Budget(0, 0, self._retry_s)

    async def _dial(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        while True:
            if self._of_run(self._runs.get(address)) is None:
                with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
                    async with asyncio.timeout(HELLO_S * 3):
                        reader, writer = await asyncio.open_connection(host.strip("[]"), int(port))
                    await self._serve(reader, writer, address, dialled=True)
            await asyncio.sleep(self._retry_s)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = (writer.get_extra_info("peername") or ("", 0))[:2]
        self._make_room()
        self._strangers[writer] = host
        with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
            await self._serve(reader, writer, f"{host}:{port}", dialled=False)

    def _make_room(self) -> None:
        """Of too many strangers the one that has waited longest goes, of the host that sent most: a peer proves itself at once."""
        if len(self._strangers) >= STRANGERS:
            self.health.refuse("too many strangers at once")
            loudest = Counter(self._strangers.values()).most_common(1)[0][0]
            oldest = next(writer for writer, host in self._strangers.items() if host == loudest)
            del self._strangers[oldest]
            oldest.transport.abort()

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, address: str, dialled: bool
    ) -> None:
        """Greet, then read frames until the connection ends."""
        try:
            async with asyncio.timeout(HELLO_S):
                peer = await self._greet(reader, writer, address, dialled)
        except (TimeoutError, OSError, asyncio.IncompleteReadError):
            peer = None
            self.health.refuse("peer without the incident's key")
        except asyncio.CancelledError:
            writer.transport.abort()
            raise
        finally:
            self._strangers.pop(writer, None)
        if peer is None or not self._admit(peer):
            writer.close()
            return
        watch = asyncio.create_task(self._watch(peer))
        try:
            while True:
                await self._read(reader, peer)
        finally:
            watch.cancel()
            self._drop(peer)

    async def _greet(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, address: str, dialled: bool
    ) -> _Peer | None:
        """Challenge and answer; neither side says anything else before the other has proven itself."""
        mine = self._self + os.urandom(NONCE - SELF)
        started = self._clock.mono()
        writer.write(MAGIC + mine)
        hello = await reader.readexactly(len(MAGIC) + NONCE)
        theirs, run = hello[4:], hello[4 : 4 + SELF]
        if hello[:4] != MAGIC or run == self._self:
            self.health.refuse("this node itself" if run == self._self else "peer without the incident's key")
            return None
        if dialled and self._of_run(run) is not None:
            self._runs[address] = run  # reached by another address of its own
            return None
        writer.write(self._proof(theirs, mine))
        if not hmac.compare_digest(await reader.readexactly(PROOF), self._proof(mine, theirs)):
            self.health.refuse("peer without the incident's key")
            return None
        now = self._clock.mono()
        self.health.latency_s = now - started
        if dialled:
            self._runs[address] = run
        return _Peer(address, run, (dialled == (self._self < run), mine if dialled else theirs), writer, now, now)

    def _admit(self, peer: _Peer) -> bool:
        """One connection to each peer: of two dialled from both ends at once both keep the same, else the newer."""
        other = self._of_run(peer.run)
        if other is not None:
            if peer.since - other.since < RACE_S and other.rank > peer.rank:
                return False
            self._drop(other)
        self._peers[peer.address] = peer
        self._turn(Health.UP, self._who())
        return True

    def _of_run(self, run: bytes | None) -> _Peer | None:
        return next((peer for peer in self._peers.values() if peer.run == run), None)

    def _proof(self, challenge: bytes, own: bytes) -> bytes:
        """What only a holder of the transit key can say to `challenge`; bound to the speaker's own nonce against reflection."""
        return self._prove(b"lan" + challenge + own)[:PROOF]

    async def _watch(self, peer: _Peer) -> None:
        """Give signs of life, and drop a peer that gives none."""
        while self._clock.mono() - peer.heard < SILENT_S:
            if not peer.writer.transport.get_write_buffer_size():
                peer.writer.write(bytes(4))
            await asyncio.sleep(QUIET_S)
        peer.writer.transport.abort()

    async def _read(self, reader: asyncio.StreamReader, peer: _Peer) -> None:
        (length,) = struct.unpack(">I", await reader.readexactly(4))
        if length > MTU:
            self.health.refuse("frame too long")
            raise ConnectionResetError
        frame = await reader.readexactly(length)
        now = self._clock.mono()
        if length:
            self.health.got(length + 4, now)
            peer.heard = math.inf  # while our own queue is full the peer is not to blame
            await self._arrivals.put(Arrival(frame, peer.address, now))
        peer.heard = self._clock.mono()

    def _drop(self, peer: _Peer) -> None:
        peer.writer.close()
        if self._peers.get(peer.address) is peer:
            del self._peers[peer.address]
            self._turn(*((Health.UP, self._who()) if self._peers else (Health.DOWN, "no peer in reach")))

    def _who(self) -> str:
        return f"{len(self._peers)} peer{'s' if len(self._peers) != 1 else ''}"

    def _turn(self, state: Health, why: str) -> None:
        self.health.turn(state, why, self._clock.mono())

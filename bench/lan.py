"""LAN: sealed history from one node to another over loopback TCP, both ends on one core: sealed, framed, MACed, sent, checked, opened."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from hardware.clock import SystemClock
from radios.lan import LanBearer
from sync.carried import Carried, blocks_frame, read_frame
from sync.ids import BlockId, KeyClass, Lane
from sync.intake import opened
from sync.seal.contract import MAC, Role
from sync.seal.demo import demo_keyrings
from sync.seal.keyring import Keyring

BLOCK: Final = 32 * 1024
IN_FRAME: Final = 7  # blocks of one frame: 224 KiB, below the bearer's 256
SEED: Final = b"bench lan"
SENDER, RECEIVER = 1, 2


def run(megabytes: int = 256) -> dict[str, Any]:
    """Bytes of sealed blocks per second from the sealing at one end to the opened body at the other; MB are 10^6 bytes."""
    rings = demo_keyrings(SEED, {SENDER: Role.MEMBER, RECEIVER: Role.COMMAND})
    count = max(1, megabytes * 10**6 // (BLOCK * IN_FRAME))
    size, blocks, sealing, moving = asyncio.run(_move(rings[SENDER], rings[RECEIVER], count))
    rate = size / moving
    return {
        "bytes": size,
        "blocks": blocks,
        "seed": SEED.decode(),
        "seconds": round(moving, 3),
        "MBps": round(rate / 1e6, 1),
        "of_which_sealing_s": round(sealing, 3),
        "bar_MBps": 50,
        "ok": rate >= 50e6 and blocks == count * IN_FRAME,
        "note": "both ends and their cryptography share one core; commits to the store are not part of it (see carry)",
    }


def _frames(ring: Keyring, count: int, spent: list[float]) -> Iterator[bytes]:
    body = random.Random(SEED).randbytes(BLOCK - 64)
    for frame in range(count):
        start = time.perf_counter()
        group = []
        for at in range(IN_FRAME):
            block_id = BlockId(SENDER, ring.incarnation, Lane.HISTORY, frame * IN_FRAME + at)
            group.append(Carried(block_id, ring.seal(block_id, KeyClass.FIELD, b"\x01" + body)))
        plain = blocks_frame(group)
        sealed = plain + ring.mac(plain)
        spent.append(time.perf_counter() - start)
        yield sealed


async def _move(sender: Keyring, receiver: Keyring, count: int) -> tuple[int, int, float, float]:
    """Bytes, blocks opened, seconds of sealing, seconds altogether."""
    here, there = (LanBearer(SystemClock(), ring.prove, host="127.0.0.1") for ring in (sender, receiver))
    running = [asyncio.create_task(bearer.run()) for bearer in (here, there)]
    await _till(lambda: there.port)
    here.add_peer(f"127.0.0.1:{there.port}")
    await _till(lambda: here.peers and there.peers)
    spent: list[float] = []
    start = time.perf_counter()
    taking = asyncio.create_task(_take(there, receiver, count))
    size = 0
    for frame in _frames(sender, count, spent):
        await here.send(frame)
        size += len(frame) - MAC
    blocks = await taking
    taken = time.perf_counter() - start
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    return size, blocks, sum(spent), taken


async def _till(true: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 (ten seconds at most, at the start)
            await asyncio.sleep(0.01)


async def _take(bearer: LanBearer, ring: Keyring, count: int) -> int:
    blocks = 0
    for _ in range(count):
        found = read_frame(ring, ring.check((await bearer.receive()).frame))
        blocks += sum(opened(ring, each.block, each.id, "lan").body is not None for each in found.blocks)
    return blocks

"""Bodies as a bad link or a bad neighbour would hand them over."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from time import monotonic

from hardware.errors import DecodeError


def mutated(body: bytes, rng: random.Random) -> bytes:
    """Bytes changed, cut off, doubled or put behind."""
    broken = bytearray(body)
    for _ in range(rng.randrange(1, 4)):
        if broken:
            broken[rng.randrange(len(broken))] = rng.randrange(256)
    way = rng.randrange(6)
    if way == 0:
        del broken[rng.randrange(len(broken) + 1) :]
    elif way == 1:
        broken += rng.randbytes(rng.randrange(1, 40))
    elif way == 2:
        at = rng.randrange(len(broken) + 1)
        broken[at:at] = broken[: rng.randrange(len(broken) + 1)]
    elif way == 3:
        broken = bytearray(rng.randbytes(rng.randrange(1, 80)))
    return bytes(broken)


def refused(decode: Callable[[bytes], object], bodies: Sequence[bytes], count: int, seed: int) -> int:
    """Decode `count` mutated bodies; how many were refused. Whatever else than DecodeError comes out fails the test; so does a
    body that takes a second, far beyond what the stated bounds allow."""
    rng, wrong = random.Random(seed), 0
    for at in range(count):
        body = mutated(bodies[at % len(bodies)], rng)
        started = monotonic()
        try:
            decode(body)
        except DecodeError:
            wrong += 1
        assert monotonic() - started < 5, body.hex()
    return wrong

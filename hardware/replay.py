"""Recordings played as a port: paced by their own times, as a line of a baud rate, or unpaced."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from typing import Final

_TIMED: Final = re.compile(rb"\$[A-Z]{2}(?:GGA|RMC|GNS|ZDA),(\d\d)(\d\d)(\d\d(?:\.\d+)?),")
_LOCATED: Final = re.compile(rb"[A-Z]{2}(?:GGA|RMC|GNS),(\d{6}(?:\.\d+)?),")
_LONGEST_PAUSE_S: Final = 5.0
_ODD_PAUSE_S: Final = 1.0  # where a recording's time stands, jumps or runs backwards
_CHUNK: Final = 4096
_BITS_PER_BYTE: Final = 10  # 8N1


def by_time(data: bytes) -> Iterator[tuple[float, bytes]]:
    """(seconds to wait before, bytes) for each NMEA epoch of a recording; a recording without times is one chunk."""
    start, last, pause = 0, None, 0.0
    for found in _TIMED.finditer(data):
        at = int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3])
        if last is not None and at != last:
            yield pause, data[start : found.start()]
            start = found.start()
            step = (at - last) % 86400
            pause = step if step <= _LONGEST_PAUSE_S else _ODD_PAUSE_S
        last = at
    yield pause, data[start:]


def is_epoch(body: bytes) -> bytes | None:
    """The time of day, as written, of a sentence that may carry a fix; None for any other."""
    found = _LOCATED.match(body)
    return found and found[1]


def by_rate(data: bytes, baud: float) -> Iterator[tuple[float, bytes]]:
    """(seconds to wait before, bytes), as fast as a line of `baud` carries them, in pieces of about 50 ms."""
    size = max(1, min(_CHUNK, int(baud / _BITS_PER_BYTE / 20)))
    for at in range(0, len(data), size):
        yield size * _BITS_PER_BYTE / baud, data[at : at + size]


def script(data: bytes, options: Mapping[str, str]) -> Iterable[tuple[float, bytes]]:
    """The plan of a replay: options speed=FACTOR (default 1), rate=BAUD or fast; ValueError says what is wrong."""
    if unknown := set(options) - {"speed", "rate", "fast"}:
        raise ValueError(f"unknown option {', '.join(sorted(unknown))}; allowed are speed=FACTOR, rate=BAUD, fast")
    if "fast" in options:
        return ((0.0, data[at : at + _CHUNK]) for at in range(0, len(data), _CHUNK))
    key = "rate" if "rate" in options else "speed"
    value = float(options.get(key, "1"))
    if not 1e-3 <= value <= 1e9:
        raise ValueError(f"{key}={options[key]} is not a positive number")
    return by_rate(data, value) if key == "rate" else ((pause / value, chunk) for pause, chunk in by_time(data))


async def play(plan: Iterable[tuple[float, bytes]]) -> AsyncIterator[bytes]:
    """The chunks of a plan in time; ends with it."""
    loop = asyncio.get_running_loop()
    due = loop.time()
    for pause, chunk in plan:
        due += pause
        await asyncio.sleep(max(0.0, due - loop.time()))
        if chunk:
            yield chunk

"""A recording -> plain fix epochs, as `sanduan replay --json` prints them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from hardware.gnss.epoch import Fix, iso
from hardware.gnss.receiver import Receiver

_CHUNK: Final = 65536


def _fixes(path: Path, receiver: Receiver) -> Iterator[Fix]:
    """Epochs of a file; the last only if the end of the recording did not cut it short."""
    fix = None
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            for fix in receiver.feed(chunk):
                yield fix
    last = receiver.flush()
    if last is not None and (fix is None or last.kinds >= fix.kinds):
        yield last


def _row(fix: Fix, wall_ms: int) -> dict[str, object]:
    return {
        "time": iso(wall_ms),
        "lat": round(fix.lat or 0.0, 9),
        "lon": round(fix.lon or 0.0, 9),
        "alt": fix.alt,
        "quality": fix.quality,
        "satellites": fix.satellites,
        "used": {system.value: count for system, count in fix.used.items()},
        "hdop": fix.hdop,
    }


def replay(path: Path | str) -> Iterator[dict[str, object]]:
    """A row for each epoch with a position and a date, then {"summary": …}; raises OSError only.

    A time that comes again in a recording is the same epoch. Dates are told as recorded, never repaired.
    """
    path = Path(path)
    receiver = Receiver()
    seen: set[int] = set()
    for fix in _fixes(path, receiver):
        if fix.quality and fix.wall_ms is not None and fix.wall_ms not in seen:
            seen.add(fix.wall_ms)
            yield _row(fix, fix.wall_ms)
    framer = receiver.framer
    counts = {"sentences_good": framer.good, "sentences_bad": framer.bad, "fixes": len(seen)}
    yield {"summary": {"file": path.name, **counts}}

"""What is where: observations of the field in the stores of those who measured them, and at central."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from edge.store.connect import fetch, open_reader
from edge.store.status import beside, read_status
from hardware.errors import StoreError

# What makes an observation itself on every node: who, what, when, how much. Wall time travels exactly.
_ROWS: Final = (
    "SELECT s.origin, s.source, p.name, coalesce(o.wall_ms, o.mono_ms), o.vals FROM observation o "
    "JOIN stream s ON s.id = o.stream JOIN profile p ON p.id = s.profile WHERE s.origin IN ({})"
)
_WORST: Final = (
    "SELECT max(received_ms - wall_ms) FROM observation WHERE received_ms IS NOT NULL AND wall_ms IS NOT NULL"
)


@dataclass(frozen=True, slots=True)
class Tally:
    """Observations stored where they were measured, those of them at central, and copies too many there."""

    stored: int
    at_central: int
    duplicates: int
    worst_age_s: float


def tally(central: Path, measuring: Iterable[tuple[int, Path]]) -> Tally:
    """Count; a store that is not there yet counts as empty."""
    own = Counter[tuple[Any, ...]]()
    nodes = []
    for node, path in measuring:
        nodes.append(node)
        own.update(_rows(path, [node]))
    there = Counter(_rows(central, nodes))
    worst = _fetch(central, _WORST)
    age = (worst[0][0] or 0) / 1000 if worst else 0.0
    return Tally(own.total(), (own & there).total(), (there - own).total(), round(age, 1))


def _rows(path: Path, nodes: list[int]) -> list[tuple[Any, ...]]:
    return _fetch(path, _ROWS.format(",".join(map(str, nodes))))


def _fetch(path: Path, sql: str) -> list[tuple[Any, ...]]:
    try:
        with closing(open_reader(path)) as conn:
            return fetch(conn, path, sql)
    except StoreError:
        return []


def bytes_out(stores: Iterable[Path], link: str) -> int:
    """Bytes that nodes say they sent over a link of that name."""
    return sum(row["bytes_out"] for path in stores for row in read_status(beside(path)).get("links", ()) if row["name"] == link)  # fmt: skip

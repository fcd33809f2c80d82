"""What pictures of other nodes show, in the tables: people in the latest state as live values, scenes as they are.

A picture is no history: it makes no observations, and an exact value of the same or a later instant replaces what it showed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from edge.store.ingest import Entry, Ingest, Stream
from edge.store.rows import body_of, compact
from edge.store.writer import Tx
from hardware.kinds import BY_NAME as KIND
from hardware.observation import Column, Profile
from sync.codec.picture_people import AGES_S, NEVER, Force, Seen, hr_range
from sync.codec.scene import Scene
from sync.events import BY_NAME, key
from sync.ids import BlockId, Lane, Level
from sync.records import Truth

PLACE: Final = Profile(0, "picture.place", (Column(KIND["pos.lat"].number, -7), Column(KIND["pos.lon"].number, -7)))
HEART: Final = Profile(0, "picture.heart", (Column(KIND["vital.hr"].number, 0),))
ALARM: Final = Profile(0, "picture.alarm", (Column(KIND["vital.alarm"].number, 0),))
FORCE: Final = BY_NAME["force"].number
_FIRST, _SUBJECTS = key("force", "first"), key("force", "subjects")
_LIST: Final = (
    "SELECT body FROM event WHERE kind = ? AND origin = ? AND incarnation = ? AND level >= ? ORDER BY lamport, number"
)
_SCENE: Final = (
    "INSERT INTO scene VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET vals = excluded.vals, at_boot = excluded.at_boot, "
    "at_ms = excluded.at_ms, level = excluded.level WHERE (excluded.at_boot, excluded.at_ms) >= (at_boot, at_ms)"
)


def force_list(conn: Any, origin: int, incarnation: int) -> dict[int, str]:
    """Who stands at which place in the pictures of a node's life, as its `force` events say."""
    places: dict[int, str] = {}
    for (text,) in conn.execute(_LIST, (FORCE, origin, incarnation, int(Level.MEMBER))):
        body = body_of(text)
        first, subjects = body.get(_FIRST), body.get(_SUBJECTS)
        if isinstance(first, int) and isinstance(subjects, list):
            places.update({first + at: each for at, each in enumerate(subjects) if isinstance(each, str)})
    return places


def show_force(tx: Tx, ingest: Ingest, block: BlockId, force: Force, sealed: tuple[int, int], level: Level) -> int:
    """Bring the people of a picture sealed at (boot, ms) of this store's clock into the latest state; how many are named."""
    places = force_list(tx.conn, block.origin, block.incarnation)
    named = [(places[place], seen) for place, seen in force.fresh() if place in places and seen.age < NEVER]
    source = f"picture {block.origin}"
    for subject, seen in named:
        ingest.latest(tx, _entries(subject, source, seen, sealed, level))
    return len(named)


def show_scene(tx: Tx, block: BlockId, scene: Scene, sealed: tuple[int, int], level: Level) -> None:
    """Keep a node's newest scene."""
    tx.conn.execute(_SCENE, (block.origin, compact(dict(scene.values)), *sealed, int(level)))


def _entries(subject: str, source: str, seen: Seen, sealed: tuple[int, int], level: Level) -> Iterator[Entry]:
    """Place, heart rate and alarm of one person, as old as the age class allows at most."""
    boot, ms = sealed
    at = boot, ms - 1000 * AGES_S[seen.age]
    shown: list[tuple[Profile, tuple[int, ...], int]] = [(ALARM, (int(seen.alarm),), 0)]
    if seen.grid_m:
        shown.append((PLACE, (seen.lat_e7, seen.lon_e7), seen.grid_m))
    if (reach := hr_range(seen.hr)) is not None:
        shown.append((HEART, (sum(reach) // 2,), 0))
    for profile, values, bound_m in shown:
        stream, good = Stream(0, subject, source, profile), (0,) * len(values)
        yield Entry(stream, 0, 0, None, 0, values, good, Lane.PICTURE, level, at, truth=Truth.LIVE, bound_m=bound_m)

"""What a store collected before it joined an incident, alone or in another one, becomes this incident's."""

from __future__ import annotations

from typing import Final

from edge.store.connect import Connection

FOREIGN: Final = "foreign"  # state of blocks of an earlier incident: known here, and no matter of this one
_OWN: Final = "(block IS NULL OR block IN (SELECT id FROM block WHERE state = 'own'))"


def adopt(conn: Connection, origin: int, incarnation: int) -> None:
    """Inside a transaction: own rows and events wait to be sealed again, events under ids of the new life; blocks of before
    are kept as a fact only, since no key of this incident opens them."""
    conn.execute(f"UPDATE observation SET block = NULL WHERE {_OWN}")
    events = conn.execute(f"SELECT id FROM event WHERE {_OWN} ORDER BY id").fetchall()
    conn.executemany(
        "UPDATE event SET origin = ?, incarnation = ?, number = ?, block = NULL WHERE id = ?",
        [(origin, incarnation, number, row) for number, (row,) in enumerate(events)],
    )
    conn.execute("INSERT OR REPLACE INTO counter VALUES (?, 'event', ?)", (incarnation, len(events)))
    conn.execute("UPDATE block SET state = ?, held = 0", (FOREIGN,))
    for table in ("payload", "unpacking", "end_list", "hole"):
        conn.execute(f"DELETE FROM {table}")

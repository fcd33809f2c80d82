"""Which life of the store this is: a number space must never be continued by a copy of the file.

A store that was restored from a copy, cloned to another machine or carried to another file takes a new incarnation. It is
noticed by the machine's id, the file's inode, and a marker beside the file that must never be ahead of the file.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge.store.connect import Connection, DatabaseError, trouble
from hardware.errors import StoreError

MACHINE_ID: Final = Path("/etc/machine-id")


@dataclass(frozen=True, slots=True)
class Life:
    """The store's present life: random 16-bit incarnation, the one before it, why it began, how often it was opened."""

    incarnation: int
    predecessor: int | None
    reason: str
    boot: int


def begin(
    conn: Connection,
    path: Path,
    marker: Path,
    origin: int,
    machine: Path = MACHINE_ID,
    below: Callable[[int], int] = secrets.randbelow,
) -> Life:
    """Count one more opening by node `origin`, durably, and decide whose life it is. Raises StoreError.

    below: chooses a number below its argument; secret chance but in simulations.
    """
    try:
        conn.execute("BEGIN IMMEDIATE")
        boot = conn.execute("UPDATE meta SET value = value + 1 WHERE name = 'boot' RETURNING value").fetchone()[0]
        here = _here(path, machine) | {"origin": origin}
        reason = _stranger(conn, here, marker, boot)
        life = _last(conn, boot)
        if reason or life is None:
            life = _new(conn, life, reason or "first start", boot, below)
        conn.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", [*here.items(), ("tainted", None)])
        conn.execute("COMMIT")
    except DatabaseError as error:
        raise trouble(error, path) or StoreError(f"{path}: {error}") from error
    _mark(marker, life)
    return life


def taint(conn: Connection, reason: str) -> None:
    """Note, inside a transaction, that another copy used this life's numbers; the next opening begins a new life."""
    conn.execute("INSERT OR REPLACE INTO meta VALUES ('tainted', ?)", (reason,))


def _here(path: Path, machine: Path) -> dict[str, str | int]:
    """What tells this file in this machine from a copy."""
    identity = machine.read_bytes() if machine.exists() else b""
    return {"machine": hashlib.sha256(b"sanduan" + identity).hexdigest()[:16], "inode": os.stat(path).st_ino}


def _stranger(conn: Connection, here: dict[str, str | int], marker: Path, boot: int) -> str:
    """Why this file is not the one that was written last; "" when it is, or is new."""
    meta = dict(conn.execute("SELECT name, value FROM meta").fetchall())
    if meta.get("tainted"):
        return str(meta["tainted"])
    if "machine" not in meta:
        return ""
    if meta["origin"] != here["origin"]:
        return "enrolled as another node"
    if meta["machine"] != here["machine"]:
        return "cloned to another machine"
    if meta["inode"] != here["inode"]:
        return "restored from a copy"
    try:
        marked = json.loads(marker.read_text(encoding="utf-8"))
        behind = int(marked["boot"]) >= boot or marked["incarnation"] != _last_number(conn)
    except (OSError, ValueError, KeyError, TypeError):
        return "its marker is missing"
    return "older than its marker" if behind else ""


def _last_number(conn: Connection) -> int:
    return int(conn.execute("SELECT incarnation FROM life ORDER BY id DESC").fetchone()[0])


def _last(conn: Connection, boot: int) -> Life | None:
    row = conn.execute("SELECT incarnation, predecessor, reason FROM life ORDER BY id DESC").fetchone()
    return None if row is None else Life(row[0], row[1], row[2], boot)


def _new(conn: Connection, last: Life | None, reason: str, boot: int, below: Callable[[int], int]) -> Life:
    """A fresh incarnation whose low 4 bits, which are all that headers carry, differ from its predecessor's."""
    used = {number for (number,) in conn.execute("SELECT incarnation FROM life")}
    while True:
        incarnation = below(1 << 16)
        if incarnation not in used and (last is None or (incarnation ^ last.incarnation) & 15):
            break
    life = Life(incarnation, last.incarnation if last else None, reason, boot)
    conn.execute(
        "INSERT INTO life (incarnation, predecessor, reason, boot) VALUES (?, ?, ?, ?)",
        (life.incarnation, life.predecessor, life.reason, life.boot),
    )
    return life


def _mark(marker: Path, life: Life) -> None:
    """Write the marker whole or not at all, after the file itself is durable."""
    part = marker.with_name(marker.name + ".part")
    try:
        with part.open("w", encoding="utf-8") as file:
            json.dump({"incarnation": life.incarnation, "boot": life.boot}, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(marker)
    except OSError as error:
        raise StoreError(f"{marker}: the store's marker cannot be written ({error.strerror})") from error

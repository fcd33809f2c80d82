"""Which life of the store this is: a number space must never be continued by a copy of the file.

A store that was restored from a copy, cloned to another machine, made anew or carried to another file takes a new
incarnation. It is noticed by the machine's id (where it has one), the file's inode, and a marker beside the file that
counts its commits and must never be ahead of it.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from edge.store.adoption import adopt
from edge.store.connect import Connection, DatabaseError, trouble
from hardware.errors import StoreError

JOINED: Final = "joined another incident"
MACHINE_ID: Final = Path("/etc/machine-id")


@dataclass(frozen=True, slots=True)
class Life:
    """The store's present life: random 16-bit incarnation, the one before it, why it began, how often it was opened."""

    incarnation: int
    predecessor: int | None
    reason: str
    boot: int


class Marker:
    """How far the file had come, told beside it: incarnation, boot and commits, written over in place after each commit.

    Not synced: after a power cut it may be behind the file, which is harmless, and is never ahead of it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._opening: dict[str, int] = {}

    def read(self) -> dict[str, int] | None:
        """What it says; None when there is none that can be read."""
        try:
            told = json.loads(self.path.read_text(encoding="utf-8"))
            return {name: int(told[name]) for name in ("incarnation", "boot", "commits")}
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def begin(self, life: Life, commits: int) -> None:
        """Note an opening, durably; a new marker is made whole or not at all. Raises StoreError."""
        self._opening = {"incarnation": life.incarnation, "boot": life.boot}
        part = self.path.with_name(self.path.name + ".part")
        fresh = not self.path.exists()
        try:
            with part.open("wb") if fresh else self.path.open("r+b") as file:
                file.write(self._text(commits))
                file.flush()
                os.fsync(file.fileno())
            if fresh:
                part.replace(self.path)
        except OSError as error:
            raise StoreError(f"{self.path}: the store's marker cannot be written ({error.strerror})") from error

    def move(self, commits: int) -> None:
        """The file has so many commits now; a disk that refuses leaves the marker behind."""
        with suppress(OSError), self.path.open("r+b", buffering=0) as file:
            file.write(self._text(commits))

    def _text(self, commits: int) -> bytes:
        """One length whatever the numbers, so that one write of less than a sector replaces it; none needs new room."""
        return json.dumps({**self._opening, "commits": commits}).encode().ljust(96) + b"\n"


def begin(
    conn: Connection,
    path: Path,
    marker: Marker,
    origin: int,
    machine: Path = MACHINE_ID,
    below: Callable[[int], int] = secrets.randbelow,
    incident: bytes = b"",
) -> Life:
    """Count one more opening by node `origin`, durably, and decide whose life it is. Raises StoreError.

    below: chooses a number below its argument; secret chance but in simulations. incident: what was measured here under another
    one is adopted by this.
    """
    try:
        conn.execute("BEGIN IMMEDIATE")
        boot = conn.execute("UPDATE meta SET value = value + 1 WHERE name = 'boot' RETURNING value").fetchone()[0]
        here = _here(path, machine) | {"origin": origin} | ({"incident": incident.hex()[:16]} if incident else {})
        marked = marker.read()
        reason = _stranger(conn, here, marked, boot)
        life = _last(conn, boot)
        if reason or life is None:
            last = life.incarnation if life else marked["incarnation"] if marked else None
            life = _new(conn, last, reason or "first start", boot, below)
            if reason == JOINED:
                adopt(conn, origin, life.incarnation)
        conn.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", [*here.items(), ("tainted", None)])
        commits = _meta(conn)["commits"]
        conn.execute("COMMIT")
    except DatabaseError as error:
        raise trouble(error, path) or StoreError(f"{path}: {error}") from error
    marker.begin(life, commits)
    return life


def taint(conn: Connection, reason: str) -> None:
    """Note, inside a transaction, that another copy used this life's numbers; the next opening begins a new life."""
    conn.execute("INSERT OR REPLACE INTO meta VALUES ('tainted', ?)", (reason,))


def _here(path: Path, machine: Path) -> dict[str, str | int]:
    """What tells this file in this machine from a copy."""
    identity = machine.read_bytes() if machine.exists() else b""
    return {"machine": hashlib.sha256(b"sanduan" + identity).hexdigest()[:16], "inode": os.stat(path).st_ino}


def _meta(conn: Connection) -> dict[str, Any]:
    return dict(conn.execute("SELECT name, value FROM meta").fetchall())


def _stranger(conn: Connection, here: dict[str, str | int], marked: Mapping[str, int] | None, boot: int) -> str:
    """Why this file is not the one that was written last; "" when it is, or is new."""
    meta = _meta(conn)
    if meta.get("tainted"):
        return str(meta["tainted"])
    if "machine" not in meta:
        return "the file before it is gone" if marked else ""
    if meta.get("incident", here.get("incident")) != here.get("incident", meta.get("incident")):
        return JOINED
    if meta["origin"] != here["origin"]:
        return "enrolled as another node"
    if meta["machine"] != here["machine"]:
        return "cloned to another machine"
    if marked is None:
        return "its marker is missing"
    if meta["inode"] != here["inode"]:
        return "restored from a copy"
    last = conn.execute("SELECT incarnation FROM life ORDER BY id DESC").fetchone()[0]
    behind = marked["boot"] >= boot or marked["commits"] > meta["commits"] or marked["incarnation"] != last
    return "older than its marker" if behind else ""


def _last(conn: Connection, boot: int) -> Life | None:
    row = conn.execute("SELECT incarnation, predecessor, reason FROM life ORDER BY id DESC").fetchone()
    return None if row is None else Life(row[0], row[1], row[2], boot)


def _new(conn: Connection, last: int | None, reason: str, boot: int, below: Callable[[int], int]) -> Life:
    """A fresh incarnation whose low 4 bits, which are all that headers carry, differ from its predecessor's."""
    used = {number for (number,) in conn.execute("SELECT incarnation FROM life")}
    while True:
        incarnation = below(1 << 16)
        if incarnation not in used and (last is None or (incarnation ^ last) & 15):
            break
    life = Life(incarnation, last, reason, boot)
    conn.execute(
        "INSERT INTO life (incarnation, predecessor, reason, boot) VALUES (?, ?, ?, ?)",
        (life.incarnation, life.predecessor, life.reason, life.boot),
    )
    return life

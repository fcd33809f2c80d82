"""Schema versions: numbered .sql files, applied through sqlite-utils' migrations, each in one transaction.

`PRAGMA user_version` is the file's schema. Migrations are additive: `meta.readable_from` names the oldest schema whose
program may still write the file, so that an upgrade can be taken back.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib import resources
from pathlib import Path
from typing import Final

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from edge.store.connect import DatabaseError, complete_statement, open_reader, trouble
from hardware.errors import StoreCorrupt, StoreError, StoreNewer
from hardware.kinds import KINDS
from sync.events import KINDS as EVENT_KINDS

SCHEMA: Final = 1
NAME: Final = "sanduan"


def inspect(path: Path) -> None:
    """Before anything touches the file: StoreNewer or StoreCorrupt when this program must not write it, StoreError."""
    if not path.exists() or not path.stat().st_size:
        return
    with closing(open_reader(path)) as db:
        try:
            _version(db, path)
        except DatabaseError as error:
            raise trouble(error, path) or StoreError(f"{path}: {error}") from error


def migrate(db: Database, path: Path) -> None:
    """Bring the file to SCHEMA; a copy `<name>.v<old>.backup` is made first. Raises StoreNewer, StoreCorrupt, StoreError."""
    try:
        version = _version(db, path)
        if version < SCHEMA:
            if version:
                _backup(db, path.with_name(f"{path.name}.v{version}.backup"))
            _scripts().apply(db)
        _vocabulary(db)
    except DatabaseError as error:
        raise trouble(error, path) or StoreError(f"{path}: {error}") from error


def _version(db: Database, path: Path) -> int:
    """The file's schema, 0 for an empty file; StoreNewer or StoreCorrupt when this program must not write it."""
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    names = set(db.table_names())
    if version == 0 and names - {Migrations.migrations_table}:
        raise StoreCorrupt(f"{path}: this SQLite file is not a Sanduan store")
    _refuse_newer(db, version, path)
    return version


def readable(db: Database, path: Path) -> None:
    """Whether a reader of this version understands the file; StoreNewer, StoreCorrupt or StoreError when not."""
    try:
        version = int(db.execute("PRAGMA user_version").fetchone()[0])
        if version == 0:
            raise StoreCorrupt(f"{path}: this SQLite file is not a Sanduan store, or not made yet")
        _refuse_newer(db, version, path)
    except DatabaseError as error:
        raise trouble(error, path) or StoreError(f"{path}: {error}") from error


def _refuse_newer(db: Database, version: int, path: Path) -> None:
    if version <= SCHEMA:
        return
    needs = db.execute("SELECT value FROM meta WHERE name = 'readable_from'").fetchone()
    if needs is None or needs[0] > SCHEMA:
        raise StoreNewer(
            f"{path}: written by a newer program (schema {version}; this one knows up to {SCHEMA}). "
            f"Install the newer program, or start with the backup beside it: {path.name}.v{SCHEMA}.backup"
        )


def _backup(db: Database, target: Path) -> None:
    """A consistent copy, renamed into place only when whole; an existing one of the same version is kept."""
    if target.exists():
        return
    part = target.with_name(target.name + ".part")
    part.unlink(missing_ok=True)
    db.conn.execute("VACUUM INTO ?", (str(part),))
    part.replace(target)


def _scripts() -> Migrations:
    """One migration for each schema/vNNN.sql; the script and its version number are one transaction."""
    migrations = Migrations(NAME)
    for number in range(1, SCHEMA + 1):
        migrations(name=f"v{number:03}")(_step(number))
    return migrations


def _step(number: int) -> Callable[[Database], None]:
    def apply(db: Database) -> None:
        script = resources.files("edge.store").joinpath(f"schema/v{number:03}.sql").read_text(encoding="utf-8")
        for statement in statements(script):
            db.conn.execute(statement)
        db.conn.execute(f"PRAGMA user_version = {number}")

    return apply


def statements(script: str) -> Iterator[str]:
    """The single statements of a script; executescript would commit behind the transaction's back."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if complete_statement(statement):
            yield statement
            statement = ""


def _vocabulary(db: Database) -> None:
    """Names of kinds, for people who read the file without this program."""
    kinds = ({"number": k.number, "name": k.name, "unit": k.unit, "zh": k.zh, "en": k.en} for k in KINDS.values())
    events = (
        {"number": k.number, "name": k.name, "zh": k.zh, "en": k.en, "fields": json.dumps(k.keys)}
        for k in EVENT_KINDS.values()
    )
    with db.atomic():
        db.table("kind").insert_all(kinds, replace=True)
        db.table("event_kind").insert_all(events, replace=True)

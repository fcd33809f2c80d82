"""SQLite connections as the store wants them, and its errors as the toolkit's. The only importer of sqlite3.

sqlite-utils may bring its own SQLite; two copies in one process would break each other's file locks, so everything
takes the module that sqlite-utils took.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from sqlite_utils import Database

if TYPE_CHECKING:
    import sqlite3
else:
    from sqlite_utils.utils import sqlite3

from hardware.errors import StoreCorrupt, StoreError, StoreFull, StoreReadOnly

Connection = sqlite3.Connection
DatabaseError = sqlite3.DatabaseError
complete_statement = sqlite3.complete_statement

PAGE: Final = 4096
SETTINGS: Final[tuple[str, ...]] = (
    f"PRAGMA page_size={PAGE}",
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",  # NORMAL loses acknowledged rows at a power cut
    "PRAGMA foreign_keys=ON",
    "PRAGMA secure_delete=OFF",  # where it is on, deleting writes every freed page: more than a full disk has room for
    "PRAGMA temp_store=MEMORY",
    "PRAGMA cache_size=-8000",
    "PRAGMA busy_timeout=2000",
)
# Primary result codes of sqlite.org/rescode.html that speak of the storage, not of the statement.
_TROUBLE: Final[dict[int, tuple[type[StoreError], str]]] = {
    5: (StoreError, "another program holds the store's write lock"),
    6: (StoreError, "another program holds the store's write lock"),
    8: (StoreReadOnly, "the store's file is read-only"),
    10: (StoreReadOnly, "the disk refuses reads or writes"),
    11: (StoreCorrupt, "the store's file is damaged; once it is moved aside, a new one begins"),
    13: (StoreFull, "the disk is full"),
    14: (StoreReadOnly, "the store's file cannot be opened; its disk or folder may be read-only"),
    26: (StoreCorrupt, "the file is not a store"),
}


def trouble(error: sqlite3.Error, path: Path) -> StoreError | None:
    """The toolkit's error for a failure of the storage; None for any other SQLite error, which is a defect."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code not in _TROUBLE:
        return None
    kind, words = _TROUBLE[code]
    return kind(f"{path}: {words} ({error})")


def wal_bytes(total: int) -> int:
    """What the write-ahead log may grow to on a disk of `total` bytes, twice what it is checkpointed at."""
    return min(8 << 20, max(2 << 20, total // 8))


def _uri(path: Path, mode: str) -> str:
    return f"file:{quote(str(path.absolute()))}?{mode}"


def open_writer(path: Path, quota: int | None = None) -> Connection:
    """The only writable connection; usable from whichever single thread owns it at a time. Raises StoreError.

    quota: bytes that the file and its write-ahead log may fill together; beyond them the disk counts as full.
    """
    try:
        conn = sqlite3.connect(_uri(path, "mode=rwc"), uri=True, isolation_level=None, check_same_thread=False)
        log = wal_bytes(shutil.disk_usage(path.parent).total)
        sizes = [f"journal_size_limit={log}", f"wal_autocheckpoint={log // 2 // PAGE}"]
        if quota is not None:
            sizes.append(f"max_page_count={max(1, (quota - log) // PAGE)}")
        for setting in (*SETTINGS, *(f"PRAGMA {size}" for size in sizes)):
            conn.execute(setting).fetchall()
    except sqlite3.Error as error:
        raise trouble(error, path) or StoreError(f"{path}: {error}") from error
    except OSError as error:
        raise StoreReadOnly(f"{path}: the store's folder cannot be used ({error.strerror})") from error
    return conn


def open_reader(path: Path) -> Database:
    """A read-only database for one thread; readers fetch everything at once and keep no cursor. Raises StoreError.

    On a read-only medium without a journal beside the file, SQLite can only read it as unchanging.
    """
    modes = ["mode=ro"] if path.with_name(path.name + "-wal").exists() else ["mode=ro", "mode=ro&immutable=1"]
    for mode in modes:
        with ExitStack() as undo:
            try:
                conn = sqlite3.connect(_uri(path, mode), uri=True, isolation_level=None, check_same_thread=False)
                undo.callback(conn.close)
                conn.execute("PRAGMA query_only=ON")
                conn.execute("PRAGMA busy_timeout=2000")
                conn.execute("SELECT count(*) FROM sqlite_master").fetchone()
                undo.pop_all()
                return Database(conn, recursive_triggers=False)
            except sqlite3.Error as error:
                failure = trouble(error, path) or StoreError(f"{path}: {error}")
    raise failure


def fetch(db: Database, path: Path, sql: str, values: Sequence[Any] = ()) -> list[Any]:
    """All rows of a query; StoreError when the storage fails."""
    try:
        return db.execute(sql, values).fetchall()
    except sqlite3.Error as error:
        raise trouble(error, path) or StoreError(f"{path}: {error}") from error

"""Opening a store: new lives of copied files, migrations, newer and foreign and damaged files, read-only disks."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlite_utils import Database

from edge.store import migrate
from edge.store.reader import Reader
from edge.store.store import Store
from hardware.driver import Health
from hardware.errors import StoreCorrupt, StoreError, StoreNewer
from tests.edge.store_nodes import CENTRAL, VEHICLE, Node
from tests.peers import disk

READING = Path(disk.__file__).with_name("reading_store.py")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store with one event, closed."""
    node = Node(tmp_path, VEHICLE)
    node.event("kept")
    node.close()
    return node.path


def opened(path: Path, origin: int = VEHICLE, machine: Path | None = None) -> Store:
    return Store.open(path, origin, ballast=0, machine=machine or path.with_name("machine-id"))


def texts(path: Path) -> list[object]:
    with closing(Reader(path, VEHICLE)) as reader:
        return [line.event.body[0] for line in reader.events("ORDER BY e.id")]


# lives


def test_a_life_goes_on_and_counts_its_openings(path: Path) -> None:
    with closing(opened(path)) as first:
        begun = first.life
    with closing(opened(path)) as second:
        assert second.life.incarnation == begun.incarnation
        assert second.life.boot == begun.boot + 1
        assert second.life.predecessor is None


def copied_over(path: Path, backup: Path) -> None:
    shutil.copyfile(backup, path)  # the same inode


def replaced(path: Path, backup: Path) -> None:
    path.unlink()
    shutil.copyfile(backup, path)


@pytest.mark.parametrize("restore", [copied_over, replaced])
def test_a_copy_of_the_very_same_opening_is_noticed(tmp_path: Path, restore: Callable[[Path, Path], None]) -> None:
    """The hardest to tell: same machine, perhaps the same inode, taken and put back within one boot of the store."""
    node = Node(tmp_path, VEHICLE)
    old, backup = node.store.life.incarnation, tmp_path / "backup"
    node.event("in the copy")
    with closing(sqlite3.connect(node.path)) as live:
        live.execute("VACUUM INTO ?", (str(backup),))
    node.event("after it")
    node.close()
    restore(node.path, backup)
    with closing(opened(node.path)) as store:
        assert store.life.predecessor == old
        assert (store.life.incarnation ^ old) & 15
    assert texts(node.path) == ["in the copy"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda path: path.with_name("machine-id").write_text("another"), "cloned to another machine"),
        (lambda path: path.with_name("2.db.life").unlink(), "its marker is missing"),
        (lambda path: path.with_name("2.db.life").write_text("{"), "its marker is missing"),
    ],
)
def test_other_copies_are_noticed(path: Path, change: Callable[[Path], object], reason: str) -> None:
    change(path)
    with closing(opened(path)) as store:
        assert store.life.reason == reason
        assert store.life.predecessor is not None


def test_another_node_number_is_another_life(path: Path) -> None:
    with closing(opened(path, CENTRAL)) as store:
        assert store.life.reason == "enrolled as another node"


def test_a_store_made_anew_names_the_life_before_it(path: Path) -> None:
    with closing(opened(path)) as store:
        old = store.life.incarnation
    path.unlink()
    with closing(opened(path)) as store:
        assert store.life.predecessor == old
        assert store.life.reason == "the file before it is gone"


# other versions


@pytest.fixture
def version_2(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Have the program know a schema 2, made by these statements."""
    real = migrate._step

    def make(*statements: str) -> None:
        def step(number: int) -> Callable[[Database], None]:
            if number < 2:
                return real(number)

            def apply(db: Database) -> None:
                for statement in (*statements, "PRAGMA user_version = 2"):
                    db.conn.execute(statement)

            return apply

        monkeypatch.setattr(migrate, "SCHEMA", 2)
        monkeypatch.setattr(migrate, "_step", step)

    return make


def test_a_migration_makes_a_backup_first(
    path: Path, version_2: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    version_2("CREATE TABLE more (id INTEGER PRIMARY KEY) STRICT", "INSERT INTO more VALUES (7)")
    with closing(opened(path)) as store:
        assert store.life.predecessor is None
    assert texts(path) == ["kept"]
    with closing(sqlite3.connect(path)) as conn:
        assert conn.execute("SELECT * FROM more").fetchall() == [(7,)]
    monkeypatch.undo()
    assert texts(path.with_name("2.db.v1.backup")) == ["kept"]
    with closing(opened(path)):  # additive: the program before it still opens the file
        pass


def test_a_migration_that_fails_changes_nothing(
    path: Path, version_2: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    version_2("CREATE TABLE more (id INTEGER PRIMARY KEY) STRICT", "INSERT INTO nowhere VALUES (7)")
    with pytest.raises(StoreError):
        opened(path)
    with closing(sqlite3.connect(path)) as conn:
        assert conn.execute("PRAGMA user_version").fetchone() == (1,)
        assert conn.execute("SELECT count(*) FROM sqlite_master WHERE name = 'more'").fetchone() == (0,)
    monkeypatch.undo()
    with closing(opened(path)) as store:
        assert store.life.predecessor is None
    assert texts(path) == ["kept"]


def test_a_file_of_a_newer_program_is_refused_untouched(path: Path) -> None:
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("UPDATE meta SET value = 9 WHERE name = 'readable_from'")
        conn.execute("PRAGMA user_version = 9")
        conn.commit()
    before = path.read_bytes()
    for attempt in (opened, lambda path: Reader(path, VEHICLE)):
        with pytest.raises(StoreNewer, match=r"2\.db: written by a newer program \(schema 9.*2\.db\.v1\.backup"):
            attempt(path)
    assert path.read_bytes() == before


def test_a_newer_file_that_says_it_is_additive_is_opened(path: Path) -> None:
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("PRAGMA user_version = 9")
    with closing(opened(path)):
        assert texts(path) == ["kept"]


# foreign and damaged files


def test_other_files_are_refused_untouched(tmp_path: Path) -> None:
    garbage, other = tmp_path / "garbage.db", tmp_path / "other.db"
    garbage.write_bytes(b"no database at all" * 500)
    Database(other)["addresses"].insert({"name": "someone"})
    for path in (garbage, other):
        before = path.read_bytes()
        with pytest.raises(StoreCorrupt, match=path.name):
            opened(path)
        assert path.read_bytes() == before


def test_damage_is_told_and_what_can_be_read_is_read(tmp_path: Path) -> None:
    node = Node(tmp_path, VEHICLE)
    node.write(2000)
    node.flush()
    [(page, size)] = node.rows(
        "SELECT (SELECT rootpage FROM sqlite_master WHERE name = 'observation_stream'), "
        "(SELECT page_size FROM pragma_page_size)"
    )
    node.close()
    with node.path.open("r+b") as file:
        file.seek((int(str(page)) - 1) * int(str(size)))
        file.write(b"\xff" * int(str(size)))
    with closing(opened(node.path)) as store:
        wait = store.write_event(1, "P1", {0: "still"})  # events are in other pages
        assert wait.result().body[0] == "still"
        with pytest.raises(StoreCorrupt, match="damaged"):
            store.writer.submit(
                lambda tx: tx.conn.execute(
                    "SELECT count(mono_ms) FROM observation INDEXED BY observation_stream"
                ).fetchall()
            ).result()
        state, why = store.health
        assert state is Health.DOWN
        assert "damaged" in why


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="nowhere"):
        opened(tmp_path / "nowhere" / "2.db")


@pytest.mark.peer("gcc")
def test_a_read_only_disk_is_told_and_read(path: Path) -> None:
    found = json.loads(disk.run(READING, path.parent, readonly=True))
    assert found["why"].startswith("StoreReadOnly: ")
    assert "read-only" in found["why"]
    assert found["events"] == 1
    assert texts(path) == ["kept"]

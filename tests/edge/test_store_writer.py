"""The one writer: groups, urgency, jobs that fail alone, a bounded ring, and commits whose fate is in doubt."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from edge.store import writer as module
from edge.store.connect import DatabaseError
from edge.store.store import Store
from edge.store.writer import Tx, Writer
from hardware.driver import Health
from hardware.errors import StoreError, StoreFull, StoreReadOnly

FULL, IO_ERROR = 13, 10


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with closing(Store.open(tmp_path / "a.db", 2, ballast=0)) as store:
        store.writer.submit(lambda tx: tx.conn.execute("CREATE TABLE t (v INTEGER) STRICT")).result()
    return tmp_path / "a.db"


@pytest.fixture
def writer(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Writer]:
    """A running writer that waits for little when the storage fails."""
    monkeypatch.setattr(module, "RETRY_S", (0.02,))
    made = Writer(path, ring_rows=50)
    made.start()
    yield made
    made.close()


def put(value: int) -> Callable[[Tx], int]:
    def run(tx: Tx) -> int:
        tx.conn.execute("INSERT INTO t VALUES (?)", (value,))
        return value

    return run


def values(writer: Writer) -> list[int]:
    found = writer.submit(lambda tx: tx.conn.execute("SELECT v FROM t ORDER BY rowid").fetchall()).result()
    return [row[0] for row in found]


class Gate:
    """Holds the writer's thread inside a job until opened, so that jobs gather behind it."""

    def __init__(self, writer: Writer) -> None:
        self._go, inside = threading.Event(), threading.Event()

        def run(tx: Tx) -> None:
            inside.set()
            self._go.wait(10)

        self.done = writer.submit(run, urgent=True)
        inside.wait(10)

    def open(self) -> None:
        """Let it go on."""
        self._go.set()
        self.done.result()


class Flaky:
    """A connection whose COMMIT fails with an SQLite code, before or after it reached the file."""

    def __init__(self, real: Any, code: int, landed: bool) -> None:
        self._real, self._code, self._landed = real, code, landed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def execute(self, sql: str, *values: Any) -> Any:
        if sql != "COMMIT":
            return self._real.execute(sql, *values)
        self._real.execute("COMMIT" if self._landed else "ROLLBACK")
        error = DatabaseError("as if")
        error.sqlite_errorcode = self._code
        raise error


def fail(writer: Writer, code: int, landed: bool = False) -> None:
    """Have the next commit fail; the connection that is opened anew then works."""
    writer._conn = Flaky(writer._conn, code, landed)  # type: ignore[assignment]


def test_jobs_are_committed_in_groups(writer: Writer) -> None:
    gate = Gate(writer)
    before = writer.commits
    waits = [writer.submit(put(value)) for value in range(40)]
    gate.open()
    assert [wait.result() for wait in waits] == list(range(40))
    assert writer.commits - before <= 3
    assert values(writer) == list(range(40))


def test_urgent_jobs_go_first_and_at_once(writer: Writer) -> None:
    gate = Gate(writer)
    writer.submit(put(1))
    urgent = writer.submit(put(2), urgent=True)
    gate.open()
    urgent.result()
    assert values(writer) == [2, 1]


def test_a_job_that_fails_fails_alone(writer: Writer) -> None:
    def wrong(tx: Tx) -> None:
        put(99)(tx)
        raise ValueError("its own fault")

    gate = Gate(writer)
    waits: list[Future[Any]] = [writer.submit(put(1)), writer.submit(wrong), writer.submit(put(2))]
    waits.append(writer.submit(lambda tx: tx.conn.execute("INSERT INTO t VALUES ('no number')")))
    gate.open()
    assert waits[0].result() == 1
    assert waits[2].result() == 2
    for wait, kind in ((waits[1], ValueError), (waits[3], DatabaseError)):
        with pytest.raises(kind):
            wait.result()
    assert values(writer) == [1, 2]
    assert writer.health is Health.UP


def test_what_is_to_follow_a_commit_follows_it_only(writer: Writer) -> None:
    heard: list[str] = []

    def good(tx: Tx) -> None:
        tx.after(lambda: heard.append("good"))

    def bad(tx: Tx) -> None:
        tx.after(lambda: heard.append("bad"))
        raise ValueError

    gate = Gate(writer)
    waits = [writer.submit(good), writer.submit(bad)]
    gate.open()
    waits[0].result()
    assert isinstance(waits[1].exception(), ValueError)
    assert heard == ["good"]


def test_closing_commits_what_waits(path: Path) -> None:
    writer = Writer(path)
    writer.start()
    waits = [writer.submit(put(value), patient=True) for value in range(300)]
    writer.close()
    assert [wait.result() for wait in waits] == list(range(300))
    assert not path.with_name("a.db-wal").exists()
    with pytest.raises(StoreError, match="closed"):
        writer.submit(put(1)).result()


@pytest.mark.parametrize("landed", [False, True])
@pytest.mark.parametrize("code", [FULL, IO_ERROR])
def test_a_commit_in_doubt_is_settled_before_anyone_hears_of_it(writer: Writer, code: int, landed: bool) -> None:
    """An error means unknown, not absent: the rows are there exactly once in the end, whatever the failed COMMIT did."""
    fail(writer, code, landed=landed)
    assert [writer.submit(put(value), patient=True).result() for value in range(3)] == [0, 1, 2]
    assert values(writer) == [0, 1, 2]
    assert writer.health is Health.UP
    assert writer.lost_rows == 0


def test_the_impatient_learn_of_a_failing_disk_and_the_patient_wait(writer: Writer) -> None:
    fail(writer, IO_ERROR)
    patient, impatient = writer.submit(put(1), patient=True), writer.submit(put(2))
    with pytest.raises(StoreReadOnly, match="refuses"):
        impatient.result()
    assert patient.result() == 1
    assert values(writer) == [1]


def test_trouble_passes_without_anybody_writing(writer: Writer) -> None:
    fail(writer, IO_ERROR)
    assert writer.submit(put(1)).exception() is not None
    for _ in range(500):
        if writer.health is Health.UP:
            break
        threading.Event().wait(0.01)
    assert writer.health is Health.UP


def test_the_ring_is_bounded_and_the_oldest_give_way(writer: Writer) -> None:
    gate = Gate(writer)
    waits = [writer.submit(put(value), patient=True) for value in range(80)]
    gate.open()
    given_up = [wait for wait in waits if isinstance(wait.exception(), StoreFull)]
    assert given_up == waits[:30]
    assert writer.lost_rows == 30
    assert values(writer) == list(range(30, 80))


def test_a_writer_without_a_thread_writes_where_it_is_called(path: Path) -> None:
    writer = Writer(path, threaded=False)
    writer.start()
    assert writer.submit(put(5)).done()
    assert values(writer) == [5]
    writer.close()


@pytest.mark.parametrize("code", [FULL, IO_ERROR])
def test_without_a_thread_nobody_waits_for_a_failing_disk(path: Path, code: int) -> None:
    writer = Writer(path, threaded=False)
    fail(writer, code)
    assert isinstance(writer.submit(put(1)).exception(0), StoreError)
    fail(writer, code)
    patient = writer.submit(put(2), patient=True)
    assert not patient.done()
    assert writer.submit(put(3)).result(0) == 3
    assert patient.result(0) == 2
    assert values(writer) == [2, 3]
    writer.close()

"""The one writer: a thread that owns the only writable connection and commits jobs in groups.

A future is resolved only after the COMMIT of its group returned, with WAL and synchronous=FULL. When the storage fails,
patient jobs wait in a bounded ring and are tried again; the others fail at once with the reason.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from sqlite_utils import Database

from edge.store.connect import Connection, DatabaseError, open_writer, trouble
from edge.store.space import Ballast
from hardware.driver import Health
from hardware.errors import SanduanError, StoreError, StoreFull

log = logging.getLogger(__name__)
T = TypeVar("T")

GROUP_S: Final = 0.05  # a group is committed at most this long after its first job came
GROUP_ROWS: Final = 100
RING_ROWS: Final = 50_000
WAL_ALARM: Final = 64 << 20
ALL_SLICES: Final = 10_000
TRIES: Final = 3  # of an impatient job on a full disk
RETRY_S: Final = (0.25, 0.5, 1.0, 2.0, 5.0)
TOKEN: Final = "UPDATE meta SET value = value + 1 WHERE name = 'commits' RETURNING value"
OWN_FAULTS: Final = (ArithmeticError, LookupError, TypeError, ValueError, SanduanError)  # what a job may raise itself


class Tx:
    """What a job works with: the connection inside BEGIN IMMEDIATE, and what to do once its group is committed."""

    def __init__(self, conn: Connection) -> None:
        self.conn = conn
        self.done: list[Callable[[], None]] = []

    def after(self, call: Callable[[], None]) -> None:
        """Run `call` on the writer thread after the commit; forgotten when the transaction fails."""
        self.done.append(call)


class Relief(Protocol):
    """Retention, as the writer asks for it on its thread."""

    def pressed(self, conn: Connection, full: bool = False) -> bool:
        """Whether room must be made now; full: the disk just refused a write."""

    def slice(self, tx: Tx) -> bool:
        """Give up a little, inside a transaction of its own; False when nothing more may go."""


@dataclass(slots=True, eq=False)
class _Group:
    """A transaction on its way: its jobs with their results, and the token that its COMMIT leaves in the file."""

    results: list[tuple[_Job, Any]]
    calls: list[Callable[[], None]]
    token: int


@dataclass(slots=True, eq=False)
class _Job:
    run: Callable[[Tx], Any]
    urgent: bool
    patient: bool
    rows: int
    tries: int = 0
    future: Future[Any] = field(default_factory=Future)


class Writer:
    """Takes jobs from any thread. `health` and `why` tell the state of the storage."""

    def __init__(
        self,
        path: Path,
        ballast: Ballast | None = None,
        *,
        quota: int | None = None,
        ring_rows: int = RING_ROWS,
        threaded: bool = True,
    ) -> None:
        """quota: of `open_writer`. threaded: False writes on the thread that submits, each job a transaction, for
        one-threaded simulations."""
        self.path = path
        self.health, self.why = Health.UP, ""
        self.failure: StoreError | None = None  # why nothing can be written now
        self.lost_rows = 0  # given up because the ring was full; nothing of it was ever acknowledged
        self.commits = 0
        self.relief: Relief | None = None
        self.committed: Callable[[int], None] = lambda count: None  # told how many commits the file has had
        self._ballast = ballast
        self._ring_rows = ring_rows
        self._quota = quota
        self._conn = open_writer(path, quota)
        self.db = Database(self._conn)  # for schema work before start(); afterwards the thread's alone
        self._urgent: deque[_Job] = deque()
        self._jobs: deque[_Job] = deque()
        self._rows = 0
        self._closing = False
        self._doubt: _Group | None = None  # its COMMIT failed: it may be in the file or not
        self._failures = 0
        self._wal = path.with_name(path.name + "-wal")
        self._wake = threading.Condition()
        self._thread = threading.Thread(target=self._loop, name="store-writer", daemon=True) if threaded else None

    def start(self) -> None:
        """Hand the connection over to the writer thread."""
        if self._thread is not None:
            self._thread.start()

    def submit(
        self, run: Callable[[Tx], T], *, urgent: bool = False, patient: bool = False, rows: int = 1
    ) -> Future[T]:
        """Queue a job of about `rows` rows; never blocks. Resolved after COMMIT, or with a StoreError.

        A job may run more than once, each time in a fresh transaction. urgent: commit at once, ahead of others.
        patient: wait through a full or failing disk instead of failing; the oldest of them give way when the ring is full.
        """
        job = _Job(run, urgent, patient, rows)
        job.future.set_running_or_notify_cancel()  # a caller that gives up waiting does not undo a write
        with self._wake:
            if self._closing:
                job.future.set_exception(StoreError(f"{self.path}: the store is closed"))
                return job.future
            idle = not self._rows
            (self._urgent if urgent else self._jobs).append(job)
            self._rows += rows
            overflow = self._overflow()
            if idle or urgent or self._rows >= GROUP_ROWS:
                self._wake.notify()
        for victim in overflow:
            victim.future.set_exception(StoreFull(f"{self.path}: too many rows wait for the disk; the oldest given up"))
        if self._thread is None:
            self._inline()
        return job.future

    async def write(self, run: Callable[[Tx], T], *, urgent: bool = False, patient: bool = False, rows: int = 1) -> T:
        """`submit` for coroutines."""
        return await asyncio.wrap_future(self.submit(run, urgent=urgent, patient=patient, rows=rows))

    def close(self) -> None:
        """Commit what waits, close the file and end the thread; jobs that cannot be written fail."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._thread is not None and self._thread.ident is not None:
            self._thread.join()
            return
        self._inline()
        self._shut()

    def _overflow(self) -> list[_Job]:
        """Take the oldest jobs out while the ring is over its bound; urgent ones only when nothing else is left."""
        victims = []
        while self._rows > self._ring_rows and (len(self._jobs) > 1 or (not self._jobs and len(self._urgent) > 1)):
            victim = (self._jobs or self._urgent).popleft()
            self._rows -= victim.rows
            self.lost_rows += victim.rows
            victims.append(victim)
        return victims

    def _inline(self) -> None:
        """Write what waits, as far as the storage takes it."""
        while (self._urgent or self._jobs) and self._attempt(self._collect()):
            pass

    def _loop(self) -> None:
        try:
            while group := self._collect():
                self._attempt(group)
        finally:
            self._shut()

    def _shut(self) -> None:
        """Close the file whole: without a write-ahead log beside it, even while readers hold it open."""
        with suppress(DatabaseError):
            self._conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self._conn.close()
        self._abandon()

    def _collect(self) -> list[_Job]:
        """Wait for the next group; empty when closing and nothing is left. In trouble, an idle store is tried all the same."""
        with self._wake:
            patience = RETRY_S[-1] if self.failure is not None else None
            if not self._wake.wait_for(lambda: self._urgent or self._jobs or self._closing, patience):
                return [_Job(lambda tx: None, urgent=False, patient=False, rows=0)]
            if self._thread is not None:
                self._wake.wait_for(lambda: self._urgent or self._closing or self._rows >= GROUP_ROWS, GROUP_S)
            group = list(self._urgent)
            self._urgent.clear()
            rows = sum(job.rows for job in group)
            while self._jobs and (rows < GROUP_ROWS or not group):
                group.append(self._jobs.popleft())
                rows += group[-1].rows
            self._rows -= rows
            return group

    def _attempt(self, group: list[_Job]) -> bool:
        """Bring a group to its end: committed, failed by its own fault, or put back while the storage is in trouble.

        Whether it is worth going on at once.
        """
        try:
            self._transaction(group)
            self._make_room(4)
        except StoreError as error:
            return self._suspend(error, group)
        self._settle()
        return True

    def _transaction(self, group: list[_Job]) -> None:
        """Run and commit the jobs together; when one fails by its own fault, each is run alone to find it."""
        tx = Tx(self._conn)
        try:
            self._conn.execute("BEGIN IMMEDIATE")
            results = [(job, job.run(tx)) for job in group]
            token = self._conn.execute(TOKEN).fetchone()[0]
            self._doubt = _Group(results, tx.done, token)
            self._conn.execute("COMMIT")
        except DatabaseError as error:
            if (failure := trouble(error, self.path)) is not None:
                raise failure from error
            self._isolate(group, error)
        except OWN_FAULTS as error:
            self._isolate(group, error)
        else:
            self._resolve(self._doubt)

    def _isolate(self, group: list[_Job], error: Exception) -> None:
        if self._conn.in_transaction:
            self._conn.execute("ROLLBACK")
        if len(group) == 1:
            group[0].future.set_exception(error)
            return
        for job in group:
            self._transaction([job])

    def _resolve(self, group: _Group) -> None:
        """Tell everyone that a group is durable."""
        self._doubt = None
        self.commits += 1
        self.committed(group.token)
        for call in group.calls:
            call()
        for job, result in group.results:
            job.future.set_result(result)

    def _suspend(self, failure: StoreError, group: list[_Job]) -> bool:
        """The storage failed: make room, learn whether the last COMMIT landed, put patient jobs back, wait a while.

        Whether room was made.
        """
        self._report(failure)
        full = isinstance(failure, StoreFull)
        made = full and self._ballast is not None and self._ballast.give_up()
        if made:
            log.warning("%s: ballast given up", self.path)
        try:
            self._reopen()
            made = (full and self._make_room(ALL_SLICES, full)) or made
        except StoreError as error:
            self._report(error)
        waiting = [job for job in group if not job.future.done()]
        for job in waiting:
            job.tries += 1
            again = full and job.tries < TRIES and (made or self._thread is not None)
            if not (job.patient or again) or self._closing:
                job.future.set_exception(failure)
        self._put_back([job for job in waiting if not job.future.done()])
        if self._thread is not None and not made:
            with self._wake:
                self._wake.wait_for(lambda: self._closing, RETRY_S[min(self._failures, len(RETRY_S)) - 1])
        return made

    def _make_room(self, slices: int, full: bool = False) -> bool:
        """Let retention give up at most so many slices while room is short; True when any was given up. Raises StoreError."""
        made = False
        while self.relief is not None and slices and self.relief.pressed(self._conn, full):
            job = _Job(self.relief.slice, urgent=True, patient=False, rows=1)
            self._transaction([job])
            if not job.future.result():
                break
            self._conn.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            made, slices = True, slices - 1
        return made

    def _reopen(self) -> None:
        """Open the file anew and settle the doubt: a failed COMMIT may still have reached the file. Raises StoreError."""
        try:
            self._conn.close()
            self._conn = open_writer(self.path, self._quota)
            landed = self._conn.execute("SELECT value FROM meta WHERE name = 'commits'").fetchone()[0]
            if self._doubt is not None and landed == self._doubt.token:
                self._conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()  # what a failed sync left undone
                self._resolve(self._doubt)
            self._doubt = None
        except DatabaseError as error:
            raise trouble(error, self.path) or StoreError(f"{self.path}: {error}") from error

    def _put_back(self, jobs: list[_Job]) -> None:
        with self._wake:
            self._urgent.extendleft(reversed([job for job in jobs if job.urgent]))
            self._jobs.extendleft(reversed([job for job in jobs if not job.urgent]))
            self._rows += sum(job.rows for job in jobs)

    def _report(self, failure: StoreError) -> None:
        if self.failure is None:
            log.error("%s", failure)
        self.failure, self.health, self.why = failure, Health.DOWN, str(failure)
        self._failures += 1

    def _settle(self) -> None:
        """After a commit: recover the state of health, watch the write-ahead log, take ballast on again."""
        if self.failure is not None:
            log.warning("%s: the store writes again", self.path)
            self.failure, self._failures = None, 0
        size = self._wal.stat().st_size if self._wal.exists() else 0
        if size > WAL_ALARM:
            state = (Health.DEGRADED, f"a reader holds {size >> 20} MB of the write-ahead log back")
        else:
            state = (Health.UP, "")
        if state[0] is not self.health and state[0] is Health.DEGRADED:
            log.warning("%s: %s", self.path, state[1])
        self.health, self.why = state
        if self._ballast is not None and self.commits % 1000 == 1:
            self._ballast.hold()

    def _abandon(self) -> None:
        """Whoever still waits when the thread ends learns that nothing was written."""
        with self._wake:
            self._closing = True
            left = [*self._urgent, *self._jobs]
        for job in left:
            job.future.set_exception(StoreError(f"{self.path}: the store was closed before this was written"))

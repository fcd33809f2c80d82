"""One process at a time on a file, however that process ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge.store.connect import DatabaseError, open_writer
from hardware.errors import StoreError


@contextmanager
def alone(file: Path) -> Iterator[None]:
    """Hold a store or key file for this process only; StoreError while another one holds it for longer than a moment."""
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = open_writer(file.with_name(file.name + ".lock"))
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except DatabaseError:
        lock.close()
        raise StoreError(f"{file}: another sanduan works on this file (正被另一个 sanduan 使用)") from None
    try:
        yield
    finally:
        lock.close()

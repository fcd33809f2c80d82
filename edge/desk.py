"""A store with its keys for one command at a desk: opened while no agent runs on it, used, closed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from edge.config import Config
from edge.keys import load
from edge.store.connect import DatabaseError, open_writer
from edge.store.log import StoreLog
from edge.store.store import Store
from hardware.clock import Clock
from hardware.errors import StoreError
from sync.records import Anchor
from sync.seal.keyring import Keyring


def anchor(config: Config) -> Anchor:
    """The incident's fixed point and start, as configured."""
    incident = config.incident
    start_ms = int(incident["start"].timestamp() * 1000)
    return Anchor(round(incident["lat"] * 1e7), round(incident["lon"] * 1e7), start_ms)


@contextmanager
def alone(store: Path) -> Iterator[None]:
    """Hold a store for this process only, however it ends; StoreError while another one holds it."""
    store.parent.mkdir(parents=True, exist_ok=True)
    lock = open_writer(store.with_name(store.name + ".lock"))
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except DatabaseError:
        lock.close()
        raise StoreError(f"{store}: another sanduan works on this store (本库正被另一个 sanduan 使用)") from None
    try:
        yield
    finally:
        lock.close()


@contextmanager
def desk(config: Config) -> Iterator[tuple[StoreLog, Keyring, Clock]]:
    """Log, keys and clock of a configured node; ConfigError or StoreError. Everything is unpacked and closed at the end."""
    keys = load(Path(config.keys["file"]), config.station["node"])
    with alone(config.store), closing(Store.open(config.store, keys.node)) as store:
        keyring = keys.keyring(store.life.incarnation)
        with closing(StoreLog(store, keyring, anchor(config))) as log:
            yield log, keyring, store.clock
            while log.unpack():
                pass

"""A store with its keys for one command at a desk: opened while no agent runs on it, used, closed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from edge.alone import alone
from edge.config import Config
from edge.keys import load
from edge.store.log import StoreLog
from edge.store.store import Store
from hardware.clock import Clock
from sync.records import Anchor
from sync.seal.keyring import Keyring


def anchor(config: Config) -> Anchor:
    """The incident's fixed point and start, as configured."""
    incident = config.incident
    start_ms = int(incident["start"].timestamp() * 1000)
    return Anchor(round(incident["lat"] * 1e7), round(incident["lon"] * 1e7), start_ms)


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

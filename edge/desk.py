"""A store with its keys for one command at a desk: opened while no agent runs on it, used, closed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from edge import keys
from edge.alone import alone
from edge.config import Config
from edge.identity.identity import Identity
from edge.identity.steward import Steward
from edge.store.log import StoreLog
from edge.store.store import Store
from hardware.clock import Clock
from hardware.errors import ConfigError
from sync.records import Anchor
from sync.seal.keyring import Keyring


def anchor(config: Config, identity: Identity) -> Anchor:
    """The incident's fixed point and start as its root signed them, or as configured where it signed none; ConfigError when the
    two differ, or there is neither."""
    given, signed = [config.incident[name] for name in ("lat", "lon", "start")], identity.anchor
    if None in given:
        if not signed.start_ms or given != [None, None, None]:
            raise ConfigError(str(config.file), "incident", "", "lat, lon and start (须有 lat、lon 与 start)")
        return signed
    lat, lon, start = given
    configured = Anchor(round(lat * 1e7), round(lon * 1e7), int(start.timestamp() * 1000))
    if signed.start_ms and configured != signed:
        raise ConfigError(
            str(config.file),
            "incident",
            "another place or start",
            "what the incident's root signed, or nothing (与事件创建者签名的不符)",
        )
    return configured


@contextmanager
def desk(config: Config) -> Iterator[tuple[StoreLog, Keyring, Clock]]:
    """Log, keys and clock of a configured node; ConfigError or StoreError. Everything is unpacked and closed at the end."""
    identity = keys.of(config)
    with (
        alone(config.store),
        closing(Store.open(config.store, identity.node, incident=identity.charter.incident)) as store,
    ):
        keyring = identity.keyring(store.life.incarnation)
        with (
            closing(StoreLog(store, keyring, anchor(config, identity))) as log,
            closing(Steward(identity, keyring, store, log)) as steward,
        ):
            steward.step()
            yield log, keyring, store.clock
            steward.step()
            while log.unpack():
                pass

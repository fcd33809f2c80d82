"""The keys a configured node runs with: its identity, opened. `create` makes a whole incident at once, for exercises and tests."""

from __future__ import annotations

from pathlib import Path

from edge.config import Config
from edge.identity.enrol import create, file_of
from edge.identity.identity import Identity, load
from edge.identity.module import module_suite
from sync.seal.suites import plug

__all__ = ["Identity", "create", "file_of", "load", "of"]


def of(config: Config) -> Identity:
    """The identity that [keys] names, unlocked; ConfigError when it is another node's, locked, damaged or not let in yet.

    SealError when the module that [keys] names does not start.
    """
    if config.keys["module"]:
        plug(module_suite(config.keys["module"]))
    unlock = config.keys["unlock"]
    return load(Path(config.keys["file"]), config.station["node"], Path(unlock) if unlock else None)

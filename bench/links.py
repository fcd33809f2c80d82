"""Every bearer's bench in one object: those whose modules are installed, by name."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

PARTS: Final = ("rdss", "mesh", "lan", "carry")


def run() -> dict[str, Any]:
    """The result of each part under its name; `ok` when every part that ran says so."""
    found = {name: import_module(f"bench.{name}").run() for name in PARTS if find_spec(f"bench.{name}") is not None}
    return {**found, "ok": all(part.get("ok", True) for part in found.values())}

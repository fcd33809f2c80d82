"""The registry of drivers: a name in the configuration -> "module:factory", imported only when it is used.

A factory takes (name, options, place) and gives a hardware.driver.Driver. Names that are not built in come from the entry
point group `sanduan.drivers`; nobody from outside can take the place of a built-in one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Final

from hardware.clock import Clock
from hardware.driver import Driver

GROUP: Final = "sanduan.drivers"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a driver works. station: the default subject; carriers: radio's address -> person; shared: what several devices
    and bearers have in common (a radio, a Bluetooth adapter), by name."""

    station: str
    clock: Clock
    carriers: Mapping[str, str]
    shared: dict[str, Any] = field(default_factory=dict)


Factory = Callable[[str, Mapping[str, Any], Place], Driver]

DRIVERS: Final[dict[str, str]] = {
    "nmea.gnss": "edge.devices:gnss",
    "gpsd": "edge.devices:gpsd",
    "meshtastic": "edge.devices:meshtastic",
    "ble.vitals": "edge.devices:ble_vitals",
    "sim": "edge.devices:sim",
    "sim.wearable": "edge.devices:sim_wearable",
}


def known() -> list[str]:
    """Every driver name that can be used here."""
    return sorted({*DRIVERS, *entry_points(group=GROUP).names})


def builtin(kind: str) -> bool:
    """Whether the driver is part of the toolkit (others run on a thread of their own)."""
    return kind in DRIVERS


def factory(kind: str) -> Factory:
    """What makes a driver of that name; KeyError when there is none."""
    if kind in DRIVERS:
        module, _, attribute = DRIVERS[kind].partition(":")
        made: Factory = getattr(import_module(module), attribute)
        return made
    for entry in entry_points(group=GROUP):
        if entry.name == kind:
            loaded: Factory = entry.load()
            return loaded
    raise KeyError(kind)

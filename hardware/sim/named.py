"""Simulators by the port name that a configuration gives them: `sim:wearable?seed=3`, `sim:gas4?rate_s=2`."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl

from hardware.driver import Driver
from hardware.errors import PortMissing
from hardware.sim.stations import STATIONS, SimStation
from hardware.sim.wearables import SimWearable

_WHAT: Final = ("wearable", *STATIONS)


def simulated(name: str, subject: str, port: str) -> Driver:
    """The simulator behind a `sim:` port; PortMissing says what there is when the name, an option or a value is wrong."""
    what, _, query = port.removeprefix("sim:").partition("?")
    if what not in _WHAT:
        raise PortMissing(f"{port}: no simulator {what!r}; there are {', '.join(_WHAT)}")
    try:
        options = dict(parse_qsl(query, strict_parsing=bool(query)))
        seed, rate_s = int(options.pop("seed", "0")), float(options.pop("rate_s", "1"))
        if options or not 0.01 <= rate_s <= 86_400:
            raise ValueError(port)
    except ValueError:
        raise PortMissing(f"{port}: options are seed=WHOLE NUMBER and rate_s=0.01..86400") from None
    return (
        SimWearable(name, subject, seed, rate_s)
        if what == "wearable"
        else SimStation(name, subject, what, seed, rate_s)
    )

"""From a device's section of the configuration to its driver."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from edge.drivers import Place
from hardware.driver import Driver, DriverContext
from hardware.observation import Observation
from hardware.sim.wearables import SimWearable

Options = Mapping[str, Any]
HUSH: Final = "hush"


def gnss(name: str, options: Options, place: Place) -> Driver:
    """A receiver on a serial port, or a recording."""
    from hardware.gnss.driver import GnssDriver

    port = options["port"]
    if port.startswith("replay:") and "?" not in port:
        port += f"?speed={options['pace']:g}" if options["pace"] else "?fast"
    return GnssDriver(
        name,
        port,
        options["subject"] or place.station,
        baud=options["baud"],
        sets_clock=options["sets_clock"] and not port.startswith("replay:"),
    )


def gpsd(name: str, options: Options, place: Place) -> Driver:
    """A running gpsd."""
    from hardware.gnss.gpsd import GpsdDriver

    host = f"[{options['host']}]" if ":" in options["host"] else options["host"]
    where = f"gpsd://{host}:{options['tcp_port']}"
    return GpsdDriver(name, where, options["subject"] or place.station, sets_clock=options["sets_clock"])


def meshtastic(name: str, options: Options, place: Place) -> Driver:
    """A LoRa radio as a sensor; a bearer may share it, by the device's name."""
    from radios.meshtastic.driver import MeshtasticDriver
    from radios.meshtastic.radio import Radio

    port = options["port"] or f"tcp://{options['host']}:{options['tcp_port']}"
    radio = place.shared.setdefault(f"radio {name}", Radio(name, port, place.clock))
    return MeshtasticDriver(name, radio, dict(place.carriers))


def ble_vitals(name: str, options: Options, place: Place) -> Driver:
    """A strap, oximeter or thermometer; those on one Bluetooth adapter share it."""
    from hardware.ble.adapter import Adapter
    from hardware.ble.vitals import Strap

    adapter = place.shared.setdefault(f"adapter {options['adapter']}", Adapter(options["adapter"]))
    return Strap(name, options["subject"] or name, options["addr"], adapter)


def sim(name: str, options: Options, place: Place) -> Driver:
    """A simulator by its `sim:` port."""
    from hardware.sim.named import simulated

    return simulated(name, options["subject"] or place.station, options["port"])


def sim_wearable(name: str, options: Options, place: Place) -> Driver:
    """A simulated wearable; with `counter` it keeps its own count in a file, for whoever checks the node's."""
    wearable = SimWearable(name, options["subject"] or name, options["seed"], options["rate_s"])
    return Counted(wearable, Path(options["counter"])) if options["counter"] else wearable


class Counted:
    """A simulated wearable whose count survives a killed process: a byte appended to its file per observation emitted.

    It falls silent once a file named `hush` lies beside.
    """

    def __init__(self, inner: SimWearable, file: Path) -> None:
        self.name, self._inner, self._file = inner.name, inner, file

    async def run(self, context: DriverContext) -> None:
        """Emit until cancelled."""
        with self._file.open("ab", buffering=0) as count:
            await self._inner.run(_Counting(context, count.write, self._file.with_name(HUSH)))


class _Counting:
    """A context that counts what passes through it."""

    def __init__(self, context: DriverContext, count: Any, hush: Path) -> None:
        self.clock, self.heard, self.health = context.clock, context.heard, context.health
        self._context, self._count, self._hush = context, count, hush

    def emit(self, observation: Observation) -> None:
        """Pass on, and count."""
        if not self._hush.exists():
            self._context.emit(observation)
            self._count(b".")

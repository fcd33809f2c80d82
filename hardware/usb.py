"""Serial ports by USB identity, and noticing when one is plugged in."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from serial.tools import list_ports

from hardware.errors import PortMissing

POLL_S: Final = 2.0  # one look at all ports costs about 1.3 ms
_NAME: Final = re.compile(r"([0-9a-fA-F]{4}):([0-9a-fA-F]{4})(?::(?P<serial>[^@]+)|@(?P<location>.+))")


class PortInfo(Protocol):
    """What pyserial tells about a port."""

    device: str
    vid: int | None
    pid: int | None
    serial_number: str | None
    location: str | None


@dataclass(frozen=True, slots=True)
class UsbName:
    """VID, PID and either a serial number (`*`: any) or the physical place of the socket (`1-1.2`).

    Many cheap adapters (CH340, PL2303) carry no serial number of their own: those are told apart by place.
    """

    vid: int
    pid: int
    serial: str | None
    location: str | None

    @classmethod
    def parse(cls, text: str) -> UsbName:
        """`VID:PID:SERIAL` or `VID:PID@LOCATION`, hex without 0x; PortMissing otherwise."""
        found = _NAME.fullmatch(text)
        if found is None:
            raise PortMissing(f"usb:{text} is not usb:VID:PID:SERIAL, usb:VID:PID:* or usb:VID:PID@LOCATION")
        return cls(int(found[1], 16), int(found[2], 16), found["serial"], found["location"])

    def matches(self, port: PortInfo) -> bool:
        """Whether a port is the one meant; a location also matches with an interface after it (`1-1.2:1.0`)."""
        if (port.vid, port.pid) != (self.vid, self.pid):
            return False
        if self.location is not None:
            return (port.location or "").partition(":")[0] == self.location or port.location == self.location
        return self.serial in ("*", port.serial_number)


def find(text: str, ports: Iterable[PortInfo] | None = None) -> str:
    """Device path of `VID:PID…`; PortMissing when none matches, or when `*` matches several."""
    name = UsbName.parse(text)
    found = sorted(port.device for port in (list_ports.comports() if ports is None else ports) if name.matches(port))
    if not found:
        raise PortMissing(f"usb:{text} is not plugged in")
    if len(found) > 1:
        raise PortMissing(f"usb:{text} fits {', '.join(found)}: name one by serial number or usb:VID:PID@LOCATION")
    return found[0]


def present(name: str) -> bool:
    """Whether a serial port is there now: a `usb:` name or a path. Other names are always there."""
    if name.startswith("usb:"):
        try:
            return bool(find(name[4:]))
        except PortMissing:
            return False
    return os.path.exists(name) if name.startswith("/") else True


async def plugged_in(name: str, within_s: float) -> bool:
    """Wait `within_s`, or only until an absent port turns up; whether it did. The pause between two attempts to open."""
    loop = asyncio.get_running_loop()
    end = loop.time() + within_s
    absent = not await asyncio.to_thread(present, name)
    while (left := end - loop.time()) > 0:
        await asyncio.sleep(min(left, POLL_S) if absent else left)
        if absent and await asyncio.to_thread(present, name):
            return True
    return False

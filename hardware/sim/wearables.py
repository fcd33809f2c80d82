"""Simulated wearables: a body, its values in the services' own bytes, and a driver that needs no Bluetooth."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, NamedTuple

from hardware.ble.readings import CHANNELS
from hardware.driver import DriverContext, Health
from hardware.observation import Observation
from hardware.sim.wearable_body import Body

_NAN: Final = 0x07FF
_OFF_USER: Final = 1 << 11  # PLXS 3.2.1.5


def sfloat(value: float, exponent: int = 0) -> bytes:
    """IEEE 11073 SFLOAT with the given decimal exponent (-8..7)."""
    return (round(value * 10.0**-exponent) & 0xFFF | (exponent & 0xF) << 12).to_bytes(2, "little")


def float32(value: float, exponent: int = -2) -> bytes:
    """IEEE 11073 FLOAT with the given decimal exponent (-128..127)."""
    return (round(value * 10.0**-exponent) & 0xFFFFFF | (exponent & 0xFF) << 24).to_bytes(4, "little")


def heart_rate(body: Body) -> bytes:
    """0x2A37 with contact status and the RR intervals since the last one."""
    if not body.worn:
        return bytes([0x04, 0])
    beats = b"".join(beat.to_bytes(2, "little") for beat in body.beats)
    return bytes([0x16 if beats else 0x06, body.pulse]) + beats


def plx(body: Body) -> bytes:
    """0x2A5F with the sensor status; NaN while the sensor is off the skin."""
    if not body.worn:
        return b"\x08" + _NAN.to_bytes(2, "little") * 2 + _OFF_USER.to_bytes(3, "little")
    pulse = sfloat(body.pulse) if body.pulse else _NAN.to_bytes(2, "little")
    return b"\x08" + sfloat(body.spo2) + pulse + bytes(3)


def temperature(body: Body) -> bytes:
    """0x2A1C in degrees Celsius, measured on the body; not a number while the sensor is off the skin."""
    return b"\x04" + (float32(body.celsius) if body.worn else b"\xff\xff\x7f\x00") + b"\x02"


def battery(body: Body) -> bytes:
    """0x2A19."""
    return bytes([body.battery])


class Stream(NamedTuple):
    """One characteristic of the simulated wearable and how often it speaks, in seconds."""

    uuid: int
    every_s: int
    encode: Callable[[Body], bytes]


STREAMS: Final = (
    Stream(0x2A37, 1, heart_rate),
    Stream(0x2A5F, 2, plx),
    Stream(0x2A1C, 10, temperature),
    Stream(0x2A19, 60, battery),
)


class SimWearable:
    """One simulated wearable of one subject; it lives a second of its body's time every `rate_s`.

    `emitted` counts every observation given to the context.
    """

    def __init__(self, name: str, subject: str, seed: int = 0, rate_s: float = 1.0) -> None:
        self.name, self.subject, self.emitted = name, subject, 0
        self._rate_s = rate_s
        self._body = Body(seed)
        self._second = 0

    async def run(self, context: DriverContext) -> None:
        """Emit until cancelled, at fixed instants of the loop's clock."""
        loop = asyncio.get_running_loop()
        context.health(Health.UP)
        due = loop.time()
        while True:
            for uuid, value in self.second():
                self._emit(uuid, value, context)
            due = max(due + self._rate_s, loop.time())
            await asyncio.sleep(due - loop.time())

    def second(self) -> list[tuple[int, bytes]]:
        """The next second's characteristic values, as (UUID, bytes)."""
        self._body.step(1)
        values = [(item.uuid, item.encode(self._body)) for item in STREAMS if self._second % item.every_s == 0]
        self._second += 1
        return values

    def _emit(self, uuid: int, value: bytes, context: DriverContext) -> None:
        channel = CHANNELS[uuid]
        for reading in channel.read(value):
            source, stamp = f"{self.name}/{channel.name}", context.clock.stamp()
            self.emitted += 1
            context.emit(Observation(self.subject, source, reading.profile, stamp, reading.values, reading.qualities))

"""The driver of one wearable over Bluetooth LE: connect, subscribe to what it offers, notice silence, come back."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Final

from bleak import BleakClient
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.exc import BleakError
from bleak.uuids import normalize_uuid_16

from hardware.ble.adapter import FAILURES, Adapter
from hardware.ble.readings import CHANNELS, Channel, Reading
from hardware.driver import DriverContext, Health
from hardware.errors import DecodeError, PortError
from hardware.observation import Observation

_log = logging.getLogger(__name__)
_BY_UUID: Final = {normalize_uuid_16(channel.uuid): channel for channel in CHANNELS.values()}


@dataclass(frozen=True, slots=True)
class Pace:
    """Back-off between attempts from `first_s` doubling to `last_s`; what cannot notify is read every `poll_s`."""

    first_s: float = 2
    last_s: float = 60
    poll_s: float = 600
    jitter: float = 0.25

    def delays(self, rng: random.Random) -> Iterator[float]:
        """Seconds to wait after the first, second, … failure in a row."""
        for attempt in count():
            base = min(self.last_s, self.first_s * 2.0 ** min(attempt, 16))
            yield base * rng.uniform(1 - self.jitter, 1 + self.jitter)


class Strap:
    """One wearable of one subject; its sources are named `name/hr`, `name/plx`, `name/temp`, `name/bp`, `name/battery`.

    Straps on one adapter share its Adapter. `malformed` counts values that did not decode.
    """

    def __init__(
        self,
        name: str,
        subject: str,
        address: str,
        adapter: Adapter,
        pace: Pace = Pace(),
        rng: random.Random | None = None,
    ) -> None:
        self.name, self.subject, self.address = name, subject, address
        self.malformed = 0
        self._adapter, self._pace, self._rng = adapter, pace, rng or random.Random()
        self._timers: dict[int, asyncio.TimerHandle] = {}
        self._silent: set[int] = set()
        self._heard = 0
        self._linked = False

    async def run(self, context: DriverContext) -> None:
        """Keep the strap connected until cancelled; what fails is retried with back-off and told as health."""
        delays = self._pace.delays(self._rng)
        context.health(Health.DOWN, f"looking for {self.address}")
        try:
            while True:
                heard = self._heard
                why = await self._attempt(context)
                if self._heard > heard:
                    delays = self._pace.delays(self._rng)
                context.health(Health.DOWN, why)
                await asyncio.sleep(next(delays))
        finally:
            for timer in self._timers.values():
                timer.cancel()
            self._timers.clear()

    async def _attempt(self, context: DriverContext) -> str:
        """One connection from start to end; says why it ended."""
        gone = asyncio.Event()
        try:
            async with self._adapter.connected(self.address, gone.set) as client:
                await self._session(client, context, gone)
            return f"{self.address} disconnected"
        except (PortError, *FAILURES) as error:
            return str(error) or f"{self.address}: {type(error).__name__}"
        finally:
            self._linked = False

    async def _session(self, client: BleakClient, context: DriverContext, gone: asyncio.Event) -> None:
        self._linked = True
        polled = await self._subscribe(client, context)
        self._report(context)
        while not gone.is_set():
            _obey()
            try:
                async with asyncio.timeout(self._pace.poll_s):
                    await gone.wait()
            except TimeoutError:
                for characteristic in polled:
                    await self._read(client, characteristic, context)

    async def _subscribe(self, client: BleakClient, context: DriverContext) -> list[BleakGATTCharacteristic]:
        """Read and subscribe to every channel offered; returns what has to be polled."""
        offered = [item for item in client.services.characteristics.values() if item.uuid in _BY_UUID]
        if not offered:
            raise BleakError(f"{self.address} offers no vital sign that this version reads")
        polled = []
        for characteristic in offered:
            if "read" in characteristic.properties:
                await self._read(client, characteristic, context)
            if {"notify", "indicate"} & set(characteristic.properties):
                await self._follow(client, characteristic, context)
            else:
                polled.append(characteristic)
        return polled

    async def _read(self, client: BleakClient, characteristic: BleakGATTCharacteristic, context: DriverContext) -> None:
        self._take(_BY_UUID[characteristic.uuid], await client.read_gatt_char(characteristic), context)

    async def _follow(
        self, client: BleakClient, characteristic: BleakGATTCharacteristic, context: DriverContext
    ) -> None:
        channel = _BY_UUID[characteristic.uuid]
        self._arm(channel, context)
        await client.start_notify(characteristic, lambda _, value: self._take(channel, value, context))

    def _take(self, channel: Channel, value: bytes | bytearray, context: DriverContext) -> None:
        """A value arrived: emit its rows, and start to listen for silence anew."""
        try:
            readings = list(channel.read(bytes(value)))
        except DecodeError as error:
            self.malformed += 1
            if self.malformed == 1:
                _log.warning("%s/%s: %s", self.name, channel.name, error)
            return
        self._heard += 1
        self._arm(channel, context)
        if channel.uuid in self._silent:
            self._silent.discard(channel.uuid)
            self._report(context)
        for reading in readings:
            self._emit(channel, reading, context)

    def _emit(self, channel: Channel, reading: Reading, context: DriverContext) -> None:
        source = f"{self.name}/{channel.name}"
        context.emit(Observation(self.subject, source, reading.profile, context.clock.stamp(), *reading[1:]))

    def _arm(self, channel: Channel, context: DriverContext) -> None:
        if timer := self._timers.pop(channel.uuid, None):
            timer.cancel()
        if channel.silent_s is not None:
            loop = asyncio.get_running_loop()
            self._timers[channel.uuid] = loop.call_later(channel.silent_s, self._fall_silent, channel, context)

    def _fall_silent(self, channel: Channel, context: DriverContext) -> None:
        """Said once for each silence, connected or not."""
        if channel.uuid in self._silent:
            return
        self._silent.add(channel.uuid)
        self._emit(channel, channel.stale, context)
        self._report(context)

    def _report(self, context: DriverContext) -> None:
        if not self._linked:
            return
        silent = sorted(f"{CHANNELS[uuid].name} silent for {CHANNELS[uuid].silent_s:g} s" for uuid in self._silent)
        context.health(Health.DEGRADED if silent else Health.UP, ", ".join(silent))


def _obey() -> None:
    """End when a cancellation was swallowed below: before Python 3.12 asyncio.wait_for does that when its answer just comes."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError

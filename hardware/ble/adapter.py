"""One Bluetooth adapter, shared by its straps: one scanner, one connect at a time, never both at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final, NamedTuple

from bleak import BleakAdapter, BleakClient, BleakScanner
from bleak.args.bluez import BlueZAdapterArgs, BlueZClientArgs, BlueZScannerArgs
from bleak.backends.adapter import BaseBleakAdapter
from bleak.backends.client import BaseBleakClient
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner
from bleak.exc import BleakError

from hardware.errors import PortMissing

FAILURES: Final = (BleakError, TimeoutError, OSError, EOFError)
_SERVICES: Final = ["180d", "1822", "1809", "1810", "180f"]


class Backends(NamedTuple):
    """Which bleak backends to use; None is the platform's own."""

    scanner: type[BaseBleakScanner] | None = None
    client: type[BaseBleakClient] | None = None
    adapter: type[BaseBleakAdapter] | None = None


PLATFORM: Final = Backends()


class Adapter:
    """An adapter by its system name ("hci0"; None is the first). Scans at most `scan_s`, connects at most `connect_s`."""

    def __init__(
        self, name: str | None = None, backends: Backends = PLATFORM, scan_s: float = 5, connect_s: float = 20
    ) -> None:
        self.name, self._backends, self._scan_s, self._connect_s = name, backends, scan_s, connect_s
        self._lock = asyncio.Lock()
        self._wanted: set[str] = set()
        self._seen: dict[str, BLEDevice] = {}

    @asynccontextmanager
    async def connected(self, address: str, on_gone: Callable[[], None]) -> AsyncIterator[BleakClient]:
        """A connected client, disconnected on leaving; `on_gone` runs when the peripheral goes away by itself.

        Raises PortMissing when the address does not advertise, or one of FAILURES.
        """
        address = address.upper()
        self._wanted.add(address)
        try:
            async with self._lock:
                client = self._client(await self._find(address), on_gone)
                await client.connect()
        finally:
            self._wanted.discard(address)
            self._seen.pop(address, None)
        try:
            yield client
        finally:
            with suppress(*FAILURES):
                await client.disconnect()

    def _client(self, device: BLEDevice, on_gone: Callable[[], None]) -> BleakClient:
        return BleakClient(
            device,
            lambda _: on_gone(),
            timeout=self._connect_s,
            bluez=BlueZClientArgs(adapter=self.name) if self.name else BlueZClientArgs(),
            backend=self._backends.client,
        )

    async def _find(self, address: str) -> BLEDevice:
        if address not in self._seen:
            await self._take_leftovers()
        if address not in self._seen:
            await self._scan()
        try:
            return self._seen.pop(address)
        except KeyError:
            raise PortMissing(f"{address} does not advertise within reach of {self.name or 'the adapter'}") from None

    async def _take_leftovers(self) -> None:
        """Links that an earlier process left open do not advertise; the system lists them."""
        args = BlueZAdapterArgs(adapter=self.name) if self.name else BlueZAdapterArgs()
        with suppress(NotImplementedError):
            system = await BleakAdapter.get(bluez=args, backend=self._backends.adapter)
            for device in await system.get_connected_devices(_SERVICES):
                self._note(device)

    async def _scan(self) -> None:
        """Look for every strap that waits, so that the next ones need no scan of their own."""
        complete = asyncio.Event()

        def on_advertisement(device: BLEDevice, _: AdvertisementData) -> None:
            self._note(device)
            if self._wanted <= self._seen.keys():
                complete.set()

        args = BlueZScannerArgs(adapter=self.name) if self.name else BlueZScannerArgs()
        async with BleakScanner(on_advertisement, bluez=args, backend=self._backends.scanner):
            with suppress(TimeoutError):
                async with asyncio.timeout(self._scan_s):
                    await complete.wait()

    def _note(self, device: BLEDevice) -> None:
        if device.address.upper() in self._wanted:
            self._seen[device.address.upper()] = device

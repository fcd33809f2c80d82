"""Emulated wearables as real GATT peripherals on bumble's link, and bleak backends that reach them without a radio."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar

from bleak.assigned_numbers import gatt_char_props_to_strs
from bleak.backends.adapter import BaseBleakAdapter
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import BleakError
from bleak.uuids import normalize_uuid_str
from bumble.controller import Controller
from bumble.core import UUID, AdvertisingData
from bumble.device import Connection, Device, Peer
from bumble.gatt import Characteristic, Service
from bumble.hci import Address
from bumble.host import Host
from bumble.link import LocalLink
from bumble.transport.common import AsyncPipeSink

from hardware.ble.adapter import Backends

_READ, _NOTIFY, _INDICATE = (
    Characteristic.Properties.READ,
    Characteristic.Properties.NOTIFY,
    Characteristic.Properties.INDICATE,
)
LAYOUT = {
    0x180D: {0x2A37: _NOTIFY},
    0x1822: {0x2A5F: _NOTIFY},
    0x1809: {0x2A1C: _INDICATE},
    0x180F: {0x2A19: _READ | _NOTIFY},
}


def _device(link: LocalLink, address: str, name: str) -> Device:
    controller = Controller(name, link=link, public_address=f"{address}/P")
    device = Device(name=name, address=Address(address), host=Host(controller, AsyncPipeSink(controller)))
    device.random_address = Address(address)
    return device


class Peripheral:
    """One emulated wearable offering the services of LAYOUT that are asked for."""

    def __init__(self, link: LocalLink, address: str, services: tuple[int, ...], battery: int = 87) -> None:
        self.address, self.device = address, _device(link, address, f"strap {address[-2:]}")
        self.connections: list[Connection] = []
        self.values: dict[int, Characteristic[bytes]] = {}
        for service in services:
            for uuid, properties in LAYOUT[service].items():
                initial = bytes([battery]) if uuid == 0x2A19 else b""
                self.values[uuid] = Characteristic(
                    UUID.from_16_bits(uuid), properties, Characteristic.READABLE, initial
                )
            mine = [self.values[uuid] for uuid in LAYOUT[service]]
            self.device.add_service(Service(UUID.from_16_bits(service), mine))
        self.device.on("connection", self.connections.append)
        self.device.on("connection", lambda link: link.on("disconnection", lambda _: self.connections.remove(link)))

    async def advertise(self) -> None:
        """Power on, if not yet, and advertise until connected."""
        if not self.device.powered_on:
            await self.device.power_on()
        flags = AdvertisingData([(AdvertisingData.FLAGS, b"\x06")])
        await self.device.start_advertising(advertising_data=bytes(flags), advertising_interval_min=20)

    async def send(self, uuid: int, value: bytes) -> None:
        """Notify or indicate one value to whoever subscribed."""
        characteristic = self.values[uuid]
        send = (
            self.device.indicate_subscribers
            if characteristic.properties & _INDICATE
            else self.device.notify_subscribers
        )
        await send(characteristic, value)

    async def drop(self) -> None:
        """Cut the connection from the peripheral's side."""
        for connection in list(self.connections):
            await connection.disconnect()


class Ether:
    """A link with one central and any number of peripherals; `backends` reach it through bleak.

    busy: connects and scans running at once; worst: the most there ever were.
    """

    def __init__(self) -> None:
        self.link = LocalLink()
        self.central = _device(self.link, "C0:00:00:00:00:01", "central")
        self.scans = self.connects = self.busy = self.worst = 0
        self.leftovers: list[str] = []
        ether = self

        class Scanner(BumbleScanner):
            ether: ClassVar[Ether]

        class Client(BumbleClient):
            ether: ClassVar[Ether]

        class System(BumbleSystem):
            ether: ClassVar[Ether]

        Scanner.ether = Client.ether = System.ether = ether
        self.backends = Backends(Scanner, Client, System)

    def enter(self) -> None:
        """A scan or a connect starts."""
        self.busy += 1
        self.worst = max(self.worst, self.busy)

    def leave(self) -> None:
        """It ended."""
        self.busy -= 1


class BumbleSystem(BaseBleakAdapter):
    """Lists the links an earlier process left open."""

    ether: ClassVar[Ether]

    @classmethod
    async def get(cls, **kwargs: Any) -> BumbleSystem:
        return cls()

    async def get_connected_devices(self, service_uuids: frozenset[str]) -> list[BLEDevice]:
        return [BLEDevice(address, None, None) for address in self.ether.leftovers]


class BumbleScanner(BaseBleakScanner):
    """Reports the central's advertisements."""

    ether: ClassVar[Ether]

    def __init__(self, detection_callback: Any, service_uuids: Any, scanning_mode: str, **kwargs: Any) -> None:
        super().__init__(detection_callback, service_uuids)

    async def start(self) -> None:
        self.ether.enter()
        self.ether.scans += 1
        self.ether.central.on("advertisement", self._advertised)
        await self.ether.central.start_scanning()

    async def stop(self) -> None:
        self.ether.central.remove_listener("advertisement", self._advertised)
        await self.ether.central.stop_scanning()
        self.ether.leave()

    def _advertised(self, advertisement: Any) -> None:
        address = advertisement.address.to_string(False)
        data = AdvertisementData(None, {}, {}, [], None, advertisement.rssi, ())
        self.call_detection_callbacks(self.create_or_update_device(address, address, None, None, data), data)


class BumbleClient(BaseBleakClient):
    """A bleak client over bumble's GATT client."""

    ether: ClassVar[Ether]

    def __init__(self, address_or_ble_device: BLEDevice | str, services: Any = None, **kwargs: Any) -> None:
        super().__init__(address_or_ble_device, **kwargs)
        self._connection: Connection | None = None

    @property
    def mtu_size(self) -> int:
        return self._link().att_mtu

    @property
    def is_connected(self) -> bool:
        return self._connection is not None

    def _link(self) -> Connection:
        if self._connection is None:
            raise BleakError("not connected")
        return self._connection

    async def connect(self, pair: bool, **kwargs: Any) -> None:
        self.ether.enter()
        self.ether.connects += 1
        try:
            address = Address(self.address)
            connection = await asyncio.wait_for(self.ether.central.connect(address, timeout=None), self._timeout)
            connection.on("disconnection", self._disconnected)
            self._connection = connection
            peer = Peer(connection)
            await peer.request_mtu(247)
            self.services = await self._discover(peer)
        finally:
            self.ether.leave()

    async def _discover(self, peer: Peer) -> BleakGATTServiceCollection:
        found = BleakGATTServiceCollection()
        for service in await peer.discover_services():
            uuid = normalize_uuid_str(service.uuid.to_hex_str("-"))
            ours = BleakGATTService(service, service.handle, uuid)
            found.add_service(ours)
            for item in await peer.discover_characteristics(service=service):
                uuid = normalize_uuid_str(item.uuid.to_hex_str("-"))
                names = sorted(gatt_char_props_to_strs(int(item.properties)))
                found.add_characteristic(BleakGATTCharacteristic(item, item.handle, uuid, names, lambda: 20, ours))
        return found

    def _disconnected(self, _: int) -> None:
        if self._connection is not None:
            self._connection = None
            if self._disconnected_callback:
                self._disconnected_callback()

    async def disconnect(self) -> None:
        if self._connection is not None:
            await self._connection.disconnect()

    async def pair(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError

    async def unpair(self) -> None:
        raise NotImplementedError

    async def read_gatt_char(self, characteristic: BleakGATTCharacteristic, **kwargs: Any) -> bytearray:
        self._link()
        return bytearray(await characteristic.obj.read_value())

    async def start_notify(
        self, characteristic: BleakGATTCharacteristic, callback: Callable[[bytearray], None], **kwargs: Any
    ) -> None:
        self._link()
        await characteristic.obj.subscribe(lambda value: callback(bytearray(value)))

    async def stop_notify(self, characteristic: BleakGATTCharacteristic) -> None:
        await characteristic.obj.unsubscribe()

    async def read_gatt_descriptor(self, descriptor: Any, **kwargs: Any) -> bytearray:
        raise NotImplementedError

    async def write_gatt_char(self, characteristic: Any, data: Any, response: bool) -> None:
        raise NotImplementedError

    async def write_gatt_descriptor(self, descriptor: Any, data: Any) -> None:
        raise NotImplementedError

"""Finding peers of the same incident on a LAN by multicast DNS (RFC 6762/6763): service `_sanduan._tcp.local.`.

The announcement carries a short tag of the incident and nothing else; whether a peer is one is decided by its proof.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

import ifaddr
from zeroconf import Error as ZeroconfError
from zeroconf import IPVersion, ServiceStateChange, Zeroconf
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

TYPE: Final = "_sanduan._tcp.local."
LOOKUP_MS: Final = 2000
LOOKUPS: Final = 64  # at once: a liar may announce thousands of names
LOOK_S: Final = 3.0  # how often the machine's addresses are looked at: a laptop walks from network to network


def own_addresses() -> list[str]:
    """This machine's IPv4 addresses, loopback left out."""
    every = (ip.ip for adapter in ifaddr.get_adapters() for ip in adapter.ips if ip.is_IPv4)
    return [str(address) for address in every if not str(address).startswith("127.")]


class LanDiscovery:
    """Announces this node and reports `host:port` of every other node with the same incident tag."""

    def __init__(
        self, node: str, tag: str, port: int, found: Callable[[str], None], addresses: Sequence[str] = ()
    ) -> None:
        self._name = f"{node}-{tag}.{TYPE}"
        self._tag, self._port, self._found = tag, port, found
        self._addresses = list(addresses)
        self._lookups: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Announce and browse until cancelled, anew whenever this machine's addresses change."""
        while True:
            addresses = self._addresses or own_addresses()
            if addresses:
                with suppress(OSError, ZeroconfError):  # the network went away meanwhile
                    await self._while_at(addresses)
            await asyncio.sleep(LOOK_S)

    async def _while_at(self, addresses: list[str]) -> None:
        """Announce and browse on these addresses for as long as they are this machine's."""
        zeroconf = AsyncZeroconf(ip_version=IPVersion.V4Only, interfaces=addresses)
        own = AsyncServiceInfo(
            TYPE,
            self._name,
            port=self._port,
            properties={"i": self._tag},
            parsed_addresses=addresses,
            server=f"{self._name.removesuffix('.' + TYPE)}.local.",
        )
        try:
            await (await zeroconf.async_register_service(own, allow_name_change=True))
            browser = AsyncServiceBrowser(zeroconf.zeroconf, TYPE, handlers=[self._changed])
            try:
                while self._addresses or own_addresses() == addresses:  # noqa: ASYNC110 (nothing tells of a new address)
                    await asyncio.sleep(LOOK_S)
            finally:
                await browser.async_cancel()
        finally:
            await zeroconf.async_close()

    def _changed(self, zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange) -> None:
        if state_change is not ServiceStateChange.Removed and name != self._name and len(self._lookups) < LOOKUPS:
            task = asyncio.create_task(self._look(zeroconf, name))
            self._lookups.add(task)
            task.add_done_callback(self._lookups.discard)

    async def _look(self, zeroconf: Zeroconf, name: str) -> None:
        info = AsyncServiceInfo(TYPE, name)
        if await info.async_request(zeroconf, LOOKUP_MS) and (info.properties or {}).get(b"i") == self._tag.encode():
            for address in info.parsed_addresses(IPVersion.V4Only):
                self._found(f"{address}:{info.port}")

"""The MQTT broker that central embeds when no bearer is configured: amqtt (MQTT 3.1.1), in memory, no durability asked of it."""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from amqtt.broker import Broker
from amqtt.contexts import BrokerConfig, ListenerConfig
from amqtt.errors import AMQTTError
from amqtt.plugins.base import BaseAuthPlugin
from amqtt.session import Session

from hardware.driver import Health
from hardware.errors import PortBusy

CONNECTIONS: Final = 1000
for _name in ("amqtt", "transitions"):
    logging.getLogger(_name).setLevel(logging.ERROR)  # a refused or broken client is not this node's news


class Users(BaseAuthPlugin):
    """Lets in the users of the table; everybody when it is empty."""

    @dataclass
    class Config:
        """users: user name -> password."""

        users: dict[str, str] = field(default_factory=dict)

    async def authenticate(self, *, session: Session) -> bool | None:
        """Whether name and password are those of the table."""
        users: Mapping[str, str] = self.config.users
        wanted = users.get(session.username or "")
        given = session.password or ""
        if isinstance(given, bytes | bytearray):
            given = bytes(given).decode("utf-8", "replace")
        return not users or (wanted is not None and hmac.compare_digest(wanted.encode(), given.encode()))


class EmbeddedBroker:
    """A supervised service: listens on host:port until cancelled; raises PortBusy when it cannot."""

    def __init__(self, host: str, port: int, users: Mapping[str, str] | None = None) -> None:
        self.host, self.port = host, port
        self._plugins = {f"{Users.__module__}.{Users.__qualname__}": {"users": dict(users or {})}}
        self.ready = asyncio.Event()

    async def run(self, health: object = None) -> None:
        """Serve until cancelled."""
        address = f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
        listener = ListenerConfig(bind=address, max_connections=CONNECTIONS)
        broker = Broker(BrokerConfig(listeners={"default": listener}, plugins=self._plugins))
        try:
            await broker.start()
        except (AMQTTError, OSError) as error:
            raise PortBusy(f"cannot listen on {address}: {error.__cause__ or error} (端口不可用)") from None
        report = getattr(health, "health", None)
        if report:
            report(Health.UP, f"listening on {address}")
        self.ready.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.ready.clear()
            await broker.shutdown()

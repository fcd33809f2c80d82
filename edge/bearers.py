"""From a bearer's section of the configuration to the bearer."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from edge import config as configuration
from edge.config import Named, Options
from edge.supervisor import Reporter, Work
from hardware.clock import Clock
from hardware.driver import Health, Heard
from radios.bearer import Bearer
from sync.seal.keyring import Keyring

if TYPE_CHECKING:
    from radios.mqtt import Broker

LOOPBACK: Final = "127.0.0.1"
ANYWHERE: Final = ("0.0.0.0", "::")


@dataclass(frozen=True, slots=True)
class Site:
    """Where a bearer works. shared: radios that devices and bearers have in common, by name; data: the node's folder;
    hear: gets the sentences of a positioning receiver that shares the bearer's line; heard: plain words of guests."""

    node: int
    central: bool
    clock: Clock
    keyring: Keyring
    data: Path
    shared: Mapping[str, Any]
    hear: Mapping[str, Callable[[bytes], None]]
    heard: Callable[[Heard], None]


def entries(options: Options) -> list[Broker]:
    """The brokers of a link, in order; ConfigError when the password file cannot be read."""
    from radios.mqtt import Broker, password

    secret = password(options["password_file"])
    entry = (options["username"], secret, options["ca_file"], options["cert_file"], options["key_file"])
    return [Broker(*where, *entry) for where in configuration.brokers(options["brokers"])]


def mqtt(name: str, options: Options, site: Site) -> Bearer:
    """Brokers tried in order."""
    from radios.mqtt import MqttBearer

    return MqttBearer(
        name, entries(options), site.keyring.incident, site.node, site.clock.mono, site.central, options["keepalive_s"]
    )


def lan(name: str, options: Options, site: Site) -> Bearer:
    """Direct peers, listed and found."""
    from radios.lan import LanBearer
    from radios.mqtt import tag

    host, port = configuration.listen(options["listen"])

    async def find(own_port: int, found: Callable[[str], None]) -> None:
        from radios.lan_discovery import LanDiscovery

        await LanDiscovery(str(site.node), tag(site.keyring.incident), own_port, found).run()

    looks = find if options["discover"] else None
    return LanBearer(site.clock, site.keyring.prove, name, host, port, options["peers"], looks)


def meshtastic(name: str, options: Options, site: Site) -> Bearer:
    """The private port of a radio of [devices]."""
    from radios.meshtastic.bearer import MeshtasticBearer, Policy

    policy = Policy(options["mtu"], options["share"], options["channel"], antenna_dbi=options["antenna_dbi"])
    radio = site.shared[f"radio {options['device']}"]
    return MeshtasticBearer(name, radio, site.clock, policy, site.data / f"{name}.air")


def rdss(name: str, options: Options, site: Site) -> Bearer:
    """A BeiDou short-message terminal; it remembers its last send beside the store."""
    from radios.rdss.bearer import RdssBearer
    from radios.rdss.session import Settings

    return RdssBearer(
        name,
        options["port"],
        site.clock,
        options["cards"],
        baud=options["baud"],
        settings=Settings(None, options["capacity_bits"], options["frequency_s"], options["letters"]),
        file=site.data / f"{name}.slots",
        nmea=site.hear[name],
        heard=site.heard,
    )


def hub(options: Options, site: Site) -> tuple[Work, Bearer]:
    """A broker of our own as a service, and the link to it; where the broker asks for names, the link has a secret one."""
    from edge.broker import EmbeddedBroker
    from radios.mqtt import Broker, MqttBearer

    host, port = configuration.listen(options["listen"])
    users: dict[str, str] = dict(options["users"] or {})
    own = {f"central-{secrets.token_hex(4)}": secrets.token_hex()} if users else {}

    async def serve(reporter: Reporter) -> None:
        await EmbeddedBroker(host, port, users | own, lambda where: reporter.health(Health.UP, where)).run()

    (name, secret), *_ = [*own.items(), ("", "")]
    near = Broker(LOOPBACK if host in ANYWHERE else host, port, username=name, password=secret)
    return serve, MqttBearer("mqtt", [near], site.keyring.incident, site.node, site.clock.mono, central=True)


MAKERS: Final[dict[str, Callable[[str, Options, Site], Bearer]]] = {
    "mqtt": mqtt,
    "lan": lan,
    "meshtastic": meshtastic,
    "rdss": rdss,
}


def bearer(named: Named, site: Site) -> Bearer:
    """The bearer of a checked section; ConfigError when a file it names cannot be used."""
    return MAKERS[named.kind](named.name, named.options, site)

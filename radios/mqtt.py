"""MQTT as a bearer: whole frames over one or several brokers, tried in order. The broker is trusted with nothing.

Topics, for an incident tag of 8 hex digits (a hash; it names no secret) and a roster index:
    sanduan/TAG/up/NODE      from a node to central
    sanduan/TAG/down/NODE    from central to a node;  sanduan/TAG/down/all  to every node
Central listens to up/+, a node to its own down topic and to down/all. QoS 1 and a persistent session keep a frame moving
through a short outage; an acknowledgement by the broker is a hint, delivery is the end list. MQTT 5, or 3.1.1 where the
broker knows no better.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from aiomqtt import Client, MqttCodeError, MqttError, ProtocolVersion
from paho.mqtt.client import MQTT_CLEAN_START_FIRST_ONLY
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from hardware.driver import Health
from hardware.errors import ConfigError, FrameTooLong, LinkBusy, LinkDown
from radios.bearer import Arrival, Budget, Inbox, Limits, LinkHealth

MTU: Final = 65_000
LARGEST: Final = MTU + 512  # bytes of an MQTT packet
ARRIVALS: Final = 256
IN_FLIGHT: Final = 16
IN_FLIGHT_BYTES: Final = 1 << 20
FULL_S: Final = 0.05  # a full flight is looked at again so soon
CONNECT_S: Final = 8.0
ACK_S: Final = 20.0
SESSION_S: Final = 86_400
RETRY_S: Final = (0.5, 1.0, 2.0, 3.0)  # a link may exist for minutes only
BAD_VERSION: Final = frozenset({1, 132})  # CONNACK: unacceptable protocol level, in 3.1.1 and in 5
UNTRUSTED: Final = "the broker's certificate is not trusted (代理证书不可信)"
REFUSED: Final = frozenset({4, 5, 134, 135})  # bad user name or password, not authorised

_quiet = logging.getLogger(f"{__name__}.client")
_quiet.setLevel(logging.CRITICAL)  # the library logs every dropped frame; health counts them instead


class _Socket(ssl.SSLSocket):
    """A TLS socket that closes when its handshake fails; the library leaves it open for the garbage collector."""

    def do_handshake(self, block: bool = False) -> None:
        """Shake hands or close."""
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


@dataclass(frozen=True, slots=True)
class Broker:
    """Where a broker listens, and how it is entered."""

    host: str
    port: int = 1883
    tls: bool = False
    username: str = ""
    password: str = ""
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""

    def context(self) -> ssl.SSLContext | None:
        """The TLS context, None for plain TCP; ConfigError when a file cannot be used. Reads files."""
        if not self.tls:
            return None
        try:
            context = ssl.create_default_context(cafile=self.ca_file or None)
            context.sslsocket_class = _Socket
            if self.cert_file:
                context.load_cert_chain(self.cert_file, self.key_file or None)
        except OSError as error:  # ssl.SSLError is one
            raise ConfigError(self.ca_file or self.cert_file, "tls", str(error), "readable PEM files") from None
        return context

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def tag(incident: bytes) -> str:
    """The incident's 8 hex digits in topics."""
    return hashlib.sha256(b"sanduan topic" + incident).hexdigest()[:8]


def password(file: str) -> str:
    """The first line of a password file; ConfigError when it cannot be read."""
    try:
        return Path(file).read_text(encoding="utf-8").splitlines()[0] if file else ""
    except (OSError, IndexError, UnicodeDecodeError):
        raise ConfigError(file, "password_file", file, "a readable file whose first line is the password") from None


def _expiry() -> Properties:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = SESSION_S
    properties.MaximumPacketSize = LARGEST
    return properties


def _heed(future: asyncio.Future[None]) -> None:
    """Have asked how it ended."""
    if not future.cancelled():
        future.exception()


class _Client(Client):
    """A client that notices at once when a broker closes instead of answering (the library waits its whole time-out), that
    hangs up on a packet longer than any of ours (the library would gather up to 256 MB of it), and that leaves no traceback of
    a cut which nobody was told of by it (the session's end is logged)."""

    def __init__(self, host: str, port: int, **options: Any) -> None:
        super().__init__(host, port, **options)
        paho: Any = self._client
        read = paho._packet_read

        def bounded() -> Any:
            result = read()
            return MQTTErrorCode.MQTT_ERR_PROTOCOL if paho._in_packet["remaining_length"] > LARGEST else result

        paho._packet_read = bounded

    async def __aenter__(self) -> Self:
        """Connect; before that a first disconnection may be noted, and the library begins a new note afterwards."""
        self._disconnected.add_done_callback(_heed)
        await super().__aenter__()
        self._disconnected.add_done_callback(_heed)
        return self

    def _on_socket_close(self, client: Any, userdata: Any, sock: Any) -> None:
        super()._on_socket_close(client, userdata, sock)
        self._loop.call_soon_threadsafe(self._closed)

    def _closed(self) -> None:
        if not self._connected.done():
            self._connected.set_exception(MqttError("closed before it answered"))
            self._connected.exception()


class MqttBearer:
    """One bearer over the first broker that answers. `central`: listens to every node instead of to its own topic."""

    def __init__(
        self,
        name: str,
        brokers: list[Broker],
        incident: bytes,
        node: int,
        mono: Callable[[], float],
        central: bool = False,
        keepalive_s: int = 60,
        retry_s: tuple[float, ...] = RETRY_S,
    ) -> None:
        self.name = name
        self.limits = Limits(mtu=MTU, rate=100_000.0, cost=1)
        self.health = LinkHealth(since=mono())
        self._brokers, self._node, self._mono, self._central = brokers, node, mono, central
        self._keepalive_s, self._retry_s = keepalive_s, retry_s
        self._root = f"sanduan/{tag(incident)}"
        self._id = f"sanduan-{tag(incident)}-{node}-{name}"
        self._old: set[str] = set()  # brokers that speak 3.1.1 only
        self._client: Client | None = None
        self._flying: dict[asyncio.Task[None], int] = {}
        self._inbox = Inbox(ARRIVALS)

    @property
    def listens(self) -> list[str]:
        """The topics this end subscribes to."""
        if self._central:
            return [f"{self._root}/up/+"]
        return [f"{self._root}/down/{self._node}", f"{self._root}/down/all"]

    def topic(self, to: str) -> str:
        """The topic that reaches `to`, a roster index in decimals or "" for everyone (a node reaches only central)."""
        return f"{self._root}/down/{to or 'all'}" if self._central else f"{self._root}/up/{self._node}"

    async def run(self) -> None:
        """Stay connected until cancelled; each failure tries the next broker, each round waits longer."""
        failures = 0
        try:
            while True:
                broker = self._brokers[failures % len(self._brokers)]
                up_before = self.health.frames_in + self.health.frames_out
                why = await self._session(broker)
                failures = 0 if self.health.frames_in + self.health.frames_out > up_before else failures + 1
                self.health.turn(Health.DOWN, f"{broker}: {why}", self._mono())
                rounds = (max(failures, 1) - 1) // len(self._brokers)
                if failures % len(self._brokers) == 0:
                    await asyncio.sleep(self._retry_s[min(rounds, len(self._retry_s) - 1)])
        finally:
            self._drop()
            self.health.turn(Health.OFF, "stopped", self._mono())

    async def send(self, frame: bytes, to: str = "") -> None:
        """Hand a frame to the broker's connection; LinkDown, LinkBusy when too much is unacknowledged, FrameTooLong."""
        if len(frame) > self.limits.mtu:
            raise FrameTooLong(f"{len(frame)} > {self.limits.mtu}")
        client = self._client
        if client is None:
            raise LinkDown(self.health.why)
        if not self.budget().messages_left:
            raise LinkBusy("the broker has not acknowledged what it got", FULL_S)
        task = asyncio.create_task(self._publish(client, self.topic(to), frame))
        self._flying[task] = len(frame)
        task.add_done_callback(lambda done: self._flying.pop(done, None))

    async def receive(self) -> Arrival:
        """The next frame; `peer` is the sender's roster index in decimals, "0" for central."""
        return await self._inbox.get()

    def budget(self) -> Budget:
        """What may be put on the connection now."""
        room = IN_FLIGHT_BYTES - sum(self._flying.values())
        messages = IN_FLIGHT - len(self._flying) if room >= self.limits.mtu and self._client else 0
        return Budget(max(room, 0) if messages else 0, max(messages, 0), 0.0 if messages > 0 else FULL_S)

    async def _session(self, broker: Broker) -> str:
        """One connection from start to end; the reason why it ended."""
        modern = str(broker) not in self._old
        try:
            async with self._connect(broker, modern) as client:
                for topic in self.listens:
                    await client.subscribe(topic, qos=1)
                self._client = client
                self.health.turn(Health.UP, f"{broker}, MQTT {'5' if modern else '3.1.1'}", self._mono())
                async for message in client.messages:
                    self._take(str(message.topic), message.payload)
        except MqttCodeError as error:
            code = getattr(error.rc, "value", error.rc)
            if code in BAD_VERSION and modern:
                self._old.add(str(broker))
                return await self._session(broker)
            return "user name or password refused (用户名或口令被拒)" if code in REFUSED else str(error)
        except (MqttError, OSError, ValueError) as error:
            said = str(error) or "connection lost"
            return f"{UNTRUSTED}: {said.partition('verify failed: ')[2]}" if "CERTIFICATE_VERIFY" in said else said
        finally:
            self._drop()
        return "connection closed"

    def _connect(self, broker: Broker, modern: bool) -> _Client:
        version = ProtocolVersion.V5 if modern else ProtocolVersion.V311
        return _Client(
            broker.host,
            broker.port,
            username=broker.username or None,
            password=broker.password or None,
            tls_context=broker.context(),
            identifier=self._id,
            protocol=version,
            clean_session=None if modern else False,
            clean_start=False if modern else MQTT_CLEAN_START_FIRST_ONLY,
            properties=_expiry() if modern else None,
            timeout=CONNECT_S,
            keepalive=self._keepalive_s,
            max_queued_incoming_messages=ARRIVALS,
            max_queued_outgoing_messages=IN_FLIGHT,
            logger=_quiet,
        )

    async def _publish(self, client: Client, topic: str, frame: bytes) -> None:
        started = self._mono()
        try:
            await client.publish(topic, frame, qos=1, timeout=ACK_S)
        except (MqttError, OSError, ValueError) as error:
            self.health.refuse("unacknowledged")
            self.health.proved(1)
            if client is self._client:
                self.health.turn(Health.DEGRADED, f"not acknowledged by the broker: {error}", self._mono())
            return
        now = self._mono()
        self.health.latency_s = now - started
        self.health.proved(0)
        self.health.sent(len(frame), now)
        if client is self._client and self.health.state is Health.DEGRADED:
            self.health.turn(Health.UP, "", now)

    def _take(self, topic: str, payload: object) -> None:
        """Queue one frame; what does not fit or does not look right is counted and dropped."""
        frame = bytes(payload) if isinstance(payload, bytes | bytearray) else b""
        if not 0 < len(frame) <= self.limits.mtu:
            self.health.refuse("bad size")
            return
        peer = topic.rpartition("/")[2] if self._central else "0"
        self._inbox.take(Arrival(frame, peer, self._mono()), self.health)

    def _drop(self) -> None:
        """Forget the connection and what was in flight."""
        self._client = None
        for task in list(self._flying):
            task.cancel()

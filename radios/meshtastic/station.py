"""The firmware's router of a simulated radio: listen before talk, managed flooding, and acknowledgements that prove little.

As in the firmware, an overheard relay counts as an acknowledgement and ends the sender's retries, and a relay never
retries: that is why a "success" is no delivery.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from meshtastic.protobuf.mesh_pb2 import Data, MeshPacket, Routing
from meshtastic.protobuf.portnums_pb2 import PortNum

from radios.meshtastic.airtime import RELAY_SLOTS
from radios.meshtastic.ether import Ether
from radios.meshtastic.fake import FakeRadio
from radios.meshtastic.packets import BROADCAST, Seen, sender

TRIES: Final = 3
PROCESSING_S: Final = 4.5  # what the firmware grants a node to answer
OWN_SLOTS: Final = 2**3  # contention window of a packet of one's own

Key = tuple[int, int]


@dataclass(slots=True)
class Awaited:
    """A packet of ours whose acknowledgement is awaited."""

    packet: MeshPacket
    tries: int
    timer: asyncio.TimerHandle | None = None

    def stop(self) -> None:
        """Wait no longer."""
        if self.timer is not None:
            self.timer.cancel()


class Station:
    """Connects one FakeRadio with the ether. relays: whether it repeats what others send, as nearly every radio does."""

    def __init__(self, ether: Ether, radio: FakeRadio, relays: bool = True) -> None:
        self.ether, self.radio, self.relays, self.number = ether, radio, relays, radio.number
        self.sent: Counter[str] = Counter()
        self._seen = Seen()
        self._relaying: dict[Key, asyncio.TimerHandle] = {}
        self._awaited: dict[int, Awaited] = {}
        ether.join(self)
        radio.air = self

    # ---- sending

    def submit(self, packet: MeshPacket, done: Callable[[], None]) -> None:
        """Transmit a packet of the host once the air is free."""
        self._seen.again(self.number, packet.id)
        if packet.want_ack:
            self._awaited[packet.id] = Awaited(packet, 0)
        self._after(self._slots(0, OWN_SLOTS), packet, "own", done)

    def _slots(self, head: int, window: int) -> float:
        return (head + self.ether.random.randrange(window)) * self.ether.preset.slot_s

    def _after(self, wait_s: float, packet: MeshPacket, sort: str, done: Callable[[], None]) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(wait_s, self._try, packet, sort, done)

    def _try(self, packet: MeshPacket, sort: str, done: Callable[[], None]) -> None:
        """Listen, then talk; or draw slots again once the air is free."""
        free, now = self.ether.busy_until(self.number), self.ether.clock.mono()
        if free > now:
            timer = self._after(free - now + self._slots(1, OWN_SLOTS), packet, sort, done)
            if sort == "relayed":
                self._relaying[sender(packet), packet.id] = timer
            return
        self._relaying.pop((sender(packet), packet.id), None)
        self.sent[sort] += 1
        end = self.ether.transmit(self.number, packet, self.radio.setting.version)
        self.radio.utilisation = self.ether.utilisation(self.number)
        asyncio.get_running_loop().call_later(end - now, self._sent, packet, done)

    def _sent(self, packet: MeshPacket, done: Callable[[], None]) -> None:
        if (awaited := self._awaited.get(packet.id)) and sender(packet) == self.number:
            wait_s = 2 * self.ether.airtime_s(packet) + self._slots(*RELAY_SLOTS) + PROCESSING_S
            awaited.timer = asyncio.get_running_loop().call_later(wait_s, self._retry, awaited)
        done()

    def _retry(self, awaited: Awaited) -> None:
        awaited.tries += 1
        if awaited.tries < TRIES:
            self._after(self._slots(0, OWN_SLOTS), awaited.packet, "retried", _nothing)
        else:
            self._settle(awaited.packet.id, Routing.Error.MAX_RETRANSMIT)

    def _settle(self, packet: int, reason: int | None) -> None:
        """No more retries; `reason` is told to the host, None when the host hears the answer itself."""
        if (awaited := self._awaited.pop(packet, None)) is not None:
            awaited.stop()
            if reason is not None:
                self.radio.answer(awaited.packet, reason, self.number)

    # ---- receiving

    def caught(self, packet: MeshPacket, rssi: int, snr: float) -> None:
        """A frame came in: pass it to the host, repeat it for others, answer it."""
        key = sender(packet), packet.id
        if key[0] == self.number:
            self._settle(packet.id, Routing.Error.NONE)
            return
        known = self._seen.again(*key)
        if known and (timer := self._relaying.pop(key, None)) is not None:
            timer.cancel()
        if packet.to == self.number and packet.want_ack:
            self._acknowledge(packet)
        if known:
            return
        if packet.to == self.number and packet.decoded.portnum == PortNum.ROUTING_APP:
            self._settle(packet.decoded.request_id, None)
        if packet.to in (self.number, BROADCAST):
            self.radio.hear(packet, rssi, snr)
        if packet.to != self.number and packet.hop_limit and self.relays:
            self._relay(packet)

    def _relay(self, packet: MeshPacket) -> None:
        copy = MeshPacket()
        copy.CopyFrom(packet)
        copy.hop_limit -= 1
        self._relaying[sender(copy), copy.id] = self._after(self._slots(*RELAY_SLOTS), copy, "relayed", _nothing)

    def _acknowledge(self, packet: MeshPacket) -> None:
        answer = MeshPacket(to=sender(packet), id=self.ether.random.getrandbits(32) or 1, hop_limit=3, hop_start=3)
        setattr(answer, "from", self.number)
        body = Routing(error_reason=Routing.Error.NONE).SerializeToString()
        answer.decoded.CopyFrom(Data(portnum=PortNum.ROUTING_APP, payload=body, request_id=packet.id))
        self._seen.again(self.number, answer.id)
        self._after(self._slots(0, OWN_SLOTS), answer, "acknowledged", _nothing)


def _nothing() -> None:
    """Nobody waits for the end of this one."""

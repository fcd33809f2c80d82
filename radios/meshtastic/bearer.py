"""Frames of the toolkit over LoRa: Meshtastic's private port, within the air that law and manners leave us.

The firmware does not throttle this port, so the budget is kept here. Its acknowledgement is a hint and counts as no more.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from meshtastic.protobuf.config_pb2 import Config
from meshtastic.protobuf.mesh_pb2 import MeshPacket, Routing
from meshtastic.protobuf.portnums_pb2 import PortNum

from hardware.clock import Clock
from hardware.driver import Health
from hardware.errors import DecodeError, FrameTooLong, LinkBusy, LinkDown, LinkError
from radios.bearer import Arrival, Budget, Inbox, Limits, LinkHealth
from radios.meshtastic.airtime import LONGEST_PAYLOAD, PKC_OVERHEAD, AirBudget, longest_frame, on_air
from radios.meshtastic.facts import REFUSED, Listener, Outcome
from radios.meshtastic.messages import GAPS_S
from radios.meshtastic.packets import BROADCAST, hops, node_id, node_number, sender
from radios.meshtastic.radio import Radio
from radios.meshtastic.reach import Reach
from radios.notes import NoteFile

log = logging.getLogger(__name__)

CHINA_FRAME_US: Final = 1_000_000  # MIIT notice 52/2019: one transmission lasts at most 1 s
CHINA_POWER_DBM: Final = 17  # 50 mW ERP
CAPPED_REGIONS: Final = frozenset(("CN", "UNSET"))  # an unset region is taken for the strictest
DUTY: Final[dict[str, float]] = {"EU_868": 0.1, "EU_433": 0.1, "UA_433": 0.1, "UA_868": 0.01}
INBOX: Final = 256
PATIENCE_S: Final = 10.0
NOTE_S: Final = 60.0
TUNINGS: Final = 2  # attempts to correct the radio's power


@dataclass(frozen=True, slots=True)
class Policy:
    """What the operator chose. share: of each hour's air, for this node alone; channel: index on the radio; hops: or None
    for as far as the others are; want_ack: ask the firmware for its hint, at the price of its retries; antenna_dbi: gain that the
    transmit power must give back.
    """

    mtu: int = 200
    share: float = 0.25
    channel: int = 0
    hops: int | None = None
    want_ack: bool = False
    antenna_dbi: int = 0


# Routing.Error -> seconds to hold back: the radio will refuse the next one too
HOLD_S: Final[dict[int, float]] = {
    REFUSED: 1.0,
    Routing.Error.DUTY_CYCLE_LIMIT: 60.0,
    Routing.Error.RATE_LIMIT_EXCEEDED: 2.0,
    Routing.Error.NO_CHANNEL: 30.0,
    Routing.Error.NO_INTERFACE: 30.0,
}


class MeshtasticBearer(Listener):
    """A Bearer on the private port of a shared Radio. `to` is a node id (!a1b2c3d4); without one every node is meant.

    file: keeps what is left of the hour's air over restarts. health.loss is the radio's own count of damaged packets.
    """

    def __init__(
        self, name: str, radio: Radio, clock: Clock, policy: Policy | None = None, file: Path | None = None
    ) -> None:
        self.name, self.radio, self.clock, self.policy = name, radio, clock, policy or Policy()
        self.health = LinkHealth(since=clock.mono())
        self.air = AirBudget(self.policy.share, clock.mono())
        self.hints: Counter[str] = Counter()
        self._notes = NoteFile(file)
        self._counted = (0, 0)  # packets heard well and damaged, as the radio counted last
        self._inbox = Inbox(INBOX)
        self._reach = Reach()
        self._free_at = 0.0  # when the last frame and its relayed copies have left the air
        self._hold_until = 0.0
        self._why_hold = ""
        self._posted: dict[int, float] = {}
        self._loud = asyncio.Event()
        self._tunings = 0
        self.limits = self._limits()
        if (note := self._notes.read()) is not None:
            self.restore(note)

    async def run(self) -> None:
        """Keep the radio connected until cancelled."""
        self.radio.listen(self)
        helpers = [asyncio.create_task(work) for work in (self._tune(), self._note())]
        try:
            async with self.radio.held() as connection:
                self.turned(self.radio.state, self.radio.why)
                await asyncio.shield(connection)
        finally:
            for helper in helpers:
                helper.cancel()
            self._notes.write(self.export())
            self.radio.leave(self)
            self.health.turn(Health.DOWN, "stopped", self.clock.mono())

    async def send(self, frame: bytes, to: str = "") -> None:
        """Broadcast a frame, or send it to one node; LinkDown, LinkBusy (air or queue spent) or FrameTooLong."""
        longest = min(self.limits.mtu, LONGEST_PAYLOAD - PKC_OVERHEAD) if to else self.limits.mtu
        if len(frame) > longest:
            raise FrameTooLong(f"{self.name}: {len(frame)} bytes, at most {longest}")
        try:
            packet = MeshPacket(to=node_number(to) if to else BROADCAST, want_ack=self.policy.want_ack)
        except DecodeError as error:
            raise LinkDown(f"{self.name}: {error}") from error
        packet.decoded.portnum, packet.decoded.payload = PortNum.PRIVATE_APP, frame
        await self._transmit(packet)
        self.health.sent(len(frame), self.clock.mono())

    async def post(self, packet: MeshPacket) -> int:
        """Send a standard message (messages.py) for ordinary radios out of the same air; returns its packet id.

        LinkBusy too when the firmware would drop it for coming too soon after the last of its port.
        """
        if len(packet.decoded.payload) > self.limits.mtu:
            raise FrameTooLong(f"{self.name}: {len(packet.decoded.payload)} bytes, at most {self.limits.mtu}")
        port, now = packet.decoded.portnum, self.clock.mono()
        if (wait := self._posted.get(port, now) - now) > 0:
            raise LinkBusy(f"{self.name}: the firmware drops a message of this port that comes so soon", wait)
        number = await self._transmit(packet)
        self._posted[port] = self.clock.mono() + GAPS_S.get(port, 0.0)
        return number

    async def receive(self) -> Arrival:
        """The next frame from the mesh."""
        return await self._inbox.get()

    def budget(self) -> Budget:
        """What the air budget leaves, counted in frames of full length."""
        now = self.clock.mono()
        if not self.limits.mtu or self.health.state is Health.DOWN:
            return Budget(0, 0, 60.0)
        cost = self.airtime_us(self.limits.mtu)
        hold = max(self._hold_until - now, self._free_at - now, 0.0)
        count = 0 if hold else self.air.left_us(now) // cost
        return Budget(count * self.limits.mtu, count, 0.0 if count else max(self.air.wait(cost, now), hold))

    def airtime_us(self, length: int, broadcast: bool = True) -> int:
        """Microseconds on air that a frame of `length` bytes costs with the radio's present setting."""
        return self.radio.facts.preset.airtime_us(on_air(length, broadcast, self.radio.facts.firmware))

    def export(self) -> dict[str, int]:
        """The air budget, to be kept over a restart."""
        return self.air.export(self.clock.mono(), self.clock.stamp().wall_ms)

    def restore(self, state: dict[str, int]) -> None:
        """Go on with the budget as it was exported."""
        self.air.restore(state, self.clock.mono(), self.clock.stamp().wall_ms)

    async def _transmit(self, packet: MeshPacket) -> int:
        """Pay for a packet and hand it to the radio; what the radio did not take is paid back."""
        now = self.clock.mono()
        if self.health.state is Health.DOWN:
            raise LinkDown(f"{self.name}: {self.health.why}")
        if now < self._hold_until:
            raise LinkBusy(f"{self.name}: {self._why_hold}", self._hold_until - now)
        cost = self.airtime_us(len(packet.decoded.payload), packet.to == BROADCAST)
        if wait := self.air.take(cost, now):
            raise LinkBusy(f"{self.name}: the air of this hour is spent", wait)
        most = self.radio.facts.lora.hop_limit or 3
        limit = self._reach.limit(most, now) if self.policy.hops is None else self.policy.hops
        packet.channel, packet.hop_limit = self.policy.channel, limit
        self._free_at = now + self._reach.pause_s(cost / 1e6, self.radio.facts.preset, now)
        try:
            return await self.radio.send(packet, PATIENCE_S)
        except LinkError:
            self.air.give_back(cost)
            raise

    async def _note(self) -> None:
        """Note the air that is left now and then; a program killed in between loses a minute's account."""
        while True:
            await asyncio.sleep(NOTE_S)
            self._notes.write(self.export())

    # ---- what the radio tells

    def packet(self, packet: MeshPacket) -> None:
        """Queue a frame from the mesh; the newest is refused when the queue is full. Own telemetry eases or slows us."""
        if sender(packet) == self.radio.facts.number:
            self.air.crowding(self.radio.facts.utilisation, self.clock.mono())
            self._count(*self.radio.facts.heard)
        elif packet.decoded.portnum == PortNum.PRIVATE_APP and packet.decoded.payload:
            self._reach.heard(hops(packet), self.clock.mono())
            arrival = Arrival(packet.decoded.payload, node_id(sender(packet)), self.clock.mono())
            self._inbox.take(arrival, self.health)

    def _count(self, good: int, bad: int) -> None:
        """What the radio received well and damaged since it last said so."""
        well, ill = good - self._counted[0], bad - self._counted[1]
        self._counted = good, bad
        if well >= 0 <= ill and well + ill:
            self.health.proved(ill / (well + ill))

    def outcome(self, outcome: Outcome) -> None:
        """Count a hint; hold back where the radio would refuse the next frame too."""
        if outcome.reason == Routing.Error.NONE:
            self.hints["implicit" if outcome.by == self.radio.facts.number else "acknowledged"] += 1
            return
        self.health.refuse(outcome.word)
        if hold := HOLD_S.get(outcome.reason, 0.0):
            self._hold_until, self._why_hold = self.clock.mono() + hold, outcome.word

    def turned(self, state: Health, why: str) -> None:
        """Follow the radio; its setting decides the limits."""
        self.air.narrow(min(self.policy.share, DUTY.get(self.radio.facts.region, 1.0)), self.clock.mono())
        self.limits = self._limits()
        if state is Health.UP:
            state, why = self._judge(why)
        self.health.turn(state, why, self.clock.mono())

    def _judge(self, why: str) -> tuple[Health, str]:
        """Whether this radio may be used as it is set, and what the operator ought to change."""
        facts = self.radio.facts
        if not self.limits.mtu:
            return Health.DOWN, f"{why}: no frame of this preset keeps within 1 s on air"
        if self._too_loud():
            self._loud.set()
            doing = "lowering it" if self._tunings < TUNINGS else "the radio does not take less"
            return (
                Health.DOWN,
                f"transmit power {facts.lora.tx_power or 'highest'}, {self.power_dbm} dBm allowed: {doing}",
            )
        self._tunings = 0
        if facts.region == "UNSET":
            return Health.DEGRADED, "no region is set on the radio: it will not transmit"
        if not facts.lora.tx_enabled:
            return Health.DEGRADED, "transmission is switched off on the radio"
        if facts.lora.override_duty_cycle:
            return Health.DEGRADED, "override_duty_cycle is set on the radio"
        return Health.UP, why

    @property
    def power_dbm(self) -> int:
        """The transmit power that the Chinese band leaves with this antenna."""
        return CHINA_POWER_DBM - self.policy.antenna_dbi

    def _too_loud(self) -> bool:
        return self.radio.facts.region == "CN" and not 0 < self.radio.facts.lora.tx_power <= self.power_dbm

    async def _tune(self) -> None:
        """Write the permitted power to a radio that is set above it."""
        while True:
            await self._loud.wait()
            self._loud.clear()
            if self._tunings < TUNINGS:
                self._tunings += 1
                quieter = Config.LoRaConfig()
                quieter.CopyFrom(self.radio.facts.lora)
                quieter.tx_power = self.power_dbm
                with suppress(LinkError):
                    await self.radio.write_lora(quieter)

    def _limits(self) -> Limits:
        facts = self.radio.facts
        cap = min(self.air.longest_us, CHINA_FRAME_US if facts.region in CAPPED_REGIONS else self.air.longest_us)
        mtu = min(self.policy.mtu, longest_frame(facts.preset, cap, facts.firmware))
        cost_s = self.airtime_us(mtu) / 1e6
        rate = mtu / cost_s * self.air.share
        return Limits(mtu, rate, max(self.radio.timing.gap_s, cost_s), two_way=True, broadcast=True, cost=3)

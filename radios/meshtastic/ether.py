"""Simulated air that several fake radios share: who hears whom, loss, collisions, half duplex and time on air."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from meshtastic.protobuf.mesh_pb2 import MeshPacket

from hardware.clock import Clock
from radios.meshtastic.airtime import Preset, on_air
from radios.meshtastic.packets import BROADCAST

NOISE_DBM: Final = -115.0
UTILISATION_S: Final = 60.0
LOG: Final = 100_000


@dataclass(frozen=True, slots=True)
class Link:
    """How well one radio hears another: chance that a frame is lost, and strength in dBm."""

    loss: float = 0.0
    rssi: int = -95


@dataclass(frozen=True, slots=True)
class Sending:
    """One frame on air from `start` to `end` in seconds."""

    by: int
    start: float
    end: float

    def overlaps(self, other: Sending) -> bool:
        """Whether two frames were on air at the same time."""
        return self.start < other.end and other.start < self.end


class Receiver(Protocol):
    """A radio's antenna."""

    number: int

    def caught(self, packet: MeshPacket, rssi: int, snr: float) -> None:
        """A whole frame came in."""


class Ether:
    """One channel with one LoRa setting. Two frames that overlap at a listener are both lost to it; so is a frame that
    comes while the listener itself transmits.
    """

    def __init__(self, clock: Clock, preset: Preset, seed: int = 1) -> None:
        self.clock, self.preset = clock, preset
        self.random = random.Random(seed)
        self.log: deque[Sending] = deque(maxlen=LOG)
        self.lost: dict[str, int] = {"chance": 0, "collision": 0, "deaf": 0}
        self._links: dict[int, dict[int, Link]] = {}
        self._receivers: dict[int, Receiver] = {}
        self._recent: deque[Sending] = deque()

    def join(self, receiver: Receiver) -> None:
        """Put up an antenna."""
        self._receivers[receiver.number] = receiver
        self._links.setdefault(receiver.number, {})

    def link(self, one: int, other: int, loss: float = 0.0, rssi: int = -95) -> None:
        """Let two radios hear each other, both ways alike."""
        for by, to in ((one, other), (other, one)):
            self._links.setdefault(by, {})[to] = Link(loss, rssi)

    def unlink(self, one: int, other: int) -> None:
        """A ridge between them."""
        self._links[one].pop(other, None)
        self._links[other].pop(one, None)

    def airtime_s(self, packet: MeshPacket, firmware: tuple[int, ...] = (2, 7)) -> float:
        """Seconds on air of a packet."""
        return self.preset.airtime_us(on_air(len(packet.decoded.payload), packet.to == BROADCAST, firmware)) / 1e6

    def busy_until(self, listener: int) -> float:
        """When the last frame that `listener` hears or sends now will be over; at most now when the air is free."""
        now = self.clock.mono()
        return max((each.end for each in self._audible(listener) if each.end > now), default=now)

    def transmit(self, by: int, packet: MeshPacket, firmware: tuple[int, ...] = (2, 7)) -> float:
        """Put a frame on air now; returns the time of its end, when its listeners get it."""
        now = self.clock.mono()
        sending = Sending(by, now, now + self.airtime_s(packet, firmware))
        while self._recent and self._recent[0].end < now - UTILISATION_S:
            self._recent.popleft()
        self._recent.append(sending)
        self.log.append(sending)
        asyncio.get_running_loop().call_later(sending.end - now, self._end, sending, packet)
        return sending.end

    def utilisation(self, listener: int) -> float:
        """Percent of the last minute in which `listener` found the channel taken, its own frames included."""
        since = self.clock.mono() - UTILISATION_S
        taken = sum(min(each.end, self.clock.mono()) - max(each.start, since) for each in self._audible(listener))
        return min(max(100.0 * taken / UTILISATION_S, 0.0), 100.0)

    def _audible(self, listener: int) -> Iterator[Sending]:
        since = self.clock.mono() - UTILISATION_S
        for each in self._recent:
            if each.end > since and (each.by == listener or listener in self._links.get(each.by, {})):
                yield each

    def _end(self, sending: Sending, packet: MeshPacket) -> None:
        for number, link in self._links[sending.by].items():
            if number not in self._receivers:
                continue
            if why := self._spoiled(sending, number, link):
                self.lost[why] += 1
            else:
                snr = min(link.rssi - NOISE_DBM + self.random.gauss(0, 1), 12.0)
                self._receivers[number].caught(packet, link.rssi + self.random.randint(-2, 2), snr)

    def _spoiled(self, sending: Sending, listener: int, link: Link) -> str:
        others = [each for each in self._audible(listener) if each is not sending and each.overlaps(sending)]
        if any(each.by == listener for each in others):
            return "deaf"
        if others:
            return "collision"
        return "chance" if self.random.random() < link.loss else ""

"""The plainest exchange that can work: every flash and command block whole, again and again with back-off. For the
simulator's own tests, so that what they find is the simulator's doing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hardware.errors import DecodeError, SealError
from radios.bearer import Arrival, Budget, Limits
from sync.carried import Carried, blocks_frame, read_frame
from sync.ids import BlockId, Lane
from sync.intake import opened
from sync.log import Log
from sync.seal.contract import MAC
from sync.seal.keyring import Keyring

FIRST_S, MOST_S, ASK_S = 10.0, 640.0, 5.0


@dataclass(frozen=True)
class Sent:
    frame: bytes
    to: str = ""


class PlainExchange:
    """Talker over a log; keeps nothing durable."""

    def __init__(self, log: Log, ring: Keyring) -> None:
        self._log, self._ring = log, ring
        self._limits: dict[str, Limits] = {}
        self._times: dict[tuple[str, BlockId], tuple[float, int]] = {}

    def attach(self, bearer: str, limits: Limits, now: float) -> None:
        self._limits[bearer] = limits

    def detach(self, bearer: str, now: float) -> None:
        del self._limits[bearer]

    def changed(self) -> None:
        pass

    def received(self, bearer: str, arrival: Arrival) -> Any:
        try:
            found = read_frame(self._ring, self._ring.check(arrival.frame))
            self._log.commit([opened(self._ring, each.block, each.id, bearer) for each in found.blocks])
        except (SealError, DecodeError):
            return None

    def outgoing(self, bearer: str, budget: Budget, now: float) -> Sent | None:
        most = min(self._limits[bearer].mtu, budget.bytes_left) - MAC - 8
        for lane in (Lane.FLASH, Lane.COMMAND):
            self._log.cut(lane, most, 64)
            for source in sorted(each for each in self._log.have() if each.lane is lane):
                for number in self._log.held(source).numbers():
                    frame = self._due(bearer, BlockId(*source, number), now, most)
                    if frame is not None:
                        return frame
        return None

    def _due(self, bearer: str, block_id: BlockId, now: float, most: int) -> Sent | None:
        last, count = self._times.get((bearer, block_id), (-1e9, 0))
        if now - last < min(FIRST_S * 2**count, MOST_S):
            return None
        block = self._log.read(block_id)
        if block is None or len(block) > most:
            return None
        self._times[bearer, block_id] = now, count + 1
        frame = blocks_frame([Carried(block_id, block)])
        return Sent(frame + self._ring.mac(frame))

    def next_at(self, bearer: str, now: float) -> float:
        return now + ASK_S

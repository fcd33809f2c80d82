"""What the links can still do: queues and times to drain now, and when a message written now would reach whom."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from sync.exchange.core import GOSSIPED, ROWS, URGENT, Core
from sync.exchange.ledger import NEVER, Target
from sync.exchange.lines import Line
from sync.ids import BlockId, Lane, Source
from sync.ranges import Ranges

HOUR: Final = 3600.0
TRIES: Final = 3  # transmissions that a promise reckons with
FRAME: Final = 24  # bytes of a frame beside its block
RECENT: Final = 64  # blocks of a lane that are told as relayed
BLOCK: Final = 200  # bytes of a block before any was seen


class State(IntEnum):
    """How far a block got with one addressee; read and acted are receipts, which people and rules give."""

    QUEUED = 0
    SENT = 1
    RELAYED = 2
    STORED = 3
    READ = 4
    ACTED = 5


@dataclass(frozen=True, slots=True)
class Promise:
    """A message would be at `node` in `in_s` seconds with probability `p`, by the bearer `by`; None and 0 where no way is seen."""

    node: int
    in_s: float | None
    p: float
    by: str = ""


@dataclass(frozen=True, slots=True)
class Load:
    """One lane on one line: blocks queued and in flight, bytes of both."""

    queued: int
    queued_bytes: int
    in_flight: int
    in_flight_bytes: int


class Forecast:
    """Reads the exchange's state; changes nothing."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def states(self, block_id: BlockId, nodes: Iterable[int]) -> dict[int, State]:
        """How far a block got with each addressee, as far as bytes and end lists tell."""
        return {node: self._state(block_id, node) for node in nodes}

    def relayed(self) -> list[str]:
        """The newest own flash and command blocks that a neighbour is known to hold, whoever they are for."""
        core, found = self._core, []
        for lane in URGENT:
            source, held = Source(core.log.origin, core.log.incarnation, lane), Ranges()
            for neighbour in core.neighbours.values():
                held.update(neighbour.peer.vector.sets.get(source, Ranges()))
            numbers = range(max(0, held.top - RECENT + 1), held.top + 1)
            found += [str(BlockId(*source, number)) for number in numbers if number in held]
        return found

    def _state(self, block_id: BlockId, node: int) -> State:
        core = self._core
        if block_id.number in core.log.end_of(node).get(block_id.source, ()):
            return State.STORED
        for other, neighbour in core.neighbours.items():
            if other != node and block_id.number in neighbour.peer.vector.sets.get(block_id.source, ()):
                return State.RELAYED
        return State.SENT if any(target.tries.get(block_id) for target in core.targets()) else State.QUEUED

    def load(self, line: Line, lane: Lane, now: float) -> Load:
        """What waits for a line and what is on it; a broadcast counts once."""
        core, size = self._core, self._size(lane)
        targets = [core.neighbours[node].target for node in line.nodes(now)]
        served = [target for target in targets if lane is Lane.FLASH or core.home(target.node, lane, now) is line]
        if not targets and core.offered(line.anyone, lane):
            served = [line.anyone]
        pick = max if line.limits.broadcast else sum
        queued = pick([0, *(self._queued(target, lane, line) for target in served)])
        flying = pick([0, *(self._flying(target, lane, line) for target in [*targets, line.anyone])])
        rows = core.log.pending(lane).bytes if core.waiting_at[lane] < NEVER and served else 0
        return Load(queued + bool(rows), int(queued * size) + rows, flying, int(flying * size))

    def _queued(self, target: Target, lane: Lane, line: Line) -> int:
        if lane is Lane.FLASH:
            return sum(line.name not in leases for leases in target.flash.values())
        return sum(len(numbers) for numbers in target.want[lane].values())

    def _flying(self, target: Target, lane: Lane, line: Line) -> int:
        if lane is Lane.FLASH:
            return sum(line.name in leases and leases[line.name].size > 0 for leases in target.flash.values())
        return sum(
            lease.line == line.name and lease.size > 0
            for source, flight in target.flight.items()
            if source.lane is lane
            for lease in flight.values()
        )

    def speed(self, line: Line) -> float:
        """Bytes per second that arrive, by the line's own word and by what was acknowledged."""
        frame = line.limits.mtu
        paced = frame / (frame / line.limits.rate + line.limits.gap_s)
        return paced * max(line.success, 0.05)

    def rows(self, now: float) -> dict[str, dict[str, dict[str, Any]]]:
        """By lane and bearer: blocks queued and in flight, bytes that the line can still send this hour, seconds to drain."""
        out: dict[str, dict[str, dict[str, Any]]] = {lane.name.lower(): {} for lane in ROWS}
        for line in self._core.lines.values():
            speed, ahead = self.speed(line), 0
            for lane in ROWS:
                if lane not in line.lanes:
                    continue
                load = self.load(line, lane, now)
                ahead += load.queued_bytes + load.in_flight_bytes
                out[lane.name.lower()][line.name] = {
                    "queued": load.queued,
                    "queued_bytes": load.queued_bytes,
                    "in_flight": load.in_flight,
                    "bytes_left": max(0, int(speed * HOUR) - line.hour.spent(now)),
                    "drain_s": round(ahead / speed, 1) if ahead else 0.0,
                }
        return out

    def promises(self, size: int, lane: Lane, nodes: Iterable[int], now: float) -> Iterator[Promise]:
        """When a message of `size` bytes would reach each node: by the lines that hear it, or as its end lists came so far."""
        for node in nodes:
            ways = [
                self._direct(line, node, size, lane, now) for line in self._core.lines.values() if lane in line.lanes
            ]
            found = [way for way in ways if way is not None]
            if not found and lane in GOSSIPED:
                found = [way for way in (self._afar(node, now), self._later(node)) if way is not None]
            if not found:
                yield Promise(node, None, 0.0)
                continue
            best = min(found, key=lambda way: (way.in_s or 0.0) / max(way.p, 0.01))
            missed = 1.0
            for way in found if lane is Lane.FLASH else [best]:
                missed *= 1 - way.p
            yield Promise(node, best.in_s, round(1 - missed, 3), best.by)

    def _direct(self, line: Line, node: int, size: int, lane: Lane, now: float) -> Promise | None:
        if not line.alive(node, now):
            return None
        frames = -(-size // max(1, line.limits.mtu - FRAME))
        air = (size + frames * FRAME) / line.limits.rate + frames * line.limits.gap_s
        ahead = sum(self.load(line, each, now).queued_bytes for each in ROWS if each <= lane) / self.speed(line)
        wait = line.budget.wait_s if line.budget is not None and line.budget.bytes_left <= 0 else 0.0
        whole = line.success**frames
        p = 1 - (1 - whole) ** TRIES
        lost = (1 / max(whole, 0.1) - 1) * line.rto(now, 0)
        return Promise(node, round(wait + ahead + air + line.frame_s + lost, 1), round(p * (0.5 if line.sick(now) else 1), 3), line.name)  # fmt: skip

    def _afar(self, node: int, now: float) -> Promise | None:
        """Over others: as long as it took so far until the node's end list was here, half of it for the way there; else as long as
        its newest word took to come, where that is not long ago."""
        lag = self._core.lags.get(node)
        if lag is not None:
            return Promise(node, round(lag / 2, 1), 0.8)
        age_s, at = self._core.came.get(node, (0.0, -NEVER))
        return Promise(node, round(age_s, 1), 0.8) if at > now - HOUR else None

    def _later(self, node: int) -> Promise | None:
        """By a line that is down now and comes back as it used to."""
        waits = [(wait, name) for name, wait in self._core.contacts.waits(node)]
        if not waits:
            return None
        wait, name = min(waits)
        return Promise(node, round(wait, 1), 0.5, name)

    def _size(self, lane: Lane) -> float:
        return self._core.sizes.get(lane, BLOCK)

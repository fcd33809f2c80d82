"""What is still to go to whom: for each target the blocks it lacks, and the leases of those under way."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from sync.ids import BlockId, Lane, Source
from sync.ranges import Ranges

NEVER: Final = float("inf")
NEWEST_FIRST: Final = frozenset((Lane.TRACK, Lane.HISTORY))
LEFT: Final = 256  # blocks remembered as left to others
RELIED: Final = 2  # times that it had to be sent by us what was on the air for all, so that it is offered at once
TRIED: Final = {Lane.FLASH: 32, Lane.COMMAND: 16}  # times after which one is left to others again
PARTIALS: Final = 64  # unfinished blocks remembered of one target


@dataclass(slots=True)
class Lease:
    """A block on its way by a line since `at`: not to be sent again before `until`. size: 0 when it was only overheard;
    dormant: its target was not heard since, so that sending again waits for a sign of life; called: because it stayed silent
    about flash; asked: for its list instead; again: after it the block goes once more, whatever is heard."""

    line: str
    until: float
    at: float
    size: int
    dormant: bool = False
    called: bool = False
    asked: bool = False
    again: bool = False


@dataclass(slots=True)
class Mend:
    """How a target stands with a large block: symbols that it said it lacks, and how many were sent since."""

    lacks: int
    sent: int = 0


class Target:
    """A node, or whoever may listen on a line, and what of ours it lacks.

    want: to be sent, by lane and source; flight: under lease. Flash is kept by line, because it goes on all of them at once:
    `flash` holds every flash block that the target lacks with its leases by line.
    """

    def __init__(self, node: int) -> None:
        self.node = node
        self.want: dict[Lane, dict[Source, Ranges]] = {lane: {} for lane in Lane}
        self.wanting = 0  # sources in it
        self.flight: dict[Source, dict[int, Lease]] = {}
        self.flash: dict[BlockId, dict[str, Lease]] = {}
        self.tries: dict[BlockId, int] = {}
        self.parts: dict[BlockId, Ranges] = {}
        self.mends: dict[BlockId, Mend] = {}
        self.in_flight: dict[str, int] = {}  # bytes by line
        self._soonest: dict[str, float] = {}  # by line: when flash is due there, until anything about flash changes
        self.shy: dict[str, float] = {}  # by line: until when others are given the chance to send first
        self.dormant = False  # whether any lease is
        self.fed_at = -NEVER  # when it last had something that was left to others to send
        self.left: set[BlockId] = set()  # blocks that were on the air for all and left to others
        self.relied = 0  # how often since then it had one of them from us

    def put_off(self, lease: Lease, until: float) -> None:
        """A lease of this target ends at another time."""
        lease.until = until
        self._soonest.clear()

    def lacks(self, source: Source, lack: Ranges) -> list[tuple[BlockId, Lease]]:
        """Everything of a source that the target lacks, as just found out; the leases that are done with."""
        if source.lane is Lane.FLASH:
            return self._lacks_flash(source, lack)
        flight, landed = self.flight.get(source), []
        if flight:
            for number in [number for number in flight if number not in lack]:
                landed.append(self._land(source, number))
            lack = lack.minus(Ranges((number, number) for number in self.flight.get(source, ())))
        self._set(source, lack)
        return landed

    def _lacks_flash(self, source: Source, lack: Ranges) -> list[tuple[BlockId, Lease]]:
        self._soonest.clear()
        landed = []
        for block_id in [each for each in self.flash if each.source == source and each.number not in lack]:
            for lease in self.flash.pop(block_id).values():
                self._landed(lease)
                landed.append((block_id, lease))
        self._tidy(source, lack, {block_id.number for block_id, _ in landed})
        for number in lack.numbers():
            self.flash.setdefault(BlockId(*source, number), {})
        return landed

    def one_more(self, block_id: BlockId) -> None:
        """A block is here that the target lacks."""
        if block_id.lane is Lane.FLASH:
            self.flash.setdefault(block_id, {})
            self._soonest.clear()
        elif block_id.number not in self.flight.get(block_id.source, ()):
            self._add(block_id)

    def leave(self, block_id: BlockId, lease: Lease) -> None:
        """It was on the air for all just now, new to us: another may have brought it."""
        self.overheard(block_id, lease)
        self._follow(block_id)

    def at_once(self, block_id: BlockId) -> None:
        """The same, where it has such from us alone."""
        self.one_more(block_id)
        self._follow(block_id)

    def _follow(self, block_id: BlockId) -> None:
        if len(self.left) >= LEFT:
            self.left.clear()
        self.left.add(block_id)

    def trusted(self, lane: Lane) -> bool:
        """Whether what is new of a lane need not be left to others once more, to see whether it hears them."""
        return self.relied < TRIED.get(lane, 0)

    def served(self, lane: Lane) -> None:
        """It had from us what was on the air for all."""
        self.relied = self.relied + 1 if self.relied < TRIED.get(lane, RELIED) else RELIED

    def overheard(self, block_id: BlockId, lease: Lease) -> None:
        """The target probably heard it when we did: nothing is sent while the lease lasts."""
        if block_id.lane is Lane.FLASH:
            self.flash.setdefault(block_id, {})[lease.line] = lease
            self._soonest.clear()
        else:
            self._take(block_id)
            self.flight.setdefault(block_id.source, {})[block_id.number] = lease

    def lacking(self, block_id: BlockId) -> bool:
        """Whether it lacks the block as far as is known."""
        if block_id.lane is Lane.FLASH:
            return block_id in self.flash
        wanted = self.want[block_id.lane].get(block_id.source, ())
        return block_id.number in wanted or block_id.number in self.flight.get(block_id.source, ())

    def spare(self, block_id: BlockId, line: str, until: float, now: float) -> Lease | None:
        """Another sends it on a line where the target listens: we do not before `until`; the lease when that needs a new one."""
        if block_id.lane is Lane.FLASH:
            lease = self.flash.get(block_id, {}).get(line)
            if lease is not None:
                self.put_off(lease, max(lease.until, until))
                lease.at = now
        elif (lease := self.under(block_id, line)) is not None:
            lease.at = now
        elif self.wants(block_id, line, now):
            fresh = Lease(line, until, now, 0)
            self.overheard(block_id, fresh)
            return fresh
        return None

    def sent(self, line: str) -> list[tuple[BlockId, Lease]]:
        """Command blocks under lease by a line."""
        return [
            (BlockId(*source, number), lease)
            for source, flight in self.flight.items()
            if source.lane is Lane.COMMAND
            for number, lease in flight.items()
            if lease.line == line
        ]

    def wants(self, block_id: BlockId, line: str, now: float) -> bool:
        """Whether the block may go to it by this line now."""
        if block_id.lane is Lane.FLASH:
            leases = self.flash.get(block_id)
            return leases is not None and (line not in leases or leases[line].until <= now)
        wanted = self.want[block_id.lane].get(block_id.source)
        return wanted is not None and block_id.number in wanted

    def lease(self, block_id: BlockId, lease: Lease) -> None:
        """It is being sent."""
        if block_id.lane is Lane.FLASH:
            leases = self.flash.setdefault(block_id, {})
            if lease.line in leases:
                self._landed(leases[lease.line])
            leases[lease.line] = lease
            self._soonest.clear()
        else:
            self._take(block_id)
            flight = self.flight.setdefault(block_id.source, {})
            if block_id.number in flight:  # sent again for another's sake
                self._landed(flight[block_id.number])
            flight[block_id.number] = lease
        self.in_flight[lease.line] = self.in_flight.get(lease.line, 0) + lease.size
        self.tries[block_id] = self.tries.get(block_id, 0) + 1

    def under(self, block_id: BlockId, line: str) -> Lease | None:
        """The lease of a block by a line."""
        if block_id.lane is Lane.FLASH:
            return self.flash.get(block_id, {}).get(line)
        lease = self.flight.get(block_id.source, {}).get(block_id.number)
        return lease if lease is not None and lease.line == line else None

    def under_way(self) -> Iterator[BlockId]:
        """Blocks under lease."""
        yield from self.flash
        for source, flight in self.flight.items():
            yield from (BlockId(*source, number) for number in flight)

    def lapse(self, block_id: BlockId) -> None:
        """Its lease is over: it may be sent again."""
        flight = self.flight.get(block_id.source, {})
        if block_id.number in flight:
            self._landed(flight.pop(block_id.number))
            self._add(block_id)

    def woken(self) -> Iterator[BlockId]:
        """Blocks whose leases lay dormant; they may be sent again."""
        for leases in self.flash.values():
            for lease in leases.values():
                if lease.dormant:
                    lease.dormant = False
                    self.put_off(lease, 0.0)
        for source, flight in self.flight.items():
            yield from (BlockId(*source, number) for number, lease in flight.items() if lease.dormant)

    def give_back(self, block_id: BlockId, line: str) -> None:
        """Its sending by a line was broken off."""
        lease = self.under(block_id, line)
        if lease is not None and block_id.lane is Lane.FLASH:
            self.put_off(lease, 0.0)
        elif lease is not None:
            self.lapse(block_id)

    def void(self, line: str) -> None:
        """A line went down: whatever was on it may go by another at once."""
        self.in_flight.pop(line, None)
        self._soonest.clear()
        for leases in self.flash.values():
            leases.pop(line, None)
        for source, flight in list(self.flight.items()):
            for number in [number for number, lease in flight.items() if lease.line == line]:
                self.lapse(BlockId(*source, number))

    def holds_part(self, block_id: BlockId, got: Ranges) -> None:
        """It has these bytes of a block already."""
        if block_id in self.parts or len(self.parts) < PARTIALS:
            self.parts[block_id] = got

    def next_of(self, lane: Lane, leads: Callable[[int], bool], origin: int = 0, others: bool = True) -> BlockId | None:
        """The next wanted block of a lane other than flash, of `origin` only unless that is 0; of the command lane those of
        origins that lead come first, the others' only with `others`."""
        chosen = None
        for source, numbers in self.want[lane].items():
            if origin and source.origin != origin:
                continue
            led = lane is not Lane.COMMAND or leads(source.origin)
            if led or (others and chosen is None):
                chosen = source, numbers
            if led:
                break
        if chosen is None:
            return None
        source, numbers = chosen
        return BlockId(*source, numbers.top if lane in NEWEST_FIRST else numbers.first)

    def retried(self, lane: Lane) -> Iterator[BlockId]:
        """Wanted blocks of a lane that were sent before in vain."""
        return (each for each in self.tries if each.lane is lane and self.wants(each, "", NEVER))

    def flash_due(self, line: str, now: float, origin: int = 0, quick: int = 1) -> list[tuple[BlockId, Lease | None]]:
        """Flash blocks, of `origin` only unless that is 0, that may go by this line now, and the leases that are over: an alarm before
        the signature behind it, whichever came first, but what went `quick` times after what did not."""
        due = []
        for block_id, leases in sorted(
            self.flash.items(), key=lambda each: (self.tries.get(each[0], 0) >= quick, each[0].number)
        ):
            lease = leases.get(line)
            if (lease is None or lease.until <= now) and (not origin or block_id.origin == origin):
                due.append((block_id, lease))
        return due

    def flash_at(self, line: str) -> float:
        """When the next flash block is due on this line."""
        at = self._soonest.get(line)
        if at is None:
            at = self._soonest[line] = self._flash_at(line, 0)
        return at

    def own_flash_at(self, line: str, origin: int) -> float:
        """The same of the blocks of one origin."""
        return self._flash_at(line, origin)

    def _flash_at(self, line: str, origin: int) -> float:
        at = NEVER
        for each, leases in self.flash.items():
            if not origin or each.origin == origin:
                at = min(at, leases[line].until if line in leases else 0.0)
        return at

    def drop(self, block_id: BlockId) -> None:
        """It is not to be sent any more: gone from here, or out of date."""
        self._soonest.clear()
        if self.flash.pop(block_id, None) is None:
            self._take(block_id)
        self.forget(block_id)

    def _add(self, block_id: BlockId) -> None:
        wanted, source = self.want[block_id.lane], block_id.source
        if source not in wanted:
            wanted[source] = Ranges()
            self.wanting += 1
        wanted[source].add(block_id.number)

    def _take(self, block_id: BlockId) -> None:
        wanted = self.want[block_id.lane].get(block_id.source)
        if wanted is not None:
            wanted.discard(block_id.number)
            if not wanted:
                del self.want[block_id.lane][block_id.source]
                self.wanting -= 1

    def _set(self, source: Source, lack: Ranges) -> None:
        wanted = self.want[source.lane]
        self.wanting += bool(lack) - (source in wanted)
        if lack:
            wanted[source] = lack
        else:
            wanted.pop(source, None)
        self._tidy(source, lack, self.flight.get(source, ()))

    def _tidy(self, source: Source, lack: Ranges, under_way: Container[int]) -> None:
        """Forget what is not lacked any more."""
        for block_id in {*self.tries, *self.parts} if self.tries or self.parts else ():
            if block_id.source == source and block_id.number not in lack and block_id.number not in under_way:
                self.forget(block_id)

    def _land(self, source: Source, number: int) -> tuple[BlockId, Lease]:
        flight = self.flight[source]
        lease = flight.pop(number)
        self._landed(lease)
        if not flight:
            del self.flight[source]
        return BlockId(*source, number), lease

    def _landed(self, lease: Lease) -> None:
        if lease.line in self.in_flight:
            self.in_flight[lease.line] = max(0, self.in_flight[lease.line] - lease.size)

    def forget(self, block_id: BlockId) -> None:
        """Nothing more is known of a block that landed or was dropped."""
        self.tries.pop(block_id, None)
        self.parts.pop(block_id, None)
        self.mends.pop(block_id, None)


@dataclass(slots=True)
class Expiries:
    """When leases end, in order; a lease that was renewed or ended is passed over."""

    _heap: list[tuple[float, int, Target, BlockId, Lease]] = field(default_factory=list)
    _order: int = 0

    def add(self, target: Target, block_id: BlockId, lease: Lease) -> None:
        """Watch a lease; flash is looked at on every pass anyway."""
        if block_id.lane is not Lane.FLASH:
            self._order += 1
            heapq.heappush(self._heap, (lease.until, self._order, target, block_id, lease))

    def due(self, now: float) -> Iterable[tuple[Target, BlockId, Lease]]:
        """Leases that are over."""
        while self.at <= now:
            _, _, target, block_id, lease = heapq.heappop(self._heap)
            yield target, block_id, lease

    @property
    def at(self) -> float:
        """When to look again."""
        while self._heap:
            until, _, target, block_id, lease = self._heap[0]
            flight = target.flight.get(block_id.source)
            if flight is not None and flight.get(block_id.number) is lease:
                return until
            heapq.heappop(self._heap)
        return NEVER

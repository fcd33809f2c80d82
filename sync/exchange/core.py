"""What hearing and sending share: the log's sets, the neighbours, the lines, and what is still to go to whom."""

from __future__ import annotations

import random
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator
from typing import Final

from sync.exchange.assembly import Assembly
from sync.exchange.contacts import Contacts
from sync.exchange.havelist import bounded
from sync.exchange.ledger import NEVER, Expiries, Lease, Target
from sync.exchange.lines import NEIGHBOURS, Line
from sync.exchange.peers import Peer
from sync.exchange.policy import Policy
from sync.exchange.telling import Teller
from sync.ids import BlockId, Lane, Source
from sync.log import Log
from sync.ranges import Ranges
from sync.seal.contract import Role
from sync.seal.keyring import Keyring

URGENT: Final = (Lane.FLASH, Lane.COMMAND)
CHEAP: Final = (Lane.COMMAND, Lane.TRACK, Lane.HISTORY, Lane.BULK)
ROWS: Final = (Lane.FLASH, Lane.COMMAND, Lane.TRACK, Lane.HISTORY, Lane.BULK)
GOSSIPED: Final = frozenset((Lane.FLASH, Lane.COMMAND, Lane.TRACK))
AGES: Final = 4096  # ages of blocks remembered
LOOK_S: Final = 300.0  # the log is looked through so often even when nobody says that it changed
SOON_S: Final = 0.05  # and not more often than this when somebody does


class Neighbour:
    """A node that was heard: what it has, and what it lacks. relay: it gives no word for its lists."""

    __slots__ = ("node", "peer", "relay", "target")

    def __init__(self, node: int) -> None:
        self.node, self.peer, self.target, self.relay = node, Peer(node), Target(node), False


class Core:
    """State of one exchange; its methods keep wants and leases true to what log and neighbours say."""

    def __init__(self, log: Log, ring: Keyring, policy: Policy, chance: random.Random) -> None:
        self.log, self.ring, self.policy, self.chance = log, ring, policy, chance
        self.lines: dict[str, Line] = {}
        self.neighbours: dict[int, Neighbour] = {}
        self.teller = Teller(ring)
        self.expiries = Expiries()
        self.assembly = Assembly(policy.partial_bytes)
        self.refused: Counter[str] = Counter()
        self.twice = 0  # bytes of blocks beyond flash that came though they were here
        self.conflicts: list[BlockId] = []
        self.pictures: dict[tuple[int, int], tuple[int, str]] = {}  # newest number and the line it came by, by life
        self.stale = True
        self.looked_at = -NEVER
        self.waiting_at: dict[Lane, float] = dict.fromkeys(Lane, NEVER)
        self.moved: dict[Source, None] = {}  # of our own vector, since receipts were signed, longest ago first
        self.sizes: dict[Lane, float] = {}  # mean bytes of a block sent
        self.lags: dict[int, float] = {}  # by node: seconds until its word for a block of ours is here
        self.came: dict[
            int, tuple[float, float]
        ] = {}  # by node that is not heard itself: how old its newest word was, when
        self.contacts = Contacts()
        self.behind: dict[Source, int] = {}  # urgent sources of which others have more, and the last number there
        self._held: dict[Source, Ranges] = {}
        self._ages: OrderedDict[BlockId, tuple[float, float, str, int]] = OrderedDict()

    # the log

    def look(self, now: float) -> None:
        """See what changed in the log behind our back."""
        if now < self.look_at:
            return
        self.stale, self.looked_at = False, now
        for source in list(self.log.have()):
            self.refresh(source)
        life = self.log.origin, self.log.incarnation
        newest = self.log.held(Source(*life, Lane.PICTURE)).top
        if newest >= 0:
            self.pictures[life] = newest, ""
        for lane in ROWS:
            pending = self.log.pending(lane)
            if not pending.rows:
                self.waiting_at[lane] = NEVER
            else:
                self.waiting_at[lane] = now + max(0.0, self.policy.hold_s[lane] - pending.oldest_s)

    @property
    def look_at(self) -> float:
        """When the log is to be looked through again."""
        return self.looked_at + (SOON_S if self.stale else LOOK_S)

    def refresh(self, source: Source) -> None:
        """A source may have changed in the log."""
        have = self.log.have().get(source)
        held = self.log.held(source)
        mine, changed = self.teller.mine, False
        if have is not None and have != mine.sets.get(source):
            changed = mine.put(source, bounded(have, source.lane))
        if changed:
            self.moved.setdefault(source)
        if changed or self._held.get(source) != held:
            self._held[source] = held.copy()
            for target in self.targets():
                self.review(target, source)

    def added(self, block_id: BlockId) -> None:
        """One block more is in the log."""
        have = self.log.have().get(block_id.source)
        if have is not None:
            self.teller.mine.put(block_id.source, bounded(have, block_id.lane))
            self.moved.setdefault(block_id.source)
        self._held.setdefault(block_id.source, Ranges()).add(block_id.number)

    def age_s(self, block_id: BlockId, now: float) -> float:
        """Seconds since the block was sealed."""
        known = self._ages.get(block_id)
        if known is not None:
            return known[0] + now - known[1]
        return self.aged(block_id, self.log.age_s(block_id), now)

    def came_by(self, block_id: BlockId) -> str:
        """The line that a block came by lately, "" for our own."""
        known = self._ages.get(block_id)
        return "" if known is None else known[2]

    def giver(self, block_id: BlockId) -> int:
        """The node that sent it there, 0 when that is not known."""
        known = self._ages.get(block_id)
        return 0 if known is None else known[3]

    def aged(self, block_id: BlockId, age_s: float, now: float, line: str = "", giver: int = 0) -> float:
        """Remember a block's age, the line that it came by and who sent it there."""
        self._ages[block_id] = age_s, now, line, giver
        while len(self._ages) > AGES:
            self._ages.popitem(last=False)
        return age_s

    # who lacks what

    def targets(self) -> Iterator[Target]:
        """Every neighbour, and whoever may listen on each line."""
        for neighbour in self.neighbours.values():
            yield neighbour.target
        for line in self.lines.values():
            yield line.anyone

    def neighbour(self, node: int) -> Neighbour | None:
        """A node that was heard; None for ourselves, or when there are more than anybody can have."""
        found = self.neighbours.get(node)
        if found is None and node != self.log.origin and len(self.neighbours) < NEIGHBOURS:
            found = self.neighbours[node] = Neighbour(node)
        return found

    def leads(self, origin: int) -> bool:
        """Whether a node commands: what it says goes before what others report."""
        peer = self.ring.directory.get(origin)
        return peer is not None and peer.role is Role.COMMAND

    def offered(self, target: Target, lane: Lane) -> bool:
        """Whether a lane goes to this target at all."""
        if not target.node:
            return lane in URGENT
        if lane in GOSSIPED or target.node in self.policy.central:
            return lane is not Lane.PICTURE
        neighbour = self.neighbours[target.node]
        return neighbour.relay or self.log.origin not in self.policy.central

    def lack(self, target: Target, source: Source) -> Ranges:
        """What the target lacks of a source and we can send."""
        held = self._held.get(source)
        if held is None or not self.offered(target, source.lane):
            return Ranges()
        if not target.node:
            return held.minus(self.covered(source))
        peer = self.neighbours[target.node].peer
        if not peer.known(source):
            return Ranges()
        has = peer.vector.sets.get(source)
        return held.copy() if has is None else held.minus(has)

    def fall_behind(self, peer: Peer, sources: Iterable[Source] | None) -> Lane | None:
        """The most urgent lane of which a neighbour's list is the first to name blocks that are not here, by the sources that
        changed in it (None: all)."""
        mine, found = self.teller.mine.sets, None
        for source in peer.vector.sets if sources is None else sources:
            if source.lane in URGENT and self._ahead(peer, source, mine.get(source)):
                top = peer.vector.sets[source].top
                if self.behind.get(source, -1) < top:
                    self.behind[source] = top
                    found = source.lane if found is None else min(found, source.lane)
        return found

    def is_behind(self, line: Line, now: float) -> bool:
        """Whether anybody heard on a broadcast line has urgent blocks that are still not here."""
        if not self.behind or not line.limits.broadcast:
            return False
        mine, here = self.teller.mine.sets, set(line.nodes(now))
        heard = {node for each in self.lines.values() for node in each.nodes(now)}
        ahead = {
            source: {node for node in heard if self._ahead(self.neighbours[node].peer, source, mine.get(source))}
            for source in self.behind
        }
        self.behind = {source: top for source, top in self.behind.items() if ahead[source]}
        return any(not here.isdisjoint(nodes) for nodes in ahead.values())

    def _ahead(self, peer: Peer, source: Source, mine: Ranges | None) -> bool:
        theirs = peer.vector.sets.get(source)
        return theirs is not None and theirs != mine and (mine is None or bool(theirs.minus(mine)))

    def covered(self, source: Source) -> Ranges:
        """What is known to be where it should go: at a central; what we say as one, at every other member."""
        if source.origin == self.log.origin and source.origin in self.policy.central:
            return self._everywhere(source)
        ends = [found for node in self.policy.central if (found := self.log.end_of(node).get(source)) is not None]
        if len(ends) == 1:
            return ends[0]
        return Ranges(span for numbers in ends for span in numbers)

    def _everywhere(self, source: Source) -> Ranges:
        """What every other member has by its end list; nothing where members are not known."""
        common: Ranges | None = None
        for node in self.policy.members:
            peer = self.ring.directory.get(node)
            if node == source.origin or node in self.ring.revoked or (peer is not None and peer.role is Role.RELAY):
                continue
            theirs = self.log.end_of(node).get(source, Ranges())
            common = theirs if common is None else common.minus(common.minus(theirs))
            if not common:
                break
        return common or Ranges()

    def calls(self, line: Line, now: float) -> bool:
        """Whether our own flash goes to whoever is silent: until a central has it, a central's only where nobody is heard."""
        return self.log.origin not in self.policy.central or not line.live(now)

    def review(self, target: Target, source: Source) -> list[tuple[BlockId, Lease]]:
        """Bring a target's wants of one source up to date; the leases that are done with."""
        return target.lacks(source, self.lack(target, source))

    def review_all(self, target: Target, sources: Iterable[Source] | None = None) -> list[tuple[BlockId, Lease]]:
        """The same for many sources, by default all."""
        landed = []
        for source in list(self._held if sources is None else sources):
            landed += self.review(target, source)
        return landed

    def home(self, node: int, lane: Lane, now: float) -> Line | None:
        """The line by which a lane goes to a neighbour: the cheapest, then the fastest, of those that work."""
        lines = [line for line in self.lines.values() if lane in line.lanes and line.alive(node, now)]
        return min(lines, key=lambda line: (line.sick(now), line.limits.cost, -line.limits.rate), default=None)

    def sized(self, lane: Lane, size: int) -> None:
        """A block of a lane was sent."""
        self.sizes[lane] = size if lane not in self.sizes else self.sizes[lane] + (size - self.sizes[lane]) / 8

    def lagged(self, node: int, lag_s: float) -> None:
        """A node's word for a block came so long after it was sealed."""
        if node in self.lags or len(self.lags) < NEIGHBOURS:
            self.lags[node] = lag_s if node not in self.lags else self.lags[node] + (lag_s - self.lags[node]) / 4

    def came_from(self, node: int, age_s: float, now: float) -> None:
        """Something urgent of a node that is not heard on any line came over others, so long after it was sealed."""
        if not any(line.alive(node, now) for line in self.lines.values()) and (node in self.came or len(self.came) < NEIGHBOURS):  # fmt: skip
            self.came[node] = age_s, now

"""Signed end lists: a central's receipts, which hold by any way and however late, passed on by whoever learns from them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Final, NamedTuple

from radios.bearer import Arrival
from sync import carried
from sync.exchange.core import URGENT, Core
from sync.exchange.havelist import bounded
from sync.exchange.ledger import NEVER
from sync.exchange.lines import Debt, Line
from sync.exchange.relay import Guard
from sync.ids import BlockId, Lane, Source
from sync.ranges import Ranges
from sync.seal.contract import MAC, SIGNATURE

SEEN: Final = 256  # frames remembered, so that a copy costs nothing
KEPT: Final = 64  # frames kept for whom we meet later
EVERY_S: Final = 120.0  # at most one new receipt so often
QUICK_S: Final = 20.0  # what is younger is repeated in quick succession, whoever has it
REMIND_S: Final = 60.0  # who sends in vain is told no sooner after anybody told it
GREET_S: Final = 300.0  # an audience is told what is kept at most so often
AGAIN_S: Final = 3600.0  # every source is receipted again so often
LEAST_MTU: Final = 120
NARROW: Final = 200  # bytes of a frame on the radios that receipts are passed on to
_SHARES: Final = (  # on wider lines: lanes, bytes and number of the receipts signed together
    (frozenset(URGENT), NARROW, 4),
    (frozenset(Lane).difference(URGENT), 1 << 16, 1),
)
_HEAD: Final = 1 + SIGNATURE + 2 + MAC


class _Kept(NamedTuple):
    """A frame of receipts: when it came here, and what it is the latest word on, by who signed it."""

    at: float
    says: dict[tuple[int, Source], Ranges]


class Ends:
    """Learns and passes on signed end lists; a central signs its own."""

    def __init__(self, core: Core, guard: Guard) -> None:
        self._core, self._guard = core, guard
        self._seen: OrderedDict[bytes, None] = OrderedDict()
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()
        self._signed_at = self._all_at = -NEVER

    def signed_on(self, node: int, line: Line) -> bool:
        """Whether the node signs its end lists and the line carries them."""
        return node in self._core.policy.central and line.limits.two_way and line.limits.mtu >= LEAST_MTU

    def merge(self, node: int, ends: Mapping[Source, Ranges], now: float, signed: bool = False) -> None:
        """A node has these, by its own word: durable, and what it covers need not be repeated or kept by a relay."""
        core, policy = self._core, self._core.policy
        if not ends or not (node in policy.central or node in policy.members or not policy.members):
            return
        known = core.log.end_of(node)
        for source, numbers in ends.items():
            if source.origin == core.log.origin and numbers.top > known.get(source, Ranges()).top:
                core.lagged(node, core.age_s(BlockId(*source, numbers.top), now))
        core.log.merge_end(node, ends, signed)
        central = node in policy.central
        moved = [source for source in ends if central or source.origin == core.log.origin]
        for line in core.lines.values():
            core.review_all(line.anyone, moved)
        if central:
            self._guard.ended(ends)

    def take(self, line: Line, inner: bytes, arrival: Arrival) -> bool:
        """A signed end list came in: learn and pass on what is news; False when it is none but blocks of carried media."""
        now, debt = arrival.at, line.debt(line.node_at(arrival.peer) or 0)
        while inner in debt.statements:
            debt.statements.remove(inner)  # its sender has it, and all in reach of a broadcast
        debt.state_at = now
        if inner in self._seen:
            return True
        found = carried.read_frame(self._core.ring, inner)
        if found.ends is None:
            return False
        self._saw(inner)
        node, ends = found.ends
        said = {about: numbers for kept in self._kept.values() for about, numbers in kept.says.items()}
        news = any(numbers.minus(said.get((node, source), Ranges())) for source, numbers in ends.items())
        if news and node != self._core.log.origin:  # a word may have told it here, but words go one hop
            self.merge(node, ends, now, signed=True)
            self._keep(node, inner, ends, now)
            urgent = any(source.lane in URGENT for source in ends)
            for other in self._core.lines.values():
                if other is not line and (urgent or other.limits.mtu > NARROW):
                    self._tell(other, inner, now)
        return True

    def greet(self, line: Line, debt: Debt, since: float, now: float) -> None:
        """Somebody who was silent is heard: receipts that came here `since` it was heard last may be news there."""
        if now < debt.stated_at + GREET_S:
            return
        debt.stated_at = now
        for inner, kept in self._kept.items():
            signed_here = not line.limits.broadcast and any(line.alive(node, now) for node, _ in kept.says)
            if kept.at > since - line.beacon_s and not signed_here:
                self._put(line, debt, inner)  # else who signed it tells it
        if line.crowd(now):
            debt.state_at = now + line.spread_s(now) * self._core.chance.random()  # of many who know them one is first

    def remind(self, line: Line, block_id: BlockId, arrival: Arrival) -> None:
        """Something came that is here already: when its own author still sends what a central has, the receipt did not get there."""
        core, node, now = self._core, line.node_at(arrival.peer), arrival.at
        if (
            node != block_id.origin
            or block_id.lane not in URGENT
            or block_id.number not in core.covered(block_id.source)
        ):
            return
        debt = line.debt(node)
        if debt.statements or now < debt.state_at + REMIND_S or core.age_s(block_id, now) < QUICK_S:
            return
        for inner, kept in self._kept.items():
            if any(source == block_id.source and block_id.number in has for (_, source), has in kept.says.items()):
                self._put(line, debt, inner)
        debt.state_at = now + line.spread_s(now) * core.chance.random()  # of many who know it one is first

    def sign(self, now: float) -> None:
        """A central's own receipts, for those who do not hear it: what moved since the last, and at times everything."""
        core = self._core
        if core.log.origin not in core.policy.central or now < self._signed_at + EVERY_S:
            return
        if now >= self._all_at + AGAIN_S:
            core.moved.update(dict.fromkeys(core.teller.mine.sets))
            self._all_at = now
        mtu = min((line.limits.mtu for line in core.lines.values() if line.limits.mtu >= LEAST_MTU), default=0)
        if not mtu or not core.moved:
            return
        self._signed_at = now
        for lanes, most, count in ((frozenset(Lane), mtu, 1),) if mtu <= NARROW else _SHARES:
            for _ in range(count):
                self._sign(lanes, min(most, mtu) - _HEAD, now)

    def _sign(self, lanes: frozenset[Lane], room: int, now: float) -> None:
        """Receipt as much of what moved in these lanes as there is room for, what is urgent first, then what waited longest."""
        core = self._core
        chosen: dict[Source, Ranges] = {}
        for source in sorted(core.moved, key=lambda each: each.lane not in URGENT):
            if source.lane in lanes:
                numbers = bounded(core.teller.mine.sets.get(source, Ranges()), source.lane)
                room -= 7 + 8 * numbers.spans
                if room < 0 and chosen:
                    break
                chosen[source] = numbers
        if not chosen:
            return
        for source in chosen:
            del core.moved[source]
        inner = carried.ends_frame(core.ring, chosen)
        self._saw(inner)
        self._keep(core.log.origin, inner, chosen, now)
        for line in core.lines.values():
            self._tell(line, inner, now)

    def _tell(self, line: Line, inner: bytes, now: float) -> None:
        """Owe it to everybody heard on a line."""
        for node in [0] if line.limits.broadcast else line.nodes(now):
            self._put(line, line.debt(node), inner, round(line.copies))

    def _put(self, line: Line, debt: Debt, inner: bytes, copies: int = 1) -> None:
        if len(inner) + MAC <= line.limits.mtu and line.limits.two_way and inner not in debt.statements:
            debt.statements.extend([inner] * copies)
            debt.state_at = 0.0

    def _saw(self, inner: bytes) -> None:
        self._seen[inner] = None
        while len(self._seen) > SEEN:
            self._seen.popitem(last=False)

    def _keep(self, node: int, inner: bytes, ends: Mapping[Source, Ranges], now: float) -> None:
        """Keep it for whom we meet later; what it covers goes."""
        says = {(node, source): numbers for source, numbers in ends.items()}
        for old, kept in list(self._kept.items()):
            for about in kept.says.keys() & says.keys():
                del kept.says[about]
            if not kept.says:
                del self._kept[old]
        self._kept[inner] = _Kept(now, says)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)

"""What neighbours say of themselves: their lists, what they ask for, what they know of ours, what they have of a block."""

from __future__ import annotations

from typing import Final

from radios.bearer import Arrival
from sync import repair
from sync.exchange.core import Core, Neighbour
from sync.exchange.ends import Ends
from sync.exchange.frame import KEY, Behind, Delta, Digest, Got, Listing, Need, Partial
from sync.exchange.havelist import differing
from sync.exchange.ledger import NEVER, Lease, Target
from sync.exchange.lines import QUICKER, Asking, Debt, Line
from sync.exchange.mending import lacked, mends, size_on
from sync.exchange.peers import Heard, Peer
from sync.exchange.telling import statement
from sync.ids import BlockId, Lane

EAGER: Final = 8  # times that something urgent is sent again as soon as a list lacks it
WORN: Final = 30  # bytes of a delta from which on its result is named as a new base
LISTS: Final = (Digest, Delta, Listing)


class Lists:
    """Takes in what is no block."""

    def __init__(self, core: Core, ends: Ends) -> None:
        self.core, self._ends = core, ends

    def told(self, line: Line, part: object, arrival: Arrival) -> None:
        """A list, or what belongs to lists."""
        core, now = self.core, arrival.at
        if isinstance(part, Need):
            self._asked(line, part, arrival)
            return
        node = part.by if isinstance(part, Got) else part.node  # type: ignore[attr-defined]
        neighbour = core.neighbour(node)
        if neighbour is None:
            return
        self._met(line, neighbour, arrival)
        if isinstance(part, LISTS):
            self._listed(line, neighbour, part, now)
        elif isinstance(part, Got):
            if part.node == core.log.origin:
                neighbour.peer.got(part.scope, part.key)
        elif isinstance(part, Behind):
            self._behind(line, neighbour, now)
        elif isinstance(part, Partial):
            self._partial(line, neighbour, part, now)

    def _met(self, line: Line, neighbour: Neighbour, arrival: Arrival) -> None:
        now, before = arrival.at, line.heard.get(neighbour.node)
        if line.hear(neighbour.node, arrival.peer, now):
            debt = line.debt(neighbour.node)
            debt.due = min(debt.due, now + line.ack_s(now) * self.core.chance.uniform(0.2, 1.0))
            self._ends.greet(line, debt, -NEVER if before is None else before.at, now)

    def _listed(self, line: Line, neighbour: Neighbour, part: Digest | Delta | Listing, now: float) -> None:
        core, peer, debt = self.core, neighbour.peer, line.debt(neighbour.node)
        mine = core.teller.mine
        if isinstance(part, Digest):
            heard = peer.digest(part, mine, now)
            if heard is Heard.UNCLEAR:
                heard = peer.expected(part, neighbour.target.under_way())
        elif isinstance(part, Delta):
            heard = peer.agrees(part.scope, mine, now) if self._same(part) else peer.delta(part, now, core.teller.ours)
        else:
            heard = peer.listing(part, mine, now)
        neighbour.relay = not part.vouch
        if heard is Heard.UNCLEAR:
            at = now + self._doubt_s(line, part, now)
            debt.needs.setdefault(neighbour.node, Asking(at)).at = at
            return
        asking = debt.needs.pop(neighbour.node, None)
        unsaid = heard is Heard.NEWS and core.teller.ours(part.scope, peer.vector.digest(part.scope)[:KEY]) is None
        worn = isinstance(part, Delta) and len(part.code) > WORN
        if unsaid and (worn or (asking is not None and asking.tries)):
            debt.gots[neighbour.node, part.scope] = peer.keep(part.scope)
            debt.gots_at = min(debt.gots_at, now + 0.5 * line.beacon_s)
        if peer.vector.digest(part.scope) == mine.digest(part.scope):
            core.teller.hold(part.scope, mine)
        self._follow(line, neighbour, now)
        self._echoed(line, debt, peer, part.scope, now)
        if part.vouch and peer.unproven:
            self._prove(line, neighbour, part, now)

    def _doubt_s(self, line: Line, part: Digest | Delta | Listing, now: float) -> float:
        """How long a list that could not be followed waits for the rest of it, or in a crowd for the next, before it is asked for."""
        rest = line.ack_s(now) if isinstance(part, Listing) and not part.last else 0.0
        if line.crowd(now):
            return rest + line.spread_s(now) * self.core.chance.uniform(1.0, 3.0)
        return rest + line.ack_s(now) * self.core.chance.uniform(0.1, 0.6)

    def _same(self, part: Delta) -> bool:
        """Whether a delta ends in our own vector, by its short name and its node's word for the whole: it need not be followed."""
        ring, digest = self.core.ring, self.core.teller.mine.digest(part.scope)
        if not part.vouch or digest[: len(part.check)] != part.check:
            return False
        said = statement(part.node, part.scope, digest)
        return ring.vouched(part.node, said, part.vouch) or ring.vouched_here(part.node, said, part.vouch)

    def _echoed(self, line: Line, debt: Debt, peer: Peer, scope: int, now: float) -> None:
        """In a crowd, what another says just as we would have need not be said again before the next sign of life."""
        if debt.loud or debt.asked or debt.mask or debt.listing is not None or not line.crowd(now):
            return
        core = self.core
        if peer.vector.digest(scope) == core.teller.mine.digest(scope) and not core.is_behind(line, now):
            debt.due = max(debt.due, debt.told_at + 0.8 * line.beacon_s)

    def _follow(self, line: Line, neighbour: Neighbour, now: float) -> None:
        """Bring what it lacks up to date, learn from what it acknowledged, and see what it has that is not here."""
        core, peer, target = self.core, neighbour.peer, neighbour.target
        sources, peer.fresh, peer.changed = (None if peer.fresh else peer.changed), False, set()
        wanted = target.wanting
        for block_id, lease in core.review_all(target, sources):
            sender = core.lines.get(lease.line)
            if sender is not None and lease.size:
                sender.acked(now - lease.at, lease.size, target.tries.get(block_id) == 1)
            if block_id in target.left and lease.size:
                target.served(block_id.lane)
            elif block_id in target.left and block_id not in target.tries:
                target.fed_at, target.relied = now, 0
                if sender is not None:
                    sender.heard_itself(core.giver(block_id), target.node)
            target.left.discard(block_id)
            target.forget(block_id)
        for block_id in list(target.woken()) if target.dormant else ():
            target.lapse(block_id)
        target.dormant = False
        self._shy(line, target, wanted, now)
        if line.limits.broadcast and (lane := core.fall_behind(peer, sources)) is not None:
            usual = (
                line.spread_s(now) if line.crowd(now) else line.rto(now, 0)
            )  # the other may be in a crowd of its own
            wait = usual * core.chance.uniform(0.3, 1.3)
            line.owe(now + wait * (QUICKER if lane is Lane.FLASH else 1.0), loud=False)

    def _shy(self, line: Line, target: Target, wanted: int, now: float) -> None:
        """What its list shows to be lacking is left for a while to others who can send it too."""
        shy = self._shyness(line, now)
        if target.wanting and not wanted:
            target.shy[line.name] = now + shy
        for block_id, leases in target.flash.items():
            lease = leases.get(line.name)
            if lease is None and shy:
                target.overheard(block_id, Lease(line.name, now + QUICKER * shy, now, 0, asked=True))
            elif lease is None or not self._in_vain(line, target, block_id, lease, now):
                continue
            elif lease.called or (lease.size and not shy):
                target.put_off(lease, min(lease.until, now + QUICKER * shy))
                lease.asked = True

    def _in_vain(self, line: Line, target: Target, block_id: BlockId, lease: Lease, now: float) -> bool:
        """Whether a list that lacks a block is younger than its sending, and it was not sent too often already."""
        return lease.at + 2 * line.frame_s < now and target.tries.get(block_id, 0) <= EAGER

    def _behind(self, line: Line, neighbour: Neighbour, now: float) -> None:
        """It knows that it lacks something: what was left to others to send may be sent, and we need not say the same so soon."""
        core, debt, target = self.core, line.debt(neighbour.node), neighbour.target
        if not line.crowd(now):
            return
        line.called()
        shy = self._shyness(line, now)
        for block_id, leases in target.flash.items():
            lease = leases.get(line.name)
            if lease is not None and self._in_vain(line, target, block_id, lease, now):
                target.put_off(lease, min(lease.until, now + QUICKER * shy))
                lease.asked = True
        lost = [each for each, lease in target.sent(line.name) if self._in_vain(line, target, each, lease, now)]
        if lost and not target.wanting:
            target.shy[line.name] = now + shy
        for block_id in lost:
            target.lapse(block_id)
        scope = line.scope
        if not debt.loud and neighbour.peer.vector.digest(scope) == core.teller.mine.digest(scope):
            debt.due = max(debt.due, min(now + line.rto(now, 0), debt.told_at + line.beacon_s))

    def _shyness(self, line: Line, now: float) -> float:
        """How long what somebody turns out to lack is left to others who may have heard so too; random, so that one is first."""
        return line.spread_s(now) * self.core.chance.random() if line.crowd(now) else 0.0

    def _prove(self, line: Line, neighbour: Neighbour, part: Digest | Delta | Listing, now: float) -> None:
        """What a member gave its word for is its end list; any member could have given a word to all, so where a central can sign
        only its signature or its word to this node counts."""
        core, peer = self.core, neighbour.peer
        if not peer.views[part.scope].whole:
            return
        digest = peer.vector.digest(part.scope)
        said = statement(peer.node, part.scope, digest)
        sure = core.ring.vouched_here(peer.node, said, part.vouch)
        if not sure and (self._ends.signed_on(peer.node, line) or not core.ring.vouched(peer.node, said, part.vouch)):
            return
        proven = {source: peer.vector.sets[source] for source in peer.unproven if source in peer.vector.sets}
        peer.unproven = set()
        self._ends.merge(peer.node, proven, now, signed=sure)

    def _asked(self, line: Line, need: Need, arrival: Arrival) -> None:
        """Somebody lacks our list: it differs from the asker's guess in some buckets."""
        core, now = self.core, arrival.at
        if need.node not in (0, core.log.origin):
            asking = line.debt(need.node).needs.get(need.node)
            if asking is not None and line.limits.broadcast and not asking.left:
                asking.at, asking.left = max(asking.at, now + 2 * line.ack_s(now)), True  # its answer may be heard here
            return
        asker = line.node_at(arrival.peer) or 0
        debt, known = line.debt(asker), core.teller.ours(need.scope, need.key) is not None
        if need.node and asker in core.neighbours:
            core.neighbours[asker].peer.asked(need.scope, need.key if known else b"")
        if known:
            debt.asked[need.key] = None
        elif need.node and (need.buckets or not need.key):
            other = differing(need.buckets, core.teller.mine.buckets(need.scope)) if need.buckets else 255
            debt.mask |= other or 1  # a right guess is confirmed by any bucket's list
        debt.told, debt.loud = b"", True
        debt.due = min(debt.due, now + core.chance.uniform(0.1, 1.0) * line.ack_s(now))

    def _lacking(self, line: Line, target: Target, part: Partial, now: float) -> None:
        """How many symbols it lacks; symbols serve everybody, so that who lacks no more need not say so."""
        core = self.core
        block = core.log.read(part.id)
        if block is not None and (size := size_on(line, part.id, len(block))):
            lacked(line, target, part.id, repair.lacking(len(block), size, part.got, part.spare))
        elif part.spare or mends(line):
            mine = core.assembly.lacks(part.id)
            if mine and mine <= core.assembly.total(part.id) - len(part.got):
                core.assembly.told(part.id, now)

    def _partial(self, line: Line, neighbour: Neighbour, part: Partial, now: float) -> None:
        """It has some bytes of a block: only the others are sent, and at once if the block was under lease as a whole."""
        target = neighbour.target
        target.holds_part(part.id, part.got)
        sending = line.open.get((part.id.lane, 0 if line.limits.broadcast else neighbour.node))
        if sending is None or sending.id != part.id:
            self._lacking(line, target, part, now)
        if not neighbour.peer.known(part.id.source) and self.core.log.read(part.id) is not None:
            target.one_more(part.id)
            line.debt(neighbour.node).needs.setdefault(neighbour.node, Asking(now))
        if (sending is None or sending.id != part.id) and (lease := target.under(part.id, line.name)) is not None:
            if part.id.lane is Lane.FLASH:
                target.put_off(lease, 0.0)
            else:
                target.lapse(part.id)
            target.tries[part.id] = 0  # an answer: no reason for more patience

"""How long what somebody lacks is left to others, to its answer or to a sign of life, before it is sent again."""

from __future__ import annotations

from typing import Final

from sync.exchange.core import URGENT, Core
from sync.exchange.ledger import RELIED, Lease, Target
from sync.exchange.lines import Asking, Line
from sync.ids import BlockId, Lane

STUBBORN: Final = 2  # times that what is urgent goes to a neighbour in a crowd that gives no sign of life
STUBBORN_ALONE: Final = 6  # the same where only we can bring it
FED_S: Final = 7200.0  # who had something from others so lately hears them, and needs no call of ours
PATIENT: Final = 2  # doublings of the time-out that others' sending is waited for


class Patience:
    """Decides about leases; docs/wire/frame.md, "In a crowd"."""

    def __init__(self, core: Core) -> None:
        self.core = core

    def lapse(self, now: float) -> None:
        """Leases that are over: what is still lacking may be sent again."""
        for target, block_id, lease in self.core.expiries.due(now):
            if not lease.again and self.waits(target, block_id, lease, now):
                self.core.expiries.add(target, block_id, lease)
            else:
                target.lapse(block_id)
                if lease.size and (line := self.core.lines.get(lease.line)) is not None:
                    line.missed()

    def waits(self, target: Target, block_id: BlockId, lease: Lease, now: float) -> bool:
        """Whether a lease that is over goes on."""
        return self._awaits(target, block_id, lease, now) or self._asks(target, block_id, lease, now)

    def left_until(self, target: Target, line: Line, lane: Lane, now: float, theirs: bool = False) -> float:
        """How long what was on the air for all is left to its sender; in a crowd, whoever lacks something urgent says so, and who
        may hear nobody but us is called about flash. theirs: it said so itself, and lacks it only if its list still does."""
        called = self.relies(target, line, now) or (lane is Lane.FLASH and self.lonely(target, now))
        if not line.limits.broadcast:
            wait = 2 * line.later_s(now)
        elif lane in URGENT and (theirs or (line.crowd(now) and not called)):
            wait = line.beacon_s
        else:
            wait = line.rto(now, 1)
        return now + wait * self.core.chance.uniform(1.0, 2.0)

    def lonely(self, target: Target, now: float) -> bool:
        """Whether a node may hear nobody but us: of late it had nothing that was left to others to send."""
        return target.fed_at < now - FED_S

    def relies(self, target: Target, line: Line, now: float) -> bool:
        """Whether a node has what it hears on a broadcast line from us alone, as more than once of late."""
        return target.node > 0 and line.limits.broadcast and target.relied >= RELIED and self.lonely(target, now)

    def hands_on(self, target: Target, line: Line, block_id: BlockId, now: float) -> bool:
        """Whether what is urgent and was on the air for all goes at once to a node that hears us alone; a relay knows that of each
        pair of givers and takers."""
        if block_id.lane not in URGENT or not target.node or self.core.came_by(block_id) != line.name:
            return False
        apart = self.core.policy.relay and line.apart(self.core.giver(block_id), target.node, now)
        return apart or (self.relies(target, line, now) and target.trusted(block_id.lane))

    def _awaits(self, target: Target, block_id: BlockId, lease: Lease, now: float) -> bool:
        """Whether a lease that is over goes on because its target gave no sign of life since: only a block's origin tries
        again into silence as long as it is valid, a relay some times where it is urgent."""
        line = self.core.lines.get(lease.line)
        if line is None or not target.node or (block_id.origin == self.core.log.origin and block_id.lane in URGENT):
            return False
        heard = line.heard.get(target.node)
        tries = target.tries.get(block_id, 0)
        alone = not line.crowd(now) or self.relies(target, line, now)
        stubborn = (STUBBORN_ALONE if alone else STUBBORN) if block_id.lane in URGENT else 0
        if heard is None or heard.at > lease.at or tries < stubborn:
            return False
        target.put_off(lease, now + line.rto(now, tries + 1))
        lease.dormant = target.dormant = True
        return True

    def _asks(self, target: Target, block_id: BlockId, lease: Lease, now: float) -> bool:
        """Whether a crowd is left alone with something urgent once one of it has that: whoever lacks it says so. Of what is our
        own a target is asked for its list once: mostly only its word was lost."""
        line = self.core.lines.get(lease.line)
        if line is None or not target.node or block_id.lane not in URGENT or not line.crowd(now):
            return False
        if self.relies(target, line, now):
            return False
        if lease.asked or (lease.size and not self._spreads(line, block_id, now)):
            return False
        others = block_id.lane is Lane.FLASH and block_id.origin != self.core.log.origin
        if others and not lease.called and self.lonely(target, now):
            lease.called = True
            self._call(line, target.node, lease, block_id.origin, now)
            target.put_off(lease, now + line.beacon_s * self.core.chance.uniform(1.0, 2.0))
            return True
        lease.asked = True
        if lease.size and block_id.origin != self.core.log.origin:
            target.put_off(lease, now + line.beacon_s * self.core.chance.uniform(1.0, 2.0))
            return True
        at = now if lease.size else now + line.ack_s(now) * self.core.chance.random()
        line.debt(target.node).needs.setdefault(target.node, Asking(at))
        target.put_off(lease, now + line.rto(now, PATIENT) * self.core.chance.uniform(1.0, 2.0))
        return True

    def _call(self, line: Line, node: int, lease: Lease, origin: int, now: float) -> None:
        """Who is silent about flash may not know of it: it is asked for its list where all who hear the origin have answered, else
        ours is said again, so that whoever is behind hears of it."""
        if node == origin:
            return
        if line.alive(origin, now):
            line.debt(node).needs.setdefault(node, Asking(now + line.rto(now, PATIENT) * self.core.chance.random()))
        elif line.debt(node).told_at < now - line.rto(now, 0):
            wait = 0.0 if lease.size else line.spread_s(now) * self.core.chance.uniform(0.2, 2.2)
            line.owe(now + wait, loud=bool(lease.size))

    def _spreads(self, line: Line, block_id: BlockId, now: float) -> bool:
        """Whether anybody else on a line is known to have a block."""
        there = (self.core.neighbours[node] for node in line.nodes(now))
        return any(each.peer.known(block_id.source) and not each.target.lacking(block_id) for each in there)

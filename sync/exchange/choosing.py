"""Whose turn it is on a line, and which block is next for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sync.exchange.core import URGENT, Core
from sync.exchange.ledger import Target
from sync.exchange.lines import Line
from sync.exchange.packing import Packing
from sync.exchange.patience import Patience
from sync.ids import BlockId, Lane

DEAR: Final = (
    5  # from this cost on a line is spared: no pictures but our own, to those who are no central only what command says
)
QUICK: Final = 3  # times that flash is sent with hardly a pause
QUICK_DEAR: Final = 2  # where each costs a minute
FLASHES: Final = 2  # frames in a row that flash that never went has before a picture
PATIENT_S: Final = 600.0  # time that a cheaper way has to bring that


class Choosing:
    """Chooses audiences, and blocks for them."""

    def __init__(self, core: Core, patience: Patience) -> None:
        self.core, self._patience = core, patience

    def audiences(self, line: Line, now: float) -> Iterator[tuple[str, list[int]]]:
        """Who a frame may be for: everybody on a broadcast line, else one after another by turns, and last whoever is silent."""
        nodes = line.nodes(now)
        if line.limits.broadcast:
            yield "", nodes
            return
        for node in sorted(nodes, key=lambda each: self._turn(line, each)) if len(nodes) > 1 else nodes:
            yield line.heard[node].address, [node]
        yield "", []

    def _turn(self, line: Line, node: int) -> tuple[bool, bool, bool, bool, int]:
        """Whose turn it is on an addressed line: who lacks flash that never went, any flash, to whom none went
        yet, who is in the field, who waited longest."""
        flash, central = self.core.neighbours[node].target.flash, node in self.core.policy.central
        fresh, begun = self._fresh(line, node), (Lane.FLASH, node) in line.open
        gone = any(line.name in leases for leases in flash.values())
        return not (fresh or begun), not flash, fresh and gone, fresh and central, line.served.get(node, 0)

    def _fresh(self, line: Line, node: int) -> bool:
        """Whether a node lacks flash that never went to it by this line."""
        return any(line.name not in leases for leases in self.core.neighbours[node].target.flash.values())

    def picture_first(self, line: Line, now: float) -> bool:
        """Whether the next frame of a dear line is a picture's before all else: every other one, but flash that never went has two."""
        if line.limits.cost < DEAR or line.limits.broadcast or line.showed:
            return False
        return line.flashed >= FLASHES or not any(self._fresh(line, node) for node in line.nodes(now))

    def preferred(self, line: Line, now: float) -> list[int]:
        """Who is served first hand: everybody heard, on a dear addressed line the centrals if any is."""
        nodes = line.nodes(now)
        if line.limits.cost < DEAR or line.limits.broadcast:
            return nodes
        return [node for node in nodes if node in self.core.policy.central] or nodes

    # flash

    def flash_due(self, packing: Packing, now: float) -> Iterator[BlockId]:
        """Flash that may go now to somebody here."""
        core, line = self.core, packing.line
        for target in packing.targets:
            if not target.flash or target.flash_at(line.name) > now or (not target.node and not core.calls(line, now)):
                continue
            mine = 0 if target.node or self._alone(line, now) else core.log.origin
            most = QUICK if line.limits.cost < DEAR else QUICK_DEAR
            for block_id, lease in target.flash_due(line.name, now, mine, most):
                held = lease is not None and self._patience.waits(target, block_id, lease, now)
                if not held and (target.node or self._silent(line, block_id, now)):
                    yield block_id

    def _silent(self, line: Line, block_id: BlockId, now: float) -> bool:
        """Whether a block is worth sending to nobody in particular."""
        if self.core.age_s(block_id, now) > self.core.policy.valid_s[block_id.lane]:
            line.anyone.drop(block_id)
            return False
        return not line.live(now) or (block_id.lane is Lane.FLASH and block_id.origin == self.core.log.origin)

    def _alone(self, line: Line, now: float) -> bool:
        """Whether nobody is heard on a line though it was listened to for long enough."""
        return not line.live(now) and now >= line.anyone.shy.get(line.name, 0.0)

    # the other lanes

    def taken(self, packing: Packing, lane: Lane, now: float) -> bool:
        """Whether somebody here would take a new block of this lane now."""
        return any(self.open_to(packing.line, target, lane, now) for target in packing.targets)

    def open_to(self, line: Line, target: Target, lane: Lane, now: float) -> bool:
        """Whether a lane's new blocks go to a target by this line: one home for each, the cheapest that works."""
        if not self.core.offered(target, lane):
            return False
        if not target.node:
            return lane in URGENT and not line.live(now)
        if target.in_flight.get(line.name, 0) > line.window(now) and not (lane in URGENT and line.crowd(now)):
            return False
        return self.core.home(target.node, lane, now) is line

    def next(self, packing: Packing, lane: Lane, now: float) -> BlockId | None:
        """The next block of a lane for this audience."""
        line = packing.line
        for target in packing.targets:
            if target.want[lane] and self.open_to(line, target, lane, now):
                block_id = self.first(line, target, lane, now)
            elif lane is Lane.COMMAND and target.node:
                block_id = next(target.retried(lane), None)
            else:
                continue
            while block_id is not None and not target.node and not self._silent(line, block_id, now):
                block_id = self.first(line, target, lane, now)
            if block_id is not None:
                return block_id
        return None

    def first(self, line: Line, target: Target, lane: Lane, now: float) -> BlockId | None:
        """The next block of a lane for a target by this line: our own where others are given the chance to send first, and on a
        dear line that reaches a central, to others, what command said a while ago."""
        core = self.core
        mine = core.log.origin if now < target.shy.get(line.name, 0.0) else 0
        if not target.node or line.limits.cost < DEAR or target.node in self.preferred(line, now):
            return target.next_of(lane, core.leads, mine)
        block_id = target.next_of(lane, core.leads, mine, others=False)
        return None if block_id is None or core.age_s(block_id, now) < PATIENT_S else block_id

    def leading(self, packing: Packing, now: float) -> bool:
        """Whether what command says waits for this audience."""
        line, core = packing.line, self.core
        sending = line.open.get((Lane.COMMAND, packing.key))
        if sending is not None and core.leads(sending.id.origin):
            return True
        for target in packing.targets:
            if target.want[Lane.COMMAND] and self.open_to(line, target, Lane.COMMAND, now):
                block_id = self.first(line, target, Lane.COMMAND, now)
                if block_id is not None and core.leads(block_id.origin):
                    return True
        return False

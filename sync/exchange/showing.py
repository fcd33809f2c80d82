"""Pictures on a line: only the newest of everybody, bare where the network names the sender."""

from __future__ import annotations

from typing import Final

from sync.exchange import frame
from sync.exchange.choosing import DEAR, Choosing
from sync.exchange.core import Core
from sync.exchange.ledger import NEVER
from sync.exchange.lines import Line
from sync.exchange.packing import Packing
from sync.ids import BlockId, Lane, Source
from sync.seal.contract import MAC

PASS_S: Final = 75.0  # a relay says a node's picture again on the channel that it came by at most so often
PASS_FRAMES: Final = 60  # while there is air for so many frames beside


class Showing:
    """Fills frames with pictures."""

    def __init__(self, core: Core, choosing: Choosing) -> None:
        self.core, self._choosing = core, choosing

    def waits(self, line: Line, now: float) -> bool:
        """Whether any picture is to be sent on a line."""
        if not self.core.pictures or Lane.PICTURE not in line.lanes:
            return False
        return any(self._pictures(line, key, now) for key in self._keys(line, now))

    def own_waits(self, now: float) -> bool:
        """Whether this node's newest picture waits for any line."""
        log = self.core.log
        own, newest = (log.origin, log.incarnation), log.held(Source(log.origin, log.incarnation, Lane.PICTURE)).top
        return any(
            line.pictures.get(key, {}).get(own, -1) < newest
            for line in self.core.lines.values()
            if Lane.PICTURE in line.lanes
            for key in self._keys(line, now)
        )

    def fill(self, packing: Packing, now: float) -> None:
        """Put the pictures that this audience was not sent yet into the frame, as far as there is room."""
        line = packing.line
        if not self.core.pictures or Lane.PICTURE not in line.lanes or packing.key not in self._keys(line, now):
            return
        for block_id in self._pictures(line, packing.key, now):
            block = self.core.log.read(block_id)
            if block is not None and not self._show(packing, block_id, block, now):
                return  # it begins the next frame
            line.pictures[packing.key][block_id[:2]] = block_id.number
            line.passed[block_id[:2]] = now
            if packing.bare:
                return

    def _keys(self, line: Line, now: float) -> list[int]:
        """The audiences of a line that see pictures: everybody, or each node served first hand; on a dear line whoever listens
        while no central was heard."""
        nodes, central = self._choosing.preferred(line, now), self.core.policy.central - {self.core.log.origin}
        if line.limits.cost >= DEAR and central and central.isdisjoint(nodes):
            return [0]
        return [0] if line.limits.broadcast or not nodes else nodes

    def _passes(self, line: Line, life: tuple[int, int], now: float) -> bool:
        """Whether a relay says a picture again on the channel that it came by, for those who do not hear its node."""
        spare = line.budget is None or line.budget.bytes_left > PASS_FRAMES * line.limits.mtu
        return self.core.policy.relay and spare and now >= line.passed.get(life, -NEVER) + PASS_S

    def _pictures(self, line: Line, key: int, now: float) -> list[BlockId]:
        """The newest picture of everybody that an audience was not sent yet; none goes back to where it came from."""
        shown, own = line.pictures.setdefault(key, {}), (self.core.log.origin, self.core.log.incarnation)
        alone = line.limits.cost >= DEAR and own in self.core.pictures  # it tells of whom the others tell
        return [
            BlockId(*life, Lane.PICTURE, number)
            for life, (number, came_by) in self.core.pictures.items()
            if shown.get(life, -1) < number
            and not (came_by == line.name and line.limits.broadcast and not self._passes(line, life, now))
            and (life == own or not alone)
            and life[0] != key
        ]

    def _show(self, packing: Packing, block_id: BlockId, block: bytes, now: float) -> bool:
        """Put a picture into the frame; False when it has to wait for another one."""
        age = self.core.age_s(block_id, now)
        size = frame.whole_size(len(block), age)
        bare = packing.line.limits.names_sender and len(block) <= packing.room + MAC
        if size <= packing.left:
            packing.put(frame.write_whole(block_id, age, block), block)
        elif packing.data and (bare or size <= packing.room):
            return False
        elif bare:
            packing.bare = block
        packing.shows = True
        return True

"""What is owed to an audience beside blocks: our list, others' lists asked for, vectors named, unfinished blocks told of."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from sync.exchange import frame
from sync.exchange.core import Core
from sync.exchange.ends import LEAST_MTU
from sync.exchange.ledger import NEVER
from sync.exchange.lines import Debt, Line
from sync.exchange.mending import mends
from sync.exchange.packing import LEAST_ROOM, Packing
from sync.exchange.telling import WIDE

EAGER: Final = 2  # doublings of the pause after which a list that lacks what is urgent is said again
TIRED: Final = 16  # times
NAMED: Final = 2  # times that a vector is named: another may have the same short name
BEHIND: Final = 4  # bytes of a frame that say that one is behind


class Owing:
    """Fills frames with what is owed."""

    def __init__(self, core: Core) -> None:
        self.core = core

    def fill(self, packing: Packing, nodes: Sequence[int], now: float) -> None:
        """Put what is due to these nodes into the frame, as far as there is room."""
        line = packing.line
        if not line.limits.two_way:
            return
        debt = line.debts.setdefault(0 if line.limits.broadcast or not nodes else nodes[0], Debt(hello=False))
        if debt.statements and debt.state_at <= now and not packing.data and len(debt.statements[0]) <= packing.room:
            packing.data += debt.statements.popleft()
            packing.room = len(packing.data)  # it stands alone
            return
        debt.node = self._addressee(line, nodes)
        soon = now + (line.ack_s(now) if packing.data else 0.0)
        if debt.partials_at <= soon:
            self._partials(packing, debt, now)
        if debt.due <= soon or debt.listing is not None:
            self._own_list(packing, debt, nodes, now)
        if debt.hello and packing.left > LEAST_ROOM:
            debt.hello = False
            packing.data += frame.write_need(0, line.scope)
        if debt.gots_at <= soon or (packing.data and debt.gots):
            self._gots(packing, debt)
        self._needs(packing, debt, now)

    def _addressee(self, line: Line, nodes: Sequence[int]) -> int | None:
        """Whom our word for our list is given to, None for all: of a central's only signatures count to others on such a line."""
        if not nodes or (line.limits.broadcast and len(nodes) > 1 and not self._signs(line)):
            return None
        return nodes[0] if len(nodes) == 1 or not line.limits.broadcast else self.core.chance.choice(nodes)

    def _signs(self, line: Line) -> bool:
        return self.core.log.origin in self.core.policy.central and line.limits.mtu >= LEAST_MTU

    def _own_list(self, packing: Packing, debt: Debt, nodes: Sequence[int], now: float) -> None:
        core, line = self.core, packing.line
        if debt.due > now and debt.listing is None and now < debt.told_at + line.ack_s(now) / 2:
            return
        peers = [core.neighbours[node].peer for node in nodes]
        told = core.teller.own(debt, line.scope, peers, packing.left, whole=not packing.data)
        packing.data += told
        if told:
            debt.told_at, debt.loud = now, False
        if told and debt.listing is None:
            debt.behind = debt.behind + 1 if core.is_behind(line, now) else 0
            if debt.behind and packing.left > BEHIND:
                packing.data += frame.write_behind(core.log.origin)
            debt.due = now + self._pause(line, debt, nodes, now)

    def _pause(self, line: Line, debt: Debt, nodes: Sequence[int], now: float) -> float:
        """Seconds until the next sign of life: at first soon again when nobody was heard, or others have what is not here."""
        if nodes:
            debt.greeted = 0
            pause = line.beacon_s
            if debt.behind:
                pause = min(
                    pause, 1.5 * line.spread_s(now) * 2.0 ** (min(debt.behind, EAGER) if debt.behind < TIRED else 9)
                )
            return pause * self.core.chance.uniform(0.8, 1.2)
        if line.live(now):
            return NEVER
        debt.hello, debt.greeted = True, debt.greeted + 1
        again = min(line.beacon_s, 2 * line.ack_s(now) * 2.0 ** min(debt.greeted, 10))
        return again * self.core.chance.uniform(0.8, 1.2)

    def _gots(self, packing: Packing, debt: Debt) -> None:
        while debt.gots and packing.left >= 8:
            (node, scope), key = debt.gots.popitem()
            packing.data += frame.write_got(self.core.log.origin, node, scope, key)
        debt.gots_at = debt.gots_at if debt.gots else NEVER

    def _needs(self, packing: Packing, debt: Debt, now: float) -> None:
        """Ask for lists; again with patience until they come."""
        core, line = self.core, packing.line
        if not packing.data and not any(asking.at <= now for asking in debt.needs.values()):
            return
        soon = now + line.ack_s(now)  # one frame asks for several
        for node, asking in debt.needs.items():
            if asking.at <= soon and packing.left >= 30:
                peer, wide = core.neighbours[node].peer, line.limits.mtu >= WIDE
                key = b"" if asking.tries >= (1 if wide else NAMED) else peer.base(line.scope)
                guessed = not wide and (not key or asking.tries)
                buckets = peer.guess(line.scope, core.teller.mine).buckets(line.scope) if guessed else b""
                packing.data += frame.write_need(node, line.scope, key, buckets)
                again = max(4 * line.ack_s(now), 10.0) * 2.0 ** min(asking.tries, 6)
                asking.at, asking.tries = now + again if line.alive(node, now) else NEVER, asking.tries + 1
                asking.left = False

    def _partials(self, packing: Packing, debt: Debt, now: float) -> None:
        core, line = self.core, packing.line
        debt.partials_at = NEVER
        for block_id, got, spare in list(core.assembly.stalled(line.name, now - 1.5 * line.frame_s, now)):
            told = frame.write_partial(core.log.origin, block_id, got, spare)
            if len(told) > packing.left:
                debt.partials_at = now
                return
            packing.data += told
            again = core.assembly.told(block_id, now, partial(line.rto, now) if mends(line) else None)
            debt.partials_at = min(debt.partials_at, again)

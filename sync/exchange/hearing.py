"""Frames that come in: blocks into the log, and what each leaves owed; the rest goes to the lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hardware.errors import DecodeError, SealError
from radios.bearer import Arrival
from sync import carried
from sync.exchange.core import URGENT, Core
from sync.exchange.ends import Ends
from sync.exchange.frame import PART, Piece, Symbol, Whole, read_parts
from sync.exchange.ledger import NEVER, Lease, Target
from sync.exchange.lines import QUICKER, Debt, Line
from sync.exchange.lists import Lists
from sync.exchange.mending import mends
from sync.exchange.patience import Patience
from sync.exchange.relay import Guard
from sync.ids import BlockId, Lane
from sync.intake import opened
from sync.log import Incoming, Verdict

HAD: Final = (Verdict.NEW, Verdict.SEALED, Verdict.UNREADABLE)
ASK_AGAIN_S: Final = 300.0  # where nobody greets, who is heard without a list is asked for it so often
REASONS: Final = 64  # different reasons counted
AGAIN_FRAMES: Final = 3.0  # frames' time between two acknowledgements while symbols go on coming
CONFLICTS: Final = 256
AT_ONCE: Final = 0.1  # of the usual wait


class Hearing:
    """Takes frames in."""

    def __init__(self, core: Core, guard: Guard, ends: Ends, patience: Patience) -> None:
        self.core, self.guard, self.ends, self._patience = core, guard, ends, patience
        self._lists = Lists(core, ends)

    def received(self, line: Line, arrival: Arrival) -> int:
        """Take a frame in; how many blocks it brought that were not here. StoreError when they could not be stored."""
        try:
            return self._received(line, arrival)
        except (DecodeError, SealError) as error:
            self.refuse(str(error))
            return 0

    def refuse(self, reason: str) -> None:
        """Count why something was not taken."""
        refused = self.core.refused
        if reason in refused or len(refused) < REASONS:
            refused[reason] += 1
        else:
            refused["other"] += 1

    def _received(self, line: Line, arrival: Arrival) -> int:
        data = arrival.frame
        if data and data[0] < PART and line.limits.names_sender:
            block = opened(self.core.ring, data, None, line.name)
            self._unmet(line, arrival)
            return self._commit(line, [block], arrival)
        inner, late = self._checked(data)
        self._unmet(line, arrival)
        if inner and inner[0] in (carried.BLOCKS, carried.ENDS):
            if self.ends.take(line, inner, arrival):
                return 0
            found = carried.read_frame(self.core.ring, inner).blocks
            return self._blocks(line, [Whole(each.id, 0, each.block) for each in found], arrival)
        parts = read_parts(inner)
        blocks = []
        for part in parts:
            if isinstance(part, Whole):
                blocks.append(part)
            elif isinstance(part, Piece | Symbol):
                whole = self._piece(line, part, arrival)
                blocks += [whole] if whole else []
            elif not late:
                self._lists.told(line, part, arrival)
        return self._blocks(line, blocks, arrival) if blocks else 0

    def _unmet(self, line: Line, arrival: Arrival) -> None:
        """A frame by somebody whose list never came, as after a restart: where nobody greets it is asked for."""
        known = line.limits.broadcast or not line.limits.two_way or line.node_at(arrival.peer) is not None
        if not known and arrival.peer and arrival.at >= line.sought_at + ASK_AGAIN_S:
            line.sought_at = arrival.at
            debt = line.debts.setdefault(0, Debt(hello=False))
            debt.due, debt.hello = min(debt.due, arrival.at), True

    def _checked(self, data: bytes) -> tuple[bytes, bool]:
        """The frame without its MAC, and whether only its blocks count."""
        try:
            return self.core.ring.check(data), False
        except SealError:
            return self.core.ring.check_late(data), True

    # blocks

    def _piece(self, line: Line, piece: Piece | Symbol, arrival: Arrival) -> Whole | None:
        core, now = self.core, arrival.at
        held = core.log.have().get(piece.id.source)
        if held is not None and piece.id.number in held:
            core.assembly.drop(piece.id)
            core.twice += len(piece.data) if piece.id.lane is not Lane.FLASH else 0
            if isinstance(piece, Symbol):
                self._stop(line, arrival)
            else:
                self._again(line, piece.id.lane, arrival)
            return None
        self.guard.admit(piece.id, piece.total)
        self.guard.take(line.name, arrival.peer, len(piece.data), now)
        done = core.assembly.add(piece, line.name, now)
        for debt in line.debts.values() if line.limits.two_way else ():
            debt.partials_at = now + 2 * line.frame_s + line.ack_s(now) * core.chance.uniform(1.0, 1.5)
            if done is not None and mends(line):
                line.owe(now + self._politely(line, now), arrival.peer)
        return None if done is None else Whole(piece.id, int(done[1]), done[0])

    def _stop(self, line: Line, arrival: Arrival) -> None:
        """Symbols of a block that is here go on coming: our acknowledgement was lost, and each of them costs as much as it."""
        debt = line.debt(line.node_at(arrival.peer) or 0)
        if arrival.at - debt.told_at >= AGAIN_FRAMES * line.frame_s:
            debt.told_at, debt.told = -NEVER, b""
        line.owe(arrival.at + self._politely(line, arrival.at), arrival.peer)

    def _politely(self, line: Line, now: float) -> float:
        """How long an acknowledgement of symbols waits: between two of them the air is free; many would all answer at once."""
        return line.ack_s(now) * self.core.chance.random() if line.live(now) > 1 else 0.0

    def _blocks(self, line: Line, blocks: Sequence[Whole], arrival: Arrival) -> int:
        core, incoming = self.core, []
        for each in blocks:
            if each.id.lane is Lane.PICTURE and each.id.origin == core.log.origin:
                continue  # our own, passed on for others
            have = core.log.have().get(each.id.source)
            if have is not None and each.id.number in have and core.log.read(each.id) == each.block:
                core.twice += len(each.block) if each.id.lane is not Lane.FLASH else 0
                self._again(line, each.id.lane, arrival)
                self._hush(line, each.id, arrival.at)
                self.ends.remind(line, each.id, arrival)
                continue
            try:
                self.guard.admit(each.id, len(each.block))
                self.guard.take(line.name, arrival.peer, len(each.block), arrival.at)
                incoming.append(opened(core.ring, each.block, each.id, line.name, each.age_s))
            except (DecodeError, SealError) as error:
                self.refuse(str(error))
        return self._commit(line, incoming, arrival) if incoming else 0

    def _commit(self, line: Line, incoming: Sequence[Incoming], arrival: Arrival) -> int:
        new = 0
        for block, verdict in zip(incoming, self.core.log.commit(incoming)):
            if verdict in HAD:
                new += 1
                self._added(line, block, arrival)
            elif verdict is Verdict.CONFLICT:
                self.refuse("same id, other bytes")
                if block.id not in self.core.conflicts:
                    self.core.conflicts = [*self.core.conflicts, block.id][-CONFLICTS:]
            elif verdict is Verdict.REFUSED:
                self.refuse("refused by the store")
            else:
                self._again(line, block.id.lane, arrival)
        return new

    def _added(self, line: Line, block: Incoming, arrival: Arrival) -> None:
        core, block_id, now = self.core, block.id, arrival.at
        core.aged(block_id, block.age_s, now, line.name, line.node_at(arrival.peer) or 0)
        self.guard.took(block_id, len(block.block))
        if block_id.lane is Lane.PICTURE:
            core.pictures[block_id[:2]] = block_id.number, line.name
            return
        core.added(block_id)
        if block_id.lane in URGENT:
            line.calmed()
            core.came_from(block_id.origin, block.age_s, now)
        line.owe(now + self._answer_s(line, block_id, now), arrival.peer, loud=self._waited_for(line, block_id, now))
        jitter = core.chance.uniform(0.5, 1.5)
        for other in core.lines.values():
            other.owe(now + other.later_s(now) * jitter, loud=not other.crowd(now))
        sure = block_id.origin, core.giver(block_id)
        for target in core.targets():
            if target.node in sure:
                self._spare(target, block_id, now)
            else:
                self._offer(target, block_id, line, now)

    def _spare(self, target: Target, block_id: BlockId, now: float) -> None:
        """Whoever wrote a block, or gave it to us, has it, whatever its last list says: no line need bring it there soon."""
        core, lane = self.core, block_id.lane
        home = core.home(target.node, lane, now)
        if home is None or block_id.number not in core.lack(target, block_id.source):
            return
        for line in core.lines.values() if lane is Lane.FLASH else (home,):
            until = self._patience.left_until(target, line, lane, now, theirs=True)
            target.overheard(block_id, lease := Lease(line.name, until, now, 0))
            core.expiries.add(target, block_id, lease)

    def _offer(self, target: Target, block_id: BlockId, line: Line, now: float) -> None:
        """A new block: who lacks it gets it, unless it was on the air for all of them just now."""
        if not self.core.offered(target, block_id.lane) or block_id.number not in self.core.lack(
            target, block_id.source
        ):
            return
        heard = line.alive(target.node, now) if target.node else line.limits.broadcast and target is line.anyone
        if self._patience.hands_on(target, line, block_id, now):
            target.at_once(block_id)
        elif heard and (line.limits.broadcast or block_id.lane is not Lane.FLASH):
            lease = Lease(line.name, self._patience.left_until(target, line, block_id.lane, now), now, 0)
            target.leave(block_id, lease)
            self.core.expiries.add(target, block_id, lease)
        else:
            target.one_more(block_id)

    def _again(self, line: Line, lane: Lane, arrival: Arrival) -> None:
        """Something came that is here already: perhaps our acknowledgement was lost, or another's in a crowd; there one is asked
        about what is urgent."""
        now = arrival.at
        if lane in URGENT and line.crowd(now):
            return
        crowd = line.limits.broadcast and line.live(now) > 2
        due = now + line.ack_s(now) * self.core.chance.uniform(0.5, 1.5)
        if not crowd or line.debt(0).told_at + 3 * line.ack_s(now) < now:
            line.owe(due, arrival.peer, loud=not crowd)

    def _hush(self, line: Line, block_id: BlockId, now: float) -> None:
        """Another sent again what we would have sent to those in reach of both."""
        if line.limits.broadcast:
            for node in line.nodes(now):
                target = self.core.neighbours[node].target
                if not target.lacking(block_id) or self._patience.relies(target, line, now):
                    continue
                if block_id.lane is Lane.FLASH and self._patience.lonely(target, now):
                    continue
                until = self._patience.left_until(target, line, block_id.lane, now)
                lease = target.spare(block_id, line.name, until, now)
                if lease is not None:
                    self.core.expiries.add(target, block_id, lease)

    def _answer_s(self, line: Line, block_id: BlockId, now: float) -> float:
        """How long our list waits once a block is here: hardly where we called for it, since others are about to send it too."""
        if not self._waited_for(line, block_id, now):
            wait = line.spread_s(now) * self.core.chance.uniform(0.2, 2.2)
        else:
            wait = line.ack_s(now) * self.core.chance.uniform(0.5, 1.5)
            wait *= AT_ONCE if line.crowd(now) and self._called(block_id) else 1.0
        return wait * (QUICKER if block_id.lane is Lane.FLASH else 1.0)

    def _called(self, block_id: BlockId) -> bool:
        """Whether we said that we were behind for want of this block."""
        return block_id.number <= self.core.behind.get(block_id.source, -1)

    def _waited_for(self, line: Line, block_id: BlockId, now: float) -> bool:
        """Whether our acknowledgement is waited for: not in a crowd that only hands on what is another's, unless we were behind."""
        urgent = block_id.lane in URGENT
        return self._called(block_id) or not urgent or not line.crowd(now) or line.alive(block_id.origin, now)

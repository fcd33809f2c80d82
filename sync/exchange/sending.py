"""Which bytes go next on a line: flash before everything, then what is owed, then the other lanes by urgency."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hardware.errors import StoreError
from radios.bearer import Budget
from sync import repair
from sync.exchange import frame
from sync.exchange.choosing import DEAR, QUICK, QUICK_DEAR, Choosing
from sync.exchange.core import CHEAP, URGENT, Core
from sync.exchange.ends import Ends
from sync.exchange.ledger import NEVER, Lease, Target
from sync.exchange.lines import SLOW_S, Line, Sending
from sync.exchange.mending import Mender, awaited, size_on
from sync.exchange.owing import Owing
from sync.exchange.packing import LEAST_PIECE, LEAST_ROOM, Outgoing, Packing
from sync.exchange.patience import Patience
from sync.exchange.showing import Showing
from sync.exchange.timing import Timing
from sync.ids import BlockId, Lane
from sync.ranges import Ranges
from sync.seal.contract import MAC

TICK_S: Final = 1e-3  # what is due within this is due: clocks are read twice
AHEAD: Final = 3  # frames that what command says has before a picture has one
IN_A_ROW_DEAR: Final = 11  # the same where a frame is a minute
IN_A_ROW: Final = 3  # frames with pictures before the lanes have one, where all frames could be filled with either
QUICK_S: Final = 0.35
REPEAT_S: Final = 30.0  # into silence: the first pause, doubled each time
MOST_REPEAT_S: Final = 3600.0
STORE_S: Final = 30.0  # a store that refused to seal is asked again so much later
CARD: Final = 78  # bytes of a flash block where it can be helped: one message of a satellite card, whoever hands it on
SMALL_BLOCK: Final = 1024  # bytes of a flash or command block at most, where it can be helped
COPY_FRAMES: Final = 1.5  # frames' time between two copies of a block that several are expected to miss
LARGE_BLOCK: Final = 60_000
BLOCK_S: Final = 20.0  # a block of rows takes a line no longer than this


class Sender:
    """Fills frames."""

    def __init__(self, core: Core, ends: Ends, patience: Patience) -> None:
        self.core, self._ends, self._owing, self._patience = core, ends, Owing(core), patience
        self._choosing = Choosing(core, patience)
        self._showing = Showing(core, self._choosing)
        self.shows = self._showing.own_waits
        self._mender = Mender(core.chance)
        self.next_at = Timing(core, self._choosing, self._showing).next_at

    def outgoing(self, line: Line, budget: Budget, now: float) -> Outgoing | None:
        """The next frame for a line within its budget, None when there is none now."""
        core, line.budget = self.core, budget
        now += TICK_S
        core.look(now)
        self._patience.lapse(now)
        self._abandon(line, now)
        self._ends.sign(now)
        room = min(line.limits.mtu, budget.bytes_left) - MAC
        if room < LEAST_ROOM:
            return None
        for picture in (True, False) if self._choosing.picture_first(line, now) else (False,):
            for to, nodes in self._choosing.audiences(line, now):
                packing = Packing(
                    line,
                    0 if line.limits.broadcast or not nodes else nodes[0],
                    to,
                    [core.neighbours[node].target for node in nodes],
                    room,
                )
                if picture and (line.flashed or line.hidden >= AHEAD or not self._choosing.leading(packing, now)):
                    self._showing.fill(packing, now)
                if packing.data or not (picture or packing.bare):
                    self._fill(packing, nodes, now)
                if packing.data or packing.bare:
                    return self._sealed(packing, now)
        return None

    def _abandon(self, line: Line, now: float) -> None:
        """Stop sending pieces to a node that fell silent."""
        for begun in (line.open, line.behind):
            for key in [key for key in begun if key[1] and not line.alive(key[1], now)]:
                sending = begun.pop(key)
                for target in sending.targets:
                    target.give_back(sending.id, line.name)

    def _sealed(self, packing: Packing, now: float) -> Outgoing:
        line = packing.line
        data = packing.bare or bytes(packing.data) + self.core.ring.mac(bytes(packing.data), packing.trust)
        line.sent_bytes += len(data)
        line.frames += 1
        line.hour.add(len(data), now)
        line.showed = line.showed + 1 if packing.shows else 0
        line.hidden = 0 if packing.shows else line.hidden + 1
        line.flashed = line.flashed + 1 if packing.urgent else 0
        line.served[packing.key] = line.frames
        return Outgoing(data, packing.to)

    def _fill(self, packing: Packing, nodes: Sequence[int], now: float) -> None:
        line = packing.line
        anyone = line.limits.broadcast or not nodes
        targets = [*packing.targets, line.anyone] if anyone else packing.targets
        packing.targets = targets
        if Lane.FLASH in line.lanes and self._some(packing, Lane.FLASH, now):
            self._flash(packing, now)
        if packing.bare:
            return
        self._owing.fill(packing, nodes, now)
        if now < line.hush_until:
            return
        lanes_first = line.showed >= (IN_A_ROW if line.limits.cost < DEAR else IN_A_ROW_DEAR) or self._choosing.leading(
            packing, now
        )
        if not lanes_first:
            self._showing.fill(packing, now)
        for lane in CHEAP:
            if lane in line.lanes and self._some(packing, lane, now) and not packing.bare:
                self._lane(packing, lane, now)
        if lanes_first and not packing.bare:
            self._showing.fill(packing, now)

    def _some(self, packing: Packing, lane: Lane, now: float) -> bool:
        """Whether there may be anything of a lane for this audience."""
        if self.core.waiting_at[lane] <= now or (lane, packing.key) in packing.line.open:
            return True
        return any(target.flash if lane is Lane.FLASH else target.want[lane] for target in packing.targets)

    # flash and the lanes

    def _flash(self, packing: Packing, now: float) -> None:
        line = packing.line
        if (Lane.FLASH, packing.key) in line.open:
            self._pieces(packing, line.open[Lane.FLASH, packing.key], now)
            packing.urgent = True
        if self.core.waiting_at[Lane.FLASH] <= now:
            self._cut(line, Lane.FLASH, now)
        while packing.left > LEAST_ROOM and (Lane.FLASH, packing.key) not in line.open:
            block_id = next(self._choosing.flash_due(packing, now), None)
            if block_id is None or not self._send(packing, block_id, now):
                return
            packing.urgent = True

    def _lane(self, packing: Packing, lane: Lane, now: float) -> None:
        line, choosing = packing.line, self._choosing
        while packing.left > LEAST_ROOM:
            self._overtake(packing, lane, now)
            if (lane, packing.key) in line.open:
                if not self._pieces(packing, line.open[lane, packing.key], now):
                    return
                continue
            block_id = choosing.next(packing, lane, now)
            if block_id is None and self.core.waiting_at[lane] <= now and choosing.taken(packing, lane, now):
                block_id = choosing.next(packing, lane, now) if self._cut(line, lane, now) else None
            if block_id is None or not self._send(packing, block_id, now):
                return

    def _overtake(self, packing: Packing, lane: Lane, now: float) -> None:
        """What command says goes before the rest of a member's block, which goes on behind it."""
        line, key = packing.line, (lane, packing.key)
        sending, behind = line.open.get(key), line.behind.get(key)
        if (
            lane is not Lane.COMMAND
            or sending is behind
            or (sending is not None and self.core.leads(sending.id.origin))
        ):
            return
        leading = self._choosing.leading(packing, now)
        if behind is None and leading:
            line.behind[key] = line.open.pop(key)
        elif sending is None and not leading:
            line.open[key] = line.behind.pop(key)

    def _cut(self, line: Line, lane: Lane, now: float) -> bool:
        """Have waiting rows sealed in a size that suits the line; False when nothing waited after all."""
        core = self.core
        room = min(line.limits.mtu - MAC - frame.whole_size(0, 1), LARGE_BLOCK)
        if lane is Lane.FLASH:
            budget = CARD
        elif lane in URGENT:
            least = line.limits.mtu if line.limits.names_sender else 160
            budget = min(max(room, least), SMALL_BLOCK)
        else:
            budget = min(max(room, int(line.limits.rate * BLOCK_S)), LARGE_BLOCK)
        try:
            ids = core.log.cut(lane, budget)
        except StoreError:  # the store tells its own state; what is sealed already goes on
            core.waiting_at[lane] = now + STORE_S
            return False
        pending = core.log.pending(lane)
        if not ids or not pending.rows:
            core.waiting_at[lane] = NEVER
        else:
            core.waiting_at[lane] = now + max(0.0, core.policy.hold_s[lane] - pending.oldest_s)
        for block_id in ids:
            core.aged(block_id, 0.0, now)
            core.added(block_id)
            for target in core.targets():
                if core.offered(target, lane) and block_id.number in core.lack(target, block_id.source):
                    target.one_more(block_id)
        return bool(ids)

    def _send(self, packing: Packing, block_id: BlockId, now: float) -> bool:
        """Put a block, or its first piece, into the frame; False when it has to wait for another frame."""
        core, line = self.core, packing.line
        block = core.log.read(block_id)
        if block is None:
            for target in core.targets():
                target.drop(block_id)
            core.refresh(block_id.source)
            return True
        targets = [target for target in packing.targets if target.wants(block_id, line.name, now) or (target.tries.get(block_id) and block_id.lane is Lane.COMMAND)]  # fmt: skip
        core.sized(block_id.lane, len(block))
        age = core.age_s(block_id, now)
        size = frame.whole_size(len(block), age)
        if not packing.takes(block):
            return False
        if size > packing.room:
            return self._begin(packing, block_id, block, age, targets, now)
        if size > packing.left:
            return False
        packing.put(frame.write_whole(block_id, age, block), block)
        self._leased(line, block_id, len(block), targets, now)
        return True

    def _begin(
        self, packing: Packing, block_id: BlockId, block: bytes, age: float, targets: list[Target], now: float
    ) -> bool:
        """A block larger than a frame goes in pieces, without those that every target has already."""
        line = packing.line
        if line.limits.names_sender and len(block) <= packing.room + MAC:
            if packing.data:
                return False
            packing.bare = block
            self._leased(line, block_id, len(block), targets, now)
            return True
        size = size_on(line, block_id, len(block))
        if size:
            sending = Sending(block_id, block, age, now, Ranges(), targets, size=size)
            sending.symbols.extend(self._mender.plan(line, block_id, repair.count(len(block), size), targets))
            for target in targets:
                target.lease(block_id, Lease(line.name, NEVER, now, len(block)))
            line.open[block_id.lane, packing.key] = sending
            return self._pieces(packing, sending, now)
        todo = Ranges([(0, len(block) - 1)])
        if targets and all(block_id in target.parts for target in targets):
            common = targets[0].parts[block_id]
            for target in targets[1:]:
                common = common.minus(common.minus(target.parts[block_id]))
            todo = todo.minus(common)
        for target in targets:
            target.lease(block_id, Lease(line.name, NEVER, now, len(block)))
            target.parts.pop(block_id, None)
        sending = Sending(block_id, block, age, now, todo or Ranges([(0, len(block) - 1)]), targets)
        line.open[block_id.lane, packing.key] = sending
        return self._pieces(packing, sending, now)

    def _pieces(self, packing: Packing, sending: Sending, now: float) -> bool:
        """As much of an open block as fits; True when it is through."""
        line, age = packing.line, sending.age_s + now - sending.begun
        if not packing.takes(sending.block):
            return False
        if sending.symbols and not awaited(sending, line):
            sending.symbols.clear()
        while sending.symbols:
            data = repair.symbol(sending.block, sending.size, sending.symbols[0])
            part = frame.write_symbol(sending.id, age, len(sending.block), sending.size, sending.symbols[0], data)
            if len(part) > packing.left:
                return False
            packing.put(part, sending.block)
            sending.symbols.popleft()
        while sending.todo:
            at, last = next(iter(sending.todo))
            head = frame.piece_head(sending.id, age, len(sending.block), at)
            size = min(last - at + 1, packing.left - len(head) - 3)
            if size < min(LEAST_PIECE, last - at + 1):
                return False
            part = frame.write_piece(sending.id, age, len(sending.block), at, sending.block[at : at + size])
            packing.put(part, sending.block)
            sending.todo = sending.todo.minus(Ranges([(at, at + size - 1)]))
        del line.open[sending.id.lane, packing.key]
        for target in sending.targets:
            lease = target.under(sending.id, line.name)
            if lease is not None:
                self._until(line, sending.id, target, lease, len(sending.block), now)
        self._spent(line, sending.id, len(sending.block), now)
        return True

    def _leased(self, line: Line, block_id: BlockId, size: int, targets: list[Target], now: float) -> None:
        for target in targets:
            lease = Lease(line.name, NEVER, now, size)
            target.lease(block_id, lease)
            self._until(line, block_id, target, lease, size, now)
            if target.tries.get(block_id) == 1 and self.core.came_by(block_id) == line.name:
                line.needed_us(self.core.giver(block_id), target.node, now)
        if block_id.lane in URGENT and any(target.tries.get(block_id) == 1 for target in targets):
            line.calmed()
        self._spent(line, block_id, size, now)

    def _until(self, line: Line, block_id: BlockId, target: Target, lease: Lease, size: int, now: float) -> None:
        """How long a block that was sent is waited for."""
        tries = target.tries.get(block_id, 1)
        air = size / line.limits.rate
        fresh = self.core.came_by(block_id) != line.name or self._patience.hands_on(target, line, block_id, now)
        patience = max(tries - (QUICK if fresh and self._quick(line, block_id, 1, size) else 1), 0)
        if fresh and self._quick(line, block_id, tries, size):
            until = line.hush_until = now + air + QUICK_S
        elif fresh and self._copied(line, block_id, tries, now):
            until, lease.again = now + air + COPY_FRAMES * line.frame_s, True
        elif not target.node:
            until = now + min(REPEAT_S * 2.0 ** min(patience, 10), MOST_REPEAT_S)
        else:
            until = now + air + line.rto(now, patience) * self.core.chance.uniform(1.0, 1.3)
        target.put_off(lease, until)
        lease.at = now
        self.core.expiries.add(target, block_id, lease)

    def _quick(self, line: Line, block_id: BlockId, tries: int, size: int) -> bool:
        """Whether a block that is new to those on a slow line is repeated with hardly a pause: flash, unless it takes a dear message
        alone, as signatures do."""
        alone = line.limits.cost >= DEAR and frame.whole_size(size, 0) > line.limits.mtu - MAC
        most = QUICK if line.limits.cost < DEAR else QUICK_DEAR
        return block_id.lane is Lane.FLASH and tries < most and line.frame_s > SLOW_S and not alone

    def _copied(self, line: Line, block_id: BlockId, tries: int, now: float) -> bool:
        """Whether a command block that is new to a crowd is better sent again at once: of late so many missed such a block."""
        return block_id.lane is Lane.COMMAND and line.crowd(now) and tries < round(line.copies)

    def _spent(self, line: Line, block_id: BlockId, size: int, now: float) -> None:
        if block_id.lane in URGENT and block_id.origin == self.core.log.origin:
            self.core.log.sent(line.name, {block_id: size})
        if not line.unproven:
            line.unproven_since = now
        line.unproven += size

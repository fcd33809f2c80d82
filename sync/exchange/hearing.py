"""Frames that come in: blocks into the log, lists into the views of neighbours, and what each leaves owed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hardware.errors import DecodeError, SealError
from radios.bearer import Arrival
from sync import carried, repair
from sync.exchange.core import Core, Neighbour
from sync.exchange.ends import Ends
from sync.exchange.frame import PART, Delta, Digest, Got, Listing, Need, Partial, Piece, Symbol, Whole, read_parts
from sync.exchange.havelist import differing
from sync.exchange.ledger import NEVER, Lease, Target
from sync.exchange.lines import Asking, Line
from sync.exchange.mending import lacked, mends, size_on
from sync.exchange.peers import Heard, Peer
from sync.exchange.relay import Guard
from sync.exchange.telling import LANDMARK, WORN, statement
from sync.ids import BlockId, Lane
from sync.intake import opened
from sync.log import Incoming, Verdict

HAD: Final = (Verdict.NEW, Verdict.SEALED, Verdict.UNREADABLE)
EAGER: Final = 8  # times that flash is sent again as soon as a list lacks it
REASONS: Final = 64  # different reasons counted
ECHOES: Final = 1
AGAIN_FRAMES: Final = 3.0  # frames' time between two acknowledgements while symbols go on coming
CONFLICTS: Final = 256
LISTS: Final = (Digest, Delta, Listing)


class Hearing:
    """Takes frames in."""

    def __init__(self, core: Core, guard: Guard, ends: Ends) -> None:
        self.core, self.guard, self.ends = core, guard, ends

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
            return self._commit(line, [opened(self.core.ring, data, None, line.name)], arrival)
        inner, late = self._checked(data)
        if inner and inner[0] in (carried.BLOCKS, carried.ENDS):
            if self.ends.take(line, inner, late, arrival.at):
                return 0
            found = carried.read_frame(self.core.ring, inner, late).blocks
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
                self._told(line, part, arrival)
        return self._blocks(line, blocks, arrival) if blocks else 0

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
                self._again(line, arrival)
            return None
        self.guard.admit(piece.id, piece.total)
        self.guard.take(line.name, arrival.peer, len(piece.data), now)
        done = core.assembly.add(piece, line.name, now)
        for debt in line.debts.values() if line.limits.two_way else ():
            debt.partials_at = now + 2 * line.frame_s + line.ack_s(now) * core.chance.uniform(1.0, 1.5)
            if done is not None and mends(line):
                debt.echoes = ECHOES
                self._owe(line, now + self._politely(line, now), arrival.peer)
        return None if done is None else Whole(piece.id, int(done[1]), done[0])

    def _stop(self, line: Line, arrival: Arrival) -> None:
        """Symbols of a block that is here go on coming: our acknowledgement was lost, and each of them costs as much as it."""
        debt = line.debt(line.node_at(arrival.peer) or 0)
        if arrival.at - debt.told_at >= AGAIN_FRAMES * line.frame_s:
            debt.told_at, debt.told = -NEVER, b""
        self._owe(line, arrival.at + self._politely(line, arrival.at), arrival.peer)

    def _politely(self, line: Line, now: float) -> float:
        """How long an acknowledgement of symbols waits: between two of them the air is free; many would all answer at once."""
        return line.ack_s(now) * self.core.chance.random() if line.live(now) > 1 else 0.0

    def _blocks(self, line: Line, blocks: Sequence[Whole], arrival: Arrival) -> int:
        core, incoming = self.core, []
        for each in blocks:
            have = core.log.have().get(each.id.source)
            if have is not None and each.id.number in have and core.log.read(each.id) == each.block:
                core.twice += len(each.block) if each.id.lane is not Lane.FLASH else 0
                self._again(line, arrival)
                self._hush(line, each.id, arrival.at)
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
                self._again(line, arrival)
        return new

    def _added(self, line: Line, block: Incoming, arrival: Arrival) -> None:
        core, block_id, now = self.core, block.id, arrival.at
        core.aged(block_id, block.age_s, now, line.name)
        self.guard.took(block_id, len(block.block))
        if block_id.lane is Lane.PICTURE:
            core.pictures[block_id[:2]] = block_id.number, line.name
            return
        core.added(block_id)
        jitter = core.chance.uniform(0.5, 1.5)
        quick = block_id.lane is Lane.FLASH
        delay = line.ack_s(now) * jitter * (0.3 if quick else 1.0)
        self._owe(line, now + delay, arrival.peer)
        for other in core.lines.values():
            self._owe(other, now + other.later_s(now) * jitter)
        until = self._overheard_until(line, now)
        for target in core.targets():
            self._offer(target, block_id, line, until, now)

    def _offer(self, target: Target, block_id: BlockId, line: Line, until: float, now: float) -> None:
        """A new block: who lacks it gets it, unless it was on the air for all of them just now."""
        if not self.core.offered(target, block_id.lane) or block_id.number not in self.core.lack(
            target, block_id.source
        ):
            return
        heard = line.alive(target.node, now) if target.node else line.limits.broadcast and target is line.anyone
        if heard and (line.limits.broadcast or block_id.lane is not Lane.FLASH):
            self._overheard(target, block_id, line, until, now)
        else:
            target.one_more(block_id)

    def _again(self, line: Line, arrival: Arrival) -> None:
        """Something came that is here already: perhaps our acknowledgement was lost, or another's in a crowd."""
        now = arrival.at
        crowd = line.limits.broadcast and line.live(now) > 2
        due = now + line.ack_s(now) * self.core.chance.uniform(0.5, 1.5)
        if not crowd or line.debt(0).told_at + 3 * line.ack_s(now) < now:
            self._owe(line, due, arrival.peer)

    def _hush(self, line: Line, block_id: BlockId, now: float) -> None:
        """Another sent again what we would have sent to those in reach of both."""
        if line.limits.broadcast:
            until = self._overheard_until(line, now)
            for node in line.nodes(now):
                target = self.core.neighbours[node].target
                if target.wants(block_id, line.name, now):
                    self._overheard(target, block_id, line, until, now)

    def _overheard_until(self, line: Line, now: float) -> float:
        """How long others' acknowledgements are waited for: not as long by all who heard the same."""
        wait = line.rto(now, 1) if line.limits.broadcast else 2 * line.later_s(now)
        return now + wait * self.core.chance.uniform(1.0, 2.0)

    def _overheard(self, target: Target, block_id: BlockId, line: Line, until: float, now: float) -> None:
        lease = Lease(line.name, until, now, 0)
        target.overheard(block_id, lease)
        self.core.expiries.add(target, block_id, lease)

    def _owe(self, line: Line, at: float, peer: str | None = None) -> None:
        """Our list by `at`, to the node at this address or to all."""
        node = None if peer is None or line.limits.broadcast else line.node_at(peer)
        for key, debt in line.debts.items() if line.limits.two_way else ():
            if node is None or key == node:
                debt.due = min(debt.due, max(at, debt.told_at + line.ack_s(at) / 2))

    # lists

    def _told(self, line: Line, part: object, arrival: Arrival) -> None:
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
        elif isinstance(part, Partial):
            self._partial(line, neighbour, part, now)

    def _met(self, line: Line, neighbour: Neighbour, arrival: Arrival) -> None:
        now = arrival.at
        if line.hear(neighbour.node, arrival.peer, now):
            debt = line.debt(neighbour.node)
            debt.due = min(debt.due, now + line.ack_s(now) * self.core.chance.uniform(0.2, 1.0))
            self.ends.greet(line, now)

    def _listed(self, line: Line, neighbour: Neighbour, part: Digest | Delta | Listing, now: float) -> None:
        core, peer, debt = self.core, neighbour.peer, line.debt(neighbour.node)
        mine = core.teller.mine
        if isinstance(part, Digest):
            heard = peer.digest(part, mine, now)
            if heard is Heard.UNCLEAR:
                heard = peer.expected(part, neighbour.target.under_way())
        elif isinstance(part, Delta):
            heard = peer.delta(part, now)
        else:
            heard = peer.listing(part, mine, now)
        neighbour.relay = not part.vouch
        if heard is Heard.UNCLEAR:
            wait = line.ack_s(now) if isinstance(part, Listing) and not part.last else 0.0
            at = now + wait + core.chance.uniform(0.1, 0.6) * line.ack_s(now)
            debt.needs.setdefault(neighbour.node, Asking(at)).at = at
            return
        asking = debt.needs.pop(neighbour.node, None)
        if heard is Heard.NEWS and ((asking is not None and asking.tries) or self._landmark(peer, part)):
            debt.gots[neighbour.node, part.scope] = peer.keep(part.scope)
            debt.gots_at = min(debt.gots_at, now + 3 * line.ack_s(now))
        self._follow(line, neighbour, now)
        if part.vouch and peer.unproven:
            self._prove(line, neighbour, part, now)

    def _landmark(self, peer: Peer, part: Digest | Delta | Listing) -> bool:
        """Whether to name this vector as a base: those that all who hear it name alike, so that few bases serve everybody."""
        worn = isinstance(part, Delta) and len(part.code) > WORN
        return worn or not peer.base(part.scope) or not peer.vector.digest(part.scope)[0] % LANDMARK

    def _follow(self, line: Line, neighbour: Neighbour, now: float) -> None:
        """Bring what it lacks up to date, and learn from what it acknowledged."""
        core, peer = self.core, neighbour.peer
        sources, peer.fresh, peer.changed = (None if peer.fresh else peer.changed), False, set()
        for block_id, lease in core.review_all(neighbour.target, sources):
            sender = core.lines.get(lease.line)
            if sender is not None and lease.size:
                sender.acked(now - lease.at, lease.size, neighbour.target.tries.get(block_id) == 1)
            neighbour.target.forget(block_id)
        for block_id, leases in neighbour.target.flash.items():
            sent, tried = leases.get(line.name), neighbour.target.tries.get(block_id, 0)
            if sent is not None and sent.size and tried <= EAGER and sent.at + 2 * line.frame_s < now:
                sent.until = min(sent.until, now)  # its list is younger than our sending, and lacks it
        for block_id in list(neighbour.target.woken()) if neighbour.target.dormant else ():
            neighbour.target.lapse(block_id)
        neighbour.target.dormant = False

    def _prove(self, line: Line, neighbour: Neighbour, part: Digest | Delta | Listing, now: float) -> None:
        """What a member gave its word for is its end list; any member could have given a word to all, so where a central can sign
        only its signature or its word to this node counts."""
        core, peer = self.core, neighbour.peer
        if not peer.views[part.scope].whole:
            return
        digest = peer.vector.digest(part.scope)
        said = statement(peer.node, part.scope, digest)
        sure = core.ring.vouched_here(peer.node, said, part.vouch)
        if not sure and (self.ends.signed_on(peer.node, line) or not core.ring.vouched(peer.node, said, part.vouch)):
            return
        proven = {source: peer.vector.sets[source] for source in peer.unproven if source in peer.vector.sets}
        peer.unproven = set()
        self.ends.merge(peer.node, proven, now, signed=sure)

    def _asked(self, line: Line, need: Need, arrival: Arrival) -> None:
        """Somebody lacks our list: it differs from the asker's guess in some buckets."""
        core, now = self.core, arrival.at
        if need.node not in (0, core.log.origin):
            asking = line.debt(need.node).needs.get(need.node)
            if asking is not None and line.limits.broadcast:
                asking.at = max(asking.at, now + 2 * line.ack_s(now))  # the answer will be heard here too
            return
        debt = line.debt(line.node_at(arrival.peer) or 0)
        if need.key:
            debt.asked[need.key] = None
        elif need.node:
            debt.mask |= differing(need.buckets, core.teller.mine.buckets(need.scope)) if need.buckets else 255
        debt.told = b""
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
                lease.until = 0.0
            else:
                target.lapse(part.id)
            target.tries[part.id] = 0  # an answer: no reason for more patience

"""Telling others what is here: the shortest form that all who listen can follow, and what else is owed to them."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Sequence
from typing import Final

from sync.exchange import frame
from sync.exchange.frame import KEY
from sync.exchange.havelist import Vector, encode_delta, encode_entries, fitting, in_scope
from sync.exchange.lines import Debt, Progress
from sync.exchange.peers import Peer
from sync.ids import varint
from sync.seal.keyring import Keyring

TOLD: Final = 64  # vectors of ours remembered as bases
SHORT: Final = 72  # bytes of a list that is told whole rather than announced
LONGEST: Final = 110  # bytes of a delta on a narrow line; a longer one wants a newer base
MOST_BASES: Final = 3  # deltas of one statement, for peers that know different vectors
WIDE: Final = 1000  # bytes of room from which a whole list is told at once
_LISTING: Final = 24  # bytes of a listing beside its entries


def statement(node: int, scope: int, digest: bytes) -> bytes:
    """What a node's word covers: that it has what this digest stands for."""
    return b"have" + varint(node) + bytes((scope,)) + digest


class Teller:
    """This node's own vector, and the forms in which it is told."""

    def __init__(self, ring: Keyring) -> None:
        self.mine = Vector()
        self._ring = ring
        self._told: OrderedDict[tuple[int, bytes], Vector] = OrderedDict()

    def own(self, debt: Debt, scope: int, peers: Sequence[Peer], room: int, whole: bool = False) -> bytes:
        """Our list for these peers in at most `room` bytes, `whole`: of a frame of its own, b"" when none fits; more follows while
        `debt.listing` is set."""
        if debt.listing is None and debt.mask:
            debt.listing, debt.mask = Progress(self.mine.copy(), debt.mask), 0
        if debt.listing is not None:
            return self._listing(debt, scope, room, whole)
        digest = self.mine.digest(scope)
        if peers and not debt.asked and all(digest[:KEY] in peer.told[scope] for peer in peers):
            return self._digest(debt, scope, digest, room)
        return self._news(debt, scope, peers, digest, room)

    def _news(self, debt: Debt, scope: int, peers: Sequence[Peer], digest: bytes, room: int) -> bytes:
        out = b""
        asked, debt.asked = [key for key in debt.asked if (scope, key) in self._told], {}
        for key in self._bases(scope, peers, asked):
            base = self._told[scope, key]
            code = encode_delta(base, self.mine, scope)
            if len(code) + 20 > room - len(out) or len(code) > (LONGEST if room < WIDE else room // 2):
                break
            out += frame.write_delta(self._ring.origin, scope, key, digest[:KEY], code, self._word(debt, scope, digest))
        if out:
            self._remember(debt, scope, digest)
        if not out and debt.told != digest and (room >= WIDE or self._short(room)):
            debt.listing = Progress(self.mine.copy(), 255)
            return self._listing(debt, scope, room, False)
        return out or self._digest(debt, scope, digest, room)

    def _short(self, room: int) -> bool:
        """Whether the whole list is hardly longer than its digest and what would follow."""
        return _LISTING + 6 * len(self.mine.sets) < min(room, SHORT)

    def _digest(self, debt: Debt, scope: int, digest: bytes, room: int) -> bytes:
        if room < KEY + 12:
            return b""
        self._remember(debt, scope, digest)
        return frame.write_digest(self._ring.origin, scope, digest, self._word(debt, scope, digest))

    def _listing(self, debt: Debt, scope: int, room: int, whole: bool) -> bytes:
        """The next part of a list."""
        progress = debt.listing
        assert progress is not None
        todo = in_scope(progress.vector.sets, scope, progress.mask)
        if progress.after is not None:
            todo = [source for source in todo if source > progress.after]
        entries, count = encode_entries(progress.vector.sets, todo, room - _LISTING)
        if whole and todo and not count:  # no frame here takes it: some of its ranges
            entries, count = encode_entries(
                {todo[0]: fitting(progress.vector.sets[todo[0]], room - _LISTING)}, todo[:1], room - _LISTING
            )
        if room < _LISTING or (not count and todo):
            return b""
        last = count == len(todo)
        digest = progress.vector.digest(scope)
        word = self._word(debt, scope, digest)
        out = frame.write_listing(
            self._ring.origin, scope, digest, progress.mask, progress.after, last, count, entries, word
        )
        progress.after = todo[count - 1] if count else progress.after
        if last:
            debt.listing = None
        self._remember(debt, scope, digest, progress.vector)
        return out

    def _word(self, debt: Debt, scope: int, digest: bytes) -> bytes:
        return self._ring.vouch(statement(self._ring.origin, scope, digest), debt.node)

    def ours(self, scope: int, key: bytes) -> Vector | None:
        """A vector that was ours when it was told here, by its name."""
        return self._told.get((scope, key))

    def _bases(self, scope: int, peers: Sequence[Peer], asked: Sequence[bytes]) -> list[bytes]:
        """Vectors to build on: those asked for, then those that most of the peers know, the newest first."""
        bases = list(asked[-MOST_BASES:])
        left = [peer.told[scope] for peer in peers if not any(key in peer.told[scope] for key in bases)]
        ages = {key: at for at, (told, key) in enumerate(self._told) if told == scope}
        while left and len(bases) < MOST_BASES:
            known = Counter(key for keys in left for key in keys if key in ages)
            if not known:
                break
            best = max(known, key=lambda key: (known[key], ages[key]))
            bases.append(best)
            left = [keys for keys in left if best not in keys]
        return bases

    def _remember(self, debt: Debt, scope: int, digest: bytes, vector: Vector | None = None) -> None:
        debt.told = digest
        self.hold(scope, vector or self.mine)

    def hold(self, scope: int, vector: Vector) -> None:
        """Remember a vector that was told here, by us or by another who has the same."""
        digest = vector.digest(scope)
        name = scope, digest[:KEY]
        if name not in self._told or self._told[name].digest(scope) != digest:  # of those with one name the newest
            self._told[name] = vector.copy()
            while len(self._told) > TOLD:
                self._told.popitem(last=False)
        self._told.move_to_end(name)

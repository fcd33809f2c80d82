"""Telling others what is here: the shortest form that all who listen can follow, and what else is owed to them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from sync.exchange import frame
from sync.exchange.frame import KEY
from sync.exchange.havelist import Vector, differing, encode_delta, encode_entries, in_scope
from sync.exchange.lines import Debt, Progress
from sync.exchange.peers import Peer
from sync.ids import varint
from sync.seal.keyring import Keyring

TOLD: Final = 64  # vectors of ours remembered as bases
LONGEST: Final = 48  # bytes of a delta on a narrow line; a longer one wants a newer base
WORN: Final = 24  # a delta longer than this is answered by naming its result as a new base
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

    def own(self, debt: Debt, scope: int, peers: Sequence[Peer], room: int) -> bytes:
        """Our list for these peers in at most `room` bytes, b"" when none fits; more follows while `debt.listing` is set."""
        if debt.listing is None and debt.mask:
            debt.listing, debt.mask = Progress(self.mine.copy(), debt.mask), 0
        if debt.listing is not None:
            return self._listing(debt, scope, room)
        digest = self.mine.digest(scope)
        if digest != debt.told and (peers or room >= WIDE):
            return self._news(debt, scope, peers, digest, room)
        return self._digest(debt, scope, digest, room)

    def _news(self, debt: Debt, scope: int, peers: Sequence[Peer], digest: bytes, room: int) -> bytes:
        key = self._common(scope, peers)
        base = self._told.get((scope, key))
        if base is not None:
            code = encode_delta(base.sets, self.mine.sets, scope)
            if len(code) <= (LONGEST if room < WIDE else room // 2) and len(code) + 20 <= room:
                word = self._word(scope, digest)
                self._remember(debt, scope, digest)
                return frame.write_delta(self._ring.origin, scope, key, digest[:KEY], code, word)
            debt.listing = Progress(self.mine.copy(), differing(base.buckets(scope), self.mine.buckets(scope)))
        elif room >= WIDE or len(self.mine.sets) * 6 + _LISTING < room:
            debt.listing = Progress(self.mine.copy(), 255)
        if debt.listing is not None:
            return self._listing(debt, scope, room)
        return self._digest(debt, scope, digest, room)

    def _digest(self, debt: Debt, scope: int, digest: bytes, room: int) -> bytes:
        if room < KEY + 12:
            return b""
        self._remember(debt, scope, digest)
        return frame.write_digest(self._ring.origin, scope, digest, self._word(scope, digest))

    def _listing(self, debt: Debt, scope: int, room: int) -> bytes:
        """The next part of a list."""
        progress = debt.listing
        assert progress is not None
        todo = in_scope(progress.vector.sets, scope, progress.mask)
        if progress.after is not None:
            todo = [source for source in todo if source > progress.after]
        entries, count = encode_entries(progress.vector.sets, todo, room - _LISTING)
        if room < _LISTING or (not count and todo):
            return b""
        last = count == len(todo)
        digest = progress.vector.digest(scope)
        word = self._word(scope, digest)
        out = frame.write_listing(
            self._ring.origin, scope, digest, progress.mask, progress.after, last, count, entries, word
        )
        progress.after = todo[count - 1] if count else progress.after
        if last:
            debt.listing = None
        self._remember(debt, scope, digest, progress.vector)
        return out

    def _word(self, scope: int, digest: bytes) -> bytes:
        return self._ring.vouch(statement(self._ring.origin, scope, digest))

    def _common(self, scope: int, peers: Sequence[Peer]) -> bytes:
        """The newest vector that all of them know, or else the one that most of them do; b"" for none."""
        best, most = b"", 0
        for key in {key: None for peer in peers for key in reversed(peer.told[scope])}:
            count = sum(key in peer.told[scope] for peer in peers)
            if count > most and (scope, key) in self._told:
                best, most = key, count
        return best

    def _remember(self, debt: Debt, scope: int, digest: bytes, vector: Vector | None = None) -> None:
        debt.told = digest
        name = scope, digest[:KEY]
        if name not in self._told:
            self._told[name] = (vector or self.mine).copy()
            while len(self._told) > TOLD:
                self._told.popitem(last=False)
        else:
            self._told.move_to_end(name)

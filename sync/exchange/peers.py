"""What each neighbour has, as its have-lists tell: vectors that its digests confirm, and the bases that deltas build on."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from hardware.errors import DecodeError
from sync.exchange.frame import KEY, Delta, Digest, Listing
from sync.exchange.havelist import GROUP, MOST_SOURCES, Scope, Vector, bucket_of, decode_delta
from sync.ids import BlockId, Source
from sync.ranges import Ranges

BASES: Final = 4  # vectors of one peer and scope that deltas may build on because it was said so
KNOWN: Final = 16  # vectors of ours that a peer is taken to know, since it named them or said them itself
RECENT: Final = 16  # digests remembered, so that frames out of order are known as old
STALE_S: Final = 120.0  # what looks old and is said again so much later is meant


class Heard(Enum):
    """What a statement did to the view of its node."""

    SAME = "same"
    NEWS = "news"
    OLD = "old"
    UNCLEAR = "unclear"  # its list must be asked for


@dataclass(slots=True)
class View:
    """What is known of a peer's vector in one scope. known: it was confirmed once; whole: it is what the peer said last;
    last: the newest one confirmed, with its name."""

    known: bool = False
    whole: bool = False
    said: bytes = b""
    doubted: tuple[bytes, float] = (b"", 0.0)
    bases: OrderedDict[bytes, Vector] = field(default_factory=OrderedDict)
    last: tuple[bytes, Vector] | None = None
    recent: deque[bytes] = field(default_factory=lambda: deque(maxlen=RECENT))


class Peer:
    """A neighbour's vector. told: vectors that it named as known or said itself, newest last; unproven: sources whose last change
    no vouched statement has covered yet; changed: those that changed since the ledger looked, fresh: everything may have."""

    def __init__(self, node: int) -> None:
        self.node = node
        self.vector = Vector()
        self.views = [View() for _ in Scope]
        self.told: list[list[bytes]] = [[] for _ in Scope]
        self.unproven: set[Source] = set()
        self.changed: set[Source] = set()
        self.fresh = False

    def known(self, source: Source) -> bool:
        """Whether this peer's set of a source can be relied on."""
        return any(view.known for view in self.views[GROUP[source.lane] :])

    def digest(self, said: Digest, mine: Vector, now: float) -> Heard:
        """The peer says only its digest."""
        heard = self._met(said.scope, said.digest, now)
        if heard is not Heard.UNCLEAR:
            return heard
        if mine.digest(said.scope) == said.digest:
            return self._adopt(said.scope, mine, said.digest)
        return self._lost(said.scope, said.digest)

    def agrees(self, scope: int, mine: Vector, now: float) -> Heard:
        """The peer has what is here."""
        heard = self._met(scope, mine.digest(scope), now)
        return self._adopt(scope, mine, mine.digest(scope)) if heard is Heard.UNCLEAR else heard

    def expected(self, said: Digest, sent: Iterable[BlockId]) -> Heard:
        """Whether the digest is that of its vector with everything that was sent to it: then its list need not be asked for."""
        if not self.views[said.scope].known:
            return Heard.UNCLEAR
        vector = self.vector.copy()
        for block_id in sent:
            numbers = vector.sets[block_id.source].copy() if block_id.source in vector.sets else Ranges()
            numbers.add(block_id.number)
            vector.put(block_id.source, numbers)
        if vector.digest(said.scope) != said.digest:
            return Heard.UNCLEAR
        return self._adopt(said.scope, vector, said.digest)

    def delta(self, said: Delta, now: float, ours: Callable[[int, bytes], Vector | None]) -> Heard:
        """The peer says what changed since a vector that we may know, of its own or of ours; DecodeError when it is malformed."""
        view = self.views[said.scope]
        if view.known and self.vector.digest(said.scope)[:KEY] == said.check:
            return self._met(said.scope, self.vector.digest(said.scope), now)
        base = self._base(said.scope, said.base) or ours(said.scope, said.base)
        if base is None:
            return self._lost(said.scope, said.check)
        vector = base.copy()
        for source, numbers in decode_delta(base, said.code, said.scope).items():
            vector.put(source, numbers)
        digest = vector.digest(said.scope)
        if digest[:KEY] != said.check or len(vector.sets) > MOST_SOURCES:
            return self._lost(said.scope, said.check)
        heard = self._met(said.scope, digest, now)
        return self._adopt(said.scope, vector, digest) if heard is Heard.UNCLEAR else heard

    def listing(self, said: Listing, mine: Vector, now: float) -> Heard:
        """The peer lists some of its sources."""
        heard = self._met(said.scope, said.digest, now)
        if heard is not Heard.UNCLEAR:
            return heard
        view = self.views[said.scope]
        if not view.known and not view.said:
            self._guess(said.scope, mine)
        self._take(said)
        if len(self.vector.sets) > MOST_SOURCES:
            raise DecodeError("more sources than a node may have")
        if self.vector.digest(said.scope) == said.digest:
            return self._confirm(said.scope, said.digest)
        return self._lost(said.scope, said.digest)

    def keep(self, scope: int) -> bytes:
        """Keep the vector as a base for deltas; its name."""
        view = self.views[scope]
        key = self.vector.digest(scope)[:KEY]
        view.bases[key] = self.vector.copy()
        view.bases.move_to_end(key)
        while len(view.bases) > BASES:
            view.bases.popitem(last=False)
        return key

    def _base(self, scope: int, key: bytes) -> Vector | None:
        view = self.views[scope]
        return view.last[1] if view.last is not None and view.last[0] == key else view.bases.get(key)

    def base(self, scope: int) -> bytes:
        """The newest vector of it that deltas may build on, b"" for none."""
        last = self.views[scope].last
        return b"" if last is None else last[0]

    def guess(self, scope: int, mine: Vector) -> Vector:
        """The best guess of its vector, to be asked about."""
        view = self.views[scope]
        if not view.known and not view.said:
            self._guess(scope, mine)
        return self.vector

    def got(self, scope: int, key: bytes) -> None:
        """It knows this vector of ours."""
        told = self.told[scope]
        if key in told:
            told.remove(key)
        told.append(key)
        del told[:-KNOWN]

    def asked(self, scope: int, key: bytes) -> None:
        """It could not follow our list: of what it was taken to know, only this is sure."""
        self.told[scope] = [key] if key else []

    def _met(self, scope: int, digest: bytes, now: float) -> Heard:
        """Whether the digest is the vector's, or that of an earlier one that came late."""
        view = self.views[scope]
        if view.known and self.vector.digest(scope) == digest:
            if not view.whole:
                self._confirm(scope, digest)
            view.doubted = (b"", 0.0)
            return Heard.SAME
        if digest not in view.recent:
            return Heard.UNCLEAR
        if view.doubted[0] != digest:
            view.doubted = (digest, now)
        if now - view.doubted[1] < STALE_S:
            return Heard.OLD
        view.recent.remove(digest)
        base = view.bases.get(digest[:KEY])
        return Heard.UNCLEAR if base is None else self._adopt(scope, base, digest)

    def _guess(self, scope: int, mine: Vector) -> None:
        """Begin with what is here: neighbours mostly agree."""
        for source, numbers in mine.sets.items():
            if GROUP[source.lane] <= scope and source not in self.vector.sets:
                self._put(source, numbers)

    def _take(self, said: Listing) -> None:
        """Replace the sources that a listing covers."""
        listed = dict(said.entries)
        upper = None if said.last else said.entries[-1][0] if said.entries else said.after
        for source in list(self.vector.sets):
            if GROUP[source.lane] > said.scope or not said.mask >> bucket_of(source) & 1 or source in listed:
                continue
            if (said.after is None or source > said.after) and (said.last or (upper is not None and source <= upper)):
                self._put(source, None)
        for source, numbers in listed.items():
            self._put(source, numbers)

    def _adopt(self, scope: int, vector: Vector, digest: bytes) -> Heard:
        """Take another vector over within a scope."""
        mine = self.vector.sets
        other = [source for source, numbers in vector.sets.items() if mine.get(source) is not numbers]
        for source in (*other, *(mine.keys() - vector.sets.keys())):
            if GROUP[source.lane] <= scope:
                self._put(source, vector.sets.get(source))
        return self._confirm(scope, digest)

    def _put(self, source: Source, numbers: Ranges | None) -> None:
        if self.vector.put(source, numbers):
            self.unproven.add(source)
            self.changed.add(source)

    def _confirm(self, scope: int, digest: bytes) -> Heard:
        """The vector is what the peer says: all narrower scopes hold with it."""
        for at in range(scope + 1):
            self.fresh = self.fresh or not self.views[at].known
            self.views[at].known = True
        view = self.views[scope]
        view.whole, view.said, view.doubted = True, digest, (b"", 0.0)
        view.last = digest[:KEY], self.vector.copy()
        self.got(scope, digest[:KEY])
        if digest in view.recent:
            view.recent.remove(digest)
        view.recent.append(digest)
        return Heard.NEWS

    def _lost(self, scope: int, digest: bytes) -> Heard:
        self.views[scope].whole, self.views[scope].said = False, digest
        return Heard.UNCLEAR

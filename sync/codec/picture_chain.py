"""Which picture builds on which: the sender's choice of bases, and the reader's album of those that it can build upon.

A listener tells, in every scene of its own, the latest picture of each origin that it could decode. A sender whose listeners do
so builds on the newest that all of them hold. Without their word every KEY-th picture stands alone and those between build on it,
so that one loss costs one picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from sync.codec.picture import BASES, decode_force, encode_force
from sync.codec.picture_people import Force, Form, Member
from sync.codec.scene import HEARD, MAX_HEARD, Scene, decode_scene, form_of
from sync.ids import BlockId
from sync.records import Anchor

KEY: Final = 5
FEW: Final = 12  # a force that always fits standing alone
MAX_ORIGINS: Final = 256  # whose pictures an album holds


class Chain:
    """Pictures of one kind by one sender; `listeners`: roster indexes of those who must be able to follow."""

    def __init__(self, anchor: Anchor, vitals: bool, listeners: Iterable[int] = ()) -> None:
        self.anchor, self.vitals, self.listeners = anchor, vitals, frozenset(listeners)
        self.sent: dict[int, Force] = {}
        self._based: dict[int, int | None] = {}
        self._held: dict[int, set[int]] = {}
        self._key: int | None = None
        self._since = 0

    def told(self, listener: int, number: int | None) -> None:
        """A listener's latest of these pictures, its block number modulo HEARD; None: it has none."""
        held: set[int] = set()
        found = (
            None
            if number is None
            else next((each for each in sorted(self.sent, reverse=True) if each % HEARD == number), None)
        )
        while found is not None and found in self.sent:
            held.add(found)
            found = self._based[found]
        self._held[listener] = held

    def base(self, block: int, count: int) -> Force | None:
        """What the picture of block number `block` builds on, of `count` people: a few stand alone unless all listeners follow;
        one that goes on where the last one ended builds on that, so that both together are a base for everybody."""
        near = [number for number in self.sent if 0 < block - number <= BASES]
        if near and self._goes_on(count):
            return self.sent[max(near)]
        common = set(near).intersection(*(self._held.get(each, set()) for each in self.listeners))
        if self.listeners and common:
            return self.sent[max(common)]
        if self.listeners and self.listeners <= self._held.keys():
            return None  # they told once, and hold nothing that is young enough
        if self._key in near and self._since < KEY and count > FEW:
            return self.sent[self._key]
        return None

    def next(self, block: int, people: Sequence[Member], budget: int) -> tuple[bytes, Force]:
        """The picture of block number `block`. A force that does not fit goes on in the next one from where this one ended."""
        base = self.base(block, len(people))
        first = self._goes_on(len(people))
        return encode_force(block, people[first:], base, self.anchor, budget, first, self.vitals)

    def undo(self) -> None:
        """The last picture will not leave after all: nothing builds on it, and what it spoke of is said again."""
        if self.sent:
            last = max(self.sent)
            del self.sent[last], self._based[last]
            self._since = max(0, self._since - 1)

    def _goes_on(self, count: int) -> int:
        """The place where the last picture ended, 0 when it spoke of all `count` people."""
        last = self.sent[max(self.sent)] if self.sent else None
        end = last.first + last.count if last else 0
        return end if end < count else 0

    def keep(self, force: Force, base: Force | None) -> None:
        """The picture has left: it may be built upon."""
        self.sent[force.number] = force
        self._based[force.number] = base.number if base else None
        if base is None or force.first:
            self._key = force.number
        self._since = 1 if base is None else self._since + 1
        for old in [number for number in self.sent if force.number - number > BASES]:
            del self.sent[old], self._based[old]


class Album:
    """The pictures of others that this node can build upon."""

    def __init__(self, anchor: Anchor) -> None:
        self._anchor = anchor
        self._forces: dict[tuple[int, int], dict[int, Force]] = {}
        self.told: dict[int, Mapping[tuple[int, bool], int]] = {}  # by listener, what its last scene says it heard

    def take(self, block_id: BlockId, body: bytes) -> Force | Scene:
        """What a picture shows; DecodeError when it is damaged or builds on one that is not here."""
        if form_of(body) is Form.SCENE:
            scene = decode_scene(body)
            self.told[block_id.origin] = scene.heard
            while len(self.told) > MAX_ORIGINS:
                del self.told[next(iter(self.told))]
            return scene
        life = (block_id.origin, block_id.incarnation)
        known = self._forces.get(life, {})
        force = decode_force(body, block_id.number, known, self._anchor)
        self._keep(life, known, force)
        return force

    def heard(self) -> dict[tuple[int, bool], int]:
        """The newest picture of each origin and kind, to be told in a scene: block numbers modulo HEARD; the latest MAX_HEARD."""
        newest = {
            (origin, vitals): max(kind)
            for (origin, _), forces in self._forces.items()
            for vitals in (False, True)
            if (kind := [number for number, force in forces.items() if force.vitals is vitals])
        }
        return {which: number % HEARD for which, number in list(newest.items())[-MAX_HEARD:]}

    def _keep(self, life: tuple[int, int], known: dict[int, Force], force: Force) -> None:
        """Keep it as the youngest life of its origin, and let go what nothing can build upon any more."""
        for old in [each for each in self._forces if each[0] == life[0]]:
            del self._forces[old]  # put last: the one heard most recently
        kept = {number: each for number, each in known.items() if abs(force.number - number) <= BASES}
        self._forces[life] = kept | {force.number: force}
        while len(self._forces) > MAX_ORIGINS:
            del self._forces[next(iter(self._forces))]

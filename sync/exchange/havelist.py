"""What a node has, as a vector of sources with a digest, and its forms on the wire: delta and list. docs/wire/havelist.md."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from enum import IntEnum
from functools import lru_cache
from typing import Final

from hardware.errors import DecodeError
from sync.codec.octets import Reader as Octets
from sync.exchange import bits
from sync.ids import Lane, Source, varint
from sync.ranges import Ranges

BUCKETS: Final = 8
DIGEST: Final = 6  # bytes of a digest
BUCKET: Final = 3  # bytes of a bucket's hash
MOST_SPANS: Final = 32  # ranges of one source that are told; the lowest and the newest of them
MOST_SOURCES: Final = 8192  # of one node; what is told beyond is not believed
NUMBER: Final = 1 << 42
_MASK: Final = (1 << 64) - 1
_FEW: Final = 31  # spans whose count fits the lane byte
Sets = Mapping[Source, Ranges]


class Scope(IntEnum):
    """Which lanes a list speaks of: each scope holds those before it."""

    URGENT = 0  # flash, command
    TRACKS = 1  # and tracks
    ALL = 2  # and history, bulk


GROUP: Final = {Lane.FLASH: 0, Lane.COMMAND: 0, Lane.TRACK: 1, Lane.HISTORY: 2, Lane.BULK: 2}
MOST_BYTES: Final = (44, 44, 150)  # of one source's ranges, by group: an entry fits a frame of 78 bytes, or of 200
_SPAN: Final = 14  # bytes of one range at most
_NAMED: Final = 5  # bytes of an entry before its ranges


def spans(numbers: Ranges) -> bytes:
    """Each range as the gap before it and its length less one."""
    out, after = b"", 0
    for first, last in numbers:
        out += varint(first - after) + varint(last - first)
        after = last + 2
    return out


def bounded(numbers: Ranges, lane: Lane) -> Ranges:
    """A copy with MOST_SPANS ranges and MOST_BYTES at most: the lowest and the newest; those left out count as missing."""
    out = _newest(numbers, MOST_SPANS)
    while (over := len(spans(out)) - MOST_BYTES[GROUP[lane]]) > 0:
        out = _newest(out, out.spans - max(1, over // _SPAN))
    return out


def fitting(numbers: Ranges, room: int) -> Ranges:
    """A copy whose entry takes at most `room` bytes, with one range at least; those left out count as missing."""
    out = numbers
    while out.spans > 1 and len(spans(out)) + _NAMED > room:
        out = _newest(out, out.spans - 1) if out.spans > 2 else Ranges([out.pairs[-1]])
    return out


def _newest(numbers: Ranges, most: int) -> Ranges:
    """A copy with the lowest and the newest ranges, `most` in all."""
    if numbers.spans <= most:
        return numbers.copy()
    every = numbers.pairs
    return Ranges([every[0], *every[1 - most :]])


def bucket_of(source: Source) -> int:
    """The bucket of a source; all lanes of one life share it."""
    return (source.origin ^ source.incarnation) & BUCKETS - 1


@lru_cache(1 << 16)
def _known(source: Source, pairs: tuple[tuple[int, int], ...]) -> tuple[int, Ranges]:
    """The hash of a set, and the one copy of it that vectors share, so that equal ones are mostly the same."""
    clear, numbers = (
        varint(source.origin) + source.incarnation.to_bytes(2, "big") + bytes((source.lane,)),
        Ranges(pairs),
    )
    return int.from_bytes(hashlib.blake2b(clear + spans(numbers), digest_size=8).digest(), "big"), numbers


class Vector:
    """Sets of numbers by source, whose digest follows each change. The sets are replaced, never changed in place."""

    __slots__ = ("_digests", "_orders", "_places", "_sums", "sets")

    def __init__(self) -> None:
        self.sets: dict[Source, Ranges] = {}
        self._digests: dict[int, bytes] = {}
        self._orders: dict[int, list[Source]] = {}
        self._places: dict[int, dict[Source, int]] = {}
        self._sums = [[0] * BUCKETS for _ in Scope]

    def put(self, source: Source, numbers: Ranges | None) -> bool:
        """Replace a source's set, an empty one by nothing; True when that changed it."""
        old = self.sets.get(source)
        if old is numbers or old == numbers or (old is None and not numbers):
            return False
        sums, at = self._sums[GROUP[source.lane]], bucket_of(source)
        if old is None or not numbers:
            self._orders, self._places = {}, {}
        self._digests = {}
        if old is not None:
            sums[at] -= _known(source, old.pairs)[0]
        if numbers:
            more, self.sets[source] = _known(source, numbers.pairs)
            sums[at] += more
        else:
            del self.sets[source]
        sums[at] &= _MASK
        return True

    def copy(self) -> Vector:
        """Another vector with the same sets."""
        other = Vector()
        other.sets, other._sums = dict(self.sets), [list(sums) for sums in self._sums]
        other._digests, other._orders, other._places = self._digests, self._orders, self._places
        return other

    def digest(self, scope: int) -> bytes:
        """DIGEST bytes over every source in a scope."""
        found = self._digests.get(scope)
        if found is None:
            found = (sum(sum(sums) for sums in self._sums[: scope + 1]) & _MASK).to_bytes(8, "big")[:DIGEST]
            self._digests = {**self._digests, scope: found}
        return found

    def order(self, scope: int) -> list[Source]:
        """The sources of a scope in roster order."""
        found = self._orders.get(scope)
        if found is None:
            found = in_scope(self.sets, scope)
            self._orders = {**self._orders, scope: found}
        return found

    def places(self, scope: int) -> dict[Source, int]:
        """Where each source of a scope stands in roster order."""
        found = self._places.get(scope)
        if found is None:
            found = {source: index for index, source in enumerate(self.order(scope))}
            self._places = {**self._places, scope: found}
        return found

    def buckets(self, scope: int) -> bytes:
        """BUCKETS hashes of BUCKET bytes."""
        return b"".join(
            (sum(sums[at] for sums in self._sums[: scope + 1]) & _MASK).to_bytes(8, "big")[:BUCKET]
            for at in range(BUCKETS)
        )


def differing(one: bytes, other: bytes) -> int:
    """A mask of the buckets whose hashes differ."""
    return sum(
        1 << at
        for at in range(BUCKETS)
        if one[at * BUCKET : (at + 1) * BUCKET] != other[at * BUCKET : (at + 1) * BUCKET]
    )


def in_scope(sets: Sets, scope: int, mask: int = 255) -> list[Source]:
    """The sources of a scope and of some buckets, in roster order."""
    return sorted(source for source in sets if GROUP[source.lane] <= scope and mask >> bucket_of(source) & 1)


# delta against a base that both sides know


def encode_delta(old_vector: Vector, new_vector: Vector, scope: int) -> bytes:
    """What changed: sources whose newest range grew, as Rice codes; all other changes written out."""
    base, now, places = old_vector.sets, new_vector.sets, old_vector.places(scope)
    changed = [source for source, numbers in now.items() if base.get(source) is not numbers]
    changed += base.keys() - now.keys()
    known = sorted((places[source], source) for source in changed if source in places)
    gaps, grown, other, after = [], [], [], 0
    for index, source in known:
        old, new = base[source], now.get(source)
        if new is not None and (more := _grown(old, new)) > 0:
            gaps.append(index - after)
            grown.append(more - 1)
            after = index + 1
        elif new != old:
            other.append(source)
    other += sorted(source for source in changed if source not in base and GROUP[source.lane] <= scope)
    out = bits.Writer()
    k_gap, k_grown = bits.best_k(gaps), bits.best_k(grown)
    out.fixed(k_gap << 4 | k_grown, 8)
    out.gamma(len(gaps))
    for gap, more in zip(gaps, grown):
        out.rice(gap, k_gap)
        out.rice(more, k_grown)
    _encode_other(out, places, other, now)
    return out.done()


def _grown(old: Ranges, new: Ranges) -> int:
    """By how much the newest range grew; 0 when anything else changed."""
    if old.spans != new.spans or new.top <= old.top:
        return 0
    *before, (first, last) = old
    *since, (begin, end) = new
    return end - last if before == since and first == begin else 0


def _encode_other(out: bits.Writer, places: Mapping[Source, int], other: list[Source], now: Sets) -> None:
    out.gamma(len(other))
    for source in other:
        known = places.get(source)
        out.fixed(known is not None, 1)
        if known is not None:
            out.gamma(known)
        else:
            out.fixed(source.origin << 19 | source.incarnation << 3 | source.lane, 33)
        numbers, after = now.get(source, Ranges()), 0
        out.gamma(numbers.spans)
        for first, last in numbers:
            out.gamma(first - after)
            out.gamma(last - first)
            after = last + 2


def decode_delta(vector: Vector, data: bytes, scope: int) -> dict[Source, Ranges]:
    """The sets that changed since this vector, as they are now; DecodeError when malformed or absurd."""
    base, order, code = vector.sets, vector.order(scope), bits.Reader(data)
    k_gap, k_grown = code.fixed(4), code.fixed(4)
    changed: dict[Source, Ranges] = {}
    at = 0
    for _ in range(_limited(code.gamma(), len(order))):
        at += code.rice(k_gap)
        more = code.rice(k_grown) + 1
        if at >= len(order):
            raise DecodeError("a source beyond the base")
        numbers = base[order[at]].copy()
        _add(numbers, numbers.top + 1, numbers.top + more)
        changed[order[at]] = numbers
        at += 1
    for _ in range(_limited(code.gamma(), MOST_SOURCES)):
        source = _decode_source(code, order, scope)
        if source in changed:
            raise DecodeError("a source twice")
        changed[source] = _decode_spans(code)
    code.end()
    return changed


def _decode_source(code: bits.Reader, order: list[Source], scope: int) -> Source:
    if code.fixed(1):
        return order[_limited(code.gamma(), len(order) - 1)]
    origin, incarnation, lane = code.fixed(14), code.fixed(16), code.fixed(3)
    return _source(origin, incarnation, lane, scope)


def _decode_spans(code: bits.Reader) -> Ranges:
    numbers, after = Ranges(), 0
    for _ in range(_limited(code.gamma(), MOST_SPANS)):
        first = after + code.gamma()
        last = first + code.gamma()
        _add(numbers, first, last)
        after = last + 2
    return numbers


def _limited(count: int, most: int) -> int:
    if count > most:
        raise DecodeError("more than there can be")
    return count


def _add(numbers: Ranges, first: int, last: int) -> None:
    if last >= NUMBER:
        raise DecodeError("number too large")
    numbers.add(first, last)


@lru_cache(1 << 13)
def _source(origin: int, incarnation: int, lane: int, scope: int) -> Source:
    if lane > Lane.BULK or lane == Lane.PICTURE or GROUP[Lane(lane)] > scope or not origin:
        raise DecodeError("no such source in a have-list")
    return Source(origin, incarnation, Lane(lane))


# entries of a list


def encode_entries(sets: Sets, sources: Iterable[Source], room: int) -> tuple[bytes, int]:
    """As many leading sources as fit into `room` bytes, and how many they are; the next of a life leaves its name out."""
    out, count, life = bytearray(), 0, (0, 0)
    for source in sources:
        numbers = sets[source]
        few = min(numbers.spans, _FEW)
        name = b"\0" if life == source[:2] else varint(source.origin) + source.incarnation.to_bytes(2, "big")
        entry = (
            name + bytes((source.lane | few << 3,)) + (varint(numbers.spans) if few == _FEW else b"") + spans(numbers)
        )
        if len(out) + len(entry) > room:
            break
        out, count, life = out + entry, count + 1, source[:2]
    return bytes(out), count


def decode_entries(reader: Octets, count: int, scope: int) -> Iterator[tuple[Source, Ranges]]:
    """`count` entries in ascending order; DecodeError when malformed."""
    origin = incarnation = 0
    last: Source | None = None
    for _ in range(count):
        named = reader.uint(1 << 14)
        if named:
            origin, incarnation = named, int.from_bytes(reader.take(2), "big")
        packed = reader.byte()
        source = _source(origin, incarnation, packed & 7, scope)
        if last is not None and source <= last:
            raise DecodeError("sources out of order")
        last, few = source, packed >> 3
        yield source, _read_spans(reader, few if few < _FEW else _limited(reader.uint(), MOST_SPANS))


def _read_spans(reader: Octets, count: int) -> Ranges:
    numbers, after = Ranges(), 0
    for _ in range(count):
        first = after + reader.uint(NUMBER)
        last = first + reader.uint(NUMBER)
        _add(numbers, first, last)
        after = last + 2
    return numbers

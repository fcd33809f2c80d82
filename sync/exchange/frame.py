"""Frames on a live bearer: parts one after another, then the hop MAC. docs/wire/frame.md has the bytes.

The first byte of a part is 11vfffss: v vouched, fff form, ss scope (for form 0: the kind). Anything below 11000000 begins
a bare block, which travels alone and without MAC where the network itself names the sender.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final, NamedTuple

from hardware.errors import DecodeError
from sync.codec.octets import Reader
from sync.exchange.havelist import BUCKET, BUCKETS, DIGEST, Scope, decode_entries
from sync.ids import BlockId, Header, Lane, Source, varint
from sync.ranges import Ranges
from sync.repair import INDEXES, mendable
from sync.seal.vouch import VOUCH

PART: Final = 0xC0
VOUCHED: Final = 0x20

KEY: Final = 2  # bytes of a digest that name a vector in a delta and in what answers it
NO_KEY: Final = bytes(KEY)
MOST_BLOCK: Final = 1 << 18  # bytes
MOST_AGE: Final = 1 << 26  # seconds
LONG_AGE: Final = (1 << 14) - 1  # seconds; a symbol tells no greater age, so that its length is known beforehand
MOST_GAPS: Final = 16  # ranges told of an unfinished block
SHORT: Final = 256  # bytes of a frame whose parts are remembered for a while
_NUMBER: Final = 1 << 42
_NODE: Final = 1 << 14


class Whole(NamedTuple):
    """A whole block; age_s since it was sealed."""

    id: BlockId
    age_s: int
    block: bytes


class Piece(NamedTuple):
    """Bytes at .. at + len(data) of a block of `total` bytes."""

    id: BlockId
    age_s: int
    total: int
    at: int
    data: bytes


class Symbol(NamedTuple):
    """A symbol of a block of `total` bytes, sync.repair says which."""

    id: BlockId
    age_s: int
    total: int
    size: int
    place: int
    data: bytes


class Digest(NamedTuple):
    """A node's whole vector in a scope, by its digest; vouch: the node's own word for it, b"" from a relay."""

    node: int
    scope: int
    digest: bytes
    vouch: bytes = b""


class Delta(NamedTuple):
    """What changed since the vector `base`; `check` names the result."""

    node: int
    scope: int
    base: bytes
    check: bytes
    code: bytes
    vouch: bytes = b""


class Listing(NamedTuple):
    """Every source of some buckets from behind `after` to the last entry, or to the end where `last`; digest: of the vector."""

    node: int
    scope: int
    digest: bytes
    mask: int
    after: Source | None
    last: bool
    entries: tuple[tuple[Source, Ranges], ...]
    vouch: bytes = b""


class Need(NamedTuple):
    """The asker lacks a node's list (0: of everybody who hears this); it names a vector of it that it knows, if any, and gives
    the buckets of its guess."""

    node: int
    scope: int
    key: bytes = b""
    buckets: bytes = b""


class Got(NamedTuple):
    """The node `by` now knows this vector of a node: deltas may build on it."""

    by: int
    node: int
    scope: int
    key: bytes


class Behind(NamedTuple):
    """The node knows of urgent blocks that it lacks, beside what its list says: whoever can may send them."""

    node: int


class Partial(NamedTuple):
    """What a node holds of a block that is still unfinished: byte ranges, and how many repair symbols beside."""

    node: int
    id: BlockId
    got: Ranges
    spare: int = 0


Part = Whole | Piece | Symbol | Digest | Delta | Listing | Need | Got | Behind | Partial
_WHOLE, _PIECE = 2, 3  # kinds of form 0; 0 and 1 belong to carried media
_BEHIND: Final = 3  # instead of a scope
_DIGEST, _DELTA, _LISTING, _NEED, _GOT, _PARTIAL, _SYMBOL = range(1, 8)


def write_whole(block_id: BlockId, age_s: float, block: bytes) -> bytes:
    """5 or 6 bytes more than the block."""
    head = bytes((PART | _WHOLE,)) + block_id.incarnation.to_bytes(2, "big")
    return head + _age(age_s) + varint(len(block)) + block


def whole_size(size: int, age_s: float) -> int:
    """Bytes that a whole block of `size` bytes takes."""
    return 3 + len(_age(age_s)) + (1 if size < 128 else 2 if size < 16384 else 3) + size


def write_piece(block_id: BlockId, age_s: float, total: int, at: int, data: bytes) -> bytes:
    """12 bytes or so more than the data."""
    return piece_head(block_id, age_s, total, at) + varint(len(data)) + data


def piece_head(block_id: BlockId, age_s: float, total: int, at: int) -> bytes:
    """Everything of a piece before the length of its data."""
    return bytes((PART | _PIECE,)) + _id(block_id) + _age(age_s) + varint(total) + varint(at)


def write_symbol(block_id: BlockId, age_s: float, total: int, size: int, index: int, data: bytes) -> bytes:
    """`symbol_head` bytes at most more than the data."""
    head = _first(_SYMBOL, 0, b"") + _id(block_id) + _age(min(age_s, LONG_AGE))
    return head + varint(total) + varint(size) + bytes((index,)) + data


def symbol_head(block_id: BlockId, total: int) -> int:
    """Bytes of a symbol before its data, at most."""
    return 1 + len(_id(block_id)) + len(_age(LONG_AGE)) + len(varint(total)) + 2 + 1


def _age(age_s: float) -> bytes:
    return varint(min(max(int(age_s), 0), MOST_AGE - 1))


def _id(block_id: BlockId) -> bytes:
    head = varint(block_id.origin) + block_id.incarnation.to_bytes(2, "big") + bytes((block_id.lane,))
    return head + varint(block_id.number)


def write_digest(node: int, scope: int, digest: bytes, vouch: bytes) -> bytes:
    """8 bytes, 12 when vouched for."""
    return _first(_DIGEST, scope, vouch) + varint(node) + digest + vouch


def write_delta(node: int, scope: int, base: bytes, check: bytes, code: bytes, vouch: bytes) -> bytes:
    """7 bytes and the code, 11 when vouched for."""
    return _first(_DELTA, scope, vouch) + varint(node) + base + check + varint(len(code)) + code + vouch


def write_listing(
    node: int, scope: int, digest: bytes, mask: int, after: Source | None, last: bool, count: int, entries: bytes, vouch: bytes
) -> bytes:  # fmt: skip
    """11 bytes or more, and the entries."""
    edges = (after is not None) | last << 1
    behind = (
        b"" if after is None else varint(after.origin) + after.incarnation.to_bytes(2, "big") + bytes((after.lane,))
    )
    return _first(_LISTING, scope, vouch) + varint(node) + digest + bytes((mask, edges)) + behind + varint(count) + entries + vouch  # fmt: skip


def write_need(node: int, scope: int, key: bytes = b"", buckets: bytes = b"") -> bytes:
    """4 bytes, 28 with buckets."""
    return _first(_NEED, scope, buckets) + varint(node) + ((key or NO_KEY) + buckets if node else b"")


def write_behind(node: int) -> bytes:
    """2 or 3 bytes."""
    return _first(_NEED, _BEHIND, b"") + varint(node)


def write_got(by: int, node: int, scope: int, key: bytes) -> bytes:
    """5 bytes."""
    return _first(_GOT, scope, b"") + varint(by) + varint(node) + key


def write_partial(node: int, block_id: BlockId, got: Ranges, spare: int = 0) -> bytes:
    """11 bytes or so and 2 or more for each of MOST_GAPS ranges at most."""
    told = list(got)[:MOST_GAPS]
    out, after = _first(_PARTIAL, 0, b"") + varint(node) + _id(block_id) + varint(len(told)), 0
    for first, last in told:
        out += varint(first - after) + varint(last - first)
        after = last + 2
    return out + varint(spare)


def _first(form: int, scope: int, vouch: bytes) -> bytes:
    return bytes((PART | (VOUCHED if vouch else 0) | form << 2 | scope,))


def read_parts(data: bytes) -> tuple[Part, ...]:
    """Every part of a frame without its MAC; DecodeError when any is malformed: then none counts."""
    return _read_again(data) if len(data) <= SHORT else _read(data)


def _read(data: bytes) -> tuple[Part, ...]:
    reader = Reader(data)
    parts: list[Part] = []
    while reader.at < len(data):
        first = reader.byte()
        if first < PART:
            raise DecodeError("a bare block among parts")
        parts.append(_READERS[first >> 2 & 7](reader, first & 3, bool(first & VOUCHED)))
    return tuple(parts)


_read_again: Final = lru_cache(128)(_read)  # on the air a frame comes twice, and to every node of a simulation


def _read_block(reader: Reader, kind: int, vouched: bool) -> Part:
    if kind == _WHOLE and not vouched:
        incarnation = int.from_bytes(reader.take(2), "big")
        age_s = reader.uint(MOST_AGE)
        block = reader.take(reader.uint(MOST_BLOCK + 1))
        header, _ = Header.decode(block)
        return Whole(header.id(incarnation), age_s, block)
    if kind == _PIECE and not vouched:
        block_id, age_s, total, at = _read_id(reader), reader.uint(MOST_AGE), reader.uint(MOST_BLOCK + 1), 0
        at, size = reader.uint(MOST_BLOCK), reader.uint(MOST_BLOCK + 1)
        if not size or at + size > total:
            raise DecodeError("a piece beyond its block")
        return Piece(block_id, age_s, total, at, reader.take(size))
    raise DecodeError("unknown part")


def _read_id(reader: Reader) -> BlockId:
    origin, incarnation, lane = reader.uint(_NODE), int.from_bytes(reader.take(2), "big"), reader.byte()
    if lane > Lane.BULK or not origin:
        raise DecodeError("no such lane or origin")
    return BlockId(origin, incarnation, Lane(lane), reader.uint(_NUMBER))


def _read_digest(reader: Reader, scope: int, vouched: bool) -> Part:
    return Digest(_node(reader), _scope(scope), reader.take(DIGEST), _vouch(reader, vouched))


def _read_delta(reader: Reader, scope: int, vouched: bool) -> Part:
    node, base, check = _node(reader), reader.take(KEY), reader.take(KEY)
    code = reader.take(reader.uint(1 << 16))
    return Delta(node, _scope(scope), base, check, code, _vouch(reader, vouched))


def _read_listing(reader: Reader, scope: int, vouched: bool) -> Part:
    node, digest, mask, edges = _node(reader), reader.take(DIGEST), reader.byte(), reader.byte()
    if edges > 3:
        raise DecodeError("unknown edge of a list")
    after = None
    if edges & 1:
        origin, incarnation, lane = reader.uint(_NODE), int.from_bytes(reader.take(2), "big"), reader.byte()
        if lane > Lane.BULK:
            raise DecodeError("no such lane")
        after = Source(origin, incarnation, Lane(lane))
    count = reader.uint(1 << 13)
    entries = tuple(decode_entries(reader, count, _scope(scope)))
    if after is not None and entries and entries[0][0] <= after:
        raise DecodeError("an entry before the list begins")
    return Listing(node, scope, digest, mask, after, bool(edges & 2), entries, _vouch(reader, vouched))


def _read_need(reader: Reader, scope: int, bucketed: bool) -> Part:
    if scope == _BEHIND and not bucketed:
        return Behind(_node(reader))
    node = reader.uint(_NODE)
    key = reader.take(KEY) if node else NO_KEY
    buckets = reader.take(BUCKETS * BUCKET) if node and bucketed else b""
    return Need(node, _scope(scope), b"" if key == NO_KEY else key, buckets)


def _read_got(reader: Reader, scope: int, vouched: bool) -> Part:
    if vouched:
        raise DecodeError("unknown part")
    return Got(_node(reader), _node(reader), _scope(scope), reader.take(KEY))


def _read_partial(reader: Reader, scope: int, vouched: bool) -> Part:
    if scope or vouched:
        raise DecodeError("unknown part")
    node, block_id = _node(reader), _read_id(reader)
    got, after = Ranges(), 0
    for _ in range(reader.uint(MOST_GAPS + 1)):
        first = after + reader.uint(MOST_BLOCK)
        last = first + reader.uint(MOST_BLOCK)
        if last >= MOST_BLOCK:
            raise DecodeError("a range beyond any block")
        got.add(first, last)
        after = last + 2
    return Partial(node, block_id, got, reader.uint(INDEXES))


def _read_symbol(reader: Reader, scope: int, vouched: bool) -> Part:
    if scope or vouched:
        raise DecodeError("unknown part")
    block_id, age_s, total = _read_id(reader), reader.uint(MOST_AGE), reader.uint(MOST_BLOCK + 1)
    size, index = reader.uint(MOST_BLOCK), reader.byte()
    if not mendable(total, size):
        raise DecodeError("no such symbol")
    return Symbol(block_id, age_s, total, size, index, reader.take(size))


_READERS: Final[tuple[Callable[[Reader, int, bool], Part], ...]] = (
    _read_block, _read_digest, _read_delta, _read_listing, _read_need, _read_got, _read_partial, _read_symbol,
)  # fmt: skip


def _node(reader: Reader) -> int:
    node = reader.uint(_NODE)
    if not node:
        raise DecodeError("no such node")
    return node


def _scope(scope: int) -> int:
    if scope > Scope.ALL:
        raise DecodeError("unknown scope")
    return scope


def _vouch(reader: Reader, vouched: bool) -> bytes:
    return reader.take(VOUCH) if vouched else b""

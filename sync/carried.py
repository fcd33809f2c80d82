"""Frames of carried media: whole blocks, and a node's signed end list. docs/wire/bundle.md has the bytes; MACs are the caller's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from hardware.errors import DecodeError
from sync.codec.octets import Reader
from sync.ids import BlockId, Header, Lane, Source, varint
from sync.ranges import Ranges
from sync.seal.contract import SIGNATURE
from sync.seal.keyring import Keyring

BLOCKS: Final = 0xC0
ENDS: Final = 0xC1
MOST_SPANS: Final = 1 << 16  # of one source: bounded before it is stored
_NUMBER: Final = 1 << 42


class Carried(NamedTuple):
    """A whole block and its full id."""

    id: BlockId
    block: bytes


@dataclass(frozen=True, slots=True)
class Frame:
    """What one frame holds: blocks, or the end list of a node."""

    blocks: Sequence[Carried] = ()
    ends: tuple[int, Mapping[Source, Ranges]] | None = None


def blocks_frame(blocks: Iterable[Carried]) -> bytes:
    """A frame of whole blocks."""
    parts = [bytes((BLOCKS,))]
    for carried in blocks:
        parts += (carried.id.incarnation.to_bytes(2, "big") + varint(len(carried.block)), carried.block)
    return b"".join(parts)


def ends_frame(keyring: Keyring, have: Mapping[Source, Ranges]) -> bytes:
    """This node's end list, signed, so that it holds by any way and however late."""
    body = varint(keyring.origin)
    for source, numbers in sorted(have.items()):
        body += varint(source.origin) + source.incarnation.to_bytes(2, "big") + bytes((source.lane,))
        body += varint(numbers.spans) + _spans(numbers)
    return bytes((ENDS,)) + keyring.sign(_statement(keyring, body)) + body


def read_frame(keyring: Keyring, frame: bytes) -> Frame:
    """The frame's content, under whatever epoch it came: blocks prove themselves, and so does an end list, which its node signed.
    DecodeError when malformed, SealError when not believed."""
    if not frame:
        raise DecodeError("empty frame")
    if frame[0] == BLOCKS:
        return Frame(blocks=_blocks(Reader(frame, 1)))
    if frame[0] != ENDS:
        raise DecodeError(f"frame kind {frame[0]}")
    signature, body = frame[1 : 1 + SIGNATURE], frame[1 + SIGNATURE :]
    node, ends = _ends(Reader(body))
    keyring.verify(node, _statement(keyring, body), signature)
    return Frame(ends=(node, ends))


def _blocks(reader: Reader) -> list[Carried]:
    found = []
    while reader.at < len(reader.data):
        incarnation = int.from_bytes(reader.take(2), "big")
        block = reader.take(reader.uint(1 << 20))
        header, _ = Header.decode(block)
        found.append(Carried(header.id(incarnation), block))
    return found


def _ends(reader: Reader) -> tuple[int, dict[Source, Ranges]]:
    node = reader.uint(1 << 14)
    ends: dict[Source, Ranges] = {}
    while reader.at < len(reader.data):
        origin, incarnation, lane = reader.uint(1 << 14), int.from_bytes(reader.take(2), "big"), reader.byte()
        if lane > Lane.BULK or lane == Lane.PICTURE:
            raise DecodeError(f"lane {lane} in an end list")
        source = Source(origin, incarnation, Lane(lane))
        if source in ends:
            raise DecodeError("a source twice in an end list")
        ends[source] = _numbers(reader)
    return node, ends


def _spans(numbers: Ranges) -> bytes:
    """Each range as the gap before it and its length less one."""
    out, after = b"", 0
    for first, last in numbers:
        out += varint(first - after) + varint(last - first)
        after = last + 2
    return out


def _numbers(reader: Reader) -> Ranges:
    """Sorted, disjoint ranges by construction; DecodeError when there are too many or a number is too large."""
    numbers, after = Ranges(), 0
    for _ in range(reader.uint(MOST_SPANS + 1)):
        first = after + reader.uint(_NUMBER)
        last = first + reader.uint(_NUMBER)
        if last >= _NUMBER:
            raise DecodeError("number too large")
        numbers.add(first, last)
        after = last + 2
    return numbers


def _statement(keyring: Keyring, body: bytes) -> bytes:
    return b"sanduan end list" + keyring.incident + body

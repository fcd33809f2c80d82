"""Bytes of a terminal's line -> checked frames: 4.0 binary, ASCII sentences and NMEA interleaved; resynchronises in garbage."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import reduce
from operator import xor
from typing import Final

from hardware.gnss.framer import checksum

BINARY: Final = frozenset(
    b"ICJC ICXX XTZJ ZJXX GLJC GLZK SJXX TXSQ TXXX TXHZ DWSQ DWXX FKXX".split(),
)
HEAD: Final = 10  # `$`, four letters, length, own address
LONGEST_FRAME: Final = 512
LONGEST_LINE: Final = 4096  # 14,000 bits as hex digits make 3,500
_SENTENCE: Final = re.compile(rb"\$([A-Z][A-Z0-9]{2,}+[^$*\r\n]*+)\*([0-9A-Fa-f]{2})")
_OPEN: Final = re.compile(rb"\$[^$*\r\n]*+(?:\*[0-9A-Fa-f]?)?\Z")


@dataclass(frozen=True, slots=True)
class Frame:
    """A 4.0 frame: four letters, own address, body without checksum."""

    name: bytes
    own: int
    body: bytes


class Framer:
    """Bytes in; sentence bodies (bytes) and 4.0 Frames out. good, bad: right and wrong checksums; skipped: bytes of no frame."""

    def __init__(self) -> None:
        self.good = self.bad = self.skipped = 0
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes | Frame]:
        """Take bytes as they come; give what is now complete."""
        buffer, at = self._rest + data, 0
        found: list[bytes | Frame] = []
        while (start := buffer.find(b"$", at)) >= 0:
            self.skipped += start - at
            taken = (
                self._binary(buffer, start, found) if _is_binary(buffer, start) else self._text(buffer, start, found)
            )
            at = start
            if taken is None:
                break
            at = start + taken
        else:
            self.skipped += len(buffer) - at
            at = len(buffer)
        self._rest = buffer[at:]
        return found

    def _binary(self, buffer: bytes, at: int, found: list[bytes | Frame]) -> int | None:
        """Bytes used up at a 4.0 head, None when more are needed."""
        if len(buffer) - at < 7:
            return None
        size = int.from_bytes(buffer[at + 5 : at + 7])
        if not HEAD < size <= LONGEST_FRAME:
            return self._spoilt()
        frame = buffer[at : at + size]
        if len(frame) < size:
            return None
        if reduce(xor, frame, 0):
            return self._spoilt()
        self.good += 1
        found.append(Frame(frame[1:5], int.from_bytes(frame[7:10]), frame[10:-1]))
        return size

    def _text(self, buffer: bytes, at: int, found: list[bytes | Frame]) -> int | None:
        """Bytes used up at the start of a sentence, None when more are needed."""
        match = _SENTENCE.match(buffer, at)
        if match is None:
            if len(buffer) - at <= LONGEST_LINE and _OPEN.match(buffer, at):
                return None
            return self._spoilt()
        if len(match[0]) > LONGEST_LINE or checksum(match[1]) != int(match[2], 16):
            return self._spoilt()
        self.good += 1
        found.append(match[1])
        return match.end() - at

    def _spoilt(self) -> int:
        self.bad += 1
        return 1


def _is_binary(buffer: bytes, at: int) -> bool:
    """Whether a 4.0 name stands here and not an ASCII address that begins alike (four letters are never all of one)."""
    return buffer[at + 1 : at + 5] in BINARY


def binary_frame(name: bytes, own: int, body: bytes) -> bytes:
    """A whole 4.0 frame; the length counts every byte of it, the last byte makes the XOR of all 0."""
    frame = b"$" + name + (HEAD + len(body) + 1).to_bytes(2) + own.to_bytes(3) + body
    return frame + bytes([reduce(xor, frame)])

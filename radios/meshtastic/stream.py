"""The stream between a host and a Meshtastic radio: 0x94 0xC3, length u16 big-endian (<= 512), protobuf; sans-IO and total."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

START: Final = b"\x94\xc3"
HEADER: Final = 4
LONGEST: Final = 512
WAKE: Final = START[1:] * 32  # rouses a sleeping radio and ends a half-read frame on its side
LONGEST_LINE: Final = 512


@dataclass(frozen=True, slots=True)
class Payload:
    """The protobuf bytes of one frame."""

    data: bytes


@dataclass(frozen=True, slots=True)
class LogText:
    """A line of debug text that the radio wrote between frames."""

    line: str


def frame(payload: bytes) -> bytes:
    """`payload` (at most 512 bytes) as the stream carries it; ValueError when longer."""
    if len(payload) > LONGEST:
        raise ValueError(f"a stream frame holds {LONGEST} bytes, not {len(payload)}")
    return START + len(payload).to_bytes(2, "big") + payload


class Framer:
    """Bytes in by `feed`, events out by `next`; garbage, false starts and lying lengths are stepped over and counted."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._line = bytearray()
        self._last = b""
        self.frames = 0
        self.skipped = 0

    def feed(self, data: bytes) -> None:
        """Take bytes as they come, in any pieces."""
        self._buffer += data

    def next(self) -> Payload | LogText | None:
        """The next event, or None until more bytes come."""
        while self._buffer:
            at = self._buffer.find(START[0])
            aside = len(self._buffer) if at < 0 else at
            if aside:
                if (line := self._aside(aside)) is not None:
                    return line
                continue
            if self._false_start():
                self._drop(1)
                continue
            return self._take()
        return None

    def reject(self) -> None:
        """Look again for frames inside the last payload: it was no protobuf, so its length may have been false."""
        self._buffer[:0] = self._last[1:]
        self.skipped += len(self._last) and 1
        self._last = b""

    def _false_start(self) -> bool:
        head = self._buffer[:HEADER]
        if not START.startswith(bytes(head[:2])):
            return True
        return len(head) == HEADER and int.from_bytes(head[2:], "big") > LONGEST

    def _take(self) -> Payload | None:
        size = HEADER + int.from_bytes(self._buffer[2:HEADER], "big")
        if len(self._buffer) < HEADER or len(self._buffer) < size:
            return None
        self._last = bytes(self._buffer[:size])
        del self._buffer[:size]
        self.frames += 1
        return Payload(self._last[HEADER:])

    def _drop(self, count: int) -> None:
        del self._buffer[:count]
        self.skipped += count

    def _aside(self, count: int) -> LogText | None:
        """Move text up to the end of a line out of the buffer; at most `count` bytes."""
        end = self._buffer.find(b"\n", 0, count)
        taken = count if end < 0 else end + 1
        self._line += self._buffer[:taken]
        self._drop(taken)
        if end < 0 and len(self._line) <= LONGEST_LINE:
            return None
        text = bytes(self._line[:LONGEST_LINE]).decode("utf-8", "replace").strip("\r\n\0\ufffd")
        self._line.clear()
        return LogText(text) if text else None

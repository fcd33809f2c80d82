"""Bytes of a receiver -> checked sentence bodies; resynchronises inside binary and garbage."""

from __future__ import annotations

import re
from functools import reduce
from operator import xor
from typing import Final

MAX_LINE: Final = 1024  # longest line kept; RDSS carries up to ~500 bytes, NMEA 82
# An address has at least five characters, talker and formatter; shorter ones ($PSTI) are a vendor's own and not counted.
_SENTENCE: Final = re.compile(rb"\$([^$*,]{5}[^$*]*)\*([0-9A-Fa-f]{2})[ \t\r]*\Z")


def checksum(body: bytes) -> int:
    """XOR of the bytes between `$` and `*` (IEC 61162-1, 7.2.4)."""
    return reduce(xor, body, 0)


def sentence(body: bytes) -> bytes:
    """The body as it goes over a line: `$body*HH` CR LF."""
    return b"$%b*%02X\r\n" % (body, checksum(body))


class Framer:
    """Bytes in, bodies out: what stands between `$` and `*HH` of a line whose checksum holds.

    A sentence ends with a line feed and starts at the last `$` before it. Bodies stay bytes, since RDSS carries GB2312.
    good, bad: lines with a right and a wrong checksum; dropped: bytes of overlong lines.
    """

    def __init__(self) -> None:
        self.good = self.bad = self.dropped = 0
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes as they come; give the bodies that are now complete."""
        *lines, rest = (self._rest + data).split(b"\n")
        if len(rest) > MAX_LINE:
            self.dropped += len(rest) - MAX_LINE
            rest = rest[-MAX_LINE:]
        self._rest = rest
        return [body for line in lines if (body := self._check(line)) is not None]

    def _check(self, line: bytes) -> bytes | None:
        if line.startswith(b"#") and line.isascii():  # a remark in a capture, not receiver output
            return None
        found = _SENTENCE.search(line[-MAX_LINE:])
        if found is None:
            return None
        body = found[1]
        if checksum(body) != int(found[2], 16):
            self.bad += 1
            return None
        self.good += 1
        return body

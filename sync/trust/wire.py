"""Reading and writing of what trust puts on the wire: varints, short texts, fixed fields; only DecodeError leaves a reader."""

from __future__ import annotations

from hardware.errors import DecodeError
from sync.ids import read_varint, varint


def text(value: str, limit: int) -> bytes:
    """Length and UTF-8; ValueError when longer than `limit` bytes."""
    raw = value.encode()
    if len(raw) > limit:
        raise ValueError(f"longer than {limit} bytes: {value!r}")
    return varint(len(raw)) + raw


class Reader:
    """A cursor over bytes from outside."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def number(self, limit: int) -> int:
        """A varint below `limit`."""
        value, self._at = read_varint(self._data, self._at, limit)
        return value

    def take(self, size: int) -> bytes:
        """Exactly `size` bytes."""
        end = self._at + size
        if end > len(self._data):
            raise DecodeError("cut short")
        part, self._at = self._data[self._at : end], end
        return part

    def text(self, limit: int) -> str:
        """A text of at most `limit` bytes that can be shown on one line."""
        try:
            value = self.take(self.number(limit + 1)).decode()
        except UnicodeDecodeError:
            raise DecodeError("text is not UTF-8") from None
        if not value.isprintable():
            raise DecodeError("text has control characters")
        return value

    @property
    def left(self) -> int:
        """Bytes not read yet."""
        return len(self._data) - self._at

    @property
    def read(self) -> bytes:
        """What has been read so far."""
        return self._data[: self._at]

    def end(self) -> None:
        """DecodeError when bytes are left over."""
        if self.left:
            raise DecodeError(f"{self.left} bytes too many")

"""Fields of RDSS sentences: checked on the way in, formatted on the way out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from hardware.errors import DecodeError
from radios.rdss.payload import MIXED_MARK, Mode, Payload

_WHOLE: Final = re.compile(rb"\d{1,10}")
_REAL: Final = re.compile(rb"-?\d{1,8}(?:\.\d{0,8})?")
_TIME: Final = re.compile(rb"\d{4}(?:\d\d(?:\.\d{0,3})?)?")


class Fields:
    """The comma-separated fields after an address; every reader raises DecodeError for what is not there or not of its form."""

    def __init__(self, address: str, cells: Sequence[bytes]) -> None:
        self.address, self.cells = address, cells

    def __len__(self) -> int:
        return len(self.cells)

    def _cell(self, at: int) -> bytes:
        if at >= len(self.cells):
            raise DecodeError(f"rdss {self.address}: {len(self.cells)} fields only")
        return self.cells[at]

    def _matched(self, at: int, form: re.Pattern[bytes]) -> str:
        cell = self._cell(at)
        if not form.fullmatch(cell):
            raise DecodeError(f"rdss {self.address}: field {at + 1} is {cell[:20]!r}")
        return cell.decode("ascii")

    def whole(self, at: int, blank: int | None = None) -> int:
        """A decimal number; `blank` for an empty or absent field, where one is allowed."""
        if blank is not None and (at >= len(self.cells) or not self.cells[at]):
            return blank
        return int(self._matched(at, _WHOLE))

    def real(self, at: int, blank: float | None = None) -> float:
        """A decimal fraction."""
        if blank is not None and (at >= len(self.cells) or not self.cells[at]):
            return blank
        return float(self._matched(at, _REAL))

    def time(self, at: int) -> str:
        """hhmm, hhmmss or hhmmss.ss, "" for an empty field."""
        return self._matched(at, _TIME) if self._cell(at) else ""

    def word(self, at: int) -> str:
        """Letters."""
        cell = self._cell(at)
        if not cell.isalnum() or not cell.isascii():
            raise DecodeError(f"rdss {self.address}: field {at + 1} is {cell[:20]!r}")
        return cell.decode("ascii")

    def rest(self, at: int) -> bytes:
        """Everything from a field on, commas included."""
        self._cell(at)
        return b",".join(self.cells[at:])

    def angle(self, at: int) -> float:
        """ddmm.mmm and its hemisphere in the field after it -> signed degrees."""
        degrees, minutes = divmod(self.real(at), 100)
        value = degrees + minutes / 60
        if minutes >= 60 or value > 180:
            raise DecodeError(f"rdss {self.address}: field {at + 1} is no angle")
        return -value if self.word(at + 1) in ("S", "W") else value


def payload(mode: Mode, cell: bytes) -> Payload:
    """The payload field of a sentence: raw GBK, hex digits, or hex digits behind A4 (mixed)."""
    if mode is not Mode.MIXED:
        return Payload(mode, cell)
    try:
        value = bytes.fromhex(cell.decode("ascii"))
    except ValueError as error:
        raise DecodeError(f"rdss: {cell[:20]!r} is not mixed mode") from error
    if value[:1] != bytes([MIXED_MARK]):
        raise DecodeError("rdss: mixed mode without its mark A4")
    return Payload(mode, value[1:])


def payload_cell(item: Payload) -> bytes:
    """The inverse of `payload`."""
    if item.mode is not Mode.MIXED:
        return item.value
    return b"%02X" % MIXED_MARK + item.value.hex().upper().encode("ascii")


def degrees(value: float, digits: int, signs: str) -> str:
    """Signed degrees -> `ddmm.mmmm,N`."""
    whole, rest = divmod(round(abs(value) * 600_000), 600_000)
    return f"{whole:0{digits}d}{rest / 10_000:07.4f},{signs[value < 0]}"


def checked(address: str, number: int, least: int, most: int) -> int:
    """A number within its range; DecodeError otherwise."""
    if not least <= number <= most:
        raise DecodeError(f"rdss {address}: {number} is not within {least} to {most}")
    return number

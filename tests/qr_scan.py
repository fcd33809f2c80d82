"""An independent reader of QR codes, and the modules of one drawn in a terminal."""

from __future__ import annotations

import zxingcpp


def scan(rows: list[list[int]]) -> str:
    """What zxing reads from a picture of dark (1) and light (0) modules, magnified."""
    lines = [bytes(0 if module else 255 for module in row for _ in range(4)) for row in rows for _ in range(4)]
    image = memoryview(b"".join(lines)).cast("B", shape=[len(lines), len(lines[0])])
    (found,) = zxingcpp.read_barcodes(image)
    return str(found.text)


def modules(drawn: str) -> list[list[int]]:
    """The modules of a code drawn in half blocks: a filled half is light."""
    halves = {"█": (0, 0), "▀": (0, 1), "▄": (1, 0), " ": (1, 1)}
    out = []
    for line in drawn.splitlines():
        out += [[halves[cell][row] for cell in line] for row in (0, 1)]
    return out

"""One frame of the screen as an SVG file, for a report or the documentation; drawn without a terminal."""

from __future__ import annotations

import asyncio
import re
from html import escape, unescape
from pathlib import Path
from typing import Any, Final

from rich.cells import cell_len
from textual.pilot import Pilot

from hardware.errors import SanduanError
from tui.app import CommandScreen

SIZE: Final = (100, 30)
SETTLE_S: Final = 0.5  # so that what was read stands on the screen
FONTS: Final = "Sarasa Mono SC, Noto Sans Mono CJK SC, WenQuanYi Zen Hei Mono, monospace"
CELL: Final = 12.2  # Rich's width of a cell
_TEXT: Final = re.compile(r'(<text [^>]*x=")([\d.]+)("[^>]*textLength=")[\d.]+("[^>]*>)([^<]*)</text>')
_WORDS: Final = re.compile(r"[^\xa0]+(?:\xa0[^\xa0]+)*")


def picture(app: CommandScreen, path: Path, size: tuple[int, int] = SIZE) -> None:
    """Draw one frame and write it; SanduanError when the file cannot be written."""
    frames: list[str] = []

    async def take(pilot: Pilot[Any]) -> None:
        await asyncio.sleep(SETTLE_S)
        await pilot.pause()
        frames.append(app.export_screenshot(title="sanduan tui"))
        app.exit()

    app.run(headless=True, size=size, auto_pilot=take)
    try:
        path.write_text(widened(frames[0]), encoding="utf-8")
    except OSError as error:
        raise SanduanError(f"{path}: {error.strerror} (无法写入)") from None


def widened(svg: str) -> str:
    """Rich reckons a Chinese character as one cell, leaves columns to blanks and asks a server for its font; not so here."""
    svg = re.sub(r"<!--.*?-->\s*", "", svg)
    svg = re.sub(r"@font-face \{[^}]*\}\s*", "", svg).replace("Fira Code, monospace", FONTS)
    return _TEXT.sub(_placed, svg)


def _placed(found: re.Match[str]) -> str:
    """Each run of words at its own cell, so that columns stand in any font."""
    before, left, middle, after = found.group(1, 2, 3, 4)
    text = unescape(found[5])
    out = []
    for words in _WORDS.finditer(text):
        x = float(left) + CELL * cell_len(text[: words.start()])
        width = CELL * cell_len(words[0])
        out.append(f"{before}{x:.1f}{middle}{width:.1f}{after}{escape(words[0])}</text>")
    return "".join(out)

"""One frame of the screen as an SVG file, for a report or the documentation; drawn without a terminal."""

from __future__ import annotations

import asyncio
import re
from html import unescape
from pathlib import Path
from typing import Any, Final

from rich.cells import cell_len
from textual.pilot import Pilot

from hardware.errors import SanduanError
from tui.app import CommandScreen

SIZE: Final = (100, 30)
SETTLE_S: Final = 0.5  # so that what was read stands on the screen
FONTS: Final = "Sarasa Mono SC, Noto Sans Mono CJK SC, WenQuanYi Zen Hei Mono, monospace"
_TEXT: Final = re.compile(r'(<text [^>]*textLength=")([\d.]+)("[^>]*>)([^<]*)(</text>)')


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
    """Rich reckons a Chinese character as one cell wide, and asks a server for its font; neither is right here."""
    svg = re.sub(r"@font-face \{[^}]*\}\s*", "", svg).replace("Fira Code, monospace", FONTS)
    return _TEXT.sub(_wide, svg)


def _wide(found: re.Match[str]) -> str:
    text = unescape(found[4])
    if len(text) == 0:
        return found[0]
    length = float(found[2]) / len(text) * cell_len(text)
    return f"{found[1]}{length:.1f}{found[3]}{found[4]}{found[5]}"

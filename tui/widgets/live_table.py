"""A table for live values: the Line API, so that a refresh draws only the lines that changed.

Textual's DataTable redraws its whole widget for one cell (22.8 kB to the terminal); this one sends the dirty lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.symbols import State


class Cell(NamedTuple):
    """Text and what it says."""

    text: str
    state: State = State.INFO


class Head(NamedTuple):
    """A column: title, width in cells (0 takes what is left), right-aligned or not."""

    title: str
    width: int
    right: bool = False


Line = tuple[Cell, ...]


class LiveTable(ScrollView, can_focus=True):
    """Columns are fixed, rows are replaced as a whole by `show`; only lines that differ are drawn again."""

    DEFAULT_CSS = "LiveTable { height: 1fr; overflow-x: hidden; scrollbar-size-vertical: 1; }"

    def __init__(self, heads: Sequence[Head], empty: str = "", id: str | None = None) -> None:
        super().__init__(id=id)
        self._heads = tuple(heads)
        self._lines: list[Line] = []
        self._empty = empty
        self._styles: dict[State, Style] = {}
        self._head_style = Style(bold=True)

    def dress(self, styles: dict[State, Style], head: Style) -> None:
        """Take the colours of a theme; draws everything once."""
        self._styles, self._head_style = styles, head
        self.refresh()

    def head(self, heads: Sequence[Head], empty: str = "") -> None:
        """Change the columns (another language)."""
        self._heads, self._empty = tuple(heads), empty
        self.refresh()

    def show(self, lines: Sequence[Line]) -> int:
        """Replace the rows; returns how many lines had to be drawn again."""
        old, self._lines = self._lines, list(lines)
        if len(old) != len(self._lines):
            self.virtual_size = Size(self.size.width, len(self._lines) + 1)
            self.refresh()
            return len(self._lines)
        dirty = [y for y, (was, now) in enumerate(zip(old, self._lines)) if was != now]
        top = int(self.scroll_offset.y)
        for y in dirty:
            self.refresh_line(y + 1 - top)
        return len(dirty)

    def widths(self, total: int) -> list[int]:
        """Cell widths of the columns: the fixed ones, and the rest shared by those of width 0."""
        fixed = sum(head.width + 1 for head in self._heads if head.width)
        loose = [head for head in self._heads if not head.width]
        share = max(4, (total - fixed - len(loose)) // len(loose)) if loose else 0
        return [head.width or share for head in self._heads]

    def render_line(self, y: int) -> Strip:
        """The head stays on top; below it the rows at the scroll offset."""
        width = self.size.width
        ground = self._styles.get(State.INFO, Style())
        if y == 0:
            cells = [(head.title, self._head_style) for head in self._heads]
        else:
            index = y - 1 + int(self.scroll_offset.y)
            if index >= len(self._lines):
                text = self._empty if not self._lines and y == 1 else ""
                return Strip([Segment(set_cell_size(f" {text}", width), ground)])
            cells = [(cell.text, self._styles.get(cell.state, Style())) for cell in self._lines[index]]
        return self._strip(cells, width, ground)

    def _strip(self, cells: Sequence[tuple[str, Style]], width: int, ground: Style) -> Strip:
        segments: list[Segment] = []
        for (text, style), size, head in zip(cells, self.widths(width), self._heads):
            segments += [Segment(fit(text, size, head.right), style), Segment(" ", ground)]
        return Strip(segments).adjust_cell_length(width, ground)


def fit(text: str, size: int, right: bool = False) -> str:
    """Exactly `size` cells; what does not fit ends in ~, so that a cut value is never mistaken for a whole one."""
    text = text.replace("\n", " ")
    length = cell_len(text)
    if length > size:
        return set_cell_size(set_cell_size(text, size - 1) + "~", size) if size > 1 else "~"
    pad = " " * (size - length)
    return pad + text if right else text + pad

"""A table for live values: the Line API, so that a refresh draws only the lines that changed.

Textual's DataTable redraws its whole widget for one cell (22.8 kB to the terminal); this one sends the dirty lines.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import ClassVar, NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.events import Blur, Click, Focus, Resize
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.symbols import State


class Cell(NamedTuple):
    """Text and what it says."""

    text: str
    state: State = State.INFO


class Head(NamedTuple):
    """A column: title, width in cells (0 takes what is left), right-aligned or not; shown in tables of `room` cells or more."""

    title: str
    width: int
    right: bool = False
    room: int = 0


Line = tuple[Cell, ...]


class LiveTable(ScrollView, can_focus=True):
    """Columns are fixed, rows are replaced as a whole by `show`; only lines that differ are drawn again.

    While focused one line is chosen; it stays with its row when rows move, and in view. `chosen` is that row's name. top: where rows
    come in at the top, the first line stays chosen until another is.
    """

    DEFAULT_CSS = "LiveTable { height: 1fr; overflow-x: hidden; scrollbar-size-vertical: 1; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)"),
        Binding("down", "move(1)"),
        Binding("pageup", "move(-10)"),
        Binding("pagedown", "move(10)"),
        Binding("home", "move(-100000)"),
        Binding("end", "move(100000)"),
        Binding("enter", "open"),
    ]

    class Opened(Message):
        """Enter, or a click on the chosen line: somebody wants to know more about the row of that name."""

        def __init__(self, table: LiveTable, name: Hashable) -> None:
            super().__init__()
            self.table, self.name = table, name

        @property
        def control(self) -> LiveTable:
            """The table."""
            return self.table

    def __init__(self, heads: Sequence[Head], empty: str = "", id: str | None = None, top: bool = False) -> None:
        super().__init__(id=id)
        self._top = top
        self._heads = tuple(heads)
        self._lines: list[Line] = []
        self._names: list[Hashable] = []
        self._at = 0
        self._empty = empty
        self._styles: dict[State, Style] = {}
        self._head_style, self._chosen_style = Style(bold=True), Style(reverse=True)

    @property
    def chosen(self) -> Hashable:
        """The name of the chosen row; None without rows."""
        return self._names[self._at] if self._at < len(self._names) else None

    def dress(self, styles: dict[State, Style], head: Style, chosen: Style) -> None:
        """Take the colours of a theme; draws everything once."""
        self._styles, self._head_style, self._chosen_style = styles, head, chosen
        self.refresh()

    def head(self, heads: Sequence[Head], empty: str = "") -> None:
        """Change the columns (another language)."""
        self._heads, self._empty = tuple(heads), empty
        self.refresh()

    def show(self, lines: Sequence[Line], names: Sequence[Hashable] = ()) -> int:
        """Replace the rows, each with a name that it keeps; returns how many lines had to be drawn again."""
        chosen, before = self.chosen, self._at
        old, self._lines = self._lines, list(lines)
        self._names = list(names) or list(range(len(self._lines)))
        if before or not self._top:
            self._at = self._names.index(chosen) if chosen in self._names else min(before, max(len(self._names) - 1, 0))
        moved = self._at != before and self.has_focus
        if len(old) != len(self._lines):
            self._fit()
            self.refresh()
        if moved:
            self._reveal()
        if len(old) != len(self._lines):
            return len(self._lines)
        dirty = {y for y, (was, now) in enumerate(zip(old, self._lines)) if was != now}
        if moved:
            dirty |= {before, self._at}
        for y in dirty:
            self._draw(y)
        return len(dirty)

    def _fit(self) -> None:
        self.virtual_size = Size(self.size.width, len(self._lines) + 1)

    def _draw(self, index: int) -> None:
        self.refresh_line(index + 1 - int(self.scroll_offset.y))

    def on_resize(self, event: Resize) -> None:
        """Scroll within the new size."""
        self._fit()

    def on_focus(self, event: Focus) -> None:
        """Show which line is chosen."""
        self._draw(self._at)

    def on_blur(self, event: Blur) -> None:
        """Choose none, and show what stands on top: what is new must not stay out of sight because somebody looked further down."""
        self._draw(self._at)
        self._at = 0
        self.scroll_to(y=0, animate=False)

    def on_click(self, event: Click) -> None:
        """Choose the line clicked on; a second click opens it."""
        index = event.y - 1 + int(self.scroll_offset.y)
        if event.y >= 1 and 0 <= index < len(self._lines):
            if index == self._at:
                self.action_open()
            self.action_move(index - self._at)

    def action_move(self, by: int) -> None:
        """Choose another line and bring it into view."""
        before, self._at = self._at, max(0, min(self._at + by, len(self._lines) - 1))
        self._draw(before)
        self._draw(self._at)
        self._reveal()

    def _reveal(self) -> None:
        """Bring the chosen line into view."""
        rows, top = self.size.height - 1, int(self.scroll_offset.y)
        if not top <= self._at < top + rows:
            self.scroll_to(y=self._at if self._at < top else self._at - rows + 1, animate=False)

    def action_open(self) -> None:
        """Tell that more is wanted."""
        if self._lines:
            self.post_message(self.Opened(self, self.chosen))

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Everything moves when the offset does."""
        super().watch_scroll_y(old_value, new_value)
        self.refresh()

    def _widths(self, total: int) -> list[int]:
        """Cell widths of the columns: 0 without room for it, the fixed ones, and the rest shared by those of width 0."""
        shown = [head for head in self._heads if total >= head.room]
        fixed = sum(head.width + 1 for head in shown if head.width)
        loose = sum(not head.width for head in shown)
        share = max(4, (total - fixed - loose) // loose) if loose else 0
        return [(head.width or share) if head in shown else 0 for head in self._heads]

    def render_line(self, y: int) -> Strip:
        """The head stays on top; below it the rows at the scroll offset."""
        width = self.size.width
        ground = self._styles.get(State.INFO, Style())
        if y == 0:
            return self._strip([(head.title, self._head_style) for head in self._heads], width, self._head_style)
        index = y - 1 + int(self.scroll_offset.y)
        if index >= len(self._lines):
            text = self._empty if not self._lines and y == 1 else ""
            return Strip([Segment(set_cell_size(f" {text}", width), ground)])
        extra = self._chosen_style if index == self._at and self.has_focus else Style()
        cells = [(cell.text, self._styles.get(cell.state, Style()) + extra) for cell in self._lines[index]]
        return self._strip(cells, width, ground + extra)

    def _strip(self, cells: Sequence[tuple[str, Style]], width: int, ground: Style) -> Strip:
        segments: list[Segment] = []
        for (text, style), size, head in zip(cells, self._widths(width), self._heads):
            if not size:
                continue
            segments += [Segment(fit(text, size, head.right), style), Segment(" ", ground)]
        return Strip(segments).adjust_cell_length(width, ground).simplify()


def fit(text: str, size: int, right: bool = False) -> str:
    """Exactly `size` cells; what does not fit ends in ~, so that a cut value is never mistaken for a whole one."""
    text = text.replace("\n", " ")
    length = cell_len(text)
    if length > size:
        return set_cell_size(set_cell_size(text, size - 1) + "~", size) if size > 1 else "~"
    pad = " " * (size - length)
    return pad + text if right else text + pad

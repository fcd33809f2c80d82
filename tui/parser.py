"""argparse in two languages: headings, help and errors that a person can read, lines broken by cells, not characters."""

from __future__ import annotations

import re
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from difflib import get_close_matches
from typing import Any, Final, NoReturn
from unicodedata import east_asian_width

from tui.words import Said

WRONG: Final = 2
HEADINGS: Final[dict[str, Said]] = {
    "usage": ("用法: ", "usage: "),
    "options": ("选项", "options"),
    "arguments": ("参数", "arguments"),
    "help": ("显示本说明", "show this help"),
    "near": ("是否为 {words}?", "did you mean {words}?"),
    "choices": ("可用:{words}", "there are {words}"),
    "more": ("`{prog} --help` 有说明。", "`{prog} --help` tells more."),
}
# argparse's own words -> what a person is told; groups of the pattern fill {0}, {1}.
ERRORS: Final[tuple[tuple[re.Pattern[str], Said], ...]] = tuple(
    (re.compile(pattern), said)
    for pattern, said in (
        (r"the following arguments are required: (.*)", ("缺少参数:{0}", "missing: {0}")),
        (r"argument (\S+): invalid choice: (.*) \(choose from (.*)\)", ("{0} 没有 {1};{2}", "{0}: there is no {1}; {2}")),
        (r"argument (\S+): expected .*", ("{0} 后面缺少值", "{0} needs a value")),
        (r"argument (\S+): invalid int value: (.*)", ("{0} 应为整数,不是 {1}", "{0} is a whole number, not {1}")),
        (r"argument (\S+): invalid float value: (.*)", ("{0} 应为数,不是 {1}", "{0} is a number, not {1}")),
        (r"unrecognized arguments: (.*)", ("多余的参数:{0}", "not understood: {0}")),
    )
)  # fmt: skip


def cells(text: str) -> int:
    """Cells that a text takes on a terminal."""
    return sum(1 + (east_asian_width(char) in "WF") for char in text)


class Formatter(RawDescriptionHelpFormatter):
    """Breaks lines of Chinese text where they end on the terminal."""

    def __init__(self, prog: str, which: int) -> None:
        super().__init__(prog, max_help_position=22)
        self._which = which

    def add_usage(self, usage: Any, actions: Any, groups: Any, prefix: str | None = None) -> None:
        """The usage under its own heading."""
        super().add_usage(usage, actions, groups, HEADINGS["usage"][self._which] if prefix is None else prefix)

    def _split_lines(self, text: str, width: int) -> list[str]:
        lines = [""]
        for word in re.findall(r"[⺀-￯]|[^\s⺀-￯]+|\s+", text):
            if lines[-1] and cells(lines[-1] + word) > width:
                lines.append("")
            lines[-1] += word if lines[-1] else word.lstrip()
        return [line.rstrip() for line in lines]


class Parser(ArgumentParser):
    """A parser that speaks one language; which: its column in HEADINGS."""

    def __init__(self, which: int, **options: Any) -> None:
        super().__init__(formatter_class=lambda prog: Formatter(prog, which), add_help=False, **options)
        self._which = which
        self._positionals.title, self._optionals.title = HEADINGS["arguments"][which], HEADINGS["options"][which]
        self.add_argument("-h", "--help", action="help", help=HEADINGS["help"][which])

    def error(self, message: str) -> NoReturn:
        """Say what is wrong in words, with the word that was probably meant; status 2."""
        more = HEADINGS["more"][self._which].format(prog=self.prog)
        print(f"{self.prog}: {explained(message, self._which)}\n{more}", file=sys.stderr)
        raise SystemExit(WRONG)


def explained(message: str, which: int) -> str:
    """One of argparse's complaints in plain words."""
    for pattern, said in ERRORS:
        if found := pattern.fullmatch(message):
            groups = list(found.groups())
            return said[which].format(*groups[:2], *(_meant(groups[1], each, which) for each in groups[2:]))
    return message


def _meant(given: str, choices: str, which: int) -> str:
    """The choice that was probably meant, or all of them."""
    words = [word.strip("'\"") for word in choices.split(", ")]
    close = get_close_matches(given.strip("'\""), words, 1, 0.6)
    return HEADINGS["near" if close else "choices"][which].format(words=", ".join(close or words))

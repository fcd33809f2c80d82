"""The phrase book: what rescuers say all day, by number, in Chinese and English (docs/wire/text.md).

Numbers are never reused and meanings never change; new phrases get new numbers. `{}` stands for an argument, in the same
order in both languages. A reader that does not know a number shows the number and the arguments.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal, TypeAlias

from sync.codec.phrase_table import TABLE

VERSION: Final = 1
Language: TypeAlias = Literal["zh", "en"]
Argument: TypeAlias = int | str


@dataclass(frozen=True, slots=True)
class Phrase:
    """One row of the book; `group` is its hundred: 1 orders, 2 reports, 3 danger, 4 medical, 5 supplies and links, 6 answers."""

    number: int
    zh: str
    en: str

    @property
    def group(self) -> int:
        """The hundred it stands in."""
        return self.number // 100

    @property
    def arguments(self) -> int:
        """How many arguments it takes."""
        return self.zh.count("{}")

    def text(self, language: Language, arguments: Sequence[Argument] = ()) -> str:
        """The phrase in words; missing arguments show as "?", further ones follow."""
        words = self.zh if language == "zh" else self.en
        filled = [str(argument) for argument in arguments]
        rest = filled[self.arguments :]
        return " ".join([words.format(*filled, *["?"] * (self.arguments - len(filled))), *rest])


def _rows() -> dict[int, Phrase]:
    out: dict[int, Phrase] = {}
    for line in TABLE.strip().splitlines():
        number, zh, en = (part.strip() for part in line.split("|"))
        out[int(number)] = Phrase(int(number), zh, en)
    return out


PHRASES: Final[dict[int, Phrase]] = _rows()


def words(number: int, arguments: Sequence[Argument] = (), language: Language = "zh") -> str:
    """A phrase as text; an unknown number as "#number" with its arguments."""
    found = PHRASES.get(number)
    return found.text(language, arguments) if found else " ".join([f"#{number}", *map(str, arguments)])


def match(text: str) -> tuple[int, list[Argument]] | None:
    """The phrase and arguments that say exactly this text, in either language; None when the book has none such."""
    for phrase, language, pattern in _patterns():
        found = pattern.fullmatch(text)
        if found:
            given: list[Argument] = [
                int(part) if re.fullmatch("0|[1-9][0-9]{0,8}", part) else part for part in found.groups()
            ]
            if phrase.text(language, given) == text:
                return phrase.number, given
    return None


@cache
def _patterns() -> tuple[tuple[Phrase, Language, re.Pattern[str]], ...]:
    """Longer phrases first, so that the most telling one is found."""
    languages: tuple[Language, ...] = ("zh", "en")
    rows = [(p, lang, p.zh if lang == "zh" else p.en) for p in PHRASES.values() for lang in languages]
    rows.sort(key=lambda row: (row[2].count("{}"), -len(row[2])))
    return tuple(
        (phrase, lang, re.compile(re.escape(said).replace(r"\{\}", "(.{1,24}?)"))) for phrase, lang, said in rows
    )

"""Make sync/codec/words_1.bin: words in groups of falling frequency, and how likely each group is after what.

General frequencies come from a list of "word count tag" lines (the dictionary of jieba 0.42.1, MIT licence), the field's own
from field_words.txt beside this file, and from the phrase book. None of the messages that bench/text.py measures is used.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import zstandard

from sync.codec.phrases import PHRASES
from sync.codec.text import MAX_WORD, Model, split

HERE: Final = Path(__file__).parent
OUT: Final = HERE.parent / "sync/codec/words_1.bin"
# Words that need no counting, each row a group: class and words.
FIXED: Final = (
    ("digit", "0123456789"),
    ("sign", "，。, "),
    ("sign", "：:？?.、"),
    ("sign", "；;！!-+()（）“”%/*#=@&<>《》…—·~_°℃\t\x27\x22"),
    ("latin", "abcdefghijklmnopqrstuvwxyz"),
    ("letter", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
)
CLASSES: Final = (
    "start", "digit", "sign", "latin", "letter", "english", "rare", "noun", "verb", "adjective", "number", "measure", "pronoun", "adverb", "locative",
    "time", "name", "preposition", "particle",
)  # fmt: skip
# First letter of a tag of the general list -> class; its two-letter tags "nr", "ns", "nt" are names.
TAGS: Final = {
    "n": "noun", "v": "verb", "a": "adjective", "b": "adjective", "z": "adjective", "m": "number", "q": "measure", "r": "pronoun",
    "d": "adverb", "f": "locative", "s": "locative", "t": "time", "p": "preposition", "c": "preposition", "u": "particle",
    "y": "particle", "e": "particle", "o": "particle",
}  # fmt: skip
WIDER: Final = 1.6  # each next group has so many times the words
BELIEF: Final = 30  # words of sentences that outweigh what the list says about classes
ROUNDS: Final = 4
ENDS, ESCAPES = 0.08, 0.0004  # how likely a text's end and a character of no list are
END, LOST = -1, -2
FIRST: Final = 2  # words in a class's first group
KEPT: Final = (0.35, 0.25, 0.4)  # how much general counts, the field's list and its sentences weigh


def hanzi() -> Iterator[str]:
    """Every character of GB 2312's two levels."""
    for row in range(0xB0, 0xF8):
        for cell in range(0xA1, 0xFF):
            try:
                yield bytes((row, cell)).decode("gb2312")
            except UnicodeDecodeError:
                continue


def field() -> tuple[Counter[str], list[str]]:
    """Words of the field with counts, and its sentences."""
    words: Counter[str] = Counter()
    sentences = [
        text for phrase in PHRASES.values() for text in (phrase.zh.replace("{}", "3"), phrase.en.replace("{}", "3"))
    ]
    for line in (HERE / "field_words.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("="):
            words.update(word if not word.isascii() else " " + word for word in line[2:].split())
        elif not line.startswith("#"):
            sentences.append(line)
    return words, sentences


def general(path: Path) -> tuple[Counter[str], dict[str, str]]:
    """Words of a general list, as far as the coder can use them; and the class of each."""
    counts: Counter[str] = Counter()
    classes: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        word, count, tag, *_ = [*line.split(" "), "n"]
        if len(word) <= MAX_WORD and not word.isascii():
            counts[word] += int(count)
            classes[word] = "name" if tag in ("nr", "ns", "nt", "nrt", "nrfg") else TAGS.get(tag[:1], "noun")
    return counts, classes


def share(counts: Counter[str]) -> dict[str, float]:
    """Counts as parts of one."""
    total = counts.total()
    return {word: count / total for word, count in counts.items()}


def ranked(parts: Sequence[dict[str, float]], size: int) -> dict[str, float]:
    """The `size` likeliest words, most likely first; every character of GB 2312 and every word of the field among them."""
    fixed = set("".join(words for _, words in FIXED))
    must = {*hanzi(), *parts[1]}
    score = {word: 0.0 for part in parts for word in part} | dict.fromkeys(must, 0.0)
    for word in score:
        score[word] = sum(weight * part.get(word, 0.0) for weight, part in zip(KEPT, parts)) or 1e-9
    order = sorted((word for word in score if word not in fixed), key=lambda word: (-score[word], word))
    return {word: score[word] for at, word in enumerate(order) if at < size or word in must}


def grouped(words: dict[str, float], classes: dict[str, str]) -> tuple[list[list[str]], list[str], list[float]]:
    """Groups of falling frequency within each class; the class and the mass of each."""
    groups, names, mass = [list(row) for _, row in FIXED], [name for name, _ in FIXED], [0.01] * len(FIXED)
    for name in CLASSES:
        own = [word for word in words if class_of(word, classes) == name]
        at, size = 0, float(FIRST)
        while at < len(own):
            part = own[at : at + int(size)]
            groups.append(part)
            names.append(name)
            mass.append(sum(words[word] for word in part))
            at, size = at + int(size), size * WIDER
    return groups, names, mass


def class_of(word: str, classes: dict[str, str]) -> str:
    """The class of a listed word; one that only the field knows counts as a noun, a lone character as rare."""
    if word.isascii():
        return "english"
    return classes.get(word) or ("noun" if len(word) > 1 else "rare")


def laws(names: list[str], mass: list[float], counted: dict[str, Counter[int]]) -> list[list[int]]:
    """Weights of END, ESCAPE and groups by the class before: classes as counted in sentences, groups by their mass in the list."""
    of_class = by_class(names, mass)
    total = sum(mass)
    rows = []
    for name in CLASSES:
        row = counted.get(name, Counter())
        seen, doubt = by_class(names, [row[at] for at in range(len(names))]), BELIEF / (BELIEF + row.total())
        odds = {
            each: doubt * of_class[each] / total + (1 - doubt) * seen[each] / max(1, row.total()) for each in CLASSES
        }
        ends = doubt * ENDS + (1 - doubt) * row[END] / max(1, row.total())
        weights = [ends, ESCAPES, *(odds[each] * part / of_class[each] for each, part in zip(names, mass))]
        rows.append([max(1, round(100_000 * weight)) for weight in weights])
    return rows


def by_class(names: list[str], values: Sequence[float]) -> dict[str, float]:
    """Values of groups summed up by their class."""
    sums = dict.fromkeys(CLASSES, 0.0)
    for name, value in zip(names, values):
        sums[name] += value
    return sums


def run(general_words: str = "dict.txt", size: int = 16_000) -> dict[str, Any]:
    """Train from a general word list and write the model; sizes of what was made."""
    counts, classes = general(Path(general_words))
    listed, sentences = field()
    common, own, seen = share(counts), share(listed), dict[str, float]()
    counted: dict[str, Counter[int]] = {}
    for _ in range(ROUNDS):
        groups, names, mass = grouped(ranked((common, own, seen), size), classes)
        weights = laws(names, mass, counted)
        words = Model.of(groups, [CLASSES.index(name) for name in names], weights)
        parts = [split(sentence, words) for sentence in sentences]
        seen = share(Counter(part for sentence in parts for part in sentence))
        groups, names, mass = grouped(ranked((common, own, seen), size), classes)
        counted = count(parts, groups, names)
    weights = laws(names, mass, counted)
    plain = json.dumps(
        {"groups": ["\n".join(g) for g in groups], "classes": [CLASSES.index(name) for name in names], "laws": weights},
        ensure_ascii=False,
        separators=(",", ":"),
    )
    OUT.write_bytes(zstandard.ZstdCompressor(level=19).compress(plain.encode()))
    return {
        "words": sum(map(len, groups)),
        "groups": len(groups),
        "sentences": len(sentences),
        "bytes": OUT.stat().st_size,
    }


def count(parts: Iterable[list[str]], groups: list[list[str]], names: list[str]) -> dict[str, Counter[int]]:
    """How often each group, END and ESCAPE (negative) came after a word of each class."""
    where = {word: at for at, words in enumerate(groups) for word in words}
    counted = {name: Counter[int]() for name in CLASSES}
    for sentence in parts:
        before = CLASSES[0]
        for word in sentence:
            at = where.get(word)
            counted[before][LOST if at is None else at] += 1
            before = CLASSES[0] if at is None else names[at]
        counted[before][END] += 1
    return counted

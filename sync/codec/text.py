"""Short texts, Chinese first: words of a shared list, each costing what its rank is worth, stacked without a bit lost
(docs/wire/text.md). Long texts and other scripts go through zstd or as they are; the smallest wins.

The list (words_1.bin) is made by `python -m bench train_text`; its version is the method's number, so a new list is a new method.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from math import log2
from pathlib import Path
from typing import Any, Final, NamedTuple

import zstandard

from hardware.errors import DecodeError
from sync.codec.packing import deflate, inflate
from sync.codec.stack import StackReader, StackWriter, Table

MAX_TEXT: Final = 1 << 16  # bytes of UTF-8 that a text may expand to
MAX_STACKED: Final = 512  # characters that are worth the stack
MAX_WORD: Final = 8
_METHODS: Final = 8
_PLAIN, _ZSTD, _WORDS = 0, 1, 2
_POINTS: Final = 0x110000
END, ESCAPE = 0, 1  # symbols: a text's end; a character of no list, which follows as its code point


class Token(NamedTuple):
    """A word of the list: the symbol of its group, and its place in the group."""

    symbol: int
    place: int


@dataclass(frozen=True, slots=True)
class Model:
    """The word list in groups of equally likely words of one class. The class of the word before chooses the law, over END,
    ESCAPE and the groups; at a text's start and after an escape it is class 0."""

    groups: tuple[tuple[str, ...], ...]  # by symbol; none at END and ESCAPE
    classes: tuple[int, ...]
    laws: tuple[Table, ...]
    tokens: dict[str, Token]
    costs: tuple[tuple[int, ...], ...]  # in 1/256 bit, by class before and symbol

    @classmethod
    def of(cls, groups: Sequence[Sequence[str]], classes: Sequence[int], weights: Sequence[Sequence[int]]) -> Model:
        """From groups of words, the class of each, and for each class the weights of END, ESCAPE and the groups."""
        every = ((), (), *map(tuple, groups))
        tokens = {word: Token(at, place) for at, words in enumerate(every) for place, word in enumerate(words)}
        laws = tuple(Table.of(row) for row in weights)
        spread = [1, _POINTS, *map(len, groups)]
        costs = tuple(tuple(_bits(law, symbol, count) for symbol, count in enumerate(spread)) for law in laws)
        return cls(every, (0, 0, *classes), laws, tokens, costs)


@cache
def model() -> Model:
    """The shipped list."""
    raw = Path(__file__).with_name("words_1.bin").read_bytes()
    found: dict[str, Any] = json.loads(zstandard.ZstdDecompressor().decompress(raw, max_output_size=1 << 22))
    return Model.of([words.split("\n") for words in found["groups"]], found["classes"], found["laws"])


def write_text(writer: StackWriter, text: str, words: Model | None = None) -> None:
    """Put a text on a stack, word by word, ended by the list's own end."""
    words = words or model()
    before = 0
    for part in split(text, words):
        token = words.tokens.get(part)
        symbol = token.symbol if token else ESCAPE
        writer.put(words.laws[before], symbol)
        if token:
            writer.uniform(token.place, len(words.groups[symbol]))
        else:
            writer.uniform(ord(part), _POINTS)
        before = words.classes[symbol]
    writer.put(words.laws[before], END)


def read_text(reader: StackReader, words: Model | None = None) -> str:
    """Take a text off a stack; DecodeError when it is not one."""
    words = words or model()
    out: list[str] = []
    before = size = 0
    while (symbol := reader.take(words.laws[before])) != END:
        if symbol == ESCAPE:
            out.append(_character(reader.uniform(_POINTS)))
        else:
            out.append(words.groups[symbol][reader.uniform(len(words.groups[symbol]))])
        before = words.classes[symbol]
        size += len(out[-1])
        if size > MAX_STACKED:
            raise DecodeError("text too long")
    return "".join(out)


def encode_text(text: str) -> bytes:
    """The fewest bytes; ValueError when it has unpaired surrogates or is longer than MAX_TEXT bytes of UTF-8."""
    raw = text.encode()
    if len(raw) > MAX_TEXT:
        raise ValueError("text too long")
    ways = [raw + bytes((_PLAIN,)), deflate(raw) + bytes((_ZSTD,))]
    if len(text) <= MAX_STACKED:
        writer = StackWriter()
        writer.uniform(_WORDS, _METHODS)
        write_text(writer, text)
        ways.append(writer.bytes())
    return min(ways, key=len)


def decode_text(data: bytes) -> str:
    """The inverse of encode_text; DecodeError on anything else."""
    method = data[-1] % _METHODS if data else -1
    if method == _WORDS:
        reader = StackReader(data)
        reader.uniform(_METHODS)
        text = read_text(reader)
        reader.end()
        return text
    if method not in (_PLAIN, _ZSTD) or data[-1] != method:
        raise DecodeError("text: unknown method")
    raw = inflate(data[:-1], MAX_TEXT) if method == _ZSTD else data[:-1]
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise DecodeError("text is not UTF-8") from error


def split(text: str, words: Model) -> list[str]:
    """The cheapest way to make a text of words of the list and single characters."""
    best: list[dict[int, tuple[int, int, int]]] = [{0: (0, -1, -1)}, *({} for _ in text)]
    for at in range(len(text)):
        for size in range(1, min(MAX_WORD, len(text) - at) + 1):
            token = words.tokens.get(text[at : at + size])
            if token is None and size > 1:
                continue
            symbol = token.symbol if token else ESCAPE
            cost, before = min(
                (cost + words.costs[before][symbol], before) for before, (cost, _, _) in best[at].items()
            )
            ends, after = best[at + size], words.classes[symbol]
            if after not in ends or cost < ends[after][0]:
                ends[after] = cost, at, before
    at = len(text)
    before = min(best[at], key=lambda c: best[at][c][0] + words.costs[c][END])
    cuts = [at]
    while at > 0:
        _, at, before = best[at][before]
        cuts.append(at)
    return [text[start:stop] for start, stop in pairwise(reversed(cuts))]


def _character(point: int) -> str:
    if 0xD800 <= point < 0xE000:
        raise DecodeError("text: half a surrogate pair")
    return chr(point)


def _bits(law: Table, symbol: int, count: int) -> int:
    """What a symbol and one of `count` after it cost, in 1/256 bit; only the encoder uses it."""
    share = law.starts[symbol + 1] - law.starts[symbol]
    return round(256 * (14 - log2(share) + log2(count)))

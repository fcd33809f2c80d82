"""Short texts: every candidate on the same messages of the field, none of which was used to make the word list.

`words` is what the toolkit sends. The others stand beside it: plain encodings, zstd with and without a dictionary, BOCU-1, a static
Huffman code and a static pair model of characters (their frequencies from the same word list and the same sentences).
Times are seconds of CPU on this machine, one thread.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from functools import cache
from heapq import heapify, heappop, heappush
from math import ceil, log2
from pathlib import Path
from time import process_time
from typing import Any, Final

import zstandard

from bench.train_text import field
from sync.codec.phrases import PHRASES, match
from sync.codec.text import decode_text, encode_text, model

MESSAGES: Final = Path(__file__).parent.parent / "tests/data/messages.txt"
MAGIC: Final = 4  # bytes of a zstd frame that need not travel
Sizer = Callable[[str], int]


def weighted() -> Iterator[tuple[str, float]]:
    """Words of the list with about their frequencies, then the sentences of the field."""
    words = model()
    law = words.laws[0]
    for symbol, group in enumerate(words.groups):
        share = (law.starts[symbol + 1] - law.starts[symbol]) / max(1, len(group))
        yield from ((word, share) for word in group)
    yield from ((sentence, 20.0) for sentence in field()[1])


@cache
def characters() -> Counter[str]:
    """How often each character stands."""
    counts: Counter[str] = Counter()
    for text, weight in weighted():
        for character in text:
            counts[character] += weight  # type: ignore[assignment]
    return counts


@cache
def huffman() -> dict[str, int]:
    """Bits of each character; an escape is as rare as the rarest."""
    heap = [(weight, at, [character]) for at, (character, weight) in enumerate(characters().items())]
    heapify(heap)
    bits: Counter[str] = Counter()
    at = len(heap)
    while len(heap) > 1:
        (one, _, left), (two, _, right) = heappop(heap), heappop(heap)
        bits.update(left)
        bits.update(right)
        at += 1
        heappush(heap, (one + two, at, left + right))
    return dict(bits)


@cache
def pairs() -> dict[str, Counter[str]]:
    """What follows each character; "" stands for a text's start and end."""
    after: dict[str, Counter[str]] = defaultdict(Counter)
    for text, weight in weighted():
        for one, two in zip(["", *text], [*text, ""]):
            if len(text) > 4 or (one and two):
                after[one][two] += weight  # type: ignore[assignment]
    return after


def by_huffman(text: str) -> int:
    """Bytes under the static Huffman code, a byte for the length."""
    bits = huffman()
    return 1 + ceil(sum(bits.get(character, max(bits.values()) + 21) for character in text) / 8)


def by_pairs(text: str) -> int:
    """Bytes under the static pair model with an ideal range coder."""
    single, after = characters(), pairs()
    total, bits = single.total(), 0.0
    for one, two in zip(["", *text], [*text, ""]):
        alone = single[two] / total if two else 0.05
        follows = after[one]
        seen = follows.total()
        kinds = len(follows)
        chance = (follows[two] + kinds * (0.999 * alone + 1e-9)) / (seen + kinds) if seen else 0.999 * alone + 1e-9
        bits -= log2(chance)
    return ceil(bits / 8)


def by_bocu(text: str) -> int:
    """Bytes in BOCU-1 (UTN 6)."""
    before, size = 0x40, 0
    for character in text:
        point = ord(character)
        if point <= 0x20:
            size, before = size + 1, before if point == 0x20 else 0x40
            continue
        step = point - before
        size += next(n for n, reach in ((1, 64), (2, 10_513), (3, 187_660), (4, 1 << 21)) if -reach <= step < reach)
        if 0x4E00 <= point < 0x9FA6:
            before = 0x7711
        elif 0xAC00 <= point < 0xD7A4:
            before = 0xC1D1
        else:
            before = point // 128 * 128 + 64
    return size


def candidates() -> dict[str, Sizer]:
    """Name and size in bytes of each way to send a text."""
    samples = [sentence.encode() for sentence in field()[1]]
    dictionary = zstandard.ZstdCompressionDict(b"".join(samples))
    with_dictionary = zstandard.ZstdCompressor(
        level=19, dict_data=dictionary, write_dict_id=False, write_content_size=False
    )
    plain = zstandard.ZstdCompressor(level=19, write_content_size=False)
    return {
        "utf8": lambda text: len(text.encode()),
        "gb18030": lambda text: len(text.encode("gb18030")),
        "bocu1": by_bocu,
        "zstd": lambda text: len(plain.compress(text.encode())) - MAGIC,
        "zstd_dictionary": lambda text: len(with_dictionary.compress(text.encode())) - MAGIC,
        "huffman": by_huffman,
        "pairs": by_pairs,
        "words": lambda text: len(encode_text(text)),
    }


def run(messages: str = "") -> dict[str, Any]:
    """Bytes of each candidate over the messages of a file, one a line; Chinese and English apart; phrases beside them."""
    path = Path(messages) if messages else MESSAGES
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line]
    sets = {
        "zh": [line for line in lines if not line.isascii()],
        "en": [line for line in lines if line.isascii()],
    }
    ways = candidates()
    out: dict[str, Any] = {"messages": str(path.name)}
    for name, texts in sets.items():
        if texts:
            out[name] = _measure(texts, ways)
    started = process_time()
    packed = [encode_text(line) for line in lines]
    encoded = process_time()
    back = [decode_text(data) for data in packed]
    out["encode_ms_per_message"] = round(1000 * (encoded - started) / len(lines), 2)
    out["decode_ms_per_message"] = round(1000 * (process_time() - encoded) / len(lines), 2)
    out["phrases"] = len(PHRASES)
    out["messages_that_are_phrases"] = sum(match(line) is not None for line in lines)
    smallest = all(min(part["bytes"], key=part["bytes"].get) == "words" for name, part in out.items() if name in sets)
    out["ok"] = back == lines and smallest
    return out


def _measure(texts: list[str], ways: dict[str, Sizer]) -> dict[str, Any]:
    sizes = {name: [size(text) for text in texts] for name, size in ways.items()}
    characters_in_all = sum(map(len, texts))
    return {
        "texts": len(texts),
        "characters": characters_in_all,
        "bytes": {name: sum(each) for name, each in sizes.items()},
        "bytes_per_character": {name: round(sum(each) / characters_in_all, 3) for name, each in sizes.items()},
        "longest_of_words": max(sizes["words"]),
        "bits_per_character_of_words": round(8 * sum(sizes["words"]) / characters_in_all, 2),
    }

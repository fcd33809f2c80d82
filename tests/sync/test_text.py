"""Short texts and phrases: nothing is lost, nothing but DecodeError leaves, the word list is the one that the page describes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.text import run
from hardware.errors import DecodeError
from sync.codec.phrases import PHRASES, VERSION, match, words
from sync.codec.stack import StackReader, StackWriter
from sync.codec.text import END, ESCAPE, MAX_STACKED, decode_text, encode_text, model, read_text, split, write_text
from tests.sync.damage import refused

HERE = Path(__file__).parents[1]
MESSAGES = [line for line in (HERE / "data/messages.txt").read_text(encoding="utf-8").splitlines() if line]
FIELD_TEXT = st.text(
    st.sampled_from("请求支援被困人员水位上涨道路中断，。 0123456789RKVabcdefg请把伤员转运到")
    | st.characters(exclude_categories=["Cs"]),
    max_size=40,
)
# What docs/wire/text.md shows.
VECTORS = (
    "",
    "收到",
    "上游水库准备泄洪，十八点前河边的人全部撤走",
    "R3 组剩余空气 8 分钟，马上出来",
    "Bridge pier has shifted, do not drive over it",
    "堽城坝🚁",
)


@settings(max_examples=200, deadline=None)
@given(FIELD_TEXT)
def test_texts_come_back(text: str) -> None:
    assert decode_text(encode_text(text)) == text


def test_long_texts_and_other_scripts_take_the_smallest_way() -> None:
    long = "水位上涨。" * 400
    assert len(encode_text(long)) < 60 and decode_text(encode_text(long)) == long
    for text in ("ქართული ენა", "\x00\x01", "e" * 5000, "𠮷野家"):
        data = encode_text(text)
        assert decode_text(data) == text and len(data) <= len(text.encode()) + 1
    with pytest.raises(ValueError, match="too long"):
        encode_text("水" * 30_000)
    with pytest.raises(ValueError, match="surrogates"):
        encode_text("\ud800")


def test_a_chinese_message_costs_about_a_byte_a_character() -> None:
    chinese = [line for line in MESSAGES if not line.isascii()]
    sent = sum(len(encode_text(line)) for line in chinese)
    assert sent <= 1.06 * sum(map(len, chinese))
    assert sent <= 0.54 * sum(len(line.encode("gb18030")) for line in chinese)


def test_words_beat_every_other_candidate() -> None:
    result = run()
    assert result["ok"], result
    assert set(result["zh"]["bytes"]) >= {"utf8", "gb18030", "bocu1", "zstd", "zstd_dictionary", "huffman", "pairs"}


def test_texts_share_a_stack_with_other_things() -> None:
    writer = StackWriter()
    for line in MESSAGES[:5]:
        write_text(writer, line)
        writer.uniform(3, 7)
    reader = StackReader(writer.bytes())
    for line in MESSAGES[:5]:
        assert read_text(reader) == line
        assert reader.uniform(7) == 3
    reader.end()


def test_the_list_knows_every_character_of_gb2312_and_no_word_twice() -> None:
    listed = [word for group in model().groups for word in group]
    assert len(listed) == len(set(listed)) == len(model().tokens)
    common = {bytes((row, cell)).decode("gb2312", "ignore") for row in range(0xB0, 0xF8) for cell in range(0xA1, 0xFF)}
    assert common - {""} <= set(listed)
    assert {chr(point) for point in range(32, 127)} - {"`", "^", "$", "[", "]", "{", "}", "|", "\\"} <= set(listed)
    assert model().groups[END] == model().groups[ESCAPE] == ()
    assert "".join(split("请求支援", model())) == "请求支援"


def test_the_pages_vectors() -> None:
    page = (HERE.parent / "docs/wire/text.md").read_text(encoding="utf-8")
    for text in VECTORS:
        assert f"`{encode_text(text).hex()}`" in page, (text, encode_text(text).hex())
    mark = hashlib.sha256((HERE.parent / "sync/codec/words_1.bin").read_bytes()).hexdigest()
    assert mark in page, mark
    assert f"## The book, version {VERSION}" in page
    for phrase in PHRASES.values():
        assert f"| {phrase.number} | {phrase.zh} | {phrase.en} |" in page, phrase


def test_phrases_say_the_same_in_both_languages() -> None:
    for phrase in PHRASES.values():
        assert phrase.zh.count("{}") == phrase.en.count("{}") <= 4
        assert 1 <= phrase.group <= 6
    assert len({phrase.zh for phrase in PHRASES.values()}) == len(PHRASES) == len({p.en for p in PHRASES.values()})
    assert words(209, [7]) == "被困7人" and words(209, [7], "en") == "7 trapped"
    assert words(404, [3, 9]) == "红3黄9绿?黑?" and words(601, ["x"]) == "收到 x"
    assert words(9999, [2, "K12"]) == "#9999 2 K12"


def test_a_typed_phrase_is_recognised_and_nothing_else() -> None:
    for phrase in PHRASES.values():
        given_ = [12, "K3", 7, 0][: phrase.arguments]
        for language in ("zh", "en"):
            said = phrase.text(language, given_)
            found = match(said)
            assert found is not None and words(found[0], found[1], language) == said
    assert match("被困07人") == (209, ["07"]), "digits that are not the plain number stay as typed"
    assert match("今天天气不错") is None and match("") is None


def broken(count: int, seed: int) -> None:
    bodies = [encode_text(line) for line in MESSAGES[::4]] + [encode_text("水位上涨。" * 90), encode_text("ქართული")]

    def decode(body: bytes) -> None:
        assert len(decode_text(body)) <= 1 << 16

    assert refused(decode, bodies, count, seed) > count // 10


def test_damage_is_one_exception() -> None:
    broken(10_000, 1)
    for body in (b"", b"\x07", b"\x00" * 3 + b"\x02", b"\xff" * 5000 + b"\x02"):
        with pytest.raises(DecodeError):
            decode_text(body)


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_damage_is_one_exception_a_million_times() -> None:
    broken(1_000_000, 2)


def test_a_text_of_the_longest_stacked_kind() -> None:
    text = ("水位" * MAX_STACKED)[:MAX_STACKED]
    assert decode_text(encode_text(text)) == text

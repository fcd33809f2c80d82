"""A QR code read by an independent reader gives the block back; scanned nonsense is refused in words."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path

import pytest
import segno
from hypothesis import given, settings
from hypothesis import strategies as st
from qr_scan import modules, scan

from hardware.errors import DecodeError
from radios.qr import PART_BYTES, base45, block_of, from_base45, save, screen, texts

CHANCE = random.Random(7)


@pytest.mark.parametrize(("data", "text"), [(b"AB", "BB8"), (b"Hello!!", "%69 VD92EX0"), (b"base-45", "UJCLQE7W581")])
def test_examples_of_rfc_9285(data: bytes, text: str) -> None:
    assert base45(data) == text and from_base45(text) == data


@pytest.mark.parametrize("text", ["GGW", "::", "::::", "A", "AAAA", "ab8", "中"])
def test_what_no_encoder_writes_is_refused(text: str) -> None:
    with pytest.raises(DecodeError):
        from_base45(text)


@settings(max_examples=80, deadline=None)
@given(st.binary(min_size=1, max_size=PART_BYTES * 2 + 5), st.randoms(use_true_random=False))
def test_round_trip_in_any_order_with_copies(block: bytes, chance: random.Random) -> None:
    scanned = texts(block) * 2
    chance.shuffle(scanned)
    assert block_of(f"{text}\r\n" for text in scanned) == block


@pytest.mark.parametrize("size", [1, 40, 78, 200, PART_BYTES])
def test_another_reader_reads_the_screen(size: int) -> None:
    block = CHANCE.randbytes(size)
    (text,) = texts(block)
    assert block_of([scan(modules(screen(text)))]) == block


def test_a_report_fits_a_small_code() -> None:
    assert segno.make(texts(bytes(40))[0], error="m").symbol_size(border=0) == (33, 33)


@pytest.mark.parametrize("name", ["order.svg", "order.png"])
def test_paper(tmp_path: Path, name: str) -> None:
    save(texts(b"V2 clear K12")[0], tmp_path / name)
    assert (tmp_path / name).read_bytes()[:5] in (b"<?xml", b"\x89PNG\r")
    with pytest.raises(ValueError, match=r"\.svg or \.png"):
        save("SD1:00", tmp_path / "order.doc")


def test_a_missing_code_is_named() -> None:
    one, two, three = texts(CHANCE.randbytes(PART_BYTES * 2 + 1))
    with pytest.raises(DecodeError, match="code 2 of 3"):
        block_of([three, one])
    with pytest.raises(DecodeError, match="different blocks"):
        block_of([one, two, texts(b"another")[0]])


def test_a_blank_behind_the_code_is_forgiven() -> None:
    assert block_of([texts(b"AB")[0] + " "]) == b"AB"


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=40) | st.from_regex(r"SD1(/[0-9]/[0-9])?:[ -Z]*", fullmatch=True))
def test_only_decode_errors_leave(text: str) -> None:
    with contextlib.suppress(DecodeError):
        block_of([text])


def test_too_much_or_nothing() -> None:
    for block in (b"", bytes(PART_BYTES * 9 + 1)):
        with pytest.raises(ValueError, match="QR codes"):
            texts(block)
    with pytest.raises(DecodeError, match="no code"):
        block_of([])

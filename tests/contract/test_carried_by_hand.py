"""What a person carries instead of a radio: the parts of the bearer contract that apply to sticks, codes and groups of digits.

Whole and equal or not at all, limits that are said, any damage seen, and a second copy that changes nothing.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from hardware.errors import DecodeError
from radios import groups, qr
from radios.bundle import BundleWriter, Damage, read_bundle

Carry = Callable[[bytes, Path, Callable[[bytes], bytes]], bytes]


def stick(block: bytes, folder: Path, harm: Callable[[bytes], bytes]) -> bytes:
    path = folder / "a.sdbundle"
    with BundleWriter(path) as bundle:
        bundle.add(block)
    path.write_bytes(harm(path.read_bytes()))
    found = list(read_bundle(path, Damage()))
    if found != [block]:
        raise DecodeError("nothing good on the stick")
    return found[0]


def code(block: bytes, folder: Path, harm: Callable[[bytes], bytes]) -> bytes:
    return qr.block_of([harm(text.encode()).decode("latin-1") for text in qr.texts(block) * 2])


def letter(block: bytes, folder: Path, harm: Callable[[bytes], bytes]) -> bytes:
    written = harm(" ".join(groups.encode(block)).encode()).decode("latin-1")
    return groups.decode(written.split(" "))[0]


LONGEST = {stick: 1 << 20, code: 3600, letter: groups.MOST_BYTES}
each = pytest.mark.parametrize("carry", LONGEST, ids=lambda carry: carry.__name__)


@each
def test_every_size_comes_whole(carry: Carry, tmp_path: Path) -> None:
    chance = random.Random(3)
    for size in (1, 2, 40, 63, 100, LONGEST[carry]):
        block = chance.randbytes(size)
        assert carry(block, tmp_path, bytes) == block
        assert carry(bytes(size), tmp_path, bytes) == bytes(size)


@each
def test_longer_than_its_limit_is_the_callers_fault(carry: Carry, tmp_path: Path) -> None:
    for size in (0, LONGEST[carry] + 1):
        if size or carry is not stick:
            with pytest.raises(ValueError, match="bytes"):
                carry(bytes(size), tmp_path, bytes)


@pytest.mark.parametrize("carry", [stick, letter])
def test_damaged_it_is_whole_or_refused(carry: Carry, tmp_path: Path) -> None:
    """Any end cut off, any byte altered: whole, or DecodeError says that it is not. (A printed code repairs itself.)"""
    chance = random.Random(4)
    block = chance.randbytes(40)

    def altered(data: bytes) -> bytes:
        at = chance.randrange(len(data))
        return data[:at] + bytes([chance.randrange(48, 58)]) + data[at + 1 :]

    def cut(data: bytes) -> bytes:
        return data[: chance.randrange(len(data))]

    refused = 0
    for harm in [cut, altered] * 60:
        try:
            assert carry(block, tmp_path, harm) == block
        except DecodeError:
            refused += 1
    assert refused >= 50


def test_forty_bytes_make_thirty_groups_and_three_wrong_digits_are_found_and_repaired() -> None:
    chance = random.Random(5)
    for _ in range(12):
        block = chance.randbytes(40)
        heard = groups.encode(block)
        assert len(heard) <= 30
        wrong = sorted(chance.sample(range(len(heard)), 3))
        for at in wrong:
            digit = chance.randrange(4)
            other = str((int(heard[at][digit]) + chance.randrange(1, 10)) % 10)
            heard[at] = heard[at][:digit] + other + heard[at][digit + 1 :]
        assert groups.decode(heard) == (block, [at + 1 for at in wrong])

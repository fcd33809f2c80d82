"""A stick is a hostile place: half-written, torn, altered files give up their good part and are never called whole."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from hardware.errors import DecodeError
from radios.bundle import BundleWriter, Damage, read_bundle

FRAMES = [bytes([n]) * (n * 37 + 1) for n in range(40)]


def write(path: Path) -> BundleWriter:
    with BundleWriter(path) as bundle:
        for frame in FRAMES:
            bundle.add(frame)
    return bundle


def read(path: Path) -> tuple[list[bytes], Damage]:
    damage = Damage()
    return list(read_bundle(path, damage)), damage


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.sdbundle"
    write(path).verify()
    frames, damage = read(path)
    assert frames == FRAMES and damage.whole and [p.name for p in tmp_path.iterdir()] == ["a.sdbundle"]


def test_an_interrupted_export_leaves_nothing_published(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), BundleWriter(tmp_path / "a.sdbundle") as bundle:
        bundle.add(b"x")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_half_written_stick_gives_its_good_part(tmp_path: Path) -> None:
    path = tmp_path / "a.sdbundle"
    write(path)
    whole = path.read_bytes()
    for cut in range(8, len(whole), 211):
        path.write_bytes(whole[:cut])
        frames, damage = read(path)
        assert frames == FRAMES[: len(frames)] and not damage.whole


def test_damage_in_the_middle_costs_only_what_it_hit(tmp_path: Path) -> None:
    path = tmp_path / "a.sdbundle"
    write(path)
    whole, chance = path.read_bytes(), random.Random(3)
    for _ in range(200):
        hurt = bytearray(whole)
        at = chance.randrange(8, len(whole) - 40)
        hurt[at : at + 30] = chance.randbytes(30)
        path.write_bytes(hurt)
        frames, damage = read(path)
        assert len(frames) >= len(FRAMES) - 4 and not damage.whole
        assert set(frames) <= set(FRAMES)


def test_verify_notices_a_medium_that_forgets(tmp_path: Path) -> None:
    path = tmp_path / "a.sdbundle"
    bundle = write(path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DecodeError, match="did not keep"):
        bundle.verify()


def test_another_file_is_named_as_such(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("shopping list")
    with pytest.raises(DecodeError, match="no bundle"):
        read(path)

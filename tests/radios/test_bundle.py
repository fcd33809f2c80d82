"""A stick is a hostile place: half-written, torn, altered files give up their good part and are never called whole."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from hardware.errors import DecodeError
from radios.bundle import MOST, BundleWriter, Damage, read_bundle

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


@pytest.mark.parametrize(
    "kept",
    [
        lambda data: data[:-1],
        lambda data: (
            data[:8] + data[-4000:] + data[4008:]
        ),  # of less than it claims: what came last lies where it began
        lambda data: data[:9000] + bytes(512) + data[9512:],
    ],
    ids=["cut", "wrapped", "a sector"],
)
def test_verify_notices_a_medium_that_forgets(tmp_path: Path, kept: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "a.sdbundle"
    bundle = write(path)
    path.write_bytes(kept(path.read_bytes()))
    with pytest.raises(DecodeError, match="did not keep"):
        bundle.verify()


def test_parts_make_one_record(tmp_path: Path) -> None:
    path = tmp_path / "a.sdbundle"
    with BundleWriter(path) as bundle:
        bundle.add(b"list", b"one", b"two")
        with pytest.raises(ValueError, match="bytes"):
            bundle.add(bytes(MOST), b"x")
        bundle.add(bytes(MOST - 1), b"x")
    bundle.verify()
    assert read(path)[0] == [b"listonetwo", bytes(MOST - 1) + b"x"]


def test_more_than_the_windows_that_are_let_go_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("radios.bundle.WINDOW", 3 << 20)
    path, chance = tmp_path / "a.sdbundle", random.Random(6)
    records = [chance.randbytes(size) for size in (MOST, 7, MOST - 3) * 6]
    with BundleWriter(path) as bundle:
        for record in records:
            bundle.add(record[: len(record) // 2], record[len(record) // 2 :])
    bundle.verify()
    assert read(path)[0] == records


def test_another_file_is_named_as_such(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("shopping list")
    with pytest.raises(DecodeError, match="no bundle"):
        read(path)

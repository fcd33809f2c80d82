"""Rows on the wire: whatever was measured comes back, budgets are filled, figures and vectors hold, damage is one exception."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import bounded, wire
from bench.tracks import read_track
from bench.walkers import stations
from hardware.errors import DecodeError
from hardware.observation import PROFILE_NAMED, Predictor, Profile
from hardware.observation import Column as Described
from sync.codec import columns, decode_batches, encode_batches, encode_within, small
from sync.codec.columns import read_columns, read_deltas, write_columns, write_deltas
from sync.codec.model import FILTERED, MODES, Column, Sets
from sync.codec.octets import Reader
from sync.codec.plan import make_plan
from sync.codec.planes import read_planes, write_planes
from sync.codec.priors import CLASS
from sync.codec.range_coder import SLOTS, Decoder, Encoder
from sync.codec.small import DRIFT_MS, MAX_VALUES, read_small, write_small
from sync.records import Anchor, Batch, Row
from tests.sync import second_reader

DATA: Final = Path(__file__).parents[1] / "data"
PAGE: Final = Path(__file__).parents[2] / "docs/wire/rows.md"
ANCHOR: Final = Anchor(301_500_000, 1_191_000_000, 1_784_494_800_000)
WALKER: Final = read_track(DATA / "tracks/walker_1hz.csv")
FIX: Final = PROFILE_NAMED["fix"]
ODD: Final = Profile(
    0, "", (Described(4711, -3), Described(90_001, 2, Predictor.HOLD), Described(38, -6, Predictor.POSITION))
)


def rows_of(values: list[tuple[int | None, ...]], start: int = ANCHOR.start_ms, step: int = 1000) -> tuple[Row, ...]:
    return tuple(
        Row(at * step, start + at * step, 3, each, tuple(2 * (value is None) for value in each))
        for at, each in enumerate(values)
    )


def returned(batches: list[Batch], anchor: Anchor | None = ANCHOR) -> list[list[Batch]]:
    """What comes back by the range coder and by the smallest method."""
    body, taken = write_small(batches, anchor, None)
    assert taken == sum(len(batch.rows) for batch in batches)
    return [read_small(body, anchor), decode_batches(encode_batches(batches, anchor), anchor)]


def settled(batches: list[Batch]) -> list[Any]:
    """All that must come back: monotonic times of dated rows after the first are only near."""
    return [
        (b.stream, b.boot, b.profile, [(r.mono_ms if not at or r.wall_ms is None else None, *r[1:]) for at, r in enumerate(b.rows)])
        for b in batches
    ]  # fmt: skip


EDGES: Final = {
    "high, deep, wrapping the date line": Batch(
        1, 1, PROFILE_NAMED["wearable"],
        rows_of([
            (89_999_999 - at, 179_999_990 + 5 * at if at < 2 else -180_000_000 + at, 16_140 + at * 70_000 - 200_000 * (at % 2),
             at, 60, 97, 366, 100) for at in range(9)
        ]),
    ),
    "one observation": Batch(3, 2, FIX, rows_of([(30_150_000, 119_100_000, 1800, 3, 359, 1, 9, 4, 8)])),
    "ten hertz": Batch(1, 1, FIX, rows_of([(at, -at, 2, 3, at % 360, 1, 9, 4, 8) for at in range(60)], step=100)),
    "years ahead and back": Batch(
        1, 1, PROFILE_NAMED["battery"],
        tuple(Row(at * 1000, ANCHOR.start_ms + (at % 3 - 1) * 10**11 * at, 1, (50,), (0,)) for at in range(12)),
    ),
    "no wall time, then one": Batch(
        1, 9, PROFILE_NAMED["heart"],
        tuple(Row(7000 + 990 * at, None if at < 5 else ANCHOR.start_ms + at, 0 if at < 5 else 2, (70, 1, None, None, None),
                  (0, 0, 2, 2, 2)) for at in range(10)),
    ),
    "kinds that nobody knows": Batch(70_000, 66_000, ODD, rows_of([(at * at - 50, None, -(2**62) * (at % 2)) for at in range(20)])),
    "quality changes and gaps": Batch(
        1, 1, PROFILE_NAMED["gas4"],
        tuple(Row(at, ANCHOR.start_ms + at, 3, (209, None if at % 3 else 4, 0, at), (at % 8, 2 if at % 3 else 1, 0, at // 4 % 8))
              for at in range(40)),
    ),
    "the widest values": Batch(1, 1, ODD, rows_of([(2**63 - 1, -(2**63), 2**63 - 1), (-(2**63), 2**63 - 1, -(2**63))] * 4)),
    "no columns, no rows": Batch(0, 0, Profile(0, "", ()), rows_of([(), ()])),
}  # fmt: skip


@pytest.mark.parametrize("name", EDGES)
@pytest.mark.parametrize("anchor", [ANCHOR, None])
def test_edges_come_back(name: str, anchor: Anchor | None) -> None:
    for back in returned([EDGES[name]], anchor):
        assert settled(back) == settled([EDGES[name]])


def test_mixed_streams_share_a_block() -> None:
    mixed = [*EDGES.values(), WALKER, Batch(5, 1, FIX, ()), *(each.batch for each in stations(20))]
    for back in returned(mixed):
        assert settled(back) == settled(mixed)


def test_people_of_one_node_share_what_they_have_in_common() -> None:
    """The clock's offset, the hour and the neighbourhood are told once for all batches of a body."""
    late = tuple(row._replace(mono_ms=row.mono_ms + 86_400_000) for row in WALKER.rows)
    team = [Batch(who, 1, WALKER.profile, late[20 * who : 20 * who + 3]) for who in range(1, 7)]
    alone = len(write_small(team[:1], ANCHOR, None)[0])
    body, _ = write_small(team, ANCHOR, None)
    assert settled(read_small(body, ANCHOR)) == settled(team)
    assert len(body) <= alone + 5 * (alone - 8)


COLUMNS = st.builds(Described, st.integers(0, 5000), st.integers(-9, 9), st.sampled_from(Predictor))
PROFILES = st.one_of(
    st.sampled_from(sorted(PROFILE_NAMED.values(), key=lambda each: each.number)),
    st.builds(Profile, st.integers(0, 300), st.text(max_size=8), st.lists(COLUMNS, max_size=4).map(tuple)),
)


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    profile = draw(PROFILES)
    value = st.none() | st.integers(-400, 400) | st.integers(-(2**63), 2**63 - 1)
    wall, mono, rows = draw(st.integers(-(2**40), 2**42)), draw(st.integers(0, 2**40)), []
    for _ in range(draw(st.integers(0, 8))):
        step = draw(st.sampled_from([100, 1000, 1000, 1001, -5, 10**11]))
        wall, mono = wall + step, mono + abs(step) + draw(st.sampled_from([0, 0, 3, 5000]))
        values = tuple(draw(value) for _ in profile.columns)
        grades = tuple(draw(st.integers(0, 7)) for _ in profile.columns)
        rows.append(Row(mono, draw(st.sampled_from([wall, wall, None])), draw(st.integers(0, 3)), values, grades))
    return Batch(draw(st.integers(0, 300)), draw(st.integers(0, 70_000)), profile, tuple(rows))


@settings(max_examples=50, deadline=None)
@given(st.lists(batches(), max_size=3), st.sampled_from([None, ANCHOR]))
def test_any_rows_come_back(given_batches: list[Batch], anchor: Anchor | None) -> None:
    for back in returned(given_batches, anchor):
        assert settled(back) == settled(given_batches)


def test_monotonic_times_stay_near_wall_times() -> None:
    rows = tuple(Row(at * 1007, ANCHOR.start_ms + at * 1000, 3, (1,), (0,)) for at in range(600))
    batch = Batch(1, 1, PROFILE_NAMED["battery"], rows)
    (back,) = read_small(write_small([batch], ANCHOR, None)[0], ANCHOR)
    assert all(abs(a.mono_ms - b.mono_ms) <= DRIFT_MS for a, b in zip(back.rows, rows, strict=True))


@pytest.mark.parametrize("budget", [40, 63, 78, 200, 229, 600, 1750])
def test_a_budget_is_kept_and_filled(budget: int) -> None:
    at = 0
    while at < len(WALKER.rows):
        rest = Batch(1, 1, WALKER.profile, WALKER.rows[at:])
        body, taken = encode_within([rest], ANCHOR, budget)
        assert len(body) <= budget and taken
        assert decode_batches(body, ANCHOR)[0].rows == rest.rows[:taken]
        at += taken
        assert len(body) > budget - 12 or at == len(WALKER.rows), "a row more would have fitted"


def test_what_does_not_fit_64_bits_is_refused() -> None:
    for value in (2**63, -(2**63) - 1):
        batch = Batch(1, 1, PROFILE_NAMED["battery"], rows_of([(value,)]))
        with pytest.raises(ValueError, match="64 bits"):
            encode_batches([batch], ANCHOR)
        with pytest.raises(ValueError, match="64 bits"):
            encode_within([batch], ANCHOR, 200)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.integers(-3000, 3000) | st.integers(-(2**63), 2**63 - 1), max_size=60),
    st.sampled_from((*MODES, FILTERED)),
)
def test_every_mode_survives_any_values(values: list[int], mode: int) -> None:
    coder, series = Encoder(), Column(Sets(CLASS["generic"]), mode, 0)
    for at, value in enumerate(values):
        assert series.code(coder, value, at % 5) == value
    reader, series = Decoder(coder.close()), Column(Sets(CLASS["generic"]), mode, 0)
    assert [series.code(reader, 0, at % 5) for at in range(len(values))] == values


def test_a_waveform_is_filtered_and_small() -> None:
    """Ringing in noise: a filter finds what no share of the last velocity can tell."""
    chance, values = random.Random(9), [0, 0, 0]
    while len(values) < 2000:
        values.append((60 * values[-1] - 60 * values[-2] + 90 * values[-3]) // 100 + chance.randint(-40, 40))
    batch = Batch(1, 1, Profile(0, "", (Described(4711, 0),)), rows_of([(value,) for value in values], step=5))
    (mode,) = make_plan(batch, 0, len(values)).modes
    body = encode_batches([batch], ANCHOR)
    assert decode_batches(body, ANCHOR) == [batch]
    assert mode == FILTERED and len(body) < 0.92 * len(values)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=40))
def test_planes_give_back_their_series(values: list[int]) -> None:
    reader = Reader(write_planes(values))
    assert read_planes(reader, len(values)) == values
    reader.end()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 2), st.integers(-(2**66), 2**66)), max_size=60))
def test_the_range_coder_gives_back_what_it_took(items: list[tuple[int, int, int]]) -> None:
    fresh, coder = [1 << 15] * SLOTS + [0] * SLOTS, Encoder()
    states = list(fresh)
    for expected, sign, value in items:
        coder.number(states, expected, sign, value)
    data, states = coder.close(), list(fresh)
    reader = Decoder(data)
    assert [reader.number(states, expected, sign) for expected, sign, _ in items] == [value for _, _, value in items]
    assert len(data) <= coder.size()


def test_the_headline_can_be_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bench on the repository's own tracks gives the recorded bytes, to the last digit."""
    monkeypatch.setattr(bounded, "run", lambda tracks: {})
    expected = json.loads((DATA / "tracks/expected.json").read_text())
    found = wire.run(str(DATA / "tracks"))
    figures = {name: {key: each[key] for key in expected["files"][name]} for name, each in found["files"].items()}
    assert figures == expected["files"]
    assert {key: found["medians"][key] for key in expected["medians"]} == expected["medians"]


def test_any_directory_of_tracks_is_measured(tmp_path: Path) -> None:
    """Other columns, gaps, decimals, clocks that stand still or go back, Windows' line ends, files of nothing or of something else."""
    chance = random.Random(4)
    lines = ["co_ppm,t_ms,lat_e7,lon_e7,hr,pressure,x1,x2"]
    for at in range(400):
        time = 1_700_000_000_000 + at * 1000 - (50_000 if at == 200 else 0)
        gap = at % 50 > 44
        where = "," if gap else f"{305_000_000 + at * 90},{-1_799_999_000 - at * 90}"
        heart = ("", "nan", "inf", "-", 10**30)[at % 5] if at % 9 == 0 else 80 + at % 5
        lines.append(f"{at % 7},{time},{where},{heart},{chance.gauss(900, 3):.1f},{-at},")
    (tmp_path / "odd.CSV").write_bytes(b"\xef\xbb\xbf" + "\r\n".join([*lines, "", ",,,,,,,"]).encode())
    (tmp_path / "alone.csv").write_text("t_ms,lat_e7,lon_e7\n5,1,2\n")
    others = {
        "empty.csv": b"t_ms,lat_e7\n", "nothing.csv": b"", "semicolon.csv": b"t_ms;lat_e7\n5;1\n", "picture.csv": b"\x89PNG",
        "wide.csv": ("t_ms" + ",a" * 70).encode(), "cut.mseed": bytes(100),
    }  # fmt: skip
    for name, content in others.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "notes.txt").write_text("not a track")
    found = wire.run(str(tmp_path))
    assert found["ok"] and set(found["files"]) == {"odd", "alone"} and set(found["left_out"]) == set(others)
    assert found["files"]["odd"]["columns"] == 7 and 0 < found["files"]["odd"]["bulk"] < 6
    assert all(found["medians"][key] == found["files"]["odd"][key] for key in ("63", "1750", "bulk"))


def test_short_tracks_count_where_there_are_no_longer_ones(tmp_path: Path) -> None:
    """One frame that holds all rows is then what a budget costs; a track of slow and rare fixes has no bounded way."""
    rare = "".join(f"{at * 3_600_000},{305_000_000 + at},1079800000\n" for at in range(20))
    (tmp_path / "rare.csv").write_text("t_ms,lat_e7,lon_e7\n" + rare)
    found = wire.run(str(tmp_path))
    assert found["medians"]["1750"] == found["medians"]["bulk"] and not found["bounded"]["files"]


def test_priors_can_be_trained_without_what_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "run", lambda tracks: {})
    for name in ("walker_1hz", "runner_1hz"):
        lines = (DATA / f"tracks/{name}.csv").read_text().splitlines()[:161]
        (tmp_path / f"{name}.csv").write_text("\n".join(lines))
    own, others = wire.run(str(tmp_path)), wire.run(str(tmp_path), folds=2)
    assert others["priors"] != own["priors"] and others["ok"]
    for name in ("walker_1hz", "runner_1hz"):
        assert 0.9 < others["files"][name]["bulk"] / own["files"][name]["bulk"] < 1.2


VECTORS: Final = json.loads((DATA / "codec/rows.json").read_text())


def vector_batches(vector: dict[str, Any]) -> list[Batch]:
    return [
        Batch(
            each["stream"], each["boot"],
            Profile(each["profile"][0], each["profile"][1], tuple(Described(k, e, Predictor(p)) for k, e, p in each["profile"][2])),
            tuple(Row(m, w, c, tuple(v), tuple(q)) for m, w, c, v, q in each["rows"]),
        )
        for each in vector["batches"]
    ]  # fmt: skip


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector["name"]))
def test_golden_vectors_hold_both_ways(vector: dict[str, Any]) -> None:
    """What zstd writes is its own affair: of those bodies only the reading is held."""
    anchor = Anchor(*vector["anchor"]) if vector["anchor"] else None
    body, wanted = bytes.fromhex(vector["body"]), vector_batches(vector)
    assert decode_batches(body, anchor) == wanted
    if vector["method"] == "range":
        assert write_small(wanted, anchor, None)[0] == body
    if vector["method"] == "plain":
        assert b"\x90" + write_columns(wanted, write_deltas) == body
    assert vector["name"] in PAGE.read_text() and (len(body) > 80 or vector["body"] in PAGE.read_text())


def damaged(seed: int, count: int) -> Iterator[bytes]:
    """Blocks of every method and many contents, with bytes changed, cut off, put in."""
    chance = random.Random(seed)
    parts = [Batch(1, 1, WALKER.profile, WALKER.rows[:30]), *EDGES.values(), *(each.batch for each in stations(8))]
    bodies = [write_small([part], ANCHOR, None)[0] for part in parts]
    bodies += [b"\x90" + write_columns([part], write_deltas) for part in parts]
    bodies += [encode_batches([WALKER], ANCHOR)[:200], bytes.fromhex(VECTORS[-1]["body"])]
    for _ in range(count):
        body = bytearray(chance.choice(bodies))
        for _ in range(chance.randrange(1, 5)):
            at = chance.randrange(len(body) + 1)
            body[at : at + chance.randrange(3)] = chance.randbytes(chance.randrange(3))
        yield bytes(body)


def try_damaged(seed: int, count: int) -> int:
    refused = 0
    for body in damaged(seed, count):
        try:
            got = decode_batches(body, ANCHOR)
        except DecodeError:
            refused += 1
            continue
        assert sum(len(batch.rows) * (len(batch.profile.columns) + 1) for batch in got) <= 1 << 20
    return refused


def test_damaged_blocks() -> None:
    assert try_damaged(1, 2000) > 200


@pytest.mark.campaign
@pytest.mark.parametrize("part", range(100))
def test_a_million_damaged_blocks(part: int) -> None:
    assert try_damaged(1000 + part, 10_000) > 1000


@pytest.mark.parametrize("filling", [0x00, 0x55, 0x7F, 0xFF])
def test_a_long_body_of_nothing_ends_within_bounds(filling: int) -> None:
    for head in (b"", b"\x64", b"\x6a\x00", b"\x90", b"\x91", b"\x92"):
        with suppress(DecodeError):
            assert sum(len(each.rows) for each in decode_batches(head + bytes([filling]) * 4000, ANCHOR)) <= MAX_VALUES


def test_rows_beyond_the_reader_s_bound_are_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(small, "MAX_VALUES", 1000)
    still = tuple(Row(at * 1000, ANCHOR.start_ms + at * 1000, 3, (50,), (0,)) for at in range(600))
    body, taken = write_small([Batch(1, 1, PROFILE_NAMED["battery"], still)], ANCHOR, 60_000)
    assert taken == 499 and len(read_small(body, ANCHOR)[0].rows) == 499
    monkeypatch.setattr(small, "MAX_VALUES", 999)
    with pytest.raises(DecodeError, match="too many"):
        read_small(body, ANCHOR)


def test_columns_refuse_more_values_than_a_block_may_hold() -> None:
    with pytest.raises(DecodeError):
        read_columns(b"\x01\x01\x01\x06\xff\xff\xff\x7f", read_planes)


def test_heads_of_empty_batches_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """A body full of batches of nothing would be many seconds of work and hundreds of megabytes."""
    monkeypatch.setattr(columns, "MAX_CELLS", 650)
    monkeypatch.setattr(small, "MAX_VALUES", 650)
    wide = Batch(1, 1, Profile(0, "", tuple(Described(1000 + at, 0) for at in range(64))), ())
    for count in (10, 11):
        packed, coded = write_columns([wide] * count, write_deltas), write_small([wide] * count, ANCHOR, None)[0]
        if count == 10:
            assert read_columns(packed, read_deltas) == read_small(coded, ANCHOR) == [wide] * count
            continue
        with pytest.raises(DecodeError, match="too many"):
            read_columns(packed, read_deltas)
        with pytest.raises(DecodeError, match="too many"):
            read_small(coded, ANCHOR)


@pytest.mark.parametrize(
    "vector", [each for each in VECTORS if each["method"] == "range"], ids=lambda each: str(each["name"])
)
def test_a_reader_written_from_the_page_alone_reads_the_same(vector: dict[str, Any]) -> None:
    got = second_reader.read(bytes.fromhex(vector["body"]), tuple(vector["anchor"]) if vector["anchor"] else None)
    assert [(stream, boot, [tuple(row) for row in rows]) for stream, boot, _, rows in got] == [
        (batch.stream, batch.boot, [tuple(row) for row in batch.rows]) for batch in vector_batches(vector)
    ]


@pytest.mark.parametrize("name", EDGES)
def test_both_readers_agree_at_the_edges(name: str) -> None:
    body = write_small([EDGES[name], WALKER, *(each.batch for each in stations(30))], ANCHOR, None)[0]
    got = second_reader.read(body, (ANCHOR.lat_e7, ANCHOR.lon_e7, ANCHOR.start_ms))
    assert [rows for *_, rows in got] == [[tuple(row) for row in batch.rows] for batch in read_small(body, ANCHOR)]

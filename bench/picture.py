"""Pictures: what a minute of a whole force costs, on recorded walkers and on a simulated force; what one message carries.

A person is a stretch of twenty minutes of one walker (a series whose median pace is that of a person on foot), moved to a place within
two kilometres of the incident; where a walker wore no strap, the heart rate is a stretch of one who did. Every picture is decoded and
compared; every place shown is checked against the true one. Bytes are whole bodies, headers included.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import mean, median
from time import process_time
from typing import Any, Final, NamedTuple

from bench.tracks import read_track
from hardware.errors import DecodeError
from sync.codec.picture import encode_force
from sync.codec.picture_chain import Album, Chain
from sync.codec.picture_people import Force, Member
from sync.codec.picture_tables import GRIDS_M
from sync.codec.scene import FIELDS, HEARD, Scene, encode_scene
from sync.ids import BlockId, Lane
from sync.records import Anchor

ANCHOR: Final = Anchor(335_200_000, 1_079_800_000, 1_784_290_200_000)
ROOM: Final = 63
MUCH: Final = 4096
START: Final = 5  # pictures until a reader's word is back and everybody's way is known
STEPS_S: Final = (60, 30, 120)
FORCE: Final = 46
STRETCH_S: Final = 1200
HOLD_S: Final = 180  # a place older than this is an old place
NEAR_E7: Final = 180_000  # two kilometres
METRE_E7: Final = 89.83
ON_FOOT: Final = 2.5  # m/s
RUNNING: Final = 4.5
BAR: Final = 1.3


class Point(NamedTuple):
    """A person at an instant: metres east and north of where the stretch began (None: not heard for long), beats or None."""

    east: float | None
    north: float | None
    hr: int | None


Stretch = list[Point]


def recorded(folder: Path, step_s: int) -> tuple[list[Stretch], list[list[int]]]:
    """Stretches of every walker of a folder at one point each `step_s`; heart rates of walkers and runners."""
    stretches: list[Stretch] = []
    hearts: list[list[int]] = []
    for path in sorted(folder.glob("*.csv")):
        series = _sampled(path, step_s)
        pace = _pace(series, step_s)
        pulse = [point.hr for point in series if point.hr]
        if pace is not None and pace <= RUNNING and len(pulse) >= 8:
            hearts.append(pulse)
        if pace is not None and pace <= ON_FOOT:
            length = STRETCH_S // step_s
            stretches += [series[at : at + length] for at in range(0, len(series) - length + 1, length)]
    return stretches, hearts


def _sampled(path: Path, step_s: int) -> Stretch:
    """A file's last known place and heart rate each `step_s` seconds; nothing where it has no places."""
    batch = read_track(path)
    kinds = [column.kind for column in batch.profile.columns]
    if 38 not in kinds or 39 not in kinds:
        return []
    lat, lon, hr = kinds.index(38), kinds.index(39), kinds.index(1) if 1 in kinds else None
    rows = [row for row in batch.rows if row.values[lat] is not None and row.values[lon] is not None]
    times = [row.mono_ms for row in rows]
    first = rows[0].values
    wide = math.cos(math.radians((first[lat] or 0) / 1e6))
    out = []
    for ms in range(times[0], times[-1], step_s * 1000):
        row = rows[bisect_right(times, ms) - 1]
        east = ((row.values[lon] or 0) - (first[lon] or 0)) * 10 / METRE_E7 * wide
        north = ((row.values[lat] or 0) - (first[lat] or 0)) * 10 / METRE_E7
        old = ms - row.mono_ms > HOLD_S * 1000
        out.append(Point(None, None, None) if old else Point(east, north, row.values[hr] if hr is not None else None))
    return out


def _pace(series: Stretch, step_s: int) -> float | None:
    """Median metres per second."""
    steps = [
        math.hypot(b.east - a.east, (b.north or 0) - (a.north or 0)) / step_s
        for a, b in pairwise(series)
        if a.east is not None and b.east is not None
    ]
    return median(steps) if steps else None


def simulated(rng: random.Random, step_s: int) -> list[Stretch]:
    """A force of units of six: each unit walks, turns, stops to work; its people keep within some forty metres."""
    reach = NEAR_E7 / METRE_E7
    stretches: list[Stretch] = []
    count = STRETCH_S // step_s
    for _ in range(FORCE // 6 + 1):
        heading, way = rng.uniform(0, 2 * math.pi), [(rng.uniform(-reach, reach), rng.uniform(-reach, reach))]
        pause = 0
        for _ in range(STRETCH_S):
            pause = pause - 1 if pause else rng.randrange(60, 400) * (rng.random() < 1 / 240)
            heading += rng.gauss(0, 0.03)
            pace = 0.0 if pause else 1.1
            way.append((way[-1][0] + pace * math.sin(heading), way[-1][1] + pace * math.cos(heading)))
        for _ in range(6):
            off, pulse, person = [rng.gauss(0, 20), rng.gauss(0, 20)], rng.gauss(112, 15), []
            for at in range(count):
                off = [0.9 * each + rng.gauss(0, 6) for each in off]
                pulse = 0.85 * pulse + 0.15 * 112 + rng.gauss(0, 6)
                east, north = way[at * step_s]
                person.append(Point(east + off[0], north + off[1], round(min(max(pulse, 50), 190))))
            stretches.append(person)
    return stretches


def force(stretches: Sequence[Stretch], hearts: Sequence[Sequence[int]], rng: random.Random) -> list[list[Member]]:
    """Everybody at each instant; alarms begin once in eight hours of a person and last ten minutes. Recorded stretches (with hearts)
    come in any order and are scattered."""
    order = list(stretches)
    if hearts:
        rng.shuffle(order)
    people = [list(_person(stretch, hearts, rng)) for stretch in order[:FORCE]]
    return [list(instant) for instant in zip(*people)]


def _person(stretch: Stretch, hearts: Sequence[Sequence[int]], rng: random.Random) -> Iterator[Member]:
    reach = NEAR_E7 if hearts else 1
    lat0, lon0 = (value + rng.randrange(-reach, reach) for value in (ANCHOR.lat_e7, ANCHOR.lon_e7))
    wide = math.cos(math.radians(ANCHOR.lat_e7 / 1e7))
    pulse = rng.choice(hearts) if hearts else [0]
    shift, alarm = rng.randrange(len(pulse)), False
    lat = lon = None
    for at, point in enumerate(stretch):
        alarm = rng.random() < 0.9 if alarm else rng.random() < 0.002
        if point.east is not None and point.north is not None:
            lat = lat0 + round(point.north * METRE_E7)
            lon = lon0 + round(point.east * METRE_E7 / wide)
        hr = point.hr or pulse[(shift + at) % len(pulse)] or None
        late = rng.random() < 0.025
        yield Member(lat, lon, hr, alarm, (40 if late else 5) if point.east is not None else HOLD_S - 60)


def chained(instants: Sequence[Sequence[Member]], age: int, vitals: bool = True) -> dict[str, Any]:
    """Pictures of everybody on the finest grid that build on the one `age` instants before; those that stand alone apart."""
    sent: dict[int, Force] = {}
    album = Album(ANCHOR)
    sizes: list[int] = []
    alone: list[int] = []
    worst = 0.0
    for at, people in enumerate(instants):
        base = sent.get(at - age)
        body, made = encode_force(at, people, base, ANCHOR, MUCH, 0, vitals)
        if album.take(BlockId(1, 1, Lane.PICTURE, at), body) != made:
            raise AssertionError("a picture came back changed")
        sent[at] = made
        (sizes if base else alone).append(len(body))
        worst = max(worst, *(_error(seen, member) for seen, member in zip(made.people, people) if seen))
    return {
        "pictures": len(sizes),
        "bytes": round(mean(sizes), 1),
        "bytes_most": max(sizes),
        "bytes_per_person": round(mean(sizes) / len(instants[0]), 3),
        "bytes_per_person_alone": round(mean(alone) / len(instants[0]), 3),
        "worst_error_m": round(worst, 1),
    }


def _error(seen: Any, member: Member) -> float:
    """Metres between what is shown and what is true."""
    if member.lat_e7 is None or member.lon_e7 is None:
        return 0.0
    wide = math.cos(math.radians(ANCHOR.lat_e7 / 1e7))
    return math.hypot(seen.lat_e7 - member.lat_e7, (seen.lon_e7 - member.lon_e7) * wide) / METRE_E7


def in_room(instants: Sequence[Sequence[Member]], loss: float, listens: bool, rng: random.Random) -> dict[str, Any]:
    """One message of ROOM bytes each instant by the sender's own choice of bases, under loss both ways; listens: whether the
    reader's word comes back an instant later. `everybody`: share of pictures, the first START left out, that show all."""
    chain, album = Chain(ANCHOR, True, {9} if listens else ()), Album(ANCHOR)
    came = shown = judged = everybody = fine = 0
    sizes, grids = [], []
    word: int | None = None
    for at, people in enumerate(instants):
        if listens and rng.random() >= loss:
            chain.told(9, word)
        base = chain.base(at, len(people))
        body, made = chain.next(at, people, ROOM)
        chain.keep(made, base)
        sizes.append(len(body))
        grids.append(max(seen.grid_m for _, seen in made.fresh()))
        if rng.random() < loss:
            continue
        came += 1
        try:
            album.take(BlockId(1, 1, Lane.PICTURE, at), body)
        except DecodeError:
            continue
        shown, word = shown + 1, at % HEARD
        judged += at >= START
        everybody += at >= START and made.count == len(people)
        fine += at >= START and grids[-1] == GRIDS_M[0]
    return {
        "came": came,
        "shown": shown,
        "bytes_most": max(sizes),
        "everybody": round(everybody / judged, 3),
        "at_10_m": round(fine / judged, 3),
        "grid_m_median": median(grids[START:]),
        "grid_m_most": max(grids[START:]),
    }


def scene_sizes() -> dict[str, int]:
    """A scene with every value known and eight pictures heard, and one with nothing but the pictures heard."""
    figures = (
        9, 46, 45, 3, 5, 9, 14, 3, 1, 17, 6, 1240, 18, 223, 2, 312_450, 2100, 820, 11, 480,
    )  # fmt: skip
    full = Scene(
        {row.name: figure for row, figure in zip(FIELDS, figures, strict=True)},
        heard={(origin, vitals): 37 + origin for origin in range(1, 5) for vitals in (False, True)},
    )
    return {"full": len(encode_scene(full)), "heard_only": len(encode_scene(Scene(heard={(2, True): 45})))}


def run(tracks: str = "", seeds: int = 3) -> dict[str, Any]:
    """Recorded walkers when a folder of tracks is given; a simulated force in any case. `seeds` forces each."""
    out: dict[str, Any] = {"people": FORCE, "room": ROOM, "scene_bytes": scene_sizes()}
    for source in ("simulated", "recorded") if tracks else ("simulated",):
        out[source] = {f"{step}s": _measure(tracks if source == "recorded" else "", step, seeds) for step in STEPS_S}
    minutes = [out[source]["60s"] for source in ("simulated", "recorded") if source in out]
    out["ok"] = out["scene_bytes"]["full"] <= ROOM and all(
        minute["chained"]["bytes_per_person"] <= BAR and minute["one_message"]["everybody"] == 1 for minute in minutes
    )
    return out


def _measure(tracks: str, step: int, seeds: int) -> dict[str, Any]:
    results: list[dict[str, Any]] = []
    stretches, hearts = recorded(Path(tracks), step) if tracks else ([], [])
    started, pictures = process_time(), 0
    for seed in range(seeds):
        rng = random.Random(seed)
        instants = force(stretches or simulated(rng, step), hearts, rng)
        one = {"chained": chained(instants, 1), "one_message": in_room(instants, 0.0, True, rng)}
        if step == STEPS_S[0]:
            one |= {
                "base_2_old": chained(instants, 2),
                "base_5_old": chained(instants, 5),
                "without_heart_rate": chained(instants, 1, vitals=False),
                "one_message_loss_5_percent": in_room(instants, 0.05, True, rng),
                "one_message_one_way_loss_5_percent": in_room(instants, 0.05, False, rng),
            }
        pictures += len(one) * len(instants)
        results.append(one)
    merged: dict[str, Any] = {name: _merged([one[name] for one in results]) for name in results[0]}
    return merged | {"ms_per_picture_both_ends": round(1000 * (process_time() - started) / pictures, 1)}


def _merged(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Several forces as one: counts added, the worst of what is worst, means of the rest."""
    worst = ("bytes_most", "grid_m_most", "worst_error_m")
    how: dict[str, Callable[[list[float]], float]] = dict.fromkeys(("pictures", "came", "shown"), sum)
    how |= dict.fromkeys(worst, max)
    return {name: round(how.get(name, mean)([part[name] for part in parts]), 3) for name in parts[0]}

"""Bytes per observation on the wire: every track of a directory, at its own rate and thinned, cut into self-contained frames.

A frame is the body of one block of rows: all that the codec writes is counted, what seals and carries it is not. Every frame
is decoded and compared. Beside it: the zero-order entropy of each column's best simple residual, JSON and msgpack under zstd.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from math import log, log2
from pathlib import Path
from statistics import median
from typing import Any, Final

import msgpack
import zstandard

from bench import bounded
from bench.tracks import MIN_ROWS, Series, series
from bench.tracks import tracks as tracks_of
from bench.train_rows import count, fit, installed, merge
from bench.walkers import stations
from bench.waveforms import waveforms
from sync.codec import decode_batches, encode_batches, encode_within
from sync.records import Batch

TRACKS: Final = "tests/data/tracks"
BUDGETS: Final = (63, 78, 200, 229, 1750)
MAX_BULK: Final = 20_000
AHEAD: Final = 4  # rows offered to a frame for each byte of it
PERSON_COLUMNS: Final = 6  # and time
LEVEL: Final = 19
HEART: Final = 1


def run(tracks: str = TRACKS, folds: int = 0) -> dict[str, Any]:
    """Measure every CSV file of a directory in the form of bench/tracks.py; left_out: those that are not, and why.

    files: "name" or "name/seconds" -> rows, columns, bytes per observation by content budget (None where not one row fits),
    entropy and others' bytes, microseconds of processor time per observation. medians: the same over all series of MIN_ROWS
    rows and more, or over all where none is that long.
    people: medians of series at 1 Hz with a heart rate and seven columns. folds: 0 measures with the shipped priors; n > 1
    with priors trained on the files of the other folds alone, so that no file knows itself. waveforms: MiniSEED files, bytes
    per sample. bounded: bench/bounded.py.
    """
    read, left_out = tracks_of(Path(tracks))
    found = list(series(read))
    measured = _held_out(found, folds) if folds > 1 else {_label(each): _measure(each) for each in found}
    long = [each for each in found if len(each.batch.rows) >= MIN_ROWS] or found
    people = [measured[_label(each)] for each in long if _is_person(each)]
    waves, damaged = waveforms(Path(tracks))
    return {
        "tracks": len({each.name for each in found}),
        "series": len(found),
        "priors": "shipped" if folds < 2 else f"trained on the other {folds - 1} of {folds} folds",
        "medians": _medians([measured[_label(each)] for each in long]),
        "people": _medians(people),
        "files": measured,
        "waveforms": {each.name: _waveform(each, own) for each, own in waves},
        "left_out": left_out | damaged,
        "bounded": bounded.run(tracks),
        "ok": bool(found),
    }


def _waveform(each: Series, size: int) -> dict[str, Any]:
    measured = _measure(each)
    return {
        "miniseed": round(size / len(each.batch.rows), 3),
        **{name: measured[name] for name in ("rows", "200", "1750", "bulk", "bulk_encode_us", "bulk_decode_us")},
    }


def _label(each: Series) -> str:
    return f"{each.name}/{each.seconds}" if each.seconds else each.name


def _held_out(found: Sequence[Series], folds: int) -> dict[str, dict[str, Any]]:
    names = sorted({each.name for each in found})
    fold = {name: at % folds for at, name in enumerate(names)}
    counts = {_label(each): count(each) for each in found}
    always = merge(count(each) for each in stations())
    out = {}
    for held in range(min(folds, len(names))):
        others = [counts[_label(each)] for each in found if fold[each.name] != held]
        with installed(fit(merge([always, *others]))):
            out.update({_label(each): _measure(each) for each in found if fold[each.name] == held})
    return {_label(each): out[_label(each)] for each in found}


def _is_person(each: Series) -> bool:
    kinds = {column.kind for column in each.batch.profile.columns}
    steps = [(b.wall_ms or 0) - (a.wall_ms or 0) for a, b in pairwise(each.batch.rows)]
    return (
        not each.seconds and HEART in kinds and _carried(each.batch) >= PERSON_COLUMNS and median(steps or [0]) <= 1000
    )


def _carried(batch: Batch) -> int:
    return sum(any(row.values[at] is not None for row in batch.rows) for at in range(len(batch.profile.columns)))


def _measure(each: Series) -> dict[str, Any]:
    batch = Batch(each.batch.stream, each.batch.boot, each.batch.profile, each.batch.rows[:MAX_BULK])
    out: dict[str, Any] = {"rows": len(batch.rows), "columns": _carried(batch) + 1}
    for budget in BUDGETS:
        out[str(budget)] = _framed(each, batch, budget, out)
    started = time.process_time()
    body = encode_batches([batch], each.anchor)
    encoded = time.process_time()
    _verify(decode_batches(body, each.anchor), batch.rows)
    rows = len(batch.rows)
    out["bulk"] = round(len(body) / rows, 3)
    out["bulk_encode_us"] = round((encoded - started) / rows * 1e6, 1)
    out["bulk_decode_us"] = round((time.process_time() - encoded) / rows * 1e6, 1)
    return {**out, "entropy": round(_entropy(batch) / 8, 3), **_others(batch)}


def _framed(each: Series, batch: Batch, budget: int, out: dict[str, Any]) -> float | None:
    """Bytes per observation of full frames, the last one left out where there is another; None where not one row fits."""
    at = size = rows = 0
    encoding = decoding = 0.0
    while at < len(batch.rows):
        part = Batch(batch.stream, batch.boot, batch.profile, batch.rows[at : at + AHEAD * budget])
        started = time.process_time()
        body, taken = encode_within([part], each.anchor, budget)
        encoded = time.process_time()
        if not taken:
            return None
        _verify(decode_batches(body, each.anchor), part.rows[:taken])
        decoding += time.process_time() - encoded
        encoding += encoded - started
        at += taken
        if at < len(batch.rows) or not rows:
            size, rows = size + len(body), rows + taken
    out[f"{budget}_encode_us"] = round(encoding / len(batch.rows) * 1e6, 1)
    out[f"{budget}_decode_us"] = round(decoding / len(batch.rows) * 1e6, 1)
    return round(size / rows, 3)


def _verify(got: Sequence[Batch], rows: Sequence[Any]) -> None:
    """ValueError unless the rows came back."""
    back = [row for batch in got for row in batch.rows]
    if back != list(rows):
        raise ValueError("a round trip failed")


def _entropy(batch: Batch) -> float:
    """Bits per observation, each column by the best of its values, differences and their differences (Miller-Madow)."""
    columns: list[list[int]] = [[row.wall_ms or 0 for row in batch.rows]]
    for at in range(len(batch.profile.columns)):
        columns.append([value for row in batch.rows if (value := row.values[at]) is not None])
    return sum(min(_zero_order(each) for each in _residuals(column)) for column in columns if len(column) > 2)


def _residuals(values: Sequence[int]) -> Iterable[Sequence[int]]:
    for _ in range(3):
        yield values
        values = [b - a for a, b in pairwise(values)]


def _zero_order(values: Sequence[int]) -> float:
    seen, total = Counter(values), len(values)
    if not total:
        return 0.0
    return -sum(n / total * log2(n / total) for n in seen.values()) + (len(seen) - 1) / (2 * total * log(2))


def _others(batch: Batch) -> dict[str, float]:
    """The whole series as objects with names and floats, one for each row, in two usual forms under zstd 19."""
    objects = []
    for row in batch.rows:
        item: dict[str, Any] = {"t": row.wall_ms}
        for column, value in zip(batch.profile.columns, row.values, strict=True):
            if value is not None:
                item[column.meaning.name] = value * 10.0**column.exponent if column.exponent else value
        objects.append(item)
    engine = zstandard.ZstdCompressor(level=LEVEL)
    forms: dict[str, Callable[[Any], bytes]] = {"json_zstd": _json, "msgpack_zstd": msgpack.packb}
    return {name: round(len(engine.compress(form(objects))) / len(objects), 3) for name, form in forms.items()}


def _json(objects: Any) -> bytes:
    return json.dumps([{k: round(v, 7) for k, v in each.items()} for each in objects], separators=(",", ":")).encode()


def _medians(measured: Sequence[dict[str, Any]]) -> dict[str, float]:
    names = dict.fromkeys(name for each in measured for name in each if name not in ("rows", "columns"))
    values = {name: [each[name] for each in measured if each.get(name) is not None] for name in names}
    return {name: round(median(found), 3) for name, found in values.items() if found}

"""The pages are exact: a decoder written from them alone reads what the encoders make."""

from __future__ import annotations

from dataclasses import replace

from sync.codec import encode_events
from sync.codec.picture import decode_force, encode_force
from sync.codec.picture_people import Force
from sync.codec.scene import FIELDS, Scene, encode_scene
from sync.codec.text import encode_text
from tests.sync import second_decoder as second
from tests.sync.test_events import ANCHOR as START
from tests.sync.test_events import EVACUATE, ORDER, PHRASE, RECEIPT, SOURCE, TWO
from tests.sync.test_picture import ANCHOR, walk
from tests.sync.test_report import PAGE, told
from tests.sync.test_text import MESSAGES, VECTORS


def test_pictures() -> None:
    known: dict[int, dict[int, second.Shown]] = {}
    spans: dict[int, tuple[int, int]] = {}
    seen: dict[int, Force] = {}
    for number, people in enumerate(walk(6, 9), 40):
        for vitals in (True, False):
            block = 2 * number + vitals
            base = seen.get(block - 2) if number % 4 else None
            body, made = encode_force(block, people, base, ANCHOR, 60 if number % 2 else 18, vitals=vitals)
            assert decode_force(body, block, seen, ANCHOR) == made
            seen[block] = made
            shown = second.force(body, block, (ANCHOR.lat_e7, ANCHOR.lon_e7), known, spans)
            for place, each in made.fresh():
                other = shown[place]
                assert other.place == ((each.lat_e7, each.lon_e7) if each.grid_m else None)
                assert (other.grid, other.pulse, other.alarm, other.age, other.moved) == (
                    each.grid_m, each.hr, each.alarm, each.age, each.moved,
                )  # fmt: skip


def test_scenes() -> None:
    scene = Scene({"units": 3, "red": 2, "water_mm_h": -40}, {25: 7}, {(2, True): 7, (300, False): 63})
    rows, heard = second.scene(encode_scene(scene))
    names = {row.name: row.number for row in FIELDS}
    assert rows == {names[name]: value for name, value in scene.values.items()} | scene.unknown and heard == scene.heard


def test_texts() -> None:
    for line in [*MESSAGES, *VECTORS]:
        assert second.text(encode_text(line)) == line


def test_events() -> None:
    forms = [told(report) for report in PAGE]
    odd = replace(forms[0], body={0: "1", 2: "云图"})
    for events in ([ORDER], [PHRASE], [EVACUATE], [RECEIPT], list(TWO), [PHRASE, RECEIPT, ORDER], forms, [odd, *forms]):
        read = second.events(encode_events(events, START, source=SOURCE), SOURCE[:2], START.start_ms)
        for mine, each in zip(read, events, strict=True):
            time = each.time
            assert mine["time"] == (time.boot, time.mono_ms, time.wall_ms, int(time.quality))
            assert (mine["id"], mine["kind"], mine["actor"], mine["lamport"]) == (
                each.id,
                each.kind,
                each.actor,
                each.lamport,
            )
            assert (mine["to"], mine["valid_s"], mine["parents"], mine["body"]) == (
                each.to,
                each.valid_s,
                each.parents,
                each.body,
            )

"""From a line that somebody wrote to the fields of an intent: a row for each act; None where the line is not what the act needs."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from tui.scene import LOST_S, Scene

Fields = dict[str, Any]

DUE_MIN: Final = 10  # minutes that a roll call leaves where nobody says otherwise
SURE: Final = {
    "evacuate sure": "go",
    "lift": "over",
}  # what is typed before an evacuation goes out, and before one is taken back
_PARTED: Final = re.compile(r"\s*[,;,;]\s*")
_COUNTS: Final = re.compile(r"(\d{1,4})(?:\D+(\d{1,4}))?")
_DUE: Final = re.compile(r"(\d{1,4})(?:\s+(.+))?")


def place(scene: Scene) -> Fields:
    """Where this node is, as an event says it (1e-6 degrees); nothing when that is unknown or old."""
    spot = scene.where
    if spot is None or spot.age_s is None or spot.age_s > LOST_S:
        return {}
    return {"lat": round(spot.lat * 1e6), "lon": round(spot.lon * 1e6)}


def _text(line: str, _: Scene) -> Fields | None:
    return {"text": line} if line else None


def _sos(line: str, scene: Scene) -> Fields | None:
    return {"subject": scene.station, "state": 1, **place(scene)} if line.lower() == "sos" else None


def _evacuate(line: str, _: Scene) -> Fields | None:
    """`area, way`."""
    area, *way = _PARTED.split(line, 1)
    return {"area": area, "state": 1, **({"route": way[0]} if way and way[0] else {})} if area else None


def _rollcall(line: str, _: Scene) -> Fields | None:
    """`minutes area`, both may be left out, not together."""
    found = _DUE.fullmatch(line)
    minutes, area = (int(found[1]), found[2]) if found else (DUE_MIN, line)
    return {"due_s": 60 * minutes, "state": 1, **({"area": area} if area else {})} if minutes and line else None


def _answer(line: str, scene: Scene) -> Fields | None:
    """`safe missing`."""
    found, call = _COUNTS.fullmatch(line), scene.rollcall
    if found is None or call is None:
        return None
    return {"of": list(call.row.id), "unit": scene.station, "safe": int(found[1]), "missing": int(found[2] or 0)}


WISHES: Final[dict[str, Callable[[str, Scene], Fields | None]]] = {
    "message": _text,
    "order": _text,
    "sos": _sos,
    "evacuate": _evacuate,
    "rollcall": _rollcall,
    "rollcall.answer": _answer,
}

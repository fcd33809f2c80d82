"""Sentences of one instant -> one fix."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Final

from hardware.gnss.satellites import Constellation, Satellite
from hardware.gnss.sentences import DAY_MS, Accuracy, Dated, InView, Located, Motion, Sentence, Used

_KEEP_EPOCHS: Final = 30  # how long an unrepeated list of satellites stays true
_PREFERENCE: Final = ("GGA", "GNS", "RMC")


@dataclass(frozen=True, slots=True)
class Fix:
    """What a receiver said about one instant; degrees, metres, m/s; position None and quality 0 when it had none.

    wall_ms: UTC, None while the date is unknown; mono_ms: when its first byte group was read; quality: as in GGA, 0..8;
    mode: 1 none, 2 plane, 3 space; satellites: used in the solution; `used` and `in_view` count by constellation.
    dated: RMC with status A or ZDA of this very instant gave the date; kinds: which of GGA, GNS and RMC spoke.
    """

    tod_ms: int
    mono_ms: int
    wall_ms: int | None = None
    lat: float | None = None
    lon: float | None = None
    alt: float | None = None
    geoid: float | None = None
    speed: float | None = None
    course: float | None = None
    quality: int = 0
    mode: int = 1
    satellites: int | None = None
    used: Mapping[Constellation, int] = field(default_factory=dict)
    in_view: Mapping[Constellation, int] = field(default_factory=dict)
    hdop: float | None = None
    pdop: float | None = None
    vdop: float | None = None
    accuracy_m: float | None = None
    dated: bool = False
    kinds: frozenset[str] = frozenset()


def instant(day: date, tod_ms: int) -> int:
    """UTC ms of a date and time of day."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000 + tod_ms


class _Sky:
    """Satellites in view: pages joined per talker and signal, a satellite of two signals counted once."""

    def __init__(self) -> None:
        self._pages: dict[tuple[bytes, int], set[Satellite]] = {}
        self._views: dict[tuple[bytes, int], tuple[int, frozenset[Satellite]]] = {}
        self.epoch = 0

    def add(self, page: InView) -> None:
        key = page.talker, page.signal
        joined = self._pages.setdefault(key, set())
        if page.page == 1:
            joined.clear()
        joined.update(satellite for satellite, _ in page.satellites)
        if page.page == page.pages:
            self._views[key] = self.epoch, frozenset(joined)

    def count(self) -> Mapping[Constellation, int]:
        self.epoch += 1
        fresh = (seen for since, seen in self._views.values() if self.epoch - since <= _KEEP_EPOCHS)
        everything: set[Satellite] = set().union(*fresh)
        return Counter(constellation for constellation, _ in everything)


class Assembler:
    """Sentences in, fixes out. An epoch ends when a sentence names another time of day, or on `flush`.

    Times may run backwards (recordings joined, receivers restarted); an epoch's time is taken as it stands.
    """

    def __init__(self) -> None:
        self._sky = _Sky()
        self._tod: int | None = None
        self._closed: int | None = None
        self._last_wall: int | None = None
        self._mono_ms = 0
        self._clear()

    def _clear(self) -> None:
        self._located: dict[str, Located] = {}
        self._day: date | None = None
        self._used: list[Used] = []
        self._motion: Motion | None = None
        self._accuracy: Accuracy | None = None

    def add(self, sentence: Sentence, mono_ms: int = 0) -> Fix | None:
        """Take a sentence read at `mono_ms`; give the epoch before it, if this one begins another."""
        tod = getattr(sentence, "tod_ms", None)
        done = None
        if tod is not None and tod != self._tod:
            done = self.flush()
            self._tod, self._mono_ms = tod, mono_ms
        self._take(sentence)
        return done

    def _take(self, sentence: Sentence) -> None:
        match sentence:
            case Located():
                if sentence.tod_ms is not None:
                    self._located[sentence.kind] = sentence
                self._day = sentence.day or self._day
            case Used():
                self._used.append(sentence)
                del self._used[:-32]
            case InView():
                self._sky.add(sentence)
            case Motion():
                self._motion = sentence
            case Dated():
                self._day = self._day or (sentence.day if sentence.tod_ms is not None else None)
            case Accuracy():
                self._accuracy = sentence

    def flush(self) -> Fix | None:
        """Close the epoch at hand; None when there is none, or it was given already."""
        fix = None
        if self._tod is not None and self._located and self._tod != self._closed:
            fix = self._fix(self._tod)
            self._closed = self._tod
        self._clear()
        return fix

    def _wall(self, tod: int) -> int | None:
        """The date of this epoch, or the one that brings its time of day nearest to the last dated instant."""
        if self._day is not None:
            return instant(self._day, tod)
        if self._last_wall is None:
            return None
        midnight = self._last_wall - self._last_wall % DAY_MS
        last = self._last_wall
        return min((midnight + shift * DAY_MS + tod for shift in (-1, 0, 1)), key=lambda at: abs(at - last))

    def _fix(self, tod: int) -> Fix:
        said = [self._located[kind] for kind in _PREFERENCE if kind in self._located]
        place, kinds = said[0], frozenset(self._located)
        dilution = self._used[-1] if self._used else None
        used = Counter(name for name, _ in {one for group in self._used for one in group.satellites})
        satellites = max(place.satellites or 0, used.total()) or place.satellites
        in_view = self._sky.count()
        hdop = dilution.hdop if place.hdop is None and dilution else place.hdop
        if not all(one.quality for one in said):  # void in one sentence is void in all
            return Fix(tod, self._mono_ms, satellites=satellites, in_view=in_view, hdop=hdop, kinds=kinds)
        self._last_wall = wall = self._wall(tod)
        moved = self._located.get("RMC") or self._motion
        errors = self._accuracy
        return Fix(
            tod,
            self._mono_ms,
            wall,
            place.lat,
            place.lon,
            place.alt,
            place.geoid,
            moved.speed if moved else None,
            moved.course if moved else None,
            place.quality,
            max((group.mode for group in self._used), default=3 if place.alt is not None else 2),
            satellites,
            used,
            in_view,
            hdop,
            dilution.pdop if dilution else None,
            dilution.vdop if dilution else None,
            max(errors.lat_m, errors.lon_m) if errors and errors.lat_m and errors.lon_m else None,
            self._day is not None,
            kinds,
        )


def iso(wall_ms: int) -> str:
    """UTC as ISO 8601 with milliseconds and Z."""
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=wall_ms)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{wall_ms % 1000:03d}Z"

"""A running gpsd as a source of fixes: its line JSON on TCP 2947, every key of it optional."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

from hardware.driver import DriverContext, Health
from hardware.errors import DecodeError, PortError, PortMissing
from hardware.gnss.epoch import Fix
from hardware.gnss.observe import Observer
from hardware.gnss.satellites import Constellation
from hardware.gnss.sentences import DAY_MS
from hardware.ports import Port, open_port

MAX_LINE: Final = 65_536
PAUSE_S: Final = 0.2
IDLE_S: Final = 10.0  # gpsd tells nobody that its receiver was unplugged
_PORT: Final = 2947
# gpsd's gnssid; 4 (IMES) is no satellite.
_SYSTEMS: Final[dict[float, Constellation]] = {
    0: Constellation.GPS,
    1: Constellation.SBAS,
    2: Constellation.GALILEO,
    3: Constellation.BEIDOU,
    5: Constellation.QZSS,
    6: Constellation.GLONASS,
    7: Constellation.NAVIC,
}
# TPV status -> GGA quality; any other is 1.
_QUALITY: Final[dict[float, int]] = {2: 2, 3: 4, 4: 5, 5: 6, 6: 6, 8: 8, 9: 3}


def _number(report: Mapping[str, Any], *names: str) -> float | None:
    """The first of some keys that holds a finite number."""
    for name in names:
        value = report.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15:
            return float(value) if math.isfinite(value) else None
    return None


def _wall_ms(text: object) -> int | None:
    """UTC ms of ISO 8601; None when absent, DecodeError when malformed."""
    if not isinstance(text, str):
        return None
    try:
        at = datetime.fromisoformat(text)
        return round(at.replace(tzinfo=at.tzinfo or UTC).timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        raise DecodeError(f"gpsd: time {text[:40]!r}") from error


class GpsdReader:
    """gpsd's bytes in, fixes out; nothing that comes in raises. Repeated reports of one instant give one fix.

    reports: TPV and SKY read; malformed: lines that were not what they claimed.
    """

    def __init__(self) -> None:
        self.reports = self.malformed = 0
        self._rest = b""
        self._sky: dict[str, Any] = {}
        self._fix: Fix | None = None
        self._given: int | None = None

    def feed(self, data: bytes, mono_ms: int = 0) -> Iterator[Fix]:
        """Take bytes read at `mono_ms`; give the instants that another one has ended."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > MAX_LINE:
            self._rest = b""
            self.malformed += 1
        for line in lines:
            try:
                done = self._report(line, mono_ms) if line.strip() else None
            except (DecodeError, ValueError, RecursionError):
                self.malformed += 1
                continue
            if done is not None:
                yield done

    def flush(self) -> Fix | None:
        """The instant at hand, when the line has paused; None when there is none or it was given already."""
        fix, self._fix = self._fix, None
        if fix is None or (fix.wall_ms is not None and fix.wall_ms == self._given):
            return None
        self._given = fix.wall_ms
        return replace(fix, **self._sky)

    def _report(self, line: bytes, mono_ms: int) -> Fix | None:
        report = json.loads(line)
        if not isinstance(report, dict):
            raise DecodeError("gpsd: not an object")
        match report.get("class"):
            case "SKY":
                self.reports += 1
                self._sky |= _sky(report)
            case "TPV":
                self.reports += 1
                return self._position(report, mono_ms)
        return None

    def _position(self, report: Mapping[str, Any], mono_ms: int) -> Fix | None:
        fix = _fix(report, mono_ms)
        if fix is None:
            return None
        if self._fix is not None and self._fix.wall_ms == fix.wall_ms:
            self._fix = replace(fix, mono_ms=self._fix.mono_ms) if fix.quality else self._fix
            return None
        done = self.flush()
        self._fix = fix
        return done


def _fix(report: Mapping[str, Any], mono_ms: int) -> Fix | None:
    """A TPV as a fix; None for one that names neither time nor position."""
    wall_ms = _wall_ms(report.get("time"))
    lat, lon = _number(report, "lat"), _number(report, "lon")
    mode = _number(report, "mode")
    if wall_ms is None and lat is None:
        return None
    tod = 0 if wall_ms is None else wall_ms % DAY_MS
    if mode not in (2, 3) or lat is None or lon is None or abs(lat) > 90 or abs(lon) > 180:
        return Fix(tod, mono_ms)
    return Fix(
        tod,
        mono_ms,
        wall_ms,
        lat,
        lon,
        alt=_number(report, "altMSL", "alt"),
        geoid=_number(report, "geoidSep"),
        speed=_number(report, "speed"),
        course=_number(report, "track"),
        quality=_QUALITY.get(_number(report, "status") or 1, 1),
        mode=int(mode),
        accuracy_m=_number(report, "eph"),
        dated=wall_ms is not None,
    )


def _sky(report: Mapping[str, Any]) -> dict[str, Any]:
    """What a SKY says, as fields of Fix; a SKY without satellites speaks only of dilution."""
    said: dict[str, Any] = {name: value for name in ("hdop", "pdop", "vdop") if (value := _number(report, name))}
    listed = report.get("satellites")
    if not isinstance(listed, list):
        return said
    seen: dict[tuple[Constellation, object], bool] = {}
    for satellite in listed:
        system = _SYSTEMS.get(_number(satellite, "gnssid") or 0) if isinstance(satellite, dict) else None
        if system is not None:
            key = system, str(satellite.get("svid", satellite.get("PRN")))
            seen[key] = seen.get(key, False) or satellite.get("used") is True
    used = Counter(system for (system, _), flag in seen.items() if flag)
    in_view = Counter(system for system, _ in seen)
    return said | {"used": used, "in_view": in_view, "satellites": used.total()}


class GpsdDriver:
    """Watches a gpsd; gives the same observations as `GnssDriver`. port: `gpsd://HOST[:2947][/dev/DEVICE]`."""

    def __init__(self, name: str, port: str, subject: str, *, idle_s: float = IDLE_S, sets_clock: bool = True) -> None:
        self.name, self.port, self.subject, self.idle_s, self.sets_clock = name, port, subject, idle_s, sets_clock
        self.reader = GpsdReader()

    def _address(self) -> tuple[str, bytes]:
        """The TCP port's name and the request to watch."""
        try:
            url = urlsplit(self.port)
            host, number = url.hostname, url.port or _PORT
        except ValueError as error:
            raise PortMissing(f"{self.port} is not gpsd://HOST:PORT: {error}") from error
        if url.scheme != "gpsd" or not host:
            raise PortMissing(f"{self.port} is not gpsd://HOST:PORT")
        watch = {"enable": True, "json": True} | ({"device": url.path} if len(url.path) > 1 else {})
        return f"tcp://{host}:{number}", f"?WATCH={json.dumps(watch)};\n".encode()

    async def run(self, context: DriverContext) -> None:
        """Connect, watch and emit until cancelled; PortMissing, PortLost, PortSilent."""
        address, watch = self._address()
        self.reader = reader = GpsdReader()
        observer = Observer(context.clock, self.subject, self.name, self.sets_clock)
        async with await open_port(address, write=True, idle_s=self.idle_s) as port:
            await port.write(watch)
            context.health(Health.DEGRADED, "no fix yet")
            try:
                while True:
                    await self._step(port, reader, observer, context)
            except PortError:
                self._emit(reader.flush(), observer, context)
                raise

    async def _step(self, port: Port, reader: GpsdReader, observer: Observer, context: DriverContext) -> None:
        data = await port.read(PAUSE_S)
        heard = reader.reports
        for fix in reader.feed(data, int(context.clock.mono() * 1000)):
            self._emit(fix, observer, context)
        if not data:
            self._emit(reader.flush(), observer, context)
        if reader.reports > heard:
            port.alive()

    def _emit(self, fix: Fix | None, observer: Observer, context: DriverContext) -> None:
        if fix is not None:
            context.emit(observer.take(fix))
            context.health(*((Health.UP, "") if fix.quality else (Health.DEGRADED, "no fix")))

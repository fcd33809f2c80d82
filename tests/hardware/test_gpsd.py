"""gpsd's JSON: every key optional, repeated reports, BeiDou counted once, hostile lines."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware.clock import ManualClock
from hardware.errors import PortMissing
from hardware.gnss.gpsd import MAX_LINE, GpsdDriver, GpsdReader
from hardware.gnss.observe import Observer
from hardware.gnss.satellites import Constellation


def line(**report: Any) -> bytes:
    return json.dumps(report).encode() + b"\r\n"


def tpv(second: int, **more: Any) -> bytes:
    said = {"mode": 3, "time": f"2026-11-24T12:00:{second:02d}.000Z", "lat": 38.0412, "lon": 110.9511}
    return line(**{"class": "TPV"}, **(said | more))


def test_reports_of_one_instant_give_one_fix_with_all_they_say() -> None:
    reader = GpsdReader()
    sky = [
        {"gnssid": 3, "svid": 7, "used": True},
        {"gnssid": 3, "svid": 7, "sigid": 4, "used": False},
        {"gnssid": 0, "svid": 5, "used": False},
        {"gnssid": 4, "svid": 1, "used": True},
    ]
    stream = tpv(1, mode=2) + line(**{"class": "SKY"}, satellites=sky, hdop=0.8) + tpv(1, altMSL=950.5) + tpv(2)
    (fix,) = reader.feed(stream)
    assert (fix.lat, fix.alt, fix.mode, fix.hdop, fix.satellites) == (38.0412, 950.5, 3, 0.8, 1)
    assert fix.used == {Constellation.BEIDOU: 1}
    assert fix.in_view == {Constellation.BEIDOU: 1, Constellation.GPS: 1}
    last = reader.flush()
    assert last is not None and last.tod_ms - fix.tod_ms == 1000
    assert list(reader.feed(tpv(2))) == [] and reader.flush() is None, "given already"


@pytest.mark.parametrize(("status", "quality"), [(0, 1), (1, 1), (2, 2), (3, 4), (4, 5), (8, 8), (99, 1), ("x", 1)])
def test_status_is_the_quality_of_gga(status: Any, quality: int) -> None:
    (fix,) = GpsdReader().feed(tpv(1, status=status) + tpv(2))
    assert fix.quality == quality


@pytest.mark.parametrize("more", [{"mode": 1}, {"mode": None}, {"lat": 91.0}, {"lon": "x"}, {"lat": float("nan")}])
def test_without_a_position_there_is_no_fix(more: dict[str, Any]) -> None:
    (fix,) = GpsdReader().feed(tpv(1, **more) + tpv(2))
    assert (fix.lat, fix.quality) == (None, 0)


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=6)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)),
    max_leaves=6,
)
KEYS = ("class", "time", "lat", "lon", "mode", "status", "satellites", "hdop", "gnssid", "svid", "used", "alt", "eph")
REPORT = st.builds(
    lambda kind, said: {"class": kind} | said,
    st.sampled_from(["TPV", "SKY", "DEVICE"]),
    st.dictionaries(
        st.sampled_from(KEYS[1:]), st.one_of(JSON, st.lists(st.fixed_dictionaries({"gnssid": JSON, "svid": JSON})))
    ),
)


@given(st.lists(st.one_of(REPORT.map(lambda it: json.dumps(it).encode()), st.binary(max_size=40)), max_size=6))
@settings(max_examples=80, deadline=None)
def test_nothing_that_comes_in_raises(lines: list[bytes]) -> None:
    reader, observer = GpsdReader(), Observer(ManualClock(5.0), "V1", "gpsd", True)
    for fix in [*reader.feed(b"\n".join([*lines, b""])), reader.flush()]:
        if fix is not None:
            observer.take(fix)
    assert len(list(reader.feed(tpv(1) + tpv(2)))) >= 1


def test_an_endless_line_is_bounded() -> None:
    reader = GpsdReader()
    for _ in range(10):
        list(reader.feed(b"{" * MAX_LINE))
    assert len(reader._rest) <= MAX_LINE and reader.malformed


@pytest.mark.parametrize("port", ["gpsd://", "tcp://127.0.0.1:1", "gpsd://host:99999", "gpsd://[", "/dev/ttyS0"])
async def test_a_wrong_address_says_what_is_allowed(port: str) -> None:
    with pytest.raises(PortMissing, match="gpsd://HOST"):
        GpsdDriver("gpsd", port, "V1")._address()

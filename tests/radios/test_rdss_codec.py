"""Short-message codec: literals of real terminals, wrong ones, the trap, round trips, rubbish."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware.errors import DecodeError
from hardware.gnss.framer import sentence
from radios.rdss.codec import Decoder, encode
from radios.rdss.events import (
    AskPosition,
    AskState,
    AskStored,
    Beams,
    Card,
    ChooseBeams,
    Event,
    Family,
    Message,
    Moment,
    Nmea,
    Other,
    Output,
    Place,
    Query,
    Receipts,
    Refusal,
    Result,
    Send,
    Service,
    State,
    Subordinates,
)
from radios.rdss.payload import Mode, Payload, binary, mixed, octets, room

V40, V21, V3 = Family.V40, Family.V21, Family.V3
HAILIAO = "广州海聊科技有限公司"


def code(digits: str) -> Payload:
    return Payload(Mode.CODE, digits.encode("ascii"))


def chinese(text: str) -> Payload:
    """As a terminal in Chinese mode sends words."""
    return Payload(Mode.TEXT, text.encode("gbk"))


def only(data: bytes) -> Event:
    (event,) = Decoder().feed(data)
    return event


POWERS = (3, 2, 2, 0, 3, 0, 0, 3, 0, 0)
VECTORS: list[tuple[str, Event]] = [
    ("$CCICA,0,00*7B", Query(0)),
    ("$BDICI,0242286,00242286,0000011,6,60,3,N,0*38", Card(242286, 11, 60, 3, False, 6)),
    ("$BDICI,0166166,02097151,0000011,6,40,3,N,000*33", Card(166166, 11, 40, 3, False, 6)),
    ("$BDICI,0000000,00000000,0000000,0,0,0,N,0*0B", Card(0)),
    ("$BDICI,4207733,0,0,3,60,2,N,22*3A", Card(4207733, 0, 60, 2, False, 3, 22)),
    ("$CCRMO,BSI,2,1*27", Output("BSI", 2, 1)),
    ("$CCBSS,05,03*44", ChooseBeams(5, 3)),
    ("$BDBSI,01,03,3,2,2,0,3,0,0,3,0,0*5F", Beams(tuple(enumerate(POWERS, 1)), response=1, difference=3)),
    ("$CCTXA,0166166,1,1,3132333433333335*7F", Send(166166, code("3132333433333335"))),
    ("$BDFKI,TXA,Y,Y,0,0040*17", Result("TXA", True, Refusal.NONE, 40)),
    ("$BDTXR,1,0166166,1,,3132333433333335*46", Message(166166, code("3132333433333335"))),
    ("$BDFKI,TXA,N,Y,0,0000*04", Result("TXA", False, Refusal.FAILED, 0)),
    ("$CCTXA,0179773,1,2,A468656C6C6F*7A", Send(179773, mixed("hello"))),
    ("$BDTXR,1,0179773,2,,A468656C6C6F*43", Message(179773, mixed("hello"))),
    ("$CCTXA,0242407,1,2,A4B9E3D6DDBAA3C1C4BFC6BCBCD3D0CFDEB9ABCBBE*0F", Send(242407, mixed(HAILIAO))),
    (
        "$BDTXR,1,4207733,1,2337,90000000000065C1FAF4B2E2CAD4*3F",
        Message(4207733, code("90000000000065C1FAF4B2E2CAD4"), at="2337"),
    ),
    ("$CCICR,0,00*68", Query(0)),
    ("$BDICP,4238473,0,0,3,0,N,2,N,1,0,0,3,1,60,2,0,0,0,0,21,0,0,0*48", Card(4238473, 0, 60, 2, False, 3, 21)),
    (
        "$BDICP,15240507,2032472,1,3,0,N,1,Y,1,0,0,3,1,1,5,1,1,2,2,500,100,10,10*65",
        Card(15240507, 2032472, 1, 5, False, 3, 500),
    ),
    ("$BDICP,0,0,0,0,0,N,0,N,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0*40", Card(0)),
    (
        "$BDPWI,023628.00,00,04,2,51,44,0,4,50,43,0,11,43,36,0,16,51,44,0*42",
        Beams(((2, 51), (4, 50), (11, 43), (16, 51)), carrier=True, timed=True),
    ),
    ("$BDPWI,000000.00,00,01,51,40,33,0*7B", Beams(((21, 40),), carrier=True, timed=False)),
    (
        "$BDTCI,4204986,4204990,2,142204,2,0,3A642B500000000000000A01F35B41EC036542EE74F5*40",
        Message(4204986, code("3A642B500000000000000A01F35B41EC036542EE74F5"), 4204990, at="142204"),
    ),
    ("$BDFKI,082920,TCQ,Y,0,0*70", Result("TCQ", True, Refusal.NONE, 0)),
    ("$BDFKI,000000,TCQ,Y,5,0*74", Result("TCQ", False, Refusal.NO_CARD, 0)),
]


@pytest.mark.parametrize(("line", "event"), VECTORS, ids=lambda it: it[:12] if isinstance(it, str) else "")
def test_what_real_terminals_and_programs_sent(line: str, event: Event) -> None:
    assert only(line.encode("ascii") + b"\r\n") == event


@pytest.mark.parametrize(
    ("data", "event"),
    [
        ("24 49 43 4A 43 00 0C 00 00 00 00 2B", Query(0)),
        (
            "24 54 58 53 51 00 1F 1F FC 09 46 1F FC 09 00 68 00 F1 01 1E AB 91 72 14 0B 92 16 1E 1E 53 75",
            Send(0x1FFC09, code("F1011EAB9172140B92161E1E53"), own=0x1FFC09),
        ),
    ],
)
def test_binary_literals_both_ways(data: str, event: Event) -> None:
    raw = bytes.fromhex(data)
    assert only(raw) == event
    assert encode(event, V40) == raw


@pytest.mark.parametrize(
    "line",
    [
        "$BDBSI,00,00,1,3,2,4,0,3,1,4,2,1*5E",
        "$CCTXA,0123456,1,2,,A4BF105183*35",
        "$BDTXR,3,0455998,2,,A4CDA83930*3",
        "$BDFKI,082920,TCQ,Y,0,0*71",
    ],
)
def test_wrong_checksums_are_refused_and_counted(line: str) -> None:
    decoder = Decoder()
    assert decoder.feed(line.encode("ascii") + b"\r\n") == []
    assert decoder.framer.bad == 1
    assert decoder.feed(b"$CCICA,0,00*7B\r\n") == [Query(0)]


def test_the_two_layouts_of_a_result_are_told_apart() -> None:
    """Read by position alone, the first looks like a success: its `Y` stands where the third generation has its own."""
    failed, done = only(b"$BDFKI,TXA,N,Y,0,0000*04"), only(b"$BDFKI,082920,TCQ,Y,0,0*70")
    assert isinstance(failed, Result) and isinstance(done, Result)
    assert (failed.ok, done.ok) == (False, True)
    early = only(sentence(b"BDFKI,TXA,N,N,0,0112"))
    assert early == Result("TXA", False, Refusal.EARLY, 72)
    assert only(sentence(b"BDFKI,093011.00,TCQ,N,1,37")) == Result("TCQ", False, Refusal.EARLY, 37)
    assert only(sentence(b"BDFKI,,TCQ,N,1,37")) == Result("TCQ", False, Refusal.EARLY, 37), "no time yet"
    assert only(sentence(b"BDFKI,TXA,N,Y,3,0000")) == Result("TXA", False, Refusal.SILENCE, 0)


def test_firmware_variants() -> None:
    """BDTCI without the extra field; BDPWI with three values for a beam."""
    assert only(sentence(b"BDTCI,4204986,4204990,2,142204,2,ABCD")) == Message(
        4204986, code("ABCD"), 4204990, at="142204"
    )
    assert only(sentence(b"BDPWI,023628.00,00,02,2,51,44,4,50,43")) == Beams(((2, 51), (4, 50)), True, True)
    assert only(sentence(b"BDPWI,023628.00,01,3,40,38,01,2,51,44,0")) == Beams(((2, 51),), True, True)


EVENTS: dict[Family, list[Event]] = {
    V40: [
        Query(0),
        Card(242286, 11, 60, 3, True, 6, 2),
        AskState(242286, 1),
        AskState(242286, 1, powers_only=True),
        State(242286, 0, 1, 80, 0, Beams(((1, 4), (2, 0), (3, 1), (4, 0), (5, 0), (6, 2)))),
        Beams(((1, 4), (2, 0), (3, 1), (4, 0), (5, 0), (6, 2))),
        Send(166166, mixed("到,安4"), own=242286, express=True),
        Send(166166, code("ABC"), own=242286),
        Message(166166, mixed("红2黄3"), 242286, at="0830"),
        Message(166166, chinese("救命"), 242286, at="0830", intact=False),
        Receipts(166166, (("0830", "0831"), ("0900", "0902")), 242286),
        AskPosition(242286, height=950, antenna=2, period_s=60),
        Place(242286, "083001.5", 38.5, 110.25, 950.0),
        Moment(2026, 11, 24, 8, 30, 1.0),
        Result("TXSQ", True),
        Result("", False, Refusal.EARLY),
        Nmea(b"GNGGA,,,,,,0,,,,,,,,"),
    ],
    V21: [
        Send(166166, chinese("请求支援"), express=True),
        Message(166166, chinese("请求支援"), kind=2, at="0830"),
        AskStored(False, 3, 166166),
        Receipts(166166, (("0830", "0831"),)),
        AskPosition(166166, True, 1, True, 950.0, 2.0, 90100.0, 12.0, 60),
        Place(166166, "083001.50", 38.5, -110.25, 950.0, 2, True, True),
        Moment(2026, 11, 24, 8, 30, 1.0),
        Result("TXA", False, Refusal.EARLY, 72),
        Result("DWA", False, Refusal.BATTERY, 0),
        Subordinates((4, 5, 166166)),
        Output("", 3, 0),
    ],
    V3: [
        Query(2),
        Card(15240507, 11, 60, 5, True, 3, 21),
        Send(4204990, binary(b"\xa4\x01"), confirm=True),
        Send(4204990, chinese("安全"), repeat_s=60),
        Message(4204986, mixed("SOS"), 4204990, at="142204"),
        Beams(((2, 51), (21, 38)), carrier=True, timed=True),
        Service(4204990, 80, 60, 2, 1835, tuple(range(21))),
        Result("TCQ", False, Refusal.UNLOCKED, 0),
        Result("TCQ", False, Refusal.EARLY, 37),
    ],
}


@pytest.mark.parametrize(("family", "event"), [(family, event) for family, all_ in EVENTS.items() for event in all_])
def test_what_is_written_is_read(family: Family, event: Event) -> None:
    read = only(encode(event, family))
    if isinstance(event, Place) and isinstance(read, Place):
        assert (read.lat, read.lon) == pytest.approx((event.lat, event.lon), abs=1e-5)
        read = Place(read.number, read.tod, event.lat, event.lon, read.height, read.kind, read.precise, read.urgent)
    assert read == event


def test_a_line_with_everything_on_it_cut_anywhere() -> None:
    events = [*EVENTS[V40], *EVENTS[V21][:2], EVENTS[V3][2]]
    families = [*[V40] * len(EVENTS[V40]), V21, V21, V3]
    stream = b"".join(encode(event, family) for event, family in zip(events, families))
    noise = b"\x00$TXXX\xff\xff$$GPGGA,\xfe" + stream + b"$BD"
    whole = Decoder().feed(noise)
    for size in (1, 3, 64):
        decoder = Decoder()
        assert [event for at in range(0, len(noise), size) for event in decoder.feed(noise[at : at + size])] == whole
    assert len(whole) == len(events)


def test_zda_with_a_mode_is_ours_and_without_is_the_receivers() -> None:
    assert isinstance(only(sentence(b"BDZDA,1,083001.00,24,11,2026,00,00")), Moment)
    assert only(sentence(b"BDZDA,083001.00,24,11,2026,00,00")) == Nmea(b"BDZDA,083001.00,24,11,2026,00,00")


def test_compressed_coding_and_unknown_sentences_are_counted() -> None:
    decoder = Decoder()
    (event,) = decoder.feed(sentence(b"BDTCI,4204986,4204990,2,142204,5,0,AB"))
    assert isinstance(event, Other)
    decoder.feed(sentence(b"BDEPI,1,2"))
    assert decoder.unknown == {"BDTCI": 1, "BDEPI": 1}


@given(st.binary(max_size=240), st.booleans())
@settings(max_examples=150, deadline=None)
def test_binary_survives_code_mode(data: bytes, letters: bool) -> None:
    payload = binary(data, letters)
    assert octets(payload) == data
    assert letters or payload.value.isdigit()


def test_bytes_that_look_like_the_digits_form_are_not_mistaken() -> None:
    twin = bytes.fromhex(binary(b"\x07order", letters=False).value.decode("ascii"))
    assert octets(binary(twin)) == twin
    assert binary(twin).value != twin.hex().encode("ascii")


@pytest.mark.parametrize("bits", [110, 408, 628, 848, 1680, 1835, 14000])
def test_room_is_what_fits(bits: int) -> None:
    for letters in (True, False):
        size = room(bits, letters)
        assert binary(b"\xff" * size, letters).bits <= bits < binary(b"\xff" * (size + 2), letters).bits
    assert room(bits, False) >= room(bits) * 0.78 - 2


def test_charged_bits() -> None:
    assert chinese("救" * 44).bits == 616 <= 628 < chinese("救" * 45).bits
    assert mixed("a" * 77).bits == 624
    with pytest.raises(DecodeError):
        octets(mixed("a"))


def spoiled() -> st.SearchStrategy[bytes]:
    """Real traffic with bytes changed, dropped and mixed with noise, checksums mended half of the time."""
    lines = st.sampled_from([line.encode("ascii") for line, _ in VECTORS])
    bodies = st.tuples(lines, st.integers(0, 60), st.binary(max_size=6)).map(
        lambda it: sentence(it[0][1:-3][: it[1]] + it[2].replace(b"*", b"") + it[0][1:-3][it[1] + len(it[2]) :])
    )
    frames = st.tuples(
        st.sampled_from(sorted([b"ICXX", b"TXSQ", b"TXXX", b"TXHZ", b"DWXX", b"FKXX", b"ZJXX"])), st.binary(max_size=30)
    ).map(_framed)
    return st.lists(st.one_of(st.binary(max_size=40), bodies, frames), max_size=6).map(b"".join)


def _framed(it: tuple[bytes, bytes]) -> bytes:
    from radios.rdss.framer import binary_frame

    return binary_frame(it[0], 7, it[1])


@given(spoiled())
@settings(max_examples=300, deadline=None)
def test_nothing_that_comes_in_raises(data: bytes) -> None:
    decoder = Decoder()
    decoder.feed(data)
    decoder.feed(b"\n" * 600)
    assert decoder.feed(b"$CCICA,0,00*7B\r\n")[-1] == Query(0)


def test_a_flood_without_an_end_stays_bounded() -> None:
    decoder = Decoder()
    for _ in range(40):
        decoder.feed(b"$BDTXR," + b"A" * 5000)
    assert len(decoder.framer._rest) <= 9300
    assert decoder.feed(b"\r\n$CCICA,0,00*7B\r\n") == [Query(0)]


@pytest.mark.parametrize("unit", [b"A", b"A,", b"$A", b"$TXXX", b"*0", b"\xb9\xe3"])
def test_nonsense_costs_no_more_than_its_length(unit: bytes) -> None:
    """A framer that looked twice at a line of letters would be busy for minutes with what a port brings in seconds."""
    decoder, data = Decoder(), b"$" + unit * (64_000 // len(unit))
    for at in range(0, len(data), 16):
        decoder.feed(data[at : at + 16])
    decoder.feed(b"\n" * 600)
    assert decoder.feed(b"$CCICA,0,00*7B\r\n")[-1] == Query(0)


def test_the_vectors_and_sizes_of_the_page() -> None:
    """docs/wire/rdss.md"""
    page = (Path(__file__).parents[2] / "docs/wire/rdss.md").read_text(encoding="utf-8")
    frame = b"sanduan"
    send = Send(166166, binary(frame), own=242286)
    for said in (
        f"code mode      {binary(frame).value.decode()}",
        f"digits alone   {binary(frame, letters=False).value.decode()}",
        f"2.1            {encode(send, V21).decode().strip()}",
        f"BDS-3          {encode(send, V3).decode().strip()}",
        f"4.0            {encode(send, V40).hex(' ').upper()}",
        encode(Send(166166, mixed("安4")), V21).decode().strip(),
    ):
        assert said in page
    rows = [
        [cell.strip() for cell in line.split("|")[2:5]] for line in page.splitlines() if "| 1" in line or "| 6" in line
    ]
    assert len(rows) == 4
    for bits, plain, digits in rows:
        sizes = [int(one) for one in bits.split(" / ")]
        assert [room(one) for one in sizes] == [int(one) for one in plain.split(" / ")]
        assert [room(one, False) for one in sizes] == [int(one) for one in digits.split(" / ")]

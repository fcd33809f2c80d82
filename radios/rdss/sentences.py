"""RDSS sentences of the 2.1 interface and of BDS-3, in both directions; CC is to the terminal, BD from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from hardware.errors import DecodeError
from hardware.gnss.framer import sentence
from hardware.gnss.receiver import is_rdss
from radios.rdss.events import (
    AskPosition,
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
    Subordinates,
)
from radios.rdss.fields import Fields, checked, degrees, payload, payload_cell
from radios.rdss.payload import Mode

BEAMS_2, BEAMS_3, MOST_BEAMS = 10, 21, 64
_ON_LF1: Final = 2
# Field of BDFKI, second generation (inhibition) and third (reason).
INHIBITED: Final = {0: Refusal.FAILED, 1: Refusal.SUPPRESSED, 2: Refusal.BATTERY, 3: Refusal.SILENCE}
REASONS: Final = {
    0: Refusal.NONE,
    1: Refusal.EARLY,
    2: Refusal.SUPPRESSED,
    3: Refusal.SILENCE,
    4: Refusal.UNLOCKED,
    5: Refusal.NO_CARD,
    6: Refusal.FORBIDDEN,
    11: Refusal.CHECKSUM,
}
_CODES: Final = {refusal: code for code, refusal in REASONS.items()}
_CODINGS: Final = {1: Mode.TEXT, 2: Mode.CODE, 3: Mode.MIXED}  # 4 and 5 are compressed, by no published method


def _mode(number: int) -> Mode:
    return Mode(checked("mode", number, 0, 2))


def _ici(f: Fields) -> Card:
    return Card(f.whole(0), f.whole(2), f.whole(4), f.whole(5), f.word(6) == "E", f.whole(3), f.whole(7, 0))


def _icp(f: Fields) -> Card:
    number, level = f.whole(0), f.whole(14)
    level = 5 if number and not level else level
    return Card(number, f.whole(1), f.whole(13), level, f.word(5) == "E", f.whole(3), f.whole(19, 0))


def _txa(f: Fields) -> Send:
    return Send(f.whole(0), payload(_mode(f.whole(2)), f.rest(3)), express=f.whole(1) == 0)


def _tcq(f: Fields) -> Event:
    if f.whole(3) not in _CODINGS:
        return Other(f.address, tuple(f.cells))
    body = payload(_CODINGS[f.whole(3)], b",".join(f.cells[4:-1] if len(f) > 5 else f.cells[4:]))
    return Send(f.whole(0), body, confirm=f.whole(2) == 2, repeat_s=f.whole(5, 0) if len(f) == 6 else 0)


def _txr(f: Fields) -> Message:
    return Message(f.whole(1), payload(_mode(f.whole(2)), f.rest(4)), kind=f.whole(0), at=f.time(3))


def _tci(f: Fields) -> Event:
    """One firmware puts a field before the payload, one does not: the payload is the last."""
    coding = f.whole(4)
    if coding not in _CODINGS or len(f) < 6:
        return Other(f.address, tuple(f.cells))
    return Message(f.whole(0), payload(_CODINGS[coding], f.cells[-1]), to=f.whole(1, 0), at=f.time(3))


def _fki(f: Fields) -> Result:
    """Two layouts under one address: a time (or none yet) comes first in BDS-3, the command of three letters in 2.1."""
    return _fki_2(f) if f.cells[0].isalpha() else _fki_3(f)


def _fki_2(f: Fields) -> Result:
    """Command, executed, frequency right, inhibition, wait mmss."""
    done, frequency, inhibition = f.word(1) == "Y", f.word(2) == "Y", f.whole(3, 0)
    wait = f.whole(4, 0)
    wait_s = wait // 100 * 60 + wait % 100
    if done and frequency and not inhibition:
        return Result(f.word(0), True, Refusal.NONE, wait_s)
    early = not frequency or (not inhibition and wait_s > 0)
    return Result(f.word(0), False, Refusal.EARLY if early else INHIBITED.get(inhibition, Refusal.FAILED), wait_s)


def _fki_3(f: Fields) -> Result:
    """Time, command, executed, reason, seconds left. A `Y` with a reason has failed all the same."""
    refusal = REASONS.get(f.whole(3, 0), Refusal.FAILED)
    done = f.word(2) == "Y" and refusal is Refusal.NONE
    if not done and refusal is Refusal.NONE:
        refusal = Refusal.FAILED
    return Result(f.word(1), done, refusal, f.whole(4, 0))


def _bsi(f: Fields) -> Beams:
    powers = tuple((beam, f.whole(1 + beam)) for beam in range(1, BEAMS_2 + 1))
    return Beams(powers, response=f.whole(0), difference=f.whole(1))


def _pwi(f: Fields) -> Beams:
    """Older beams of three values each, then newer ones whose stride differs between firmwares: what is left over m."""
    older = checked("PWI", f.whole(1), 0, MOST_BEAMS)
    at = 2 + 3 * older
    newer = checked("PWI", f.whole(at), 0, MOST_BEAMS)
    stride = (len(f) - at - 1) // newer if newer else 0
    if newer and stride < 2:
        raise DecodeError(f"rdss PWI: {newer} beams in {len(f)} fields")
    rows = (at + 1 + stride * row for row in range(newer))
    beams = tuple((min(f.whole(row), BEAMS_3), f.whole(row + 1)) for row in rows)
    return Beams(beams, carrier=True, timed=float(f.real(0)) != 0.0)


def _hzr(f: Fields) -> Receipts:
    count = checked("HZR", f.whole(1), 0, 5)
    return Receipts(f.whole(0), tuple((f.time(2 + 2 * row), f.time(3 + 2 * row)) for row in range(count)))


def _dwa(f: Fields) -> AskPosition:
    height, antenna, pressure, warmth = (f.real(at, 0.0) for at in range(4, 8))
    urgent, high = f.word(1) == "A", f.word(3) == "H"
    return AskPosition(f.whole(0), urgent, f.whole(2), high, height, antenna, pressure, warmth, f.whole(8, 0))


def _dwr(f: Fields) -> Place:
    height = f.real(7) if f.cells[7:8] != [b""] else None
    lat = f.angle(3)
    if abs(lat) > 90:
        raise DecodeError("rdss DWR: latitude")
    return Place(
        f.whole(1), f.time(2), lat, f.angle(5), height, f.whole(0), f.whole(11, 0) == 1, f.cells[12:13] == [b"A"]
    )


def _zda(f: Fields) -> Moment:
    """2.1 puts a mode before the time; without it this is NMEA's own sentence (`read` sees to that)."""
    tod = f.time(1).ljust(6, "0")
    day, month, year = f.whole(2), f.whole(3), f.whole(4)
    return Moment(year, month, day, int(tod[:2]), int(tod[2:4]), float(tod[4:]), f.whole(0))


def _zdx(f: Fields) -> Service:
    """Number, battery, 21 powers, frequency, level, capacity in bits."""
    powers = tuple(f.whole(at, 0) for at in range(2, 2 + BEAMS_3))
    return Service(f.whole(0), f.whole(1, 0), f.whole(23), f.whole(24), f.whole(25), powers)


def _icz(f: Fields) -> Subordinates:
    return Subordinates(tuple(f.whole(at) for at in range(1 if len(f) > 1 else 0, len(f)) if f.cells[at]))


READERS: Final[dict[str, Callable[[Fields], Event]]] = {
    "CCICA": lambda f: Query(f.whole(0)),
    "CCICR": lambda f: Query(f.whole(0)),
    "BDICI": _ici,
    "BDICP": _icp,
    "BDICZ": _icz,
    "CCRMO": lambda f: Output(f.word(0) if f.cells[0] else "", f.whole(1), f.whole(2, 0)),
    "BDBSI": _bsi,
    "CCBSS": lambda f: ChooseBeams(f.whole(0), f.whole(1)),
    "CCTXA": _txa,
    "CCTCQ": _tcq,
    "BDTXR": _txr,
    "BDTCI": _tci,
    "BDFKI": _fki,
    "CCCXA": lambda f: AskStored(f.whole(0) == 0, f.whole(1), f.whole(2, 0)),
    "BDHZR": _hzr,
    "CCDWA": _dwa,
    "BDDWR": _dwr,
    "BDPWI": _pwi,
    "BDZDX": _zdx,
}


def read(body: bytes) -> Event:
    """A checked body -> its event; NMEA as it stands; DecodeError when an RDSS sentence is not what it claims."""
    address, *cells = body.split(b",")
    name = address.decode("ascii", "replace")
    fields = Fields(name, cells)
    if name == "BDZDA" and cells and len(cells[0]) == 1:
        return _zda(fields)
    if not is_rdss(body):
        return Nmea(body)
    reader = READERS.get(name)
    if reader is None:
        return Other(name, tuple(cells))
    if not cells:
        raise DecodeError(f"rdss {name}: no fields")
    return reader(fields)


# ---- writing


def _write_card_2(card: Card) -> str:
    mark = "E" if card.encrypted else "N"
    head = f"BDICI,{card.number:07d},{card.number:08d},{card.broadcast:07d},{card.user_class}"
    return f"{head},{card.frequency_s},{card.level},{mark},{card.subordinates}"


def _write_card_3(card: Card) -> str:
    mark = "E" if card.encrypted else "N"
    head = f"BDICP,{card.number},{card.broadcast},0,{card.user_class},0,{mark},2,N,1,0,0,3,1"
    return f"{head},{card.frequency_s},{card.level % 5},0,0,0,0,{card.subordinates},0,0,0"


def _write_result_2(result: Result) -> str:
    inhibition = next((code for code, refusal in INHIBITED.items() if refusal is result.refusal), 0)
    wait = result.wait_s or 0
    words = ("N" if not result.ok else "Y", "N" if result.refusal is Refusal.EARLY else "Y")
    return f"BDFKI,{result.command},{','.join(words)},{inhibition},{wait // 60:02d}{wait % 60:02d}"


def _write_result_3(result: Result) -> str:
    code = 0 if result.refusal is Refusal.FAILED else _CODES.get(result.refusal, 0)
    return f"BDFKI,000000,{result.command},{'Y' if result.ok else 'N'},{code},{result.wait_s or 0}"


def _write_send_2(send: Send) -> bytes:
    head = f"CCTXA,{send.to:07d},{0 if send.express else 1},{send.payload.mode:d},"
    return head.encode("ascii") + payload_cell(send.payload)


def _write_send_3(send: Send) -> bytes:
    head = f"CCTCQ,{send.to:07d},{_ON_LF1},{2 if send.confirm else 1},{send.payload.mode + 1:d},"
    return head.encode("ascii") + payload_cell(send.payload) + b",%d" % send.repeat_s


def _write_message_2(message: Message) -> bytes:
    head = f"BDTXR,{message.kind},{message.sender:07d},{message.payload.mode:d},{message.at[:4]},"
    return head.encode("ascii") + payload_cell(message.payload)


def _write_message_3(message: Message) -> bytes:
    at = message.at.ljust(6, "0")[:6]
    head = f"BDTCI,{message.sender:07d},{message.to:07d},{_ON_LF1},{at},{message.payload.mode + 1:d},0,"
    return head.encode("ascii") + payload_cell(message.payload)


def _write_beams_2(beams: Beams) -> str:
    powers = dict(beams.strengths)
    cells = ",".join(str(powers.get(beam, 0)) for beam in range(1, BEAMS_2 + 1))
    return f"BDBSI,{beams.response:02d},{beams.difference:02d},{cells}"


def _write_beams_3(beams: Beams) -> str:
    at = "000000.00" if beams.timed is False else "120000.00"
    cells = "".join(f",{beam},{value},{value},0" for beam, value in beams.strengths)
    return f"BDPWI,{at},00,{len(beams.strengths):02d}{cells}"


def _write_receipts(receipts: Receipts) -> str:
    cells = "".join(f",{sent},{got}" for sent, got in receipts.times)
    return f"BDHZR,{receipts.peer:07d},{len(receipts.times)}{cells}"


def _write_position_request(ask: AskPosition) -> str:
    numbers = f"{ask.height:g},{ask.antenna:g},{ask.pressure:g},{ask.temperature:g},{ask.period_s}"
    return f"CCDWA,{ask.own:07d},{'A' if ask.urgent else 'V'},{ask.height_mode},{'H' if ask.high else 'L'},{numbers}"


def _write_place(place: Place) -> str:
    where = f"{degrees(place.lat, 2, 'NS')},{degrees(place.lon, 3, 'EW')}"
    height = "" if place.height is None else f"{place.height:g}"
    marks = f"{place.precise:d},{'A' if place.urgent else 'V'},V,L"
    return f"BDDWR,{place.kind},{place.number:07d},{place.tod},{where},{height},M,0,M,{marks}"


def _write_moment(at: Moment) -> str:
    return (
        f"BDZDA,{at.mode},{at.hour:02d}{at.minute:02d}{at.second:05.2f},{at.day:02d},{at.month:02d},{at.year:04d},00,00"
    )


def _write_service(it: Service) -> str:
    powers = (*it.strengths, *[0] * BEAMS_3)[:BEAMS_3]
    cells = ",".join(map(str, (it.number, it.battery, *powers, it.frequency_s, it.level, it.capacity_bits)))
    return f"BDZDX,{cells}"


_Writer = Callable[..., "str | bytes"]
_BOTH: Final[dict[type, _Writer]] = {
    AskStored: lambda it: f"CCCXA,{0 if it.positions else 1},{it.how},{it.user:07d}",
    Output: lambda it: f"CCRMO,{it.target},{it.mode},{it.period_s}",
    ChooseBeams: lambda it: f"CCBSS,{it.response:02d},{it.difference:02d}",
    AskPosition: _write_position_request,
    Receipts: _write_receipts,
    Place: _write_place,
    Moment: _write_moment,
    Service: _write_service,
    Subordinates: lambda it: "BDICZ," + ",".join((str(len(it.numbers)), *(f"{one:07d}" for one in it.numbers))),
    Nmea: lambda it: it.body,
}
_OWN: Final[dict[Family, dict[type, _Writer]]] = {
    Family.V21: {
        Query: lambda it: f"CCICA,{it.ask:d},00",
        Card: _write_card_2,
        Send: _write_send_2,
        Message: _write_message_2,
        Result: _write_result_2,
        Beams: _write_beams_2,
    },
    Family.V3: {
        Query: lambda it: f"CCICR,{it.ask:d},00",
        Card: _write_card_3,
        Send: _write_send_3,
        Message: _write_message_3,
        Result: _write_result_3,
        Beams: _write_beams_3,
    },
}
WRITERS: Final = {family: _BOTH | own for family, own in _OWN.items()}


def write(event: Event, family: Family) -> bytes:
    """The sentence that says `event` in an ASCII family, checksum and line end included; KeyError when it has none."""
    body = WRITERS[family][type(event)](event)
    return sentence(body.encode("ascii") if isinstance(body, str) else body)

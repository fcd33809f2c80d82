"""Frames of the 4.0 interface, in both directions; all numbers big-endian, addresses 24 bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from hardware.errors import DecodeError
from radios.rdss.events import (
    AskPosition,
    AskState,
    Beams,
    Card,
    Event,
    Message,
    Moment,
    Place,
    Query,
    Receipts,
    Refusal,
    Result,
    Send,
    State,
)
from radios.rdss.framer import Frame, binary_frame
from radios.rdss.payload import MIXED_MARK, Mode, Payload

BEAMS: Final = 6
_SEND: Final = 0x44  # communication, ordinary; the bits below change it
_SEND_CODE, _SEND_ORDINARY = 0x02, 0x04
_HEARD, _HEARD_CODE = 0x40, 0x20
_POSITION_ONCE: Final = 0x04
# $FKXX flag; 0 and 1 are followed by the command, 8 lifts the suppression of 7.
FLAGS: Final = {
    0: Refusal.NONE,
    1: Refusal.FAILED,
    2: Refusal.UNLOCKED,
    3: Refusal.BATTERY,
    4: Refusal.EARLY,
    5: Refusal.CRYPTO,
    6: Refusal.CHECKSUM,
    7: Refusal.SUPPRESSED,
    8: Refusal.NONE,
}
_FLAG_OF: Final = {refusal: flag for flag, refusal in FLAGS.items() if flag != 8}
_SUPPRESSION_ENDED: Final = 8
_STEP: Final = 10  # tenths


def _sized(frame: Frame, least: int) -> bytes:
    if len(frame.body) < least:
        raise DecodeError(f"rdss {frame.name.decode()}: {len(frame.body)} bytes of at least {least}")
    return frame.body


def _number(data: bytes) -> int:
    return int.from_bytes(data)


def unpack(code: bool, bits: int, data: bytes) -> Payload:
    """A payload of `bits`; DecodeError when they are not there. Mixed text is told from code by its mark."""
    size = (bits + 7) // 8
    if len(data) < size or bits % 4:
        raise DecodeError(f"rdss 4.0: {bits} bits in {len(data)} bytes")
    if not code:
        return Payload(Mode.TEXT, data[:size])
    if data[:1] == bytes([MIXED_MARK]) and bits % 8 == 0:
        return Payload(Mode.MIXED, data[1:size])
    return Payload(Mode.CODE, data[:size].hex().upper()[: bits // 4].encode("ascii"))


def pack(payload: Payload) -> tuple[int, bytes]:
    """Bits and bytes of a payload; an odd digit at the end is padded with F."""
    if payload.mode is Mode.TEXT:
        return 8 * len(payload.value), payload.value
    if payload.mode is Mode.MIXED:
        return 8 * (len(payload.value) + 1), bytes([MIXED_MARK]) + payload.value
    digits = payload.value.decode("ascii")
    return 4 * len(digits), bytes.fromhex(digits + "F" * (len(digits) % 2))


def _icxx(frame: Frame) -> Card:
    body = _sized(frame, 11)
    return Card(
        frame.own,
        _number(body[1:4]),
        _number(body[5:7]),
        body[7],
        body[8] != 0,
        body[4],
        _number(body[9:11]),
    )


def _zjxx(frame: Frame) -> State:
    body = _sized(frame, 4 + BEAMS)
    card, hardware, battery, inbound = body[:4]
    return State(frame.own, card, hardware, battery, inbound, _powers(body[4:]))


def _powers(data: bytes) -> Beams:
    return Beams(tuple((beam, power) for beam, power in enumerate(data[:BEAMS], 1)))


def _sjxx(frame: Frame) -> Moment:
    body = _sized(frame, 7)
    month, day, hour, minute, second = body[2:7]
    return Moment(_number(body[:2]), month, day, hour, minute, float(second))


def _txsq(frame: Frame) -> Send:
    body = _sized(frame, 7)
    payload = unpack(bool(body[0] & _SEND_CODE), _number(body[4:6]), body[7:])
    return Send(_number(body[1:4]), payload, not body[0] & _SEND_ORDINARY, frame.own, body[6] != 0)


def _txxx(frame: Frame) -> Message:
    body = _sized(frame, 9)
    code = bool(body[0] & _HEARD_CODE)
    payload = unpack(code, _number(body[6:8]), body[8:-1])
    return Message(_number(body[1:4]), payload, frame.own, 1, f"{body[4]:02d}{body[5]:02d}", body[-1] == 0)


def _txhz(frame: Frame) -> Receipts:
    body = _sized(frame, 4)
    rows = _sized(frame, 4 + 4 * body[3])[4 : 4 + 4 * body[3]]
    times = (rows[at : at + 4] for at in range(0, len(rows), 4))
    pairs = tuple((f"{a:02d}{b:02d}", f"{c:02d}{d:02d}") for a, b, c, d in times)
    return Receipts(_number(body[:3]), pairs, frame.own)


def _dwsq(frame: Frame) -> AskPosition:
    body = _sized(frame, 11)
    return AskPosition(frame.own, height=_number(body[1:3]), antenna=_number(body[3:5]), period_s=_number(body[9:11]))


def _dwxx(frame: Frame) -> Place:
    """Time, longitude and latitude, each of four bytes that end with tenths; then the height in metres."""
    body = _sized(frame, 18)
    hour, minute, second, tenth = body[4:8]
    lon, lat = (a + b / 60 + (c + d / _STEP) / 3600 for a, b, c, d in (body[8:12], body[12:16]))
    if lat > 90 or lon > 180:
        raise DecodeError("rdss DWXX: off the earth")
    height = int.from_bytes(body[16:18], signed=True)
    return Place(_number(body[1:4]), f"{hour:02d}{minute:02d}{second:02d}.{tenth}", lat, lon, float(height))


def _fkxx(frame: Frame) -> Result:
    """The extra bytes of flag 4 are read in three ways by three programs: the wait stays unsaid."""
    body = _sized(frame, 5)
    refusal = FLAGS.get(body[0], Refusal.FAILED)
    command = body[1:5].decode("ascii", "replace") if body[0] in (0, 1) else ""
    return Result("" if body[0] == _SUPPRESSION_ENDED else command, refusal is Refusal.NONE, refusal)


READERS: Final[dict[bytes, Callable[[Frame], Event]]] = {
    b"ICJC": lambda frame: Query(_sized(frame, 1)[0]),
    b"ICXX": _icxx,
    b"XTZJ": lambda frame: AskState(frame.own, _number(_sized(frame, 2)[:2])),
    b"ZJXX": _zjxx,
    b"GLJC": lambda frame: AskState(frame.own, _sized(frame, 1)[0], True),
    b"GLZK": lambda frame: _powers(_sized(frame, BEAMS)),
    b"SJXX": _sjxx,
    b"TXSQ": _txsq,
    b"TXXX": _txxx,
    b"TXHZ": _txhz,
    b"DWSQ": _dwsq,
    b"DWXX": _dwxx,
    b"FKXX": _fkxx,
}


def read(frame: Frame) -> Event:
    """A checked frame -> its event; DecodeError when its body is not what the name says."""
    return READERS[frame.name](frame)


# ---- writing


def _write_card(card: Card) -> bytes:
    head = b"\0" + card.broadcast.to_bytes(3) + bytes([card.user_class]) + card.frequency_s.to_bytes(2)
    body = head + bytes([card.level, card.encrypted]) + card.subordinates.to_bytes(2)
    return binary_frame(b"ICXX", card.number, body)


def _write_send(send: Send) -> bytes:
    bits, data = pack(send.payload)
    info = _SEND | (_SEND_CODE if send.payload.mode is not Mode.TEXT else 0)
    info &= ~_SEND_ORDINARY if send.express else 0xFF
    head = bytes([info]) + send.to.to_bytes(3) + bits.to_bytes(2) + bytes([send.confirm])
    return binary_frame(b"TXSQ", send.own, head + data)


def _write_message(message: Message) -> bytes:
    bits, data = pack(message.payload)
    info = _HEARD | (_HEARD_CODE if message.payload.mode is not Mode.TEXT else 0)
    at = message.at.ljust(4, "0")
    head = bytes([info]) + message.sender.to_bytes(3) + bytes([int(at[:2]), int(at[2:4])]) + bits.to_bytes(2)
    return binary_frame(b"TXXX", message.to, head + data + bytes([not message.intact]))


def _write_receipts(receipts: Receipts) -> bytes:
    rows = b"".join(bytes([int(a[:2]), int(a[2:]), int(b[:2]), int(b[2:])]) for a, b in receipts.times)
    body = receipts.peer.to_bytes(3) + bytes([len(receipts.times)]) + rows
    return binary_frame(b"TXHZ", receipts.own, body)


def _write_ask_state(ask: AskState) -> bytes:
    if ask.powers_only:
        return binary_frame(b"GLJC", ask.own, bytes([ask.period_s]))
    return binary_frame(b"XTZJ", ask.own, ask.period_s.to_bytes(2))


def _write_state(state: State) -> bytes:
    checks = bytes([state.card, state.hardware, state.battery, state.inbound])
    return binary_frame(b"ZJXX", state.own, checks + _power_bytes(state.beams))


def _power_bytes(beams: Beams) -> bytes:
    powers = dict(beams.strengths)
    return bytes(powers.get(beam, 0) for beam in range(1, BEAMS + 1))


def _write_position_request(ask: AskPosition) -> bytes:
    heights = int(ask.height).to_bytes(2) + int(ask.antenna).to_bytes(2)
    body = bytes([_POSITION_ONCE]) + heights + bytes(4) + ask.period_s.to_bytes(2)
    return binary_frame(b"DWSQ", ask.own, body)


def _angle(value: float) -> bytes:
    tenths = round(abs(value) * 36_000)
    return bytes([tenths // 36_000, tenths // 600 % 60, tenths // 10 % 60, tenths % 10])


def _write_place(place: Place) -> bytes:
    tod = place.tod.ljust(8, "0")
    clock = bytes([int(tod[:2]), int(tod[2:4]), int(tod[4:6]), int(tod[7])])
    height = round(place.height or 0).to_bytes(2, signed=True)
    body = b"\0" + place.number.to_bytes(3) + clock + _angle(place.lon) + _angle(place.lat) + height + bytes(2)
    return binary_frame(b"DWXX", place.number, body)


def _write_moment(at: Moment) -> bytes:
    clock = bytes([at.month, at.day, at.hour, at.minute, int(at.second)])
    return binary_frame(b"SJXX", 0, at.year.to_bytes(2) + clock)


def _write_result(result: Result) -> bytes:
    flag = _FLAG_OF.get(result.refusal, 1)
    extra = result.command.encode("ascii")[:4].ljust(4, b"\0") if flag < 2 else bytes(4)
    return binary_frame(b"FKXX", 0, bytes([flag]) + extra)


WRITERS: Final[dict[type, Callable[..., bytes]]] = {
    Query: lambda it: binary_frame(b"ICJC", 0, bytes([it.ask])),
    Card: _write_card,
    AskState: _write_ask_state,
    State: _write_state,
    Beams: lambda it: binary_frame(b"GLZK", 0, _power_bytes(it)),
    Send: _write_send,
    Message: _write_message,
    Receipts: _write_receipts,
    AskPosition: _write_position_request,
    Place: _write_place,
    Moment: _write_moment,
    Result: _write_result,
}

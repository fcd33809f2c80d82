"""Standard messages to ordinary Meshtastic radios: texts, places and alerts, as packets for `MeshtasticBearer.post`."""

from __future__ import annotations

from typing import Final

from meshtastic.protobuf.mesh_pb2 import MeshPacket, Waypoint
from meshtastic.protobuf.portnums_pb2 import PortNum

from radios.meshtastic.packets import BROADCAST, node_number

LONGEST_TEXT: Final = 200  # bytes of UTF-8
LONGEST_NAME: Final = 29  # the field's 30 bytes hold a closing zero
LONGEST_NOTE: Final = 99

# seconds between two packets of a port: the firmware refuses or silently drops a faster one
GAPS_S: Final[dict[int, float]] = {
    PortNum.TEXT_MESSAGE_APP: 2.0,
    PortNum.POSITION_APP: 10.0,
    PortNum.WAYPOINT_APP: 10.0,
    PortNum.TELEMETRY_APP: 10.0,
    PortNum.ALERT_APP: 10.0,
}


def text(words: str, to: str = "") -> MeshPacket:
    """Words to one node or to all; ValueError when they are longer than 200 bytes."""
    return _packet(PortNum.TEXT_MESSAGE_APP, _bounded(words, LONGEST_TEXT), to)


def alert(words: str, to: str = "") -> MeshPacket:
    """Words that ring the bell of the radios that hear them; ValueError when they are longer than 200 bytes."""
    return _packet(PortNum.ALERT_APP, _bounded(words, LONGEST_TEXT), to)


def waypoint(
    number: int, name: str, lat_e7: int, lon_e7: int, note: str = "", expire: int = 0, to: str = ""
) -> MeshPacket:
    """A named place in 1e-7 degrees; the same number moves it, `expire` (Unix seconds) in the past removes it."""
    if abs(lat_e7) > 90 * 10**7 or abs(lon_e7) > 180 * 10**7:
        raise ValueError(f"no place on earth: {lat_e7}, {lon_e7}")
    _bounded(name, LONGEST_NAME), _bounded(note, LONGEST_NOTE)
    place = Waypoint(id=number, name=name, description=note, expire=expire, latitude_i=lat_e7, longitude_i=lon_e7)
    return _packet(PortNum.WAYPOINT_APP, place.SerializeToString(), to)


def _bounded(words: str, longest: int) -> bytes:
    data = words.encode()
    if len(data) > longest:
        raise ValueError(f"{len(data)} bytes of text, at most {longest}")
    return data


def _packet(port: PortNum.ValueType, payload: bytes, to: str) -> MeshPacket:
    packet = MeshPacket(to=node_number(to) if to else BROADCAST, want_ack=bool(to))
    packet.decoded.portnum, packet.decoded.payload = port, payload
    return packet

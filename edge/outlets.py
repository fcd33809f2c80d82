"""Links that reach guests: Meshtastic's standard messages to all in reach, BeiDou messages to each card that was heard."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from meshtastic.protobuf.mesh_pb2 import MeshPacket

from edge.guests import Note, Outlet
from hardware.errors import FrameTooLong, LinkBusy
from radios.bearer import Bearer
from radios.meshtastic import messages
from radios.meshtastic.bearer import MeshtasticBearer
from radios.rdss.bearer import RdssBearer

CARDS: Final = 8  # guests' terminals that are written to: each message costs a minute
LONGEST_GAP_S: Final = max(messages.GAPS_S.values())
PLACE_S: Final = 24 * 3600  # how long a waypoint stands on guests' maps


class MeshOutlet:
    """Texts, alerts and waypoints to every stock phone of the mesh at once."""

    def __init__(self, bearer: MeshtasticBearer) -> None:
        self._bearer = bearer

    async def say(self, note: Note, to: str) -> None:
        """One packet, or as many as the words need; where there is a place, it goes first."""
        if note.place is not None:
            number, lat, lon = note.place
            name, until = cut(note.text, messages.LONGEST_NAME)[0], self._until()
            await self._post(messages.waypoint(number, name, lat, lon, expire=until, to=to))
        make = messages.alert if note.rings else messages.text
        for part in cut(note.text, min(messages.LONGEST_TEXT, self._bearer.limits.mtu or messages.LONGEST_TEXT)):
            await self._post(make(part, to))

    def whom(self, present: Sequence[str]) -> Sequence[str]:
        """Everybody at once, when anybody is there."""
        return [""] if any(address.startswith("!") for address in present) else []

    async def _post(self, packet: MeshPacket) -> None:
        """Post, after the firmware's gap between two packets of a port; LinkBusy when more than that is in the way."""
        try:
            await self._bearer.post(packet)
        except LinkBusy as busy:
            if busy.wait_s > LONGEST_GAP_S:
                raise
            await asyncio.sleep(busy.wait_s)
            await self._bearer.post(packet)

    def _until(self) -> int:
        wall_ms = self._bearer.clock.stamp().wall_ms
        return 0 if wall_ms is None else wall_ms // 1000 + PLACE_S


class RdssOutlet:
    """Plain words to ordinary terminals, one after another."""

    def __init__(self, bearer: RdssBearer) -> None:
        self._bearer = bearer

    async def say(self, note: Note, to: str) -> None:
        """One message; what does not fit the card is cut, for a second one costs another minute."""
        text = note.text.encode("gbk", "replace").decode("gbk")
        while text:
            try:
                await self._bearer.post(text, int(to))
                return
            except FrameTooLong:
                text = text[:-4]

    def whom(self, present: Sequence[str]) -> Sequence[str]:
        """The cards heard last."""
        return [address for address in present if address.isascii() and address.isdigit()][-CARDS:]


def outlet(bearer: Bearer) -> Outlet | None:
    """How guests are reached over a bearer, None where it reaches none."""
    if isinstance(bearer, MeshtasticBearer):
        return MeshOutlet(bearer)
    return RdssOutlet(bearer) if isinstance(bearer, RdssBearer) else None


def cut(text: str, longest: int) -> list[str]:
    """Text in parts of at most `longest` bytes of UTF-8, between characters."""
    parts, part = [], ""
    for character in text:
        if len((part + character).encode()) > longest:
            parts.append(part)
            part = ""
        part += character
    return [*parts, part]

"""How far the others are: hops that frames from them have travelled, and what that means for ours."""

from __future__ import annotations

from typing import Final

from radios.meshtastic.airtime import RELAY_SLOTS, Preset

KNOWN_S: Final = 1800.0  # how long a distance is believed
UNKNOWN: Final = 1  # relays that are given time while nobody has told
BURST_S: Final = 10.0  # frames that follow each other within this time are one burst


class Reach:
    """The first frame of a burst goes as far as the radio lets it, so that whoever moved away is still found; the others only as
    far as those heard lately are. Between frames the relays get time to repeat them."""

    def __init__(self) -> None:
        self._heard: dict[int, float] = {}
        self._sent_at = -KNOWN_S

    def heard(self, hops: int | None, now: float) -> None:
        """A frame came that had travelled so many hops, None when its header does not tell."""
        if hops is not None:
            self._heard[hops] = now

    def relays(self, now: float) -> int | None:
        """Relays on the longest way of late, None when nobody told."""
        return max((hops for hops, at in self._heard.items() if now - at < KNOWN_S), default=None)

    def limit(self, most: int, now: float) -> int:
        """The hop limit of a frame sent now, at most `most`."""
        relays, burst = self.relays(now), now - self._sent_at < BURST_S
        self._sent_at = now
        return most if relays is None or not burst else min(relays, most)

    def pause_s(self, airtime_s: float, preset: Preset, now: float) -> float:
        """Seconds from the beginning of a frame until the air is free of it and of the relays' copies."""
        relays = self.relays(now)
        return airtime_s + (UNKNOWN if relays is None else relays) * (airtime_s + sum(RELAY_SLOTS) * preset.slot_s)

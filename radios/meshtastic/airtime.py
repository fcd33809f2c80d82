"""How long a frame is on air (Semtech's LoRa formula, as the firmware computes it) and how much of the air we may take."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

PREAMBLE_SYMBOLS: Final = 16
LONGEST_FRAME: Final = 255
LONGEST_PAYLOAD: Final = 231  # the firmware answers TOO_LARGE above
OVERHEAD: Final = 24  # header 16, port 3, payload tag 2-3, bit field 2
PKC_OVERHEAD: Final = 12  # direct messages to a known key
SIGNATURE: Final = 66  # XEdDSA on broadcasts, firmware 2.8 and later, while the signed frame still fits
SIGNED_UP_TO: Final = 165
CAD_SYMBOLS: Final = 2.25
TURNAROUND_S: Final = 0.0076
RELAY_SLOTS: Final = (2 * 8, 2**5)  # head start that a relay leaves to routers, and its contention window
SIGNING_FIRMWARE: Final = (2, 8)


@dataclass(frozen=True, slots=True)
class Preset:
    """One LoRa setting: bandwidth in Hz, spreading factor, coding rate 4/`coding`."""

    name: str
    bandwidth: int
    spreading: int
    coding: int

    def airtime_us(self, length: int) -> int:
        """Microseconds on air of a frame of `length` bytes, preamble and header included."""
        symbol_us = (1 << self.spreading) * 1_000_000 / self.bandwidth
        slow = 1 if symbol_us > 16_000 else 0
        bits = 8 * length - 4 * self.spreading + 44
        blocks = -(-bits // (4 * (self.spreading - 2 * slow)))
        symbols = PREAMBLE_SYMBOLS + 4.25 + 8 + max(blocks * self.coding, 0)
        return round(symbols * symbol_us)

    @property
    def slot_s(self) -> float:
        """Seconds of one slot of the contention window: listening for a preamble, and the radio's turn-round."""
        return CAD_SYMBOLS * (1 << self.spreading) / self.bandwidth + TURNAROUND_S


# by the number of Config.LoRaConfig.ModemPreset
PRESETS: Final[dict[int, Preset]] = {
    0: Preset("LongFast", 250_000, 11, 5),
    1: Preset("LongSlow", 125_000, 12, 8),
    2: Preset("VeryLongSlow", 62_500, 12, 8),
    3: Preset("MediumSlow", 250_000, 10, 5),
    4: Preset("MediumFast", 250_000, 9, 5),
    5: Preset("ShortSlow", 250_000, 8, 5),
    6: Preset("ShortFast", 250_000, 7, 5),
    7: Preset("LongModerate", 125_000, 11, 8),
    8: Preset("ShortTurbo", 500_000, 7, 5),
    9: Preset("LongTurbo", 500_000, 11, 8),
}
BY_NAME: Final[dict[str, Preset]] = {preset.name: preset for preset in PRESETS.values()}
SLOWEST: Final = BY_NAME["VeryLongSlow"]  # what is assumed of a preset that this table does not know


def on_air(payload: int, broadcast: bool, firmware: tuple[int, ...]) -> int:
    """Bytes of the LoRa frame that carries `payload` bytes: signature or PKC overhead included, at most 255."""
    if not broadcast:
        extra = PKC_OVERHEAD
    elif firmware[:2] >= SIGNING_FIRMWARE and payload <= SIGNED_UP_TO:
        extra = SIGNATURE
    else:
        extra = 0
    return min(payload + OVERHEAD + extra, LONGEST_FRAME)


def longest_frame(preset: Preset, limit_us: int | None, firmware: tuple[int, ...]) -> int:
    """The greatest n such that every payload of up to n bytes, to one or to all, keeps within `limit_us` on air."""
    for length in range(1, LONGEST_PAYLOAD + 1):
        frames = (on_air(length, broadcast, firmware) for broadcast in (True, False))
        if limit_us is not None and max(preset.airtime_us(frame) for frame in frames) > limit_us:
            return length - 1
    return LONGEST_PAYLOAD


WINDOW_S: Final = 3600
POLITE_PERCENT: Final = 25.0  # channel utilisation at which the firmware's own modules grow quiet
CROWDED_PERCENT: Final = 40.0
LEAST_WAIT_S: Final = 0.001  # a shorter one would not move a clock of doubles on
LEAST: Final = 0.1  # of the share, kept on the most crowded channel: an SOS must still get out


class AirBudget:
    """A token bucket of airtime: never more than `share` of any hour, less while the channel is crowded.

    Full it holds `burst_s` seconds of air; it refills so slowly that burst and refill of an hour together are the share.
    Times are seconds of one monotonic clock; airtimes are microseconds.
    """

    def __init__(self, share: float, now: float, burst_s: float = 30.0) -> None:
        self.share, self._burst_s = share, burst_s
        self._size(share)
        self._tokens, self._at = self._full, now
        self._ease = 1.0

    def _size(self, share: float) -> None:
        self.share = share
        self._full = min(self._burst_s, share * WINDOW_S / 2) * 1e6
        self._fill = (share * WINDOW_S * 1e6 - self._full) / WINDOW_S

    @property
    def longest_us(self) -> int:
        """The longest frame that the bucket can ever pay for."""
        return int(self._full)

    def _settle(self, now: float) -> None:
        gained = max(now - self._at, 0.0) * self._fill * self._ease
        self._tokens, self._at = min(self._tokens + gained, self._full), max(now, self._at)

    def crowding(self, percent: float, now: float) -> None:
        """Take the channel utilisation that the radio itself measured; full speed to 25 %, a tenth from 40 % on."""
        self._settle(now)
        over = (percent - POLITE_PERCENT) / (CROWDED_PERCENT - POLITE_PERCENT)
        self._ease = 1.0 - (1.0 - LEAST) * min(max(over, 0.0), 1.0)

    def take(self, airtime_us: int, now: float) -> float:
        """Spend and return 0.0, or spend nothing and return the seconds until so much will be there."""
        wait = self.wait(airtime_us, now)
        if wait == 0.0:
            self._tokens -= airtime_us
        return wait

    def wait(self, airtime_us: int, now: float) -> float:
        """Seconds until `airtime_us` can be spent; infinite for a frame of more than `longest_us`."""
        self._settle(now)
        if airtime_us > self.longest_us:
            return math.inf
        short = airtime_us - self._tokens
        return max(short / (self._fill * self._ease), LEAST_WAIT_S) if short > 0 else 0.0

    def give_back(self, airtime_us: int) -> None:
        """What was taken was not sent after all."""
        self._tokens = min(self._tokens + airtime_us, self._full)

    def narrow(self, share: float, now: float) -> None:
        """Keep to another share from now on; nothing is gained by the change."""
        if share != self.share:
            self._settle(now)
            self._size(share)
            self._tokens = min(self._tokens, self._full)

    def left_us(self, now: float) -> int:
        """Airtime that may be spent at once."""
        self._settle(now)
        return max(int(self._tokens), 0)

    def export(self, now: float, wall_ms: int | None) -> dict[str, int]:
        """State to keep over a restart: microseconds of air left, and the wall time in ms (0: unknown)."""
        self._settle(now)
        return {"tokens_us": int(self._tokens), "wall_ms": wall_ms or 0}

    def restore(self, state: dict[str, int], now: float, wall_ms: int | None) -> None:
        """Go on from an exported state; without a trusted time for the pause nothing is gained in it."""
        then = state.get("wall_ms", 0)
        paused = (wall_ms - then) / 1000 if wall_ms and then and wall_ms > then else 0.0
        held = max(float(state.get("tokens_us", 0)), 0.0) + min(paused, WINDOW_S) * self._fill
        self._tokens, self._at = min(held, self._full), now

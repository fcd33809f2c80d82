"""A rescuer's body for the simulated wearables: plausible, cheap, and the same for the same seed."""

from __future__ import annotations

import math
import random
from collections import deque
from typing import Final

# Load as a share of the heart-rate reserve, and how long it lasts on average, in seconds.
_PHASES: Final = ((0.08, 90), (0.35, 180), (0.50, 120), (0.65, 90), (0.80, 45))
_RISE_S, _FALL_S, _WARM_S = 25.0, 60.0, 900.0
_LOSS_EVERY_S, _LOSS_S = 900.0, 15.0
_BATTERY_S: Final = 20 * 3600.0


class Body:
    """Advance it with `step`; heart rate follows the load with a lag, and the beats make the heart rate.

    pulse: 1/min over the last beats; beats: RR intervals of the last step in 1/1024 s; spo2: %; celsius; battery: %;
    worn: False while the skin contact is lost, when no beat is seen.
    """

    def __init__(self, seed: int) -> None:
        rng = self._rng = random.Random(seed)
        self._rest, self._top = rng.uniform(52, 68), rng.uniform(172, 192)
        self._breath = rng.uniform(0.0, 1.0)
        self._load, self._phase_left = _PHASES[0][0], rng.uniform(10, 60)
        self._rate = self._rest + self._load * (self._top - self._rest)
        self._next_beat, self._loss_left = 0.0, 0.0
        self._recent: deque[int] = deque(maxlen=8)
        self.beats: tuple[int, ...] = ()
        self.spo2, self.celsius = rng.uniform(96.5, 98.5), rng.uniform(36.3, 36.9)
        self._spo2_base, self._battery = self.spo2, rng.uniform(60, 100)

    @property
    def worn(self) -> bool:
        """Whether the sensor touches the skin."""
        return self._loss_left <= 0

    @property
    def pulse(self) -> int:
        """Beats per minute, averaged over the last eight RR intervals as straps do; 0 before the first."""
        return round(60 * 1024 * len(self._recent) / sum(self._recent)) if self._recent else 0

    @property
    def battery(self) -> int:
        """Charge left in percent."""
        return max(0, math.ceil(self._battery))

    def step(self, seconds: float) -> None:
        """Live for some seconds, at most a few at a time."""
        self._work(seconds)
        self._touch(seconds)
        self.beats = tuple(self._beat(seconds))
        load = self._load
        self.spo2 = self._drift(self.spo2, self._spo2_base - 2.5 * max(0.0, load - 0.5), 20, seconds, 0.15)
        self.spo2 = min(100.0, max(88.0, self.spo2))
        self.celsius = self._drift(self.celsius, 36.5 + 1.4 * load, _WARM_S, seconds, 0.004)
        self._battery -= 100 * seconds / _BATTERY_S

    def _drift(self, value: float, goal: float, tau: float, seconds: float, noise: float) -> float:
        return value + (goal - value) * (1 - math.exp(-seconds / tau)) + self._rng.gauss(0, noise) * math.sqrt(seconds)

    def _work(self, seconds: float) -> None:
        self._phase_left -= seconds
        if self._phase_left <= 0:
            self._load, mean = self._rng.choice(_PHASES)
            self._phase_left = self._rng.uniform(0.5, 1.5) * mean
        goal = self._rest + self._load * (self._top - self._rest)
        self._rate = self._drift(self._rate, goal, _RISE_S if goal > self._rate else _FALL_S, seconds, 0.3)
        self._rate = min(self._top, max(self._rest - 5, self._rate))

    def _touch(self, seconds: float) -> None:
        self._loss_left -= seconds
        if self.worn and self._rng.random() < seconds / _LOSS_EVERY_S:
            self._loss_left = self._rng.uniform(0.3, 2) * _LOSS_S

    def _beat(self, seconds: float) -> list[int]:
        """The RR intervals that end within these seconds; they breathe, less so under load."""
        beats = []
        self._next_beat -= seconds
        while self._next_beat <= 0:
            self._breath = (self._breath + 60 / self._rate * (0.22 + 0.3 * self._load)) % 1
            swing = 0.05 * (1 - self._load) ** 2
            sway = 1 + swing * math.sin(2 * math.pi * self._breath) + self._rng.gauss(0, swing / 3)
            interval = round(1024 * 60 / self._rate * sway)
            self._next_beat += interval / 1024
            beats.append(interval)
        if not self.worn:
            self._recent.clear()
            return []
        self._recent.extend(beats)
        return beats

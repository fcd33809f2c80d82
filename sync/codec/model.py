"""What the range coder is told to expect: one Column per time series, predicting the next value and its likely error."""

from __future__ import annotations

from typing import Final

from sync.codec.priors import CLASSES, FIRST, UNKNOWN, load
from sync.codec.range_coder import Coder

TOP: Final = 95  # largest scale
HOLD, LINEAR, HALF, MOST = 0, 4, 2, 3
MODES: Final = (HOLD, LINEAR, HALF, MOST)  # quarters of the last velocity that a prediction adds
_FAR: Final = 16  # a gap this many times longer than the last says nothing about where the velocity leads
EXPECTED: Final = tuple(max(0, (scale >> 1) - 6) for scale in range(TOP + 1))


class Sets:
    """The context sets of one kind of column in one block, filled from the priors when first met."""

    def __init__(self, cls: int) -> None:
        self.cls = cls
        self.sets: list[list[int] | None] = [None] * (TOP + 1)

    def get(self, scale: int) -> list[int]:
        """The context set of a scale."""
        states = self.sets[scale]
        if states is None:
            states = self.sets[scale] = load(self.cls, scale)
        return states


class Column:
    """A series of integers: last value, velocity, and running averages of the error (in sixteenths), fast and slow."""

    __slots__ = ("dt", "expect", "fast", "first", "last", "mode", "sets", "sign", "slow", "step", "turn", "velocity")

    def __init__(self, sets: Sets, mode: int, first: int, turn: int = 0) -> None:
        self.sets, self.mode, self.first, self.turn = sets, mode, first, turn
        self.expect = CLASSES[sets.cls].first, CLASSES[sets.cls].unknown
        self.last: int | None = None
        self.velocity = self.dt = self.step = 0
        self.fast = self.slow = -1
        self.sign = 0

    def code(self, coder: Coder, value: int, dt: int, hint: int = -1) -> int:
        """The next value, `dt` after the last; `hint`: the error just made by the column that moves with this one."""
        last = self.last
        if last is None:
            self.last = self.first + coder.number(self.sets.get(FIRST), self.expect[0], 0, value - self.first)
            return self.last
        guess = last
        if self.mode and 0 < dt < _FAR * self.dt:
            guess += (self.velocity * dt * self.mode + 2 * self.dt) // (4 * self.dt)
        fast = self.fast
        if fast < 0:
            scale, expected = UNKNOWN, self.expect[1]
            if hint >= 0:
                size = (hint << 6) + 1
                scale = min(TOP, 2 * size.bit_length() + (size >> size.bit_length() - 2 & 1) if size > 1 else 2)
                expected = EXPECTED[scale]
        else:
            size = fast + self.slow << 1
            if hint >= 0:
                size = (3 * size + (hint << 6)) >> 2
            bits = size.bit_length()
            scale = 2 * bits + (size >> bits - 2 & 1) if bits > 1 else 2
            if scale > TOP:
                scale = TOP
            expected = EXPECTED[scale]
        error = value - guess
        if self.turn:
            error = (error + (self.turn >> 1)) % self.turn - (self.turn >> 1)
        error = coder.number(self.sets.sets[scale] or self.sets.get(scale), expected, self.sign, error)
        value = guess + error
        if self.turn:
            value %= self.turn
        self.step = abs(error)
        self.sign = 0 if not error else 1 if error > 0 else 2
        if fast < 0:
            self.fast = self.slow = self.step << 4
        else:
            self.fast = (3 * fast + (self.step << 4)) >> 2
            self.slow = (15 * self.slow + (self.step << 4)) >> 4
        if self.mode:
            self.velocity, self.dt = value - last, dt
        self.last = value
        return value

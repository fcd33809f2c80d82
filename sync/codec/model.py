"""What the range coder is told to expect: for each series of a batch the next value and how far off that guess may be."""

from __future__ import annotations

from operator import mul
from typing import Final

from sync.codec import priors
from sync.codec.priors import CLASSES, FIRST, SCALES, UNKNOWN
from sync.codec.range_coder import Coder

MODES: Final = (0, 4, 2, 3)  # quarters of the last velocity that a prediction adds
LINEAR: Final = 4
FILTERED: Final = 5  # the mode in which a Filter predicts
TAPS: Final = 16
EVEN: Final = 16  # the ratio of a step of time to the usual pace, in sixteenths
_FAR: Final = 16  # a gap this many times longer than the last says nothing about where the velocity leads
_ONE: Final = 1 << 16
_STEP: Final = 512
_ASTRAY: Final = 1 << 62
FINE: Final = 6  # expected errors count in 1/64


class Sets:
    """The context sets of one column of a block, filled from the priors when first met."""

    __slots__ = ("cls", "sets")

    def __init__(self, cls: int) -> None:
        self.cls = cls
        self.sets: list[list[int] | None] = [None] * SCALES

    def get(self, scale: int) -> list[int]:
        """The context set for errors of about `scale` bits in 1/64, or FIRST or UNKNOWN."""
        if scale >= SCALES:
            scale = SCALES - 1
        return self.sets[scale] or self._load(scale)

    def _load(self, scale: int) -> list[int]:
        states = self.sets[scale] = list(priors.prior(self.cls, scale))
        return states


class Filter:
    """The next difference of a waveform from the last ones: taps in 65536ths, each moved by a fixed step (sign-sign LMS)."""

    __slots__ = ("past", "taps")

    def __init__(self) -> None:
        self.past = [0] * TAPS
        self.taps = [_ONE >> 1] + [0] * (TAPS - 1)

    def guess(self) -> int:
        """The difference to expect; 0 where the taps have lost their way."""
        found = sum(map(mul, self.taps, self.past)) + (_ONE >> 1) >> 16
        return found if -_ASTRAY < found < _ASTRAY else 0

    def learn(self, step: int, error: int) -> None:
        """The difference that came, and by how much it was above the guess."""
        past = self.past
        if error:
            up = _STEP if error > 0 else -_STEP
            self.taps = [tap + (up if p > 0 else -up if p < 0 else 0) for tap, p in zip(self.taps, past, strict=True)]
        past.insert(0, step)
        past.pop()


class _Series:
    """What a series remembers of its errors: running averages in sixteenths, fast and slow, and the last one's sign."""

    __slots__ = ("fast", "first", "last", "near", "sets", "sign", "slow")

    def __init__(self, sets: Sets, average: int, first: int, near: bool) -> None:
        self.sets, self.first, self.near = sets, first, near
        self.last: int | None = None
        self.fast = self.slow = average
        self.sign = 0

    def _begin(self, coder: Coder, value: int) -> int:
        """The first value, from `first` on: far away, or as near as a second value would be."""
        scale, row = UNKNOWN if self.near else FIRST, CLASSES[self.sets.cls]
        expected = row.unknown if self.near else row.first
        self.last = self.first + coder.number(self.sets.get(scale), expected, 0, value - self.first)
        return self.last

    def _spread(self, size: int) -> tuple[list[int], int]:
        """Context set and expected bits of an error of about `size` 64ths."""
        bits = (size | 2).bit_length()
        return self.sets.get(bits), bits - FINE if bits > FINE else 0

    def _note(self, error: int, step: int) -> None:
        """An error, and its size in sixteenths as the averages count it; the first one begins them."""
        self.sign = 0 if not error else 1 if error > 0 else 2
        fast = self.fast
        if fast < 0:
            self.fast = self.slow = step
        else:
            self.fast = fast + ((step - fast) * 3 >> 3)
            self.slow += (step - self.slow) * 3 >> 5


class Column(_Series):
    """A series of integers; `step`: the magnitude of its last error."""

    __slots__ = ("dt", "expect", "filter", "mode", "paced", "step", "turn", "velocity")

    def __init__(self, sets: Sets, mode: int, first: int, turn: int = 0, near: bool = False) -> None:
        super().__init__(sets, -1, first, near)
        self.mode, self.turn = mode, turn
        self.filter = Filter() if mode == FILTERED else None
        row = CLASSES[sets.cls]
        self.expect, self.paced = row.unknown, row.paced
        self.velocity = self.dt = self.step = 0

    def code(self, coder: Coder, value: int, dt: int, ratio: int = EVEN, hint: int = -1) -> int:
        """The next value, `dt` after the last and `ratio` of the usual; `hint`: the error its partner column just made."""
        last = self.last
        if last is None:
            return self._begin(coder, value)
        guess = last
        if self.filter:
            guess += self.filter.guess()
        elif self.mode and 0 < dt < _FAR * self.dt:
            guess += (self.velocity * dt * self.mode + 2 * self.dt) // (4 * self.dt)
        states, expected = self._expected(ratio, hint)
        error, turn = value - guess, self.turn
        if turn:
            error = (error + (turn >> 1)) % turn - (turn >> 1)
        error = coder.number(states, expected, self.sign, error)
        value = (guess + error) % turn if turn else guess + error
        step = self.step = abs(error)
        self._note(error, (step << 8) // ratio if self.paced else step << 4)
        if self.filter:
            self.filter.learn(value - last, error)
        elif self.mode:
            self.velocity, self.dt = value - last, dt
        self.last = value
        return value

    def _expected(self, ratio: int, hint: int) -> tuple[list[int], int]:
        """Context set and expected bits of the next error."""
        fast = self.fast
        if fast < 0:
            return self._spread((hint << FINE) + 1) if hint >= 0 else (self.sets.get(UNKNOWN), self.expect)
        size = 3 * fast + self.slow
        if self.paced:
            size = size * ratio >> 4
        return self._spread((5 * size + 3 * (hint << FINE)) >> 3 if hint >= 0 else size)


class Pace(_Series):
    """A series of instants, each guessed one usual step after the last; the usual step follows slowly and by no leaps."""

    __slots__ = ("pace",)

    def __init__(self, sets: Sets, first: int = 0, near: bool = False) -> None:
        super().__init__(sets, 0, first, near)
        self.pace = -1  # sixteenths of a unit of time

    def code(self, coder: Coder, value: int) -> int:
        """The next instant."""
        last = self.last
        if last is None:
            return self._begin(coder, value)
        if self.pace < 0:
            expected = CLASSES[self.sets.cls].unknown
            self.last = last + coder.number(self.sets.get(UNKNOWN), expected, 0, value - last)
            self.pace = max(self.last - last, 0) << 4
            return self.last
        guess = last + (self.pace + 8 >> 4)
        error = coder.number(*self._spread(3 * self.fast + self.slow), self.sign, value - guess)
        self._note(error, abs(error) << 4)
        reach = self.pace + 16
        self.pace = max(self.pace + (max(-reach, min(reach, error << 4)) >> 3), 0)
        self.last = guess + error
        return self.last

    def ratio(self, dt: int) -> int:
        """A step of time in sixteenths of the usual one."""
        if dt <= 0 or self.pace <= 0:
            return EVEN
        return min(max((dt << 8) // self.pace, 1), 4096)

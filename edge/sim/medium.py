"""A simulated link among any number of nodes: loss, duplicates, delay, reordering, rate, budget, one way, asymmetry, hours."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from edge.sim.world import World
from radios.bearer import Budget, Limits

Deliver = Callable[[bytes, str], None]  # frame, sender's name
Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class LinkSpec:
    """What a link is like. Probabilities are 0..1 for each frame and listener; times are seconds.

    pair_loss: (from, to) -> loss instead of `loss`, 1.0 for a direction that does not exist; reorder: the share of frames that
    are late, each by up to reorder_s; window_s, window_bytes, window_messages: what one member may send in any such window
    (0: no limit); shared: only one member is on the air at a time; hours: (from, to) when the link exists, () for always.
    """

    name: str
    members: tuple[str, ...]
    limits: Limits
    loss: float = 0.0
    pair_loss: Mapping[Pair, float] = field(default_factory=dict)
    duplicate: float = 0.0
    delay_s: float = 0.0
    reorder_s: float = 0.0
    reorder: float = 1.0
    window_s: float = 0.0
    window_bytes: int = 0
    window_messages: int = 0
    shared: bool = False
    hours: Sequence[tuple[float, float]] = ()


@dataclass(slots=True)
class Spent:
    """What one member has sent: totals, and the sends of the running window as (time, bytes)."""

    frames: int = 0
    bytes: int = 0
    window: deque[tuple[float, int]] = field(default_factory=deque)


class Medium:
    """One link of a World. A node joins with a function that takes frames; `watch` hears of every change of who reaches whom."""

    def __init__(self, world: World, spec: LinkSpec) -> None:
        self.spec, self.name, self.limits = spec, spec.name, spec.limits
        self._world, self._chance = world, world.chance(f"link {spec.name}")
        self._listeners: dict[str, Deliver] = {}
        self._watchers: list[Callable[[], None]] = []
        self._off: set[str] = set()
        self._apart: list[frozenset[str]] = []
        self._open = not spec.hours
        self._busy_until = 0.0
        self._mine_until: dict[str, float] = {}
        self.taps: list[Callable[[str, bytes], None]] = []  # hear every frame sent, with its sender
        self.spent: dict[str, Spent] = {name: Spent() for name in spec.members}
        for begin, end in spec.hours:
            world.at(begin, lambda: self._turn(True))
            world.at(end, lambda: self._turn(False))

    # who is there

    def join(self, name: str, deliver: Deliver) -> None:
        """A member's radio is on."""
        self._listeners[name] = deliver

    def leave(self, name: str) -> None:
        """A member's radio is off; frames under way to it are lost."""
        self._listeners.pop(name, None)

    def watch(self, call: Callable[[], None]) -> None:
        """Have `call` run after every change of who reaches whom."""
        self._watchers.append(call)

    def split(self, *groups: Sequence[str]) -> None:
        """Let only members of the same group reach each other; no group at all heals the link."""
        self._apart = [frozenset(group) for group in groups]
        self._tell()

    def shade(self, name: str, off: bool) -> None:
        """Put one member out of everybody's reach, or back."""
        (self._off.add if off else self._off.discard)(name)
        self._tell()

    def reaches(self, sender: str) -> list[str]:
        """Members that may hear `sender` now, in the order of the specification."""
        if not self._open or sender in self._off:
            return []
        return [name for name in self.spec.members if name in self._listeners and self._together(sender, name)]

    def up(self, name: str) -> bool:
        """Whether this member hears or is heard by anybody now."""
        return bool(self.reaches(name)) or any(name in self.reaches(other) for other in self.spec.members)

    def _together(self, sender: str, name: str) -> bool:
        if name == sender or name in self._off or self._loss(sender, name) >= 1:
            return False
        return not self._apart or any(sender in group and name in group for group in self._apart)

    def _loss(self, sender: str, name: str) -> float:
        return self.spec.pair_loss.get((sender, name), self.spec.loss)

    def _turn(self, opened: bool) -> None:
        self._open = opened
        self._tell()

    def _tell(self) -> None:
        self._world.note(self.name, "changed")
        for call in self._watchers:
            call()

    # sending

    def budget(self, sender: str) -> Budget:
        """What this member may send now."""
        now, spec = self._world.now, self.spec
        wait = max(self._mine_until.get(sender, 0.0), self._busy_until if spec.shared else 0.0) - now
        if wait > 0:
            return Budget(0, 0, wait)
        window = self.spent[sender].window
        while window and window[0][0] <= now - spec.window_s:
            window.popleft()
        size = spec.window_bytes - sum(each for _, each in window) if spec.window_bytes else 1 << 30
        count = spec.window_messages - len(window) if spec.window_messages else 1 << 16
        wait = window[0][0] + spec.window_s - now if window else 0.0
        if (size <= 0 or count <= 0) and window:
            return Budget(0, 0, wait)
        return Budget(size, count, wait)

    def send(self, sender: str, frame: bytes, to: str = "") -> None:
        """Put a frame on the air: to one member or, when `to` is empty or the link is a broadcast, to all in reach."""
        air = len(frame) / self.limits.rate
        self._count(sender, len(frame), air)
        self._world.note(self.name, sender, frame)
        for tap in self.taps:
            tap(sender, frame)
        for name in self.reaches(sender):
            if not to or to == name or self.limits.broadcast:
                self._carry(sender, name, frame, air)

    def inject(self, place: str, frame: bytes) -> None:
        """Somebody beside the member `place` sends a frame that no member wrote; everybody in reach hears it, `place` too."""
        for name in (place, *self.reaches(place)):
            self._carry(place, name, frame, len(frame) / self.limits.rate)

    def _count(self, sender: str, size: int, air: float) -> None:
        spent, now = self.spent[sender], self._world.now
        spent.frames += 1
        spent.bytes += size
        if self.spec.window_s:
            spent.window.append((now, size))
        self._mine_until[sender] = now + max(air, self.limits.gap_s)
        self._busy_until = now + air

    def _carry(self, sender: str, name: str, frame: bytes, air: float) -> None:
        copies = 2 if self._chance.random() < self.spec.duplicate else 1
        for _ in range(copies):
            lost = self._chance.random() < self._loss(sender, name)
            late = self._late()
            if not lost:
                self._world.after(air + self.spec.delay_s + late, lambda: self._arrive(sender, name, frame))

    def _late(self) -> float:
        """By how much a frame is late for one listener."""
        spec, chance = self.spec, self._chance
        return chance.random() * spec.reorder_s if spec.reorder_s and chance.random() < spec.reorder else 0.0

    def _arrive(self, sender: str, name: str, frame: bytes) -> None:
        deliver = self._listeners.get(name)
        if deliver is not None and name not in self._off:
            deliver(frame, sender)

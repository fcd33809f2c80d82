"""When a line is to be asked for a frame again, as far as can be told now."""

from __future__ import annotations

from sync.exchange.choosing import Choosing
from sync.exchange.core import CHEAP, Core
from sync.exchange.ledger import NEVER, Target
from sync.exchange.lines import Line
from sync.exchange.showing import Showing
from sync.ids import Lane


class Timing:
    """Tells when something will be due."""

    def __init__(self, core: Core, choosing: Choosing, showing: Showing) -> None:
        self.core, self._choosing, self._showing = core, choosing, showing

    def next_at(self, line: Line, now: float) -> float:
        """When there will be something that can go by this line; infinity: not before something comes in or changes."""
        at = self._due_at(line, now)
        return at if at > line.asked_at else max(at, line.stuck_until)

    def _due_at(self, line: Line, now: float) -> float:
        core, at = self.core, NEVER
        if line.limits.two_way:
            at = min((debt.at for node, debt in line.debts.items() if not node or line.alive(node, now)), default=NEVER)
        at = min(at, core.look_at, self._flash_at(line, now))
        if now < line.hush_until:
            return min(at, line.hush_until)
        if line.open or line.behind or self._showing.waits(line, now):
            return now
        return min(at, core.expiries.at, self._rows_at(line, now))

    def _flash_at(self, line: Line, now: float) -> float:
        """When flash is due: to those heard, and into the silence."""
        at, name, anyone = NEVER, line.name, line.anyone
        nodes = line.nodes(now)
        for node in nodes:
            target = self.core.neighbours[node].target
            if target.flash:
                at = min(at, target.flash_at(name))
        if anyone.flash and self.core.calls(line, now):
            at = min(at, anyone.own_flash_at(name, self.core.log.origin))
            if not nodes:
                at = min(at, max(anyone.flash_at(name), anyone.shy.get(name, 0.0)))
        return at

    def _rows_at(self, line: Line, now: float) -> float:
        """When rows or blocks of the lanes beside flash can go."""
        core, nodes = self.core, line.nodes(now)
        at = core.waiting_at[Lane.FLASH] if Lane.FLASH in line.lanes else NEVER
        waits = any(core.waiting_at[lane] < NEVER for lane in CHEAP)
        for target in [core.neighbours[node].target for node in nodes] or [line.anyone]:
            for lane in CHEAP if waits or target.wanting else ():
                if lane in line.lanes and (target.want[lane] or core.waiting_at[lane] < at):
                    ready = self._ready(line, target, lane, now)
                    if ready < at and self._choosing.open_to(line, target, lane, now):
                        at = ready
        return at

    def _ready(self, line: Line, target: Target, lane: Lane, now: float) -> float:
        ready = self.core.waiting_at[lane]
        if target.want[lane]:
            shy = target.shy.get(line.name, 0.0)
            if self._choosing.first(line, target, lane, now) is not None:
                return now
            ready = min(ready, shy if shy > now else NEVER)
        return ready

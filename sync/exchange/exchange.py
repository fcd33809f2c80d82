"""The exchange between nodes: frames in, frames out, for every bearer of one node. No socket, clock or thread inside."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from typing import Any, Final

from radios.bearer import Arrival, Budget, Limits
from sync.exchange.core import URGENT, Core
from sync.exchange.ends import Ends
from sync.exchange.forecast import Forecast, Promise, State
from sync.exchange.hearing import Hearing
from sync.exchange.ledger import NEVER
from sync.exchange.lines import Debt, Line
from sync.exchange.packing import LEAST_MTU, Outgoing
from sync.exchange.patience import Patience
from sync.exchange.policy import Policy
from sync.exchange.relay import Guard
from sync.exchange.sending import Sender
from sync.ids import BlockId, Lane
from sync.log import Log
from sync.seal.keyring import Keyring

QUIET: Final = 4  # a bearer that costs more gets no greeting when it comes up
LISTEN_S: Final = (
    60.0  # seconds that a broadcast bearer is listened to before what is not our own alarm goes into its silence
)
PROMISED: Final = 32  # nodes that the status has a forecast for
SHORT: Final = 100  # bytes of the message that the status' forecast is for


class Exchange:
    """One node's exchange over its log. Times are monotonic seconds; every method belongs to the thread of the log."""

    def __init__(self, log: Log, sealer: Keyring, policy: Policy, chance: random.Random) -> None:
        self._core = Core(log, sealer, policy, chance)
        self._guard = Guard(self._core)
        ends, patience = Ends(self._core, self._guard), Patience(self._core)
        self._hearing = Hearing(self._core, self._guard, ends, patience)
        self._sender = Sender(self._core, ends, patience)
        self._forecast = Forecast(self._core)

    def attach(self, bearer: str, limits: Limits, now: float) -> None:
        """A bearer is up; ValueError when its frames are too small to bring anything through."""
        if limits.mtu < LEAST_MTU:
            raise ValueError(f"{bearer}: frames of {limits.mtu} bytes are too small, {LEAST_MTU} are needed")
        core = self._core
        core.contacts.up(bearer, now)
        line = core.lines[bearer] = Line(bearer, limits, core.policy, now)
        core.look(now)
        core.review_all(line.anyone)
        if limits.broadcast and limits.two_way:
            line.anyone.shy[bearer] = now + LISTEN_S
        if limits.two_way:
            due = now + core.chance.uniform(0.0, 0.5) * line.ack_s(now)
            unfinished = core.assembly.tell_on(bearer, core.lines, now)
            quiet = limits.cost > QUIET
            line.debts[0] = Debt(NEVER if quiet else due, hello=not quiet, partials_at=due if unfinished else NEVER)

    def detach(self, bearer: str, now: float) -> None:
        """It is down: what was on its way by it may go by another at once."""
        core = self._core
        line = core.lines.pop(bearer, None)
        if line is not None:
            core.contacts.down(bearer, set(line.heard), now)
            for target in core.targets():
                target.void(bearer)

    def changed(self) -> None:
        """The log changed behind the exchange's back: rows, events or blocks came from elsewhere."""
        self._core.stale = True
        self._unstick()

    def received(self, bearer: str, arrival: Arrival) -> int:
        """Take a frame in; how many blocks it brought that were not here. StoreError when they could not be stored."""
        line = self._core.lines.get(bearer)
        self._unstick()
        return 0 if line is None else self._hearing.received(line, arrival)

    def outgoing(self, bearer: str, budget: Budget, now: float) -> Outgoing | None:
        """The next frame for a bearer within its budget, None when there is none now."""
        self._guard.sweep(now)
        line = self._core.lines.get(bearer)
        if line is None:
            return None
        out = self._sender.outgoing(line, budget, now)
        line.asked(out is not None, budget, now)
        return out

    def next_at(self, bearer: str, now: float) -> float:
        """When to ask for a frame again; infinity: after the next arrival or `changed`."""
        line = self._core.lines.get(bearer)
        return NEVER if line is None else self._sender.next_at(line, now)

    def _unstick(self) -> None:
        """There may be something new that can go."""
        for line in self._core.lines.values():
            line.stuck_until = -NEVER

    def shows(self, now: float) -> bool:
        """Whether this node's newest picture still waits for a bearer."""
        return self._sender.shows(now)

    def status(self, now: float) -> Mapping[str, Any]:
        """Plain values for the status file: lanes by bearer, forecasts for a short message, what others hold of one's own, lines,
        refusals by reason, conflicts."""
        core = self._core
        nodes = sorted({*core.policy.central, *core.policy.members} - {core.log.origin})[:PROMISED]
        return {
            "lanes": self._forecast.rows(now),
            "forecast": [
                {"node": each.node, "in_s": each.in_s, "p": each.p, "by": each.by, "lane": lane.name.lower()}
                for lane in URGENT
                for each in self._forecast.promises(SHORT, lane, nodes, now)
            ],
            "relayed": self._forecast.relayed(),
            "lines": [
                {
                    "name": line.name,
                    "heard": sorted(line.nodes(now)),
                    "sick": line.sick(now),
                    "sent": line.sent_bytes,
                    "acked": line.acked_bytes,
                }
                for line in core.lines.values()
            ],
            "refused": dict(core.refused),
            "conflicts": [str(each) for each in core.conflicts],
            "twice": core.twice,
            "unfinished": len(core.assembly),
        }

    def promises(self, size: int, lane: Lane, nodes: Iterable[int], now: float) -> list[Promise]:
        """When, and with what probability, a message of `size` bytes written now would reach each node."""
        return list(self._forecast.promises(size, lane, nodes, now))

    def states(self, block_id: BlockId, nodes: Iterable[int]) -> dict[int, State]:
        """How far a block got with each addressee."""
        return self._forecast.states(block_id, nodes)

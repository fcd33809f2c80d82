"""One bearer as the exchange sees it: who is heard on it, what is owed there, how long an answer takes."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Final

from radios.bearer import Budget, Limits
from sync.exchange.contacts import Hour
from sync.exchange.havelist import Scope, Vector
from sync.exchange.ledger import NEVER, Target
from sync.exchange.policy import Policy
from sync.ids import BlockId, Lane, Source
from sync.ranges import Ranges

ACK_S: Final = (0.25, 0.5, 1.0, 1.0, 24.0)  # how long an acknowledgement waits for more, by cost
BEACON_S: Final = (20.0, 240.0, 300.0, 900.0, 3600.0)  # a sign of life when there is nothing to say, by cost
QUICKER: Final = 0.3  # of the usual patience where it is about flash
SILENT: Final = 2.5  # signs of life that may be missed before a node counts as gone
SLOW_S: Final = 0.2  # a line whose frame takes longer is left quiet after a flash
ACK_BYTES: Final = 60.0
ACK_SHARE: Final = 0.15  # of a line's bytes that acknowledgements may take
MOST_LOSS: Final = 0.8
APART: Final = 2  # times that a node needed us for what another sent, without having had anything of it itself since
PROBED: Final = 16  # every so many times it is left to others once, to see whether it hears them by now
APART_S: Final = 6 * 3600.0  # and what was learned is forgotten so long after the last
MEMORY: Final = 200.0  # symbols after which earlier ones count half
LEARN: Final = 0.05  # weight of one more acknowledgement
MOST_RTO_S: Final = 1800.0
CALLED: Final = 0.1  # of a copy more for each call of somebody who missed something urgent
FEW_CALLS: Final = 0.3  # of them for each block that is new to a crowd are cheaper than one copy more
MOST_COPIES: Final = 2.0
WINDOW: Final = 4 << 20  # bytes under way on one line to one target
STATEMENTS: Final = 32  # signed end lists that wait for one audience
STUCK_S: Final = 1.0  # what could not go is tried again so much later, where the budget does not say when
NEIGHBOURS: Final = 4096  # nodes, and addresses on one line, that are remembered


@dataclass(slots=True)
class Heard:
    """Where a node was heard on a line, and when."""

    address: str
    at: float


@dataclass(slots=True)
class Sending:
    """A block that takes several frames. todo: byte ranges still to be sent, or `symbols` of `size` bytes instead."""

    id: BlockId
    block: bytes
    age_s: float
    begun: float
    todo: Ranges
    targets: list[Target]
    symbols: deque[int] = field(default_factory=deque)
    size: int = 0


@dataclass(slots=True)
class Progress:
    """A list under way in several parts: the vector it was begun with, the buckets, and the last source told."""

    vector: Vector
    mask: int
    after: Source | None = None


@dataclass(slots=True)
class Asking:
    """When a node's list is asked for, and how often it was. left: once to another who asked since the last time."""

    at: float
    tries: int = 0
    left: bool = False


@dataclass(slots=True)
class Debt:
    """What is owed to one audience: our own list, others' lists asked for, vectors of theirs that we now know, end lists."""

    due: float = NEVER
    told: bytes = b""
    told_at: float = -NEVER
    loud: bool = True  # what is due is said even if another says the same first
    node: int | None = None  # the only one it is told to
    hello: bool = True
    greeted: int = 0
    mask: int = 0
    asked: dict[bytes, None] = field(default_factory=dict)  # vectors of ours that askers know
    listing: Progress | None = None
    needs: dict[int, Asking] = field(default_factory=dict)
    gots: dict[tuple[int, int], bytes] = field(default_factory=dict)
    gots_at: float = NEVER
    partials_at: float = NEVER
    behind: int = 0  # how often our list was said again because others have what is not here
    statements: deque[bytes] = field(default_factory=lambda: deque(maxlen=STATEMENTS))  # signed end lists
    state_at: float = 0.0  # when they may go
    stated_at: float = -NEVER  # when it was last told all that are kept

    @property
    def at(self) -> float:
        """When the first of it is due."""
        at = min(self.due, self.gots_at, self.partials_at, self.state_at if self.statements else NEVER)
        for asking in self.needs.values():
            at = min(at, asking.at)
        return at


@dataclass(slots=True)
class Losses:
    """Symbols sent and lost of late, as those who lacked some told; it begins with a guess that soon counts for little."""

    sent: float = 4.0
    lost: float = 1.8

    def learn(self, sent: int, lost: int) -> None:
        """So many more were sent, and so many of them lost."""
        self.sent, self.lost = self.sent + sent, self.lost + lost
        if self.sent > MEMORY:
            self.sent, self.lost = self.sent / 2, self.lost / 2

    @property
    def share(self) -> float:
        """The share lost, at most MOST_LOSS."""
        return min(self.lost / self.sent, MOST_LOSS)


class Line:
    """An attached bearer. anyone: whoever may listen without being heard; lag, spread: of acknowledgements, in seconds; what was
    due at `asked_at` could not go and waits until `stuck_until`."""

    def __init__(self, name: str, limits: Limits, policy: Policy, now: float) -> None:
        self.name, self.limits, self.policy, self.up_at = name, limits, policy, now
        self.lanes = frozenset(lane for lane in Lane if policy.may(lane, limits.lanes, limits.cost))
        self.scope = (
            Scope.ALL if Lane.HISTORY in self.lanes else Scope.TRACKS if Lane.TRACK in self.lanes else Scope.URGENT
        )
        self._ack_s = max(ACK_S[min(limits.cost, len(ACK_S) - 1)], ACK_BYTES / limits.rate / ACK_SHARE)
        self.heard: dict[int, Heard] = {}
        self._silence_s = SILENT * self.beacon_s
        self._live: list[int] = []
        self._live_until = -NEVER
        self._places: OrderedDict[str, int] = OrderedDict()  # who was heard last at an address
        self.debts: dict[int, Debt] = {}
        self.open: dict[tuple[Lane, int], Sending] = {}  # by lane and audience
        self.behind: dict[tuple[Lane, int], Sending] = {}  # begun, and set aside for what goes before it
        self.anyone = Target(0)
        self._apart: dict[tuple[int, int], tuple[int, float]] = {}  # how often a node needed us for what another sent
        self.pictures: dict[int, dict[tuple[int, int], int]] = {}  # sent, by audience and life
        self.passed: dict[tuple[int, int], float] = {}  # when a picture of each life was sent last
        self.served: dict[int, int] = {}  # by audience, the frame that was last for it
        self.showed = 0  # how many frames in a row carried pictures
        self.hidden = 0  # how many in a row carried none
        self.flashed = 0  # how many in a row carried flash
        self.hush_until = self.asked_at = self.stuck_until = self.sought_at = -NEVER
        self.lag: float | None = None
        self.spread = 0.0
        self.success = 0.9  # of a frame, by what was acknowledged
        self.hour = Hour()
        self.losses = Losses()
        self.copies = 1.0  # of a command block that is new to a crowd: more as more missed it of late
        self.budget: Budget | None = None
        self.sent_bytes = self.acked_bytes = self.frames = self.unproven = 0
        self.unproven_since = NEVER

    @property
    def frame_s(self) -> float:
        """How long the largest frame takes."""
        return self.limits.mtu / self.limits.rate + self.limits.gap_s

    @property
    def beacon_s(self) -> float:
        """Between two signs of life."""
        return BEACON_S[min(self.limits.cost, len(BEACON_S) - 1)]

    def ack_s(self, now: float) -> float:
        """How long an acknowledgement waits for others to join it: so that those of all neighbours take ACK_SHARE of the air."""
        return self._ack_s * (1 + len(self.nodes(now))) if self.limits.broadcast else self._ack_s

    def spread_s(self, now: float) -> float:
        """Seconds in which one of many who could say or send the same is heard by the others."""
        wait = self.ack_s(now)
        return wait + min(
            max((self.lag or 0.0) - wait, 0.0) / 2, wait
        )  # who is silent because another spoke answers late

    def later_s(self, now: float) -> float:
        """How long those wait for our list who did not bring what is new in it."""
        return self.ack_s(now) * (4 if self.limits.broadcast else 240)

    def node_at(self, address: str) -> int | None:
        """The node last heard at an address of the bearer."""
        return self._places.get(address)

    def needed_us(self, giver: int, node: int, now: float) -> None:
        """A node lacked what another sent here."""
        count = self._apart.get((giver, node), (0, now))[0]
        self._apart[giver, node] = count + 1, now
        if len(self._apart) > NEIGHBOURS:
            self._apart.clear()

    def heard_itself(self, giver: int, node: int) -> None:
        """A node had what another sent here without us."""
        self._apart.pop((giver, node), None)

    def apart(self, giver: int, node: int, now: float) -> bool:
        """Whether a node seems not to hear another: of late it lacked what came from there again and again."""
        count, at = self._apart.get((giver, node), (0, now))
        return giver > 0 and count % PROBED >= APART and now - at < APART_S

    def crowd(self, now: float) -> bool:
        """Whether several others hear each other here, as far as can be told."""
        return self.limits.broadcast and self.limits.two_way and self.live(now) > 1

    def hear(self, node: int, address: str, now: float) -> bool:
        """A node gave a sign of life; True when it had been silent."""
        silent = node not in self._live or not self.alive(node, now)
        self.heard[node] = Heard(address, now)
        if address:
            self._places[address] = node
            self._places.move_to_end(address)
            if len(self._places) > NEIGHBOURS:
                self._places.popitem(last=False)
        if silent:
            self._live_until = -NEVER
        return silent

    def alive(self, node: int, now: float) -> bool:
        """Whether a node was heard lately."""
        heard = self.heard.get(node)
        return heard is not None and now - heard.at < self._silence_s

    def live(self, now: float) -> int:
        """How many nodes were heard lately."""
        return len(self.nodes(now))

    def nodes(self, now: float) -> list[int]:
        """Those nodes."""
        if now >= self._live_until:
            self._live = [node for node in self.heard if self.alive(node, now)]
            self._live_until = min((self.heard[node].at for node in self._live), default=NEVER) + self._silence_s
        return self._live

    def debt(self, node: int) -> Debt:
        """What is owed to one node, or to everybody on a broadcast line."""
        key = 0 if self.limits.broadcast else node
        found = self.debts.get(key)
        if found is None:
            found = self.debts[key] = Debt(hello=False)
        return found

    def owe(self, at: float, peer: str | None = None, loud: bool = True) -> None:
        """Our list is due by `at`, to the node at this address or to all; loud: even if another says the same first."""
        node = None if peer is None or self.limits.broadcast else self.node_at(peer)
        for key, debt in self.debts.items() if self.limits.two_way else ():
            if node is None or key == node:
                debt.loud = debt.loud or loud
                debt.due = min(debt.due, max(at, debt.told_at + self.ack_s(at) / 2))

    def asked(self, sent: bool, budget: Budget, now: float) -> None:
        """It was asked for a frame. Where none went, what was due waits for more budget, or for a while."""
        wait = budget.wait_s if budget.bytes_left < self.limits.mtu else 0.0
        self.asked_at, self.stuck_until = (-NEVER, -NEVER) if sent else (now, now + (wait or STUCK_S))

    def rto(self, now: float, tries: int) -> float:
        """How long to wait for an acknowledgement before sending again, after so many tries."""
        usual = first = 3 * self.ack_s(now) + 4 * self.frame_s + 1.0
        if self.lag is not None:
            first = max(self.lag + 4 * self.spread, 0.5 * self.ack_s(now) + self.frame_s, 0.2)
            first = min(first, usual) if self.limits.broadcast else first  # late frames teach too much patience
        return min(first * 2.0 ** min(tries, 8), MOST_RTO_S)

    def window(self, now: float) -> int:
        """Bytes that may be under way to one target."""
        return min(WINDOW, max(8 * self.limits.mtu, int(self.limits.rate * (self.rto(now, 0) + 2.0))))

    def acked(self, lease_s: float, size: int, first: bool) -> None:
        """A block was acknowledged so long after it was sent, for the first time or again."""
        self.acked_bytes += size
        self.unproven, self.unproven_since = 0, NEVER
        self.success += (1.0 - self.success) * LEARN
        if not first:
            return
        if self.lag is None:
            self.lag, self.spread = lease_s, lease_s / 2
        else:
            self.spread += (abs(lease_s - self.lag) - self.spread) / 4
            self.lag += (lease_s - self.lag) / 8

    def missed(self) -> None:
        """A block was not acknowledged in its time."""
        self.success -= self.success * LEARN

    def called(self) -> None:
        """Somebody missed something urgent."""
        self.copies = min(self.copies + CALLED, MOST_COPIES)

    def calmed(self) -> None:
        """Something urgent is new here."""
        self.copies = max(self.copies - CALLED * FEW_CALLS, 1.0)

    def sick(self, now: float) -> bool:
        """Up, but nothing sent has been acknowledged for long: not to be relied on."""
        return self.unproven > 4 * self.limits.mtu and now - self.unproven_since > 3 * self.rto(now, 1)

"""Scenes from the store beside an agent, and from what the agent says about itself; with the agent down, from the store alone.

`read` follows the store's data version and costs microseconds while nothing is committed; `scene` only makes the ages grow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from edge import intents
from edge.config import Config
from edge.folds import ACK, ALARM_KINDS, ANSWER, CHECKIN, EVACUATE, RECEIPT, Alarm, alarms, checkins, episode_of, lifted
from edge.store.reader import EventLine, Reader, Snapshot
from hardware.clock import Clock, ClockQuality, Stamp, SystemClock
from hardware.driver import Health
from hardware.errors import DecodeError, LinkDown, StoreError
from sync.events import KINDS
from sync.records import EventId
from sync.trust.standing import Standing
from tui import rows
from tui.scene import FlowRow, Forecast, LinkRow, Scene
from tui.telling import tell
from tui.words import Said

SILENT_S: Final = 5.0  # a status older than this is no longer the agent's word
STUCK_S: Final = 5.0  # the store has not answered for so long
REST: Final = 4.0  # times as long as reading took, before a store that changes all the time is read again
NEWS: Final = 60
FACTS: Final = (
    "loss",
    "latency_s",
    "budget_bytes",
    "budget_wait_s",
)  # of radios.bearer.LinkHealth.row, in LinkRow's order
FOLDED: Final = 500  # newest alarms and acknowledgements, newest answers, and newest check-ins, that are folded
ASKED: Final = 20  # newest commands, which stay on the screen while they are in force, whatever comes after them
COMMANDS: Final = tuple(kind.number for kind in KINDS.values() if kind.name in rows.ASKING and kind.command)


@dataclass(frozen=True, slots=True)
class Facts:
    """What was read of the store in one go; events: the newest, and commands in force; said: receipts and answers to roll calls;
    checked: by person; lifted: evacuations taken back; aside: events not to be drawn; at: monotonic seconds."""

    snapshot: Snapshot
    events: tuple[EventLine, ...]
    standing: tuple[Alarm, ...]
    aside: int
    episodes: Mapping[bytes, Said]
    said: tuple[EventLine, ...]
    checked: Mapping[str, EventLine]
    lifted: frozenset[EventId]
    at: float


@dataclass(frozen=True, slots=True)
class Word:
    """What the agent last said about itself, and when (monotonic seconds); {} and minus infinity for never."""

    status: Mapping[str, Any]
    at: float


class StoreFeed:
    """A Feed over the store of a configuration. who: the short id of the person at this screen."""

    def __init__(self, config: Config, who: str = "", clock: Callable[[int], Clock] = SystemClock) -> None:
        self._path, self._who = config.store, who
        self._station = config.station["id"]
        self._node = config.station["node"]
        self._central = frozenset(config.incident["central"])
        self._nodes = {named.options["node"]: named.options["name"] or named.name for named in config.nodes}
        self._people = {each.name: (each.options["name"], each.options["unit"]) for each in config.people}
        self._make_clock, self._clock = clock, clock(0)
        self._reader: Reader | None = None
        self._inode = 0
        self._facts: Facts | None = None
        self._word = Word({}, float("-inf"))
        self._trouble = ""
        self._rested_at = 0.0
        self._asked = self._answered = self._clock.mono()

    def read(self) -> None:
        """Take in what changed; a store that is missing, damaged or newer is told in the scene, and tried again next time."""
        self._asked = self._clock.mono()
        try:
            self._read(self._opened())
            self._trouble = ""
        except StoreError as error:
            self._trouble = str(error) if self._path.exists() else "no store"
            self._close()
        self._answered = self._clock.mono()

    def close(self) -> None:
        """Let the store go."""
        self._close()

    def _opened(self) -> Reader:
        """The reader of the file that lies there now; another file under the same name is opened anew."""
        try:
            inode = self._path.stat().st_ino
        except OSError as error:
            raise StoreError(f"{self._path}: {error.strerror}") from None
        if self._reader is None or inode != self._inode:
            self._close()
            self._reader = Reader(self._path, self._node, self._central - {self._node}, self._make_clock)
            self._inode = inode
        return self._reader

    def _close(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _read(self, reader: Reader) -> None:
        at = self._clock.mono()
        if (at >= self._rested_at and reader.changed()) or self._facts is None:
            self._facts = _facts(reader, at)
            self._rested_at = at + (1 + REST) * (self._clock.mono() - at)
        status, age_s = reader.status()
        if status and age_s is not None and _readable(status):
            self._word = Word(status, self._clock.mono() - age_s)

    def scene(self) -> Scene:
        """The scene as last read, ages up to date."""
        now = self._clock.mono()
        silent = now - self._word.at > SILENT_S
        trouble = [self._trouble] if self._trouble else []
        if self._asked > self._answered and now - self._asked > STUCK_S:
            trouble.append("store stuck")
        if silent and self._trouble != "no store":
            trouble.append("agent down")
        stamp = self._now(silent)
        scene = Scene(self._station, stamp.quality, stamp.wall_ms, nodes=self._others(), trouble=tuple(trouble))
        return self._full(scene, self._facts, now, silent) if self._facts is not None else scene

    def _now(self, silent: bool) -> Stamp:
        """The time by the agent's clock, which knows more than the machine's, or by the machine's."""
        here = self._clock.stamp()
        if silent or "clock" not in self._word.status:
            return here
        wall_ms, quality = self._word.status["clock"]
        if wall_ms is not None:
            wall_ms += int((self._clock.mono() - self._word.at) * 1000)
        return Stamp(here.boot, here.mono_ms, wall_ms, ClockQuality(quality))

    def _others(self) -> tuple[tuple[int, str], ...]:
        """Whom one can write to: the centres first, then the other nodes known."""
        names = self._names()
        known = dict.fromkeys((*sorted(self._central), *sorted(names)))
        return tuple((node, names.get(node, f"#{node}")) for node in known if node != self._node)

    def _names(self) -> dict[int, str]:
        """What to call each node: as configured, else as the roster calls it."""
        enrolled = {int(node): name for node, name in self._word.status.get("nodes", {}).items()}
        return {self._node: self._station, **enrolled, **self._nodes}

    def _full(self, scene: Scene, facts: Facts, now: float, silent: bool) -> Scene:
        status, snapshot, late = self._word.status, facts.snapshot, now - facts.at
        others = tuple(node for node, _ in scene.nodes)
        everyone = tuple(self._central - {self._node}) or others
        relayed = frozenset(status.get("exchange", {}).get("relayed", ()))
        telling = rows.Telling(self._node, self._names(), everyone, others, relayed, facts.episodes, facts.lifted)
        people = rows.people(snapshot, self._people, self._station, facts.standing, facts.checked, late)
        told_s = now - self._word.at
        return replace(
            scene,
            where=rows.where(snapshot.latest.get(self._station, {}), late),
            links=tuple(_link(row, told_s, silent) for row in status.get("links", ())),
            devices=tuple(_link(row, told_s, silent) for row in status.get("devices", ())),
            backlog=rows.backlog(snapshot, late),
            flows=() if silent else tuple(_flows(status)),
            people=people,
            events=telling.events(facts.events, facts.said, late),
            rollcall=telling.rollcall(facts.events, facts.said, late),
            alarms=rows.alarm_rows(facts.standing, late),
            forecasts=() if silent else tuple(_forecasts(status, dict(scene.nodes))),
            commands=bool(status.get("commands")) and not silent,
            quarantined=snapshot.counts["quarantine"] + facts.aside,
        )

    def act(self, act: str, **fields: Any) -> str:
        """Have the agent do something: a words key, or the agent's own reason."""
        try:
            intents.ask(intents.beside(self._path), act, actor=self._who, **fields)
        except LinkDown:
            return "not sent: agent down"
        except DecodeError as error:
            return str(error)
        return "sent"


def _facts(reader: Reader, at: float) -> Facts:
    """Everything that a scene is made of, of now."""

    def newest(*kinds: int, most: int = FOLDED) -> tuple[EventLine, ...]:
        marks = ", ".join("?" * len(kinds))
        return tuple(reader.events(f"WHERE e.kind IN ({marks}) ORDER BY e.id DESC LIMIT {most}", kinds))

    snapshot, folded = reader.snapshot(NEWS), newest(*ALARM_KINDS)
    shown = {line.event.id for line in snapshot.events}
    asked = (line for line in newest(*COMMANDS, most=ASKED) if line.event.id not in shown)
    gone = lifted(newest(EVACUATE))
    return Facts(
        snapshot,
        (*snapshot.events, *(line for line in asked if rows.stands(line, gone) is Standing.ACTIONABLE)),
        tuple(alarms(folded)),
        sum(rows.stands(line) is Standing.ASIDE for line in snapshot.events),
        {episode_of(line.event): tell(line.event) for line in folded if line.event.kind != ACK},
        newest(RECEIPT, ANSWER),
        checkins(newest(CHECKIN)),
        gone,
        at,
    )


def _readable(status: Mapping[str, Any]) -> bool:
    """Whether an agent's status says what this version of the screen reads; another version's may not."""
    try:
        for row in (*status.get("links", ()), *status.get("devices", ())):
            _link(row, 0.0, False)
        tuple(_flows(status))
        tuple(_forecasts(status, {}))
        frozenset(status.get("exchange", {}).get("relayed", ()))
        wall_ms, quality = status.get("clock", (None, 0))
        ClockQuality(quality)
        {int(node) for node in status.get("nodes", {})}
        return wall_ms is None or isinstance(wall_ms, int)
    except (AttributeError, KeyError, TypeError, ValueError):
        return False


def _link(row: Mapping[str, Any], told_s: float, silent: bool) -> LinkRow:
    """A bearer's or device's row of the status; one that the agent said long ago is unknown now."""
    in_s, out_s = (rows.aged(row.get(name), told_s) for name in ("last_in_s", "last_out_s"))
    state = None if silent else Health(row["state"])
    since_s = None if silent else rows.aged(row["since_s"], told_s)
    facts = () if silent else (_number(row.get(name)) for name in FACTS)
    return LinkRow(row["name"], state, row["why"], since_s, in_s, out_s, *facts)


def _number(value: Any) -> Any:
    """A number or None; TypeError."""
    if value is not None and not isinstance(value, int | float):
        raise TypeError(value)
    return value


def _flows(status: Mapping[str, Any]) -> Iterator[FlowRow]:
    """What waits for which bearer, as the exchange says."""
    for lane, bearers in status.get("exchange", {}).get("lanes", {}).items():
        for bearer, row in bearers.items():
            if row["queued"] or row["in_flight"]:
                yield FlowRow(lane, bearer, row["queued"], row["in_flight"], row.get("bytes_left"), row.get("drain_s"))


def _forecasts(status: Mapping[str, Any], names: Mapping[int, str]) -> Iterator[Forecast]:
    """When a message written now would reach whom."""
    for row in status.get("exchange", {}).get("forecast", ()):
        name = names.get(row["node"], f"#{row['node']}")
        yield Forecast(row["node"], name, row["in_s"], row["p"], row.get("lane", "command"))

"""Judges of checkpoints: each is a generator that yields the seconds at which it wants to look, and returns its verdict."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from edge.exercise.acts import reference
from edge.exercise.field import Field, Machine
from edge.exercise.scenario import Checkpoint
from sync.carry import lacking
from sync.events import BY_NAME, key
from sync.ids import Lane
from sync.records import Event, Value

LOOK_S: Final = 1.0
GIVE_UP_S: Final = 6 * 3600.0  # a late arrival is still measured this long


class State(Enum):
    """What became of a checkpoint."""

    PASS = "pass"
    FAIL = "fail"
    NOT_YET = "not yet"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A state and the figure behind it, for people."""

    state: State
    figure: str


Looking = Generator[float, None, Verdict]
Judge = Callable[[Field, Checkpoint], Looking]


def verdict(good: bool, figure: str) -> Verdict:
    """Pass or fail."""
    return Verdict(State.PASS if good else State.FAIL, figure)


def _until(field: Field, begin: float, true: Callable[[], bool], most_s: float) -> Generator[float, None, float | None]:
    """Look every second from `begin`; how many seconds it took, None when it never came within `most_s`."""
    at = begin
    while at <= begin + most_s:
        yield at
        if true():
            return at - begin
        at += LOOK_S
    return None


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.0f} s"


def _named(field: Field, names: Iterable[str]) -> list[Machine]:
    return [field.machines[name] for name in names]


def _same(machines: list[Machine]) -> bool:
    """Whether all hold equal sets, each on its own disk."""
    sets = [{source: list(numbers) for source, numbers in machine.log.have().items()} for machine in machines]
    return all(machine.running for machine in machines) and all(each == sets[0] for each in sets)


def _not_yet(field: Field, point: Checkpoint) -> Looking:
    yield point.at
    return Verdict(State.NOT_YET, str(point.args.get("needs", "")))


def _muster(field: Field, point: Checkpoint) -> Looking:
    yield point.at
    kind = BY_NAME["checkin"].number
    own = sum(
        event.kind == kind and event.id.origin == machine.origin
        for machine in field.machines.values()
        for event in machine.known.events.values()
    )
    people = sum(machine.actor.people for machine in field.machines.values())
    at_v1 = sum(event.kind == kind for event in field.machines["V1"].known.events.values())
    return verdict(own == people, f"{own}/{people} at their units' boxes, {at_v1} known at V1")


def _net_forms(field: Field, point: Checkpoint) -> Looking:
    """Everybody in the net hears of every other: each unit's newest numbers are known at V1, the relay's presence at all."""
    lora, before = field.media["lora"], {}
    yield point.at
    before = {name: spent.frames for name, spent in lora.spent.items()}
    heard: set[str] = set()
    lora.taps.append(lambda sender, frame: heard.add(sender))
    took = yield from _until(field, point.at, lambda: len(heard) == len(before), point.args["within_s"])
    share = _airtime(field, point.at)
    return verdict(
        took is not None and share <= point.args["airtime"],
        f"{len(heard)} heard in {_seconds(took)}, airtime {share:.1%}",
    )


def _airtime(field: Field, since: float) -> float:
    """The channel's share of air in the hour before now."""
    lora = field.media["lora"]
    size = sum(each for spent in lora.spent.values() for at, each in spent.window if at > field.world.now - 3600)
    return size / lora.limits.rate / min(3600.0, max(field.world.now, 1.0))


def _equal(field: Field, point: Checkpoint) -> Looking:
    machines = _named(field, point.args["nodes"])
    took = yield from _until(field, point.at, lambda: _same(machines), point.args["within_s"] * 10)
    return verdict(took is not None and took <= point.args["within_s"], f"equal after {_seconds(took)}")


def _report(field: Field, point: Checkpoint) -> Looking:
    name, target = point.args["key"], field.machines[point.args["to"]]
    while name not in field.facts:
        yield field.world.now + LOOK_S
    event, begin = field.facts[name], field.written[name]
    took = yield from _until(field, begin, lambda: event.id in target.known.seen, GIVE_UP_S)
    same = took is not None and target.known.events[event.id].body == event.body
    good = same and begin + (took or 0.0) <= point.args["deadline"]
    figure = f"there after {_seconds(took)}, {'identical' if same else 'not identical'}"
    if "proof" in point.args:
        asked = field.machines[point.args["proof"]]
        proof = yield from _until(field, begin, lambda: _answered(asked, event), GIVE_UP_S)
        good, figure = good and proof is not None, f"{figure}; proof at {asked.name} after {_seconds(proof)}"
    return verdict(good, figure)


def _answered(machine: Machine, event: Event) -> bool:
    """Whether a machine knows a receipt of an event."""
    return any(_receipt_of(each, event) for each in machine.known.events.values())


def _receipt_of(event: Event, of: Event) -> bool:
    return event.kind == BY_NAME["receipt"].number and event.body.get(key("receipt", "of")) == reference(of.id)


def _alarms(field: Field, point: Checkpoint) -> Looking:
    target, names = field.machines[point.args["to"]], point.args["keys"]
    figures, good = [], True
    for name in names:
        while name not in field.facts:
            yield field.world.now + LOOK_S
        event = field.facts[name]
        begin = max(field.written[name], point.args.get("after", 0.0))
        yield from _until(field, field.world.now, lambda event=event: event.id in target.known.seen, GIVE_UP_S)  # type: ignore[misc]
        seen = target.known.seen.get(event.id)
        took = None if seen is None else max(0.0, seen - begin)
        original = seen is not None and target.known.events[event.id].time == event.time
        good = good and took is not None and took <= point.args["within_s"] and original
        good = good and target.known.shown[event.id] == 1
        figures.append(f"{_seconds(took)}, shown {target.known.shown[event.id]}x")
    return verdict(good, "; ".join(figures))


def _brown_out(field: Field, point: Checkpoint) -> Looking:
    name = point.args["node"]
    yield point.at + point.args["within_s"]
    machine = field.machines[name]
    back = field.notes.back.get(name)
    known, rows = field.notes.before[name]
    yield field.scenario.hours * 3600 - 1
    kept = known <= machine.stored()
    wrong = sum(
        event.time.wall_ms is not None and event.time.wall_ms < field.scenario.start_ms - 3_600_000
        for each in field.machines.values()
        for event in each.known.events.values()
    )
    good = back is not None and kept and not wrong and machine.running
    return verdict(
        good,
        f"back {_seconds(None if back is None else back - point.at)}, events kept: {kept}, rows before: {rows}, events dated wrongly anywhere: {wrong}",
    )


def _evacuation(field: Field, point: Checkpoint) -> Looking:
    name = point.args["key"]
    while name not in field.facts:
        yield field.world.now + LOOK_S
    event, begin = field.facts[name], field.written[name]
    asker = next(machine for machine in field.machines.values() if machine.origin == event.id.origin)

    def acked() -> set[int]:
        return {each.id.origin for each in asker.known.events.values() if _receipt_of(each, event)}

    took = yield from _until(field, begin, lambda: len(acked()) == len(event.to), GIVE_UP_S)
    good = took is not None and took <= point.args["within_s"]
    return verdict(good, f"{len(acked())}/{len(event.to)} after {_seconds(took)}")


def _rejoin(field: Field, point: Checkpoint) -> Looking:
    machines, begin = _named(field, point.args["nodes"]), point.args["at_heal"]
    yield begin
    wanted = frozenset().union(*(field.urgent(machine) for machine in machines))
    took = yield from _until(field, begin, lambda: all(wanted <= field.urgent(m) for m in machines), GIVE_UP_S)
    share = _airtime(field, begin)
    good = took is not None and took <= point.args["within_s"] and share <= point.args["airtime"]
    return verdict(good, f"{len(wanted)} events equal after {_seconds(took)}, airtime {share:.1%}")


def _split_alarm(field: Field, point: Checkpoint) -> Looking:
    name, args = point.args["key"], point.args
    while name not in field.facts:
        yield field.world.now + LOOK_S
    event, begin = field.facts[name], field.written[name]
    near, far = field.machines[args["near"]], field.machines[args["far"]]
    yield from _until(field, begin, lambda: event.id in near.known.seen and event.id in far.known.seen, GIVE_UP_S)
    yield max(field.world.now, begin + 2 * 3600)
    took = [None if event.id not in each.known.seen else each.known.seen[event.id] - begin for each in (near, far)]
    once = all(each.known.shown[event.id] <= 1 for each in field.machines.values())
    good = once and all(t is not None and t <= most for t, most in zip(took, (args["near_s"], args["within_s"])))
    return verdict(
        good, f"{near.name} {_seconds(took[0])}, {far.name} {_seconds(took[1])}, {'once' if once else 'twice'}"
    )


def _casualties(field: Field, point: Checkpoint) -> Looking:
    machine = field.machines[point.args["node"]]
    last = next(step.args["until"] for step in field.scenario.timeline if step.do == "triage")
    kind, card, colour = BY_NAME["casualty"].number, key("casualty", "card"), key("casualty", "colour")

    def counted() -> dict[Value, Value]:
        cards = sorted((e for e in machine.known.events.values() if e.kind == kind), key=lambda e: (e.lamport, e.id))
        return {event.body[card]: event.body[colour] for event in cards}

    yield last
    truth = field.notes.casualties
    took = yield from _until(field, last, lambda: bool(truth) and counted() == truth, GIVE_UP_S)
    good = took is not None and took <= point.args["within_s"]
    return verdict(good, f"{len(counted())}/31 cards, all {_seconds(took)} after the last")


def _broadband(field: Field, point: Checkpoint) -> Looking:
    """At the opening, what of V1's flash and command the province lacks; and when it lacks nothing of that."""
    vehicle, province, begin = field.machines["V1"], field.machines["PROV"], point.args["opens"]
    yield begin
    wanted = field.urgent(vehicle)
    took = yield from _until(field, begin, lambda: wanted <= field.urgent(province), GIVE_UP_S)
    yield max(point.at, field.world.now)
    photos = sum(len(numbers) for source, numbers in province.log.have().items() if source.lane is Lane.BULK)
    twice = sum(count > 1 for count in province.known.shown.values())
    good = took is not None and took <= point.args["within_s"] and photos > 0 and not twice
    return verdict(good, f"{len(wanted)} events after {_seconds(took)}, {photos} photo blocks, {twice} shown twice")


def _refused(field: Field, point: Checkpoint) -> Looking:
    kind = BY_NAME["evacuate"].number
    yield point.at + 600
    orders = [e.id for m in field.machines.values() for e in m.known.events.values() if e.kind == kind]
    true = {event.id for event in field.facts.values() if event.kind == kind}
    again = sum(machine.known.shown[each] > 1 for machine in field.machines.values() for each in true)
    return verdict(set(orders) <= true and not again, f"{len(set(orders) - true)} false orders, {again} shown again")


def _carried(field: Field, point: Checkpoint) -> Looking:
    mule, holder, target = point.args["mule"], point.args["held_by"], point.args["to"]
    yield point.at + 60
    made, had = field.notes.loaded[mule]
    report, _ = field.notes.unloaded[mule, target]
    have = field.machines[target].log.have()
    missing = sum(
        len(numbers.minus(have[source])) if source in have else len(numbers) for source, numbers in had.items()
    )
    good = report.whole and not missing and report.manifest == made
    return verdict(
        good, f"{made.size} bytes by {made.carrier} from {holder}, {report.added} blocks new, {missing} missing"
    )


def _receipts(field: Field, point: Checkpoint) -> Looking:
    machine = field.machines[point.args["node"]]
    unload = next(s for s in field.scenario.timeline if s.do == "unload" and s.args["node"] == machine.name)
    province = field.machines["PROV"]
    yield unload.at - 1
    before = len(list(lacking(machine.log, [province.origin])))
    yield unload.at + 1
    report, _ = field.notes.unloaded[point.args["mule"], machine.name]
    fresh = report.added
    after = len(list(lacking(machine.log, [province.origin])))
    return verdict(
        report.receipts > 0 and after < before,
        f"{report.receipts} receipts, {before} waiting before, {after} after, {fresh} new blocks",
    )


def _in_step(field: Field, point: Checkpoint) -> Looking:
    """Equal sets of everything by then, counted from the opening of the permanent link; a copy of a bundle adds nothing."""
    machines, begin = _named(field, point.args["nodes"]), point.args["opens"]
    took = yield from _until(field, begin, lambda: _same(machines), GIVE_UP_S)
    yield max(field.world.now, point.at)
    report, rows = field.notes.unloaded[point.args["mule"], "PROV"]
    good = took is not None and begin + took <= point.at and not report.added and not rows
    blocks = [sum(len(numbers) for numbers in machine.log.have().values()) for machine in machines]
    return verdict(
        good,
        f"equal after {_seconds(took)}, blocks {blocks}; {point.args['mule']} adds {report.added} blocks, {rows} events",
    )


def _never(field: Field, point: Checkpoint) -> Looking:
    yield field.scenario.hours * 3600 - 0.5
    kinds = {BY_NAME[name].number for name in ("alarm", "evacuate", "sos")}
    twice = lost = 0
    for event in field.facts.values():
        if event.kind in kinds:
            lost += sum(event.id not in field.machines[name].known.seen for name in ("V1", "V2", "TENT", "PROV"))
            twice += sum(machine.known.shown[event.id] > 1 for machine in field.machines.values())
    return verdict(not lost and not twice, f"{lost} not where they belong at the end, {twice} shown twice")


JUDGES: Final[dict[str, Judge]] = {
    "not yet": _not_yet,
    "muster": _muster,
    "net forms": _net_forms,
    "equal": _equal,
    "report": _report,
    "alarms": _alarms,
    "brown-out": _brown_out,
    "evacuation": _evacuation,
    "rejoin": _rejoin,
    "split alarm": _split_alarm,
    "casualties": _casualties,
    "broadband": _broadband,
    "refused": _refused,
    "carried": _carried,
    "receipts": _receipts,
    "in step": _in_step,
    "never": _never,
}

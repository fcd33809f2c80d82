"""Judges of what stores and screens hold: equal sets, live pictures, counts, bundles, a full disk, a revoked node."""

from __future__ import annotations

import math
from collections import defaultdict
from contextlib import closing
from typing import Final

from edge.exercise.field import Field, Machine
from edge.exercise.judging import GIVE_UP_S, Judge, Looking, named, took_text, until, verdict
from edge.exercise.scenario import Checkpoint
from hardware.kinds import BY_NAME as KIND
from sync.carry import lacking
from sync.events import BY_NAME, key
from sync.ids import Lane, Level
from sync.records import Value

LAT: Final = KIND["pos.lat"].number
MINUTE_S: Final = 60.0
SAMPLE_S: Final = 47.0  # out of step with cards that send once a minute


def _same(machines: list[Machine]) -> bool:
    """Whether all hold equal sets, each on its own disk."""
    sets = [{source: list(numbers) for source, numbers in machine.log.have().items()} for machine in machines]
    return all(machine.running for machine in machines) and all(each == sets[0] for each in sets)


def _equal(field: Field, point: Checkpoint) -> Looking:
    machines = named(field, point.args["nodes"])
    took = yield from until(field, point.at, lambda: _same(machines), point.args["within_s"] * 10)
    return verdict(took is not None and took <= point.args["within_s"], f"equal after {took_text(took)}")


def _live(field: Field, point: Checkpoint) -> Looking:
    """Each minute, how old the province's screen says that everybody is whom frames can come from."""
    province, ages = field.machines[point.args["to"]], defaultdict[str, list[float]](list)
    yield point.args["since"]
    while field.world.now < point.at:
        units = named(field, sorted(field.reached(province.name)))
        with closing(province.look()) as reader:
            latest = reader.sight().latest
        for subject in (f"{unit.name}-{number}" for unit in units for number in range(1, unit.actor.people + 1)):
            place = latest.get(subject, {}).get(LAT)
            ages[subject].append(math.inf if place is None or place.age_s is None else place.age_s)
        yield field.world.now + SAMPLE_S
    p95 = {subject: sorted(told)[int(0.95 * len(told))] for subject, told in ages.items()}
    people = sum(machine.actor.people for machine in field.machines.values())
    late = [subject for subject in p95 if p95[subject] > point.args["within_s"]]
    return verdict(
        len(p95) == people and not late,
        f"{len(p95)} people, p95 of age {max(p95.values()):.0f} s for the worst, {len(late)} beyond the limit {late}",
    )


def _last_card(field: Field) -> float:
    """The second of the last casualty card."""
    return float(next(step.args["until"] for step in field.scenario.timeline if step.do == "triage"))


def _casualties(field: Field, point: Checkpoint) -> Looking:
    machine = field.machines[point.args["node"]]
    last = _last_card(field)
    kind, card, colour = BY_NAME["casualty"].number, key("casualty", "card"), key("casualty", "colour")

    def counted() -> dict[Value, Value]:
        cards = sorted((e for e in machine.known.events.values() if e.kind == kind), key=lambda e: (e.lamport, e.id))
        return {event.body[card]: event.body[colour] for event in cards}

    yield last
    truth = field.notes.casualties
    took = yield from until(field, last, lambda: bool(truth) and counted() == truth, GIVE_UP_S)
    good = took is not None and took <= point.args["within_s"]
    return verdict(good, f"{len(counted())}/{len(truth)} cards, all {took_text(took)} after the last")


def _broadband(field: Field, point: Checkpoint) -> Looking:
    """At the opening, what of V1's flash and command the province lacks; and when it lacks nothing of that."""
    vehicle, province, begin = field.machines["V1"], field.machines["PROV"], point.args["opens"]
    yield begin
    wanted = field.urgent(vehicle)
    took = yield from until(field, begin, lambda: wanted <= field.urgent(province), GIVE_UP_S)
    yield max(point.at, field.world.now)
    photos = sum(len(numbers) for source, numbers in province.log.have().items() if source.lane is Lane.BULK)
    twice = sum(count > 1 for count in province.known.shown.values())
    good = took is not None and took <= point.args["within_s"] and photos > 0 and not twice
    return verdict(good, f"{len(wanted)} events after {took_text(took)}, {photos} photo blocks, {twice} shown twice")


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
    machines, begin = named(field, point.args["nodes"]), point.args["opens"]
    took = yield from until(field, begin, lambda: _same(machines), GIVE_UP_S)
    yield max(field.world.now, point.at)
    report, rows = field.notes.unloaded[point.args["mule"], "PROV"]
    good = took is not None and begin + took <= point.at and not report.added and not rows
    blocks = [sum(len(numbers) for numbers in machine.log.have().values()) for machine in machines]
    return verdict(
        good,
        f"equal after {took_text(took)}, blocks {blocks}; {point.args['mule']} adds {report.added} blocks, {rows} events",
    )


def _counters(field: Field, point: Checkpoint) -> Looking:
    """The province's screen shows, in a scene of whatever node, the true number of casualties of each colour."""
    machine, last = field.machines[point.args["node"]], _last_card(field)

    def shown() -> list[dict[str, int]]:
        with closing(machine.look()) as reader:
            return [
                {colour: values.get(colour, 0) for colour in COLOURS}
                for values, age in reader.scenes().values()
                if age is not None
            ]

    yield last
    truth = {colour: list(field.notes.casualties.values()).count(colour) for colour in COLOURS}
    took = yield from until(field, last, lambda: truth in shown(), point.args["within_s"] * 3)
    good = took is not None and took <= point.args["within_s"] and sum(truth.values()) > 0
    return verdict(
        good, f"{'/'.join(str(each) for each in truth.values())} shown {took_text(took)} after the last card"
    )


def _full_disk(field: Field, point: Checkpoint) -> Looking:
    """The store says what it gives up; events and the newest rows stay; of the oldest one row a minute and stream is left."""
    name = point.args["node"]
    yield point.at
    machine = field.machines[name]
    before, events = field.notes.rows[name], field.notes.before[name][0]
    warned = False
    while field.world.now < point.at + point.args["within_s"]:
        yield field.world.now + MINUTE_S
        warned = warned or "thinned" in machine.store.health[1]
    after = machine.rows()
    oldest = min(minute for minute in before)
    kept = events <= machine.stored()
    thinned = [minute for minute in before if after.get(minute, 0) < before[minute]]
    old_first = bool(thinned) and min(thinned) == oldest and max(before) not in thinned
    left = sum(after.get(minute, 0) for minute in before)
    good = warned and kept and old_first and all(after.get(minute, 0) for minute in thinned)
    return verdict(
        good,
        f"warned: {warned}, events kept: {kept}, rows of the time before {sum(before.values())} -> {left}, "
        f"thinned {len(thinned)} of {len(before)} minutes, oldest first: {old_first}",
    )


def _revoked(field: Field, point: Checkpoint) -> Looking:
    """Every machine but the lost one knows of the revocation, and holds nothing that it wrote later as anything but untrusted."""
    lost, name = field.machines[point.args["node"]], point.args["key"]
    others = [machine for machine in field.machines.values() if machine is not lost]
    begin = next(step.at for step in field.scenario.timeline if step.do == "revoke" and step.args["lost"] == lost.name)

    def obeyed() -> list[Machine]:
        return [machine for machine in others if lost.origin in machine.ring.revoked]

    took = yield from until(field, begin, lambda: len(obeyed()) == len(others), point.args["within_s"])
    yield max(field.world.now, point.args["until"])
    event = field.facts[name]
    where = "WHERE e.origin = ? AND e.incarnation = ? AND e.number = ?"
    trusting, marked = 0, 0
    for machine in others:
        with closing(machine.look()) as reader:
            levels = [line.level for line in reader.events(where, event.id)]
        trusting += any(level > Level.QUARANTINE for level in levels)
        marked += bool(levels)
    good = took is not None and not trusting
    return verdict(
        good,
        f"{len(obeyed())}/{len(others)} obey after {took_text(took)}; {trusting} trust, {marked} hold it as untrusted",
    )


COLOURS: Final = ("red", "yellow", "green", "black")

STATE_JUDGES: Final[dict[str, Judge]] = {
    "equal": _equal,
    "live": _live,
    "casualties": _casualties,
    "counters": _counters,
    "broadband": _broadband,
    "carried": _carried,
    "receipts": _receipts,
    "in step": _in_step,
    "full disk": _full_disk,
    "revoked": _revoked,
}

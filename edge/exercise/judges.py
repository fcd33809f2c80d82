"""Judges of checkpoints by the name that a scenario gives them; here those of events and links."""

from __future__ import annotations

from typing import Final

from edge.exercise.acts import reference
from edge.exercise.field import Field, Machine
from edge.exercise.judges_state import STATE_JUDGES
from edge.exercise.judging import (
    GIVE_UP_S,
    LOOK_S,
    Judge,
    Looking,
    State,
    Verdict,
    named,
    took_text,
    until,
    verdict,
    written,
)
from edge.exercise.scenario import Checkpoint
from sync.events import BY_NAME, key
from sync.records import Event


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
    """The link boards: the relay hears every unit, and V1 hears the relay."""
    relay, vehicle = field.machines["RLY"], field.machines["V1"]
    units = {field.machines[name].origin for name in field.media["lora"].spec.members} - {relay.origin}
    yield point.at

    def heard() -> set[int]:
        return relay.heard("lora") & units | vehicle.heard("lora") & {relay.origin}

    took = yield from until(field, point.at, lambda: len(heard()) == len(units) + 1, point.args["within_s"])
    share = _airtime(field)
    return verdict(
        took is not None and share <= point.args["airtime"],
        f"{len(heard())} heard in {took_text(took)}, airtime {share:.1%}",
    )


def _airtime(field: Field) -> float:
    """The channel's share of air in the hour before now."""
    lora = field.media["lora"]
    size = sum(each for spent in lora.spent.values() for at, each in spent.window if at > field.world.now - 3600)
    return size / lora.limits.rate / min(3600.0, max(field.world.now, 1.0))


def _report(field: Field, point: Checkpoint) -> Looking:
    name, target = point.args["key"], field.machines[point.args["to"]]
    event, begin = yield from written(field, name)
    took = yield from until(field, begin, lambda: event.id in target.known.seen, GIVE_UP_S)
    same = took is not None and target.known.events[event.id].body == event.body
    good = same and begin + (took or 0.0) <= point.args["deadline"]
    figure = f"there after {took_text(took)}, {'identical' if same else 'not identical'}"
    if "proof" in point.args:
        asked = field.machines[point.args["proof"]]
        proof = yield from until(field, begin, lambda: _answered(asked, event), GIVE_UP_S)
        good, figure = good and proof is not None, f"{figure}; proof at {asked.name} after {took_text(proof)}"
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
        yield from until(field, field.world.now, lambda event=event: event.id in target.known.seen, GIVE_UP_S)  # type: ignore[misc]
        seen = target.known.seen.get(event.id)
        took = None if seen is None else max(0.0, seen - begin)
        original = seen is not None and target.known.events[event.id].time == event.time
        good = good and took is not None and took <= point.args["within_s"] and original
        good = good and target.known.shown[event.id] == 1
        figures.append(f"{took_text(took)}, shown {target.known.shown[event.id]}x")
    return verdict(good, "; ".join(figures))


def _brown_out(field: Field, point: Checkpoint) -> Looking:
    name = point.args["node"]
    cut = next(step.at for step in field.scenario.timeline if step.do == "power cut" and step.args["node"] == name)
    yield cut + point.args["within_s"]
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
        f"back {took_text(None if back is None else back - cut)}, events kept: {kept}, rows before: {rows}, events dated wrongly anywhere: {wrong}",
    )


def _evacuation(field: Field, point: Checkpoint) -> Looking:
    name = point.args["key"]
    event, begin = yield from written(field, name)
    asker = next(machine for machine in field.machines.values() if machine.origin == event.id.origin)

    def acked() -> set[int]:
        return {each.id.origin for each in asker.known.events.values() if _receipt_of(each, event)}

    took = yield from until(field, begin, lambda: len(acked()) == len(event.to), GIVE_UP_S)
    good = took is not None and took <= point.args["within_s"]
    return verdict(good, f"{len(acked())}/{len(event.to)} after {took_text(took)}")


def _rejoin(field: Field, point: Checkpoint) -> Looking:
    machines, begin = named(field, point.args["nodes"]), point.args["at_heal"]
    yield begin
    wanted = frozenset().union(*(field.urgent(machine) for machine in machines))
    took = yield from until(field, begin, lambda: all(wanted <= field.urgent(m) for m in machines), GIVE_UP_S)
    share = _airtime(field)
    good = took is not None and took <= point.args["within_s"] and share <= point.args["airtime"]
    return verdict(good, f"{len(wanted)} events equal after {took_text(took)}, airtime {share:.1%}")


def _split_alarm(field: Field, point: Checkpoint) -> Looking:
    name, args = point.args["key"], point.args
    event, begin = yield from written(field, name)
    near, far = field.machines[args["near"]], field.machines[args["far"]]
    yield from until(field, begin, lambda: event.id in near.known.seen and event.id in far.known.seen, GIVE_UP_S)
    yield max(field.world.now, args.get("over", begin + 2 * 3600))
    took = [None if event.id not in each.known.seen else each.known.seen[event.id] - begin for each in (near, far)]
    once = all(each.known.shown[event.id] <= 1 for each in field.machines.values())
    good = once and all(t is not None and t <= most for t, most in zip(took, (args["near_s"], args["within_s"])))
    return verdict(
        good, f"{near.name} {took_text(took[0])}, {far.name} {took_text(took[1])}, {'once' if once else 'twice'}"
    )


def _refused(field: Field, point: Checkpoint) -> Looking:
    """No screen has an order that command did not write, none has one twice, and whoever was near counted what it refused."""
    kind, steps = BY_NAME["evacuate"].number, [step for step in field.scenario.timeline if step.do == "stranger"]
    yield steps[0].at - 1
    near = field.machines[steps[0].args["node"]]
    before = near.refused()
    yield point.at + 600
    orders = [e.id for m in field.machines.values() for e in m.known.events.values() if e.kind == kind]
    true = {event.id for event in field.facts.values() if event.kind == kind}
    again = sum(machine.known.shown[each] > 1 for machine in field.machines.values() for each in true)
    counted = near.refused() - before
    return verdict(
        set(orders) <= true and not again and counted > 0,
        f"{len(set(orders) - true)} false orders, {again} shown again, {near.name} refused {counted} frames",
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
    "report": _report,
    "alarms": _alarms,
    "brown-out": _brown_out,
    "evacuation": _evacuation,
    "rejoin": _rejoin,
    "split alarm": _split_alarm,
    "refused": _refused,
    "never": _never,
    **STATE_JUDGES,
}

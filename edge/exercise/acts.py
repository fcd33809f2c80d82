"""What a timeline may do: each act is a function of the field and its step; people's answers are here too."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from edge.exercise.field import Field, Machine
from edge.exercise.scenario import Step
from edge.identity.enrol import revoke
from edge.store.review import last_numbers
from hardware.errors import ConfigError
from radios.bundle import SUFFIX
from sync.carry import export
from sync.events import BY_NAME
from sync.ids import BlockId, Content, KeyClass, Lane
from sync.intake import import_
from sync.records import Event, EventId, Value
from sync.seal.contract import MAC
from sync.seal.demo import demo_keyring

COLOURS: Final = ("red", "yellow", "green", "black")
ANSWER_S: Final = (5.0, 25.0)  # how long people take to answer an order
PHOTO_BLOCK: Final = 60_000
LISTENED_S: Final = 60.0

Act = Callable[[Field, Step], None]


def plan(field: Field) -> None:
    """Put the whole timeline into the world's queue, and let people answer what they see."""
    for step in field.scenario.timeline:
        act = ACTS.get(step.do)
        if act is None:
            raise ConfigError(field.scenario.name, "do", step.do, ", ".join(sorted(ACTS)))
        if not (step.do == "off" and step.at == 0):
            field.world.at(step.at, _bound(act, field, step))
    field.reactions += [_acknowledge, _confirm]


def reference(event_id: EventId) -> list[Value]:
    """How an event's body names another event."""
    return [event_id.origin, event_id.incarnation, event_id.number]


def _bound(act: Act, field: Field, step: Step) -> Callable[[], None]:
    return lambda: act(field, step)


def _machine(field: Field, step: Step) -> Machine:
    return field.machines[step.args["node"]]


def _keep(field: Field, name: str, event: Event) -> None:
    field.facts[name], field.written[name] = event, field.world.now


# machines and links


def _off(field: Field, step: Step) -> None:
    _machine(field, step).crash(None)


def _boot(field: Field, step: Step) -> None:
    _machine(field, step).node.boot()


def _power_cut(field: Field, step: Step) -> None:
    """RTC and all: memory gone, the clock somewhere else, back after `back_s`."""
    machine, rtc = _machine(field, step), step.args.get("rtc")
    field.notes.before[machine.name] = frozenset(machine.known.seen), machine.known.observations
    back_s = float(step.args.get("back_s", 30.0))
    machine.crash(back_s, int(rtc.timestamp() * 1000) if isinstance(rtc, datetime) else None)
    field.world.after(back_s + 0.001, lambda: field.notes.back.__setitem__(machine.name, field.world.now))


def _fill(field: Field, step: Step) -> None:
    """Others fill the disk until so much of it is taken."""
    machine = _machine(field, step)
    field.notes.before[machine.name], field.notes.rows[machine.name] = (machine.stored(), 0), machine.rows()
    machine.fill(int(step.args["disk_mb"] * (1 << 20)), step.args["share"])


def _shade(field: Field, step: Step) -> None:
    def turn(off: bool) -> None:
        for link in step.args["links"]:
            for name in step.args["nodes"]:
                field.media[link].shade(name, off)

    turn(True)
    field.world.at(step.args["until"], lambda: turn(False))


# people


def _muster(field: Field, step: Step) -> None:
    """Everybody checks in at the unit's own box, one after another."""
    people = [(m, f"{m.name}-{n}") for m in field.machines.values() for n in range(1, m.actor.people + 1)]
    share = (step.args["until"] - step.at) / (len(people) + 1)
    for index, (machine, person) in enumerate(people, 1):
        body: dict[str, Value] = {"subject": person, "unit": machine.name, "state": "in"}
        field.world.at(step.at + index * share, _later(machine, "checkin", body))


def _alarm(field: Field, step: Step) -> None:
    machine, name = _machine(field, step), step.args["key"]
    episode = hashlib.sha256(f"{name} {step.at}".encode()).digest()[:6]
    body: dict[str, Value] = {"episode": episode, "rule": 1, "subject": step.args["subject"], "priority": 1, "state": 1}
    _keep(field, name, machine.event("alarm", body))


def _message(field: Field, step: Step) -> None:
    _keep(field, step.args["key"], _machine(field, step).event("message", {"text": step.args["text"]}))


def _revoke(field: Field, step: Step) -> None:
    """A command node revokes a lost one and changes everybody else's keys; the running agent finds it in its identity's file."""
    machine, lost = _machine(field, step), field.machines[step.args["lost"]].origin
    last = last_numbers(machine.store.path, [lost])
    revoke(field.identities[machine.origin], [lost], last, draw=field.world.chance("re-keying").randbytes)
    machine.trust()


def _evacuate(field: Field, step: Step) -> None:
    to = tuple(field.machines[name].origin for name in step.args["to"])
    machine, lora, end = _machine(field, step), field.media["lora"], field.world.now + LISTENED_S

    def listen(sender: str, frame: bytes) -> None:
        if sender == machine.name and field.world.now < end:
            field.notes.recorded.append(frame)

    lora.taps.append(listen)
    event = machine.event("evacuate", {"area": step.args["area"], "state": 1}, to=to, valid_s=3600)
    _keep(field, step.args["key"], event)


def _report(field: Field, step: Step) -> None:
    body: dict[str, Value] = {"form": 1, "indicators": list(step.args["indicators"])}
    _keep(field, step.args["key"], _machine(field, step).event("report", body))


def _triage(field: Field, step: Step) -> None:
    """Casualty cards at an even pace, the colours mixed; the first yellow is red in the end."""
    machine = _machine(field, step)
    colours = [colour for colour in COLOURS for _ in range(step.args[colour])]
    field.world.chance("triage").shuffle(colours)
    share = (step.args["until"] - step.at) / len(colours)
    for number, colour in enumerate(colours, 1):
        field.world.at(step.at + number * share, _later(machine, "casualty", {"card": f"M{number}", "colour": colour}))
    truth = field.notes.casualties = {f"M{number}": colour for number, colour in enumerate(colours, 1)}
    worse = next((card for card, colour in truth.items() if colour == "yellow"), None)
    if worse is not None:
        truth[worse] = "red"
        field.world.at(step.args["until"], _later(machine, "casualty", {"card": worse, "colour": "red"}))


def _photos(field: Field, step: Step) -> None:
    """Photos as bulk blocks of one node."""
    machine = _machine(field, step)
    chance = field.world.chance("photos")
    picture = chance.randbytes(PHOTO_BLOCK)
    pieces = -(-step.args["size"] // PHOTO_BLOCK)
    for number in range(step.args["count"] * pieces):
        machine.log.put(Lane.BULK, Content.PICTURE, number.to_bytes(4, "big") + picture)
    machine.node.nudge()


# hostile


def _stranger(field: Field, step: Step) -> None:
    """Somebody with a radio and keys of their own sends an evacuation, sealed and framed as if from command."""
    link, victim = field.media[step.args["link"]], _machine(field, step)
    ring = demo_keyring(b"stranger", field.roles, victim.origin, victim.ring.incarnation)
    for frame in field.notes.recorded:
        link.inject(victim.name, frame[:-MAC] + ring.mac(frame[:-MAC]))
    block = ring.seal(BlockId(victim.origin, ring.incarnation, Lane.FLASH, 1 << 20), KeyClass.FIELD, b"\x02evacuate")
    link.inject(victim.name, block + ring.mac(block))


def _replay(field: Field, step: Step) -> None:
    """Somebody recorded the frames of an order and sends them again."""
    for frame in field.notes.recorded:
        field.media[step.args["link"]].inject(step.args["node"], frame)


# carried media


def _load(field: Field, step: Step) -> None:
    _write(field, _machine(field, step), step.args["mule"], step.args["for"])


def _write(field: Field, machine: Machine, mule: str, names: list[str]) -> None:
    folder = field.sticks.setdefault(mule, field.folder / mule)
    folder.mkdir(exist_ok=True)
    nodes = tuple(field.machines[name].origin for name in names)
    stamp = machine.clock.stamp()
    made = export(machine.log, machine.ring, folder, nodes, mule, int(field.world.now), stamp.wall_ms)
    had = {source: numbers.copy() for source, numbers in machine.log.have().items()}
    field.notes.loaded.setdefault(mule, (made, had))


def _copy(field: Field, step: Step) -> None:
    folder = field.sticks[step.args["mule"]] = field.folder / step.args["mule"]
    shutil.copytree(field.sticks[step.args["from"]], folder)


def _unload(field: Field, step: Step) -> None:
    """Take in every bundle of a mule but one's own; load it for the way back where the step says so."""
    machine, mule = _machine(field, step), step.args["mule"]
    known = len(machine.known.seen)
    for path in sorted(field.sticks[mule].glob(f"*{SUFFIX}")):
        if not path.name.startswith(f"{machine.origin}-"):
            report = import_(machine.log, machine.ring, path, now_ms=machine.clock.stamp().wall_ms)
            field.notes.unloaded[mule, machine.name] = report, len(machine.known.seen) - known
    machine.node.nudge()
    if "back" in step.args:
        _write(field, machine, step.args["back"], step.args["for"])


# answers


def _acknowledge(machine: Machine, event: Event) -> None:
    """People read an evacuation that names their unit and acknowledge it."""
    if event.kind == BY_NAME["evacuate"].number and machine.origin in event.to:
        chance = machine.field.world.chance(f"answer {machine.name} {event.id}")
        answer = _later(machine, "receipt", {"of": reference(event.id), "state": 2})
        machine.field.world.after(chance.uniform(*ANSWER_S), answer)


def _confirm(machine: Machine, event: Event) -> None:
    """The province confirms every report that it has read."""
    if machine.actor.role == "central" and event.kind == BY_NAME["report"].number and event.id.origin != machine.origin:
        machine.field.world.after(ANSWER_S[0], _later(machine, "receipt", {"of": reference(event.id), "state": 1}))


def _later(machine: Machine, kind: str, body: Mapping[str, Value]) -> Callable[[], None]:
    """An event to be written when its time comes, if the machine is on then."""

    def write() -> None:
        if machine.running:
            machine.event(kind, body)

    return write


ACTS: Final[dict[str, Act]] = {
    "off": _off,
    "boot": _boot,
    "power cut": _power_cut,
    "fill": _fill,
    "shade": _shade,
    "muster": _muster,
    "alarm": _alarm,
    "evacuate": _evacuate,
    "message": _message,
    "revoke": _revoke,
    "report": _report,
    "triage": _triage,
    "photos": _photos,
    "stranger": _stranger,
    "replay": _replay,
    "load": _load,
    "copy": _copy,
    "unload": _unload,
}

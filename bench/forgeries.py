"""Forgeries with captured keys, and a recorded day replayed: what of it is shown, ordered, acknowledged or told again. Nothing may be.

Each attacker speaks in another's name with everything it holds: a captured relay (transit and trust keys), a member (the field
key as well), a revoked node (its own device, the keys of the epoch before), and a holder of an old epoch's keys alone. The
victim is a member that knows of revocation and re-keying, with a real exchange over a log in memory.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from edge.sim.memory import MemoryDisk
from edge.store.log import StoreLog
from edge.store.store import Fresh, Store
from hardware.clock import ClockQuality, ManualClock, Stamp
from hardware.errors import DecodeError, SealError
from hardware.observation import PROFILE_NAMED, Observation
from radios.bearer import Arrival, Budget, Limits
from sync import codec
from sync.events import BY_NAME
from sync.exchange import Exchange
from sync.exchange.frame import write_digest, write_listing, write_whole
from sync.exchange.havelist import Scope, Vector, encode_entries, in_scope
from sync.exchange.policy import Policy
from sync.exchange.telling import statement
from sync.ids import BlockId, Content, Header, KeyClass, Lane, Level, Source
from sync.ranges import Ranges
from sync.records import Event, EventId
from sync.seal.contract import Opened, Role
from sync.seal.demo import demo_device, demo_key, demo_keyring
from sync.seal.epochs import EpochKeys, transit_of
from sync.seal.keyring import Keyring
from sync.seal.suite import SUITE_1, Suite
from sync.trust.book import (
    Book,
    Item,
    body_of,
    certificate_item,
    incarnation_item,
    items_of,
    rekey_item,
    revocation_item,
)
from sync.trust.certificate import Certificate, issue
from sync.trust.proofs import hashes_body, read_hashes, read_signature, signature_body
from sync.trust.rekey import Master, rekey
from sync.trust.revocation import RevocationList, Revocations, Revoked
from sync.trust.roster import Roster
from sync.trust.standing import Standing, standing

SEED: Final = b"forgeries"
ATTACKERS: Final = (
    "relay",
    "member",
    "revoked",
    "old epoch",
)  # "command" would succeed, and shows that the counts can see
CENTRAL, FRIEND, RELAY, MEMBER, REVOKED, VICTIM, STRANGER = 1, 2, 3, 4, 5, 6, 99
ROLES: Final = {CENTRAL: Role.COMMAND, FRIEND: Role.MEMBER, RELAY: Role.RELAY, MEMBER: Role.MEMBER, REVOKED: Role.COMMAND, VICTIM: Role.MEMBER}  # fmt: skip
WIRE: Final = Limits(mtu=4000, rate=1e6)
COUNTS: Final = ("above_member", "orders", "acknowledgements", "digests", "trust_changed", "frames_from_outside")


def run(forgeries: int = 2_000, frames: int = 500, seed: int = 20261125) -> dict[str, Any]:
    """What forged and replayed frames achieved; every figure but `tried` and `recorded` must be 0."""
    forged = {attacker: forge(attacker, forgeries, seed) for attacker in ATTACKERS}
    again = replay(frames, seed)
    clean = not any(row[name] for row in forged.values() for name in COUNTS)
    return {"forged": forged, "replayed": again, "ok": clean and not (again["new_rows"] or again["alarms_again"])}


class Scene:
    """The incident after node 5 was revoked and the keys were changed, as the victim knows it."""

    def __init__(self, suite: Suite) -> None:
        self.suite = suite
        self.devices = {index: demo_device(SEED, index, suite) for index in ROLES}
        self.ring = self._ring(VICTIM, (1, 2))
        root = self._certificate(CENTRAL, CENTRAL, 1)
        roster = Roster(self.ring.incident, suite, root)
        roster.merge(self._certificate(index, CENTRAL, index) for index in ROLES if index != CENTRAL)
        self.book = Book(roster, Revocations(), self.ring)
        found = RevocationList(CENTRAL, 1, 2, (Revoked(REVOKED),)).signed(self.ring.incident, self.devices[CENTRAL])
        self.book.apply([revocation_item(found)], CENTRAL)
        self.log = MemoryDisk(lambda _: self.ring, self.ring.incarnation, lambda: 0.0)
        policy = Policy(central=frozenset((CENTRAL,)), members=self.ring.directory.keys())
        self.exchange = Exchange(self.log, self.ring, policy, random.Random(1))
        self.exchange.attach("air", WIRE, 0.0)
        self.log.add(Lane.HISTORY, b"measured here")
        self.log.cut(Lane.HISTORY, 1000)
        self.own = BlockId(VICTIM, self.ring.incarnation, Lane.HISTORY, 0)
        self.lives = {index: self._ring(index, ()).incarnation for index in ROLES}

    @property
    def harmed(self) -> bool:
        """Whether anybody is believed who should not be, or not believed who should be."""
        revoked = self.ring.revoked.keys()
        believed = self.ring.directory.keys() - revoked
        return self.ring.epoch != 2 or believed != ROLES.keys() - {REVOKED}

    def _ring(self, index: int, epochs: tuple[int, ...]) -> Keyring:
        return demo_keyring(SEED, ROLES, index, 1000 + 17 * index, self.suite, epochs)

    def _certificate(self, index: int, issuer: int, serial: int, device: int = 0) -> Certificate:
        first, count = (1, 100) if ROLES.get(index) is Role.COMMAND or index not in ROLES else (0, 0)
        role = ROLES.get(index, Role.COMMAND)
        draft = Certificate(
            index, role, f"N{index}", self.devices[device or index].public, issuer, serial, first=first, count=count
        )
        return issue(draft, demo_keyring(SEED, ROLES, 1, 0, self.suite).incident, self.devices[device or issuer])


class Attacker:
    """Everything it holds, as a keyring that claims to be another."""

    def __init__(self, scene: Scene, name: str, chance: random.Random) -> None:
        self.scene, self.name, self.chance = scene, name, chance
        self.index = {"relay": RELAY, "member": MEMBER, "revoked": REVOKED, "old epoch": STRANGER, "command": CENTRAL}[
            name
        ]
        self.device = scene.devices.get(self.index) or demo_device(b"stranger", STRANGER, scene.suite)
        self.inside = name in ("relay", "member", "command")
        incident, suite = scene.ring.incident, scene.suite
        field = {epoch: demo_key(SEED, "field", epoch) for epoch in (1, 2)}
        transit = {epoch: transit_of(suite, incident, key) for epoch, key in field.items()}
        held = (1, 2) if self.inside else (1,)
        self.epochs = [
            (epoch, EpochKeys(transit[epoch], transit[epoch] if name == "relay" else field[epoch])) for epoch in held
        ]
        self.numbers: Counter[tuple[int, Lane]] = Counter()
        self.rings = {index: self._as(index) for index in (CENTRAL, FRIEND, self.index) if index in ROLES}

    def _as(self, index: int) -> Keyring:
        scene = self.scene
        directory = dict(scene.ring.directory) | {index: scene.ring.directory[index]}
        ring = Keyring(
            scene.ring.incident, index, scene.lives[index], {}, device=self.device, directory=directory, suite=scene.suite,
            trust_key=demo_key(SEED, "trust", 0),
        )  # fmt: skip
        for epoch, keys in self.epochs:
            ring.add_epoch(epoch, keys)
        return ring

    @property
    def mask(self) -> int:
        """In whose name it speaks: never its own, unless that is revoked."""
        return self.chance.choice((CENTRAL, FRIEND, REVOKED) if self.name == "revoked" else (CENTRAL, FRIEND))

    def block(self, content: bytes, mask: int, lane: Lane) -> tuple[BlockId, bytes]:
        """A block in another's name, under whatever key class it can think of."""
        number = self.numbers[mask, lane] = self.numbers[mask, lane] + 1
        block_id = BlockId(mask, self.scene.lives[mask], lane, number)
        classes = [KeyClass.FIELD, KeyClass.FIELD, KeyClass.TRUST, KeyClass.PAIR]
        ring, key_class = self.rings[mask], self.chance.choice(classes)
        return block_id, ring.seal(block_id, key_class, content, VICTIM, signed=self.chance.random() < 0.5)


def forge(attacker: str, count: int, seed: int, suite: Suite = SUITE_1) -> dict[str, int]:
    """`count` forgeries by one attacker; what they achieved."""
    chance = random.Random(f"{attacker} {seed}")
    scene = Scene(suite)
    thief, found = Attacker(scene, attacker, chance), Counter(dict.fromkeys(COUNTS, 0))
    for at in range(count):
        chance.choice(_ACTS)(scene, thief, found, at)
    found["acknowledgements"] += sum(map(len, scene.log.end_of(CENTRAL).values()))
    return {"tried": count, **{name: found[name] for name in COUNTS}}


def _order(scene: Scene, thief: Attacker, found: Counter[str], at: int) -> None:
    """An evacuation order, or an SOS, in another's name."""
    mask, lane = thief.mask, thief.chance.choice((Lane.FLASH, Lane.COMMAND, Lane.HISTORY))
    kind = BY_NAME[thief.chance.choice(("evacuate", "order", "sos", "rollcall"))].number
    event = Event(
        EventId(mask, scene.lives[mask], at), kind, "", at, Stamp(1, at, None, ClockQuality.NONE), {0: "x"}, valid_s=600
    )
    body = codec.encode_events([event], None, source=Source(mask, scene.lives[mask], lane))
    block_id, block = thief.block(bytes((Content.EVENTS,)) + body, mask, lane)
    opened = _opened(scene, block, block_id)
    if opened is None:
        return
    found["above_member"] += opened.level > Level.MEMBER
    found["orders"] += standing(event, opened.level, 0.0) is Standing.ACTIONABLE
    if thief.name in ("revoked", "old epoch"):
        found["above_member"] += opened.level > Level.QUARANTINE


def _proof(scene: Scene, thief: Attacker, found: Counter[str], at: int) -> None:
    """A signature, or a list of hashes, that would lift a forged block above member."""
    mask, lane = thief.mask, thief.chance.choice((Lane.COMMAND, Lane.HISTORY))
    block_id, block = thief.block(b"\x02forged", mask, lane)
    ring, place = thief.rings[mask], block_id._replace(number=block_id.number + 1)
    try:
        if thief.chance.random() < 0.5:
            body = signature_body(ring, block_id, block)
            read_signature(Opened(place, body, Level.MEMBER), scene.ring, block)
        else:
            body = hashes_body(ring, block_id.source, block_id.number, [block])
            read_hashes(Opened(place, body, Level.MEMBER), scene.ring)
    except (SealError, DecodeError):
        return
    found["above_member"] += 1


def _trust(scene: Scene, thief: Attacker, found: Counter[str], at: int) -> None:
    """A certificate, a revocation, a re-keying or a new life, by its own hand or another's."""
    mask, chance = thief.mask, thief.chance
    incident, signer = scene.ring.incident, thief.device
    author = chance.choice((mask, thief.index)) if thief.index in ROLES else mask
    match chance.randrange(4):
        case 0:
            draft = Certificate(50 + at % 40, Role.COMMAND, "Z", signer.public, author, 90 + at)
            item = certificate_item(issue(draft, incident, signer))
        case 1:
            item = revocation_item(RevocationList(author, 1 + at, 9, (Revoked(FRIEND),)).signed(incident, signer))
        case 2:
            victim = Certificate(VICTIM, Role.MEMBER, "", scene.ring.directory[VICTIM].public, CENTRAL, 1)
            item = rekey_item(
                rekey(Master(3 + at, bytes(16), bytes(16)), [victim], thief.rings[mask], at.to_bytes(8, "big"))
            )
        case _:
            item = incarnation_item(thief.rings[mask], at & 0xFFFF)
    learned = scene.book.apply([item], chance.choice((mask, author)))
    found["trust_changed"] += scene.harmed or (item[0] == Item.INCARNATION and not learned.refused)
    block_id, block = thief.block(bytes((Content.TRUST,)) + body_of([item]), mask, Lane.COMMAND)
    opened = _opened(scene, block, block_id)
    if opened is not None and opened.body[:1] == bytes((Content.TRUST,)):
        scene.book.apply(items_of(opened.body[1:]), block_id.origin)
        found["trust_changed"] += scene.harmed


def _frame(scene: Scene, thief: Attacker, found: Counter[str], at: int) -> None:
    """A digest or list by which central would seem to have what it has not."""
    chance, ring = thief.chance, thief.rings[thief.mask]
    claimed = Vector()
    claimed.put(scene.own.source, Ranges([(0, at)]))
    node, scope = chance.choice((CENTRAL, FRIEND)), chance.choice(list(Scope))
    digest = claimed.digest(scope)
    said = statement(node, scope, digest)
    word = ring.vouch(said, chance.choice((None, VICTIM))) if thief.name != "relay" else chance.randbytes(4)
    if chance.random() < 0.5:
        inner = write_digest(node, scope, digest, word)
    else:
        entries, count = encode_entries(claimed.sets, in_scope(claimed.sets, scope), 1000)
        inner = write_listing(node, scope, digest, 255, None, True, count, entries, word)
    if chance.random() < 0.3:
        block_id, block = thief.block(b"\x02forged", thief.mask, Lane.FLASH)
        inner += write_whole(block_id, 0, block)
    frame = inner + ring.mac(inner)
    found["digests"] += scene.ring.vouched_here(node, said, word)
    if thief.name != "member":  # what a member may give its word for: docs/trust.md
        found["digests"] += scene.ring.vouched(node, said, word)
    if not thief.inside:
        found["frames_from_outside"] += _passes(scene.ring.check, frame)
    scene.exchange.received("air", Arrival(frame, "thief", float(at)))


_Act = Callable[[Scene, Attacker, "Counter[str]", int], None]
_ACTS: Final[tuple[_Act, ...]] = (_order, _proof, _trust, _frame)


def _opened(scene: Scene, block: bytes, block_id: BlockId) -> Opened | None:
    try:
        if not scene.ring.readable(Header.decode(block)[0]):
            return None
        return scene.ring.open(block, block_id.incarnation)
    except (SealError, DecodeError):
        return None


def _passes(check: Callable[[bytes], object], frame: bytes) -> bool:
    try:
        check(frame)
    except SealError:
        return False
    return True


# replay


class Recorder:
    """A node with a real store and exchange; every frame that comes to it is kept."""

    def __init__(self, folder: Path, origin: int, central: frozenset[int]) -> None:
        self.clock = ManualClock(0.0, 1_790_000_000_000)
        self.store = Store.open(folder / f"{origin}.db", origin, clock=lambda _: self.clock, ballast=0, threaded=False)
        self.ring = demo_keyring(
            SEED, {CENTRAL: Role.COMMAND, FRIEND: Role.MEMBER}, origin, self.store.life.incarnation
        )
        self.log = StoreLog(self.store, self.ring)
        self.exchange = Exchange(self.log, self.ring, Policy(central=central), random.Random(origin))
        self.frames: list[bytes] = []
        self.events = 0
        self.store.watch(self._saw)
        self.exchange.attach("air", WIRE, 0.0)

    def _saw(self, fresh: Fresh) -> None:
        self.events += len(fresh.events)

    def send(self, to: Recorder, most: int = 8) -> None:
        """What is due now, at most so many frames."""
        for _ in range(most):
            out = self.exchange.outgoing("air", Budget(1 << 20, 1000), self.clock.now)
            if out is None:
                return
            to.frames.append(out.frame)
            to.exchange.received("air", Arrival(out.frame, str(self.store.origin), to.clock.now))

    def rows(self) -> int:
        """Observations, events and blocks that are here."""
        while self.log.unpack():
            pass
        sql = "SELECT (SELECT count(*) FROM observation) + (SELECT count(*) FROM event) + (SELECT count(*) FROM block)"
        return int(self.log._rows(sql)[0][0])

    def close(self) -> None:
        """Let the files go."""
        self.log.close()
        self.store.close()


def replay(frames: int, seed: int, times: int = 3) -> dict[str, int]:
    """A day of at least `frames` frames to central, recorded and played to it again, shuffled: new rows and alarms."""
    chance = random.Random(seed)
    with TemporaryDirectory() as folder, ExitStack() as stack:
        central, vehicle = (
            stack.enter_context(closing(Recorder(Path(folder), origin, frozenset((CENTRAL,)))))
            for origin in (CENTRAL, FRIEND)
        )
        while len(central.frames) < frames:
            _minute(vehicle, chance)
            for node in (vehicle, central):
                node.clock.advance(30.0)
                node.exchange.changed()
            for _ in range(3):
                vehicle.send(central)
                central.send(vehicle)
        recorded, rows, events = list(central.frames), central.rows(), central.events
        for _ in range(times):
            central.clock.advance(3600.0)
            chance.shuffle(recorded)
            for frame in recorded:
                central.exchange.received("air", Arrival(frame, "thief", central.clock.now))
        return {
            "recorded": len(recorded),
            "times": times,
            "rows": rows,
            "events": events,
            "new_rows": central.rows() - rows,
            "alarms_again": central.events - events,
        }


def _minute(vehicle: Recorder, chance: random.Random) -> None:
    """Something happens: readings always, alarms, messages and reports often."""
    shape = PROFILE_NAMED["gauge"]
    values = tuple(chance.randrange(10_000) for _ in shape.columns)
    vehicle.store.write([Observation("G1", "dev/G1", shape, vehicle.clock.stamp(), values)]).result()
    for kind in chance.choices(("alarm", "message", "checkin", "sos"), k=4):
        vehicle.store.write_event(BY_NAME[kind].number, "P1", {0: chance.randbytes(6)}).result()

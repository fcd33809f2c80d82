"""A stick in a pocket is as good as a satellite: what leaves by it arrives whole, once, and its receipts come back."""

from __future__ import annotations

import random
import resource
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge.store.log import StoreLog
from edge.store.store import Store
from hardware.clock import ManualClock
from hardware.errors import DecodeError, SealError
from hardware.observation import PROFILE_NAMED, Observation
from radios.bundle import SUFFIX, BundleWriter, Damage, read_bundle
from radios.groups import decode, encode
from radios.qr import block_of, texts
from sync.carry import FRAME, Loading, export, lacking, read_manifest
from sync.events import BY_NAME
from sync.freight import read_list, split
from sync.ids import Content, Lane
from sync.intake import BATCH, Report, import_, take_block
from sync.log import Verdict
from sync.manifest import Manifest
from sync.seal.contract import MAC, Role
from sync.seal.demo import demo_keyring

ROLES = {1: Role.MEMBER, 2: Role.COMMAND, 3: Role.MEMBER, 9: Role.RELAY}
VEHICLE, CENTRAL, TENT, RELAY = ROLES
NOON_MS = 1_784_300_000_000


class Node:
    """A store with its log and keys, able to load and to read sticks."""

    def __init__(self, folder: Path, origin: int, seed: bytes = b"carry") -> None:
        self.serial = 0
        self.store = Store.open(
            folder / f"{origin}.db", origin, clock=lambda boot: ManualClock(1000.0, NOON_MS, boot),
            ballast=0, machine=folder / "machine-id",
        )  # fmt: skip
        self.ring = demo_keyring(seed, ROLES, origin, self.store.life.incarnation)
        self.log = StoreLog(self.store, self.ring)

    def work(self, rows: int, alarms: int = 1) -> None:
        profile = PROFILE_NAMED["gauge"]
        for index in range(rows):
            stamp = ManualClock(1000.0 + index, NOON_MS).stamp()
            values = tuple(1000 + index + column for column in range(len(profile.columns)))
            self.store.write([Observation("G1", "dev/G1", profile, stamp, values)])
        for index in range(alarms):
            self.store.write_event(BY_NAME["alarm"].number, "", {0: bytes([index])}).result()

    def export(self, folder: Path, *nodes: int) -> Manifest:
        self.serial += 1
        return export(self.log, self.ring, folder, nodes, "MULE-1", self.serial, NOON_MS)

    def take(self, path: Path) -> Report:
        return import_(self.log, self.ring, path, now_ms=NOON_MS + 7_800_000)

    def close(self) -> None:
        self.log.close()
        self.store.close()


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[dict[int, Node]]:
    opened = {origin: Node(tmp_path, origin) for origin in ROLES}
    yield opened
    for node in opened.values():
        node.close()


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    folder = tmp_path / "stick"
    folder.mkdir()
    return folder


def the_bundle(stick: Path) -> Path:
    (path,) = stick.glob(f"*{SUFFIX}")
    return path


def test_there_and_back(nodes: dict[int, Node], stick: Path) -> None:
    vehicle, central = nodes[VEHICLE], nodes[CENTRAL]
    vehicle.work(500)
    manifest = vehicle.export(stick, CENTRAL)
    assert (manifest.nodes, manifest.carrier, manifest.blocks[Lane.FLASH]) == ((CENTRAL,), "MULE-1", 1)
    assert manifest.size < the_bundle(stick).stat().st_size < manifest.size + 1000
    assert read_manifest(the_bundle(stick), central.ring) == manifest
    report = central.take(the_bundle(stick))
    assert report.whole and report.manifest == manifest and report.added == sum(manifest.blocks.values())
    assert central.log.have() == vehicle.log.have()
    central.export(stick, VEHICLE)
    back = vehicle.take(next(stick.glob(f"{CENTRAL}-*")))
    assert back.receipts == report.added and not list(lacking(vehicle.log, [CENTRAL]))


def test_importing_twice_adds_nothing(nodes: dict[int, Node], stick: Path) -> None:
    nodes[VEHICLE].work(50)
    nodes[VEHICLE].export(stick, CENTRAL)
    first, second = (nodes[CENTRAL].take(the_bundle(stick)) for _ in range(2))
    assert first.added and not second.added and second.verdicts[Verdict.DUPLICATE] == first.added
    assert second.whole and not second.receipts


def test_what_lies_together_is_committed_together(nodes: dict[int, Node], stick: Path) -> None:
    path = big(nodes, stick, 18)
    before = nodes[CENTRAL].store.writer.commits
    assert nodes[CENTRAL].take(path).whole
    assert path.stat().st_size > 2 * BATCH
    assert nodes[CENTRAL].store.writer.commits - before == 4  # two full batches, what is left, the end list


def test_a_courier_that_cannot_read_passes_it_on(nodes: dict[int, Node], stick: Path, tmp_path: Path) -> None:
    nodes[VEHICLE].work(50)
    nodes[VEHICLE].export(stick, RELAY)
    report = nodes[RELAY].take(the_bundle(stick))
    assert report.whole and set(report.verdicts) == {Verdict.SEALED}
    onward = tmp_path / "onward"
    onward.mkdir()
    nodes[RELAY].export(onward, CENTRAL)
    assert nodes[CENTRAL].take(the_bundle(onward)).verdicts[Verdict.NEW] == report.added
    assert nodes[CENTRAL].log.have() == nodes[VEHICLE].log.have()


def test_for_several_nodes_it_holds_what_any_of_them_lacks(nodes: dict[int, Node], stick: Path) -> None:
    vehicle = nodes[VEHICLE]
    vehicle.work(20)
    vehicle.export(stick, CENTRAL)
    nodes[CENTRAL].take(the_bundle(stick))
    vehicle.log.merge_end(CENTRAL, nodes[CENTRAL].log.have())
    assert not list(lacking(vehicle.log, [CENTRAL])) and list(lacking(vehicle.log, [CENTRAL, TENT]))
    vehicle.export(stick, CENTRAL, TENT)
    assert nodes[TENT].take(the_bundle(stick)).added


def test_a_newer_bundle_replaces_what_it_holds_too(nodes: dict[int, Node], stick: Path) -> None:
    vehicle = nodes[VEHICLE]
    vehicle.work(20)
    vehicle.export(stick, TENT)
    vehicle.export(stick, CENTRAL)
    vehicle.export(stick, CENTRAL, RELAY)
    kept = [manifest.nodes for path in stick.iterdir() if (manifest := read_manifest(path, vehicle.ring))]
    assert sorted(kept) == [(CENTRAL, RELAY), (TENT,)] and len(list(stick.iterdir())) == 2


def test_half_written_its_good_part_counts(nodes: dict[int, Node], stick: Path) -> None:
    vehicle, central = nodes[VEHICLE], nodes[CENTRAL]
    vehicle.work(3000, alarms=3)
    vehicle.export(stick, CENTRAL)
    path = the_bundle(stick)
    whole = path.read_bytes()
    for share in (0.02, 0.5, 0.99):
        path.write_bytes(whole[: int(len(whole) * share)])
        assert not central.take(path).whole
    path.write_bytes(whole)
    last = central.take(path)
    assert last.whole and central.log.have() == vehicle.log.have()


def big(nodes: dict[int, Node], stick: Path, frames: int) -> Path:
    """A bundle of several frames."""
    for _ in range(frames * FRAME // 30_000 + 1):
        nodes[VEHICLE].store.writer.submit(lambda tx: None).result()
        nodes[VEHICLE].log.put(Lane.BULK, Content.PICTURE, random.Random(1).randbytes(30_000))
    nodes[VEHICLE].export(stick, CENTRAL)
    return the_bundle(stick)


def test_altered_is_noticed_and_the_rest_used(nodes: dict[int, Node], stick: Path) -> None:
    path = big(nodes, stick, 3)
    whole, chance = path.read_bytes(), random.Random(5)
    for at in [chance.randrange(600, len(whole) - 20) for _ in range(5)]:
        hurt = bytearray(whole)
        hurt[at] ^= 0x40
        path.write_bytes(hurt)
        assert not nodes[CENTRAL].take(path).whole
    assert nodes[CENTRAL].log.have()


def test_a_frame_taken_out_with_care_is_noticed(nodes: dict[int, Node], stick: Path) -> None:
    """Someone without keys rewrites the file with good checksums and one frame less."""
    path = big(nodes, stick, 2)
    records = list(read_bundle(path, Damage()))
    with BundleWriter(path) as forged:
        for record in records[:2] + records[3:]:
            forged.add(record)
    report = nodes[CENTRAL].take(path)
    assert not report.whole and report.added and not report.refused


Harm = Callable[[bytes], bytes]
HARMS: dict[str, tuple[Harm, int]] = {  # of a record, and how many blocks it costs at most
    "a byte of a block": (lambda record: record[:-9] + bytes([record[-9] ^ 1]) + record[-8:], 1),
    "the last block cut short": (lambda record: record[:-100], 1),
    "bytes behind": (lambda record: record + b"more", 0),
    "a listed length": (lambda record: record[:6] + bytes([record[6] ^ 1]) + record[7:], 99),
    "the MAC": (lambda record: record[:3] + bytes(len(record) - 3), 99),
    "nothing but the kind": (lambda record: record[:1], 99),
}


@pytest.mark.parametrize(("harm", "cost"), HARMS.values(), ids=HARMS)
@pytest.mark.parametrize("reader", [CENTRAL, RELAY])
def test_altered_with_good_checksums_costs_only_what_was_altered(
    nodes: dict[int, Node], stick: Path, reader: int, harm: Harm, cost: int
) -> None:
    """By someone without keys; a relay, which can open no block, is no easier to deceive."""
    path = big(nodes, stick, 2)
    manifest, ends, first, *others = read_bundle(path, Damage())
    with BundleWriter(path) as forged:
        for record in (manifest, ends, harm(first), *others):
            forged.add(record)
    report = nodes[reader].take(path)
    assert not report.whole and report.manifest and sum(report.refused.values()) == (cost > 0)
    there, lost = sum(report.manifest.blocks.values()), min(cost, len(read_list(split(first)[0][:-MAC])))
    assert there - lost == report.added == sum(map(len, nodes[reader].log.have().values()))


def test_a_stick_that_is_full_in_mid_write_publishes_nothing(nodes: dict[int, Node], stick: Path) -> None:
    """The system itself refuses to write beyond half of it; all is still here for the next stick."""
    path = big(nodes, stick, 8)
    size = path.stat().st_size
    path.unlink()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            nodes[VEHICLE].export(stick, CENTRAL)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(stick.iterdir()) == []
    nodes[VEHICLE].export(stick, CENTRAL)
    assert nodes[CENTRAL].take(the_bundle(stick)).whole and nodes[CENTRAL].log.have() == nodes[VEHICLE].log.have()


def test_a_strangers_stick_leaves_nothing(nodes: dict[int, Node], stick: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    stranger = Node(tmp_path / "elsewhere", VEHICLE, b"another incident")
    stranger.work(20)
    stranger.export(stick, CENTRAL)
    report = nodes[CENTRAL].take(the_bundle(stick))
    stranger.close()
    assert not report.added and report.manifest is None and sum(report.refused.values()) >= 2
    assert not nodes[CENTRAL].log.have()


def test_a_stick_pulled_while_writing_publishes_nothing(nodes: dict[int, Node], stick: Path) -> None:
    nodes[VEHICLE].work(10)
    with Loading(nodes[VEHICLE].log, nodes[VEHICLE].ring, stick, (CENTRAL,), "", 1) as loading:
        load = loading.next()
        assert load is not None
        loading.write(load)
    assert list(stick.iterdir()) == []


def test_killed_in_mid_write_the_next_export_cleans_up(nodes: dict[int, Node], stick: Path) -> None:
    left = stick / f".{VEHICLE}-0000-1{SUFFIX}.part"
    left.write_bytes(b"SDBUNDL1 and then the power went")
    foreign = stick / f".{CENTRAL}-0000-1{SUFFIX}.part"
    foreign.write_bytes(b"another node may be writing this")
    nodes[VEHICLE].work(5)
    with Loading(nodes[VEHICLE].log, nodes[VEHICLE].ring, stick, (CENTRAL,), "", 2):
        assert not left.exists()  # before anything is written: it may be what fills the stick
    nodes[VEHICLE].export(stick, CENTRAL)
    assert foreign.exists() and len(list(stick.iterdir())) == 2


def test_any_damage_at_all(nodes: dict[int, Node], stick: Path) -> None:
    """Bytes changed, cut out, doubled or swapped anywhere: nothing false comes in, nothing breaks, and it is never called whole."""
    nodes[VEHICLE].work(300, alarms=4)
    nodes[VEHICLE].export(stick, CENTRAL)
    path, chance = the_bundle(stick), random.Random(11)
    whole = path.read_bytes()
    for _ in range(60):
        a, b = sorted(chance.randrange(8, len(whole)) for _ in range(2))
        middle = chance.choice([b"", whole[a:b] * 2, bytes(b - a), whole[a:b][::-1], chance.randbytes(b - a)])
        hurt = whole[:a] + middle + whole[b:]
        path.write_bytes(hurt)
        report = nodes[CENTRAL].take(path)
        assert report.whole == (hurt == whole)
        assert not report.verdicts[Verdict.CONFLICT] and not report.verdicts[Verdict.UNREADABLE]
    have = nodes[VEHICLE].log.have()
    for source, numbers in nodes[CENTRAL].log.have().items():
        assert not numbers.minus(have[source])


def test_a_bundle_from_before_a_rekeying_still_counts(nodes: dict[int, Node], stick: Path) -> None:
    """The manifest is sealed under the lasting key, so that it can be read whatever was re-keyed on the way."""
    nodes[VEHICLE].work(20)
    manifest = nodes[VEHICLE].export(stick, CENTRAL)
    rekeyed = demo_keyring(b"carry", ROLES, CENTRAL, nodes[CENTRAL].ring.incarnation, epochs=(1, 2))
    report = import_(nodes[CENTRAL].log, rekeyed, the_bundle(stick))
    assert report.manifest == manifest and report.whole
    assert report.added == sum(manifest.blocks.values()) and nodes[CENTRAL].log.end_of(VEHICLE)


def test_another_file_is_no_bundle(nodes: dict[int, Node], stick: Path) -> None:
    (stick / f"holiday{SUFFIX}").write_bytes(b"JPEG")
    with pytest.raises(DecodeError, match="no bundle"):
        nodes[CENTRAL].take(stick / f"holiday{SUFFIX}")


def test_an_order_by_voice_is_the_same_block(nodes: dict[int, Node]) -> None:
    """Read aloud with a slip of the tongue, typed in, and acknowledged like any other."""
    vehicle, central = nodes[VEHICLE], nodes[CENTRAL]
    vehicle.work(0)
    (block_id,) = vehicle.log.cut(Lane.FLASH, 200)
    block = vehicle.log.read(block_id)
    assert block is not None
    groups = encode(block)
    groups[3] = f"{(int(groups[3]) + 7) % 9973:04d}"
    heard, repaired = decode(groups)
    assert repaired == [4]
    assert take_block(central.log, central.ring, heard, "voice") == (block_id, Verdict.NEW)
    assert take_block(central.log, central.ring, block_of(texts(block)), "paper") == (block_id, Verdict.DUPLICATE)
    assert central.log.have() == vehicle.log.have()
    with pytest.raises(SealError, match="no key"):
        take_block(nodes[RELAY].log, nodes[RELAY].ring, block, "voice")
    with pytest.raises(SealError):
        take_block(central.log, central.ring, block[:-1] + b"?", "voice")

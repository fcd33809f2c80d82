"""The fleet simulator: faults happen as asked, one seed gives one trace, and a fleet that cannot agree is reported as such."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from edge.sim.disk import FaultyLog, PowerCut
from edge.sim.fleet import Fate, Fleet
from edge.sim.memory import MemoryDisk
from hardware.errors import StoreFull
from hardware.virtual import Deadlock
from radios.bearer import Limits
from sync.ids import BlockId, Lane, Level
from sync.intake import opened
from sync.log import Incoming, Log, Verdict
from sync.seal.contract import Role
from sync.seal.demo import demo_keyring

SHORT = Fate(nodes=6, hours=1.0, flash_s=1800, command_s=1800, partitions=2, crashes=3, cuts=3, restores=1, full=1)
ROLES = {1: Role.MEMBER, 2: Role.COMMAND}


def disk(origin: int, incarnation: int = 7) -> MemoryDisk:
    return MemoryDisk(lambda inc: demo_keyring(b"disk", ROLES, origin, inc), incarnation, lambda: 5.0)


@pytest.mark.parametrize("loss", [0.0, 0.6])
def test_it_converges_and_repeats(loss: float) -> None:
    fate = replace(SHORT, loss=loss)
    first, again = (Fleet(3, fate).run() for _ in range(2))
    assert first == again and first["conflicts"] == 0 and first["blocks"] > 10
    assert Fleet(4, fate).run()["trace"] != first["trace"]


def test_a_fleet_that_never_agrees_is_found() -> None:
    with pytest.raises(Deadlock, match="not there"):
        Fleet(3, replace(SHORT, loss=1.0, hours=0.2)).run(settle_s=600)


def test_memory_disk_is_a_log() -> None:
    a, b = disk(1), disk(2)
    log: Log = a
    for number in range(10):
        a.add(Lane.COMMAND, f"item {number}".encode())
    assert log.pending(Lane.COMMAND).rows == 10
    ids = a.cut(Lane.COMMAND, 120, 99)
    assert len(ids) > 1 and not a.pending(Lane.COMMAND).rows
    blocks = [opened(b.ring, a.read(each) or b"", each, "lan") for each in ids]
    assert set(b.commit(blocks)) == {Verdict.NEW} and set(b.commit(blocks)) == {Verdict.DUPLICATE}
    assert b.have() == a.have()
    other = Incoming(ids[0], b"other bytes", b"", Level.MEMBER, 0.0, "lan")
    assert b.commit([other]) == [Verdict.CONFLICT] and a.commit([other]) == [Verdict.CONFLICT]
    assert b.purge(ids[:1]) > 0 and b.read(ids[0]) is None and ids[0].number not in b.held(ids[0].source)
    stretch = [(held.number, held.block) for held in b.stretch(ids[0].source, 0, ids[-1].number)]
    assert stretch == [(each.number, a.read(each)) for each in ids[:0:-1]]
    a.merge_end(2, b.have())
    assert a.end_of(2) == a.have() and a.end_of(1) == a.have()


def test_a_copy_lives_its_own_life() -> None:
    a = disk(1)
    a.add(Lane.FLASH, b"one")
    a.cut(Lane.FLASH, 200)
    a.add(Lane.FLASH, b"two")
    copy = a.copied(8)
    for each in (a, copy):
        each.cut(Lane.FLASH, 200)
    assert BlockId(1, 8, Lane.FLASH, 0) in [BlockId(*s, n) for s, r in copy.have().items() for n in r.numbers()]
    assert len(a.have()) == 1 and len(copy.have()) == 2


def test_power_fails_before_or_after_the_write_is_durable() -> None:
    kept = []
    for seed in range(20):
        inner = disk(1)
        log = FaultyLog(inner, random.Random(seed))
        inner.add(Lane.FLASH, b"x")
        log.fail_in = 1
        with pytest.raises(PowerCut):
            log.cut(Lane.FLASH, 200)
        kept.append(bool(inner.have()))
        assert log.cut(Lane.FLASH, 200) or kept[-1]
    assert 0 < sum(kept) < 20


def test_a_full_disk_keeps_room_for_what_is_urgent() -> None:
    sender, log = disk(1), FaultyLog(disk(2), random.Random(1))
    log.full = True
    for lane, fits in ((Lane.FLASH, True), (Lane.COMMAND, True), (Lane.HISTORY, False)):
        sender.add(lane, b"x")
        (block_id,) = sender.cut(lane, 200)
        block = opened(log.log.ring, sender.read(block_id) or b"", block_id, "lan")  # type: ignore[attr-defined]
        if fits:
            assert log.commit([block]) == [Verdict.NEW]
        else:
            with pytest.raises(StoreFull):
                log.commit([block])


def test_limits_of_the_fleet_s_radio_hold() -> None:
    fleet = Fleet(3, SHORT)
    longest = 0

    def heard(sender: str, frame: bytes) -> None:
        nonlocal longest
        longest = max(longest, len(frame))

    fleet.media[0].taps.append(heard)
    fleet.run()
    assert isinstance(fleet.media[0].limits, Limits) and 0 < longest <= fleet.media[0].limits.mtu

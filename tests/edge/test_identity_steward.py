"""Trust between running nodes, block by block: rosters and revocations as data, adoption, proofs, re-keying, new lives."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from edge.identity.enrol import complete, found, invite, join, let_in, revoke
from edge.identity.identity import KEY_FILE, Identity
from edge.identity.steward import Steward
from edge.identity.vault import file_lock, make_key_file
from edge.store.log import StoreLog
from edge.store.reader import Reader
from edge.store.store import Store
from hardware.clock import ManualClock
from hardware.driver import Health
from hardware.errors import DecodeError, SealError
from hardware.observation import PROFILE_NAMED, Observation
from sync.codec import encode_events
from sync.events import BY_NAME
from sync.ids import BlockId, Content, KeyClass, Lane, Level, Source
from sync.intake import opened
from sync.records import Anchor, Event, EventId
from sync.seal.contract import Role
from sync.seal.keyring import Keyring
from sync.trust.proofs import DUE_S

ANCHOR = Anchor(300_000_000, 1_040_000_000, 1_789_000_000_000)
ORDER, GAUGE, BODY = BY_NAME["order"].number, PROFILE_NAMED["gauge"], PROFILE_NAMED["wearable"]


class Post:
    """A running node: identity, store, log and steward."""

    def __init__(self, folder: Path, identity: Identity) -> None:
        self.folder, self.identity = folder, identity
        self.path = folder / f"{identity.node}.db"
        self.open()

    def open(self) -> None:
        incident = self.identity.charter.incident
        self.store = Store.open(
            self.path, self.identity.node, clock=self._clock, ballast=0, machine=self.folder / "id", incident=incident
        )
        self.ring = self.identity.keyring(self.store.life.incarnation)
        self.log = StoreLog(self.store, self.ring, ANCHOR)
        self.steward = Steward(self.identity, self.ring, self.store, self.log)

    def _clock(self, boot: int) -> ManualClock:
        self.clock = ManualClock(1000.0, 1_790_000_000_000, boot)
        return self.clock

    def close(self) -> None:
        self.steward.close()
        self.log.close()
        self.store.close()

    def restart(self) -> None:
        self.close()
        self.identity = Identity.open(self.identity.path, self.identity.lock)
        self.open()

    def order(self, text: str) -> None:
        self.store.write_event(ORDER, "P1", {0: text}, valid_s=600).result()

    def measure(self, count: int, profile: str = "gauge") -> None:
        shape = PROFILE_NAMED[profile]
        for at in range(count):
            self.clock.advance(1.0)
            values = tuple(1000 + at + column for column in range(len(shape.columns)))
            self.store.write([Observation("G1", "dev/G1", shape, self.clock.stamp(), values)]).result()

    def cut(self) -> None:
        for lane in Lane:
            while lane is not Lane.PICTURE and self.log.cut(lane, 400, 8):
                pass

    def give(self, to: Post, step: bool = True, origin: int | None = None) -> int:
        """Everything that the other one lacks, as an exchange would bring it; how many blocks."""
        self.cut()
        came = []
        for source in self.log.have():
            lacking = self.log.held(source).minus(
                to.log.have().get(source, self.log.held(source).minus(self.log.held(source)))
            )
            for number in lacking.numbers():
                block_id = BlockId(*source, number)
                block = self.log.read(block_id)
                if block is not None and origin in (None, block_id.origin):
                    with suppress(SealError, DecodeError):
                        came.append(opened(to.ring, block, block_id, "lan"))
        to.log.commit(came)
        if step:
            to.steward.step()
            while to.log.unpack():
                pass
        return len(came)

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        self.store.writer.submit(lambda tx: None).result()
        reader = Reader(self.path, self.store.origin)
        try:
            return reader._rows(sql)
        finally:
            reader.close()

    def levels(self, origin: int, table: str = "event") -> list[int]:
        if table == "event":
            return [
                row[0]
                for row in self.rows(f"SELECT level FROM event WHERE origin = {origin} AND kind = {ORDER} ORDER BY id")
            ]  # type: ignore[misc]
        return [
            row[0]
            for row in self.rows(
                f"SELECT o.level FROM observation o JOIN stream s ON s.id = o.stream WHERE s.origin = {origin} ORDER BY o.id"
            )
        ]  # type: ignore[misc]


@pytest.fixture
def posts(tmp_path: Path) -> Iterator[dict[str, Post]]:
    """ROOT and V1 give orders, W and X are members, R is a relay; each knows only the chain to its own inviter."""
    lock = file_lock(make_key_file(tmp_path / KEY_FILE))
    root = found(tmp_path / "root.keys", lock, "青溪", "ROOT", ANCHOR)
    identities = {"ROOT": root}
    for name, role, by in (
        ("V1", Role.COMMAND, "ROOT"),
        ("W", Role.MEMBER, "V1"),
        ("X", Role.MEMBER, "ROOT"),
        ("R", Role.RELAY, "ROOT"),
    ):
        offer = invite(identities[by], name, role, span=100 if role is Role.COMMAND else 0)
        identity, asked = join(tmp_path / f"{name}.keys", lock, offer)
        complete(identity, let_in(identities[by], asked))
        identities[name] = identity
    made = {name: Post(tmp_path, identity) for name, identity in identities.items()}
    yield made
    for post in made.values():
        post.close()


def settle(posts: dict[str, Post], *names: str) -> None:
    """Everybody meets everybody twice."""
    for _ in range(2):
        for one in names or posts:
            posts[one].steward.step()
            for two in names or posts:
                if one != two:
                    posts[one].give(posts[two])


def test_the_roster_travels_as_data_and_adopts_what_came_before_it(posts: dict[str, Post]) -> None:
    root, deputy, walker, relay = (posts[name] for name in ("ROOT", "V1", "W", "R"))
    walker.measure(30)
    walker.order("not mine to give")
    walker.give(root, step=False)
    root.steward.step()
    assert walker.identity.node not in root.identity.roster and root.levels(walker.identity.node, "obs") == []
    assert {row[0] for row in root.rows(f"SELECT state FROM block WHERE origin = {walker.identity.node}")} == {"sealed"}
    deputy.steward.step()
    deputy.give(relay)
    relay.give(root)
    assert walker.identity.node in root.identity.roster
    assert len(root.levels(walker.identity.node, "obs")) == 30
    assert set(root.levels(walker.identity.node, "obs")) == {Level.MEMBER}
    assert root.levels(walker.identity.node) == [Level.ORIGIN]
    assert Identity.open(root.identity.path, root.identity.lock).roster.get(walker.identity.node) is not None


def test_relays_learn_trust_and_read_nothing_else(posts: dict[str, Post]) -> None:
    posts["W"].measure(5)
    settle(posts)
    relay = posts["R"]
    assert len(relay.identity.roster) == 5
    assert relay.rows("SELECT count(*) FROM observation") == [(0,)]
    states = {(row[0], row[1]) for row in relay.rows("SELECT content, state FROM block WHERE state != 'own'")}
    assert {content for content, state in states if state != "sealed"} == {Content.TRUST}


def test_history_is_proven_by_lists(posts: dict[str, Post]) -> None:
    root, outsider = posts["ROOT"], posts["X"]
    settle(posts)
    outsider.measure(40)
    outsider.cut()
    outsider.steward.step()
    outsider.give(root)
    assert set(root.levels(outsider.identity.node, "obs")) == {Level.MEMBER}
    outsider.clock.advance(DUE_S + 1)
    outsider.steward.step()
    outsider.steward.step()
    outsider.give(root)
    assert set(root.levels(outsider.identity.node, "obs")) == {Level.ORIGIN}
    lists = outsider.rows(f"SELECT count(*) FROM block WHERE content = {int(Content.HASHES)}")
    outsider.clock.advance(DUE_S + 1)
    outsider.steward.step()
    assert outsider.rows(f"SELECT count(*) FROM block WHERE content = {int(Content.HASHES)}") == lists


def test_a_list_before_its_blocks_and_after_a_restart(posts: dict[str, Post]) -> None:
    root, outsider = posts["ROOT"], posts["X"]
    settle(posts)
    outsider.measure(20)
    outsider.cut()
    outsider.steward.step()
    outsider.clock.advance(DUE_S + 1)
    outsider.steward.step()
    (found,) = outsider.rows(f"SELECT incarnation, number FROM block WHERE content = {int(Content.HASHES)}")
    block_id = BlockId(outsider.identity.node, int(str(found[0])), Lane.HISTORY, int(str(found[1])))
    block = outsider.log.read(block_id)
    assert block is not None
    root.log.commit([opened(root.ring, block, block_id, "lan")])
    root.steward.step()
    root.restart()
    root.steward.step()
    outsider.give(root)
    assert set(root.levels(outsider.identity.node, "obs")) == {Level.ORIGIN}


def test_a_block_other_than_its_origin_signed_for_is_set_aside(posts: dict[str, Post]) -> None:
    root, outsider = posts["ROOT"], posts["X"]
    settle(posts)
    outsider.measure(3)
    outsider.cut()
    (row,) = outsider.rows("SELECT incarnation, number FROM block WHERE content = 1")
    block_id = BlockId(outsider.identity.node, int(str(row[0])), Lane.HISTORY, int(str(row[1])))
    body = outsider.ring.open(outsider.log.read(block_id) or b"", None).body
    outsider.measure(3)
    forged = outsider.ring.seal(block_id, KeyClass.FIELD, body[:-1] + bytes((body[-1] ^ 1,)))
    root.log.commit([opened(root.ring, forged, block_id, "air")])
    outsider.clock.advance(DUE_S + 1)
    outsider.steward.step()
    outsider.clock.advance(DUE_S + 1)
    outsider.steward.step()
    outsider.give(root)
    assert root.rows(f"SELECT level FROM block WHERE content = 1 AND number = {block_id.number}") == [(0,)]


def test_an_order_in_two_rdss_messages_becomes_actionable(posts: dict[str, Post]) -> None:
    root, walker = posts["ROOT"], posts["W"]
    settle(posts)
    for turn in (1, -1):  # whichever comes first
        before = walker.levels(1)
        root.order("撤")
        order, proof = root.log.cut(Lane.COMMAND, 78)
        assert proof == order.next
        for count, block_id in enumerate((order, proof)[::turn]):
            block = root.log.read(block_id)
            assert block is not None and len(block) <= 78
            walker.log.commit([opened(walker.ring, block, None, "rdss")])
            had = walker.log.have().get(order.source)
            assert (had is not None and block_id.number in had) is (count == 1)
        assert walker.levels(1) == [*before, Level.COMMAND] and order.number in walker.log.have()[order.source]


def test_a_captured_member_silences_nobody_by_taking_its_numbers(posts: dict[str, Post]) -> None:
    root, captured, walker = posts["ROOT"], posts["X"], posts["W"]
    settle(posts)
    root.order("true")
    (true,) = root.log.cut(Lane.COMMAND, 400)
    event = root.rows("SELECT number FROM event")[0][0]
    false = Event(
        EventId(1, root.ring.incarnation, int(str(event))), ORDER, "", 1, root.clock.stamp(), {0: "false"}, valid_s=600
    )
    body = bytes((Content.EVENTS,)) + encode_events([false], ANCHOR, source=true.source)
    mask = Keyring(
        root.ring.incident, 1, true.incarnation, {}, device=captured.ring.device, directory=captured.ring.directory
    )
    for epoch, held in captured.identity.epochs().items():
        mask.add_epoch(epoch, held[0])
    source = Source(captured.identity.node, captured.ring.incarnation, Lane.COMMAND)
    own = captured.log.put(Lane.COMMAND, Content.EVENTS, encode_events([false], ANCHOR, source=source))
    signed = captured.log.read(own)
    assert signed is not None
    forged = [(true, mask.seal(true, KeyClass.FIELD, body, signed=False)), (own, signed)]
    far = true._replace(number=1 << 20)
    forged.append((far, mask.seal(far, KeyClass.FIELD, body, signed=False)))
    for post in (walker, root):
        post.log.commit([opened(post.ring, block, block_id, "air") for block_id, block in forged])
        post.steward.step()
    assert walker.levels(1) == [Level.MEMBER] and not root.store.alarm
    root.give(walker)
    shown = walker.rows(f"SELECT level, body FROM event WHERE origin = 1 AND kind = {ORDER}")
    assert [(level, "true" in str(text)) for level, text in shown] == [(Level.COMMAND, True)]
    assert root.rows(f"SELECT body FROM event WHERE kind = {ORDER}") == [(shown[0][1],)]


def test_a_revoked_node_is_marked_everywhere_without_a_server(posts: dict[str, Post]) -> None:
    deputy, captured, walker = posts["V1"], posts["X"], posts["W"]
    captured.measure(4)
    settle(posts)
    node = captured.identity.node
    assert set(walker.levels(node, "obs")) == {Level.MEMBER}
    sources = {
        (source.incarnation, source.lane): numbers.top
        for source, numbers in deputy.log.have().items()
        if source.origin == node
    }
    captured.measure(4)
    captured.give(walker)
    assert len(walker.levels(node, "obs")) == 8 and walker.rows("SELECT count(*) FROM latest") != [(0,)]
    beside = Identity.open(deputy.identity.path, deputy.identity.lock)
    assert revoke(beside, [node], {node: sources}) == ["X"]
    deputy.steward.step()
    settle(posts, "V1", "W", "R", "ROOT")
    for name in ("V1", "W", "ROOT"):
        assert posts[name].ring.epoch == 2 and node in posts[name].ring.revoked, name
        levels = posts[name].levels(node, "obs")
        assert levels[:4] == [Level.MEMBER] * 4 and set(levels[4:]) <= {Level.QUARANTINE}, name
    assert posts["R"].ring.epoch == 2
    captured.measure(4)
    captured.give(walker)
    assert set(walker.levels(node, "obs")[4:]) == {Level.QUARANTINE}
    walker.restart()
    assert walker.ring.epoch == 2 and node in walker.ring.revoked
    with pytest.raises(SealError):
        walker.ring.check(b"digest" + captured.ring.mac(b"digest"))
    captured.steward.step()
    assert captured.ring.epoch == 1


def test_what_a_captured_commander_revoked_comes_back(posts: dict[str, Post]) -> None:
    root, deputy, outsider = posts["ROOT"], posts["V1"], posts["X"]
    settle(posts)
    outsider.measure(4)
    outsider.order("well")
    settle(posts)
    node = outsider.identity.node
    revoke(deputy.identity, [node], {}, trust_past=False)
    settle(posts, "ROOT", "V1", "W")
    assert set(root.levels(node, "obs")) == {Level.QUARANTINE} and root.levels(node) == [Level.QUARANTINE]
    revoke(root.identity, [deputy.identity.node], {}, trust_past=False)
    settle(posts, "ROOT", "W")
    root.steward.step()
    assert set(root.ring.revoked) == {deputy.identity.node, posts["W"].identity.node}  # W came in by the deputy's word
    assert root.levels(node) == [Level.ORIGIN]  # signed; what only the old epoch's keys vouch for waits for its list
    outsider.steward.step()
    outsider.clock.advance(DUE_S + 1)
    settle(posts, "ROOT", "X")
    assert outsider.ring.epoch == root.ring.epoch and set(root.levels(node, "obs")) == {Level.ORIGIN}


def test_a_node_away_during_two_re_keyings_comes_back(posts: dict[str, Post]) -> None:
    root, walker = posts["ROOT"], posts["W"]
    settle(posts)
    for _ in range(2):
        revoke(root.identity, [], {})
        root.steward.step()
        settle(posts, "ROOT", "V1", "R")
    root.order("come home")
    root.measure(3)
    root.cut()
    frame = b"fragment" + root.ring.mac(b"fragment", trust=True)
    assert walker.ring.check_late(frame) == b"fragment"
    root.give(walker)
    assert walker.ring.epoch == 3 and walker.levels(1) == [Level.COMMAND]
    assert len(walker.levels(1, "obs")) == 3


def test_a_restored_store_declares_its_predecessor(posts: dict[str, Post]) -> None:
    root, outsider = posts["ROOT"], posts["X"]
    settle(posts)
    before = outsider.ring.incarnation
    outsider.close()
    copy = outsider.path.with_suffix(".bak")
    shutil.copy(outsider.path, copy)
    copy.replace(outsider.path)
    outsider.open()
    assert outsider.ring.incarnation != before
    outsider.steward.step()
    outsider.measure(2)
    outsider.give(root)
    known = root.ring._incarnations.known(outsider.identity.node, outsider.ring.incarnation & 15)
    assert outsider.ring.incarnation in known
    items = [item for item in outsider.identity.secrets.items if item[0] == 4]
    assert len(items) == 1 and before.to_bytes(2, "big") in items[0]
    outsider.restart()
    assert len([item for item in outsider.identity.secrets.items if item[0] == 4]) == 1


def test_two_rosters_of_one_incident_merge(posts: dict[str, Post], tmp_path: Path) -> None:
    root, deputy = posts["ROOT"], posts["V1"]
    lock = root.identity.lock
    for post, name in ((root, "A"), (deputy, "B")):
        offer = invite(post.identity, name, Role.MEMBER)
        let_in(post.identity, join(tmp_path / f"{name}.keys", lock, offer)[1])
    settle(posts, "ROOT", "V1")
    names = {held.name for held in root.identity.roster}
    assert names == {held.name for held in deputy.identity.roster} == {"ROOT", "V1", "W", "X", "R", "A", "B"}


def test_vital_signs_reach_only_whom_they_should(posts: dict[str, Post]) -> None:
    settle(posts)
    posts["X"].measure(3, "wearable")
    settle(posts)
    node = posts["X"].identity.node
    assert len(posts["ROOT"].levels(node, "obs")) == len(posts["V1"].levels(node, "obs")) == 3
    assert posts["W"].levels(node, "obs") == []


def test_no_key_in_store_or_log(posts: dict[str, Post], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    revoke(posts["ROOT"].identity, [posts["X"].identity.node], {})
    settle(posts)
    root = posts["ROOT"]
    root.store.writer.submit(lambda tx: None).result()
    data = b"".join(path.read_bytes() for path in root.path.parent.glob("1.db*"))
    keys = [
        key
        for held in root.identity.epochs().values()
        for each in held
        for key in (each.transit, each.field, each.vital)
    ]
    for key in [*keys, root.identity.secrets.private, root.identity.secrets.trust]:
        assert key is not None and key not in data and key.hex().encode() not in data and key.hex() not in caplog.text


def test_what_was_collected_before_joining_is_adopted(posts: dict[str, Post], tmp_path: Path) -> None:
    """A vehicle that began alone, with an incident of its own, joins the common one."""
    root = posts["ROOT"]
    alone = Post(
        tmp_path / "alone", found(_made(tmp_path / "alone") / "v9.keys", root.identity.lock, "独自", "V9", ANCHOR)
    )
    alone.measure(25)
    alone.order("first")
    alone.cut()
    alone.steward.step()
    alone.measure(5)
    alone.close()
    offer = invite(root.identity, "V9", Role.COMMAND)
    identity, asked = join(tmp_path / "v9.keys", root.identity.lock, offer)
    complete(identity, let_in(root.identity, asked))
    alone.path.replace(alone.path.with_name(f"{identity.node}.db"))
    joined = Post(tmp_path / "alone", identity)
    try:
        assert joined.store.life.reason == "joined another incident"
        joined.order("second")
        root.steward.step()
        joined.give(root)
        assert len(root.levels(identity.node, "obs")) == 30
        assert root.levels(identity.node) == [Level.COMMAND, Level.COMMAND]
        assert {source.origin for source in joined.log.have()} == {identity.node}
        joined.restart()
        assert joined.store.life.reason == "joined another incident" and joined.give(root) == 0
    finally:
        joined.close()


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


async def test_a_running_steward_says_what_is_wrong_and_goes_on(
    posts: dict[str, Post], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.identity.steward.EVERY_S", 0.05)
    post, told = posts["X"], asyncio.Queue[tuple[Health, str]]()

    class Telling:
        def health(self, state: Health, why: str = "") -> None:
            told.put_nowait((state, why))

    async def call(function: Callable[[], bool]) -> bool:
        return function()

    task = asyncio.create_task(post.steward.run(call, lambda: None, Telling()))  # type: ignore[arg-type]
    try:
        assert await told.get() == (Health.UP, "")
        kept = post.identity.path.read_bytes()
        post.identity.path.unlink()
        while (await told.get())[0] is not Health.DEGRADED:
            pass
        post.identity.path.write_bytes(posts["W"].identity.path.read_bytes())
        while "another identity" not in (await told.get())[1]:
            pass
        post.identity.path.write_bytes(kept)
        while (await told.get())[0] is not Health.UP:
            pass
    finally:
        task.cancel()

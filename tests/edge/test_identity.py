"""Identity: founded with no network, let in by people, kept at rest, merged with what lies there, destroyed first."""

from __future__ import annotations

import io
import random
import stat
from pathlib import Path

import pytest

from edge.identity import vault
from edge.identity.enrol import accept, complete, create, file_of, found, invite, join, let_in, master, revoke
from edge.identity.identity import KEY_FILE, Identity, load, lock_of
from hardware.errors import ConfigError, DecodeError, SanduanError, SealError
from sync.ids import BlockId, KeyClass, Lane, Level
from sync.records import Anchor
from sync.seal.contract import Role
from sync.seal.guomi import SUITE_2
from sync.seal.suite import SUITE_1, Suite
from sync.trust.enrolment import Grant, Invite, Request, code

PLACE = Anchor(300_000_000, 1_040_000_000, 1_721_422_800_000)
NOW = PLACE.start_ms // 60_000 + 90
ROLES = {1: Role.COMMAND, 2: Role.MEMBER, 3: Role.RELAY, 4: Role.MEDIC}


@pytest.fixture
def lock(tmp_path: Path) -> vault.Lock:
    return vault.file_lock(vault.make_key_file(tmp_path / KEY_FILE))


@pytest.fixture
def root(tmp_path: Path, lock: vault.Lock) -> Identity:
    return found(tmp_path / "root.keys", lock, "青溪", "ROOT", PLACE)


def reopened(identity: Identity) -> Identity:
    return Identity.open(identity.path, identity.lock)


def enrolled(root: Identity, path: Path, name: str, role: Role, **more: int) -> Identity:
    """A node let in as people do it, message by message as bytes."""
    offer = Invite.decode(invite(root, name, role, **more).encode())
    identity, asked = join(path, root.lock, offer)
    asked = Request.decode(asked.encode())
    granted = accept(reopened(root), asked, code(offer, asked), minutes=NOW)
    complete(reopened(identity), Grant.decode(granted.encode()), NOW)
    root.reload()
    return reopened(identity)


@pytest.mark.parametrize("suite", [SUITE_1, SUITE_2], ids=["suite1", "suite2"])
def test_an_incident_grows_with_no_network(tmp_path: Path, lock: vault.Lock, suite: Suite) -> None:
    root = found(tmp_path / "root.keys", lock, "青溪", "ROOT", PLACE, suite=suite)
    deputy = enrolled(root, tmp_path / "v1.keys", "V1", Role.COMMAND, span=500)
    other = enrolled(root, tmp_path / "v2.keys", "V2", Role.COMMAND, span=500)
    first, second = deputy.certificate, other.certificate
    assert {*range(first.first, first.first + 500)}.isdisjoint(range(second.first, second.first + 500))
    walker = enrolled(deputy, tmp_path / "w.keys", "W", Role.MEMBER)
    assert walker.node == first.first and walker.anchor == PLACE and walker.role is Role.MEMBER
    ring, mine = deputy.keyring(7), walker.keyring(9)
    block = ring.seal(BlockId(deputy.node, 7, Lane.FLASH, 1), KeyClass.FIELD, b"\x02order")
    assert mine.open(block, None).level is Level.COMMAND
    assert root.keyring(1).check(b"f" + mine.mac(b"f")) == b"f"
    root.roster.merge(deputy.roster)
    assert root.roster.get(walker.node) == walker.certificate


def test_messages_fit_their_codes(root: Identity, tmp_path: Path) -> None:
    offer = invite(root, "V1", Role.MEMBER)
    _, asked = join(tmp_path / "v1.keys", root.lock, offer)
    granted = let_in(root, asked)
    assert [len(each.encode()) for each in (asked, granted)] == [
        141,
        5 + 8 + len(granted.certificate.encode()) + 1 + 16 + 56,
    ]
    assert len(offer.encode()) <= 400 and len(granted.encode()) <= 400  # one QR code each
    assert len(root.certificate.encode()) <= 165


def test_the_digits_must_be_those_of_the_other_screen(root: Identity, tmp_path: Path) -> None:
    offer = invite(root, "V1", Role.MEMBER)
    _, asked = join(tmp_path / "v1.keys", root.lock, offer)
    _, thief = join(tmp_path / "thief.keys", root.lock, offer)
    shown = code(offer, asked)
    assert len(shown.replace(" ", "")) == 12
    with pytest.raises(SealError, match="digits differ"):
        accept(root, thief, shown)
    with pytest.raises(SealError, match="digits differ"):
        accept(root, asked, shown[:-1])
    accept(root, asked, shown.replace(" ", ""))
    with pytest.raises(SealError, match="given to another device"):
        accept(root, thief, code(offer, thief))
    again = accept(root, asked, shown)
    assert again.certificate == reopened(root).roster.get(offer.index)


def test_a_swapped_invite_shows_other_digits(root: Identity, tmp_path: Path) -> None:
    elsewhere = found(tmp_path / "other.keys", root.lock, "青溪", "ROOT", PLACE)
    offer, swapped = invite(root, "V1", Role.MEMBER), invite(elsewhere, "V1", Role.MEMBER)
    _, asked = join(tmp_path / "v1.keys", root.lock, swapped)
    with pytest.raises(SealError, match="no invite"):
        accept(root, asked, code(swapped, asked))
    assert code(swapped, asked) != code(offer, asked)


def test_grants_are_for_one_device_and_one_invite(root: Identity, tmp_path: Path) -> None:
    offers = [invite(root, name, Role.MEMBER) for name in ("V1", "V2")]
    joined = [join(tmp_path / f"{at}.keys", root.lock, offer) for at, offer in enumerate(offers)]
    grants = [let_in(root, asked) for _, asked in joined]
    with pytest.raises(SealError, match="another request"):
        complete(joined[0][0], grants[1])
    elsewhere = found(tmp_path / "other.keys", root.lock, "别处", "ROOT", PLACE)
    foreign = let_in(elsewhere, join(tmp_path / "x.keys", root.lock, invite(elsewhere, "V1", Role.MEMBER))[1])
    with pytest.raises(SealError):
        complete(joined[0][0], foreign)
    assert not reopened(joined[0][0]).enrolled
    complete(joined[0][0], grants[0])
    with pytest.raises(SealError, match="already"):
        complete(joined[0][0], grants[0])


def test_every_truncated_or_altered_message_is_refused(root: Identity, tmp_path: Path) -> None:
    offer = invite(root, "V1", Role.MEMBER)
    identity, asked = join(tmp_path / "v1.keys", root.lock, offer)
    granted = let_in(root, asked)
    chance = random.Random(4)
    for at in range(300):
        data = bytearray((offer, asked, granted)[at % 3].encode())
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        data = data[: chance.randint(0, len(data))] if at % 2 else data
        with pytest.raises((SealError, DecodeError)):
            if at % 3 == 0:
                Invite.decode(bytes(data)).roster()
                raise SealError("only the token, index, role or name changed: the digits differ")
            if at % 3 == 1:
                let_in(root, Request.decode(bytes(data)))
            else:
                complete(identity, Grant.decode(bytes(data)))
    complete(reopened(identity), granted)


def test_a_clock_years_off(root: Identity, tmp_path: Path) -> None:
    offer = invite(root, "V1", Role.MEMBER)
    identity, asked = join(tmp_path / "v1.keys", root.lock, offer)
    digits = code(offer, asked)
    for minutes in (None, NOW - 3 * 365 * 1440):
        with pytest.raises(SealError, match="clock"):
            accept(root, asked, digits, minutes=minutes, days=30)
    assert offer.index not in reopened(root).roster
    granted = accept(root, asked, digits, minutes=NOW, days=30)
    assert granted.certificate.until - granted.certificate.since == 30 * 1440
    with pytest.raises(SealError, match="clock"):
        complete(identity, granted, NOW + 3 * 365 * 1440)
    assert not reopened(identity).enrolled
    complete(identity, granted, NOW)


def test_a_damaged_identity_keeps_its_secret(root: Identity, tmp_path: Path) -> None:
    text, chance = root.path.read_text(), random.Random(2)
    for _ in range(60):
        at = chance.randrange(text.index("form"), len(text))
        root.path.write_text(text[:at] + chance.choice('axQ0"\n') + text[at + 1 :])
        try:
            Identity.open(root.path, lock_of(root.path))
        except ConfigError as error:
            assert root.secrets.private.hex() not in str(error)
        else:
            assert Identity.open(root.path, lock_of(root.path)).secrets == root.secrets


def test_keys_at_rest(root: Identity) -> None:
    assert stat.S_IMODE(root.path.stat().st_mode) == 0o600
    text = root.path.read_text()
    held = master(root)
    for secret in (root.secrets.private, held.field, held.vital, root.secrets.trust):
        assert secret.hex() not in text and secret not in root.path.read_bytes()
        assert secret.hex() not in repr(root) + repr(root.secrets) + repr(root.lock)
    assert vault.read_label(root.path) == vault.Label("青溪", 1, "ROOT", 1)


def test_a_mistyped_passphrase(tmp_path: Path, root: Identity, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SealError, match="8 characters"):
        vault.passphrase_lock("short")
    path = tmp_path / "p.keys"
    made = found(path, vault.passphrase_lock("正确的口令 一二三"), "青溪", "P", PLACE)
    before = path.read_bytes()
    word = tmp_path / "word"
    word.write_text("正确的口令 一二四\n")
    with pytest.raises(ConfigError, match="passphrase") as told:
        load(path, 1, word)
    assert "一二四" not in str(told.value) and path.read_bytes() == before
    word.write_text("正确的口令 一二三\nrest\n")
    assert load(path, 1, word).certificate == made.certificate
    monkeypatch.setattr("edge.identity.identity.stdin", io.StringIO("typed"))
    with pytest.raises(ConfigError, match="terminal"):
        load(path, 1)


def test_nothing_is_overwritten(root: Identity, tmp_path: Path) -> None:
    before = root.path.read_bytes()
    with pytest.raises(ConfigError, match="never overwritten"):
        found(root.path, root.lock, "别处", "X", PLACE)
    with pytest.raises(ConfigError, match="never overwritten"):
        join(root.path, root.lock, invite(found(tmp_path / "o.keys", root.lock, "别处", "X", PLACE), "V1", Role.MEMBER))
    with pytest.raises(ConfigError, match="never overwritten"):
        vault.make_key_file(tmp_path / KEY_FILE)
    assert root.path.read_bytes() == before
    with pytest.raises(ConfigError, match=r"\[station\] node"):
        load(root.path, 2)
    (tmp_path / "note.txt").write_text("x = 1")
    for path in (tmp_path / "note.txt", tmp_path / "nothing"):
        with pytest.raises(ConfigError):
            load(path, 1)


def test_an_identity_waits_for_its_grant(root: Identity, tmp_path: Path) -> None:
    identity, _ = join(tmp_path / "v1.keys", root.lock, invite(root, "V1", Role.MEMBER))
    with pytest.raises(ConfigError, match="grant"):
        load(identity.path, identity.node)
    with pytest.raises(SealError, match="grant"):
        assert identity.role


def test_two_programs_on_one_file_lose_nothing(root: Identity, tmp_path: Path) -> None:
    running = reopened(root)
    enrolled(root, tmp_path / "v1.keys", "V1", Role.MEMBER)
    running.author(b"\x04declaration")
    running.mark_sent(b"\x04declaration")
    running.save()
    assert len(running.roster) == 2
    root.save()
    assert b"\x04declaration" in root.secrets.items and root.unsent() == running.unsent()
    assert reopened(root).secrets.serial == 2
    before = running.secrets.encode()
    running.reload()
    assert running.secrets.encode() == before


def test_only_command_nodes_with_a_range_let_in_or_revoke(root: Identity, tmp_path: Path) -> None:
    member = enrolled(root, tmp_path / "m.keys", "M", Role.MEMBER)
    bare = enrolled(root, tmp_path / "c.keys", "C", Role.COMMAND)
    for node in (member, bare):
        with pytest.raises(SealError, match="may not let nodes in"):
            invite(node, "X", Role.MEMBER)
    with pytest.raises(SealError, match="only a command node revokes"):
        revoke(member, [bare.node], {})
    for index in (1, 99):
        with pytest.raises(SealError, match="cannot be revoked"):
            revoke(bare, [index], {})
    with pytest.raises(SealError, match="taken"):
        invite(root, "X", Role.MEMBER, index=member.node)


def test_revocation_changes_the_keys_of_all_that_remain(root: Identity, tmp_path: Path) -> None:
    captured = enrolled(root, tmp_path / "x.keys", "X", Role.MEMBER)
    stays = enrolled(root, tmp_path / "y.keys", "Y", Role.MEMBER)
    deputy = enrolled(root, tmp_path / "z.keys", "Z", Role.COMMAND, span=9)
    deputy.roster.merge(root.roster)
    names = revoke(deputy, [captured.node], {captured.node: {(5, Lane.TRACK): 40}})
    assert names == ["X"] and master(reopened(deputy)).epoch == 2
    items = deputy.unsent()
    assert len(items) == 2
    for identity, epoch in ((stays, 2), (captured, 1)):
        identity.roster.merge(deputy.roster)
        ring = identity.keyring(5)
        learned = identity.book(ring).apply(items, deputy.node)
        assert not learned.refused or identity is captured
        assert ring.epoch == epoch
        for number, keys in learned.keys:
            identity.keep(number, keys)
        identity.save()
        assert reopened(identity).keyring(5).epoch == epoch
    ring = reopened(stays).keyring(5)
    assert ring.safe_epoch == 2
    assert (
        ring.open(captured.keyring(5).seal(BlockId(captured.node, 5, Lane.TRACK, 41), KeyClass.FIELD, b"x"), None).level
        is Level.QUARANTINE
    )
    with pytest.raises(SealError):
        ring.check(b"f" + captured.keyring(5).mac(b"f"))
    assert revoke(deputy, [], {}) == [] and master(deputy).epoch == 3


def test_destroyed_keys_are_gone(root: Identity) -> None:
    with root.path.open("rb") as file:  # the same blocks, as an undelete would see them while the name is gone
        before = file.read()
        assert vault.destroy(root.path) and not root.path.exists()
        file.seek(0)
        assert file.read() != before
    assert not vault.destroy(root.path)


def test_a_whole_incident_in_one_call(tmp_path: Path) -> None:
    paths = create(tmp_path, ROLES, anchor=PLACE)
    identities = {node: load(file_of(tmp_path, node), node) for node in ROLES}
    assert paths == [identity.path for identity in identities.values()]
    assert {node: identity.role for node, identity in identities.items()} == ROLES
    assert all(len(identity.roster) == 4 for identity in identities.values())
    rings = {node: identity.keyring(node) for node, identity in identities.items()}
    block = rings[2].seal(BlockId(2, 2, Lane.HISTORY, 1), KeyClass.VITAL, b"pulse")
    assert rings[4].open(block, None).body == rings[1].open(block, None).body == b"pulse"
    with pytest.raises(SealError):
        rings[3].open(block, None)
    assert rings[3].check(b"f" + rings[2].mac(b"f")) == b"f"
    with pytest.raises(SanduanError):
        create(tmp_path, ROLES)
    with pytest.raises(SealError, match="command node"):
        create(tmp_path / "n", {2: Role.MEMBER})

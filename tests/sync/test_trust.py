"""Trust: who is on the roster, by whose word, until when, and what a revocation takes back; any order, any number of times."""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import replace

import pytest

from hardware.errors import DecodeError, SanduanError, SealError
from sync.codec.octets import Reader
from sync.ids import BlockId, Content, KeyClass, Lane, Level
from sync.seal.contract import Role
from sync.seal.demo import demo_device, demo_key
from sync.seal.guomi import SUITE_2
from sync.seal.suite import SUITE_1, Suite
from sync.trust.book import (
    Book,
    body_of,
    certificate_item,
    incarnation_item,
    items_of,
    rekey_item,
    revocation_item,
)
from sync.trust.certificate import Certificate, check, issue
from sync.trust.charter import Charter
from sync.trust.rekey import Master, Rekey, rekey
from sync.trust.revocation import RevocationList, Revoked
from sync.trust.roster import Added
from tests.sync.trust_field import INCIDENT, ROOT, SEED, TrustField


@pytest.fixture(params=[SUITE_1, SUITE_2], ids=lambda suite: f"suite{suite.number}")
def suite(request: pytest.FixtureRequest) -> Suite:
    found: Suite = request.param
    return found


@pytest.fixture
def field() -> TrustField:
    made = TrustField()
    made.enrol(2, Role.COMMAND, first=100, count=50)
    made.enrol(3, Role.MEMBER)
    made.enrol(4, Role.RELAY)
    made.enrol(5, Role.MEDIC)
    made.enrol(100, Role.MEMBER, issuer=2)
    return made


def test_a_certificate_fits_one_frame(suite: Suite) -> None:
    field = TrustField(suite)
    for index, name in ((3, "V1"), (16383, "一" * 8)):
        draft = Certificate(index, Role.COMMAND, name, bytes(64), ROOT, 9, 29_000_000, 29_999_999, 100, 900)
        made = issue(draft, INCIDENT, field.device(ROOT))
        data = made.encode()
        assert len(data) <= 192 and Certificate.decode(data) == made
    assert len(field.enrol(3, Role.MEMBER).encode()) <= 146


def test_a_charter_stands_for_its_incident(suite: Suite) -> None:
    field = TrustField(suite)
    charter = field.charter.signed(field.device(ROOT))
    reader = Reader(charter.encode())
    assert Charter.read(reader) == charter
    charter.check(suite)
    for wrong in (
        replace(charter, title="别处"),
        replace(charter, incident=bytes(16)),
        replace(charter, suite=3 - suite.number),
        field.charter.signed(field.device(7)),
    ):
        with pytest.raises(SealError):
            wrong.check(suite)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"role": Role.COMMAND}, "signature"),
        ({"index": 6}, "signature"),
        ({"name": "别人"}, "signature"),
        ({"until": 1}, "signature"),
        ({"public": bytes(64)}, "signature"),
        ({"signature": bytes(64)}, "signature"),
        ({"issuer": 3}, "may not give out"),
        ({"issuer": 4}, "may not give out"),
    ],
)
def test_an_altered_certificate_is_refused(field: TrustField, change: dict[str, object], why: str) -> None:
    roster = field.roster()
    with pytest.raises(SealError, match=why):
        roster.add(replace(field.certificate(7, Role.MEMBER), **change))  # type: ignore[arg-type]
    assert 7 not in roster and 6 not in roster


def test_swapped_and_foreign_certificates_are_refused(field: TrustField) -> None:
    roster = field.roster()
    with pytest.raises(SealError, match="N3"):
        check(field.held[3], field.held[2], INCIDENT, SUITE_1)
    elsewhere = issue(replace(field.certificate(8, Role.MEMBER), signature=b""), bytes(16), field.device(ROOT))
    with pytest.raises(SealError, match="another incident"):
        roster.add(elsewhere)
    with pytest.raises(SealError, match="another root"):
        roster.add(issue(Certificate(9, Role.COMMAND, "X", field.device(9).public, 9, 1), INCIDENT, field.device(9)))
    outside = field.certificate(200, Role.MEMBER, issuer=2)
    with pytest.raises(SealError, match="may not give out index 200"):
        roster.add(outside)
    wider = field.certificate(101, Role.COMMAND, issuer=2, first=100, count=500)
    with pytest.raises(SealError, match="exceeds"):
        roster.add(wider)


def test_rosters_merge_to_one_whatever_the_order(field: TrustField) -> None:
    rival = field.certificate(3, Role.COMMAND, seed=b"thief")
    renewed = field.certificate(5, Role.MEDIC)
    every = [*field.held.values(), rival, renewed]
    chance = random.Random(7)
    results = set()
    for _ in range(40):
        chance.shuffle(every)
        roster = field.roster([])
        roster.merge(every)
        roster.merge(every[:3])
        results.add(tuple(held.encode() for held in roster))
        assert {index: [c.public for c in claims] for index, claims in roster.conflicts.items()} == {3: [rival.public]}
        copy = field.roster([])
        copy.merge(roster.everything())
        assert list(copy) == list(roster)
    assert len(results) == 1
    assert roster.get(3) == field.held[3] and roster.get(5) == renewed


def test_the_roots_word_settles_a_conflict(field: TrustField) -> None:
    roster = field.roster()
    stolen = field.certificate(100, Role.COMMAND, issuer=2, seed=b"thief", serial=0)
    assert roster.add(stolen) is Added.CONFLICT and roster.get(100) == stolen
    again = field.certificate(100, Role.MEMBER)
    roster.add(again)
    assert roster.get(100) == again


def test_certificates_wait_for_their_issuer_within_bounds(field: TrustField) -> None:
    roster = field.roster([])
    assert roster.add(field.held[100]) is Added.WAITING and 100 not in roster
    for index in range(400):
        roster.add(field.certificate(300 + index, Role.MEMBER, issuer=2, serial=7))
    assert roster.add(field.held[2]) is Added.NEW and 100 in roster


def test_each_enrolling_node_gives_out_its_own_range(field: TrustField) -> None:
    roster = field.roster()
    assert roster.free(field.held[2]) == 101
    assert roster.free(field.held[1]) == 6
    assert roster.free(field.held[1], 50) == 6
    assert roster.free(field.held[1], 100) == 150
    with pytest.raises(SealError, match="free"):
        roster.free(field.held[2], 50)


def test_a_revocation_spreads_without_a_server(field: TrustField) -> None:
    ring = field.ring(3)
    kept, late = (
        ring.seal(BlockId(3, ring.incarnation, Lane.HISTORY, number), KeyClass.FIELD, b"x") for number in (10, 11)
    )
    found = field.revocation(1, 1, Revoked(3, {(ring.incarnation, Lane.HISTORY): 10}))
    for index in (2, 4, 5, 100):
        book = field.book(index)
        learned = book.apply([revocation_item(found)], sender=100)
        assert learned.revoked and learned.lists == 1 and not book.apply([revocation_item(found)], 2).changed
        if index != 4:
            assert book.keyring.open(kept, None).level is Level.MEMBER
            assert book.keyring.open(late, None).level is Level.QUARANTINE


def test_only_command_revokes(field: TrustField) -> None:
    book = field.book(2)
    for author in (3, 5, 9):
        assert book.apply([revocation_item(field.revocation(author, 1, Revoked(1)))], author).refused
    forged = replace(field.revocation(2, 1, Revoked(3)), author=1)
    assert "signature" in book.apply([revocation_item(forged)], 2).refused[0]
    assert not book.keyring.revoked


def test_lists_merge_to_one_whatever_the_order(field: TrustField) -> None:
    lists = [
        field.revocation(1, 1, Revoked(3)),
        field.revocation(1, 2, Revoked(3), Revoked(2, lists=1, issued=1)),
        field.revocation(2, 1, Revoked(5, {(7, Lane.FLASH): 3})),
        field.revocation(2, 2, Revoked(1), Revoked(4)),
    ]
    chance, seen = random.Random(3), set()
    for _ in range(20):
        chance.shuffle(lists)
        book = field.book(100)
        book.apply([revocation_item(each) for each in lists], 1)
        seen.add(tuple(sorted(book.keyring.revoked)))
    assert seen == {(2, 3, 5)}  # the root cannot be revoked, and node 2's second list came too late


def test_whom_a_revoked_node_let_in_later_counts_for_nothing(field: TrustField) -> None:
    book = field.book(3)
    book.apply([revocation_item(field.revocation(1, 1, Revoked(2, lists=0, issued=1)))], 1)
    late = field.certificate(101, Role.COMMAND, issuer=2, first=110, count=5)
    accomplice = issue(
        Certificate(110, Role.COMMAND, "Y", field.device(110).public, 101, 1), INCIDENT, field.device(101)
    )
    book.apply([certificate_item(late), certificate_item(accomplice)], 2)
    assert set(book.keyring.revoked) == {2, 101, 110}
    assert 100 not in book.keyring.revoked
    again = field.revocation(110, 1, Revoked(3))
    book.apply([revocation_item(again)], 110)
    assert 3 not in book.keyring.revoked


def test_a_revoked_node_cannot_silence_those_it_let_in_before(field: TrustField) -> None:
    book = field.book(3)
    book.apply([certificate_item(field.certificate(100, Role.COMMAND, issuer=2))], 2)
    assert book.keyring.directory[100].role is Role.COMMAND
    book.apply([revocation_item(field.revocation(1, 1, Revoked(2, issued=1)))], 1)
    book.apply([certificate_item(field.certificate(100, Role.RELAY, issuer=2))], 2)
    assert set(book.keyring.revoked) == {2} and book.keyring.directory[100].role is Role.MEMBER


def test_re_keying_costs_the_few_frames(suite: Suite) -> None:
    field = TrustField(suite)
    for index in range(2, 22):
        field.enrol(index, Role.MEMBER if index % 2 else Role.RELAY)
    book = field.book(ROOT)
    found = rekey(Master(2, bytes(16), bytes(range(16))), book.remaining(), book.keyring, b"saltsalt")
    assert len(found.entries) == 20 and Rekey.decode(found.encode()) == found
    assert len(rekey_item(found)) == 20 * 42 + 10
    block = book.keyring.seal(
        BlockId(ROOT, book.keyring.incarnation, Lane.COMMAND, 0),
        KeyClass.TRUST,
        bytes((Content.TRUST,)) + body_of([rekey_item(found)]),
    )
    assert len(block) <= 5 * 190  # LoRa frames of 200 bytes, less their own heads and MACs
    many = RevocationList(1, 3, 2, tuple(Revoked(index) for index in range(2, 22)), bytes(64))
    assert len(many.encode()) <= 160


def test_re_keying_reaches_whom_it_should_and_nobody_else(field: TrustField) -> None:
    books = {index: field.book(index) for index in field.held}
    master = Master(2, b"F" * 16, b"V" * 16)
    found = field.revocation(1, 1, Revoked(3), safe=2)
    books[1].apply([revocation_item(found)], 1)
    item = rekey_item(rekey(master, books[1].remaining(), books[1].keyring, b"saltsalt"))
    for index, book in books.items():
        book.apply([revocation_item(found), item], sender=1)
        assert book.keyring.epoch == (1 if index in (1, 3) else 2)
    member, relay, medic = books[100].keyring, books[4].keyring, books[5].keyring
    block_id = BlockId(100, member.incarnation, Lane.HISTORY, 1)
    assert medic.open(member.seal(block_id, KeyClass.VITAL, b"pulse"), None).body == b"pulse"
    assert relay.check(b"f" + member.mac(b"f")) == b"f"
    stale = books[3].keyring
    with pytest.raises(SealError):
        member.check(b"f" + stale.mac(b"f"))
    assert (
        member.open(stale.seal(BlockId(3, stale.incarnation, Lane.TRACK, 1), KeyClass.FIELD, b"x"), None).level
        is Level.QUARANTINE
    )
    forged = rekey_item(rekey(Master(3, bytes(16), bytes(16)), [field.held[100]], stale, b"saltsalt"))
    for sender in (3, 1):
        assert books[100].apply([forged], sender).refused and books[100].keyring.epoch == 2


def test_a_node_that_missed_a_re_keying_still_hears_of_trust(field: TrustField) -> None:
    sender, late, relay = field.book(1), field.book(100), field.book(4)
    block = sender.keyring.seal(
        BlockId(1, sender.keyring.incarnation, Lane.COMMAND, 5), KeyClass.TRUST, bytes((Content.TRUST,)) + b"rest"
    )
    sender.keyring.add_epoch(2, field.ring(1)._epochs.sealing)
    sender.keyring.enforce({}, 2)
    sender.keyring.add_epoch(3, replace(field.ring(1)._epochs.sealing, transit=b"T" * 16))
    sender.keyring.enforce({}, 3)
    frame = b"fragment" + sender.keyring.mac(b"fragment", trust=True)
    for book in (late, relay):
        with pytest.raises(SealError):
            book.keyring.check(frame)
        assert book.keyring.check_late(frame) == b"fragment"
        assert book.keyring.open(block, None).level is Level.COMMAND


def test_nobody_forges_a_trust_block(field: TrustField) -> None:
    thief = field.ring(4)
    for signer in (field.device(4), None):
        forger = field.ring(1)
        forger.device = signer
        block_id = BlockId(1, forger.incarnation, Lane.COMMAND, 5)
        if signer is None:
            with pytest.raises(SealError):
                forger.seal(block_id, KeyClass.TRUST, b"\x08")
            continue
        with pytest.raises(SealError):
            thief.open(forger.seal(block_id, KeyClass.TRUST, b"\x08"), None)


def test_declared_incarnations(field: TrustField) -> None:
    ring, book = field.ring(3, 0x1234), field.book(100)
    item = incarnation_item(ring, 0x4321)
    assert not book.apply([item], 3).refused
    block = ring.seal(BlockId(3, 0x1234, Lane.HISTORY, 1), KeyClass.FIELD, b"x")
    assert book.keyring._incarnations.known(3, 4)[0] == 0x1234
    assert book.keyring.open(block, None).id.incarnation == 0x1234
    assert book.apply([item[:2] + b"\x12\x35" + item[4:]], 3).refused


def test_an_ended_certificate_lends_no_role(field: TrustField) -> None:
    field.enrol(6, Role.COMMAND, until=1000, since=1)
    book, ring = field.book(3), field.ring(6)
    order = ring.seal(BlockId(6, ring.incarnation, Lane.COMMAND, 1), KeyClass.FIELD, b"\x02order")
    assert book.keyring.open(order, None).level is Level.COMMAND
    assert book.date(999) == [] and book.keyring.open(order, None).level is Level.COMMAND
    assert book.date(1000) == ["N6"] and book.keyring.open(order, None).level is Level.ORIGIN
    assert 6 not in [held.index for held in book.remaining()]


def test_rubbish_is_refused_and_changes_nothing(field: TrustField) -> None:
    ring = field.ring(1)
    items = [
        certificate_item(field.certificate(7, Role.MEMBER)),
        revocation_item(field.revocation(1, 1, Revoked(3, {(1, Lane.TRACK): 5}))),
        rekey_item(rekey(Master(2, bytes(16), bytes(16)), [field.held[3]], ring, b"saltsalt")),
        incarnation_item(ring, 5),
    ]
    chance, book = random.Random(5), field.book(3)
    for turn in range(1500):
        item = bytearray(items[turn % len(items)])
        for _ in range(chance.randint(1, 3)):
            item[chance.randrange(len(item))] ^= 1 << chance.randrange(8)
        if chance.random() < 0.3:
            item = item[: chance.randrange(len(item))]
        assert book.apply([bytes(item)], 1).changed is False
        with suppress(DecodeError):
            items_of(bytes(item))
    assert 7 not in book.roster and not book.keyring.revoked
    assert items_of(body_of(items)) == items
    assert book.apply(items, 1).changed and book.keyring.epoch == 2


def test_a_charter_of_rubbish(field: TrustField) -> None:
    data = bytearray(field.charter.signed(field.device(ROOT)).encode())
    chance = random.Random(9)
    for _ in range(1000):
        mutant = bytearray(data)
        mutant[chance.randrange(len(mutant))] ^= 1 << chance.randrange(8)
        with pytest.raises(SanduanError):
            Charter.read(Reader(bytes(mutant[: chance.randint(0, len(mutant))]))).check(SUITE_1)


def test_no_key_in_what_is_printed(field: TrustField) -> None:
    master = Master(1, demo_key(SEED, "field", 1), demo_key(SEED, "vital", 1))
    shown = repr((master, field.book(1), field.ring(1), demo_device(SEED, 1)))
    assert master.field.hex() not in shown and repr(master.field) not in shown
    assert isinstance(field.book(1), Book)


def test_epochs_cannot_be_used_up_nor_wished_away(field: TrustField) -> None:
    """A captured command node's last acts: a safe epoch that never comes, and a re-keying to the end of all numbers."""
    book, ring = field.book(100), field.ring(2)
    book.apply([revocation_item(field.revocation(2, 1, Revoked(3), safe=1 << 31))], 2)
    far = rekey(Master((1 << 32) - 1, bytes(16), bytes(16)), [field.held[100]], ring, b"saltsalt")
    assert "far ahead" in book.apply([rekey_item(far)], 2).refused[0]
    master = Master(2, b"F" * 16, b"V" * 16)
    found = field.revocation(1, 1, Revoked(2, lists=1, issued=9), safe=2)
    book.apply([revocation_item(found), rekey_item(rekey(master, [field.held[100]], field.ring(1), b"saltsalt"))], 1)
    assert book.keyring.safe_epoch == 2
    with pytest.raises(SealError):
        book.keyring.check(b"f" + ring.mac(b"f"))

"""Sealing: what opens, for whom, how far it proves its author; what must not open raises SealError and nothing else."""

from __future__ import annotations

import random

import pytest

from hardware.errors import SealError
from sync.ids import BlockId, Header, KeyClass, Lane, Level
from sync.seal.contract import MAC, NotForUs, Role, Sealer
from sync.seal.demo import demo_key, demo_keyring, demo_keyrings
from sync.seal.epochs import EpochKeys
from sync.seal.keyring import Keyring

ROLES = {1: Role.COMMAND, 2: Role.MEMBER, 3: Role.RELAY, 4: Role.MEDIC, 5: Role.MEMBER}


@pytest.fixture
def rings() -> dict[int, Keyring]:
    return demo_keyrings(b"seal", ROLES)


def own(ring: Keyring, number: int = 7, lane: Lane = Lane.HISTORY) -> BlockId:
    return BlockId(ring.origin, ring.incarnation, lane, number)


def test_a_keyring_is_a_sealer(rings: dict[int, Keyring]) -> None:
    sealer: Sealer = rings[1]
    assert sealer.origin == 1


@pytest.mark.parametrize(
    ("key_class", "sender", "readers"),
    [
        (KeyClass.FIELD, 2, {1, 2, 4, 5}),
        (KeyClass.VITAL, 2, {1, 2, 4}),
        (KeyClass.VITAL, 1, {1, 4}),
        (KeyClass.PAIR, 2, {1}),
        (KeyClass.PAIR, 3, {1}),
    ],
)
def test_who_reads_what(rings: dict[int, Keyring], key_class: KeyClass, sender: int, readers: set[int]) -> None:
    block = rings[sender].seal(own(rings[sender]), key_class, b"\x01body", to=1)
    assert len(block) <= 15 + 5
    opened = set()
    for index, ring in rings.items():
        try:
            found = ring.open(block, None)
        except SealError:
            assert not ring.readable(Header.decode(block)[0]) or key_class is KeyClass.PAIR
        else:
            assert found.body == b"\x01body" and found.id == own(rings[sender])
            opened.add(index)
    assert opened == readers


def test_what_the_seal_alone_proves(rings: dict[int, Keyring]) -> None:
    field = rings[1].seal(own(rings[1]), KeyClass.FIELD, b"x")
    assert rings[2].open(field, None).level is Level.MEMBER
    assert rings[2].open(rings[1].seal(own(rings[1]), KeyClass.PAIR, b"x", to=2), None).level is Level.COMMAND
    assert rings[1].open(rings[2].seal(own(rings[2]), KeyClass.PAIR, b"x", to=1), None).level is Level.ORIGIN


def test_a_pairwise_block_for_another_is_told_apart(rings: dict[int, Keyring]) -> None:
    block = rings[2].seal(own(rings[2]), KeyClass.PAIR, b"x", to=1)
    with pytest.raises(NotForUs):
        rings[4].open(block, None)


def test_the_full_incarnation_is_searched_found_and_kept(rings: dict[int, Keyring]) -> None:
    restored = demo_keyring(b"seal", ROLES, 2, rings[2].incarnation ^ 0x4321)
    block = restored.seal(own(restored), KeyClass.FIELD, b"x")
    assert rings[1].open(block, None).id.incarnation == restored.incarnation
    with pytest.raises(SealError):
        rings[1].open(block, rings[2].incarnation)


def test_junk_buys_few_searches(rings: dict[int, Keyring]) -> None:
    ring, junk = rings[1], b"\x00" * 40
    header = Header(1, Lane.BULK, KeyClass.FIELD, 1, 9, 2, 5).encode()
    tried = 0
    for _ in range(200):
        tried += len(list(ring._candidates(Header.decode(header)[0], None, len(header + junk))))
        with pytest.raises(SealError):
            ring.open(header + junk, None)
    assert tried <= 8 * 4096


def test_only_own_ids_are_sealed(rings: dict[int, Keyring]) -> None:
    for foreign in (own(rings[2]), own(rings[1])._replace(incarnation=rings[1].incarnation ^ 1)):
        with pytest.raises(SealError):
            rings[1].seal(foreign, KeyClass.FIELD, b"x")


def test_two_devices_on_one_index_never_share_a_key(rings: dict[int, Keyring]) -> None:
    other = demo_keyring(b"seal", ROLES, 2, rings[2].incarnation)
    twin = Keyring(
        other.incident,
        2,
        other.incarnation,
        {1: demo_key(b"seal", "field", 1)},
        device=demo_keyring(b"twin", ROLES, 2, 0).device,
    )
    assert twin.seal(own(other), KeyClass.FIELD, b"same") != other.seal(own(other), KeyClass.FIELD, b"same")


def test_hop_mac_keeps_outsiders_out(rings: dict[int, Keyring]) -> None:
    frame = b"digest"
    sealed = frame + rings[2].mac(frame)
    assert len(sealed) == len(frame) + MAC
    assert rings[3].check(sealed) == frame == rings[1].check(sealed)
    outside = demo_keyrings(b"elsewhere", ROLES)[1]
    for wrong in (frame + outside.mac(frame), sealed[:-1], sealed + b"\0", b"", b"abc", bytes(10)):
        with pytest.raises(SealError):
            rings[1].check(wrong)


def test_epochs_live_side_by_side_until_one_is_unsafe() -> None:
    ring = demo_keyring(b"seal", ROLES, 1, 17, epochs=(15, 16, 31))
    old = demo_keyring(b"seal", ROLES, 2, 18, epochs=(15,))
    block, frame = old.seal(own(old), KeyClass.FIELD, b"x"), b"f" + old.mac(b"f")
    assert ring.epoch == 31
    assert ring.open(block, None).level is Level.MEMBER and ring.check(frame) == b"f"
    ring.enforce({}, 32)
    assert ring.check(frame) == b"f"  # until the safe epoch's keys come, the old ones are all there is
    ring.enforce({}, 16)
    assert ring.open(block, None).level is Level.QUARANTINE
    with pytest.raises(SealError):
        ring.check(frame)
    assert ring.check_late(frame) == b"f"


def test_two_re_keyings_with_one_number_agree(rings: dict[int, Keyring]) -> None:
    one, two = (EpochKeys(bytes([n]) * 16, bytes([n + 8]) * 16) for n in (1, 2))
    for ring, order in ((rings[1], (one, two)), (rings[2], (two, one))):
        for keys in order:
            ring.add_epoch(2, keys)
    lone = demo_keyrings(b"seal", ROLES)[5]
    lone.add_epoch(2, two)
    assert rings[1].mac(b"f") == rings[2].mac(b"f") != lone.mac(b"f")
    for sender in (rings[2], lone):
        assert rings[1].open(sender.seal(own(sender), KeyClass.FIELD, b"x"), None).body == b"x"


def test_revoked_beyond_its_last_trusted_number(rings: dict[int, Keyring]) -> None:
    before, after = (rings[2].seal(own(rings[2], number), KeyClass.FIELD, b"x") for number in (10, 11))
    rings[1].enforce({2: {(rings[2].incarnation, Lane.HISTORY): 10}}, 0)
    assert rings[1].open(before, None).level is Level.MEMBER
    assert rings[1].open(after, None).level is Level.QUARANTINE
    signature = rings[2].sign(b"m")
    assert rings[1].verify_block(own(rings[2], 10), b"m", signature) is Level.ORIGIN
    for refused in (
        lambda: rings[1].verify(2, b"m", signature),
        lambda: rings[1].verify_block(own(rings[2], 11), b"m", signature),
    ):
        with pytest.raises(SealError):
            refused()


def test_signatures_prove_role(rings: dict[int, Keyring]) -> None:
    assert rings[5].verify(1, b"m", rings[1].sign(b"m")) is Level.COMMAND
    assert rings[5].verify(4, b"m", rings[4].sign(b"m")) is Level.ORIGIN
    for origin, message, signature in (
        (2, b"m", rings[1].sign(b"m")),
        (1, b"n", rings[1].sign(b"m")),
        (9, b"m", bytes(64)),
        (1, b"m", b""),
    ):
        with pytest.raises(SealError):
            rings[5].verify(origin, message, signature)


def test_enclosed_secrets_reach_one_node_only(rings: dict[int, Keyring]) -> None:
    enclosed = rings[1].enclose(2, b"salt" * 2, b"k" * 32)
    assert len(enclosed) == 40 and rings[2].disclose(1, b"salt" * 2, enclosed) == b"k" * 32
    for wrong in (
        lambda: rings[4].disclose(1, b"salt" * 2, enclosed),
        lambda: rings[2].disclose(1, b"tlas" * 2, enclosed),
        lambda: rings[1].enclose(2, b"short", b"k"),
    ):
        with pytest.raises(SealError):
            wrong()


def test_no_key_in_any_repr(rings: dict[int, Keyring]) -> None:
    assert repr(rings[1]) == f"Keyring(origin=1, incarnation={rings[1].incarnation:04x}, suite=1)"


def test_mutants_are_refused(rings: dict[int, Keyring]) -> None:
    rng = random.Random(1)
    block = rings[2].seal(own(rings[2]), KeyClass.FIELD, b"\x01" + bytes(60))
    for _ in range(3000):
        mutant = bytearray(block)
        for _ in range(rng.randint(1, 3)):
            mutant[rng.randrange(len(mutant))] ^= rng.randint(1, 255)
        mutant = mutant[: rng.randint(0, len(mutant))] if rng.random() < 0.3 else mutant
        if bytes(mutant) != block:
            with pytest.raises(SealError):
                rings[1].open(bytes(mutant), rings[2].incarnation)


def test_flash_and_command_blocks_prove_their_author(rings: dict[int, Keyring]) -> None:
    for lane in (Lane.FLASH, Lane.COMMAND):
        for sender, level in ((1, Level.COMMAND), (2, Level.ORIGIN)):
            block = rings[sender].seal(own(rings[sender], lane=lane), KeyClass.FIELD, b"\x02order")
            opened = rings[5].open(block, None)
            assert (opened.body, opened.level) == (b"\x02order", level)
            assert len(block) <= 6 + rings[sender].overhead(lane, KeyClass.FIELD)
    bare = rings[1].seal(own(rings[1], lane=Lane.FLASH), KeyClass.FIELD, b"\x02order", signed=False)
    assert rings[5].open(bare, None).level is Level.MEMBER


def test_a_member_cannot_sign_for_command(rings: dict[int, Keyring]) -> None:
    """With every key that a member holds, an order in command's name opens for nobody."""
    stolen = {1: demo_key(b"seal", "field", 1)}
    forger = Keyring(
        rings[1].incident, 1, rings[1].incarnation, stolen, device=rings[2].device, directory=rings[2].directory
    )
    with pytest.raises(SealError):
        rings[5].open(forger.seal(own(forger, lane=Lane.FLASH), KeyClass.FIELD, b"\x02evacuate"), None)
    unsigned = forger.seal(own(forger, lane=Lane.FLASH), KeyClass.FIELD, b"\x02evacuate", signed=False)
    assert rings[5].open(unsigned, None).level is Level.MEMBER


def test_a_word_to_one_node_is_no_other_members_to_give(rings: dict[int, Keyring]) -> None:
    said = b"have all"
    word = rings[1].vouch(said, 2)
    assert len(word) == 4 and rings[2].vouched_here(1, said, word)
    assert not rings[2].vouched_here(1, b"have more", word) and not rings[4].vouched_here(1, said, word)
    assert not rings[2].vouched_here(5, said, word) and not rings[2].vouched_here(9, said, word)
    to_all = rings[1].vouch(said)
    assert rings[5].vouched(1, said, to_all) and not rings[2].vouched_here(1, said, to_all)
    assert rings[3].vouch(said, 1) == b""  # a relay gives none
    rings[2].enforce({1: {}})
    assert not rings[2].vouched_here(1, said, word)

"""Proof of origin apart from the block: small signature blocks, hash lists over history; and what each level lets one do."""

from __future__ import annotations

import random

import pytest

from hardware.clock import ClockQuality, Stamp
from hardware.errors import DecodeError, SealError
from sync.events import BY_NAME
from sync.ids import BlockId, Content, KeyClass, Lane, Level, Source
from sync.records import Event, EventId
from sync.seal.contract import Opened, Role
from sync.seal.demo import demo_keyrings
from sync.seal.keyring import Keyring
from sync.trust.proofs import (
    LISTED,
    block_hash,
    hashes_body,
    holds,
    read_hashes,
    read_signature,
    signature_body,
    signed_id,
)
from sync.trust.standing import Standing, drawn, standing

ROLES = {1: Role.COMMAND, 2: Role.MEMBER, 3: Role.RELAY}


@pytest.fixture
def rings() -> dict[int, Keyring]:
    return demo_keyrings(b"proofs", ROLES)


def sealed(ring: Keyring, number: int, lane: Lane = Lane.HISTORY, body: bytes = b"\x01row") -> bytes:
    return ring.seal(BlockId(ring.origin, ring.incarnation, lane, number), KeyClass.FIELD, body, signed=False)


def carried(ring: Keyring, body: bytes, lane: Lane = Lane.HISTORY) -> Opened:
    """A proof block as its receiver opens it."""
    return Opened(BlockId(ring.origin, ring.incarnation, lane, 99), body, Level.MEMBER)


def test_an_order_of_one_rdss_message_is_proven_by_a_second_one(rings: dict[int, Keyring]) -> None:
    order = sealed(rings[1], 7, Lane.FLASH, b"\x02" + bytes(62 - 14))
    assert len(order) <= 63
    assert rings[2].open(order, None).level is Level.MEMBER
    proof = carried(
        rings[1], signature_body(rings[1], BlockId(1, rings[1].incarnation, Lane.FLASH, 7), order), Lane.FLASH
    )
    assert len(proof.body) == 2 + 1 + 64
    short = signature_body(rings[1], BlockId(1, rings[1].incarnation, Lane.FLASH, 98), order, proof.id)
    assert len(short) == 65 and signed_id(carried(rings[1], short, Lane.FLASH)).number == 98
    assert signed_id(proof) == BlockId(1, rings[1].incarnation, Lane.FLASH, 7)
    assert read_signature(proof, rings[2], order) is Level.COMMAND
    with pytest.raises(SealError):
        read_signature(proof, rings[2], sealed(rings[1], 7, Lane.FLASH, b"\x02other"))


def test_a_list_proves_history_and_one_lost_block_spoils_nothing(rings: dict[int, Keyring]) -> None:
    blocks = [sealed(rings[2], 20 + at) for at in range(LISTED)]
    body = hashes_body(rings[2], Source(2, rings[2].incarnation, Lane.HISTORY), 20, blocks)
    assert len(body) <= 15 * LISTED
    proofs = read_hashes(carried(rings[2], body), rings[1])
    assert [proof.id.number for proof in proofs] == list(range(20, 20 + LISTED))
    assert {proof.level for proof in proofs} == {Level.ORIGIN}
    assert all(holds(proof, rings[1], block) for proof, block in zip(proofs, blocks) if proof.id.number != 25)
    forged = sealed(rings[2], 20, body=b"\x01forged")
    assert not holds(proofs[0], rings[1], forged) and block_hash(rings[1], forged) != proofs[0].hash


def test_a_member_cannot_prove_for_another(rings: dict[int, Keyring]) -> None:
    blocks = [sealed(rings[1], at) for at in range(3)]
    body = hashes_body(rings[2], Source(1, rings[1].incarnation, Lane.HISTORY), 0, blocks)
    with pytest.raises(SealError):
        read_hashes(carried(rings[1], body), rings[3])
    with pytest.raises(SealError):
        read_hashes(carried(rings[2], body), rings[3])


def test_a_revoked_node_proves_only_what_was_trusted(rings: dict[int, Keyring]) -> None:
    blocks = [sealed(rings[2], at) for at in range(8)]
    body = hashes_body(rings[2], Source(2, rings[2].incarnation, Lane.HISTORY), 0, blocks)
    rings[1].enforce({2: {(rings[2].incarnation, Lane.HISTORY): 4}}, 0)
    assert [proof.id.number for proof in read_hashes(carried(rings[2], body), rings[1])] == [0, 1, 2, 3, 4]
    rings[1].enforce({2: {}}, 0)
    with pytest.raises(SealError):
        read_hashes(carried(rings[2], body), rings[1])


def test_rubbish_proves_nothing(rings: dict[int, Keyring]) -> None:
    source = Source(2, rings[2].incarnation, Lane.HISTORY)
    body, chance = hashes_body(rings[2], source, 5, [sealed(rings[2], 5)]), random.Random(3)
    for _ in range(500):
        mutant = bytearray(body)
        mutant[chance.randrange(len(mutant))] ^= 1 << chance.randrange(8)
        mutant = mutant[: chance.randint(0, len(mutant))]
        with pytest.raises((DecodeError, SealError)):
            read_hashes(carried(rings[2], bytes(mutant)), rings[1])
        with pytest.raises((DecodeError, SealError)):
            read_signature(carried(rings[2], bytes((Content.SIGNATURE,)) + bytes(mutant[1:])), rings[1], b"")


def event(kind: str, valid_s: int | None = 600) -> Event:
    return Event(
        EventId(1, 1, 1), BY_NAME[kind].number, "", 1, Stamp(1, 0, None, ClockQuality.NONE), {}, valid_s=valid_s
    )


@pytest.mark.parametrize(
    ("kind", "level", "valid_s", "age_s", "wanted"),
    [
        ("evacuate", Level.COMMAND, 600, 599.0, Standing.ACTIONABLE),
        ("evacuate", Level.COMMAND, 600, 601.0, Standing.EXPIRED),
        ("evacuate", Level.COMMAND, None, 0.0, Standing.EXPIRED),
        ("evacuate", Level.ORIGIN, 600, 0.0, Standing.UNPROVEN),
        ("order", Level.MEMBER, 600, 0.0, Standing.UNPROVEN),
        ("order", Level.GUEST, 600, 0.0, Standing.ASIDE),
        ("order", Level.QUARANTINE, 600, 0.0, Standing.ASIDE),
        ("sos", Level.QUARANTINE, 600, 0.0, Standing.ASIDE),
        ("sos", Level.GUEST, None, 0.0, Standing.SHOWN),
        ("checkin", Level.GUEST, None, 0.0, Standing.SHOWN),
        ("casualty", Level.GUEST, None, 0.0, Standing.ASIDE),
        ("sos", Level.MEMBER, None, 0.0, Standing.SHOWN),
        ("incident", Level.COMMAND, None, 1e9, Standing.ACTIONABLE),
        ("incident", Level.MEMBER, None, 0.0, Standing.UNPROVEN),
    ],
)
def test_what_each_level_lets_one_do(
    kind: str, level: Level, valid_s: int | None, age_s: float, wanted: Standing
) -> None:
    assert standing(event(kind, valid_s), level, age_s) is wanted
    assert drawn(level) is (level is not Level.QUARANTINE)
    assert wanted.zh

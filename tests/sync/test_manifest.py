"""A manifest is read by every node of the incident, by nobody else, and says only what its writer signed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware.errors import DecodeError, SealError
from sync.ids import Lane
from sync.manifest import DIGEST, Manifest, open_manifest, seal_manifest
from sync.seal.contract import Role
from sync.seal.demo import demo_keyrings

RINGS = demo_keyrings(b"sticks", {1: Role.MEMBER, 2: Role.COMMAND, 3: Role.RELAY})
STRANGER = demo_keyrings(b"another incident", {1: Role.MEMBER})[1]
PLAIN = Manifest(
    1, RINGS[1].incarnation, 4, (2, 3), "骡马 MULE-1", {Lane.FLASH: 2, Lane.HISTORY: 900}, made_ms=1_784_300_000_000
)


@pytest.mark.parametrize("reader", [1, 2, 3])
def test_every_node_reads_it(reader: int) -> None:
    assert open_manifest(seal_manifest(PLAIN, RINGS[1]), RINGS[reader]) == PLAIN


def test_no_stranger_reads_it() -> None:
    record = seal_manifest(PLAIN, RINGS[1])
    assert "骡马".encode() not in record
    with pytest.raises(SealError):
        open_manifest(record, STRANGER)


def test_the_totals_do_not_change_its_length() -> None:
    full = replace(PLAIN, size=1 << 40, frames=1 << 20, digest=b"x" * DIGEST, made_ms=None)
    assert len(seal_manifest(full, RINGS[1])) == len(seal_manifest(PLAIN, RINGS[1]))


def test_another_node_cannot_sign_for_its_writer() -> None:
    forged = seal_manifest(PLAIN, RINGS[3])
    with pytest.raises(SealError):
        open_manifest(forged, RINGS[2])


def test_every_changed_byte_is_noticed() -> None:
    record = seal_manifest(PLAIN, RINGS[1])
    for at in range(len(record)):
        changed = bytearray(record)
        changed[at] ^= 1
        with pytest.raises((SealError, DecodeError)):
            open_manifest(bytes(changed), RINGS[2])


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=120))
def test_nothing_else_leaves_the_decoder(data: bytes) -> None:
    try:
        Manifest.decode(data)
    except DecodeError:
        return
    assert len(data) > 30

"""Sealing: what it costs in bytes and time under both suites, and a short run of the mutations that must all be refused."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any, Final

from hardware.errors import SealError
from sync.ids import BlockId, KeyClass, Lane
from sync.seal.contract import MAC, TAG, Role
from sync.seal.demo import demo_keyrings
from sync.seal.guomi import SUITE_2
from sync.seal.keyring import Keyring
from sync.seal.suite import SUITE_1, Suite
from sync.trust.certificate import Certificate, issue
from sync.trust.rekey import Master, rekey
from sync.trust.revocation import RevocationList, Revoked

SUITES: Final[dict[str, Suite]] = {"suite_1": SUITE_1, "suite_2": SUITE_2}
BARS: Final = {"suite_1": 50_000, "suite_2": 10_000}  # frames sealed and opened each second
ROLES: Final = {1: Role.COMMAND, 2: Role.MEMBER}
BODY: Final = bytes(range(60))


def run(frames: int = 20_000, mutants: int = 20_000, seed: int = 20261125) -> dict[str, Any]:
    """Bytes of header and tag, frames sealed and opened per second of one core, and mutated frames accepted."""
    suites = {name: _suite(suite, frames, mutants, seed) for name, suite in SUITES.items()}
    sizes = _sizes()
    fast = all(
        min(suites[name]["seal_per_s"], suites[name]["open_per_s"]) >= bar and not suites[name]["mutants_accepted"]
        for name, bar in BARS.items()
    )
    return {
        **sizes,
        **suites,
        "bar_per_s": BARS,
        "ok": fast and sizes["header_and_tag_bytes"]["most"] <= 15 and sizes["hop_mac_bytes"] == 4,
    }


def _sizes() -> dict[str, Any]:
    """What goes out beside the content: typical is a fleet below 128 nodes and numbers below 16,384."""
    ring = demo_keyrings(b"bench seal", {2: Role.COMMAND})[2]
    far = demo_keyrings(b"bench seal", {16_383: Role.MEMBER})[16_383]
    members = dict.fromkeys(range(3, 23), Role.MEMBER)
    crew = demo_keyrings(b"bench seal", {2: Role.COMMAND, **members})
    nodes = [Certificate(index, Role.MEMBER, "", crew[2].directory[index].public, 2, index) for index in members]
    assert ring.device is not None
    certificate = issue(
        Certificate(7, Role.MEMBER, "V7", bytes(64), 2, 9, 29_000_000, 29_050_000), bytes(16), ring.device
    )
    revoked = RevocationList(2, 3, 2, tuple(Revoked(index) for index in members), bytes(64))
    return {
        "header_and_tag_bytes": {"typical": _overhead(ring, 9_999), "most": _overhead(far, 2_000_000)},
        "hop_mac_bytes": MAC,
        "tag_bytes": TAG,
        "certificate_bytes": len(certificate.encode()),
        "revocation_of_20_bytes": len(revoked.encode()),
        "rekey_of_20_bytes": len(rekey(Master(2, bytes(16), bytes(16)), nodes, crew[2], bytes(8)).encode()),
    }


def _overhead(ring: Keyring, number: int) -> int:
    block_id = BlockId(ring.origin, ring.incarnation, Lane.HISTORY, number)
    return len(ring.seal(block_id, KeyClass.FIELD, BODY)) - len(BODY)


def _suite(suite: Suite, frames: int, mutants: int, seed: int) -> dict[str, Any]:
    rings = demo_keyrings(b"bench seal", ROLES, suite)
    sender, receiver = rings[2], rings[1]
    message, signature = b"m" * 120, sender.sign(b"m" * 120)
    sealed: list[bytes] = []

    def seal(number: int) -> None:
        block_id = BlockId(2, sender.incarnation, Lane.HISTORY, number)
        block = sender.seal(block_id, KeyClass.FIELD, BODY)
        sealed.append(block + sender.mac(block))

    def open_(number: int) -> None:
        receiver.open(receiver.check(sealed[number]), sender.incarnation)

    rows = {
        "seal_per_s": _rate(seal, frames),
        "open_per_s": _rate(open_, frames),
        "sign_per_s": _rate(lambda _: sender.sign(message), max(1, frames // 20)),
        "verify_per_s": _rate(lambda _: receiver.verify(2, message, signature), max(1, frames // 20)),
    }
    return {**rows, "mutants": mutants, "mutants_accepted": mutated(suite, mutants, seed)}


def _rate(act: Callable[[int], object], count: int) -> int:
    start = time.process_time()
    for number in range(count):
        act(number)
    return round(count / max(1e-9, time.process_time() - start))


def mutated(suite: Suite, count: int, seed: int) -> int:
    """How many of `count` mutated frames got past hop MAC or tag; any exception but SealError leaves this function."""
    rings = demo_keyrings(b"bench seal", ROLES, suite)
    sender, receiver, chance = rings[2], rings[1], random.Random(seed)
    blocks = []
    for number in range(64):
        lane, key_class = chance.choice(list(Lane)), chance.choice((KeyClass.FIELD, KeyClass.VITAL, KeyClass.TRUST))
        block_id = BlockId(2, sender.incarnation, lane, number * 17)
        blocks.append(sender.seal(block_id, key_class, chance.randbytes(chance.randint(1, 120))))
    accepted = 0
    for _ in range(count):
        block = chance.choice(blocks)
        mutant = mutant_of(block, chance)
        frame = mutant_of(block + sender.mac(block), chance)
        accepted += mutant != block and _taken(receiver.open, mutant, sender.incarnation)
        accepted += frame[:-MAC] != block and _taken(receiver.check, frame)
    return accepted


def mutant_of(data: bytes, chance: random.Random) -> bytes:
    """Bits flipped, bytes cut off, put in, put at the end, or all of it random."""
    kind, out = chance.randrange(5), bytearray(data)
    if kind == 4:
        return chance.randbytes(chance.randint(0, len(data) + 8))
    for _ in range(chance.randint(1, 3)):
        out[chance.randrange(len(out))] ^= 1 << chance.randrange(8)
    if kind == 1:
        del out[chance.randrange(len(out)) :]
    elif kind == 2:
        out += chance.randbytes(chance.randint(1, 16))
    elif kind == 3:
        at = chance.randrange(len(out))
        out[at:at] = chance.randbytes(chance.randint(1, 4))
    return bytes(out)


def _taken(take: Callable[..., object], *args: object) -> bool:
    try:
        take(*args)
    except SealError:
        return False
    return True

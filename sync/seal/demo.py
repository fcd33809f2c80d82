"""Keyrings for exercises, tests and the simulator, all from one seed. Never for the field: who knows the seed knows all."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from sync.ids import KeyClass
from sync.seal.contract import Peer, Role
from sync.seal.epochs import origin_key, transit_of
from sync.seal.keyring import Keyring
from sync.seal.suite import KEY, SUITE_1, Device, Suite


def demo_keyrings(
    seed: bytes, roles: Mapping[int, Role], suite: Suite = SUITE_1, epochs: tuple[int, ...] = (1,)
) -> dict[int, Keyring]:
    """One keyring for each roster index, every node certified to every other; the same seed gives the same keys."""
    return {
        origin: demo_keyring(seed, roles, origin, demo_incarnation(seed, origin), suite, epochs) for origin in roles
    }


def demo_keyring(
    seed: bytes,
    roles: Mapping[int, Role],
    origin: int,
    incarnation: int,
    suite: Suite = SUITE_1,
    epochs: tuple[int, ...] = (1,),
) -> Keyring:
    """The keyring of one node under an incarnation of the caller's; it holds what its role may hold."""
    incident = demo_incident(seed)
    directory = {index: Peer(demo_device(seed, index, suite).public, role) for index, role in roles.items()}
    device, role, trust = demo_device(seed, origin, suite), roles[origin], demo_key(seed, "trust", 0)
    field = {epoch: demo_key(seed, "field", epoch) for epoch in epochs}
    vital = {epoch: demo_key(seed, "vital", epoch) for epoch in epochs}
    own = {
        epoch: origin_key(suite, incident, key, KeyClass.VITAL, origin, device.public) for epoch, key in vital.items()
    }
    if role is Role.RELAY:
        transit = {epoch: transit_of(suite, incident, key) for epoch, key in field.items()}
        return Keyring(incident, origin, incarnation, {}, transit, None, None, device, directory, suite, trust)
    all_vital = vital if role in (Role.MEDIC, Role.COMMAND) else None
    return Keyring(incident, origin, incarnation, field, None, all_vital, own, device, directory, suite, trust)


def demo_incarnation(seed: bytes, origin: int) -> int:
    """The incarnation that `demo_keyrings` gives a node."""
    return int.from_bytes(_secret(seed, "incarnation", origin)[:2], "big")


def demo_device(seed: bytes, origin: int, suite: Suite = SUITE_1) -> Device:
    """The device key of a node."""
    return suite.load(demo_private(seed, origin))


def demo_private(seed: bytes, origin: int) -> bytes:
    """What that device key is made from."""
    return _secret(seed, "device", origin)


def demo_incident(seed: bytes) -> bytes:
    """The id of the incident."""
    return _secret(seed, "incident", 0)[:16]


def demo_key(seed: bytes, what: str, epoch: int) -> bytes:
    """The "field" or "vital" key of an epoch, or the lasting "trust" key of epoch 0."""
    return _secret(seed, what, epoch)[:KEY]


def _secret(seed: bytes, what: str, number: int) -> bytes:
    return hashlib.blake2b(what.encode() + number.to_bytes(4, "big"), key=hashlib.sha256(seed).digest()).digest()

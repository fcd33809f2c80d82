"""Identities of a simulated force: all enrolled by one root, everything from the run's seed, in files as in the field."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from edge.identity.enrol import FIRST_EPOCH, file_of
from edge.identity.identity import KEY_FILE, Identity, Secrets
from edge.identity.vault import file_lock
from sync.ids import KeyClass
from sync.records import Anchor
from sync.seal.contract import Role
from sync.seal.demo import demo_device, demo_incident, demo_key, demo_private
from sync.seal.epochs import origin_key, transit_of
from sync.seal.suite import SUITE_1
from sync.trust.certificate import INDEXES, Certificate, issue
from sync.trust.charter import Charter

UNLOCK: Final = bytes(64)  # the key file: what lies in a simulation's folder is no secret


def identities(
    folder: Path, seed: bytes, title: str, anchor: Anchor, roles: Mapping[int, Role], names: Mapping[int, str]
) -> dict[int, Identity]:
    """One identity for each roster index; the first command node is the root and has let everybody in."""
    key = folder / KEY_FILE
    key.write_bytes(UNLOCK)
    lock, incident = file_lock(key, bytes(16)), demo_incident(seed)
    first = next(node for node, role in roles.items() if role is Role.COMMAND)
    device = demo_device(seed, first)
    rooted = Certificate(first, Role.COMMAND, names[first], device.public, first, 1, first=1, count=INDEXES - 1)
    charter = Charter(incident, SUITE_1.number, title, anchor, issue(rooted, incident, device)).signed(device)
    drafts = [
        Certificate(node, role, names[node], demo_device(seed, node).public, first, serial)
        for serial, (node, role) in enumerate(roles.items(), 2)
        if node != first
    ]
    certificates = [issue(draft, incident, device).encode() for draft in drafts]
    made = {}
    for node, role in roles.items():
        epochs = {FIRST_EPOCH: [_keys(seed, incident, node, role)]}
        trust = demo_key(seed, "trust", 0)
        kept = Secrets(
            charter.encode(), node, demo_private(seed, node), trust, len(roles), epochs, certificates=list(certificates)
        )
        made[node] = Identity.make(file_of(folder, node), lock, kept, names[node])
    return made


def _keys(seed: bytes, incident: bytes, node: int, role: Role) -> list[bytes | None]:
    """Transit, field, vital and own vital key, as far as the role may hold them."""
    field, vital = demo_key(seed, "field", FIRST_EPOCH), demo_key(seed, "vital", FIRST_EPOCH)
    transit = transit_of(SUITE_1, incident, field)
    if role is Role.RELAY:
        return [transit, None, None, None]
    if role is Role.MEMBER:
        own = origin_key(SUITE_1, incident, vital, KeyClass.VITAL, node, demo_device(seed, node).public)
        return [transit, field, None, own]
    return [transit, field, vital, None]

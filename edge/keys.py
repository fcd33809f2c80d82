"""A node's keys for one incident in one TOML file of mode 0600: made for every node at once, each with what its role may hold."""

from __future__ import annotations

import os
import secrets
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hardware.errors import ConfigError, SealError
from sync.ids import KeyClass
from sync.seal.contract import Peer, Role
from sync.seal.epochs import EpochKeys, origin_key, transit_of
from sync.seal.keyring import Keyring
from sync.seal.suite import KEY, SUITE_1, Device, Suite
from sync.seal.suites import suite_of

FIRST_EPOCH: Final = 1
DEVICE: Final = 64
READERS: Final = (Role.MEDIC, Role.COMMAND)  # who may see everyone's vital signs
PARTS: Final = ("transit", "field", "vital", "own_vital")
HEADING: Final = (
    "# 三断:节点 {node} 的密钥,绝密。谁有它,谁就是这个节点。\n"
    "# Sanduan: keys of node {node}, secret. Whoever has them is this node.\n"
)


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    """What one node holds. roster: every node's public key and role by roster index."""

    incident: bytes
    node: int
    suite: Suite
    device: Device
    epochs: Mapping[int, EpochKeys]
    roster: Mapping[int, Peer]

    @property
    def role(self) -> Role:
        """What this node's certificate lets it do."""
        return self.roster[self.node].role

    def with_role(self, *roles: Role) -> frozenset[int]:
        """The nodes that have one of these roles."""
        return frozenset(node for node, peer in self.roster.items() if peer.role in roles)

    def keyring(self, incarnation: int) -> Keyring:
        """The sealer of one life of the node's store."""
        ring = Keyring(
            self.incident, self.node, incarnation, {}, device=self.device, directory=self.roster, suite=self.suite
        )
        for epoch, keys in sorted(self.epochs.items()):
            ring.add_epoch(epoch, keys)
        return ring


def file_of(folder: Path, node: int) -> Path:
    """Where `create` puts a node's keys."""
    return folder / f"node{node}.keys"


def create(folder: Path, roles: Mapping[int, Role], suite: Suite = SUITE_1) -> list[Path]:
    """Make a new incident's keys, a file for each node; ConfigError where one lies already. OSError when it cannot be written."""
    incident, field, vital = (secrets.token_bytes(KEY) for _ in range(3))
    private = {node: secrets.token_bytes(DEVICE) for node in roles}
    public = {node: suite.load(key).public for node, key in private.items()}
    roster = {node: Peer(public[node], role) for node, role in roles.items()}
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for node, role in roles.items():
        own = origin_key(suite, incident, vital, KeyClass.VITAL, node, public[node])
        transit = transit_of(suite, incident, field)
        held = EpochKeys(transit, field, vital if role in READERS else None, own)
        epochs = {FIRST_EPOCH: EpochKeys(transit) if role is Role.RELAY else held}
        paths.append(
            _write(file_of(folder, node), "\n".join(_lines(incident, node, suite, private[node], epochs, roster)))
        )
    return paths


def _lines(
    incident: bytes,
    node: int,
    suite: Suite,
    private: bytes,
    epochs: Mapping[int, EpochKeys],
    roster: Mapping[int, Peer],
) -> Iterator[str]:
    yield HEADING.format(node=node) + f'incident = "{incident.hex()}"'
    yield f'node = {node}\nsuite = {suite.number}\ndevice = "{private.hex()}"\n'
    for epoch, keys in epochs.items():
        yield f"[epochs.{epoch}]"
        yield from (f'{part} = "{key.hex()}"' for part in PARTS if (key := getattr(keys, part)) is not None)
    yield "\n[roster]"
    yield from (f'{index} = {{role = "{peer.role.name.lower()}", public = "{peer.public.hex()}"}}' for index, peer in roster.items())  # fmt: skip


def _write(path: Path, text: str) -> Path:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ConfigError(
            str(path), "keys", "exists", "a new file; keys are never overwritten (不覆盖已有密钥)"
        ) from None
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text + "\n")
    return path


def load(path: Path, node: int) -> Keys:
    """The keys of `node` from its file; ConfigError says what is wrong, and never a key."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _wrong(path, "file", error.strerror or "") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError):
        raise _wrong(path, "file", "no TOML") from None
    if data.get("node") != node:
        raise ConfigError(
            str(path), "node", data.get("node"), f"{node}, as in [station] node (须与 [station] node 一致)"
        )
    try:
        return _keys(data)
    except (KeyError, TypeError, ValueError, AttributeError, SealError) as error:
        raise _wrong(path, "keys", type(error).__name__) from None


def _keys(data: Mapping[str, Any]) -> Keys:
    suite = suite_of(data["suite"])
    epochs = {
        int(epoch): EpochKeys(**{part: bytes.fromhex(row[part]) for part in PARTS if part in row})
        for epoch, row in data["epochs"].items()
    }
    roster = {
        int(node): Peer(bytes.fromhex(row["public"]), Role[row["role"].upper()]) for node, row in data["roster"].items()
    }
    keys = Keys(bytes.fromhex(data["incident"]), data["node"], suite, suite.load(bytes.fromhex(data["device"])), epochs, roster)  # fmt: skip
    if roster[keys.node].public != keys.device.public:
        raise ValueError("the roster names another device")
    keys.keyring(0)
    return keys


def _wrong(path: Path, key: str, value: str) -> ConfigError:
    return ConfigError(str(path), key, value, "a key file made by sanduan keys (由 sanduan keys 生成的密钥文件)")

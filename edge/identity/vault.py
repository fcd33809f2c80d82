"""Secrets at rest: one TOML file of mode 0600 whose content is sealed under a passphrase or a key file.

Its heading is readable, so that a person knows whose file it is; everything secret is inside `sealed`. It is replaced whole or
not at all, and never put in the place of another file. `destroy` overwrites it before the name goes.
"""

from __future__ import annotations

import base64
import os
import secrets
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from hardware.errors import ConfigError, SealError
from radios.bundle import sync_folder
from sync.seal.suite import KEY, NONCE, Aead, Suite, derive
from sync.seal.suites import suite_of

FORM: Final = 1
SALT: Final = 16
WORK: Final = 1 << 15  # scrypt's cost: 32 MiB and some 80 ms for each try at a passphrase
LEAST_KEY: Final = 32  # bytes of a key file
LEAST_PASSPHRASE: Final = 8  # characters
MODE: Final = 0o600
BY_PASSPHRASE, BY_FILE = "passphrase", "file"
HEADING: Final = (
    "# 三断:身份文件,绝密。谁能打开它,谁就是这个节点。\n"
    "# Sanduan: an identity, secret. Whoever can open it is this node.\n"
)


@dataclass(frozen=True, slots=True)
class Label:
    """What may be read without the key: whose identity it is."""

    incident: str
    node: int
    name: str
    suite: int


@dataclass(frozen=True, slots=True, repr=False)
class Lock:
    """A file's key, derived once; by: what it was derived from."""

    by: str
    salt: bytes
    key: bytes


def passphrase_lock(passphrase: str, salt: bytes | None = None) -> Lock:
    """A lock that a person opens; SealError when the passphrase is too short."""
    if len(passphrase) < LEAST_PASSPHRASE:
        raise SealError(f"a passphrase has at least {LEAST_PASSPHRASE} characters (口令至少 {LEAST_PASSPHRASE} 个字符)")
    return _lock(BY_PASSPHRASE, passphrase.encode(), salt, WORK)


def file_lock(path: Path, salt: bytes | None = None) -> Lock:
    """A lock that a key file opens, such as one on a USB stick; ConfigError when it cannot be read or is too short."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(str(path), "unlock", error.strerror, "a readable key file (可读的解锁文件)") from None
    if len(data) < LEAST_KEY:
        raise ConfigError(
            str(path), "unlock", f"{len(data)} bytes", f"at least {LEAST_KEY} bytes (至少 {LEAST_KEY} 字节)"
        )
    return _lock(BY_FILE, data, salt, 2)


def make_key_file(path: Path) -> Path:
    """A new key file of mode 0600; ConfigError where something lies already."""
    _create(path, secrets.token_bytes(2 * LEAST_KEY))
    return path


def _lock(by: str, secret: bytes, salt: bytes | None, work: int) -> Lock:
    salt = secrets.token_bytes(SALT) if salt is None else salt
    return Lock(by, salt, Scrypt(b"sanduan identity" + salt, 32, work, 8, 1).derive(secret))


def create(path: Path, label: Label, secret: bytes, lock: Lock) -> None:
    """Write a new file; ConfigError where one lies already."""
    _create(path, _text(label, secret, lock).encode())


def replace(path: Path, label: Label, secret: bytes, lock: Lock) -> None:
    """Put a new content in the place of an identity's file, durably."""
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    _create(part, _text(label, secret, lock).encode())
    part.replace(path)
    sync_folder(path.parent)


def read_label(path: Path) -> Label:
    """Whose identity a file is, without opening it; ConfigError."""
    row = _row(path)
    return Label(row["incident"], row["node"], row["name"], row["suite"])


def locked_by(path: Path) -> tuple[str, bytes]:
    """What opens a file, and the salt of its lock."""
    row = _row(path)
    return row["lock"], row["salt"]


def read(path: Path, lock: Lock) -> bytes:
    """The secret; ConfigError when the key is not this file's, or the file is damaged."""
    row = _row(path)
    try:
        sealed = base64.b64decode(row["sealed"], validate=True)
        return _aead(row["suite"], lock).open(sealed[:NONCE], sealed[NONCE:], _label(_labelled(row)))
    except (SealError, ValueError):
        what = "passphrase (口令)" if row["lock"] == BY_PASSPHRASE else "key file (解锁文件)"
        raise ConfigError(str(path), "keys", "locked", f"another {what}; this one does not open it (打不开)") from None


def destroy(path: Path) -> bool:
    """Overwrite the file, then remove its name; False when there is none."""
    try:
        descriptor = os.open(path, os.O_WRONLY)
    except FileNotFoundError:
        return False
    with open(descriptor, "wb", buffering=0) as file:
        file.write(secrets.token_bytes(os.fstat(descriptor).st_size))
        os.fsync(descriptor)
        file.truncate(0)
        os.fsync(descriptor)
    path.unlink()
    sync_folder(path.parent)
    return True


def _create(path: Path, data: bytes) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE)
    except FileExistsError:
        raise ConfigError(
            str(path), "keys", "exists", "a new file; keys are never overwritten (不覆盖已有密钥)"
        ) from None
    except OSError as error:
        raise ConfigError(str(path), "keys", error.strerror, "a place that can be written (可写的位置)") from None
    with open(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)


def _text(label: Label, secret: bytes, lock: Lock) -> str:
    nonce = secrets.token_bytes(NONCE)
    sealed = nonce + _aead(label.suite, lock).seal(nonce, secret, _label(label))
    body = base64.b64encode(sealed).decode()
    lines = [body[at : at + 100] for at in range(0, len(body), 100)]
    return (
        f"{HEADING}form = {FORM}\nincident = {_quoted(label.incident)}\nnode = {label.node}\nname = {_quoted(label.name)}\n"
        f'suite = {label.suite}\nlock = "{lock.by}"\nsalt = "{lock.salt.hex()}"\nsealed = """\n'
        + "\n".join(lines)
        + '"""\n'
    )


def _quoted(text: str) -> str:
    """A TOML string; names have no control characters."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _label(label: Label) -> bytes:
    return f"{label.suite} {label.node} {label.name} {label.incident}".encode()


def _labelled(row: Mapping[str, Any]) -> Label:
    return Label(row["incident"], row["node"], row["name"], row["suite"])


def _aead(suite: int, lock: Lock) -> Aead:
    found: Suite = suite_of(suite)
    return found.aead(derive(found, lock.key, lock.salt, b"identity", KEY))


_TYPES: Final = {
    "form": int,
    "incident": str,
    "node": int,
    "name": str,
    "suite": int,
    "lock": str,
    "salt": str,
    "sealed": str,
}


def _row(path: Path) -> dict[str, Any]:
    """The file's fields, each of its type; ConfigError."""
    allowed = "an identity file: sanduan incident create, or sanduan join (身份文件)"
    try:
        row = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(str(path), "keys", error.strerror, allowed) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError):
        raise ConfigError(str(path), "keys", "no TOML", allowed) from None
    if any(type(row.get(name)) is not kind for name, kind in _TYPES.items()) or row["form"] != FORM:
        raise ConfigError(str(path), "keys", "not whole", allowed)
    try:
        row["salt"] = bytes.fromhex(row["salt"])
    except ValueError:
        raise ConfigError(str(path), "salt", "no hex", allowed) from None
    row["sealed"] = "".join(row["sealed"].split())
    return row

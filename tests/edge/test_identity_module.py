"""A cryptographic module out of process: the same bytes as the suite's own, whole incidents, and clear words when it fails."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from edge.identity.enrol import create, file_of, revoke
from edge.identity.identity import load
from edge.identity.module import ModuleProcess, module_suite
from hardware.errors import SealError
from sync.ids import BlockId, KeyClass, Lane, Level
from sync.seal import suites
from sync.seal.contract import Role
from sync.seal.module import ModuleSuite, Server
from sync.seal.suites import plug, suite_of

PEER = Path(__file__).parent.parent / "peers" / "seal_module.py"


def command(*words: object) -> str:
    return " ".join(f"'{word}'" for word in (sys.executable, PEER, *words))


@pytest.fixture(params=[1, 2], ids=["suite1", "suite2"])
def number(request: pytest.FixtureRequest) -> int:
    found: int = request.param
    return found


@pytest.fixture
def module(number: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleSuite]:
    monkeypatch.setenv("PYTHONPATH", str(PEER.parent.parent.parent))
    with closing(ModuleProcess(command(number))) as process:
        yield ModuleSuite(process)


def test_a_module_gives_the_suite_s_own_bytes(module: ModuleSuite, number: int) -> None:
    own = suite_of(number)
    assert (module.number, module.name) == (own.number, own.name.replace(" ", ""))
    key, nonce, private = bytes(range(16)), bytes(12), bytes(range(64))
    assert module.digest(b"") == own.digest(b"") and module.mac(key, b"x") == own.mac(key, b"x")
    sealed = module.aead(key).seal(nonce, b"body", b"more")
    assert sealed == own.aead(key).seal(nonce, b"body", b"more")
    assert module.aead(key).open(nonce, sealed, b"more") == b"body"
    device, twin = module.load(private), own.load(private)
    assert device.public == twin.public and device.agree(twin.public) == twin.agree(device.public)
    module.verify(twin.public, b"m", device.sign(b"m"))
    own.verify(device.public, b"m", device.sign(b"m"))
    assert len(module.random(40)) == 40 != module.random(40)
    for wrong in (
        lambda: module.aead(key).open(nonce, sealed, b"less"),
        lambda: module.aead(key).open(nonce, b"", b""),
        lambda: module.verify(twin.public, b"n", device.sign(b"m")),
        lambda: module.load(b"short"),
        lambda: device.agree(bytes(3)),
    ):
        with pytest.raises(SealError):
            wrong()


def test_a_whole_incident_on_a_module(module: ModuleSuite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create(tmp_path, {1: Role.COMMAND, 2: Role.MEMBER, 3: Role.MEMBER}, suite_of(module.number))
    monkeypatch.setattr(suites, "SUITES", dict(suites.SUITES))
    software = load(file_of(tmp_path, 2), 2)
    plug(module)
    root = load(file_of(tmp_path, 1), 1)
    assert root.suite is module
    ring, mine = root.keyring(5), software.keyring(6)
    order = ring.seal(BlockId(1, 5, Lane.FLASH, 1), KeyClass.FIELD, b"\x02order")
    assert mine.open(order, None).level is Level.COMMAND
    revoke(root, [3], {})
    assert not software.book(mine).apply(root.unsent(), 1).refused and mine.epoch == 2


@pytest.mark.parametrize("fault", ["gone", "silent", "garbage", "short", "binary"])
def test_a_module_that_fails_is_an_error_and_not_a_wrong_answer(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(PEER.parent.parent.parent))
    with closing(ModuleProcess(command(1, fault, 2), patience_s=1.0)) as process:
        suite = ModuleSuite(process)
        assert len(suite.digest(b"x")) == 32
        for _ in range(2):
            with pytest.raises(SealError, match="module"):
                suite.digest(b"y")


def test_a_module_that_does_not_start() -> None:
    for words in ("/nowhere/module", "'unclosed", "false"):
        with pytest.raises(SealError, match="module"):
            module_suite(words)


def test_requests_that_make_no_sense() -> None:
    server = Server(suite_of(1), bytes)
    for line in (
        "",
        "hello 2",
        "sign",
        "sign 00",
        "digest zz",
        "seal 00 00 00 00",
        "export 00",
        "public -",
        "digest 00 00",
        "é",
    ):
        assert server.answer(line).startswith("no")
    assert server.answer("hello 1\r\n") == "ok 1 AES-CCM-8/Ed25519"


def test_the_page_s_example_is_what_a_module_says() -> None:
    page = (PEER.parent.parent.parent / "docs" / "guomi.md").read_text(encoding="utf-8")
    server, asked = Server(suite_of(2), bytes), re.findall(r"^    > (.*)\n    < (.*)$", page, re.MULTILINE)
    assert len(asked) == 2 and all(server.answer(request) == answer for request, answer in asked)

"""The golden vectors of docs/wire/seal.md and docs/wire/certificate.md, from the primitives themselves and from the keyring."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from sync.codec.octets import Reader
from sync.ids import BlockId, KeyClass, Lane
from sync.records import Anchor
from sync.seal.contract import Role
from sync.seal.demo import demo_device, demo_keyring
from sync.seal.guomi import SUITE_2
from sync.seal.suite import SUITE_1, Suite
from sync.trust.book import body_of, certificate_item, revocation_item
from sync.trust.certificate import Certificate, issue
from sync.trust.charter import Charter
from sync.trust.revocation import RevocationList, Revoked

PAGES = Path(__file__).parent.parent.parent / "docs" / "wire"
HASH = {1: hashes.SHA256, 2: hashes.SM3}
ROLES = {1: Role.COMMAND, 2: Role.MEMBER, 3: Role.RELAY}


def vectors(page: str, section: str = "") -> dict[str, bytes]:
    """The named lines of hex in a page's golden vectors: those of no suite, and those below the heading `section`."""
    text = (PAGES / page).read_text(encoding="utf-8").split("## Golden vectors")[1]
    found, wanted = {}, True
    for line in text.splitlines():
        if re.fullmatch(r"    suite \d", line):
            wanted = line.strip() == section
        named = re.fullmatch(r"    ([a-z][\w ]*?)  +([0-9a-f]+)", line, re.IGNORECASE)
        if named and wanted:
            found[named[1]] = bytes.fromhex(named[2])
    return found


def kdf(suite: int, key: bytes, salt: bytes, info: bytes) -> bytes:
    return HKDF(HASH[suite](), 16, salt, info).derive(key)


def mac(suite: int, key: bytes, data: bytes) -> bytes:
    keyed = HMAC(key, HASH[suite]())
    keyed.update(data)
    return keyed.finalize()


def digest(suite: int, data: bytes) -> bytes:
    state = hashes.Hash(HASH[suite]())
    state.update(data)
    return state.finalize()


def opened(suite: int, key: bytes, nonce: bytes, sealed: bytes, associated: bytes) -> bytes:
    """Suite 1 by the library; of suite 2, whose CCM the library lacks, the counter mode that is inside it."""
    if suite == 1:
        return AESCCM(key, tag_length=8).decrypt(nonce, sealed, associated)
    counter = Cipher(algorithms.SM4(key), modes.CTR(b"\x02" + nonce + b"\0\0\x01")).decryptor()
    return counter.update(sealed[:-8])


@pytest.mark.parametrize("suite", [SUITE_1, SUITE_2], ids=["suite1", "suite2"])
def test_the_page_s_block_follows_from_the_page_s_rules(suite: Suite) -> None:
    said, number = vectors("seal.md", f"suite {suite.number}"), suite.number
    incident = said["incident"]
    assert kdf(number, said["field key"], incident, b"transit") == said["transit key"]
    info = b"origin\x00\x00\x02" + digest(number, said["public"])
    assert kdf(number, said["field key"], incident, info) == said["origin key"]
    block = said["block"]
    header = block[:5]
    assert header == bytes((number << 6 | 4 << 3, 0x1A, 2, 0xAC, 2))
    associated = header + incident + bytes.fromhex("3f2a")
    assert opened(number, said["origin key"], said["nonce"], block[5:], associated) == b"\x01sanduan"
    for name, key in (("hop MAC", said["transit key"]), ("trust MAC", said["trust key"])):
        assert mac(number, kdf(number, key, incident, b"hop"), block)[:4] == said[name]


@pytest.mark.parametrize("suite", [SUITE_1, SUITE_2], ids=["suite1", "suite2"])
def test_the_keyring_makes_the_page_s_bytes(suite: Suite) -> None:
    said = vectors("seal.md", f"suite {suite.number}")
    ring = demo_keyring(b"golden", ROLES, 2, 0x3F2A, suite)
    assert ring.directory[2].public == said["public"]
    block = ring.seal(BlockId(2, 0x3F2A, Lane.HISTORY, 300), KeyClass.FIELD, b"\x01sanduan")
    assert (block, ring.mac(block), ring.mac(block, trust=True)) == (said["block"], said["hop MAC"], said["trust MAC"])
    if suite is SUITE_1:
        assert ring.seal(BlockId(2, 0x3F2A, Lane.FLASH, 7), KeyClass.FIELD, b"\x02sos") == said["signed"]


def test_the_signature_inside_covers_what_the_page_says() -> None:
    said = vectors("seal.md", "suite 1")
    block, nonce = said["signed"], bytes.fromhex("00023f2a0000000000000007")
    associated = block[:4] + said["incident"] + bytes.fromhex("3f2a")
    plain = opened(1, said["origin key"], nonce, block[4:], associated)
    assert plain[:2] == b"\x04\x00" and plain[66:] == b"\x02sos"
    statement = b"sanduan block" + said["incident"] + nonce + b"\x02sos"
    Ed25519PublicKey.from_public_bytes(said["public"][:32]).verify(plain[2:66], statement)


def test_the_page_s_certificate_and_list() -> None:
    said = vectors("certificate.md")
    incident, device = said["incident"], demo_device(b"golden", 1)
    root = issue(Certificate(1, Role.COMMAND, "ROOT", device.public, 1, 1, first=1, count=16383), incident, device)
    member = issue(
        Certificate(200, Role.MEMBER, "V7", demo_device(b"golden", 200).public, 1, 5, 29_743_200, 29_786_400),
        incident,
        device,
    )
    assert member.encode() == said["certificate"] and Certificate.decode(said["certificate"]) == member
    found = RevocationList(1, 2, 2, (Revoked(200, {(0x3F2A, Lane.TRACK): 300}),)).signed(incident, device)
    assert found.encode() == said["list"] and RevocationList.decode(said["list"]) == found
    charter = Charter(incident, 1, "青溪24", Anchor(301_500_000, 1_191_000_000, 1_784_580_000_000), root).signed(device)
    assert charter.encode() == said["charter"] and Charter.read(Reader(said["charter"])) == charter
    assert body_of([certificate_item(member), revocation_item(found)]) == said["items"]
    Ed25519PublicKey.from_public_bytes(device.public[:32]).verify(
        member.signature, b"sanduan certificate" + incident + said["certificate"][:-64]
    )

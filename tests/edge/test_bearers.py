"""From checked sections of the configuration to bearers, each with what its section says."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.bearers import Site, bearer
from edge.config import load
from hardware.clock import ManualClock
from hardware.driver import Heard
from hardware.errors import ConfigError
from radios.bearer import Bearer
from radios.lan import LanBearer
from radios.meshtastic.bearer import MeshtasticBearer
from radios.meshtastic.fake import FakeRadio
from radios.meshtastic.fake_ports import in_memory
from radios.meshtastic.radio import Radio
from radios.mqtt import MqttBearer
from radios.rdss.bearer import RdssBearer
from sync.seal.contract import Role
from sync.seal.demo import demo_keyring

BASE = """
[station]
id = "V1"
node = 7
[incident]
lat = 30.15
lon = 119.1
start = 2026-07-20T05:00:00+08:00
[keys]
file = "node7.keys"
[devices.mesh0]
driver = "meshtastic"
port = "sim:mesh"
"""


def made(folder: Path, section: str, central: bool = False) -> Bearer:
    file = folder / "sanduan.toml"
    file.write_text(f"{BASE}[bearers.link]\n{section}", encoding="utf-8")
    clock, heard = ManualClock(), list[Heard]()
    ring = demo_keyring(b"bearers", {7: Role.MEMBER}, 7, 1)
    shared = {"radio mesh0": Radio("mesh0", in_memory(FakeRadio(clock)), clock)}
    site = Site(7, central, clock, ring, folder, shared, {"link": lambda data: None}, heard.append)
    return bearer(load(file).bearers[0], site)


def test_mqtt(tmp_path: Path) -> None:
    (tmp_path / "word").write_text("river\nsecond line\n")
    section = "type = 'mqtt'\nbrokers = ['mqtts://a', 'mqtt://b:1999']\nusername = 'v7'\npassword_file = 'word'\n"
    link = made(tmp_path, section)
    assert isinstance(link, MqttBearer) and link.name == "link"
    assert [(each.host, each.port, each.tls, each.password) for each in link._brokers] == [
        ("a", 8883, True, "river"),
        ("b", 1999, False, "river"),
    ]
    assert link.listens[0].endswith("/down/7")
    central = made(tmp_path, section, central=True)
    assert isinstance(central, MqttBearer) and central.listens[0].endswith("/up/+")
    with pytest.raises(ConfigError, match="first line is the password"):
        made(tmp_path, "type = 'mqtt'\nbrokers = ['mqtt://a']\npassword_file = 'none'\n")


def test_lan(tmp_path: Path) -> None:
    link = made(tmp_path, "type = 'lan'\nlisten = '127.0.0.1:5441'\npeers = ['10.0.0.2:5440']\ndiscover = false\n")
    assert isinstance(link, LanBearer) and (link.port, link._listed, link._find) == (5441, ("10.0.0.2:5440",), None)


def test_meshtastic(tmp_path: Path) -> None:
    link = made(tmp_path, "type = 'meshtastic'\ndevice = 'mesh0'\nshare = 0.1\nmtu = 150\nantenna_dbi = 3\n")
    assert isinstance(link, MeshtasticBearer) and link.radio.name == "mesh0"
    assert (link.policy.share, link.policy.mtu, link.power_dbm) == (0.1, 150, 14)


def test_rdss(tmp_path: Path) -> None:
    section = "type = 'rdss'\nport = 'sim:rdss'\ncards = {1 = 4204990}\ncapacity_bits = 400\nfrequency_s = 120\nletters = false\n"
    link = made(tmp_path, section)
    assert isinstance(link, RdssBearer) and link.peers == {"1": 4204990}
    assert (link.session.bits, link.session.period_s, link.settings.letters) == (400, 121.5, False)

"""Configuration files: everything wrong is told at once, with line, key, value and what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.config import brokers, listen, load, problems
from edge.config_keys import DRIVER_KEYS, WEARABLE_KEYS
from edge.drivers import DRIVERS
from hardware.errors import ConfigError

BASE = """
[station]
id = "V1"
node = 2
[incident]
lat = 30.15
lon = 119.1
start = 2026-07-20T05:00:00+08:00
[keys]
file = "node2.keys"
"""
WRONG = [
    ("stations = 1", "stations", "unknown section"),
    ("[station.more]\nx = 1", "station.more", "unknown key"),
    ("[devices.gnss0]\ndriver = 'nmea.gnss'", "devices.gnss0.port", "is missing"),
    ("[devices.gnss0]\ndriver = 'nmea.gns'\nport = '/dev/x'", "devices.gnss0.driver", "did you mean 'nmea.gnss'"),
    ("[devices.gnss0]\ndriver = 'nmea.gnss'\nport = 'COMX'", "devices.gnss0.port", "usb:VID:PID:SERIAL"),
    ("[devices.gnss0]\ndriver = 'nmea.gnss'\nport = '/dev/x'\nbaud = 12", "devices.gnss0.baud", "1200 to 3000000"),
    ("[devices.gnss0]\ndriver = 'nmea.gnss'\nport = '/dev/x'\nbaud = true", "devices.gnss0.baud", "a whole number"),
    ("[devices.'a b']\ndriver = 'gpsd'", "devices.a b", "1 to 32 letters"),
    ("[devices.m]\ndriver = 'meshtastic'", "devices.m.port", "exactly one of port and host"),
    ("[wearables.P1]\naddr = 7", "wearables.P1.addr", "text in quotes"),
    ("[bearers.m]\ntype = 'mqtt'\nbrokers = ['http://x']", "bearers.m.brokers", "mqtts://"),
    ("[bearers.m]\ntype = 'mqtt'\nbrokers = ['mqtt://x']\ncert_file = 'c'", "bearers.m.cert_file", "together"),
    ("[bearers.l]\ntype = 'meshtastic'\ndevice = 'mesh9'", "bearers.l.device", "allowed"),
    ("[bearers.r]\ntype = 'rdss'\nport = '/dev/x'\ncards = {a = 1}", "bearers.r.cards", "roster index = card number"),
    ("[broker]\nlisten = '0.0.0.0:1883'", "broker", "only central"),
    ("[broker]\nlisten = 'here'", "broker.listen", "host:port"),
    ("[sticks]\nwatch = '/media'", "sticks.watch", "a list of folders"),
    ("[log]\nlevel = 'loud'", "log.level", "allowed"),
]


def file(folder: Path, text: str) -> Path:
    path = folder / "sanduan.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_right_file_has_defaults_and_absolute_paths(tmp_path: Path) -> None:
    more = "[devices.gnss0]\ndriver = 'nmea.gnss'\nport = 'replay:a.log'\n[sticks]\nwatch = ['m']\n"
    config = load(file(tmp_path, BASE + more))
    assert config.store == tmp_path / "data" / "sanduan.db"
    assert config.station["role"] == "agent" and config.keys["file"] == str(tmp_path / "node2.keys")
    assert (
        config.devices[0].options["port"] == f"replay:{tmp_path / 'a.log'}"
        and config.devices[0].options["baud"] == 9600
    )
    assert config.sticks["watch"] == [str(tmp_path / "m")]


@pytest.mark.parametrize(("more", "key", "allowed"), WRONG)
def test_what_is_wrong_is_told(tmp_path: Path, more: str, key: str, allowed: str) -> None:
    text = f"{more}\n{BASE}" if more.startswith("stations") else f"{BASE}\n{more}\n"
    (found,) = problems(file(tmp_path, text))
    assert found.key == key and allowed in found.allowed and str(tmp_path) in found.file and "None" not in str(found)
    with pytest.raises(ConfigError):
        load(tmp_path / "sanduan.toml")


def test_everything_wrong_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    text = BASE.replace("node = 2", "node = 0\nnam = 'x'")
    found = {problem.key: problem.file.rpartition(":")[2] for problem in problems(file(tmp_path, text))}
    assert found == {"station.nam": "5", "station.node": "4"}


@pytest.mark.parametrize(
    ("content", "key"),
    [(b"x = ", "TOML"), (b"\xff\xfe", "file"), (None, "file")],
    ids=["no TOML", "no text", "no file"],
)
def test_a_file_that_cannot_be_read(tmp_path: Path, content: bytes | None, key: str) -> None:
    path = tmp_path / "sanduan.toml"
    if content is not None:
        path.write_bytes(content)
    (found,) = problems(path)
    assert found.key == key and str(path) in str(found)


def test_addresses() -> None:
    assert list(brokers(["mqtt://a", "mqtts://b", "mqtt://[::1]:7"])) == [
        ("a", 1883, False), ("b", 8883, True), ("::1", 7, False)
    ]  # fmt: skip
    assert listen("[::]:1") == ("::", 1)


def test_every_driver_has_its_keys() -> None:
    assert DRIVER_KEYS.keys() | WEARABLE_KEYS.keys() == set(DRIVERS)

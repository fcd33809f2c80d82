"""Doctor over real ports, sockets and files: what it says is what would happen."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import socket
import ssl
import subprocess
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from screen_field import BASE

from edge.config import load
from edge.intents import Intents
from edge.keys import create, file_of
from edge.store.store import Store
from edge.supervisor import Supervisor, Task
from hardware.clock import SystemClock
from hardware.driver import Health
from radios.bearer import Budget, LinkHealth
from sync.seal.contract import Role
from tui.cli import main
from tui.doctor import examine
from tui.symbols import State

CONFIG = f"""{BASE}[keys]
file = "{{keys}}"
[sticks]
watch = ["sticks"]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A configuration with keys and nothing else."""
    create(tmp_path / "keys", {1: Role.COMMAND, 2: Role.MEMBER})
    path = tmp_path / "v1.toml"
    path.write_text(CONFIG.format(keys=file_of(tmp_path / "keys", 2)), encoding="utf-8")
    return path


def found(path: Path, more: str = "") -> dict[str, tuple[State, str]]:
    """What doctor finds, in English."""
    path.write_text(path.read_text(encoding="utf-8") + more, encoding="utf-8")

    async def look() -> dict[str, tuple[State, str]]:
        return {each.what: (each.state, each.said[1]) async for each in examine(load(path))}

    return asyncio.run(look())


def test_a_node_that_would_start(file: Path) -> None:
    seen = found(file)
    assert seen["keys"] == (State.OK, "node 2, certified as member, 2 nodes on the roster")
    assert seen["store"][0] is State.OK and seen["store"][1].startswith("nothing stored yet")
    assert seen["agent"] == (State.INFO, "does not run") and seen["sticks"][0] is State.WARN
    assert not (file.parent / "data").exists()


def test_keys_that_others_may_read_or_that_are_missing(file: Path) -> None:
    keys = Path(load(file).keys["file"])
    keys.chmod(0o644)
    assert found(file)["keys"] == (State.BAD, f"others may read {keys}: chmod 600")
    keys.unlink()
    state, text = found(file)["keys"]
    assert state is State.BAD and text.startswith("would not start") and str(keys) in text


def test_ports_are_opened_and_the_missing_named(file: Path) -> None:
    master, slave = pty.openpty()
    seen = found(
        file,
        f"""
[devices.there]
driver = "nmea.gnss"
port = "{os.ttyname(slave)}"
[devices.gone]
driver = "nmea.gnss"
port = "/dev/no-such-port"
[devices.tape]
driver = "nmea.gnss"
port = "replay:no.nmea"
[bearers.bd]
type = "rdss"
port = "sim:rdss?beams=0"
cards = {{1 = 4204986}}
[devices.play]
driver = "sim"
port = "sim:gas4"
[wearables.P01]
addr = "AA:BB:CC:DD:EE:FF"
adapter = "no-such-adapter"
""",
    )
    os.close(master)
    os.close(slave)
    assert seen["devices.there"][0] is State.OK
    assert seen["devices.gone"][0] is State.BAD and "/dev/no-such-port" in seen["devices.gone"][1]
    assert seen["devices.tape"][0] is State.BAD and "no.nmea" in seen["devices.tape"][1]
    assert seen["bearers.bd"] == (State.OK, "sim:rdss?beams=0 opens")
    assert seen["devices.play"] == (State.OK, "simulated")
    assert seen["wearables.P01"] == (State.BAD, "there is no Bluetooth adapter no-such-adapter")


def test_links_down_now_are_no_fault_but_what_can_never_work_is(file: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as there:
        port = there.getsockname()[1]
        seen = found(
            file,
            f"""
[devices.gps]
driver = "gpsd"
tcp_port = {port}
[devices.radio]
driver = "meshtastic"
host = "127.0.0.1"
tcp_port = 1
[bearers.net]
type = "mqtt"
brokers = ["mqtt://127.0.0.1:1", "mqtt://127.0.0.1:{port}"]
[bearers.down]
type = "mqtt"
brokers = ["mqtt://127.0.0.1:1"]
[bearers.nofile]
type = "mqtt"
brokers = ["mqtts://127.0.0.1:{port}"]
ca_file = "no.pem"
[bearers.taken]
type = "lan"
listen = "127.0.0.1:{port}"
[bearers.lora]
type = "meshtastic"
device = "radio"
""",
        )
    assert seen["devices.gps"][0] is State.OK and seen["devices.radio"][0] is State.BAD
    assert seen["bearers.net"] == (State.OK, f"127.0.0.1:{port} answers")
    assert seen["bearers.down"][0] is State.WARN and "keeps trying" in seen["bearers.down"][1]
    assert seen["bearers.nofile"][0] is State.BAD and "no.pem" in seen["bearers.nofile"][1]
    assert seen["bearers.taken"][0] is State.BAD
    assert seen["bearers.lora"] == (State.OK, "through the radio radio")


@pytest.mark.peer("openssl")
def test_a_broker_whose_certificate_nobody_vouches_for_is_a_fault(file: Path) -> None:
    cert, key = file.parent / "broker.pem", file.parent / "broker.key"
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=127.0.0.1"]
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)]
    subprocess.run([*make, *names], check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)

    def serve(there: socket.socket) -> None:
        for _ in range(2):
            with suppress(OSError), context.wrap_socket(there.accept()[0], server_side=True) as secure:
                secure.recv(1)

    with socket.create_server(("127.0.0.1", 0)) as there:
        serving = threading.Thread(target=serve, args=(there,))
        serving.start()
        link = f'type = "mqtt"\nbrokers = ["mqtts://127.0.0.1:{there.getsockname()[1]}"]'
        seen = found(file, f'[bearers.wrong]\n{link}\n[bearers.right]\n{link}\nca_file = "{cert}"\n')
        serving.join()
    assert seen["bearers.wrong"][0] is State.BAD and "certificate" in seen["bearers.wrong"][1]
    assert seen["bearers.right"][0] is State.OK


def test_with_an_agent_at_work_its_own_word_counts(file: Path) -> None:
    config = load(file)
    config.store.parent.mkdir()
    store = Store.open(config.store, 2, ballast=0, machine=file.parent / "machine")
    rows = [{"name": "gas0", "state": "down", "why": "unplugged"}, {"name": "gnss0", "state": "up", "why": ""}]
    health = LinkHealth(Health.DEGRADED, "busy", since=10.0, last_in=70.0, last_out=98.5, loss=0.25, latency_s=4.0)
    link = {"name": "lora", **health.row(100.0, Budget(180, 3, 2.5))}
    store.write_status({"devices": rows, "links": [link]})

    async def look() -> dict[str, tuple[State, str]]:
        supervisor = Supervisor(SystemClock())
        supervisor.add(Task("intents", "service", Intents(store).run))
        running = asyncio.create_task(supervisor.run())
        while supervisor.rows[0].state is not Health.UP:
            await asyncio.sleep(0.01)
        seen = {each.what: (each.state, each.said[1]) async for each in examine(config)}
        await asyncio.sleep(0.05)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return seen

    seen = asyncio.run(look())
    store.close()
    assert seen["agent"] == (State.OK, "is running")
    assert (seen["gas0"], seen["gnss0"], seen["lora"]) == (
        (State.BAD, "down unplugged"),
        (State.OK, "up"),
        (State.WARN, "weak busy for 90.0 s, last byte in 30.0 s ago, last byte out 1.5 s ago, loss 25%, latency 4.0 s, 180 bytes may go now, more in 2.5 s"),
    )  # fmt: skip


def test_status_and_both_languages(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "-c", str(file), "--lang", "zh"]) == 0
    assert "都可以启动" in capsys.readouterr().out
    Path(load(file).keys["file"]).chmod(0o644)
    assert main(["doctor", "-c", str(file), "--lang", "en", "--json"]) == 1
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {"what": "keys", "state": "bad"}.items() <= rows[0].items()
    file.write_text("[station]\n", encoding="utf-8")
    assert main(["doctor", "-c", str(file)]) == 2
    assert "station.id" in capsys.readouterr().err

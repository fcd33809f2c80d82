"""A configured node as it runs: devices that fail alone, links with a reason, an own broker, and a store held by one."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
from field_rig import FieldRig

from bench.rig import free_port, node_file
from edge import keys
from edge.alone import alone
from edge.config import load
from edge.demo.tally import tally
from edge.roles import Station, _run, run_role
from edge.store.connect import fetch, open_reader
from edge.store.log import StoreLog
from edge.store.reader import Reader
from edge.store.status import beside, read_status
from edge.store.store import Store
from hardware.errors import ConfigError, StoreError, StoreNewer
from hardware.sim.gnss import GnssSimulator
from hardware.sim.pty_player import PtyPlayer
from sync.events import BY_NAME
from sync.ids import Lane, Source
from sync.ranges import Ranges
from sync.seal.contract import Role

ROLES = {1: Role.COMMAND, 2: Role.MEMBER, 3: Role.RELAY, 4: Role.MEMBER}


def write(folder: Path, name: str, role: str, node: int, more: str) -> Path:
    """A configuration file; the incident's keys are made with the first one."""
    if not (folder / "keys").exists():
        keys.create(folder / "keys", ROLES)
    return node_file(folder, role, name, node, more)


@asynccontextmanager
async def running(file: Path) -> AsyncIterator[Station]:
    """A station in this process."""
    config = load(file)
    held = keys.of(config)
    config.store.parent.mkdir(parents=True, exist_ok=True)
    with closing(Store.open(config.store, held.node, ballast=0)) as store:
        station = Station(config, held, store)
        task = asyncio.create_task(station.run())
        try:
            yield station
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            station.close()


async def until(true: Callable[[], Any], within_s: float = 20.0) -> None:
    async with asyncio.timeout(within_s):
        while not true():
            await asyncio.sleep(0.05)


def states(station: Station) -> dict[str, tuple[str, str]]:
    """State and reason by name, as the status file tells them."""
    status = read_status(beside(station.store.path))
    return {row["name"]: (row["state"], row["why"]) for row in [*status.get("devices", ()), *status.get("links", ())]}


def stored(station: Station) -> int:
    with closing(open_reader(station.store.path)) as conn:
        count: int = fetch(conn, station.store.path, "SELECT count(*) FROM observation")[0][0]
        return count


async def test_a_dead_device_stops_nothing_and_says_why(tmp_path: Path) -> None:
    more = """
[devices.gnss0]
driver = "nmea.gnss"
port = "usb:0000:0000:none"
[devices.gas]
driver = "sim"
port = "sim:gas4"
[bearers.net]
type = "mqtt"
brokers = ["mqtt://127.0.0.1:1"]
"""
    async with running(write(tmp_path, "V1", "agent", 2, more)) as station:
        await until(lambda: stored(station) > 1 and states(station).get("net", ("", ""))[1].startswith("127.0.0.1:1: "))
        told = states(station)
    assert told["gnss0"] == ("down", "usb:0000:0000:none is not plugged in")
    assert told["gas"][0] == "up" and told["net"][0] == "down"
    status = read_status(beside(station.store.path))
    assert status["station"]["id"] == "V1" and status["station"]["role"] == "agent"
    assert all(row["since_s"] >= 0 for row in status["devices"])


async def test_a_receiver_unplugged_in_mid_sentence_comes_back(tmp_path: Path) -> None:
    link = tmp_path / "ttyGNSS"
    more = f'[devices.gnss0]\ndriver = "nmea.gnss"\nport = "{link}"\nsets_clock = false\n'
    with PtyPlayer(link, GnssSimulator(rate=10).plan()) as player:
        async with running(write(tmp_path, "V1", "agent", 2, more)) as station:
            await until(lambda: stored(station) > 3)
            player.unplug()
            await until(lambda: states(station)["gnss0"][0] == "down")
            before = stored(station)
            player.replug()
            await until(lambda: stored(station) > before + 3 and states(station)["gnss0"][0] == "up")


async def test_two_stations_on_a_lan_agree_without_any_server(tmp_path: Path) -> None:
    ports = free_port(), free_port()
    lan = '[bearers.lan]\ntype = "lan"\nlisten = "127.0.0.1:{}"\npeers = ["127.0.0.1:{}"]\ndiscover = false\n'
    gas = '[devices.gas]\ndriver = "sim"\nport = "sim:gas4?rate_s=0.1"\n'
    files = [
        write(tmp_path, "V2", "agent", 2, lan.format(*ports) + gas),
        write(tmp_path, "V4", "agent", 4, lan.format(*reversed(ports)) + gas),
    ]
    async with running(files[0]) as one, running(files[1]) as other:

        def agree() -> bool:
            there = tally(one.store.path, [(4, other.store.path)]), tally(other.store.path, [(2, one.store.path)])
            return min(each.at_central for each in there) > 10 and max(each.duplicates for each in there) == 0

        await until(agree)


async def test_the_own_broker_lets_in_whom_it_knows(tmp_path: Path) -> None:
    port = free_port()
    broker = f'[broker]\nlisten = "127.0.0.1:{port}"\nusers = {{v1 = "geheim"}}\n'
    link = (
        f'[bearers.net]\ntype = "mqtt"\nbrokers = ["mqtt://127.0.0.1:{port}"]\nusername = "v1"\npassword_file = "pw"\n'
    )
    gas = '[devices.gas]\ndriver = "sim"\nport = "sim:gas4?rate_s=0.1"\n'
    (tmp_path / "pw").write_text("wrong\n")
    async with running(write(tmp_path, "C1", "central", 1, broker)) as central:
        await until(lambda: states(central).get("mqtt", ("", ""))[0] == "up")
        async with running(write(tmp_path, "V1", "agent", 2, link + gas)) as agent:
            await until(lambda: "refused" in states(agent).get("net", ("", ""))[1])
        (tmp_path / "pw").write_text("geheim\n")
        async with running(tmp_path / "V1.toml") as agent:
            await until(lambda: tally(central.store.path, [(2, agent.store.path)]).at_central > 5)


async def test_a_relay_has_no_desk_and_measures_nothing(tmp_path: Path) -> None:
    lan = f'[bearers.lan]\ntype = "lan"\nlisten = "127.0.0.1:{free_port()}"\ndiscover = false\n'
    async with running(write(tmp_path, "K1", "relay", 3, lan + '[people.P1]\nname = "王强"\n')) as relay:
        await until(lambda: "lan" in states(relay))
        assert "intents" not in states(relay) and "guests" not in states(relay)
        with closing(Reader(relay.store.path, 3)) as reader:
            assert reader.snapshot().events == ()


def test_a_store_is_held_by_one(tmp_path: Path) -> None:
    store = tmp_path / "sanduan.db"
    with alone(store), pytest.raises(StoreError, match="another sanduan"), alone(store):
        pass
    with alone(store):
        pass


async def test_a_second_process_on_a_store_is_refused_and_a_kill_frees_it(tmp_path: Path) -> None:
    rig = FieldRig(tmp_path, free_port())
    await rig.agent.start()
    try:
        with pytest.raises(StoreError, match="another sanduan"), alone(rig.agent.store):
            pass
        await rig.agent.kill()
        with alone(rig.agent.store):
            pass
    finally:
        await rig.agent.stop()


def test_what_cannot_start_says_what_is_wrong(tmp_path: Path) -> None:
    file = write(tmp_path, "V1", "agent", 2, "")
    config = load(file)
    other = load(write(tmp_path, "V9", "agent", 9, ""))
    with pytest.raises(ConfigError, match=r"node9\.keys"):
        run_role(other)
    config.store.parent.mkdir(parents=True, exist_ok=True)
    with closing(Store.open(config.store, 2, ballast=0)) as store:
        store.writer.submit(lambda tx: tx.conn.execute("UPDATE meta SET value = 99 WHERE name = 'readable_from'").rowcount).result()  # fmt: skip
        store.writer.submit(lambda tx: tx.conn.execute("PRAGMA user_version = 99").fetchall()).result()
    with pytest.raises(StoreNewer):
        run_role(config)


async def test_a_station_whose_numbers_a_copy_uses_goes_on_under_a_new_life(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load(write(tmp_path, "V1", "agent", 2, ""))
    opened: list[Store] = []
    open_store = Store.open

    def remember(*args: Any, **options: Any) -> Store:
        opened.append(open_store(*args, **options))
        return opened[-1]

    monkeypatch.setattr(Store, "open", remember)
    monkeypatch.setattr("edge.roles.LIFE_S", 0.0)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    task = asyncio.create_task(_run(config))
    try:
        await until(lambda: opened and read_status(beside(config.store)))
        log = StoreLog(opened[0], keys.of(config).keyring(opened[0].life.incarnation))
        given = Source(2, opened[0].life.incarnation, Lane.FLASH)
        await asyncio.to_thread(log.merge_end, 1, {given: Ranges([(0, 9)])}, signed=True)
        log.close()
        await until(lambda: len(opened) == 2)
        assert opened[1].life.predecessor == given.incarnation
        text = await asyncio.wrap_future(opened[1].write_event(BY_NAME["message"].number, "P01", {0: "on"}))
        await until(lambda: Reader(config.store, 2).events("WHERE e.kind = ?", (text.kind,)))
        os.kill(os.getpid(), signal.SIGTERM)
        assert await asyncio.wait_for(task, 20) == 0
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        for number, handler in handlers.items():
            signal.signal(number, handler)

"""`sanduan doctor`: what of a configuration would start here and now, and what is missing, one line each, in plain words."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import ssl
import stat
import sys
from argparse import Namespace
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from edge import intents, keys
from edge.bearers import entries
from edge.config import Config, Named, listen, load, problems
from edge.sticks import usual_places
from edge.store.reader import Reader
from hardware.clock import SystemClock
from hardware.driver import Health
from hardware.errors import ConfigError, PortBusy, PortError, StoreError
from hardware.ports import open_port
from tui.lines import HEALTH, size
from tui.reasons import reason
from tui.symbols import State
from tui.symbols import pick as pick_symbols
from tui.words import Said, Words

CONNECT_S: Final = 3.0
LITTLE_BYTES: Final = 200_000_000
SMALLEST: Final = (80, 24)
ADAPTERS: Final = Path("/sys/class/bluetooth")
PORTS: Final = Path("/dev/serial/by-id")
SIMULATED: Final = {
    "rdss": "radios.rdss",
    "meshtastic": "radios.meshtastic.radio",
}  # modules that bring sim: ports with them
FACTS: Final = {
    "since_s": ("已 {} 秒", "for {} s"),
    "last_in_s": ("末次收 {} 秒前", "last byte in {} s ago"),
    "last_out_s": ("末次发 {} 秒前", "last byte out {} s ago"),
    "loss": ("丢失 {}", "loss {}"),
    "latency_s": ("时延 {} 秒", "latency {} s"),
    "budget_bytes": ("现可发 {} 字节", "{} bytes may go now"),
    "budget_wait_s": ("再等 {} 秒可发", "more in {} s"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: OK it would work, WARN it would start but something is not there now, BAD people must act."""

    what: str
    state: State
    said: Said
    facts: Mapping[str, Any] = field(default_factory=dict)  # of a link or device that a running agent told of


def doctor(args: Namespace) -> int:
    """Print the findings; 0 nothing to do, 1 something is missing, 2 the file is wrong."""
    path = Path(args.config)
    wrong = problems(path)
    for problem in wrong:
        print(problem, file=sys.stderr)
    if wrong:
        return 2
    config = load(path)
    words = Words(args.lang or (None if config.screen["lang"] == "auto" else config.screen["lang"]))
    return asyncio.run(_tell(config, words, args.json))


async def _tell(config: Config, words: Words, as_json: bool) -> int:
    symbols, bad = pick_symbols(), 0
    async for finding in examine(config):
        bad += finding.state is State.BAD
        row: dict[str, Any] = {"what": finding.what, "state": finding.state.value, "text": words.of(finding.said)}
        if finding.facts:
            row["facts"] = dict(finding.facts)
        shown = f"{symbols[finding.state]:<2} {finding.what:<22} {row['text']}"
        print(json.dumps(row, ensure_ascii=False) if as_json else shown, flush=True)
    if not as_json:
        print(words("doctor bad").format(count=bad) if bad else words("doctor good"))
    return 1 if bad else 0


async def examine(config: Config) -> AsyncIterator[Finding]:
    """Every finding, as it is made; with an agent at work on the store, its own word on devices and links."""
    for what, look in (("keys", _keys), ("store", _store), ("clock", _clock), ("screen", _screen)):
        yield Finding(what, *look(config))
    running = _running(config)
    yield Finding(
        "agent", *((State.OK, ("正在运行", "is running")) if running else (State.INFO, ("没有运行", "does not run")))
    )
    if running:
        for finding in _own_word(config):
            yield finding
        return
    for section, checks in (("devices", DEVICES), ("wearables", DEVICES), ("bearers", LINKS)):
        for named in getattr(config, section):
            yield Finding(f"{section}.{named.name}", *await checks.get(named.kind, _foreign)(named, config))
    if config.station["role"] == "central" and not config.bearers:
        yield Finding("broker", *await _listens(config.broker["listen"]))
    if config.sticks["watch"] is not None:
        for place in config.sticks["watch"]:
            yield Finding("sticks", *_folder(Path(place)))
    elif not any(place.is_dir() for place in usual_places()):
        yield Finding("sticks", State.WARN, ("没有常用的挂载处", "none of the usual mount places is here"))


# the node itself


def _keys(config: Config) -> tuple[State, Said]:
    path = Path(config.keys["file"])
    try:
        held = keys.of(config)
    except ConfigError as error:
        return State.BAD, (f"不能启动:{error}", f"would not start: {error}")
    if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
        return State.BAD, (f"{path} 别人也能读:chmod 600", f"others may read {path}: chmod 600")
    role = held.role.name.lower()
    return State.OK, (
        f"节点 {held.node},证书角色 {role},名册 {len(held.roster)} 个节点",
        f"node {held.node}, certified as {role}, {len(held.roster)} nodes on the roster",
    )


def _store(config: Config) -> tuple[State, Said]:
    folder = next(place for place in config.store.parents if place.is_dir())
    free = shutil.disk_usage(folder).free
    if not os.access(folder, os.W_OK):
        return State.BAD, (f"{folder} 不可写", f"{folder} cannot be written")
    held = ("尚无数据", "nothing stored yet")
    if config.store.exists():
        try:
            with closing(Reader(config.store, config.station["node"])) as reader:
                counts = reader.counts()
        except StoreError as error:
            return State.BAD, (f"不能打开:{error}", f"cannot be opened: {error}")
        held = (
            f"{counts['observation']} 条观测,{counts['event']} 条事件,{counts['quarantine']} 条隔离",
            f"{counts['observation']} observations, {counts['event']} events, {counts['quarantine']} quarantined",
        )
    state = State.OK if free >= LITTLE_BYTES else State.WARN
    return state, (f"{held[0]},磁盘剩余 {size(free)}", f"{held[1]}, {size(free)} bytes free")


def _clock(_: Config) -> tuple[State, Said]:
    if SystemClock().stamp().wall_ms is None:
        return State.WARN, (
            "机器时钟不可信,等卫星或网络校时;在此之前只按先后排序",
            "the machine's clock cannot be right; until GNSS or network time comes, only the order of things is known",
        )
    return State.OK, ("机器时钟可信", "the machine's clock is plausible")


def _screen(_: Config) -> tuple[State, Said]:
    columns, rows = shutil.get_terminal_size()
    encoding = (sys.stdout.encoding or "").lower()
    if "utf" not in encoding:
        return State.WARN, (
            f"终端编码 {encoding},用 --symbols ascii",
            f"the terminal speaks {encoding}: use --symbols ascii",
        )
    if columns < SMALLEST[0] or rows < SMALLEST[1]:
        return State.WARN, (
            f"终端只有 {columns}×{rows},至少要 80×24",
            f"the terminal has {columns}x{rows}, 80x24 is needed",
        )
    return State.OK, (f"{columns}×{rows}", f"{columns}x{rows}")


def _running(config: Config) -> bool:
    """Whether an agent serves the store's intents."""
    return intents.answered(intents.beside(config.store))


def _own_word(config: Config) -> Iterator[Finding]:
    """What the running agent says of its devices and links; they are in use, so that nobody else can try them."""
    with closing(Reader(config.store, config.station["node"])) as reader:
        status, _ = reader.status()
    words = Words("zh"), Words("en")
    for row in (*status.get("devices", ()), *status.get("links", ())):
        state, word = HEALTH[Health(row["state"])]
        zh, en = (" ".join(filter(None, (each(word), reason(row["why"], each), _facts(row, each)))) for each in words)
        yield Finding(row["name"], state, (zh, en), row)


def _facts(row: Mapping[str, Any], words: Words) -> str:
    """What a link or device knows of itself beyond state and reason, as radios.bearer.LinkHealth.row names it."""
    known = [(said, name, row[name]) for name, said in FACTS.items() if row.get(name) is not None]
    return ", ".join(words.of(said).format(f"{value:.0%}" if name == "loss" else value) for said, name, value in known)


# devices and links


async def _port(named: Named, _: Config) -> tuple[State, Said]:
    """Whether the port opens; nothing is written to it."""
    name = str(named.options["port"])
    if named.kind in SIMULATED:
        import_module(SIMULATED[named.kind])
    try:
        await (await open_port(name)).close()
    except PortBusy as error:
        return State.BAD, (f"被占用:{error}", f"in use: {error}")
    except PortError as error:
        there = ", ".join(sorted(path.name for path in PORTS.iterdir())) if PORTS.is_dir() else ""
        more = (f";现有 {there}", f"; there are {there}") if there else ("", "")
        return State.BAD, (f"打不开:{error}{more[0]}", f"does not open: {error}{more[1]}")
    return State.OK, (f"{name} 可用", f"{name} opens")


async def _reached(host: str, port: int, tls: ssl.SSLContext | None = None) -> str:
    """Why nobody answers at an address; "" when somebody does. ssl.SSLError where somebody does who is not to be trusted."""
    try:
        async with asyncio.timeout(CONNECT_S):
            _, writer = await asyncio.open_connection(host, port, ssl=tls)
    except ssl.SSLError:
        raise
    except OSError as error:
        return str(error) or "time-out"
    writer.transport.abort()
    return ""


async def _served(named: Named, _: Config) -> tuple[State, Said]:
    """A device at a host and port."""
    host, port = named.options["host"], named.options["tcp_port"]
    why = await _reached(host, port)
    if why:
        return State.BAD, (f"{host}:{port} 没有应答:{why}", f"nobody answers at {host}:{port}: {why}")
    return State.OK, (f"{host}:{port} 有应答", f"{host}:{port} answers")


async def _radio(named: Named, config: Config) -> tuple[State, Said]:
    return await (_port if named.options["port"] else _served)(named, config)


async def _simulated(named: Named, _: Config) -> tuple[State, Said]:
    return State.OK, ("模拟设备", "simulated")


async def _bluetooth(named: Named, _: Config) -> tuple[State, Said]:
    """Whether the adapter is there; whether the strap is near shows only when it speaks."""
    adapter, addr = named.options["adapter"], named.options["addr"]
    if sys.platform != "linux":
        return State.INFO, (f"{addr}:启动后才知道", f"{addr}: shows once it runs")
    if not (ADAPTERS / adapter).exists():
        return State.BAD, (f"没有蓝牙适配器 {adapter}", f"there is no Bluetooth adapter {adapter}")
    return State.OK, (f"适配器 {adapter} 在,等待 {addr}", f"adapter {adapter} is there, waits for {addr}")


async def _mqtt(named: Named, _: Config) -> tuple[State, Said]:
    """Files readable, and which broker answers; a link that is down now is no fault."""
    for name in ("password_file", "ca_file", "cert_file", "key_file"):
        if named.options[name] and not os.access(named.options[name], os.R_OK):
            return State.BAD, (f"读不到 {name} {named.options[name]}", f"{name} {named.options[name]} cannot be read")
    why, refused = "", None
    for broker in entries(named.options):
        try:
            why = await _reached(broker.host, broker.port, broker.context())
        except ssl.SSLError as error:
            refused = refused or (f"{broker} TLS 不通:{error}", f"{broker} and TLS do not agree: {error}")
            continue
        except ConfigError as error:
            return State.BAD, (str(error), str(error))
        if not why:
            return State.OK, (f"{broker} 有应答", f"{broker} answers")
    if refused:
        return State.BAD, refused
    return State.WARN, (f"现在连不上,会一直重试:{why}", f"no broker answers now, it keeps trying: {why}")


async def _listens(address: str) -> tuple[State, Said]:
    host, port = listen(address)
    try:
        server = await asyncio.start_server(lambda reader, writer: None, host, port)
    except OSError as error:
        return State.BAD, (f"{address} 不能监听:{error.strerror}", f"{address} cannot be listened on: {error.strerror}")
    server.close()
    return State.OK, (f"可在 {address} 监听", f"can listen on {address}")


async def _lan(named: Named, _: Config) -> tuple[State, Said]:
    return await _listens(named.options["listen"])


async def _mesh(named: Named, _: Config) -> tuple[State, Said]:
    """The radio is looked at as a device."""
    return State.OK, (f"经电台 {named.options['device']}", f"through the radio {named.options['device']}")


async def _foreign(named: Named, _: Config) -> tuple[State, Said]:
    """A driver from outside."""
    return State.INFO, (f"外部驱动 {named.kind},启动后才知道", f"driver {named.kind} from outside: shows once it runs")


def _folder(place: Path) -> tuple[State, Said]:
    if place.is_dir():
        return State.OK, (f"看着 {place}", f"watches {place}")
    return State.WARN, (f"{place} 还不存在", f"{place} is not there yet")


Check = Callable[[Named, Config], Awaitable[tuple[State, Said]]]
DEVICES: Final[dict[str, Check]] = {
    "nmea.gnss": _port,
    "gpsd": _served,
    "meshtastic": _radio,
    "sim": _simulated,
    "sim.wearable": _simulated,
    "ble.vitals": _bluetooth,
}
LINKS: Final[dict[str, Check]] = {"mqtt": _mqtt, "lan": _lan, "rdss": _port, "meshtastic": _mesh}

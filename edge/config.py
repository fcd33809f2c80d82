"""One TOML file configures every role; it is checked whole before anything starts.

`problems(file)` lists everything wrong with it, `load(file)` raises the first of them as ConfigError. The table of keys is
edge/config_keys.py; a driver from outside (entry point group `sanduan.drivers`) takes whatever keys it is given.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from edge.config_keys import SECTIONS, Key, Section
from edge.drivers import known
from hardware.errors import ConfigError

Options = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Named:
    """One device, wearable, bearer or person: the name it has in the file, its driver or type, and its checked keys."""

    name: str
    kind: str
    options: Options


@dataclass(frozen=True, slots=True)
class Config:
    """A checked file. Paths are absolute, defaults filled in; `options` of a section by key."""

    file: Path
    station: Options
    incident: Options
    keys: Options
    broker: Options
    sticks: Options
    privacy: Options
    screen: Options
    log: Options
    devices: tuple[Named, ...] = ()
    wearables: tuple[Named, ...] = ()
    bearers: tuple[Named, ...] = ()
    people: tuple[Named, ...] = ()
    nodes: tuple[Named, ...] = ()
    given: frozenset[str] = field(default=frozenset())

    @property
    def store(self) -> Path:
        """Where the database lies."""
        return Path(self.station["data"]) / "sanduan.db"


Reader = Callable[[Key, Any, Path], Any]
PORT_FORM = re.compile(r"usb:[0-9a-fA-F]{4}:[0-9a-fA-F]{4}([:@]\S+)?|(replay|sim):\S.*|tcp://\S+:\d+|/\S+|COM\d+")
REPLAY: Final = "replay:"
NAME_FORM = re.compile(r"[\w.!-]{1,32}")


def _typed(*types: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, types) and (bool in types or not isinstance(value, bool))


_text, _number, _whole = _typed(str), _typed(int, float), _typed(int)


def _address(text: str) -> tuple[str, int] | None:
    """host:port taken apart; None when it is not one."""
    host, colon, port = text.rpartition(":")
    return (host.strip("[]"), int(port)) if colon and host and port.isdecimal() and int(port) < 65536 else None


def _url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("mqtt", "mqtts") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


def _instant(value: Any) -> bool:
    return isinstance(value, datetime) and value.tzinfo is not None


def _words(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(word, str) and word for word in value.values())


def _cards(value: Any) -> bool:
    return isinstance(value, dict) and bool(value) and all(key.isdecimal() and _whole(card) and card > 0 for key, card in value.items())  # fmt: skip


@dataclass(frozen=True, slots=True)
class Form:
    """How a value must look: the test, and what an operator is told when it fails."""

    fits: Callable[[Any], bool]
    allowed: str


FORMS: Final[dict[str, Form]] = {
    "str": Form(_text, "text in quotes (引号内的文字)"),
    "word": Form(_text, "one of (可选): "),
    "name": Form(
        lambda v: v == "" or (_text(v) and bool(NAME_FORM.fullmatch(v))), "1 to 32 letters, digits, . ! - _ (代号)"
    ),
    "path": Form(_text, "a path in quotes (路径)"),
    "int": Form(_whole, "a whole number (整数)"),
    "float": Form(_number, "a number (数)"),
    "bool": Form(_typed(bool), "true or false"),
    "time": Form(_instant, "a time with an offset (时刻), such as 2024-07-20T05:00:00+08:00"),
    "driver": Form(_text, "a driver (驱动): "),
    "port": Form(
        lambda v: v == "" or (_text(v) and bool(PORT_FORM.fullmatch(v))),
        "usb:VID:PID:SERIAL, usb:VID:PID@LOCATION, /dev/…, COMn, tcp://HOST:PORT, replay:FILE or sim:NAME (串口)",
    ),
    "listen": Form(lambda v: _text(v) and _address(v) is not None, "host:port (地址:端口)"),
    "brokers": Form(
        lambda v: isinstance(v, list) and bool(v) and all(_text(url) and _url(url) for url in v),
        'a list such as ["mqtt://10.0.0.1:1883", "mqtts://broker.example"]',
    ),
    "peers": Form(
        lambda v: isinstance(v, list) and all(_text(each) and _address(each) is not None for each in v),
        'a list such as ["10.0.0.7:5440"]',
    ),
    "nodes": Form(
        lambda v: isinstance(v, list) and all(_whole(each) and 0 < each < 1 << 14 for each in v),
        "a list of roster indexes (名册编号) such as [1, 2]",
    ),
    "paths": Form(
        lambda v: isinstance(v, list) and all(map(_text, v)), 'a list of folders (文件夹) such as ["/media"]'
    ),
    "cards": Form(_cards, "a table roster index = card number (卡号) such as {2 = 151951}"),
    "users": Form(_words, 'a table such as {v1 = "secret"}'),
}


def near(word: str, words: Iterable[str]) -> str:
    """`did you mean …` when a close word exists, and the list of all."""
    words = sorted(words)
    close = get_close_matches(word, words, 1, 0.6)
    return (
        (f"did you mean {close[0]!r}? (是否为 {close[0]}?) " if close else "") + "allowed (可用): " + ", ".join(words)
    )


def _value_problem(key: Key, value: Any) -> str | None:
    """What is wrong with a value, as what is allowed; None when it is right."""
    form = FORMS[key.form]
    if not form.fits(value):
        return form.allowed + ", ".join(key.allowed)
    if key.allowed and value not in key.allowed:
        return near(value, key.allowed)
    if key.form in ("int", "float") and not key.lo <= value <= key.hi:
        return f"{key.lo:.10g} to {key.hi:.10g} (范围)"
    if key.required and value == "":
        return f"must not be empty (不可为空): {key.en}"
    return None


class _Check:
    """One pass over a parsed file, gathering what is wrong with it."""

    def __init__(self, file: Path, text: str) -> None:
        self.file, self.lines = file, text.splitlines()
        self.found: list[ConfigError] = []

    def wrong(self, key: str, value: object, allowed: str) -> None:
        """Note one problem, with the line where the key can be seen."""
        line = self._line(key)
        self.found.append(ConfigError(f"{self.file}:{line}" if line else str(self.file), key, value, allowed))

    def _line(self, dotted: str) -> int:
        """The line of `key =` below its [section], of the section's header, or of `name = {…}`; 0 where none is found."""
        section, _, key = dotted.rpartition(".")
        wanted = {
            f"[{section}]": rf"{re.escape(key)}\s*=",
            f"[{section.rpartition('.')[0]}]": re.escape(section.rpartition(".")[2]),
        }
        pattern = rf"{re.escape(dotted)}\s*="
        for number, line in enumerate(self.lines, 1):
            text = line.strip()
            if text == f"[{dotted}]" or re.match(pattern, text):
                return number
            if text.startswith("["):
                pattern = wanted.get(text, "$.")
        return 0

    def section(self, section: Section, data: Any) -> Any:
        """The checked section: options, or a tuple of Named where it stands many times."""
        if not isinstance(data, dict):
            self.wrong(section.name, data, f"a section [{section.name}] (应为一节)")
            return () if section.many else {}
        if not section.many:
            return self.options(section.name, section.keys, data)
        return tuple(self._named(section, name, value) for name, value in data.items())

    def _named(self, section: Section, name: str, data: Any) -> Named:
        path = f"{section.name}.{name}"
        if not isinstance(data, dict):
            self.wrong(path, data, f"a section [{path}] (应为一节)")
            return Named(name, "", {})
        if not NAME_FORM.fullmatch(name):
            self.wrong(path, name, FORMS["name"].allowed)
        keys, kind = section.keys, ""
        if section.chooser and section.variants is not None:
            default = next(key.default for key in section.keys if key.name == section.chooser)
            kind = str(data.get(section.chooser, default))
            extra = section.variants.get(kind)
            if extra is None:
                return self._foreign(section, path, name, kind, data)
            keys += extra
        return Named(name, kind, self.options(path, keys, data))

    def _foreign(self, section: Section, path: str, name: str, kind: str, data: dict[str, Any]) -> Named:
        """A driver that is not built in: known by its entry point, or wrong."""
        words = set(section.variants or ()) | (set(known()) if section.chooser == "driver" else set())
        if kind not in words:
            shown = data.get(section.chooser)
            self.wrong(
                f"{path}.{section.chooser}",
                shown,
                near(kind, words) if shown else "required (必填): " + ", ".join(sorted(words)),
            )
        return Named(name, kind, data)

    def options(self, path: str, keys: tuple[Key, ...], data: dict[str, Any]) -> Options:
        """Every key of a section checked, defaults filled in, paths made absolute."""
        table = {key.name: key for key in keys}
        for name in data.keys() - table.keys():
            self.wrong(f"{path}.{name}", data[name], "unknown key (未知的键); " + near(name, table))
        return {key.name: self._option(path, key, data) for key in keys}

    def _option(self, path: str, key: Key, data: dict[str, Any]) -> Any:
        if key.name not in data:
            if key.required:
                self.wrong(f"{path}.{key.name}", None, f"is missing (缺少): {key.en} ({key.zh})")
            value: Any = key.default
        else:
            value = data[key.name]
            allowed = _value_problem(key, value)
            if allowed is not None:
                self.wrong(f"{path}.{key.name}", value, allowed)
                return key.default
        if key.form == "path" and value:
            return str((self.file.parent / str(value)).resolve())
        if key.form == "paths" and value is not None:
            return [str((self.file.parent / each).resolve()) for each in value]
        if key.form == "port" and str(value).startswith(REPLAY):
            return REPLAY + str((self.file.parent / str(value).removeprefix(REPLAY)).resolve())
        return value


def _parse(file: Path) -> tuple[str, dict[str, Any]]:
    """The file's text and tables; ConfigError when it cannot be read or is not TOML."""
    try:
        text = file.read_text(encoding="utf-8")
        return text, tomllib.loads(text)
    except OSError as error:
        raise ConfigError(str(file), "file", error.strerror, "a readable TOML file (可读的 TOML 文件)") from None
    except UnicodeDecodeError:
        raise ConfigError(str(file), "file", "bytes", "UTF-8 text (UTF-8 文本)") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(str(file), "TOML", str(error), "valid TOML (合法的 TOML)") from None


def _across(check: _Check, config: Config) -> None:
    """What no single key can show: one of two keys, and things that must exist together."""
    for device in config.devices:
        if device.kind == "meshtastic" and bool(device.options["port"]) == bool(device.options["host"]):
            check.wrong(
                f"devices.{device.name}.port",
                device.options["port"],
                "exactly one of port and host (port 与 host 二选一)",
            )
    radios = [device.name for device in config.devices if device.kind == "meshtastic"]
    for bearer in config.bearers:
        if bearer.kind == "mqtt" and bool(bearer.options["cert_file"]) != bool(bearer.options["key_file"]):
            check.wrong(
                f"bearers.{bearer.name}.cert_file", bearer.options["cert_file"], "cert_file and key_file together"
            )
        if bearer.kind == "meshtastic" and bearer.options["device"] not in radios:
            check.wrong(
                f"bearers.{bearer.name}.device", bearer.options["device"], near(bearer.options["device"], radios)
            )
    if config.station["role"] != "central" and "broker" in config.given:
        check.wrong("broker", "[broker]", "only central embeds a broker (仅 central 内置代理)")


def _read(file: Path) -> tuple[Config, list[ConfigError]]:
    file = file.resolve()
    text, data = _parse(file)
    check = _Check(file, text)
    table = {section.name: section for section in SECTIONS}
    for name in data.keys() - table.keys():
        check.wrong(name, data[name], "unknown section (未知的节); " + near(name, table))
    parts = {name: check.section(section, data.get(name, {})) for name, section in table.items()}
    config = Config(file, given=frozenset(data), **parts)
    if not check.found:
        _across(check, config)
    return config, check.found


def problems(file: Path) -> list[ConfigError]:
    """Everything that is wrong with a file; empty when it may be started with."""
    try:
        return _read(file)[1]
    except ConfigError as error:
        return [error]


def load(file: Path) -> Config:
    """The checked configuration; raises the first problem as ConfigError."""
    config, found = _read(file)
    if found:
        raise found[0]
    return config


def brokers(urls: list[str]) -> Iterator[tuple[str, int, bool]]:
    """Host, port and whether TLS, of checked broker addresses."""
    for url in urls:
        parts = urlsplit(url)
        tls = parts.scheme == "mqtts"
        yield parts.hostname or "", parts.port or (8883 if tls else 1883), tls


def listen(text: str) -> tuple[str, int]:
    """Host and port of a checked `listen` value."""
    address = _address(text)
    if address is None:
        raise ValueError(text)
    return address

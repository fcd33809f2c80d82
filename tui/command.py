"""A row of the command table. A module of commands exports COMMANDS: tuple[Command, ...] and imports nothing heavy at its top."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

Run = Callable[[Namespace], int]


@dataclass(frozen=True, slots=True)
class Arg:
    """One argument: its names as argparse takes them, what it means, and argparse's other options."""

    names: tuple[str, ...]
    zh: str
    en: str
    options: Mapping[str, Any] = field(default_factory=dict)


def arg(*names: str, zh: str, en: str, **options: Any) -> Arg:
    """An Arg in argparse's own manner: arg("--seconds", zh=…, en=…, type=float, default=60.0)."""
    return Arg(names, zh, en, options)


@dataclass(frozen=True, slots=True)
class Command:
    """One command. name: one word, or two for a command of a group ("incident create").

    run: a function from the parsed arguments to an exit status, or "module:function", imported only when it runs.
    Exit status: 0 done, 1 failed, 2 wrong arguments or configuration.
    """

    name: str
    zh: str
    en: str
    run: str | Run
    args: tuple[Arg, ...] = ()

    def resolve(self) -> Run:
        """The function to call."""
        if not isinstance(self.run, str):
            return self.run
        module, _, attribute = self.run.partition(":")
        found: Run = getattr(import_module(module), attribute)
        return found


CONFIG = arg("-c", "--config", zh="配置文件 (TOML)", en="configuration file (TOML)", required=True, metavar="FILE")

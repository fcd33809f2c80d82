"""`python -m bench NAME [--json] [--OPTION VALUE]…`: one benchmark, its result as one JSON object. `all` runs every one.

A benchmark is a module bench/NAME.py with a `run` whose parameters are its options. Status 1 when its result says `ok: false`.
"""

from __future__ import annotations

import inspect
import json
import logging
import pkgutil
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import bench
from bench.links import PARTS

Run = Callable[..., dict[str, Any]]
BY_NAME = (*PARTS, "exercise", "train_text")  # shown by `links`; a quarter of an hour; makes files instead of measuring


def names() -> list[str]:
    """Every benchmark that is there."""
    found = (module.name for module in pkgutil.iter_modules(bench.__path__))
    return [name for name in found if name != "__main__" and "def run(" in _source(name)]


def _source(name: str) -> str:
    spec = find_spec(f"bench.{name}")
    return Path(spec.origin).read_text(encoding="utf-8") if spec is not None and spec.origin else ""


def _options(run: Run, argv: Sequence[str], name: str) -> dict[str, Any]:
    """The parameters of `run` as options of its own; their types are those of their defaults."""
    parser = ArgumentParser(prog=f"python -m bench {name}", description=inspect.getdoc(run))
    parser.add_argument("--json", action="store_true", help="print one JSON object on one line")
    for option, parameter in inspect.signature(run).parameters.items():
        kind = str if parameter.default in (None, inspect.Parameter.empty) else type(parameter.default)
        parser.add_argument(f"--{option}", type=kind, default=parameter.default)
    return vars(parser.parse_args(argv))


def _show(result: dict[str, Any], plain: bool) -> None:
    print(json.dumps(result, ensure_ascii=False, indent=None if plain else 2), flush=True)


def one(name: str, argv: Sequence[str]) -> int:
    """Run one and print its result; exit status."""
    run: Run = import_module(f"bench.{name}").run
    options = _options(run, argv, name)
    plain = options.pop("json")
    result = run(**options)
    _show(result, plain)
    return 0 if result.get("ok", True) else 1


def main(argv: Sequence[str]) -> int:
    """The command; exit status."""
    name, *rest = argv or ["--help"]
    logging.basicConfig(level=logging.ERROR)  # links that go down are what some benches are about
    if name == "all":
        results = {each: import_module(f"bench.{each}").run() for each in names() if each not in BY_NAME}
        _show(results, "--json" in rest)
        return 0 if all(result.get("ok", True) for result in results.values()) else 1
    if name in names():
        return one(name, rest)
    print(f"python -m bench NAME [--json]\nNAME: all, {', '.join(names())}", file=sys.stderr)
    return 0 if name in ("-h", "--help") else 2


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

"""`sanduan agent|unit|relay|central`, `sanduan keys` and `sanduan check-config`."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path
from typing import Final

from hardware.errors import ConfigError
from sync.seal.contract import Role
from tui.words import LANGUAGES, pick

TEXTS: Final[dict[str, tuple[str, str]]] = {
    "in order": ("{file}:无误", "{file}: in order"),
    "made": ("{path}(绝密,只交给该节点)", "{path} (secret; for that node alone)"),
}


def role(args: Namespace) -> int:
    """Run the role that the configuration names; it must be the one that was asked for."""
    from edge.config import load
    from edge.roles import run_role

    config = load(Path(args.config))
    asked, named = args.command.name, config.station["role"]
    if asked != named:
        raise ConfigError(str(config.file), "station.role", named, f"sanduan {named} -c …, or role = {asked!r}")
    return run_role(config)


def check_config(args: Namespace) -> int:
    """List everything wrong with a file, or say that it is in order."""
    from edge.config import problems

    found = problems(Path(args.file))
    for problem in found:
        print(problem, file=sys.stderr)
    if not found:
        print(_say(args, "in order", file=args.file))
    return 2 if found else 0


def keys(args: Namespace) -> int:
    """Make a new incident with the identities of all its nodes."""
    from edge.keys import create

    for path in create(Path(args.folder), dict(map(_node, args.nodes))):
        print(_say(args, "made", path=path))
    return 0


def _node(text: str) -> tuple[int, Role]:
    """`2=command` taken apart."""
    number, _, role = text.partition("=")
    if not number.isdecimal() or not 0 < int(number) < 1 << 14 or role.upper() not in Role.__members__:
        allowed = ", ".join(name.lower() for name in Role.__members__)
        raise ConfigError("keys", "NODE=ROLE", text, f"roster index = {allowed}")
    return int(number), Role[role.upper()]


def _say(args: Namespace, name: str, /, **words: object) -> str:
    return TEXTS[name][LANGUAGES.index(pick(args.lang))].format(**words)

"""`sanduan agent|unit|relay|central` and `sanduan check-config`."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path

from edge.config import load, problems
from hardware.errors import ConfigError
from tui.words import pick


def role(args: Namespace) -> int:
    """Run the role that the command names until stopped; the file must be of that role."""
    from edge.roles import run_role

    config = load(Path(args.config))
    if config.station["role"] != args.command.name:
        raise ConfigError(
            str(config.file), "station.role", config.station["role"], f"{args.command.name!r} for this command"
        )
    return run_role(config)


def check_config(args: Namespace) -> int:
    """List everything that is wrong with a file; 2 when anything is."""
    found = problems(Path(args.file))
    for problem in found:
        print(problem, file=sys.stderr)
    if not found:
        print({"zh": "没有问题", "en": "nothing wrong"}[pick(args.lang)])
    return 2 if found else 0

"""`sanduan exercise`: one scenario, one seed, one loss; 1 when a checkpoint failed."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Callable
from typing import Any, Final

from edge.exercise.run import clock_text, run
from edge.exercise.scenario import find, load
from edge.exercise.talkers import exchange
from hardware.errors import ConfigError
from tui.words import LANGUAGES, pick

SIGNS: Final = {"pass": ("通过", "pass"), "fail": ("未通过", "FAIL"), "not yet": ("尚未", "not yet")}
SUMMARY: Final = (
    "{passed} 项通过,{failed} 项未通过,种子 {seed},丢包 {loss:.0%},CPU {cpu_s} 秒,轨迹 {trace}",
    "{passed} passed, {failed} failed, seed {seed}, loss {loss:.0%}, {cpu_s} s of CPU, trace {trace}",
)


def exercise(args: Namespace) -> int:
    """Run and print."""
    if not 0 <= args.loss < 1:
        raise ConfigError("--loss", "loss", args.loss, "0 to 1 (范围)")
    result = run(load(find(args.scenario)), args.seed, args.loss, exchange, args.hours, _teller())
    if args.json:
        print(json.dumps(result, ensure_ascii=False))
    else:
        _show(result, LANGUAGES.index(pick(args.lang)))
    return 1 if result["failed"] else 0


def _show(result: dict[str, Any], which: int) -> None:
    for row in result["checkpoints"]:
        print(f"T+{row['time']:>5}  {SIGNS[row['state']][which]:<7} {row['name']}: {row['figure']}")
    print(SUMMARY[which].format(**result))


def _teller() -> Callable[[float], None]:
    """The simulated time on standard error where a person watches."""

    def told(now: float) -> None:
        if sys.stderr.isatty():
            print(f"\rT+{clock_text(now)}", end="", file=sys.stderr, flush=True)

    return told

"""The acceptance exercise over its whole grid: three seeds, three rates of loss, every checkpoint judged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from edge.exercise.run import run as run_one
from edge.exercise.scenario import find, load
from edge.exercise.talkers import exchange

LOSSES: Final = (0.0, 0.3, 0.5)
HARD: Final = 0.5  # at this loss so many checkpoints are enough
ENOUGH: Final = 24
CPU_S: Final = 300.0
STATES: Final = {"pass": "passed", "fail": "failed", "not yet": "not_yet"}


def run(scenario: str = "qingxi24", seeds: int = 3, hours: float = 0.0) -> dict[str, Any]:
    """Every run in a row of its own, with the names of what failed; hours: 0 for the whole day."""
    plan = load(find(scenario))
    runs = [_row(run_one(plan, seed, loss, exchange, hours or None), seed, loss) for seed, loss in _grid(seeds)]
    return {"exercise": scenario, "runs": runs, "ok": all(map(_good, runs))}


def _grid(seeds: int) -> Iterator[tuple[int, float]]:
    yield from ((seed, loss) for loss in LOSSES for seed in range(1, seeds + 1))


def _row(result: dict[str, Any], seed: int, loss: float) -> dict[str, Any]:
    names = [row["name"] for row in result["checkpoints"] if row["state"] == "fail"]
    counts = {name: sum(row["state"] == state for row in result["checkpoints"]) for state, name in STATES.items()}
    return {"seed": seed, "loss": loss, **counts, "cpu_s": result["cpu_s"], "trace": result["trace"], "failures": names}


def _good(row: dict[str, Any]) -> bool:
    enough = row["passed"] >= ENOUGH if row["loss"] >= HARD else row["failed"] == 0
    return bool(enough and row["cpu_s"] <= CPU_S)

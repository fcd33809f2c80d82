"""Running an exercise: the field, its timeline and its judges under one seed and loss; the result as one plain object."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge.exercise.acts import plan
from edge.exercise.field import Exchanges, Field
from edge.exercise.judges import JUDGES
from edge.exercise.judging import Looking, Verdict
from edge.exercise.scenario import Checkpoint, Scenario
from edge.sim.world import seldom_collected
from hardware.errors import ConfigError


def clock_text(seconds: float) -> str:
    """Seconds since the beginning as hours:minutes."""
    return f"{int(seconds) // 3600}:{int(seconds) // 60 % 60:02d}"


def run(
    scenario: Scenario,
    seed: int,
    loss: float,
    exchange: Exchanges,
    hours: float | None = None,
    told: Callable[[float], None] = lambda now: None,
    folder: Path | None = None,
) -> dict[str, Any]:
    """Run a scenario to its end, or for so many hours; `told` hears the time every simulated hour.

    The stores lie in a temporary folder, by default in memory where the system has such a place.
    """
    memory = Path("/dev/shm")
    place = folder or (memory if memory.is_dir() else None)
    with tempfile.TemporaryDirectory(prefix="sanduan-", dir=place) as name:
        field = Field(scenario, Path(name), seed, loss, exchange)
        try:
            with seldom_collected():
                return _run(field, seed, loss, hours or scenario.hours, told)
        finally:
            field.close()


def _run(field: Field, seed: int, loss: float, hours: float, told: Callable[[float], None]) -> dict[str, Any]:
    begun = time.process_time()
    verdicts: dict[int, Verdict] = {}
    plan(field)
    for number, point in enumerate(field.scenario.checkpoints):
        _watch(field, number, point, verdicts)
    field.start()
    for hour in range(1, int(hours) + 1):
        field.world.run(hour * 3600.0)
        told(field.world.now)
    field.world.run(hours * 3600.0)
    points = sorted(enumerate(field.scenario.checkpoints), key=lambda pair: pair[1].at)
    rows = [_row(point, verdicts.get(number), field.world.now) for number, point in points]
    return {
        "exercise": field.scenario.name,
        "seed": seed,
        "loss": loss,
        "hours": hours,
        "trace": field.world.trace,
        "events": field.world.events,
        "cpu_s": round(time.process_time() - begun, 1),
        "passed": sum(row["state"] == "pass" for row in rows),
        "failed": sum(row["state"] == "fail" for row in rows),
        "checkpoints": rows,
    }


def _watch(field: Field, number: int, point: Checkpoint, verdicts: dict[int, Verdict]) -> None:
    """Let a judge look whenever it wants to."""
    judge = JUDGES.get(point.judge)
    if judge is None:
        raise ConfigError(field.scenario.name, "judge", point.judge, ", ".join(sorted(JUDGES)))
    looking: Looking = judge(field, point)

    def look() -> None:
        try:
            field.world.at(next(looking), look)
        except StopIteration as end:
            verdicts[number] = end.value
            field.world.note("checkpoint", point.name, end.value.state.value)

    look()


def _row(point: Checkpoint, found: Verdict | None, now: float) -> dict[str, str]:
    """One row; a judge that was still looking when the run ended has seen a failure, one whose time had not come has not."""
    if found is None:
        late = point.at <= now
        return {"time": clock_text(point.at), "name": point.name, "state": "fail" if late else "not yet", "figure": "still open at the end" if late else "not reached"}  # fmt: skip
    return {"time": clock_text(point.at), "name": point.name, "state": found.state.value, "figure": found.figure}

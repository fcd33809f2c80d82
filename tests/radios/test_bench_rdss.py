"""The bench of short messages: whole orders, no send too early, and close to what arithmetic allows."""

from __future__ import annotations

from bench.rdss import run


def test_orders_arrive_whole_at_the_price_of_arithmetic() -> None:
    result = run(60, seed=3)
    assert result["ok"]
    for part in (result["bds2_level3_78_bytes"], result["bds3_level2_229_bytes"]):
        assert part["complete"] == 60 and part["refused_as_too_early"] == 0
        assert part["fragments"] < part["mean_messages"] <= part["expected_messages"] + 1

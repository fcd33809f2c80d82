"""The bench of the exchange keeps its bars in small: sizes, shares and delays under virtual time do not depend on the machine."""

from __future__ import annotations

from bench.exchange import BARS, run


def test_the_bars_hold_in_small() -> None:
    found = run(seeds=20, fleets=1, nodes=4, hours=0.5, rows=10_000)
    assert found["flash"]["max_s"] <= found["flash"]["bar_s"]
    assert found["flash_30_percent_loss"]["p95_frames"] <= BARS["late_frames"]
    assert (
        found["have_list"]["twenty_moved_max"] <= BARS["moved"] and found["have_list"]["nothing_moved"] <= BARS["still"]
    )
    assert found["one_row"]["bytes"] <= BARS["row"] and found["three_bearers"]["needless_share"] <= BARS["needless"]
    assert found["central_back"]["urgent_s"] <= BARS["urgent_s"]
    assert found["fleet"][0]["converged"] and found["fleet"][0]["conflicts"] == 0

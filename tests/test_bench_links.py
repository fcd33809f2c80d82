"""The benches of carried media, LAN and mesh run on a small load and check what they move."""

from __future__ import annotations

from pathlib import Path

from bench import carry, lan, mesh


def test_carried(tmp_path: Path) -> None:
    result = carry.run(2, tmp_path)
    assert result["imported"] == result["blocks"] == 31 and result["bytes"] > 2_000_000


def test_lan() -> None:
    result = lan.run(4)
    assert result["blocks"] == 7 * 17 and result["MBps"] > 5


def test_mesh() -> None:
    result = mesh.campaign(0.2, 2, 3)
    assert result["complete"] == result["confirmed"] == 2 and not result["false_receipts"]
    assert result["fragments"] == 22 and result["greatest_air_share_of_an_hour"] <= 0.25

"""The benches of carried media and LAN run on a small load and check what they move."""

from __future__ import annotations

from pathlib import Path

from bench import carry, lan


def test_carried(tmp_path: Path) -> None:
    result = carry.run(2, tmp_path)
    assert result["imported"] == result["blocks"] == 31 and result["bytes"] > 2_000_000


def test_lan() -> None:
    result = lan.run(4)
    assert result["blocks"] == 7 * 17 and result["MBps"] > 5

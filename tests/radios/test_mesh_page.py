"""docs/wire/mesh.md tells what the code does: the table of times on air, and the symbol's bytes."""

from __future__ import annotations

import re
from pathlib import Path

from radios.meshtastic.airtime import BY_NAME, LONGEST_PAYLOAD, OVERHEAD, SIGNATURE, longest_frame
from radios.meshtastic.bearer import CHINA_FRAME_US
from sync import repair
from sync.exchange.frame import Symbol, read_parts
from sync.ids import BlockId, Lane

PAGE = (Path(__file__).parents[2] / "docs/wire/mesh.md").read_text(encoding="utf-8")


def test_times_on_air() -> None:
    rows = re.findall(r"^\| (\w+) \| ([\d,]+) ms \| ([\d,]+) ms \| (\d+) \|$", PAGE, re.M)
    assert [row[0] for row in rows] == ["ShortFast", "MediumFast", "LongFast"]
    for name, short, long, longest in rows:
        preset = BY_NAME[name]
        assert (f"{preset.airtime_us(40) / 1000:,.0f}", f"{preset.airtime_us(224) / 1000:,.0f}") == (short, long)
        assert longest_frame(preset, CHINA_FRAME_US, (2, 7)) == int(longest)
    assert f"{LONGEST_PAYLOAD} to all" in PAGE and f"| {OVERHEAD} |" in PAGE and f"| {SIGNATURE}, on" in PAGE


def test_the_symbol() -> None:
    found = re.search(r"65 s old: `([0-9a-f]+)`", PAGE)
    assert found is not None
    block = bytes(range(100))
    expected = Symbol(BlockId(7, 0x1234, Lane.COMMAND, 3), 65, 100, 16, 8, repair.symbol(block, 16, 8))
    assert list(read_parts(bytes.fromhex(found[1]))) == [expected]

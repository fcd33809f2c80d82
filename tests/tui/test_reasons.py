"""Reasons of links and devices in the reader's language."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tui.reasons import REASONS, reason
from tui.words import Words

ROOT = Path(__file__).parents[2]
ZH, EN = Words("zh"), Words("en")


@pytest.mark.parametrize(
    ("why", "zh"),
    [
        ("stick1: 3 blocks in, 7118 bytes out, may be pulled", "stick1: 读入 3 块,写出 7118 字节,可以拔了"),
        ("no fix, 43 satellites in view", "无定位,可见 43 星"),
        ("127.0.0.1:1883: closed before it answered", "127.0.0.1:1883: 未应答就断开"),
        ("[::1]:1883: Operation timed out", "[::1]:1883: 超时"),
        ("usb:10c4:ea60:0001 is not plugged in", "usb:10c4:ea60:0001 未插上"),
        ("card 4204990, 78 bytes every 60 s, beam 3 of 4", "卡 4204990,每 60 秒 78 字节,波束 3/4"),
        ("127.0.0.1:1883: user name or password refused (用户名或口令被拒)", "127.0.0.1:1883: 用户名或口令被拒"),
        ("no clock: nothing is old (时钟不明)", "时钟不明"),
        ("127.0.0.1:1883, MQTT 5", "127.0.0.1:1883, MQTT 5"),
        ("something new: of its own", "something new: of its own"),
        ("", ""),
    ],
)
def test_a_reason_is_told_in_the_readers_language(why: str, zh: str) -> None:
    assert reason(why, ZH) == zh
    assert reason(why, EN) == why.partition(" (")[0]


def test_what_nodes_say_of_themselves_is_known() -> None:
    """Reasons without figures, as the sources have them; those of simulators are nobody's."""
    said = set()
    for file in (file for floor in ("hardware", "radios", "edge") for file in (ROOT / floor).rglob("*.py")):
        if not {"sim", "exercise", "demo"} & set(file.parts) and file.name != "loopback.py":
            said |= set(re.findall(r'Health\.\w+, "([^"{}]*[a-z][^"{}]*)"', file.read_text(encoding="utf-8")))
    unknown = [why for why in said if reason(why, ZH) == why]
    assert len(said) > 15 and not unknown


def test_rows_are_whole() -> None:
    assert all(zh for _, zh in REASONS) and len({pattern.pattern for pattern, _ in REASONS}) == len(REASONS)

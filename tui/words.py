"""Every word on the screen, Chinese and English; a key missing in one language cannot be written, for a row has both."""

from __future__ import annotations

import locale
import os
from typing import Final

LANGUAGES: Final = ("zh", "en")

WORDS: Final[dict[str, tuple[str, str]]] = {
    "title": ("三断 指挥屏", "Sanduan command screen"),
    "where": ("位置", "where"),
    "when": ("时间", "when"),
    "links": ("链路", "links"),
    "backlog": ("待发", "backlog"),
    "people": ("人员", "people"),
    "events": ("动态", "events"),
    "alarms": ("告警", "alarms"),
    "devices": ("设备", "devices"),
    "name": ("姓名", "name"),
    "state": ("状态", "state"),
    "age": ("时龄", "age"),
    "hr": ("心率", "HR"),
    "spo2": ("血氧", "SpO2"),
    "temp": ("体温", "temp"),
    "battery": ("电量", "batt"),
    "place": ("位置", "place"),
    "link": ("链路", "link"),
    "since": ("自", "since"),
    "why": ("原因", "why"),
    "in": ("收", "in"),
    "out": ("发", "out"),
    "lane": ("通道", "lane"),
    "rows": ("条", "rows"),
    "oldest": ("最久", "oldest"),
    "unsent": ("未达", "not there"),
    "flash": ("特急", "flash"),
    "command": ("命令", "command"),
    "picture": ("态势", "picture"),
    "track": ("航迹", "track"),
    "history": ("历史", "history"),
    "bulk": ("大件", "bulk"),
    "up": ("通", "up"),
    "degraded": ("限", "weak"),
    "down": ("断", "down"),
    "off": ("停", "off"),
    "ok": ("正常", "ok"),
    "stale": ("过时", "stale"),
    "unknown": ("不明", "unknown"),
    "lost": ("失联", "lost"),
    "alarm": ("告警", "alarm"),
    "no fix": ("未定位", "no fix"),
    "sats": ("星", "sats"),
    "beidou": ("北斗", "BeiDou"),
    "clock.none": ("时钟不明", "no clock"),
    "clock.rtc": ("机内钟", "RTC"),
    "clock.ntp": ("网络钟", "NTP"),
    "clock.gnss": ("卫星钟", "GNSS time"),
    "agent down": ("代理程序未运行,仅可查看", "agent is not running: reading only"),
    "no store": ("没有数据库", "no store yet"),
    "none": ("无", "none"),
    "all sent": ("全部送达", "all delivered"),
    "frozen": ("画面已冻结 空格继续", "FROZEN - space to go on"),
    "help": ("帮助", "help"),
    "quit": ("退出", "quit"),
    "freeze": ("冻结", "freeze"),
    "night": ("夜间", "night"),
    "sun": ("日光", "sunlight"),
    "language": ("语言", "language"),
    "next": ("切换", "next pane"),
    "member": ("成员", "member"),
    "guest": ("来宾", "guest"),
    "quarantine": ("隔离", "quarantined"),
    "origin": ("本源", "origin"),
    "late": ("迟到", "late"),
    "waiting": ("等待首条观测 …", "waiting for the first observation …"),
    "write": ("写消息", "write"),
    "send": ("发送", "send"),
    "sent": ("已存入,待送达", "stored, to be delivered"),
    "message hint": ("消息内容,回车发送", "message, Enter to send"),
    "you": ("本机", "here"),
}


def pick(wanted: str | None = None) -> str:
    """The language to speak: what was asked for, else by the locale, Chinese when that says nothing."""
    if wanted in LANGUAGES:
        return wanted
    named = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or locale.getlocale()[0]
    if not named or named.startswith(("C", "POSIX")):
        return "zh"
    return "zh" if named.startswith("zh") else "en"


class Words:
    """The words of one language: `words("people")`; a key that is not in the table is shown as it is."""

    def __init__(self, language: str | None = None) -> None:
        self.language = pick(language)
        self._column = LANGUAGES.index(self.language)

    def __call__(self, key: str) -> str:
        row = WORDS.get(key)
        return row[self._column] if row else key

    def age(self, seconds: float | None) -> str:
        """An age a person reads at a glance, at most five cells: 7s, 12m, 3h, 2d, - for never."""
        if seconds is None:
            return "-"
        for limit, divisor, unit in ((100, 1, "s"), (6000, 60, "m"), (172_800, 3600, "h")):
            if seconds < limit:
                return f"{int(max(seconds, 0) // divisor)}{unit}"
        return f"{int(seconds // 86_400)}d"

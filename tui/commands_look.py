"""Commands that only look: the screen, and recordings."""

from __future__ import annotations

from typing import Final

from tui.command import Command, arg

LOOKS: Final = (
    arg("--theme", zh="配色:day 日常、night 夜间红光、sun 日光、16 终端自己的 16 色", en="colours: day, night (red), sun (daylight), 16 (the terminal's own)",
        choices=("day", "night", "sun", "16")),
    arg("--symbols", zh="符号:full 全、narrow 窄字符、ascii", en="symbols: full, narrow (none drawn double), ascii", choices=("full", "narrow", "ascii")),
)  # fmt: skip
COMMANDS: tuple[Command, ...] = (
    Command("tui", "指挥屏:只读本地数据库,代理程序停了也能看", "the command screen; reads the store, also while the agent is down",
            "tui.look:screen", (
                arg("-c", "--config", zh="代理的配置文件", en="the agent's configuration file", required=True, metavar="FILE"),
                arg("--as", zh="看屏的人的代号,写在消息和确认上", en="short id of whoever sits here, put on messages and acknowledgements",
                    dest="who", default="", metavar="ID"),
                *LOOKS,
                arg("--picture", zh="不开屏,把一帧画面存成 SVG", en="open no screen, save one frame as SVG", metavar="FILE"),
                arg("--slow", zh="慢速链路(SSH):16 色,每 5 秒更新", en="for slow lines (SSH): 16 colours, an update every 5 s", action="store_true"),
            )),
    Command("replay", "读接收机录音文件,逐历元输出", "read receiver recordings; one line per fix epoch",
            "tui.look:replay", (
                arg("files", zh="录音文件 (NMEA)", en="recordings (NMEA)", nargs="+", metavar="FILE"),
                arg("--json", zh="每行一个 JSON", en="one JSON object a line", action="store_true"),
            )),
)  # fmt: skip

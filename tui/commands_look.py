"""Commands that only look: the screen, and recordings."""

from __future__ import annotations

from tui.command import Command, arg

COMMANDS: tuple[Command, ...] = (
    Command("tui", "指挥屏:只读本地数据库,代理程序停了也能看", "the command screen; reads the store, also while the agent is down",
            "tui.look:screen", (
                arg("-c", "--config", zh="代理的配置文件", en="the agent's configuration file", required=True, metavar="FILE"),
                arg("--symbols", zh="符号", en="symbols", choices=("unicode", "ascii")),
            )),
    Command("replay", "读接收机录音文件,逐历元输出", "read receiver recordings; one line per fix epoch",
            "tui.look:replay", (
                arg("files", zh="录音文件 (NMEA)", en="recordings (NMEA)", nargs="+", metavar="FILE"),
                arg("--json", zh="每行一个 JSON", en="one JSON object a line", action="store_true"),
            )),
)  # fmt: skip

"""The demonstration."""

from __future__ import annotations

from tui.command import Command, arg
from tui.commands_look import LOOKS

COMMANDS: tuple[Command, ...] = (
    Command("demo", "演示:一辆指挥车、一支徒步分队、一个中继、一个中心,链路时通时断", "a vehicle, a foot unit, a relay and central; links go up and down",
            "tui.demo:demo", (
                arg("--headless", zh="不开指挥屏,最后一行输出一个 JSON 对象", en="no screen; the last line is one JSON object", action="store_true"),
                arg("--seconds", zh="运行多少秒(无屏时默认 60)", en="how long it runs (60 without a screen)", type=float, metavar="N"),
                arg("--seed", zh="随机种子", en="seed of the simulators", type=int, default=1, metavar="N"),
                arg("--folder", zh="把文件留在这个文件夹里", en="keep its files in this folder", metavar="DIR"),
                *LOOKS,
            )),
)  # fmt: skip

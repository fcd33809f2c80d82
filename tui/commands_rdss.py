"""Commands for BeiDou short-message terminals."""

from __future__ import annotations

from tui.command import Command, arg

COMMANDS: tuple[Command, ...] = (
    Command("rdss selftest", "北斗短报文终端开通自检:卡、波束、自发自收;用掉两到四条报文", "commission a BeiDou short-message terminal: card, beams, messages to itself; costs two to four messages",
            "tui.rdss:selftest_", (
                arg("port", zh="串口:usb:…、/dev/serial/by-id/… 或 sim:rdss", en="serial port: usb:…, /dev/serial/by-id/… or sim:rdss", metavar="PORT"),
                arg("--baud", zh="波特率,省略则逐个尝试", en="serial speed; the usual ones are tried when left out", type=int, default=0),
                arg("--json", zh="每项输出一行 JSON", en="print one JSON line for each finding", action="store_true"),
            )),
)  # fmt: skip

"""Commands that run a role from a configuration file, or judge the file."""

from __future__ import annotations

from tui.command import CONFIG, Command, arg

COMMANDS: tuple[Command, ...] = (
    Command("agent", "指挥车或帐篷里的电脑:设备、存储、所有链路", "command vehicle or tent: devices, store, all links",
            "tui.field:role", (CONFIG,)),
    Command("unit", "小分队的盒子:随身设备、电台,无屏", "a foot team's box: devices, radio, no screen",
            "tui.field:role", (CONFIG,)),
    Command("relay", "中继盒:只转发,读不到内容", "relay box: passes on, reads nothing", "tui.field:role", (CONFIG,)),
    Command("central", "中心:接收、确认;未配置链路时内置 MQTT 代理",
            "central: receives and acknowledges; embeds an MQTT broker when no link is configured",
            "tui.field:role", (CONFIG,)),
    Command("keys", "演练用:一次生成全部节点的身份", "for exercises: the identities of all nodes at once", "tui.field:keys", (
        arg("folder", zh="放在哪个文件夹", en="folder for the files", metavar="DIR"),
        arg("nodes", zh="名册编号=角色(member、relay、medic、command)", en="roster index = role (member, relay, medic, command)",
            nargs="+", metavar="NODE=ROLE"),
    )),
    Command("doctor", "逐个设备和链路:能不能启动,缺什么", "what would start and what is missing, per device and link",
            "tui.doctor:doctor", (CONFIG, arg("--json", zh="每项输出一行 JSON", en="print one JSON line for each finding", action="store_true"))),
    Command("check-config", "检查配置文件,列出全部问题", "judge a configuration file; lists everything that is wrong",
            "tui.field:check_config", (arg("file", zh="配置文件", en="configuration file", metavar="FILE"),)),
)  # fmt: skip

"""Commands for who belongs to an incident: founding it, letting nodes in, revoking, wiping."""

from __future__ import annotations

from tui.command import Command, arg

ROLES = ("member", "relay", "medic", "command")
KEYS = arg("-k", "--keys", zh="身份文件", en="identity file", metavar="FILE")
CONFIG = arg("-c", "--config", zh="或:配置文件,取其中的 [keys]", en="or the configuration file whose [keys] names it", metavar="FILE")  # fmt: skip
UNLOCK = arg("-u", "--unlock", zh="解锁文件,代替口令(新建身份时没有则生成)", en="key file in place of a passphrase; made for a new identity where there is none", metavar="FILE")  # fmt: skip
OUTPUT = arg("-o", "--output", zh="另存到文件或存储盘", en="write it to a file or stick as well", metavar="PATH")
MESSAGE = arg("message", zh="文件、存储盘,或 - 从标准输入读扫出的二维码文字", en="a file, a stick, or - for scanned codes on standard input", metavar="PATH")  # fmt: skip
JSON = arg("--json", zh="输出 JSON", en="print JSON", action="store_true")

COMMANDS: tuple[Command, ...] = (
    Command("incident create", "在本机创建事件:不用网络,不用服务器", "found an incident at this node: no network, no server",
            "tui.trust:create", (
                arg("title", zh="事件名称", en="name of the incident", metavar="TITLE"),
                KEYS, UNLOCK,
                arg("--name", zh="本站代号", en="this station's short name", required=True, metavar="NAME"),
                arg("--node", zh="本站名册编号", en="this station's roster index", type=int, default=1, metavar="N"),
                arg("--lat", zh="事件参考点纬度", en="reference point, latitude", type=float, required=True, metavar="DEG"),
                arg("--lon", zh="事件参考点经度", en="reference point, longitude", type=float, required=True, metavar="DEG"),
                arg("--start", zh="事件开始时刻 (ISO 8601,带时区);省略则为现在", en="start, ISO 8601 with offset; now when left out", metavar="TIME"),
                arg("--suite", zh="密码套件:1 国际,2 国密", en="cipher suite: 1 international, 2 SM2/SM3/SM4", type=int, choices=(1, 2), default=1),
            )),
    Command("invite", "邀请一个节点入网:显示二维码,或存到文件、存储盘", "invite a node: as QR code, file or stick",
            "tui.trust:invite_", (
                arg("name", zh="新节点代号", en="the new node's short name", metavar="NAME"),
                arg("--role", zh="角色", en="what it may do", choices=ROLES, default="member"),
                arg("--node", zh="名册编号;省略则自动", en="its roster index; a free one when left out", type=int, default=0, metavar="N"),
                arg("--range", zh="给指挥节点的编号段大小,供其再准入他人", en="how many indexes a command node may itself give out", type=int, default=0, metavar="N"),
                KEYS, CONFIG, UNLOCK, OUTPUT,
            )),
    Command("join", "应邀入网;收到准入文件后再运行一次即完成", "answer an invite; once more with the grant, and this node is in",
            "tui.trust:join_", (MESSAGE, KEYS, UNLOCK, OUTPUT)),
    Command("accept", "核对校验码后准入;校验码须从对方屏幕抄来", "let a node in, by the digits on its own screen",
            "tui.trust:accept_", (
                MESSAGE,
                arg("--code", zh="对方屏幕上的校验码;省略则询问", en="the digits on the other screen; asked for when left out", metavar="DIGITS"),
                arg("--days", zh="有效天数,0 为不限", en="days until it ends, 0 for never", type=int, default=0, metavar="N"),
                KEYS, CONFIG, UNLOCK, OUTPUT,
            )),
    Command("roster show", "名册:谁在网内、由谁准入、谁被吊销", "who is in, by whose word, and who is revoked",
            "tui.trust:roster", (KEYS, CONFIG, UNLOCK, JSON)),
    Command("revoke", "吊销节点并更换其余节点的密钥;不写节点则只换密钥", "revoke nodes and change the keys of all others; without a node, only the keys",
            "tui.trust:revoke_", (
                arg("nodes", zh="代号或名册编号", en="short names or roster indexes", nargs="*", metavar="NODE"),
                arg("--distrust", zh="其以往数据也不再相信", en="believe nothing they ever sent", action="store_true"),
                arg("-c", "--config", zh="配置文件 (TOML)", en="configuration file (TOML)", required=True, metavar="FILE"),
            )),
    Command("wipe", "销毁:先毁密钥,再毁数据", "destroy: the keys first, then the data",
            "tui.trust:wipe", (
                arg("-c", "--config", zh="配置文件 (TOML)", en="configuration file (TOML)", required=True, metavar="FILE"),
                arg("--yes", zh="不再询问", en="do not ask", action="store_true"),
            )),
)  # fmt: skip

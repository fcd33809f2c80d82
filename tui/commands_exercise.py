"""The exercise command."""

from __future__ import annotations

from tui.command import Command, arg

COMMANDS: tuple[Command, ...] = (
    Command("exercise", "演练:在虚拟时间里跑一个剧本,逐个检查点判定", "run a scenario in virtual time and judge every checkpoint",
            "tui.exercise:exercise", (
                arg("scenario", zh="剧本文件,或自带剧本的名字 (qingxi24)", en="scenario file, or the name of one that comes along (qingxi24)", metavar="SCENARIO"),
                arg("--seed", zh="随机种子", en="seed of all chance", type=int, default=1, metavar="N"),
                arg("--loss", zh="电台每跳每向的丢包率 0..1", en="loss of the radio per hop and way, 0 to 1", type=float, default=0.3, metavar="X"),
                arg("--hours", zh="只跑前几小时", en="run only so many hours", type=float, metavar="H"),
                arg("--json", zh="输出一个 JSON 对象", en="print one JSON object", action="store_true"),
            )),
)  # fmt: skip

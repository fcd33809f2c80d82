"""Commands for what people carry: sticks, paper, voice, QR codes."""

from __future__ import annotations

from tui.command import CONFIG, Command, arg

BLOCK = arg("block", zh="编号,如 1.3f2a.flash.7;省略则为本站最新的急件或命令",
            en="id such as 1.3f2a.flash.7; this station's newest flash or command block when left out", nargs="?", metavar="BLOCK")  # fmt: skip
FOR = arg("--for", zh="收件节点的名册编号", en="roster indexes of the nodes it is for", dest="nodes", nargs="+",
          type=int, required=True, metavar="NODE")  # fmt: skip
CARRIER = arg("--carrier", zh="由谁携带", en="who or what carries it", default="", metavar="NAME")
FOLDER = arg("folder", zh="文件夹或存储盘", en="folder or stick", metavar="DIR")
JSON = arg("--json", zh="输出 JSON", en="print JSON", action="store_true")

COMMANDS: tuple[Command, ...] = (
    Command("carry export", "把对方还没有的数据写到存储盘:密封、校验、带清单", "write what others lack to a stick: sealed, verified, with a manifest",
            "tui.carry:export_", (FOLDER, FOR, CARRIER, CONFIG, JSON)),
    Command("carry import", "读入存储盘或单个文件;读两遍也不会重复", "take in a stick or one file; twice adds nothing",
            "tui.carry:import_", (arg("path", zh="文件夹、存储盘或 .sdbundle 文件", en="folder, stick or .sdbundle file", metavar="PATH"), CONFIG, JSON)),
    Command("carry show", "看清单:是什么、给谁、多少、谁带着", "manifests: what, for whom, how much, who carries",
            "tui.carry:show", (arg("path", zh="文件夹、存储盘或 .sdbundle 文件", en="folder, stick or .sdbundle file", metavar="PATH"), CONFIG, JSON)),
    Command("carry mark", "给存储盘做标记:插到哪个站都会自动读写", "mark a stick, so that every station serves it when it is put in",
            "tui.carry:mark_", (FOLDER, FOR, CARRIER)),
    Command("paper write", "一条短消息写成四位数字组,可用任何电台念或写在信里", "a small block as groups of four digits, to be read over any radio or written in a letter",
            "tui.paper:write", (BLOCK, CONFIG)),
    Command("paper read", "把听到或收到的数字组打回去(标准输入,听不清的打 ?)", "type groups back in (standard input; ? for one not understood)",
            "tui.paper:read", (CONFIG,)),
    Command("qr show", "显示为二维码,或存成 SVG/PNG 打印", "show as QR code, or save it as SVG or PNG",
            "tui.paper:show_qr", (BLOCK, arg("-o", "--output", zh="存成 .svg 或 .png", en="save as .svg or .png", metavar="FILE"), CONFIG)),
    Command("qr read", "把扫出的文字读回(标准输入,每行一个)", "take scanned text back in (standard input, one code a line)",
            "tui.paper:read_qr", (CONFIG,)),
)  # fmt: skip

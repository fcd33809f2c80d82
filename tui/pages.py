"""docs/config.md and docs/commands.md, written from the tables of keys and commands: `python -m tui.pages` renews both."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from edge.config import FORMS
from edge.config_keys import REQUIRED, SECTIONS, Key, Section
from tui.cli import GROUPS, commands
from tui.command import Arg, Command

DOCS: Final = Path(__file__).resolve().parent.parent / "docs"
CONFIG_HEAD: Final = """# Configuration · 配置文件

One TOML file configures every role. `sanduan check-config FILE` judges it and names file, line, key, value and what is
allowed; `sanduan doctor -c FILE` says what would start here and now. Unknown keys are errors. Relative paths are relative to
the file. Sections written `[name.ANYTHING]` may stand many times, under short names of your choice.

所有角色共用一种 TOML 配置文件。`sanduan check-config FILE` 检查并指出文件、行、键、值和允许的取值;`sanduan doctor -c FILE`
逐项说明此时此地能启动什么、缺什么。未知的键是错误;相对路径相对于配置文件。写作 `[name.任意]` 的节可以出现多次,名称自定。
"""
EXAMPLE: Final = """[station]
id = "V1"
name = "指挥车"
role = "agent"
node = 2

[incident]
name = "青溪"
central = [1]

[keys]
file = "v1.keys"

[nodes.PROV]
node = 1
name = "省中心"

[people.P01]
name = "王强"
unit = "一组"
device = "!a1b2c3d4"

[devices.gnss0]
driver = "nmea.gnss"
port = "usb:10c4:ea60:0001"

[devices.mesh0]
driver = "meshtastic"
port = "usb:303a:1001:*"

[wearables.P01]
addr = "AA:BB:CC:DD:EE:FF"

[bearers.lora]
type = "meshtastic"
device = "mesh0"

[bearers.net]
type = "mqtt"
brokers = ["mqtts://centre.example:8883"]
ca_file = "ca.pem"
"""
COMMANDS_HEAD: Final = """# Commands · 命令

`sanduan --help` and `sanduan COMMAND --help` show the same. `--lang zh|en` may stand anywhere; otherwise the locale decides.
Exit status: 0 done, 1 failed, 2 wrong arguments or configuration, 130 interrupted.

`sanduan --help` 和 `sanduan 命令 --help` 内容相同。`--lang zh|en` 可放在任何位置,否则按系统语言。
退出状态:0 完成,1 失败,2 参数或配置有误,130 被中断。
"""


def config_page() -> str:
    """The page of every key."""
    example = f"\nA command vehicle · 一辆指挥车:\n\n```toml\n{EXAMPLE}```\n"
    return CONFIG_HEAD + example + "".join(line + "\n" for section in SECTIONS for line in _section(section))


def _section(section: Section) -> Iterator[str]:
    title = f"{section.name}.ANYTHING" if section.many else section.name
    yield f"\n## [{title}]\n\n{section.en} · {section.zh}\n"
    yield from _table(section.keys)
    for word, keys in (section.variants or {}).items():
        yield f'\n### {section.chooser} = "{word}"\n'
        yield from _table(keys) if keys else ["No further keys. · 没有其他键。"]


def _table(keys: tuple[Key, ...]) -> Iterator[str]:
    yield "| key · 键 | value · 值 | default · 默认 | meaning · 含义 |\n|---|---|---|---|"
    for key in keys:
        yield f"| `{key.name}` | {_value(key)} | {_default(key)} | {_cell(key.en)} · {_cell(key.zh)} |"


def _value(key: Key) -> str:
    """The form, the words allowed, or the range."""
    if key.allowed:
        return ", ".join(f"`{word}`" for word in key.allowed)
    form = FORMS[key.form].allowed.removesuffix(": ")
    bounds = [f"{bound:.12g}" if abs(bound) < float("inf") else "" for bound in (key.lo, key.hi)]
    return _cell(form) + (f", {bounds[0]} … {bounds[1]}" if any(bounds) else "")


def _default(key: Key) -> str:
    if key.default == REQUIRED:
        return "**required · 必填**"
    if isinstance(key.default, bool):
        return f"`{str(key.default).lower()}`"
    return "–" if key.default in ("", None) else f"`{key.default}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def commands_page() -> str:
    """The page of every command."""
    table, group = COMMANDS_HEAD, ""
    for command in commands():
        first, _, rest = command.name.partition(" ")
        if rest and first != group:
            zh, en = GROUPS.get(first, ("", ""))
            table += f"\n## {first}\n\n{en} · {zh}\n"
        group = first
        table += "".join(line + "\n" for line in _command(command))
    return table


def _command(command: Command) -> Iterator[str]:
    level = "###" if " " in command.name else "##"
    yield f"\n{level} sanduan {command.name}\n\n{command.en}\n\n{command.zh}\n"
    if command.args:
        yield "| argument · 参数 | meaning · 含义 |\n|---|---|"
        yield from (f"| {_names(each)} | {_cell(each.en)} · {_cell(each.zh)} |" for each in command.args)


def _names(argument: Arg) -> str:
    """The names as they are typed, with what follows them."""
    options = argument.options
    value = options.get("metavar") or "\\|".join(map(str, options.get("choices", ())))
    if not value and options.get("action") != "store_true" and argument.names[0].startswith("-"):
        value = argument.names[-1].lstrip("-").upper()
    names = ", ".join(argument.names) if argument.names[0].startswith("-") else ""
    optional = (
        ""
        if options.get("required") or (not names and options.get("nargs") not in ("?", "*"))
        else " (optional · 可省)"
    )
    more = " …" if options.get("nargs") in ("+", "*") else ""
    default = options.get("default")
    shown = f", default · 默认 `{default}`" if default not in (None, "", False, 0) else ""
    return f"`{' '.join(part for part in (names, str(value)) if part)}{more}`{optional}{shown}".replace("\\|`", "`")


PAGES: Final = {"config.md": config_page, "commands.md": commands_page}


def main() -> None:
    """Write both pages."""
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()

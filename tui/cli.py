"""The `sanduan` command: a table of commands, each imported only when it is used. See tui/command.py for a row.

Exit status: 0 done, 1 failed, 2 wrong arguments or configuration, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace, _SubParsersAction
from collections.abc import Iterator, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from hardware.errors import ConfigError, SanduanError
from tui.command import Command
from tui.parser import Parser
from tui.words import LANGUAGES, Said, pick

MODULES: Final = (
    "tui.commands_field",
    "tui.commands_look",
    "tui.commands_demo",
    "tui.commands_trust",
    "tui.commands_carry",
    "tui.commands_rdss",
    "tui.commands_exercise",
)
FLOORS: Final = ("hardware", "radios", "sync", "edge", "tui")
DONE, FAILED, WRONG, INTERRUPTED = 0, 1, 2, 130
GROUPS: Final[dict[str, Said]] = {
    "incident": ("事件", "an incident"),
    "roster": ("名册", "who is in"),
    "carry": ("由人携带的存储盘", "sticks that people carry"),
    "paper": ("纸条与话音:四位数字组", "paper and voice: groups of four digits"),
    "qr": ("二维码", "QR codes"),
    "rdss": ("北斗短报文终端", "BeiDou short-message terminals"),
}
TEXTS: Final[dict[str, Said]] = {
    "about": (
        "三断:断路、断网、断电时的现场指挥工具。\n本地数据库为准,什么都不等链路;下一个字节给最要紧的事。",
        "Sanduan: the field-command toolkit for when road, network and power are all cut.\n"
        "The local store is the truth, nothing waits for a link, the next byte goes to what matters most.",
    ),
    "commands": ("命令", "commands"),
    "more": ("`sanduan 命令 --help` 有各命令的说明。", "`sanduan COMMAND --help` tells about each command."),
    "lang": ("语言", "language"),
    "shadowed": (
        "另一个软件包占用了名称 {name}({where});请把 sanduan 装在单独的环境里。",
        "another package takes the name {name} ({where}); install sanduan in an environment of its own.",
    ),
}


def commands() -> Iterator[Command]:
    """Every command of the modules that are installed, in the order of the table."""
    for module in MODULES:
        if find_spec(module) is not None:
            yield from import_module(module).COMMANDS


def parser(table: Sequence[Command], lang: str) -> ArgumentParser:
    """The whole command line in one language."""
    which = LANGUAGES.index(lang)
    top = Parser(which, prog="sanduan", description=TEXTS["about"][which], epilog=TEXTS["more"][which])
    top.add_argument("--lang", choices=LANGUAGES, help=TEXTS["lang"][which])
    groups: dict[str, _SubParsersAction[Parser]] = {"": _commands(top, which)}
    for command in table:
        group, _, name = command.name.rpartition(" ")
        if group not in groups:
            members = " | ".join(each.name.split()[1] for each in table if each.name.startswith(f"{group} "))
            about = GROUPS.get(group, (group, group))[which]
            groups[group] = _commands(
                groups[""].add_parser(group, which=which, help=f"{about}: {members}", description=about), which
            )
        _add(groups[group], name, command, which)
    return top


def _commands(parser: Parser, which: int) -> _SubParsersAction[Parser]:
    return parser.add_subparsers(title=TEXTS["commands"][which], metavar="COMMAND", required=True)


def _add(group: _SubParsersAction[Parser], name: str, command: Command, which: int) -> None:
    text = (command.zh, command.en)[which]
    sub = group.add_parser(name, which=which, help=text.split("\n")[0], description=text)
    for each in command.args:
        sub.add_argument(*each.names, help=(each.zh, each.en)[which].replace("%", "%%"), **each.options)
    sub.set_defaults(command=command)


def shadowed() -> tuple[str, str] | None:
    """A floor that another distribution's package of the same name stands before, and where that lies."""
    home = Path(__file__).resolve().parent.parent
    for name in FLOORS:
        spec = find_spec(name)
        where = Path(spec.origin or "").resolve() if spec is not None else home
        if home not in where.parents and where != home:
            return name, str(where)
    return None


def _language(argv: Sequence[str]) -> tuple[str | None, list[str]]:
    """The language asked for anywhere on the line, and the line without it."""
    first = ArgumentParser(add_help=False)
    first.add_argument("--lang", choices=LANGUAGES)
    known, rest = first.parse_known_args(argv)
    return known.lang, rest


def run(args: Namespace) -> int:
    """Run the command that was asked for; errors of the toolkit become one line and a status."""
    command: Command = args.command
    try:
        return command.resolve()(args)
    except ConfigError as error:
        print(f"sanduan: {error}", file=sys.stderr)
        return WRONG
    except SanduanError as error:
        print(f"sanduan: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains again while it exits
        return FAILED


def main(argv: Sequence[str] | None = None) -> int:
    """The console script; the exit status."""
    asked, rest = _language(sys.argv[1:] if argv is None else argv)
    lang = pick(asked)
    if stranger := shadowed():
        text = TEXTS["shadowed"][LANGUAGES.index(lang)]
        print(f"sanduan: {text.format(name=stranger[0], where=stranger[1])}", file=sys.stderr)
        return FAILED
    args = parser(tuple(commands()), lang).parse_args(rest)
    args.lang = asked
    return run(args)


if __name__ == "__main__":
    raise SystemExit(main())

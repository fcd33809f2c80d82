"""The documentation is true: pages made from tables are as the tables are, commands and files that are named exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edge.config import load, problems
from edge.config_keys import SECTIONS
from tui.cli import commands
from tui.pages import DOCS, EXAMPLE, PAGES
from tui.words import HELP

ROOT = DOCS.parent
TEXTS = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md")])
COMMANDS = {command.name for command in commands()}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_as_its_table(name: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == PAGES[name](), "python -m tui.pages renews it"


def test_every_key_and_every_command_is_there() -> None:
    config, page = (PAGES[name]() for name in ("config.md", "commands.md"))
    for section in SECTIONS:
        assert f"## [{section.name}" in config
        for key in (*section.keys, *(key for keys in (section.variants or {}).values() for key in keys)):
            assert f"| `{key.name}` |" in config
    for command in commands():
        assert f"## sanduan {command.name}\n" in page
        assert command.zh and command.en and all(each.zh and each.en for each in command.args)


def test_the_example_is_a_configuration(tmp_path: Path) -> None:
    file = tmp_path / "v1.toml"
    file.write_text(EXAMPLE, encoding="utf-8")
    assert problems(file) == []
    assert [bearer.kind for bearer in load(file).bearers] == ["meshtastic", "mqtt"]


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_and_files_that_are_named_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert (path.parent / link).exists(), link
    for named in re.findall(r"(?:`|^)sanduan ([a-z][a-z|-]*)", text, re.M):
        assert set(named.split("|")) <= {name.split()[0] for name in COMMANDS}, named


def test_the_commanders_guide_names_every_key_of_the_screen() -> None:
    guide = (DOCS / "commander.md").read_text(encoding="utf-8")
    assert [key for key in HELP if f"| `{key}` |" not in guide] == []

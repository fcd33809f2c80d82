"""The table of keys as a page for people: docs/config.md, and what `sanduan check-config --keys` prints."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from edge.config_keys import SECTIONS, Key, Section

HEAD: Final = """# 配置文件 / Configuration

一个 TOML 文件配置一个节点;启动前整体检查(`sanduan check-config 文件`)。路径相对于文件所在文件夹。
One TOML file configures a node and is checked whole before anything starts (`sanduan check-config FILE`). Paths are
relative to the file's folder. `[devices.*]` and the like may stand many times, under names of your choice.
"""
TABLE: Final = ("| 键 key | 默认 default | 说明 | meaning |", "|---|---|---|---|")


def manual() -> str:
    """The whole page, Markdown, Chinese and English."""
    return HEAD + "\n".join(line for section in SECTIONS for line in _section(section)) + "\n"


def _section(section: Section) -> Iterator[str]:
    yield f"\n## `[{section.name}{'.*' if section.many else ''}]` {section.zh} / {section.en}\n"
    yield from (*TABLE, *map(_row, section.keys))
    for kind, keys in (section.variants or {}).items():
        yield f'\n`{section.chooser} = "{kind}"`\n'
        yield from (*TABLE, *map(_row, keys))


def _row(key: Key) -> str:
    return f"| `{key.name}` | {_default(key)} | {key.zh}{_limits(key, '、')} | {key.en}{_limits(key, ', ')} |".replace(
        "\n", " "
    )


def _default(key: Key) -> str:
    if key.required:
        return "必填 required"
    if isinstance(key.default, bool):
        return f"`{str(key.default).lower()}`"
    return "" if key.default in (None, "", []) else f"`{key.default}`"


def _limits(key: Key, comma: str) -> str:
    if key.allowed:
        return f" ({comma.join(key.allowed)})"
    bounds = [f"{bound:.10g}" for bound in (key.lo, key.hi) if abs(bound) != float("inf")]
    return f" [{' … '.join(bounds)}]" if bounds else ""

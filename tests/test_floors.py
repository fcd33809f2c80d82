"""The tower stands: no floor imports a floor above it, and the table in docs/architecture.md is the contract."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TABLE = re.findall(r"^\| \d \| `(\w+)/`", (ROOT / "docs/architecture.md").read_text(encoding="utf-8"), re.M)
FLOORS = list(reversed(TABLE))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Top-level package names a file imports, with line numbers."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.split(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.lineno, (node.module or "").split(".")[0]


def test_the_table_names_the_five_floors() -> None:
    assert FLOORS == ["hardware", "radios", "sync", "edge", "tui"]


@pytest.mark.parametrize("floor", FLOORS)
def test_no_upward_import(floor: str) -> None:
    above = set(FLOORS[FLOORS.index(floor) + 1 :]) | {"tests", "bench"}
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in (ROOT / floor).rglob("*.py")
        for line, name in imports(path)
        if name in above
    ]
    assert wrong == []


def test_only_the_supervisor_catches_broadly() -> None:
    wrong = []
    for floor in FLOORS:
        for path in (ROOT / floor).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ExceptHandler) and path.name != "supervisor.py":
                    caught = ast.walk(node.type) if node.type else iter([ast.Name("BaseException")])
                    names = {n.id for n in caught if isinstance(n, ast.Name)}
                    if names & {"Exception", "BaseException"}:
                        wrong.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert wrong == []


def test_gmssl_is_never_imported() -> None:
    """Its SM2 nonces are predictable."""
    sources = (path for floor in FLOORS for path in (ROOT / floor).rglob("*.py"))
    assert [str(path) for path in sources if any(name == "gmssl" for _, name in imports(path))] == []

"""Wrong command lines are told in words, in both languages, with the word that was probably meant."""

from __future__ import annotations

import pytest

from tui.cli import main
from tui.parser import Formatter, cells


@pytest.mark.parametrize(
    ("line", "zh", "en"),
    [
        ("doctr", "没有 'doctr';是否为 doctor?", "there is no 'doctr'; did you mean doctor?"),
        ("xyzzy", "可用:agent", "there are agent"),
        ("tui", "缺少参数:-c/--config", "missing: -c/--config"),
        ("tui -c", "后面缺少值", "needs a value"),
        ("exercise qingxi24 --seed one", "应为整数,不是 'one'", "is a whole number, not 'one'"),
        ("exercise qingxi24 --loss much", "应为数,不是 'much'", "is a number, not 'much'"),
        ("check-config a b", "多余的参数:b", "not understood: b"),
        ("carry imprt x", "是否为 import?", "did you mean import?"),
    ],
)
def test_a_wrong_line_is_explained(line: str, zh: str, en: str, capsys: pytest.CaptureFixture[str]) -> None:
    for lang, wanted in (("zh", zh), ("en", en)):
        with pytest.raises(SystemExit) as stop:
            main([*line.split(), "--lang", lang])
        told = capsys.readouterr().err
        assert stop.value.code == 2
        assert wanted in told and "--help" in told and "Traceback" not in told


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_help_speaks_one_language_and_keeps_to_the_terminal(
    lang: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for line in ("", "carry", "tui", "incident create", "demo"):
        with pytest.raises(SystemExit):
            main([*line.split(), "--help", "--lang", lang])
        shown = capsys.readouterr().out
        assert ("show this help" in shown) == (lang == "en") and ("显示本说明" in shown) == (lang == "zh")
        listed = shown.split("options:" if lang == "en" else "选项:")[1]
        assert [text for text in listed.splitlines() if cells(text) > 80] == []


def test_lines_break_by_cells() -> None:
    formatter = Formatter("sanduan", 0)
    lines = formatter._split_lines("断路断网断电时的 field toolkit 现场指挥", 10)
    assert (
        all(cells(line) <= 10 for line in lines)
        and "".join(lines).replace(" ", "") == "断路断网断电时的fieldtoolkit现场指挥"
    )

"""`sanduan rdss selftest` against a simulated terminal on a port of its own, and against none."""

from __future__ import annotations

import json

import pytest

from tui.cli import main


def test_a_good_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(["--lang", "en", "rdss", "selftest", "sim:rdss?family=bds3&frequency=1&card=4204990&delay=0", "--json"])
        == 0
    )
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["name"] for each in found] == ["found", "card", "beam", "wait", "letters", "wait", "full"]
    assert "4204990" in found[1]["text"] and all(each["ok"] for each in found)


def test_nothing_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rdss", "selftest", "sim:nothing", "--lang", "en", "--baud", "9600"]) == 1
    assert "no such simulator" in capsys.readouterr().err

"""Screen, replay, carry and central start where the POSIX modules of Python do not exist."""

from __future__ import annotations

import subprocess
import sys

import pytest

WITHOUT = """
import sys
POSIX = {"fcntl", "termios", "tty", "pty", "pwd", "grp", "resource"}
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name in POSIX:
            raise ImportError(name)
sys.meta_path.insert(0, Absent())
for name in POSIX:
    sys.modules.pop(name, None)
import importlib
for name in sys.argv[1:]:
    importlib.import_module(name)
"""
PARTS = {
    "screen": ("tui.app", "tui.feed"),
    "replay": ("hardware.gnss.replay", "tui.look"),
    "carry": ("tui.carry", "tui.paper"),
    "central": ("tui.field", "edge.roles", "edge.bearers", "edge.broker", "radios.mqtt", "radios.lan"),
}


@pytest.mark.parametrize("part", PARTS)
def test_without_posix(part: str) -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT, *PARTS[part]], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

"""The demonstration as a person starts it: nothing lost, the counts agree, no process left behind, however it is ended."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest


async def start(folder: Path, seconds: float) -> asyncio.subprocess.Process:
    """`sanduan demo --headless` in a folder."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tui.cli", "demo", "--headless", "--seconds", str(seconds), "--folder", str(folder),
        "--lang", "en", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


def left(folder: Path) -> list[str]:
    """Command lines of processes that still work in the folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            found += [line] if str(folder) in line else []
    return found


async def test_a_short_course(tmp_path: Path) -> None:
    demo = await start(tmp_path, 5)
    out, err = await demo.communicate()
    result = json.loads(out.splitlines()[-1])
    assert demo.returncode == 0, err.decode()
    assert result["emitted"] == result["stored"] == result["at_central"] > 60
    assert (result["lost"], result["duplicates"], result["outages"]) == (0, 0, 2)
    assert all(size > 0 for size in result["bytes"].values()) and set(result["bytes"]) == {"mqtt", "lora", "carried"}
    assert 0 < result["worst_age_s"] < 60 and result["bytes_per_observation"] > 0
    assert b"U1 SOS" in err and b"V1 orders" in err and b"stick" in err
    assert left(tmp_path) == []


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGHUP])
async def test_ended_early_it_leaves_no_process(tmp_path: Path, how: signal.Signals) -> None:
    demo = await start(tmp_path, 60)
    assert demo.stderr is not None
    while b"runs (process" not in (line := await demo.stderr.readline()):
        assert line, "ended by itself"
    demo.send_signal(how)
    await demo.communicate()
    assert left(tmp_path) == []

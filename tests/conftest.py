"""Peers: a test marked `peer("mosquitto")` needs that real program. Absent peers are named in one loud line at the end;
with SANDUAN_PEERS=required (as in .ci/run) their absence is a failure, and so is any other skip."""

from __future__ import annotations

import asyncio
import inspect
import os
import shutil
from collections.abc import Generator

import pytest

REQUIRED = os.environ.get("SANDUAN_PEERS") == "required"
SBIN = f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin{os.pathsep}/sbin"


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """A coroutine test runs under asyncio.run, on a loop of its own."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("peer"):
        for name in mark.args:
            if shutil.which(name, path=SBIN) is None:
                if REQUIRED:
                    pytest.fail(f"the peer {name} is not installed", pytrace=False)
                pytest.skip(f"peer {name}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if REQUIRED and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped where nothing may be: {report.longrepr}"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = [str(report.longrepr) for report in terminalreporter.stats.get("skipped", [])]
    absent = sorted({text.rsplit("peer ", 1)[1].rstrip("')") for text in skipped if "peer " in text})
    if absent:
        count = sum("peer " in text for text in skipped)
        terminalreporter.write_line(
            f"!!! {count} PEER TESTS NOT RUN: install {', '.join(absent)} to run them !!!", red=True, bold=True
        )

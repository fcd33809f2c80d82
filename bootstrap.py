#!/usr/bin/env python3
"""Make the local virtual environment and run a command in it: `python3 bootstrap.py [--extra NAME]… COMMAND [ARG]…`.

Standard library only, no root. Environments are renewed when setup.cfg or the extras change.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
HOME = Path(os.environ.get("SANDUAN_VENV", ROOT / ".venv"))
BIN = HOME / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
STAMP = HOME / "sanduan.stamp"


def say(text: str) -> None:
    """One line to the person who waits."""
    print(f"sanduan: {text}", file=sys.stderr, flush=True)


def stop(text: str) -> None:
    """Say what is missing and end with status 1."""
    say(text)
    raise SystemExit(1)


def check_machine() -> None:
    """Name the one thing that must be installed first, if there is one."""
    if sys.version_info < (3, 11):
        stop(
            f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}: install python3.11 (需要 Python 3.11+)"
        )
    try:
        import ensurepip  # noqa: F401
    except ImportError:
        stop("the module ensurepip is missing: install the system package python3-venv (缺少 python3-venv)")


def wanted(extras: list[str]) -> str:
    """What the environment must have been made from."""
    text = (ROOT / "setup.cfg").read_bytes() + ",".join(sorted(extras)).encode() + sys.version.encode()
    return hashlib.sha256(text).hexdigest()


def held() -> tuple[str, list[str]]:
    """Digest and extras of the environment as it is; empty when there is none."""
    lines = STAMP.read_text(encoding="utf-8").split("\n") if STAMP.exists() and PYTHON.exists() else [""]
    return lines[0], [extra for extra in lines[1:] if extra]


def prepare(extras: list[str]) -> None:
    """Make or renew the environment; extras once installed stay."""
    digest, present = held()
    extras = sorted({*extras, *present})
    if digest == wanted(extras):
        return
    check_machine()
    if not PYTHON.exists():
        say(f"making {HOME.name}/ …")
        subprocess.run([sys.executable, "-m", "venv", str(HOME)], check=True)
    say("installing packages (one to two minutes the first time) … 正在安装依赖 …")
    target = f"{ROOT}[{','.join(extras)}]" if extras else str(ROOT)
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--editable", target]
    if subprocess.run(pip, check=False).returncode:
        stop(
            "pip could not install the packages; without a network, point PIP_NO_INDEX and PIP_FIND_LINKS at a wheel folder"
        )
    STAMP.write_text("\n".join([wanted(extras), *extras]), encoding="utf-8")


def main(argv: list[str]) -> int:
    """Prepare, then run the command with the environment's programs first in the path."""
    extras = []
    while argv[:1] == ["--extra"]:
        extras.append(argv[1])
        argv = argv[2:]
    prepare(extras)
    if not argv:
        return 0
    os.environ["PATH"] = f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}"
    os.environ["VIRTUAL_ENV"] = str(HOME)
    command = [str(PYTHON), *argv[1:]] if argv[0] == "python" else [str(BIN / argv[0]), *argv[1:]]
    if os.name == "nt":
        return subprocess.run(command, check=False).returncode
    return os.execv(command[0], command)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

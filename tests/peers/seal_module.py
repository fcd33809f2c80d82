"""A software module that speaks the line protocol over its pipes; faults on request: silent, gone, garbage."""

from __future__ import annotations

import secrets
import sys

from sync.seal.module import Server
from sync.seal.suites import suite_of


def main(suite: int, fault: str = "", after: int = 1 << 30) -> None:
    server = Server(suite_of(suite), secrets.token_bytes)
    for count, line in enumerate(sys.stdin):
        if fault and count >= after:
            if fault == "gone":
                return
            print(
                {"garbage": "?? 17", "short": "ok 00", "binary": "ok \xff"}[fault] if fault != "silent" else "",
                end="\n" if fault != "silent" else "",
                flush=True,
            )
            continue
        print(server.answer(line), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:3], *map(int, sys.argv[3:4]))

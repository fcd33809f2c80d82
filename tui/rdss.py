"""`sanduan rdss selftest`."""

from __future__ import annotations

import asyncio
import json
from argparse import Namespace

from hardware.ports import open_port
from radios.rdss.selftest import selftest
from tui.words import pick


def selftest_(args: Namespace) -> int:
    """Print each finding as it comes; 1 when the terminal is not fit for use."""
    return asyncio.run(_selftest(args))


async def _selftest(args: Namespace) -> int:
    await (await open_port(args.port, write=True)).close()  # says at once what is wrong with the port itself
    fit = True
    async for line in selftest(args.port, args.baud, lang=pick(args.lang)):
        print(json.dumps({"name": line.name, "ok": line.ok, "text": line.text}, ensure_ascii=False) if args.json else line, flush=True)  # fmt: skip
        fit = fit and line.passes
    return 0 if fit else 1

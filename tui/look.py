"""`sanduan replay` and `sanduan tui`."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any, Final

from hardware.errors import SanduanError
from hardware.gnss.replay import replay as rows_of


def replay(args: Namespace) -> int:
    """Print every fix epoch of each file and its summary; 1 when a file cannot be read."""
    failed = 0
    for file in args.files:
        try:
            for row in rows_of(Path(file)):
                print(json.dumps(row, ensure_ascii=False) if args.json else _plain(row))
        except OSError as error:
            print(f"sanduan: {file}: {error.strerror} (无法读取)", file=sys.stderr)
            failed = 1
    return failed


def _plain(row: dict[str, Any]) -> str:
    """A row for people."""
    if "summary" in row:
        return "{file}: {fixes} fixes, {sentences_good} good and {sentences_bad} bad sentences".format(**row["summary"])
    return "{time}  {lat:11.7f} {lon:12.7f}  {alt} m  quality {quality}  {satellites} satellites".format(**row)


SLOW_S: Final = 5.0


def terminal() -> bool:
    """Whether somebody sits at a terminal; the screen is drawn on standard error, so that must be one as well."""
    return all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))


def screen(args: Namespace) -> int:
    """Show the command screen over the store of a configuration, or save one frame; also while its agent is down."""
    from edge.config import load
    from tui.app import CommandScreen
    from tui.feed import StoreFeed
    from tui.picture import picture

    config = load(Path(args.config))
    if not args.picture and not terminal():
        raise SanduanError(
            "the screen needs a terminal; --picture FILE draws one frame without (需要终端;--picture 文件 可不用终端存一帧)"
        )
    lang = args.lang or config.screen["lang"]
    theme = args.theme or ("16" if args.slow else "day")
    feed = StoreFeed(config, args.who)
    app = CommandScreen(feed, None if lang == "auto" else lang, args.symbols, SLOW_S if args.slow else 1.0, theme)
    if args.picture:
        picture(app, Path(args.picture))
    else:
        app.run()
    feed.close()
    return 0

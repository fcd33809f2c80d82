"""`sanduan carry export|import|show|mark`."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from edge.carry import serial_of
from edge.config import load
from edge.desk import desk
from edge.sticks import FOLDER, Mark, mark
from hardware.errors import DecodeError, SanduanError
from radios.bundle import SUFFIX
from sync.carry import Progress, export, read_manifest
from sync.intake import Report
from sync.intake import import_ as take_in
from sync.manifest import Manifest
from tui.words import LANGUAGES, pick

TEXTS: Final[dict[str, tuple[str, str]]] = {
    "progress": ("{done}/{total} 块,{size} 字节", "{done}/{total} blocks, {size} bytes"),
    "manifest": (
        "{name}:{blocks} 块,{size} 字节,给 {nodes},由 {carrier} 携带",
        "{name}: {blocks} blocks, {size} bytes, for {nodes}, carried by {carrier}",
    ),
    "unreadable": ("{name}:清单读不出(残缺、不是本事件的,或密钥已换)", "{name}: no readable manifest (damaged, another incident's, or re-keyed since)"),
    "report": (
        "{name}:新增 {added},已有 {known},拒绝 {refused},回执 {receipts};{whole}",
        "{name}: {added} new, {known} known, {refused} refused, {receipts} receipts; {whole}",
    ),
    "whole": ("完整", "whole"),
    "part": ("残缺或被改动,好的部分已用", "damaged or altered; its good part was used"),
    "nothing": ("{path} 里没有 .sdbundle 文件", "{path} holds no .sdbundle file"),
    "marked": ("已标记:{path}", "marked: {path}"),
    "medium": ("介质出错:{error}", "the medium failed: {error}"),
}  # fmt: skip


def export_(args: Namespace) -> int:
    """Write one bundle into the folder (into `sanduan/` on a marked stick)."""
    with desk(load(Path(args.config))) as (log, keyring, clock):
        stamp = clock.stamp()
        told = _teller(args)
        try:
            made = export(
                log,
                keyring,
                _place(Path(args.folder)),
                tuple(args.nodes),
                args.carrier,
                serial_of(stamp),
                stamp.wall_ms,
                told,
            )
        except OSError as error:
            raise SanduanError(_say(args, "medium", error=error)) from error
    _clear(args)
    print(json.dumps(_manifest_row(made)) if args.json else _manifest_line(args, made))
    return 0


def import_(args: Namespace) -> int:
    """Take in every bundle at a path but this node's own; 1 when one was not whole."""
    reports = []
    with desk(load(Path(args.config))) as (log, keyring, clock):
        for path in _bundles(args):
            if not path.name.startswith(f"{log.origin}-"):
                try:
                    reports.append(take_in(log, keyring, path, now_ms=clock.stamp().wall_ms, told=_teller(args)))
                except (OSError, DecodeError) as error:
                    raise SanduanError(_say(args, "medium", error=error)) from error
    _clear(args)
    for report in reports:
        print(json.dumps(_report_row(report)) if args.json else _report_line(args, report))
    return 0 if all(report.whole for report in reports) else 1


def show(args: Namespace) -> int:
    """Print the manifest of every bundle at a path; 1 when one cannot be read."""
    unreadable = 0
    with desk(load(Path(args.config))) as (_, keyring, _):
        for path in _bundles(args):
            made = read_manifest(path, keyring)
            if made is None:
                unreadable += 1
                print(_say(args, "unreadable", name=path.name), file=sys.stderr)
            else:
                print(json.dumps(_manifest_row(made)) if args.json else _manifest_line(args, made))
    return 1 if unreadable else 0


def mark_(args: Namespace) -> int:
    """Mark a stick for its nodes."""
    try:
        path = mark(Path(args.folder), Mark(tuple(args.nodes), args.carrier))
    except OSError as error:
        raise SanduanError(_say(args, "medium", error=error)) from error
    print(_say(args, "marked", path=path))
    return 0


def _say(args: Namespace, name: str, /, **words: object) -> str:
    return TEXTS[name][LANGUAGES.index(pick(args.lang))].format(**words)


def _place(folder: Path) -> Path:
    """Where bundles lie: in `sanduan/` of a marked stick, else in the folder itself."""
    return folder / FOLDER if (folder / FOLDER).is_dir() else folder


def _bundles(args: Namespace) -> list[Path]:
    """The bundle files at a path: itself, or those of the folder or stick; SanduanError when there is none."""
    path = Path(args.path)
    found = [path] if path.is_file() else sorted(_place(path).glob(f"[!.]*{SUFFIX}"))
    if not found:
        raise SanduanError(_say(args, "nothing", path=path))
    return found


def _teller(args: Namespace) -> Any:
    """Progress on standard error where a person watches."""

    def told(progress: Progress) -> None:
        if sys.stderr.isatty():
            line = _say(args, "progress", done=progress.done, total=progress.total, size=progress.size)
            print(f"\r{line}\x1b[K", end="", file=sys.stderr, flush=True)

    return told


def _clear(args: Namespace) -> None:
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _manifest_row(made: Manifest) -> Mapping[str, Any]:
    return {
        "name": made.name,
        "from": made.origin,
        "for": list(made.nodes),
        "carrier": made.carrier,
        "blocks": {lane.name.lower(): count for lane, count in made.blocks.items()},
        "bytes": made.size,
        "made_ms": made.made_ms,
    }


def _manifest_line(args: Namespace, made: Manifest) -> str:
    nodes = " ".join(str(node) for node in made.nodes)
    return _say(args, "manifest", name=made.name, blocks=sum(made.blocks.values()), size=made.size, nodes=nodes, carrier=made.carrier or "?")  # fmt: skip


def _report_row(report: Report) -> Mapping[str, Any]:
    return {
        "file": report.path.name,
        "whole": report.whole,
        "added": report.added,
        "verdicts": {verdict.value: count for verdict, count in report.verdicts.items()},
        "refused": dict(report.refused),
        "receipts": report.receipts,
        "manifest": None if report.manifest is None else _manifest_row(report.manifest),
    }


def _report_line(args: Namespace, report: Report) -> str:
    known = sum(report.verdicts.values()) - report.added
    words = {
        "added": report.added,
        "known": known,
        "refused": sum(report.refused.values()),
        "receipts": report.receipts,
    }
    return _say(args, "report", name=report.path.name, whole=_say(args, "whole" if report.whole else "part"), **words)

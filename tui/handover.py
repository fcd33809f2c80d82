"""Invites, requests and grants as people carry them: files, sticks, QR codes on a screen and what a scanner made of them."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain, count
from pathlib import Path
from typing import Any, Final, TypeVar

from hardware.errors import DecodeError, SanduanError
from radios import qr
from sync.trust.enrolment import GRANT, INVITE, REQUEST
from tui.words import LANGUAGES, pick

Made = TypeVar("Made")
SUFFIXES: Final = {INVITE: ".sdinvite", REQUEST: ".sdrequest", GRANT: ".sdgrant"}
LARGEST: Final = 1 << 16  # bytes of a message read from outside
TEXTS: Final[dict[str, tuple[str, str]]] = {
    "saved": ("已存:{path}", "saved: {path}"),
    "no message": ("{path} 里没有{kind}", "{path} holds no {kind}"),
    "there": ("{path}:已有此文件,不覆盖;请换一个名字", "{path}: exists and is not overwritten; name another file"),
    "damaged": ("{path}:不完整或已损坏({why}),请重新取得", "{path}: incomplete or damaged ({why}); get it once more"),
    "many": ("{path} 里有多个:{names};请指定文件", "{path} holds several: {names}; name the file"),
    "kind.sdinvite": ("邀请", "invite"),
    "kind.sdrequest": ("给本事件的申请", "request for this incident"),
    "kind.sdgrant": ("准入文件", "grant"),
}  # fmt: skip


def message(args: Namespace, marks: tuple[bytes, ...], wanted: Any = lambda data: True) -> bytes:
    """One message of these kinds: from a file, from scanned codes, or the only fitting one on a stick."""
    if args.message == "-":
        return _checked(args, _scanned(), marks)
    path = Path(args.message)
    if not path.is_dir():
        return _checked(args, _read(path), marks)
    for mark in marks:
        files = {
            each: data for each in _on_stick(path, mark) if (data := _read(each)).startswith(mark) and wanted(data)
        }
        if len(files) > 1:
            raise SanduanError(_say(args, "many", path=path, names=", ".join(sorted(each.name for each in files))))
        for data in files.values():
            return data
    raise SanduanError(_say(args, "no message", path=path, kind=_kinds(args, marks)))


def _scanned() -> bytes:
    """Codes from standard input, line by line, until they make a whole message; DecodeError at its end."""
    lines: list[str] = []
    for line in iter(sys.stdin.readline, ""):
        if line.strip():
            lines.append(line)
            with suppress(DecodeError):
                return qr.block_of(lines)
    return qr.block_of(lines)


def _on_stick(folder: Path, mark: bytes) -> Iterator[Path]:
    for place in (folder, folder / "sanduan"):
        yield from sorted(place.glob(f"[!.]*{SUFFIXES[mark]}"))


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(LARGEST)
    except OSError as error:
        raise SanduanError(f"{path}: {error.strerror}") from None


def _checked(args: Namespace, data: bytes, marks: tuple[bytes, ...]) -> bytes:
    if not data.startswith(marks):
        raise SanduanError(_say(args, "no message", path=args.message, kind=_kinds(args, marks)))
    return data


def _kinds(args: Namespace, marks: tuple[bytes, ...]) -> str:
    return " / ".join(_say(args, f"kind{SUFFIXES[mark]}") for mark in marks)


def hand_out(args: Namespace, mark: bytes, data: bytes, name: str) -> None:
    """Show a message as QR codes where a person looks, and write it where asked to."""
    if args.output:
        path = _place(Path(args.output), name + SUFFIXES[mark], data)
        try:
            if not path.exists():
                with path.open("xb") as file:
                    file.write(data)
            elif _read(path) != data:
                raise SanduanError(_say(args, "there", path=path))
        except OSError as error:
            raise SanduanError(f"{path}: {error.strerror}") from None
        print(_say(args, "saved", path=path))
    if not args.output or sys.stdout.isatty():
        codes = qr.texts(data)
        for number, text in enumerate(codes, 1):
            print(f"{number}/{len(codes)}\n{qr.screen(text)}{text}")


def vacant(args: Namespace) -> None:
    """Before anything is made that would be lost: a file named for it must not exist. SanduanError."""
    if args.output and (path := Path(args.output)).exists() and not path.is_dir():
        raise SanduanError(_say(args, "there", path=path))


def decoded(args: Namespace, decode: Callable[[bytes], Made], data: bytes) -> Made:
    """A message as `decode` understands it; SanduanError in words for people when it does not."""
    try:
        return decode(data)
    except DecodeError as error:
        raise SanduanError(_say(args, "damaged", path=args.message, why=error)) from None


def _place(path: Path, name: str, data: bytes) -> Path:
    """The file to write: on a stick one that is free, or has these bytes already."""
    if not path.is_dir():
        return path
    folder = path / "sanduan" if (path / "sanduan").is_dir() else path
    stem, suffix = name.rsplit(".", 1)
    names = chain((name,), (f"{stem}-{number}.{suffix}" for number in count(2)))
    return next(file for each in names if not (file := folder / each).exists() or _read(file) == data)


def _say(args: Namespace, key: str, /, **words: object) -> str:
    return TEXTS[key][LANGUAGES.index(pick(args.lang))].format(**words)

"""`sanduan paper write|read` and `sanduan qr show|read`: single blocks by voice, letter, screen and scanner."""

from __future__ import annotations

import re
import sys
import unicodedata
from argparse import Namespace
from pathlib import Path
from typing import Final

from edge.config import load
from edge.desk import desk
from hardware.errors import SanduanError
from radios import groups, qr
from sync.carry import BLOCK, lacking
from sync.ids import BlockId, Lane
from sync.intake import take_block
from sync.log import Log, Verdict
from tui.words import LANGUAGES, pick

ID: Final = re.compile(r"(\d+)\.([0-9a-f]{4})\.(\w+)\.(\d+)")
URGENT: Final = (Lane.FLASH, Lane.COMMAND)
TEXTS: Final[dict[str, tuple[str, str]]] = {
    "id": ("{value} 不是编号(如 1.3f2a.flash.7)", "{value} is no block id (such as 1.3f2a.flash.7)"),
    "none": ("本站没有急件或命令", "this station has no flash or command block"),
    "gone": ("没有 {value}", "{value} is not here"),
    "long": ("{value} 太长({size} 字节):用 {instead}", "{value} is too long ({size} bytes): use {instead}"),
    "heading": ("三断 {value},{count} 组", "SANDUAN {value}, {count} groups"),
    "repaired": ("已纠正第 {places} 组", "repaired groups {places}"),
    "taken": ("{value}:{verdict}", "{value}: {verdict}"),
}
VERDICTS: Final[dict[Verdict, tuple[str, str]]] = {
    Verdict.NEW: ("已收下", "taken in"),
    Verdict.DUPLICATE: ("早已收到", "was here already"),
    Verdict.CONFLICT: ("与同编号的另一内容冲突,两者隔离", "conflicts with other bytes of the same id; both set aside"),
    Verdict.SEALED: ("已收下(本站读不到)", "taken in, unread here"),
    Verdict.UNREADABLE: ("已收下,内容读不出", "taken in, its content is unreadable"),
    Verdict.REFUSED: ("拒绝", "refused"),
}


def write(args: Namespace) -> int:
    """Print a block as numbered lines of groups."""
    block_id, block = _chosen(args)
    if len(block) > groups.MOST_BYTES:
        raise SanduanError(_say(args, "long", value=block_id, size=len(block), instead="qr"))
    spoken = groups.encode(block)
    print(_say(args, "heading", value=block_id, count=len(spoken)))
    print("\n".join(groups.lines(spoken)))
    return 0


def read(args: Namespace) -> int:
    """Take groups from standard input, with or without line numbers, and commit the block."""
    block, wrong = groups.decode(heard(sys.stdin.read()))
    if wrong:
        print(_say(args, "repaired", places=" ".join(map(str, wrong))), file=sys.stderr)
    return _take(args, block, "voice")


def heard(text: str) -> list[str]:
    """The groups of a text: whatever stands between blanks, less headings and the one or two digits that number a line."""
    found: list[str] = []
    for line in unicodedata.normalize("NFKC", text).splitlines():  # a Chinese keyboard writes full-width digits
        words = line.split()
        if words and len(words[0]) <= 2 and words[0].isdigit():
            words = words[1:]
        if any(len(word) == 4 and word.isdigit() for word in words):
            found += words
    return found


def show_qr(args: Namespace) -> int:
    """Show a block as QR codes, or save them."""
    block_id, block = _chosen(args)
    try:
        codes = qr.texts(block)
        for number, code in enumerate(codes, 1):
            if args.output is None:
                print(f"{block_id} {number}/{len(codes)}\n{qr.screen(code)}")
            else:
                path = Path(args.output)
                qr.save(code, path if len(codes) == 1 else path.with_stem(f"{path.stem}-{number}"))
    except ValueError as error:
        raise SanduanError(str(error)) from None
    return 0


def read_qr(args: Namespace) -> int:
    """Take scanned texts from standard input and commit the block."""
    return _take(args, qr.block_of(line for line in sys.stdin.read().splitlines() if line.strip()), "paper")


def _say(args: Namespace, name: str, /, **words: object) -> str:
    return TEXTS[name][LANGUAGES.index(pick(args.lang))].format(**words)


def _chosen(args: Namespace) -> tuple[BlockId, bytes]:
    """The block that the arguments name; SanduanError when there is none."""
    with desk(load(Path(args.config))) as (log, _, _):
        block_id = _newest(args, log) if args.block is None else _parsed(args)
        block = log.read(block_id)
    if block is None:
        raise SanduanError(_say(args, "gone", value=block_id))
    return block_id, block


def _parsed(args: Namespace) -> BlockId:
    found = ID.fullmatch(args.block)
    lane = Lane.__members__.get(found[3].upper()) if found else None
    if found is None or lane is None:
        raise SanduanError(_say(args, "id", value=args.block))
    return BlockId(int(found[1]), int(found[2], 16), lane, int(found[4]))


def _newest(args: Namespace, log: Log) -> BlockId:
    """The newest flash block of this station, or its newest command block; what waits is sealed first."""
    for lane in URGENT:
        log.cut(lane, BLOCK, 64)
    own = [block_id for block_id in lacking(log, [0]) if block_id.origin == log.origin and block_id.lane in URGENT]
    if not own:
        raise SanduanError(_say(args, "none"))
    return own[0]


def _take(args: Namespace, block: bytes, via: str) -> int:
    with desk(load(Path(args.config))) as (log, keyring, _):
        block_id, verdict = take_block(log, keyring, block, via)
    print(_say(args, "taken", value=block_id, verdict=VERDICTS[verdict][LANGUAGES.index(pick(args.lang))]))
    return 0 if verdict in (Verdict.NEW, Verdict.DUPLICATE, Verdict.SEALED) else 1

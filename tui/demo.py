"""`sanduan demo`: starts the field, says what happens, opens the screen where a person watches, and counts at the end."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import tempfile
from argparse import Namespace
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from edge.demo.plan import VEHICLE
from edge.demo.run import Demo
from edge.supervisor import run
from hardware.errors import SanduanError
from tui.look import terminal
from tui.reasons import reason
from tui.words import Words

HEADLESS_S: Final = 60.0
TEXTS: Final[dict[str, tuple[str, str]]] = {
    "hello": ("三断演示:真实进程,模拟设备。", "Sanduan demo: real processes, simulated devices."),
    "folder": ("  文件在 {folder}", "  files are in {folder}"),
    "world": (
        "  模拟世界已就绪:录制的北斗/GNSS 接收机接在串口上,一支六人分队的电台,山脊中继,可断的宽带链路",
        "  the world is ready: recorded BeiDou/GNSS receivers on serial ports, radios of a team of six, a ridge relay, a broadband link that can be cut",
    ),
    "running": ("  {title} {name} 已运行(进程 {pid})", "  {title} {name} runs (process {pid})"),
    "started": ("全部就绪,用时 {seconds} 秒。", "Everything is up after {seconds} s."),
    "up": ("宽带链路 ● 接通  已存 {stored},中心已有 {at_central}", "broadband link ● up    stored {stored}, at central {at_central}"),
    "down": ("宽带链路 ■ 切断  已存 {stored},中心已有 {at_central}", "broadband link ■ cut   stored {stored}, at central {at_central}"),
    "sos": ("{name} 求救:{text}(经电台和中继)", "{name} SOS: {text} (by radio and relay)"),
    "order": ("{name} 下令:{text}(宽带已断)", "{name} orders: {text} (broadband is cut)"),
    "stick": ("通信员的存储盘在 {name}:{why}", "the courier's stick at {name}: {why}"),
    "finish": ("收尾:设备静默,链路接通,等待全部送达……", "closing: devices silent, link up, waiting for everything to arrive …"),
    "screen": ("打开指挥屏,按 q 结束。", "Opening the screen; q ends it."),
    "so far": (
        "产生 {emitted} 条,已存 {stored},中心已有 {at_central};各链路共 {sizes} 字节,断链 {outages} 次",
        "{emitted} readings emitted, {stored} stored, {at_central} at central; {sizes} bytes over all links, {outages} outages",
    ),
    "ending": ("正在结束所有进程……", "ending every process …"),
    "ended": ("已结束,没有留下进程。", "Ended; no process is left."),
}  # fmt: skip


class Teller:
    """Says what happens on standard error, silent while the screen is open."""

    def __init__(self, lang: str | None) -> None:
        self.quiet = False
        self._words = Words(lang)

    def __call__(self, name: str, /, **words: Any) -> None:
        """One line."""
        if not self.quiet:
            told = words | {"why": reason(words["why"], self._words)} if "why" in words else words
            print(self._words.of(TEXTS[name]).format(**told), file=sys.stderr, flush=True)


def demo(args: Namespace) -> int:
    """Run it; 1 when something was lost."""
    told = Teller(args.lang)
    for number in (signal.SIGTERM, signal.SIGHUP):  # a closed window too: everything is ended first
        signal.signal(number, lambda *_: signal.raise_signal(signal.SIGINT))
    watched = not args.headless and terminal()
    with tempfile.TemporaryDirectory(prefix="sanduan-demo-", ignore_cleanup_errors=True) as name:
        folder = Path(args.folder or name).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise SanduanError(f"{folder}: not empty; the demonstration needs a folder of its own (须为空文件夹)")
        told("hello")
        told("folder", folder=folder)
        return run(_watched(args, folder, told) if watched else _headless(args, folder, told))


async def _headless(args: Namespace, folder: Path, told: Teller) -> int:
    async with Demo(folder, told, args.seed) as field:
        await field.play(args.seconds or HEADLESS_S)
        result = await field.finish()
        told("ending")
    print(json.dumps(result), flush=True)
    return 1 if result["lost"] else 0


async def _watched(args: Namespace, folder: Path, told: Teller) -> int:
    """The screen in a process of its own, over the vehicle's store, until the person leaves it."""
    async with Demo(folder, told, args.seed) as field:
        playing = asyncio.create_task(field.play())
        told("screen")
        told.quiet = True
        given = ((f"--{name}", getattr(args, name)) for name in ("lang", "theme", "symbols"))
        looks = [word for option, value in given if value for word in (option, value)]
        file = str(field.children[VEHICLE.name].file)
        screen = await asyncio.create_subprocess_exec(sys.executable, "-m", "tui.cli", "tui", "-c", file, *looks)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(args.seconds):
                    await screen.wait()
        finally:
            told.quiet = False
            if screen.returncode is None:
                screen.send_signal(signal.SIGINT)  # it gives the terminal back
                await screen.wait()
            playing.cancel()
            await asyncio.gather(playing, return_exceptions=True)
        result = field.result()
        told("ending")
    told("so far", **result, sizes=sum(result["bytes"].values()))
    told("ended")
    return 0

"""Why a link or a device is as it is, in the reader's language: nodes write English into status and log, some with Chinese behind it."""

from __future__ import annotations

import re
from typing import Final

from tui.words import Words

# What a node may say -> in Chinese; \1, \2 … are what the groups found. What no row knows is shown as it is.
_ROWS: Final = """
not started | 未启动
stopped | 已停止
no stick | 没有存储盘
reading and writing, do not pull | 正在读写,别拔
(\\d+) blocks in, (\\d+) bytes out, may be pulled | 读入 \\1 块,写出 \\2 字节,可以拔了
no fix yet | 尚未定位
no fix | 无定位
no fix, (\\d+) satellites in view | 无定位,可见 \\1 星
looking for (.+) | 正在找 \\1
(.+) does not advertise within reach of .+ | 附近没有 \\1 的广播
(.+) is not plugged in | \\1 未插上
nothing valid for (.+) s | \\1 秒没有有效数据
nobody answers \\(.*\\) | 没有应答
connection closed | 连接已断
connection lost | 连接中断
Disconnected during message iteration | 连接中断
closed before it answered | 未应答就断开
Operation timed out | 超时
timed out | 超时
\\[Errno 111\\] Connection refused | 拒绝连接
not acknowledged by the broker: .+ | 代理没有确认
no peer in reach | 附近没有对端
the radio does not finish the handshake | 电台没有完成握手
no region is set on the radio: it will not transmit | 电台未设地区,不会发射
transmission is switched off on the radio | 电台关闭了发射
override_duty_cycle is set on the radio | 电台设了忽略占空比
no RDSS terminal answers | 没有短报文终端应答
no RDSS terminal answers at (\\d+) baud | 波特率 \\1 下没有短报文终端应答
asking for the card | 正在查卡
no card in the terminal | 终端里没有卡
no beam: free view to the south is needed | 没有波束:南面要开阔
last send refused: (.+) | 上次发送被拒:\\1
card (\\d+), (\\d+) bytes every (.+) s, beam (.+) of 4 | 卡 \\1,每 \\3 秒 \\2 字节,波束 \\4/4
a reader holds (\\d+) MB of the write-ahead log back | 有读者拖住 \\1 MB 预写日志
the status file takes nothing | 状态文件写不进
"""
REASONS: Final = tuple(
    (re.compile(pattern.strip()), zh.strip())
    for pattern, zh in (row.split(" | ") for row in _ROWS.strip().splitlines())
)
_BESIDE: Final = re.compile(r"\s*\(([^()]*[\u4e00-\u9fff][^()]*)\)")  # the same in Chinese, where a node says both


def reason(why: str, words: Words) -> str:
    """A status's reason for people; what stands before a colon (a broker, a stick) is kept."""
    if words.language == "en":
        return _BESIDE.sub("", why)
    place, colon, what = why.partition(": ")
    if colon and " " not in place and (told := _zh(what)):
        return f"{place}: {told}"
    return _zh(why) or why


def _zh(why: str) -> str:
    """In Chinese; "" where nobody knows how."""
    for pattern, zh in REASONS:
        if (found := pattern.fullmatch(why)) is not None:
            return found.expand(zh)
    both = _BESIDE.search(why)
    return "" if both is None else both[1]

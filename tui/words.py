"""Every word on the screen, Chinese and English; a key missing in one language cannot be written, for a row has both."""

from __future__ import annotations

import locale
import os
from typing import Final

LANGUAGES: Final = ("zh", "en")
Said = tuple[str, str]  # one thing in both languages, in their order

WORDS: Final[dict[str, tuple[str, str]]] = {
    "title": ("三断 指挥屏", "Sanduan command screen"),
    "where": ("位置", "where"),
    "links": ("链路", "links"),
    "backlog": ("待发(最久)", "backlog (oldest)"),
    "people": ("人员", "people"),
    "events": ("动态", "events"),
    "alarms": ("告警", "alarms"),
    "devices": ("设备", "devices"),
    "name": ("姓名", "name"),
    "state": ("状态", "state"),
    "age": ("时龄", "age"),
    "hr": ("心率", "HR"),
    "spo2": ("血氧", "SpO2"),
    "temp": ("体温", "temp"),
    "battery": ("电量", "batt"),
    "exact": ("精确", "exact"),
    "bounded": ("限差航迹", "bounded track"),
    "live": ("态势", "live picture"),
    "place": ("位置", "place"),
    "link": ("链路", "link"),
    "since": ("历时", "for"),
    "why": ("原因", "why"),
    "in": ("收", "in"),
    "out": ("发", "out"),
    "loss": ("丢失", "loss"),
    "latency": ("时延", "latency"),
    "budget": ("可发", "budget"),
    "in a while": ("{}后", "in {}"),
    "lane": ("通道", "lane"),
    "flash": ("特急", "flash"),
    "command": ("命令", "command"),
    "picture": ("态势", "picture"),
    "track": ("航迹", "track"),
    "history": ("历史", "history"),
    "bulk": ("大件", "bulk"),
    "up": ("通", "up"),
    "degraded": ("限", "weak"),
    "down": ("断", "down"),
    "off": ("停", "off"),
    "ok": ("正常", "ok"),
    "stale": ("过时", "stale"),
    "unknown": ("不明", "unknown"),
    "lost": ("失联", "lost"),
    "alarm": ("告警", "alarm"),
    "no fix": ("未定位", "no fix"),
    "sats": ("星", "sats"),
    "beidou": ("北斗", "BeiDou"),
    "clock.none": ("时钟不明", "no clock"),
    "clock.rtc": ("机内钟", "RTC"),
    "clock.ntp": ("网络钟", "NTP"),
    "clock.gnss": ("卫星钟", "GNSS time"),
    "agent down": ("代理程序未运行,仅可查看", "agent is not running: reading only"),
    "no store": ("还没有数据库", "no store yet"),
    "store stuck": ("数据库没有响应,画面是旧的", "the store does not answer: what you see is old"),
    "none": ("无", "none"),
    "all sent": ("全部送达", "all delivered"),
    "frozen": ("画面已冻结 空格继续", "FROZEN - space to go on"),
    "help": ("帮助", "help"),
    "quit": ("退出", "quit"),
    "freeze": ("冻结", "freeze"),
    "night": ("夜间", "night"),
    "sun": ("日光", "sunlight"),
    "language": ("语言", "language"),
    "member": ("成员", "member"),
    "guest": ("来宾", "guest"),
    "quarantine": ("隔离", "quarantined"),
    "unproven": ("未证实,勿执行", "unproven, do not act"),
    "expired": ("已过期", "expired"),
    "origin": ("本源", "origin"),
    "waiting": ("等待首条观测 …", "waiting for the first observation …"),
    "write": ("写消息", "write"),
    "order": ("下命令", "order"),
    "sent": ("已存入,待送达", "stored, to be delivered"),
    "not sent: agent down": ("没有发出:代理程序未运行", "NOT sent: the agent is not running"),
    "not command": ("没有发出:本站无权下命令", "NOT sent: this node may not give orders"),
    "not stored yet": ("尚未写入磁盘,代理程序会继续写", "not on disk yet; the agent keeps trying"),
    "message": ("消息", "message"),
    "message hint": ("写内容,回车存入;↑↓ 选收件人,Esc 放弃", "text, Enter stores it; up/down: to whom, Esc: leave"),
    "order hint": ("写命令,回车存入;↑↓ 选收件人,Esc 放弃", "text, Enter stores it; up/down: to whom, Esc: leave"),
    "evacuate hint": (
        "撤离范围,路线(可省);↑↓ 选收件人,Esc 放弃",
        "area, way out (may be left out); up/down: to whom, Esc: leave",
    ),
    "evacuate sure hint": ("输入 go 再回车,发出撤离令;Esc 放弃", "type go and Enter to order it; Esc: leave"),
    "rollcall hint": (
        "限几分钟 范围(可省);↑↓ 选收件人,Esc 放弃",
        "within minutes, area (may be left out); up/down: to whom",
    ),
    "rollcall.answer hint": ("平安人数 失踪人数,如 12 0;Esc 放弃", "how many safe, how many missing: 12 0; Esc: leave"),
    "sos hint": ("输入 sos 再回车,发出求救;Esc 放弃", "type sos and Enter to call for help; Esc: leave"),
    "sos": ("求救", "SOS"),
    "evacuate": ("撤离", "evacuate"),
    "evacuate sure": ("确认撤离", "EVACUATE"),
    "lift": ("解除撤离", "lift evacuation"),
    "lift hint": ("输入 over 再回车,解除撤离令;Esc 放弃", "type over and Enter to take the order back; Esc: leave"),
    "no evacuation": ("没有生效的撤离令", "no evacuation in force"),
    "checkin": ("报到", "check-in"),
    "checked": ("报到", "checked"),
    "rollcall": ("点名", "roll call"),
    "rollcall.answer": ("答点名", "answer roll call"),
    "left": ("还剩", "left"),
    "overdue": ("已过时限", "overdue"),
    "safe": ("平安", "safe"),
    "missing": ("失踪", "missing"),
    "answered": ("已答复", "answered"),
    "not heard": ("没有音信", "not heard"),
    "another": ("再发一次", "another"),
    "no roll call": ("没有等答复的点名", "no roll call to answer"),
    "not understood": ("没有发出:写法不对", "NOT sent: that is not what it needs"),
    "commands": ("全部命令", "commands"),
    "overview": ("总览", "overview"),
    "everyone": ("所有人", "everyone"),
    "to": ("给", "to"),
    "no forecast": ("送达时间不明", "arrival unknown"),
    "no way": ("眼下没有通路", "no way now"),
    "in time": ("约", "in"),
    "forecast": ("预计", "expected"),
    "distance": ("方位", "away"),
    "queued": ("排队", "queued"),
    "in flight": ("在途", "flying"),
    "this hour": ("本时可发", "bytes/h"),
    "drained in": ("发完需", "drained"),
    "radiated": ("已发", "sent"),
    "relayed": ("已转", "relayed"),
    "stored": ("已存", "stored"),
    "read": ("已读", "read"),
    "acted": ("已办", "done"),
    "refused": ("不办", "refused"),
    "unread": ("未读", "not read"),
    "here": ("本站", "here"),
    "reached": ("送到", "reached"),
    "acked": ("确认人", "seen by"),
    "not acked": ("未确认", "not seen"),
    "acknowledge": ("确认", "seen"),
    "over": ("已解除", "over"),
    "critical": ("危急", "critical"),
    "warning": ("警告", "warning"),
    "note": ("提示", "note"),
    "confirm read": ("标为已读", "mark read"),
    "confirm acted": ("标为已办", "mark done"),
    "confirm refused": ("不能办", "cannot do"),
    "close": ("返回", "back"),
    "open": ("详情", "details"),
    "views": ("各栏", "views"),
    "source": ("来源", "source"),
    "unit": ("单位", "unit"),
    "level": ("可信", "trust"),
    "written": ("写于", "written"),
    "id": ("编号", "id"),
    "from here": ("距本站", "from here"),
    "nothing selected": ("没有选中", "nothing selected"),
    "no alarm": ("没有未确认的告警", "no alarm to acknowledge"),
    "doctor good": ("都可以启动", "everything would start"),
    "doctor bad": ("{count} 项需要处理", "{count} things need somebody"),
    "not for us": ("这一条不是给本站的", "this one is not for this station"),
}
BEARINGS: Final = (("北", "N"), ("东北", "NE"), ("东", "E"), ("东南", "SE"), ("南", "S"), ("西南", "SW"), ("西", "W"), ("西北", "NW"))  # fmt: skip
HELP: Final[dict[str, Said]] = {
    "1 2 3 4 5": ("总览、人员、链路、动态、告警", "overview, people, links, events, alarms"),
    "Tab ↑ ↓": ("在各栏、各行之间走", "walk through panes and lines"),
    "Enter": ("看选中一行的详情", "details of the chosen line"),
    "a": ("确认告警(最急的一条,或选中的)", "acknowledge the worst alarm, or the chosen one"),
    "w": ("写消息", "write a message"),
    "o": ("下命令(仅指挥站)", "give an order (command nodes only)"),
    "c": ("替选中的人报到", "check the chosen person in"),
    "p": (
        "点名:谁答了、谁没有;答点名;指挥站发起点名",
        "roll call: who answered; answer one; begin one (command nodes)",
    ),
    "e": (
        "撤离(仅指挥站):写范围,打 go 确认;再按看谁确认了",
        "evacuate (command nodes): area, then go; again: who acknowledged",
    ),
    "E": (
        "解除撤离(仅指挥站):最新的一道,或动态栏里选中的;打 over 确认",
        "lift the newest or chosen evacuation (command nodes): type over",
    ),
    "r / d / f": (
        "对等答复的命令、或动态栏里选中的一条:已读 / 已办 / 不能办",
        "order that waits, or the event chosen: read / done / cannot do",
    ),
    "x": ("求救", "SOS"),
    "Space": ("冻结画面,再按继续", "freeze the screen, again to go on"),
    "n / u": ("夜间红光 / 日光", "night red / sunlight"),
    "l": ("中文 / 英文", "Chinese / English"),
    "?": ("这一页", "this page"),
    "ctrl+p": ("全部命令,可搜索", "every command, to be searched"),
    "q": ("离开(代理程序继续工作)", "leave (the agent goes on)"),
    "? -- ~": ("太旧 / 没测到 / 被截短", "too old / nothing measured / cut short"),
}


def pick(wanted: str | None = None) -> str:
    """The language to speak: what was asked for, else by the locale, Chinese when that says nothing."""
    if wanted in LANGUAGES:
        return wanted
    named = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or locale.getlocale()[0]
    if not named or named.startswith(("C", "POSIX")):
        return "zh"
    return "zh" if named.startswith("zh") else "en"


class Words:
    """The words of one language: `words("people")`; a key that is not in the table is shown as it is."""

    def __init__(self, language: str | None = None) -> None:
        self.language = pick(language)
        self._column = LANGUAGES.index(self.language)

    def __call__(self, key: str) -> str:
        row = WORDS.get(key)
        return row[self._column] if row else key

    def of(self, said: Said) -> str:
        """Something said in both languages, in this one."""
        return said[self._column]

    def bearing(self, degrees: float) -> str:
        """One of eight directions."""
        return self.of(BEARINGS[round(degrees / 45) % 8])

    def age(self, seconds: float | None) -> str:
        """An age a person reads at a glance, at most five cells: 7s, 12m, 3h, 2d, - for never."""
        if seconds is None:
            return "-"
        for limit, divisor, unit in ((100, 1, "s"), (6000, 60, "m"), (172_800, 3600, "h")):
            if seconds < limit:
                return f"{int(max(seconds, 0) // divisor)}{unit}"
        return f"{int(seconds // 86_400)}d"

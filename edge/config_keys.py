"""The table of every key of the configuration file: where it stands, its form, its default, what it means.

docs/config.md shows the same table; a test holds the two together. A section named `devices.*` may stand many times, under
names of the operator's choice; its own keys are followed by those of its driver or type.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

Value: TypeAlias = "str | int | float | bool | list[str] | list[int] | dict[str, str] | None"
REQUIRED: Final = "(required)"
ROLES: Final = ("agent", "unit", "relay", "central")


@dataclass(frozen=True, slots=True)
class Key:
    """One key. form: a row of edge.config.FORMS; allowed: the words it may be, empty for any; default REQUIRED: must be given."""

    name: str
    form: str
    default: Value
    zh: str
    en: str
    allowed: tuple[str, ...] = ()
    lo: float = float("-inf")
    hi: float = float("inf")

    @property
    def required(self) -> bool:
        """Whether the file must have it."""
        return self.default == REQUIRED


@dataclass(frozen=True, slots=True)
class Section:
    """One section. many: stands as [name.ANYTHING]; chooser: the key whose value adds the keys of a row of `variants`."""

    name: str
    keys: tuple[Key, ...]
    zh: str
    en: str
    many: bool = False
    chooser: str = ""
    variants: Mapping[str, tuple[Key, ...]] | None = None


PORT = Key("port", "port", REQUIRED, "串口:usb:VID:PID:序列号、usb:VID:PID@位置、/dev/serial/by-id/…、tcp://主机:端口、replay:文件 或 sim:名",
           "usb:VID:PID:SERIAL, usb:VID:PID@LOCATION, /dev/serial/by-id/…, tcp://HOST:PORT, replay:FILE or sim:NAME")  # fmt: skip
HOST = Key("host", "str", "127.0.0.1", "主机", "host name or address")
SUBJECT = Key("subject", "name", "", "读数属于谁(默认本站)", "whom the readings are about (default: this station)")
PACE = Key("pace", "float", 1.0, "回放速度,0 为最快", "replay speed, 0 for as fast as possible", lo=0, hi=1000)
CLOCK = Key("sets_clock", "bool", True, "是否用它的时间校正本站时钟(回放录音时为否)",
            "whether its time sets the station's clock; false for recordings of other days")  # fmt: skip


def _baud(default: int) -> Key:
    return Key("baud", "int", default, "波特率", "serial speed", lo=1200, hi=3_000_000)


def _tcp(default: int) -> Key:
    return Key("tcp_port", "int", default, "TCP 端口", "TCP port", lo=1, hi=65535)


DRIVER_KEYS: Final[dict[str, tuple[Key, ...]]] = {
    "nmea.gnss": (PORT, _baud(9600), SUBJECT, PACE, CLOCK),
    "gpsd": (HOST, _tcp(2947), SUBJECT, CLOCK),
    "meshtastic": (
        Key("port", "port", "", "串口(与 host 二选一)", "serial port; either this or host"),
        Key("host", "str", "", "电台的网络地址", "network address of the radio; either this or port"),
        _tcp(4403),
    ),
    "sim": (
        Key(
            "port",
            "port",
            REQUIRED,
            "sim:wearable、sim:gas4、sim:gauge 等",
            "sim:wearable, sim:gas4, sim:gauge and so on",
        ),
        SUBJECT,
    ),
}

WEARABLE_KEYS: Final[dict[str, tuple[Key, ...]]] = {
    "ble.vitals": (
        Key("addr", "str", REQUIRED, "蓝牙地址", "Bluetooth address"),
        Key("adapter", "str", "hci0", "蓝牙适配器", "Bluetooth adapter"),
        Key("stale_s", "float", 8.0, "静默多少秒后算过时", "silent seconds until its values are stale", lo=1, hi=600),
    ),
    "sim.wearable": (
        Key("seed", "int", 0, "随机种子", "seed of the simulated physiology", lo=0),
        Key("rate_s", "float", 1.0, "读数间隔(秒)", "seconds between readings", lo=0.01, hi=3600),
        Key("counter", "path", "", "模拟器自己的计数文件", "file in which the simulator itself counts what it emitted"),
    ),
}

BEARER_KEYS: Final[dict[str, tuple[Key, ...]]] = {
    "mqtt": (
        Key("brokers", "brokers", REQUIRED, "按次序尝试:mqtt://主机:端口、mqtts://…",
            "tried in order: mqtt://host:port, mqtts://host:port for TLS"),
        Key("username", "str", "", "用户名", "user name at the broker"),
        Key("password_file", "path", "", "口令文件(一行)", "file whose first line is the password"),
        Key("ca_file", "path", "", "TLS 根证书,空为系统的", "TLS root certificates; the system's when empty"),
        Key("cert_file", "path", "", "TLS 客户端证书", "TLS client certificate"),
        Key("key_file", "path", "", "TLS 客户端私钥", "TLS client key"),
        Key("keepalive_s", "int", 60, "心跳间隔(秒)", "keep-alive interval", lo=5, hi=3600),
    ),
    "lan": (
        Key("listen", "listen", "0.0.0.0:5440", "监听地址", "where this node listens"),
        Key("peers", "peers", [], "已知对端,主机:端口", "known peers, host:port"),
        Key("discover", "bool", True, "是否用 zeroconf 找对端", "whether to find peers by zeroconf"),
    ),
    "rdss": (
        PORT,
        Key("baud", "int", 0, "波特率,0 为逐个尝试", "serial speed; 0 tries the usual ones", lo=0, hi=3_000_000),
        Key("cards", "cards", REQUIRED, "对端:名册编号 = 北斗卡号,第一个为默认收件方",
            "peers: roster index = card number; the first is who is meant by default"),
        Key("capacity_bits", "int", 0, "每条短报文比特数,0 为按卡", "bits of one message; 0: as the card says", lo=0, hi=14_000),
        Key("frequency_s", "int", 0, "发送间隔(秒),0 为按卡", "seconds from send to send; 0: as the card says", lo=0, hi=3600),
        Key("letters", "bool", True, "代码模式能否传 A 到 F(由 sanduan rdss selftest 测得)",
            "whether code mode carries A to F, as sanduan rdss selftest finds out"),
        Key("gnss", "bool", True, "终端的定位语句是否作为设备", "whether the terminal's own positions are a device"),
        SUBJECT,
    ),
    "meshtastic": (
        Key("device", "name", REQUIRED, "[devices] 里哪台电台", "which radio of [devices] carries it"),
        Key("share", "float", 0.25, "每小时空中时间占比", "share of each hour's air", lo=0.01, hi=1.0),
        Key("channel", "int", 0, "电台信道序号", "channel index on the radio", lo=0, hi=7),
        Key("mtu", "int", 200, "每帧最大字节", "largest frame, bytes", lo=60, hi=231),
        Key("antenna_dbi", "int", 0, "天线增益 (dBi)", "antenna gain, dBi", lo=-10, hi=30),
    ),
}  # fmt: skip

SECTIONS: Final = (
    Section("station", (
        Key("id", "name", REQUIRED, "本站代号,如 V1", "this station's short name, such as V1"),
        Key("name", "str", "", "给人看的名称", "name for people"),
        Key("role", "word", "agent", "角色", "what this node is", allowed=ROLES),
        Key("node", "int", REQUIRED, "名册编号(全网唯一)", "roster index, unique in the incident", lo=1, hi=16383),
        Key("data", "path", "data", "数据目录,相对于本文件", "data folder, relative to this file"),
        Key("disk_mb", "int", None, "数据库最多占用的磁盘(MB),不写则整个磁盘", "megabytes that the store may fill; the whole disk when not given",
            lo=32, hi=100_000_000),
        Key("pictures", "bool", True, "是否发送态势简图;车旁的笔记本可关", "whether to make pictures for others; a laptop beside a vehicle need not"),
    ), "本站", "this station"),
    Section("incident", (
        Key("name", "str", "", "事件名称", "name of the incident"),
        Key("lat", "float", None, "事件参考点纬度(身份文件已有则可省)", "reference point, latitude; not needed where the identity has one", lo=-90, hi=90),
        Key("lon", "float", None, "事件参考点经度(同上)", "reference point, longitude; the same", lo=-180, hi=180),
        Key("start", "time", None, "事件开始时刻(ISO 8601,同上)", "start of the incident, ISO 8601 with offset; the same"),
        Key("central", "nodes", [], "各中心的名册编号:它们收到才算送达;空则任一节点",
            "roster indexes of the centres: what they have is delivered; any other node's when empty"),
    ), "事件", "the incident; the same on every node"),
    Section("keys", (
        Key("file", "path", REQUIRED, "本节点的身份文件(sanduan incident create 或 join 生成)", "this node's identity, made by sanduan incident create or sanduan join"),
        Key("unlock", "path", "", "解锁文件,代替口令;空则用身份文件旁的 unlock.key,或在终端询问",
            "key file, or file whose first line is the passphrase; else unlock.key beside the identity, or the terminal is asked"),
        Key("module", "str", "", "密码模块的启动命令;空则用软件算法", "command that starts a cryptographic module; software when empty"),
    ), "密钥", "keys"),
    Section("devices", (
        Key("driver", "driver", REQUIRED, "驱动", "driver"),
    ), "设备", "devices by name", many=True, chooser="driver", variants=DRIVER_KEYS),
    Section("wearables", (
        Key("driver", "driver", "ble.vitals", "驱动", "driver"),
        SUBJECT,
    ), "穿戴设备,以佩戴者代号为名", "wearables, named after who wears them", many=True, chooser="driver", variants=WEARABLE_KEYS),
    Section("bearers", (
        Key("type", "word", REQUIRED, "链路种类", "kind of link", allowed=tuple(BEARER_KEYS)),
    ), "链路", "links by name", many=True, chooser="type", variants=BEARER_KEYS),
    Section("broker", (
        Key("listen", "listen", "127.0.0.1:1883", "内置代理的监听地址", "where the embedded broker listens"),
        Key("users", "users", None, "用户名 = 口令;空则不问", "user name = password; nobody is asked when empty"),
    ), "central 未配置链路时内置的 MQTT 代理", "the MQTT broker that central embeds when it has no bearer"),
    Section("people", (
        Key("name", "str", REQUIRED, "姓名", "name"),
        Key("unit", "str", "", "单位/小组", "unit or team"),
        Key("role", "str", "", "职责", "role"),
        Key("device", "str", "", "其电台,如 !a1b2c3d4", "the radio they carry, such as !a1b2c3d4"),
    ), "人员,以代号为名", "people by short id", many=True),
    Section("nodes", (
        Key("node", "int", REQUIRED, "名册编号", "roster index", lo=1, hi=16383),
        Key("name", "str", "", "给人看的名称,如 省中心", "name for people, such as Province"),
    ), "其他节点,以代号为名:屏幕上写出名称而不是编号", "other nodes by short name, so that screens name them", many=True),
    Section("sticks", (
        Key("watch", "paths", None, "在哪些文件夹里找有标记的存储盘;空则为系统挂载处",
            "folders in which marked sticks appear; where the system mounts them when left out"),
    ), "存储盘", "carried media"),
    Section("privacy", (
        Key("vital_days", "int", 30, "体征数据保存天数,0 为不限", "days that vital signs are kept, 0 for as long as there is room", lo=0, hi=3650),
    ), "隐私", "privacy"),
    Section("screen", (
        Key("lang", "word", "auto", "语言", "language", allowed=("auto", "zh", "en")),
    ), "屏幕", "the screen"),
    Section("log", (
        Key("level", "word", "info", "日志级别", "least level that is written", allowed=("debug", "info", "warning", "error")),
        Key("file", "path", "", "日志文件,空则写标准错误", "log file; standard error when empty"),
        Key("size_mb", "int", 10, "单个日志文件上限", "largest size of one log file; three are kept", lo=1, hi=1000),
    ), "日志", "log"),
)  # fmt: skip

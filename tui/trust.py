"""`sanduan incident create`, `invite`, `join`, `accept`, `roster show`, `revoke`, `wipe`."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from datetime import UTC, datetime
from getpass import getpass
from pathlib import Path
from typing import Any, Final

from edge import keys
from edge.config import Config, load
from edge.identity import vault
from edge.identity.enrol import accept, complete, found, invite, invited, join, ours, revoke, waiting
from edge.identity.identity import KEY_FILE, Identity, lock_of
from edge.store.review import last_numbers
from hardware.clock import SystemClock
from hardware.errors import ConfigError, DecodeError, SanduanError, SealError
from sync.records import Anchor
from sync.seal.contract import Role
from sync.seal.suites import suite_of
from sync.trust.certificate import Certificate
from sync.trust.enrolment import GRANT, INVITE, REQUEST, Grant, Invite, Request, code
from tui.handover import decoded, hand_out, message, vacant
from tui.words import LANGUAGES, pick

ROLE_WORDS: Final = {
    Role.MEMBER: ("成员", "member"),
    Role.RELAY: ("中继", "relay"),
    Role.MEDIC: ("医护", "medic"),
    Role.COMMAND: ("指挥", "command"),
}
TEXTS: Final[dict[str, tuple[str, str]]] = {
    "founded": ("事件「{title}」已创建,本站 {name} 为编号 {node}:{path}", "incident “{title}” founded, {name} is node {node}: {path}"),
    "safe": ("身份文件只有一份:请妥善备份口令或解锁文件", "there is one identity only: keep its passphrase or key file safe"),
    "invite": ("邀请 {name} 入网({role},编号 {node})。请在新设备上运行 sanduan join", "{name} is invited ({role}, node {node}); now sanduan join on the new device"),
    "request": ("申请加入「{title}」,作为 {name}({role},编号 {node})。请在邀请方运行 sanduan accept", "asks to join “{title}” as {name} ({role}, node {node}); now sanduan accept at the inviter"),
    "code": ("校验码(须由邀请方抄入):{code}", "digits for the inviter to type in: {code}"),
    "asked": ("{name}({role},编号 {node})申请入网。请输入其屏幕上的校验码:", "{name} ({role}, node {node}) asks to be let in. The digits on its screen: "),
    "granted": ("{name} 已准入。请在其设备上再次运行 sanduan join", "{name} is let in; now sanduan join on its device once more"),
    "in": ("已加入「{title}」:{name},编号 {node},{role}", "in “{title}”: {name}, node {node}, {role}"),
    "revoked": ("已吊销 {names};密钥更换为第 {epoch} 期。代理程序会自行播发", "revoked {names}; keys changed to epoch {epoch}. The running agent spreads it"),
    "rekeyed": ("密钥更换为第 {epoch} 期。代理程序会自行播发", "keys changed to epoch {epoch}. The running agent spreads it"),
    "nobody": ("名册里没有 {name}", "{name} is not on the roster"),
    "several": ("名册里有多个 {name}(编号 {nodes}):请写编号", "several are named {name} (nodes {nodes}); give the number"),
    "no file": ("请给出 -k 身份文件", "which identity? -k FILE"),
    "outside": ("{path}:尚未入网,先取得准入文件并再次运行 sanduan join", "{path}: not let in yet; sanduan join once more, with the grant"),
    "again": ("再输一次: ", "once more: "),
    "new": ("新口令(至少 {least} 个字符): ", "new passphrase, at least {least} characters: "),
    "differ": ("两次口令不同", "the passphrases differ"),
    "terminal": ("需要在终端输入口令,或用 -u 给出解锁文件", "a passphrase needs a terminal; or name a key file with -u"),
    "heading": ("事件「{title}」,套件 {suite},密钥第 {epoch} 期", "incident “{title}”, suite {suite}, key epoch {epoch}"),
    "sure": ("将销毁 {name} 的密钥和全部数据,无法恢复。输入 {name} 确认:", "this destroys {name}'s keys and all data for ever. Type {name}: "),
    "kept": ("未作改动", "nothing was changed"),
    "wiped": ("密钥已销毁:{path}", "keys destroyed: {path}"),
    "data": ("数据已销毁:{count} 个文件", "data destroyed: {count} files"),
    "time": ("{value}:应为带时区的 ISO 8601 时刻", "{value}: ISO 8601 with an offset is wanted"),
    "clock": ("本机时钟不可信:请用 --start 给出开始时刻", "this machine's clock cannot be right: give --start"),
    "state.valid": ("有效", "valid"),
    "state.revoked": ("已吊销", "revoked"),
    "state.ended": ("已过期", "ended"),
    "state.invited": ("已邀请", "invited"),
    "state.conflict": ("冲突", "conflict"),
    "you": ("本机", "here"),
}  # fmt: skip


def create(args: Namespace) -> int:
    """Found an incident; its identity goes into a new file."""
    path = _keys_path(args)
    anchor = Anchor(round(args.lat * 1e7), round(args.lon * 1e7), _start_ms(args))
    if abs(args.lat) > 90 or abs(args.lon) > 180 or not 0 < args.node < 1 << 14:
        raise ConfigError(
            "incident create",
            "--lat --lon --node",
            f"{args.lat} {args.lon} {args.node}",
            "-90..90, -180..180, 1..16383",
        )
    _free(path)
    try:
        identity = found(
            path, _new_lock(args), args.title, args.name, anchor, index=args.node, suite=suite_of(args.suite)
        )
    except ValueError as error:
        raise SanduanError(str(error)) from None
    print(_say(args, "founded", title=args.title, name=args.name, node=identity.node, path=path))
    print(_say(args, "safe"))
    return 0


def invite_(args: Namespace) -> int:
    """Reserve an index for a node and hand out the invite."""
    vacant(args)
    try:
        made = invite(_identity(args), args.name, Role[args.role.upper()], index=args.node, span=args.range)
    except ValueError as error:
        raise SanduanError(str(error)) from None
    print(_say(args, "invite", **_who(args, made)))
    hand_out(args, INVITE, made.encode(), made.name)
    return 0


def join_(args: Namespace) -> int:
    """Answer an invite with a request, or take the grant that followed."""
    path = _keys_path(args)
    identity = Identity.open(path, lock_of(path, _unlock(args))) if path.exists() else None
    marks = (GRANT, INVITE) if identity else (INVITE,)
    data = message(args, marks, lambda data: identity is None or _for_us(identity, data))
    if identity and data.startswith(GRANT):
        return _finish(args, identity, decoded(args, Grant.decode, data))
    offer = decoded(args, Invite.decode, data)
    offer.roster()
    if identity:
        offer, asked = _asked(identity, offer)
    else:
        identity, asked = join(path, _new_lock(args), offer)
    print(_say(args, "request", title=offer.charter.title, **_who(args, offer)))
    hand_out(args, REQUEST, asked.encode(), offer.name)
    print(_say(args, "code", code=code(offer, asked)))
    return 0


def accept_(args: Namespace) -> int:
    """Let a node in, once a person has typed in the digits of its screen."""
    vacant(args)
    identity = _identity(args)
    asked = decoded(args, Request.decode, message(args, (REQUEST,), lambda data: _ours(identity, data)))
    offer = invited(identity, asked)
    typed = args.code or _ask(_say(args, "asked", **_who(args, offer)))
    made = accept(identity, asked, typed, minutes=_minutes(), days=args.days)
    print(_say(args, "granted", name=offer.name))
    hand_out(args, GRANT, made.encode(), offer.name)
    return 0


def roster(args: Namespace) -> int:
    """Show everybody on the roster, and who was invited and has not come in."""
    identity = _identity(args)
    ring = identity.keyring(0)
    rows = [_row(identity, held, ring.revoked.keys()) for held in identity.roster]
    rows += [_offered(identity, offer) for offer in waiting(identity)]
    heading = {"title": identity.charter.title, "suite": identity.suite.number, "epoch": ring.epoch}
    if args.json:
        print(json.dumps({**heading, "node": identity.node, "nodes": rows}, ensure_ascii=False))
        return 0
    print(_say(args, "heading", **heading))
    for row in rows:
        role = ROLE_WORDS[Role[row["role"].upper()]][_which(args)]
        here = f"  ← {_say(args, 'you')}" if row["node"] == identity.node else ""
        until = row["until"] or "-"
        print(
            f"{row['node']:>6} {row['name']:<12} {role:<8} {row['by']:>6} {until:<17} {row['key']} {_say(args, 'state.' + row['state'])}{here}"
        )
    return 0


def revoke_(args: Namespace) -> int:
    """Revoke nodes and change the keys; the running agent sees it in the identity's file and spreads it."""
    config = load(Path(args.config))
    identity = keys.of(config)
    nodes = [_node(args, identity, each) for each in args.nodes]
    last = {} if args.distrust else last_numbers(config.store, nodes)
    names = revoke(identity, nodes, last, trust_past=not args.distrust)
    epoch = max(identity.epochs())
    print(_say(args, "revoked" if names else "rekeyed", names=", ".join(names), epoch=epoch))
    return 0


def wipe(args: Namespace) -> int:
    """Destroy the keys, then everything else of the station."""
    config = load(Path(args.config))
    name = config.station["id"]
    if not args.yes and _ask(_say(args, "sure", name=name)) != name:
        print(_say(args, "kept"))
        return 1
    for path in _key_files(config):
        if vault.destroy(path):
            print(_say(args, "wiped", path=path), flush=True)
    print(_say(args, "data", count=sum(map(vault.destroy, _data_files(config)))))
    return 0


# identities


def _identity(args: Namespace) -> Identity:
    if args.config:
        return keys.of(load(Path(args.config)))
    path = _keys_path(args)
    identity = Identity.open(path, lock_of(path, _unlock(args)))
    if not identity.enrolled:
        raise SanduanError(_say(args, "outside", path=path))
    return identity


def _keys_path(args: Namespace) -> Path:
    if not args.keys:
        raise SanduanError(_say(args, "no file"))
    return Path(args.keys)


def _unlock(args: Namespace) -> Path | None:
    return Path(args.unlock) if args.unlock else None


def _new_lock(args: Namespace) -> vault.Lock:
    """The lock of a new identity: a key file, made where there is none, or a passphrase typed twice."""
    unlock = _unlock(args)
    if unlock is not None:
        return vault.file_lock(unlock if unlock.exists() else vault.make_key_file(unlock))
    if not sys.stdin.isatty():
        raise SanduanError(_say(args, "terminal"))
    passphrase = getpass(_say(args, "new", least=vault.LEAST_PASSPHRASE))
    if getpass(_say(args, "again")) != passphrase:
        raise SanduanError(_say(args, "differ"))
    return vault.passphrase_lock(passphrase)


def _free(path: Path) -> None:
    """Before anybody types a passphrase: nothing may lie there."""
    if path.exists():
        raise ConfigError(str(path), "keys", "exists", "a new file; keys are never overwritten (不覆盖已有密钥)")


def _asked(identity: Identity, offer: Invite) -> tuple[Invite, Request]:
    """The request that this device made already, shown again."""
    joining = identity.secrets.joining
    if identity.enrolled or not joining or joining[0] != offer.encode():
        raise SealError(
            f"{identity.path}: belongs to another invite or incident; nothing was changed (身份文件属于其他邀请或事件,未作改动)"
        )
    return offer, Request.decode(joining[1])


def _finish(args: Namespace, identity: Identity, granted: Grant) -> int:
    complete(identity, granted, _minutes())
    own = identity.certificate
    role = ROLE_WORDS[own.role][_which(args)]
    print(_say(args, "in", title=identity.charter.title, name=own.name, node=own.index, role=role))
    return 0


def _ours(identity: Identity, data: bytes) -> bool:
    try:
        invited(identity, Request.decode(data))
    except (SealError, DecodeError):
        return False
    return True


def _for_us(identity: Identity, data: bytes) -> bool:
    """Any invite, and of the grants on a stick the one for this device."""
    try:
        return not data.startswith(GRANT) or identity.enrolled or ours(identity, Grant.decode(data))
    except DecodeError:
        return False


def _node(args: Namespace, identity: Identity, text: str) -> int:
    """A node by name or index."""
    revoked = identity.keyring(0).revoked
    named = [held.index for held in identity.roster if held.name == text]
    found = [index for index in named if index not in revoked] or named
    if not found and text.isdecimal() and int(text) in identity.roster:
        found = [int(text)]
    if not found:
        raise SanduanError(_say(args, "nobody", name=text))
    if len(found) > 1:
        raise SanduanError(_say(args, "several", name=text, nodes=", ".join(map(str, found))))
    return found[0]


def _offered(identity: Identity, offer: Invite) -> dict[str, Any]:
    """An invite as a row."""
    role = offer.role.name.lower()
    return {"node": offer.index, "name": offer.name, "role": role, "by": identity.node, "until": None, "range": None, "key": "-" * 8, "state": "invited"}  # fmt: skip


def _row(identity: Identity, held: Certificate, revoked: Any) -> dict[str, Any]:
    minutes = _minutes()
    state = "valid"
    if held.index in revoked:
        state = "revoked"
    elif minutes is not None and held.ended(minutes):
        state = "ended"
    elif held.index in identity.roster.conflicts:
        state = "conflict"
    return {
        "node": held.index,
        "name": held.name,
        "role": held.role.name.lower(),
        "by": held.issuer,
        "until": _time(held.until),
        "range": [held.first, held.count] if held.count else None,
        "key": identity.suite.digest(held.public)[:4].hex(),
        "state": state,
    }


# small things


def _who(args: Namespace, offer: Invite) -> dict[str, object]:
    return {"name": offer.name, "role": ROLE_WORDS[offer.role][_which(args)], "node": offer.index}


def _ask(question: str) -> str:
    print(question, end="", flush=True)
    return sys.stdin.readline().strip()


def _minutes() -> int | None:
    """UTC minutes by this machine's clock, None where it cannot be right."""
    wall_ms = SystemClock().stamp().wall_ms
    return None if wall_ms is None else wall_ms // 60_000


def _start_ms(args: Namespace) -> int:
    if args.start is None:
        wall_ms = SystemClock().stamp().wall_ms
        if wall_ms is None:
            raise SanduanError(_say(args, "clock"))
        return wall_ms // 60_000 * 60_000
    try:
        start = datetime.fromisoformat(args.start)
    except ValueError:
        start = None
    if start is None or start.tzinfo is None:
        raise SanduanError(_say(args, "time", value=args.start))
    return int(start.timestamp() * 1000)


def _time(minutes: int) -> str | None:
    return datetime.fromtimestamp(minutes * 60, UTC).strftime("%Y-%m-%d %H:%MZ") if minutes else None


def _key_files(config: Config) -> list[Path]:
    """Everything that opens or holds keys: the identity first, then what unlocks it and lies with it."""
    path, unlock = Path(config.keys["file"]), config.keys["unlock"]
    return [
        path,
        *path.parent.glob(f".{path.name}.part"),
        path.with_name(KEY_FILE),
        *([Path(unlock)] if unlock else []),
    ]


def _data_files(config: Config) -> list[Path]:
    """The station's data folder and its log, newest names last."""
    log = Path(config.log["file"]) if config.log["file"] else None
    logs = list(log.parent.glob(f"{log.name}*")) if log else []
    return [
        each for each in sorted(Path(config.station["data"]).rglob("*")) if each.is_file() and not each.is_symlink()
    ] + logs


def _which(args: Namespace) -> int:
    return LANGUAGES.index(pick(args.lang))


def _say(args: Namespace, key: str, /, **words: object) -> str:
    return TEXTS[key][_which(args)].format(**words)

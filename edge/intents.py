"""What people do at a screen, as intents over a local socket: checked, stored, and answered after the commit.

A call is one connection: a frame each way, 4 bytes of length (big-endian) and so much msgpack. Asked: {"act": name of an
event kind, "actor": short id, and the kind's fields}; answered: {"event": [origin, incarnation, number]} or {"refused": why}.
The socket lies beside the store and belongs to the agent's user alone. Where the system has no Unix sockets, or the path is
too long for one, a file of mode 0600 names a loopback port and the token that every call must bring.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import secrets
import socket
import struct
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgpack

from edge.store.store import Store
from edge.supervisor import Reporter
from hardware.driver import Health
from hardware.errors import DecodeError, LinkDown, PortBusy, StoreError
from sync.events import BY_NAME, key
from sync.ids import Level
from sync.records import Event, EventId, Value

FRAME: Final = 8192
CALLS: Final = 32  # calls served at once; further ones are closed
CALL_S: Final = 5.0  # a whole call, and how long a commit may take before the caller is told that it waits
UNIX_PATH: Final = 100  # bytes; some systems allow 103
TEXT: Final = 500  # characters
VALID_S: Final = 4 * 3600  # how long a command may be acted on where nobody says otherwise
HEAD: Final = struct.Struct(">I")
NOT_COMMAND, NOT_STORED = "not command", "not stored yet"

Body = Mapping[str, Any]


def beside(store: Path) -> Path:
    """The socket, or the file that names port and token, of a store."""
    return store.with_name(store.name + ".intents")


def _whole(lo: int, hi: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and lo <= value <= hi


def _text(least: int, most: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is str and least <= len(value.strip()) and len(value) <= most


def _list(most: int, *forms: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """A list of at most `most` values that each fit the one form, or of exactly the forms given."""

    def fits(value: Any) -> bool:
        if type(value) is not list or len(value) > most:
            return False
        each = forms * len(value) if len(forms) == 1 else forms
        return len(each) == len(value) and all(form(item) for form, item in zip(each, value))

    return fits


_NODE: Final = _whole(1, (1 << 14) - 1)
_ID: Final = _list(3, _NODE, _whole(0, 0xFFFF), _whole(0, 1 << 42))
_COUNT: Final = _whole(0, 9999)
FORMS: Final[dict[str, Callable[[Any], bool]]] = {
    "text": _text(0, TEXT),
    "subject": _text(1, 32),
    "unit": _text(1, 32),
    "area": _text(1, 64),
    "place": _text(1, 64),
    "route": _text(1, 64),
    "episode": lambda value: type(value) is bytes and 1 <= len(value) <= 32,
    "of": _ID,
    "reply_to": _ID,
    "state": _whole(0, 9),
    "lat": _whole(-90_000_000, 90_000_000),
    "lon": _whole(-180_000_000, 180_000_000),
    "deadline_s": _whole(1, 604_800),
    "due_s": _whole(1, 604_800),
    "safe": _COUNT,
    "missing": _COUNT,
}
ACTS: Final[dict[str, frozenset[str]]] = {  # what people may do, and the fields without which it means nothing
    "message": frozenset({"text"}),
    "order": frozenset({"text"}),
    "receipt": frozenset({"of", "state"}),
    "alarm.ack": frozenset({"episode"}),
    "sos": frozenset({"subject"}),
    "checkin": frozenset({"subject"}),
    "evacuate": frozenset({"area"}),
    "rollcall": frozenset({"due_s"}),
    "rollcall.answer": frozenset({"of", "unit", "safe", "missing"}),
    "access": frozenset({"subject"}),
}
_ABOUT: Final[dict[str, Callable[[Any], bool]]] = {
    "actor": _text(0, 32),
    "to": _list(64, _NODE),
    "valid_s": lambda value: value is None or _whole(1, 604_800)(value),
}


@dataclass(frozen=True, slots=True)
class Intent:
    """One checked wish: the event's kind by name, its body, who wants it, for which nodes, valid for how long."""

    act: str
    body: dict[int, Value]
    actor: str = ""
    to: tuple[int, ...] = ()
    valid_s: int | None = None


def read_intent(data: bytes) -> tuple[Intent, str]:
    """An intent and the token that came with it; DecodeError on anything else."""
    fields = _unpack(data)
    act, token = fields.pop("act", None), fields.pop("token", "")
    if type(act) is not str or act not in ACTS or type(token) is not str:
        raise DecodeError("no such act")
    about = {name: fields.pop(name) for name in _ABOUT if name in fields}
    allowed = {name for name in BY_NAME[act].keys.values() if name in FORMS}
    if fields.keys() - allowed or ACTS[act] - fields.keys():
        raise DecodeError(f"{act} takes {', '.join(sorted(allowed))}; needs {', '.join(sorted(ACTS[act]))}")
    wrong = [name for name, value in {**about, **fields}.items() if not {**FORMS, **_ABOUT}[name](value)]
    if wrong or ("text" in ACTS[act] and not fields["text"].strip()):
        raise DecodeError(f"wrong value: {', '.join(wrong) or 'text'}")
    body = {key(act, name): value for name, value in fields.items()}
    return Intent(act, body, about.get("actor", ""), tuple(about.get("to", ())), about.get("valid_s")), token


def _unpack(data: bytes) -> dict[str, Any]:
    """A map with text keys; DecodeError."""
    try:
        value = msgpack.unpackb(data)
    except (ValueError, TypeError, msgpack.UnpackException, RecursionError) as error:
        raise DecodeError("not msgpack") from error
    if type(value) is not dict or not all(type(name) is str for name in value):
        raise DecodeError("not a map")
    return value


def _frame(value: Body) -> bytes:
    data: bytes = msgpack.packb(dict(value))
    return HEAD.pack(len(data)) + data


def _size(head: bytes) -> int:
    size: int = HEAD.unpack(head)[0]
    if not 0 < size <= FRAME:
        raise DecodeError("frame too large")
    return size


class Intents:
    """The agent's side, a supervised service. commands: whether this node may give orders (its own role is command).

    path: where the socket lies, beside the store by default; unix: whether the system has Unix sockets.
    """

    def __init__(
        self, store: Store, commands: bool = False, path: Path | None = None, unix: bool = hasattr(socket, "AF_UNIX")
    ) -> None:
        self.path = path or beside(store.path)
        self._store, self._commands = store, commands
        self._unix = unix and len(os.fsencode(self.path)) <= UNIX_PATH
        self._token = "" if self._unix else secrets.token_hex(16)
        self._calls: set[asyncio.Task[None]] = set()

    async def run(self, reporter: Reporter) -> None:
        """Serve until cancelled; PortBusy when another agent does, or where the folder takes no socket."""
        try:
            server = await asyncio.start_server(self._serve, sock=self._listen(), limit=FRAME)
        except OSError as error:
            raise PortBusy(f"{self.path}: {error.strerror or error}") from None
        reporter.health(Health.UP)
        try:
            await asyncio.Event().wait()
        finally:
            server.close()
            self.path.unlink(missing_ok=True)
            for call in list(self._calls):
                call.cancel()
            await asyncio.gather(*self._calls, return_exceptions=True)

    def _listen(self) -> socket.socket:
        if answered(self.path):
            raise PortBusy(f"{self.path}: another agent serves it (已有代理程序)")
        self.path.unlink(missing_ok=True)
        if self._unix:
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(str(self.path))
            self.path.chmod(0o600)
            return listener
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        self.path.touch(mode=0o600)
        self.path.write_text(f"{listener.getsockname()[1]} {self._token}\n", encoding="ascii")
        return listener

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One call, from its first byte to its last; whatever a caller sends, the others go on."""
        task = asyncio.current_task()
        assert task is not None
        self._calls.add(task)
        try:
            if len(self._calls) <= CALLS:
                async with asyncio.timeout(2 * CALL_S):
                    data = await reader.readexactly(_size(await reader.readexactly(HEAD.size)))
                    writer.write(_frame(await self._answer(data)))
                    await writer.drain()
        except (OSError, EOFError, TimeoutError, DecodeError, asyncio.CancelledError):
            pass  # the caller left, is too slow, is no screen, or the agent stops: closed below
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
            self._calls.discard(task)

    async def _answer(self, data: bytes) -> Body:
        try:
            intent, token = read_intent(data)
        except DecodeError as error:
            return {"refused": str(error)}
        if not hmac.compare_digest(token, self._token):
            return {"refused": "token"}
        if BY_NAME[intent.act].command and not self._commands:
            return {"refused": NOT_COMMAND}
        writing = asyncio.wrap_future(self._write(intent))
        done, _ = await asyncio.wait([writing], timeout=CALL_S)
        if not done:
            return {"refused": NOT_STORED}
        try:
            return {"event": list(writing.result().id)}
        except StoreError as error:
            return {"refused": str(error)}

    def _write(self, intent: Intent) -> Future[Event]:
        """Into the store; it is kept waiting there while the disk takes nothing."""
        kind = BY_NAME[intent.act]
        return self._store.write_event(
            kind.number,
            intent.actor,
            intent.body,
            to=intent.to,
            valid_s=intent.valid_s or (VALID_S if kind.command else None),
            level=Level.COMMAND if self._commands else Level.ORIGIN,
        )


# the screen's side


def _dial(path: Path) -> tuple[socket.socket, str]:
    """A connection to the agent, and the token to bring; LinkDown when there is none."""
    try:
        address, token = _address(path)
        caller = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
    except (OSError, ValueError) as error:
        raise LinkDown(f"the agent does not run ({error})") from None
    try:
        caller.settimeout(CALL_S)
        caller.connect(address)
    except (OSError, OverflowError) as error:
        caller.close()
        raise LinkDown(f"the agent does not run ({error})") from None
    return caller, token


def _address(path: Path) -> tuple[str | tuple[str, int], str]:
    """Where the agent listens, and the token; OSError, ValueError."""
    if path.is_socket():
        return str(path), ""
    port, token = path.read_text(encoding="ascii").split()
    return ("127.0.0.1", int(port)), token


def answered(path: Path) -> bool:
    """Whether somebody serves the socket already."""
    try:
        _dial(path)[0].close()
    except LinkDown:
        return False
    return True


def ask(path: Path, act: str, **fields: Any) -> EventId:
    """Have the agent do something; the event that was committed. Blocks for at most 3 times CALL_S.

    Raises LinkDown without an agent, DecodeError with its reason when it refuses.
    """
    caller, token = _dial(path)
    try:
        with caller:
            caller.settimeout(2 * CALL_S)
            caller.sendall(_frame({"act": act, "token": token, **fields}))
            answer = _unpack(_exactly(caller, _size(_exactly(caller, HEAD.size))))
    except OSError as error:
        raise LinkDown(f"the agent does not answer ({error})") from None
    if "event" in answer and _ID(answer["event"]):
        return EventId(*answer["event"])
    raise DecodeError(str(answer.get("refused", "no answer")))


def _exactly(caller: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = caller.recv(size - len(data))
        if not more:
            raise LinkDown("the agent closed the call")
        data += more
    return data

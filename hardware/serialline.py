"""Serial lines through pyserial: exclusive, without resetting the board behind, unable to write where nothing is to be written."""

from __future__ import annotations

import asyncio
import errno
from contextlib import suppress
from typing import Any, Final, NoReturn

import serial
import serial_asyncio_fast

from hardware.errors import PortBusy, PortError, PortMissing

_BUSY: Final = {errno.EAGAIN, errno.EBUSY, errno.EWOULDBLOCK}
_MISSING: Final = {errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.EIO}
_DENIED: Final = {errno.EACCES, errno.EPERM}
READER_LIMIT: Final = 65_536


class _Listening(serial.Serial):
    """A serial port that cannot be written to, whoever holds it."""

    def write(self, data: Any, /) -> NoReturn:
        raise OSError(errno.EPERM, "this port was opened for listening only")


def _keep_lines(line: serial.Serial) -> None:
    """Leave DTR and RTS raised when the port is closed: a board that resets on their edge then runs through a re-open.

    The first open raises both at once, in the kernel; an ESP32 resets only when they differ, so neither is touched here.
    """
    with suppress(ImportError):
        import termios

        with suppress(termios.error):
            attributes = termios.tcgetattr(line.fileno())
            attributes[2] &= ~termios.HUPCL
            termios.tcsetattr(line.fileno(), termios.TCSANOW, attributes)


def _failure(path: str, error: OSError) -> PortError:
    """The words for an operator."""
    if error.errno in _BUSY:
        return PortBusy(f"{path}: another program holds it")
    if error.errno in _MISSING or "FileNotFoundError" in str(error):
        return PortMissing(f"{path}: not there")
    if error.errno in _DENIED or "PermissionError" in str(error):
        return PortBusy(f"{path}: no permission; on Linux add this user to the group dialout and log in again")
    return PortError(f"{path}: {error}")


def _open(path: str, baud: int, write: bool) -> serial.Serial:
    try:
        line = (serial.Serial if write else _Listening)(path, baud, exclusive=True)
    except OSError as error:
        raise _failure(path, error) from error
    except ValueError as error:
        raise PortError(f"{path}: {error}") from error
    _keep_lines(line)
    return line


async def open_line(path: str, baud: int, write: bool) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a serial port 8N1; PortMissing, PortBusy or PortError say why not."""
    loop = asyncio.get_running_loop()
    line = await loop.run_in_executor(None, _open, path, baud, write)
    reader = asyncio.StreamReader(READER_LIMIT, loop)
    protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
    transport, _ = await serial_asyncio_fast.connection_for_serial(loop, lambda: protocol, line)
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)

"""A few numbers that a bearer must know again after a restart, such as its last send, in a small file."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)


class NoteFile:
    """Written over in place of itself. A full or read-only disk stops nothing; it is said once. file None: nothing is kept."""

    def __init__(self, file: Path | None) -> None:
        self._file, self._kept = file, True

    def read(self) -> dict[str, int] | None:
        """The numbers noted last; {} when they cannot be read, None when nothing was ever noted."""
        if self._file is None or not self._file.exists():
            return None
        note: Any = None
        with suppress(OSError, ValueError):
            note = json.loads(self._file.read_text(encoding="ascii"))
        found = note.items() if isinstance(note, dict) else ()
        return {key: value for key, value in found if type(value) is int}

    def write(self, note: Mapping[str, int | None]) -> None:
        """Note these; None stands for what is not known."""
        if self._file is None:
            return
        fresh = self._file.with_name(self._file.name + ".new")
        try:
            fresh.write_text(json.dumps(dict(note)), encoding="ascii")
            os.replace(fresh, self._file)
        except OSError as error:
            if self._kept:
                log.warning("%s: %s; a restart will not know of it", self._file, error.strerror)
            self._kept = False
        else:
            self._kept = True

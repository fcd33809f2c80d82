"""A store on a read-only disk: prints as JSON why it cannot be opened, and what can be read all the same."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from edge.store.reader import Reader
from edge.store.store import Store
from hardware.errors import StoreError

path = Path(sys.argv[1]) / "2.db"
try:
    Store.open(path, 2)
    why = ""
except StoreError as error:
    why = f"{type(error).__name__}: {error}"
reader = Reader(path, 2)
print(json.dumps({"why": why, "events": len(reader.snapshot().events), "status": reader.status()[0]}))
reader.close()

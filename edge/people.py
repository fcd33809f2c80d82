"""The people of the configuration as events, so that every node and screen knows them; written only when something changed."""

from __future__ import annotations

from contextlib import closing

from edge.config import Config
from edge.store.reader import PERSON, Reader
from edge.store.store import Store
from sync.events import key
from sync.records import Value

FIELDS = ("name", "unit", "role", "device")


def write_people(store: Store, config: Config) -> int:
    """Store a `person` event for each configured person that the store does not know so; how many were written."""
    with closing(Reader(store.path, store.origin)) as reader:
        known = {line.event.body.get(0): line.event.body for line in reader.events("WHERE e.kind = ? ORDER BY e.lamport, e.origin, e.number", (PERSON,))}  # fmt: skip
    written = 0
    for person in config.people:
        body: dict[int, Value] = {key("person", "person"): person.name}
        body.update({key("person", name): person.options[name] for name in FIELDS if person.options[name]})
        if known.get(person.name) != body:
            store.write_event(PERSON, "", body).result()
            written += 1
    return written

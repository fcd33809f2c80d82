"""Observations and events on their way in: streams, packets heard twice, clocks learned late, numbers, failed transactions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.store.store import Fresh
from edge.store.writer import Tx
from hardware.clock import ClockQuality, Stamp
from hardware.observation import PROFILE_NAMED, Column, Observation, Profile
from sync.events import BY_NAME
from sync.ids import Lane, Level
from tests.edge.store_nodes import VEHICLE, Node

HEART, MESH = PROFILE_NAMED["oximeter"], PROFILE_NAMED["mesh.position"]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    node = Node(tmp_path, VEHICLE)
    yield node
    node.close()


def observed(
    node: Node, value: int = 97, subject: str = "P1", source: str = "clip", profile: Profile = HEART
) -> Observation:
    return Observation(subject, source, profile, node.clock.stamp(), (value,) * len(profile.columns))


def test_one_stream_for_each_subject_source_and_profile(node: Node, tmp_path: Path) -> None:
    items = [observed(node), observed(node, subject="P2"), observed(node, source="other"), observed(node, 98)]
    assert node.store.write(items).result() == 4
    assert node.rows("SELECT number, subject, source FROM stream ORDER BY number") == [
        (0, "P1", "clip"),
        (1, "P2", "clip"),
        (2, "P1", "other"),
    ]
    node.close()
    again = Node(tmp_path, VEHICLE)
    again.store.write([observed(again, 99)]).result()
    assert again.rows("SELECT count(*) FROM stream") == [(3,)]
    node.store, node.log = again.store, again.log  # closed by the fixture


def test_a_profile_that_no_table_knows_is_stored_whole(node: Node) -> None:
    profile = Profile(0, "weir", (Column(32, -3), Column(9999, 2)))
    node.store.write([observed(node, 12, "G1", "weir", profile)]).result()
    assert node.rows("SELECT kind, value, unit FROM v_observations ORDER BY kind") == [
        ("hydro.level", 0.012, "m"),
        ("kind 9999", 1200.0, None),
    ]


@pytest.mark.parametrize("times", [1, 3])
def test_a_radio_packet_heard_again_is_one_observation(node: Node, times: int) -> None:
    for radio in range(times):
        node.clock.advance(1)
        node.store.write([observed(node, 4711, "R1", f"mesh{radio}/!a1b2", MESH)]).result()
    assert node.rows("SELECT count(*) FROM observation") == [(1,)]
    assert node.rows("SELECT radio, packet, heard FROM radio_packet") == [("!a1b2", 4711, times)]


def test_what_a_failed_transaction_learned_is_forgotten(node: Node) -> None:
    """A stream made in a transaction that was rolled back must be made again, or its rows would belong to nobody."""

    def run(tx: Tx) -> None:
        node.store.ingest.own(tx, node.store.place, observed(node), Lane.HISTORY, Level.ORIGIN)
        raise ValueError("as if")

    with pytest.raises(ValueError, match="as if"):
        node.store.writer.submit(run).result()
    assert node.store.write([observed(node)]).result() == 1
    assert node.rows("SELECT subject, kind, value FROM v_observations ORDER BY value LIMIT 1") == [
        ("P1", "vital.spo2", 97.0)
    ]
    assert node.rows("SELECT count(*) FROM stream s JOIN profile p ON p.id = s.profile") == [(1,)]


def test_a_boots_clock_is_learned_once_for_each_better_source(node: Node) -> None:
    boot = node.clock.boot
    for wall, quality in ((None, 0), (5_000_000, 1), (7_000_000, 3), (6_000_000, 2), (8_000_000, 3)):
        stamp = Stamp(boot, 1000, wall, ClockQuality(quality))
        node.store.write([Observation("P1", "clip", HEART, stamp, (97, 80))]).result()
    assert node.rows("SELECT offset_ms, clock FROM boot") == [(6_999_000, 3)]


def test_events_are_numbered_and_stamped_in_order(node: Node) -> None:
    message = BY_NAME["message"].number
    waits = [node.store.write_event(message, "P1", {0: str(at)}) for at in range(20)]
    events = [wait.result() for wait in waits]
    assert [event.id.number for event in events] == list(range(20))
    assert [event.lamport for event in events] == list(range(1, 21))
    with pytest.raises(KeyError):
        node.store.write_event(9999, "P1", {})


def test_watchers_hear_after_the_commit_what_it_brought(node: Node) -> None:
    heard: list[tuple[int, int]] = []

    def watch(fresh: Fresh) -> None:
        heard.append((fresh.rows, len(fresh.events)))

    node.store.watch(watch)
    node.store.write([observed(node), observed(node, 98)]).result()
    node.event("x")
    assert heard == [(2, 0), (0, 1)]
    assert node.store.waiting[Lane.HISTORY] == 2
    assert node.store.waiting[Lane.COMMAND] == 1


def test_a_burst_of_a_whole_ring_is_stored(node: Node) -> None:
    waits = [node.store.write([observed(node, value % 100)]) for value in range(5000)]
    assert sum(wait.result() for wait in waits) == 5000
    assert node.store.writer.lost_rows == 0

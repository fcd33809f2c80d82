"""Two stores under the real exchange on simulated links: how far an event got, and that thinned history makes nobody wait."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from edge.sim.medium import LinkSpec, Medium
from edge.sim.node import SimNode
from edge.sim.world import World
from edge.store.reader import Reader
from radios.bearer import Limits
from sync.exchange import Exchange, Policy
from sync.ids import Lane
from tests.edge.store_nodes import CENTRAL, VEHICLE, Node, cut_all
from tests.edge.test_store_retention import Pressure, sealed

LAN = Limits(mtu=1400, rate=1_000_000.0)


class Pair:
    """A vehicle and central; the link is made by `meet`."""

    def __init__(self, folder: Path) -> None:
        self.world = World(1)
        self.nodes = {origin: Node(folder, origin) for origin in (VEHICLE, CENTRAL)}

    def meet(self, seconds: float, heard: bool = True) -> None:
        """Have them exchange what they have over a link; heard: whether the vehicle's frames arrive."""
        lost = {} if heard else {(f"N{VEHICLE}", f"N{CENTRAL}"): 1.0}
        spec = LinkSpec("lan", tuple(f"N{origin}" for origin in self.nodes), LAN, pair_loss=lost)
        medium, policy = Medium(self.world, spec), Policy(central=frozenset({CENTRAL}))
        for origin, node in self.nodes.items():

            def build(node: Node = node, origin: int = origin) -> Exchange:
                return Exchange(node.log, node.ring, policy, self.world.chance(f"N{origin}"))

            SimNode(self.world, f"N{origin}", build, [medium]).boot()
        self.world.run(self.world.now + seconds)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    pair = Pair(tmp_path)
    yield pair
    for node in pair.nodes.values():
        node.close()


def test_an_event_shows_by_what_it_went_and_who_stored_it(pair: Pair) -> None:
    vehicle = pair.nodes[VEHICLE]
    vehicle.event("on its way")
    vehicle.event("help", "sos")
    with closing(Reader(vehicle.path, VEHICLE)) as reader:
        assert {(line.sent, line.stored) for line in reader.snapshot().events} == {((), ())}
        pair.meet(10, heard=False)
        vehicle.flush()
        assert {(line.sent, line.stored) for line in reader.snapshot().events} == {(("lan",), ())}
        pair.meet(30)
        vehicle.flush()
        assert {(line.sent, line.stored) for line in reader.snapshot().events} == {(("lan",), (CENTRAL,))}


def test_thinned_history_arrives_and_the_sets_agree(pair: Pair) -> None:
    vehicle, central = pair.nodes[VEHICLE], pair.nodes[CENTRAL]
    vehicle.event("kept")
    sealed(vehicle, 200)
    Pressure(vehicle).until("one row in 10 s")
    pair.meet(60)
    while central.log.unpack():
        pass
    assert central.rows("SELECT mono_ms FROM observation ORDER BY 1") == vehicle.rows(
        "SELECT mono_ms FROM observation ORDER BY 1"
    )
    own = {source: numbers for source, numbers in vehicle.log.have().items() if source.origin == VEHICLE}
    assert {source: central.log.have()[source] for source in own} == own
    assert {source: vehicle.log.end_of(CENTRAL)[source] for source in own} == own
    with closing(Reader(vehicle.path, VEHICLE, (CENTRAL,))) as reader:
        assert [lane.waiting for lane in reader.snapshot().backlog] == [0] * len(Lane)
    assert cut_all(vehicle, Lane.HISTORY) == []

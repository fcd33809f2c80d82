"""Virtual time and simulated links do what their specification says, and one seed gives one trace."""

from __future__ import annotations

import itertools

import pytest

from edge.sim.medium import LinkSpec, Medium
from edge.sim.world import World
from hardware.virtual import Deadlock
from radios.bearer import Limits

RADIO = Limits(mtu=200, rate=100.0, gap_s=0.1, broadcast=True)


class Radio:
    """A member that only notes what it hears."""

    def __init__(self, world: World, medium: Medium, name: str) -> None:
        self.heard: list[tuple[float, str, bytes]] = []
        medium.join(name, lambda frame, peer: self.heard.append((world.now, peer, frame)))


def link(seed: int = 1, **changes: object) -> tuple[World, Medium, dict[str, Radio]]:
    world = World(seed)
    medium = Medium(world, LinkSpec("lora", ("a", "b", "c"), RADIO, **changes))  # type: ignore[arg-type]
    return world, medium, {name: Radio(world, medium, name) for name in "abc"}


def test_things_happen_in_order_and_take_no_time() -> None:
    world, seen = World(1), []
    world.at(86_400.0, lambda: seen.append("late"))
    world.at(5.0, lambda: seen.append("first"))
    world.at(5.0, lambda: seen.append("second"))
    world.at(6.0, lambda: seen.append("never")).cancel()
    world.run(100_000.0)
    assert seen == ["first", "second", "late"] and world.now == 100_000.0


def test_nothing_scheduled_is_a_deadlock() -> None:
    world = World(1)
    world.after(3.0, lambda: None)
    with pytest.raises(Deadlock, match="nothing scheduled"):
        world.run_till(lambda: False, 100.0)
    world.every(1.0, lambda: None)
    with pytest.raises(Deadlock, match="not there"):
        world.run_till(lambda: False, 100.0)


def test_a_repeating_call_ends_when_told() -> None:
    world, times = World(1), []
    world.every(10.0, lambda: times.append(world.now), first=5.0, until=35.0)
    world.run(100.0)
    assert times == [5.0, 15.0, 25.0, 35.0]


def test_a_frame_takes_its_time_on_the_air_and_reaches_all_others() -> None:
    world, medium, radios = link()
    medium.send("a", bytes(50))
    assert medium.budget("a").bytes_left == 0 and medium.budget("a").wait_s == pytest.approx(0.5)
    world.run(1.0)
    assert not radios["a"].heard
    assert radios["b"].heard == radios["c"].heard == [(pytest.approx(0.5), "a", bytes(50))]


def test_only_one_at_a_time_on_a_shared_channel() -> None:
    world, medium, _ = link(shared=True)
    medium.send("a", bytes(50))
    assert medium.budget("b").wait_s == pytest.approx(0.5)
    world.run(1.0)
    assert medium.budget("b").bytes_left > 0


def test_loss_duplicates_and_reordering_come_as_often_as_asked() -> None:
    world, medium, radios = link(loss=0.3, duplicate=0.05, reorder_s=90.0)
    for number in range(2000):
        world.at(number * 1.0, lambda number=number: medium.send("a", number.to_bytes(2, "big")))
    world.run(3000.0)
    heard = [frame for _, _, frame in radios["b"].heard]
    assert 0.28 < 1 - len(set(heard)) / 2000 < 0.32
    assert 0.03 < len(heard) / len(set(heard)) - 1 < 0.07
    assert heard != sorted(heard)


def test_a_share_of_the_frames_is_late() -> None:
    world, medium, radios = link(reorder=0.05, reorder_s=90.0)
    for number in range(2000):
        world.at(number * 1.0, lambda number=number: medium.send("a", number.to_bytes(2, "big")))
    world.run(3000.0)
    late = [at - int.from_bytes(frame, "big") for at, _, frame in radios["b"].heard]
    assert 0.03 < sum(each > 1.0 for each in late) / 2000 < 0.07
    assert 60.0 < max(late) < 91.0


def test_one_way_asymmetric_and_split() -> None:
    world, medium, radios = link(pair_loss={("b", "a"): 1.0})
    assert medium.reaches("a") == ["b", "c"] and medium.reaches("b") == ["c"]
    changes: list[float] = []
    medium.watch(lambda: changes.append(world.now))
    medium.split("ab", "c")
    assert medium.reaches("a") == ["b"] and not medium.reaches("c") and not medium.up("c")
    medium.split()
    medium.shade("b", True)
    medium.send("a", b"x")
    world.run(5.0)
    assert not radios["b"].heard and radios["c"].heard and len(changes) == 3


def test_a_link_with_hours_opens_and_closes() -> None:
    world, medium, _ = link(hours=((10.0, 20.0), (30.0, 40.0)))
    states = []
    world.every(5.0, lambda: states.append(medium.up("a")), first=2.5, until=47.5)
    world.run(50.0)
    assert states == [False, False, True, True, False, False, True, True, False, False]


def test_a_budget_is_never_exceeded_in_any_window() -> None:
    world, medium, _ = link(window_s=60.0, window_messages=1)
    sent: list[float] = []

    def pump() -> None:
        budget = medium.budget("a")
        if budget.messages_left:
            medium.send("a", bytes(78))
            sent.append(world.now)
        world.after(max(budget.wait_s, 0.1), pump)

    world.at(0.0, pump)
    world.run(600.0)
    assert len(sent) in (10, 11) and min(later - earlier for earlier, later in itertools.pairwise(sent)) >= 60.0


def test_one_seed_one_trace() -> None:
    def trace(seed: int) -> str:
        world, medium, radios = link(seed, loss=0.5)
        for at in range(50):
            world.at(at, lambda at=at: medium.send("a", bytes([at])))
        world.run(100.0)
        world.note([frame for _, _, frame in radios["b"].heard])
        return world.trace

    assert trace(1) == trace(1) != trace(2)


def test_chance_is_a_member_s_own() -> None:
    assert World(1).chance("a").random() == World(1).chance("a").random() != World(1).chance("b").random()

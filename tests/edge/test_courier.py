"""A marked stick that appears is read and loaded by itself, once; whatever else is on it disturbs nothing."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.carry import POLL_S, Courier, Visit, serial_of
from edge.sticks import FOLDER, Mark, mark
from edge.store.log import StoreLog
from edge.store.store import Store
from edge.supervisor import Supervisor, Task
from hardware.clock import ManualClock
from hardware.driver import Health
from hardware.virtual import VirtualClock, VirtualLoop, run_virtual
from radios.bundle import SUFFIX, Damage, read_bundle
from sync.carry import export
from sync.events import BY_NAME
from sync.seal.contract import Role
from sync.seal.demo import demo_keyring

ROLES = {1: Role.MEMBER, 2: Role.COMMAND}
NOON_MS = 1_784_300_000_000


async def inline(function: Callable[..., Any], *args: Any) -> Any:
    return function(*args)


class Station:
    """A node with a courier that watches its own mount folder."""

    def __init__(self, folder: Path, origin: int) -> None:
        self.mounts = folder / f"mounts{origin}"
        self.mounts.mkdir()
        self.visits: list[Visit] = []
        clock = lambda boot: ManualClock(1000.0, NOON_MS, boot)  # noqa: E731
        self.store = Store.open(folder / f"{origin}.db", origin, clock=clock, ballast=0, machine=folder / "machine-id")
        self.ring = demo_keyring(b"courier", ROLES, origin, self.store.life.incarnation)
        self.log = StoreLog(self.store, self.ring)

    def courier(self, loop: VirtualLoop) -> Courier:
        clock = VirtualClock(loop, NOON_MS)
        return Courier(self.log, self.ring, clock, inline, [self.mounts], self.visits.append)

    def alarm(self, text: str) -> None:
        self.store.write_event(BY_NAME["alarm"].number, "", {0: text}).result()

    def close(self) -> None:
        self.log.close()
        self.store.close()


@pytest.fixture
def stations(tmp_path: Path) -> Iterator[tuple[Station, Station]]:
    pair = Station(tmp_path, 1), Station(tmp_path, 2)
    yield pair
    for station in pair:
        station.close()


def watch(station: Station, *steps: Callable[[], object]) -> Health:
    """Run its courier, doing a step every few polls; the health it ended with."""

    async def main() -> Health:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        supervisor = Supervisor(VirtualClock(loop, NOON_MS))
        reporter = supervisor.add(Task("sticks", "service", station.courier(loop).run))
        running = asyncio.create_task(supervisor.run())
        for step in steps:
            step()
            await asyncio.sleep(POLL_S * 2.5)
        state = reporter.row.state
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return state

    return run_virtual(main)


def insert(root: Path, stick: Path) -> Callable[[], None]:
    return lambda: (shutil.move(stick, root), None)[1]


def test_out_on_one_side_in_on_the_other_and_receipts_back(stations: tuple[Station, Station], tmp_path: Path) -> None:
    vehicle, central = stations
    stick = tmp_path / "STICK"
    stick.mkdir()
    mark(stick, Mark((1, 2), "MULE-1"))
    vehicle.alarm("gas")
    assert watch(vehicle, insert(vehicle.mounts, stick)) is Health.UP
    assert watch(central, insert(central.mounts, vehicle.mounts / "STICK")) is Health.UP
    watch(vehicle, insert(vehicle.mounts, central.mounts / "STICK"))
    out, arrived, back = vehicle.visits[0], central.visits[0], vehicle.visits[1]
    assert out.written and out.written.nodes == (2,) and out.written.carrier == "MULE-1" and not out.reports
    assert arrived.reports[0].whole and arrived.reports[0].added == 1 and arrived.written
    assert back.reports[0].receipts == 1 and back.written and not sum(back.written.blocks.values())


def test_once_for_each_insertion(stations: tuple[Station, Station], tmp_path: Path) -> None:
    vehicle, _ = stations
    stick, there = tmp_path / "STICK", vehicle.mounts / "STICK"
    stick.mkdir()
    mark(stick, Mark((2,), ""))
    watch(vehicle, insert(vehicle.mounts, stick), lambda: None, insert(tmp_path, there), insert(vehicle.mounts, stick))
    assert len(vehicle.visits) == 2
    assert len(list((there / FOLDER).glob(f"*{SUFFIX}"))) == 1


def test_what_else_lies_on_it_is_counted_and_passed_over(stations: tuple[Station, Station]) -> None:
    vehicle, _ = stations
    stick = vehicle.mounts / "STICK"
    stick.mkdir()
    mark(stick, Mark((2,), ""))
    (stick / FOLDER / f"2-0000-1{SUFFIX}").write_bytes(b"holiday")
    (stick / FOLDER / f".2-0000-2{SUFFIX}.part").write_bytes(b"SDBUNDL1")
    assert watch(vehicle, lambda: None) is Health.UP
    (report,) = vehicle.visits[0].reports
    assert list(report.refused) == [f"2-0000-1{SUFFIX} is no bundle"] and vehicle.visits[0].written


def test_a_bad_mark_and_a_full_stick_are_reasons(
    stations: tuple[Station, Station], monkeypatch: pytest.MonkeyPatch
) -> None:
    vehicle, _ = stations
    stick = vehicle.mounts / "STICK"
    stick.mkdir()
    mark(stick, Mark((2,), "")).write_text("nodes = 2")
    assert watch(vehicle, lambda: None) is Health.DEGRADED
    mark(stick, Mark((2,), ""))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("radios.bundle.os.fsync", full)
    assert watch(vehicle, lambda: None) is Health.DEGRADED
    assert [path.name for path in (stick / FOLDER).iterdir()] == ["stick.toml"]


def test_a_stick_pulled_while_it_is_read_counts_as_far_as_it_went(
    stations: tuple[Station, Station], monkeypatch: pytest.MonkeyPatch
) -> None:
    vehicle, central = stations
    stick = central.mounts / "STICK"
    stick.mkdir()
    mark(stick, Mark((), ""))
    vehicle.alarm("gas")
    export(vehicle.log, vehicle.ring, stick / FOLDER, (2,), "", 1)

    def pulled(path: Path, damage: Damage) -> Iterator[bytes]:
        yield from read_bundle(path, damage)
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("sync.intake.read_bundle", pulled)
    assert watch(central, lambda: None) is Health.DEGRADED and not central.visits
    assert central.log.have() == vehicle.log.have() and central.log.end_of(1)


def test_serials() -> None:
    assert serial_of(ManualClock(5.0, NOON_MS).stamp()) == NOON_MS // 1000
    assert serial_of(ManualClock(5.0, None, boot=3).stamp()) == (3 << 24) + 5

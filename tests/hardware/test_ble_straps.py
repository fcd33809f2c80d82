"""The strap driver against real GATT peripherals (bumble): vitals, drops, silence, leftovers, six at once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial

import pytest
from bleak import BleakClient
from peers.bumble_straps import Ether, Peripheral

from hardware.ble.adapter import Adapter
from hardware.ble.vitals import Pace, Strap
from hardware.clock import SystemClock
from hardware.driver import Health, Heard
from hardware.kinds import Quality
from hardware.observation import Observation
from hardware.sim.wearables import SimWearable

CHEST = "F0:00:00:00:00:{:02X}"
ALL = (0x180D, 0x1822, 0x1809, 0x180F)
QUICK = Pace(first_s=0.05, last_s=0.2)


class Ear:
    """A driver context that remembers."""

    def __init__(self) -> None:
        self.clock = SystemClock()
        self.observations: list[Observation] = []
        self.states: list[tuple[Health, str]] = [(Health.OFF, "")]

    def emit(self, observation: Observation) -> None:
        self.observations.append(observation)

    def heard(self, item: Heard) -> None:
        raise AssertionError(item)

    def health(self, state: Health, why: str = "") -> None:
        if self.states[-1] != (state, why):
            self.states.append((state, why))

    def has(self, values: tuple[int | None, ...]) -> bool:
        return any(item.values == values for item in self.observations)

    def of(self, source: str) -> list[tuple[int | None, ...]]:
        return [item.values for item in self.observations if item.source == source]


async def until(condition: Callable[[], object], seconds: float = 5) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def field(*services: tuple[int, ...], silent: bool = False) -> AsyncIterator[tuple[Ether, list[Peripheral]]]:
    ether = Ether()
    await ether.central.power_on()
    peripherals = [Peripheral(ether.link, CHEST.format(n), offered) for n, offered in enumerate(services, 1)]
    for peripheral in peripherals:
        if not silent:
            await peripheral.advertise()
    yield ether, peripherals


@asynccontextmanager
async def running(strap: Strap) -> AsyncIterator[Ear]:
    ear = Ear()
    task = asyncio.create_task(strap.run(ear))
    try:
        yield ear
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


def strap(ether: Ether, peripheral: Peripheral, adapter: Adapter | None = None) -> Strap:
    adapter = adapter or Adapter(backends=ether.backends, scan_s=1, connect_s=2)
    return Strap("P03", "P03", peripheral.address.lower(), adapter, QUICK, random.Random(1))


def test_every_service_becomes_its_profile() -> None:
    async def main() -> None:
        async with field(ALL) as (ether, [peripheral]), running(strap(ether, peripheral)) as ear:
            await until(lambda: ear.states[-1][0] is Health.UP)
            await peripheral.send(0x2A37, bytes.fromhex("1e51d204f602f902"))
            await peripheral.send(0x2A5F, bytes.fromhex("0061004800"))
            await peripheral.send(0x2A1C, bytes.fromhex("006c0100ff"))
            await peripheral.send(0x2A19, bytes([86]))
            await until(lambda: len(ear.observations) == 5)
            assert ear.of("P03/battery") == [(87,), (86,)], "read once, then notified"
            assert ear.of("P03/hr") == [(81, 1, 740, 743, None)]
            assert ear.of("P03/plx") == [(97, 72)]
            assert ear.of("P03/temp") == [(3640,)]
            assert {item.subject for item in ear.observations} == {"P03"}

    asyncio.run(main())


def test_the_link_has_a_large_mtu() -> None:
    """Nine RR intervals and more fit one notification; none is lost."""

    async def main() -> None:
        async with field((0x180D,)) as (ether, [peripheral]):
            client = BleakClient(peripheral.address, backend=ether.backends.client)
            await client.connect()
            assert client.mtu_size == 247
            await client.disconnect()
            await peripheral.advertise()
            async with running(strap(ether, peripheral)) as ear:
                await until(lambda: ear.states[-1][0] is Health.UP)
                await peripheral.send(0x2A37, b"\x10\x48" + b"\x00\x04" * 40)
                await until(lambda: ear.observations)
                rr = [cell for row in ear.of("P03/hr") for cell in row[2:] if cell is not None]
                assert rr == [1000] * 40

    asyncio.run(main())


def test_ten_a_second_all_arrive() -> None:
    async def main() -> None:
        async with field((0x180D,)) as (ether, [peripheral]), running(strap(ether, peripheral)) as ear:
            await until(lambda: ear.states[-1][0] is Health.UP)
            for beat in range(60, 80):
                await peripheral.send(0x2A37, bytes([0x06, beat]))
                await asyncio.sleep(0.1 if beat < 65 else 0)
            await until(lambda: len(ear.observations) == 20)
            assert [row[0] for row in ear.of("P03/hr")] == list(range(60, 80))

    asyncio.run(main())


def test_a_dropped_strap_comes_back_by_itself() -> None:
    async def main() -> None:
        async with field((0x180D, 0x180F)) as (ether, [peripheral]), running(strap(ether, peripheral)) as ear:
            for turn in range(3):
                await until(lambda: ear.states[-1][0] is Health.UP)
                await peripheral.send(0x2A37, bytes([0x06, 70 + turn]))
                await until(partial(ear.has, (70 + turn, 1, None, None, None)))
                await peripheral.drop()
                await until(lambda: ear.states[-1][0] is Health.DOWN)
                assert "disconnected" in ear.states[-1][1]
                await peripheral.advertise()
            assert [row[0] for row in ear.of("P03/hr")] == [70, 71, 72]

    asyncio.run(main())


def test_an_absent_strap_is_looked_for_with_back_off_and_found_when_it_appears() -> None:
    async def main() -> None:
        async with field((0x180F,), silent=True) as (ether, [peripheral]):
            adapter = Adapter("hci7", ether.backends, scan_s=0.05, connect_s=2)
            async with running(strap(ether, peripheral, adapter)) as ear:
                await until(lambda: ether.scans >= 3)
                assert ear.states[-1] == (Health.DOWN, f"{peripheral.address} does not advertise within reach of hci7")
                assert ether.connects == 0
                await peripheral.advertise()
                await until(lambda: ear.of("P03/battery"))

    asyncio.run(main())


def test_a_cancellation_that_the_library_swallows_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with field((0x180F,)) as (ether, [peripheral]):
            begun, start = asyncio.Event(), BleakClient.start_notify

            async def deaf(client: BleakClient, *args: object, **more: object) -> None:
                begun.set()
                with suppress(asyncio.CancelledError):
                    await asyncio.sleep(60)
                await start(client, *args, **more)  # type: ignore[arg-type]

            monkeypatch.setattr(BleakClient, "start_notify", deaf)
            task = asyncio.create_task(strap(ether, peripheral).run(Ear()))
            await begun.wait()
            task.cancel()
            done, _ = await asyncio.wait({task}, timeout=5)
            assert done and task.cancelled()

    asyncio.run(main())


def test_silence_is_told_once_while_connected_and_ends_with_the_next_value(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with field((0x180D,)) as (ether, [peripheral]), running(strap(ether, peripheral)) as ear:
            loop = asyncio.get_running_loop()
            later = loop.call_later
            monkeypatch.setattr(loop, "call_later", lambda s, *rest: later(s / 20 if s == 5 else s, *rest))
            await until(lambda: ear.states[-1] == (Health.DEGRADED, "hr silent for 5 s"))
            await asyncio.sleep(0.6)
            assert [item.qualities for item in ear.observations] == [(Quality.STALE,) * 5]
            assert ear.of("P03/hr") == [(None,) * 5]
            assert peripheral.connections, "still connected"
            await peripheral.send(0x2A37, b"\x06\x48")
            await until(lambda: ear.states[-1][0] is Health.UP)
            await until(lambda: len(ear.observations) == 3)
            assert [row[0] for row in ear.of("P03/hr")] == [None, 72, None]

    asyncio.run(main())


def test_a_malformed_value_is_counted_and_nothing_else() -> None:
    async def main() -> None:
        async with field((0x180D,)) as (ether, [peripheral]):
            driver = strap(ether, peripheral)
            async with running(driver) as ear:
                await until(lambda: ear.states[-1][0] is Health.UP)
                for value in (b"", b"\x01\x48", b"\x06\x48"):
                    await peripheral.send(0x2A37, value)
                await until(lambda: ear.observations)
                assert driver.malformed == 2
                assert ear.of("P03/hr") == [(72, 1, None, None, None)]

    asyncio.run(main())


def test_six_straps_share_one_scan_and_never_connect_at_once() -> None:
    async def main() -> None:
        async with field(*[ALL] * 6) as (ether, peripherals):
            adapter = Adapter(backends=ether.backends, scan_s=2, connect_s=5)
            ear, tasks = Ear(), []
            for n, peripheral in enumerate(peripherals, 1):
                driver = Strap(f"P{n:02}", f"P{n:02}", peripheral.address, adapter, QUICK)
                tasks.append(asyncio.create_task(driver.run(ear)))
            await until(lambda: len({item.source for item in ear.observations}) == 6, 20)
            assert (ether.scans, ether.connects, ether.worst) == (1, 6, 1)
            bodies = [SimWearable("", "", seed) for seed in range(6)]
            sent = 0
            for _ in range(3):
                for body, peripheral in zip(bodies, peripherals, strict=True):
                    for uuid, value in body.second():
                        await peripheral.send(uuid, value)
                        sent += uuid == 0x2A37
            await until(lambda: sum(item.source.endswith("/hr") for item in ear.observations) >= sent)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await until(lambda: not any(peripheral.connections for peripheral in peripherals))

    asyncio.run(main())


def test_a_link_left_open_by_an_earlier_process_is_taken_over_without_a_scan() -> None:
    async def main() -> None:
        async with field((0x180F,)) as (ether, [peripheral]):
            ether.leftovers.append(peripheral.address)
            async with running(strap(ether, peripheral)) as ear:
                await until(lambda: ear.of("P03/battery"))
            assert ether.scans == 0
            assert not peripheral.connections, "and let go at the end"

    asyncio.run(main())


def test_back_off_doubles_from_two_to_sixty_seconds_with_jitter() -> None:
    delays = Pace().delays(random.Random(7))
    waits = [next(delays) for _ in range(40)]
    for wait, base in zip(waits, [2, 4, 8, 16, 32] + [60] * 35, strict=True):
        assert 0.75 * base <= wait <= 1.25 * base
    assert len(set(waits)) == 40

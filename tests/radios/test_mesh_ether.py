"""The simulated ether behaves as the real firmware was measured to: relays, retries, and successes that are none."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest
from meshtastic.protobuf.mesh_pb2 import MeshPacket, Routing
from meshtastic.protobuf.portnums_pb2 import PortNum

from hardware.driver import Health
from hardware.virtual import VirtualClock, run_virtual
from radios.meshtastic.airtime import BY_NAME
from radios.meshtastic.ether import Ether
from radios.meshtastic.facts import Listener, Outcome
from radios.meshtastic.fake import FakeRadio
from radios.meshtastic.fake_config import Setting
from radios.meshtastic.fake_ports import in_memory
from radios.meshtastic.packets import BROADCAST
from radios.meshtastic.radio import Radio
from radios.meshtastic.station import Station


class Ear(Listener):
    def __init__(self) -> None:
        self.payloads: list[bytes] = []
        self.outcomes: dict[int, list[Outcome]] = {}

    def packet(self, packet: MeshPacket) -> None:
        if packet.decoded.portnum == PortNum.PRIVATE_APP:
            self.payloads.append(packet.decoded.payload)

    def outcome(self, outcome: Outcome) -> None:
        self.outcomes.setdefault(outcome.packet, []).append(outcome)


class Line:
    """Radios 1, 2, … in a row; each hears only its neighbours."""

    def __init__(self, count: int, loss: float, preset: int = 8, seed: int = 1) -> None:
        clock = VirtualClock(asyncio.get_running_loop(), 1_800_000_000_000)
        self.ether = Ether(clock, BY_NAME["ShortTurbo"], seed)
        fakes = [FakeRadio(clock, number, setting=Setting(number, preset)) for number in range(1, count + 1)]
        self.stations = [Station(self.ether, fake) for fake in fakes]
        for number in range(1, count):
            self.ether.link(number, number + 1, loss)
        self.radios = [Radio(f"m{fake.number}", in_memory(fake), clock, seed=fake.number) for fake in fakes]
        self.ears = [Ear() for _ in fakes]
        for radio, ear in zip(self.radios, self.ears):
            radio.listen(ear)

    async def up(self, stack: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
        held = [stack.create_task(self._hold(radio)) for radio in self.radios]
        while any(radio.state is not Health.UP for radio in self.radios):
            await asyncio.sleep(0.1)
        return held

    async def _hold(self, radio: Radio) -> None:
        async with radio.held() as connection:
            await asyncio.shield(connection)

    @property
    def transmissions(self) -> int:
        return len(self.ether.log)


@dataclass
class Tally:
    delivered: int = 0
    success: int = 0
    false: int = 0
    by_destination: int = 0
    false_by_destination: int = 0
    transmissions: float = 0.0


async def tell(loss: float, to: int, count: int, size: int = 180) -> Tally:
    """Send `count` messages with want_ack over two hops, ten seconds apart or until all is quiet."""
    tally = Tally()
    async with asyncio.TaskGroup() as stack:
        line = Line(3, loss)
        held = await line.up(stack)
        for index in range(count):
            payload = index.to_bytes(2, "big") + bytes(size - 2)
            packet = MeshPacket(to=to, want_ack=True, hop_limit=3, hop_start=3)
            packet.decoded.portnum, packet.decoded.payload = PortNum.PRIVATE_APP, payload
            number = await line.radios[0].send(packet)
            await asyncio.sleep(30)
            news = [each for each in line.ears[0].outcomes.get(number, []) if each.reason == Routing.Error.NONE]
            arrived = payload in line.ears[2].payloads
            tally.delivered += arrived
            tally.success += bool(news)
            tally.false += bool(news) and not arrived
            tally.by_destination += any(each.by == 3 for each in news)
            tally.false_by_destination += any(each.by == 3 for each in news) and not arrived
        tally.transmissions = line.transmissions / count
        assert len(set(line.ears[2].payloads)) == len(line.ears[2].payloads) == tally.delivered
        for task in held:
            task.cancel()
    return tally


def test_without_loss_all_is_delivered_in_four_transmissions() -> None:
    tally = run_virtual(lambda: tell(0.0, 3, 40))
    assert (tally.delivered, tally.success, tally.false) == (40, 40, 0)
    assert tally.transmissions == pytest.approx(4.0, abs=0.3)


@pytest.mark.parametrize(("loss", "delivered", "false", "sent"), [(0.2, 0.77, 0.22, 3.9), (0.4, 0.61, 0.27, 4.2)])
def test_false_successes_are_as_frequent_as_measured(loss: float, delivered: float, false: float, sent: float) -> None:
    """Real firmware 2.8, 100 messages: the same two hops, the same losses."""
    tally = run_virtual(lambda: tell(loss, 3, 300))
    assert tally.delivered / 300 == pytest.approx(delivered, abs=0.05)
    assert tally.false / 300 == pytest.approx(false, abs=0.1)
    assert tally.transmissions == pytest.approx(sent, abs=0.3)
    assert tally.false_by_destination == 0


def broadcast(payload: bytes, hop_limit: int = 3) -> MeshPacket:
    packet = MeshPacket(to=BROADCAST, hop_limit=hop_limit, hop_start=hop_limit)
    packet.decoded.portnum, packet.decoded.payload = PortNum.PRIVATE_APP, payload
    return packet


async def flood(count: int, hop_limit: int) -> tuple[list[int], int]:
    """How often each radio of a line heard one broadcast of the first, and transmissions of all."""
    async with asyncio.TaskGroup() as stack:
        line = Line(count, 0.0)
        held = await line.up(stack)
        await line.radios[0].send(broadcast(b"all", hop_limit))
        await asyncio.sleep(60)
        for task in held:
            task.cancel()
    return [len(ear.payloads) for ear in line.ears], line.transmissions


def test_a_flood_goes_as_far_as_its_hops_and_reaches_each_once() -> None:
    assert run_virtual(lambda: flood(6, 3)) == ([0, 1, 1, 1, 1, 0], 4)
    assert run_virtual(lambda: flood(6, 1)) == ([0, 1, 1, 0, 0, 0], 2)


def test_one_relay_is_enough_where_all_hear_all() -> None:
    async def main() -> None:
        async with asyncio.TaskGroup() as stack:
            line = Line(6, 0.0)
            for one in range(1, 7):
                for other in range(1, one):
                    line.ether.link(one, other)
            held = await line.up(stack)
            for index in range(10):
                await line.radios[index % 6].send(broadcast(bytes([index])))
                await asyncio.sleep(20)
            assert all(len(ear.payloads) >= 8 for ear in line.ears)
            assert line.transmissions <= 40
            for task in held:
                task.cancel()

    run_virtual(main)


def test_hidden_senders_collide_and_a_sender_is_deaf() -> None:
    async def main() -> None:
        async with asyncio.TaskGroup() as stack:
            line = Line(3, 0.0)
            held = await line.up(stack)
            for index in range(40):
                await asyncio.gather(
                    line.radios[0].send(broadcast(bytes(200))), line.radios[2].send(broadcast(bytes(200)))
                )
                await asyncio.sleep(5 + index % 3)
            assert line.ether.lost["collision"] > 5
            assert line.ether.lost["chance"] == 0
            assert line.stations[1].radio.utilisation > 0
            for task in held:
                task.cancel()

    run_virtual(main)

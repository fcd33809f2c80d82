"""The transport against a fake radio that commits the faults of real ones, in virtual time, over TCP and over a pty."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from meshtastic.protobuf.mesh_pb2 import MeshPacket
from meshtastic.protobuf.portnums_pb2 import PortNum

from hardware.clock import SystemClock
from hardware.driver import Health
from hardware.errors import LinkBusy, LinkDown
from hardware.virtual import VirtualClock, run_virtual
from radios.meshtastic.facts import Listener, Outcome, Timing
from radios.meshtastic.fake import FakeRadio
from radios.meshtastic.fake_config import Setting
from radios.meshtastic.fake_ports import in_memory, serve_pty, serve_tcp
from radios.meshtastic.packets import BROADCAST
from radios.meshtastic.radio import Radio

TRUE_MS = 1_800_000_000_000


class Ear(Listener):
    """Keeps all that a radio tells."""

    def __init__(self) -> None:
        self.packets: list[MeshPacket] = []
        self.outcomes: list[Outcome] = []
        self.states: list[tuple[Health, str]] = []

    def packet(self, packet: MeshPacket) -> None:
        self.packets.append(packet)

    def outcome(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)

    def turned(self, state: Health, why: str) -> None:
        self.states.append((state, why))


class Bench:
    """A fake radio, our transport on it in memory, and an ear."""

    def __init__(self, members: int = 0, timing: Timing | None = None, **faults: float) -> None:
        self.clock = VirtualClock(asyncio.get_running_loop(), TRUE_MS)
        self.fake = FakeRadio(self.clock, members=members, faults=faults)
        self.radio = Radio("mesh0", in_memory(self.fake), self.clock, timing, seed=1)
        self.ear = Ear()
        self.radio.listen(self.ear)

    @asynccontextmanager
    async def up(self) -> AsyncIterator[Bench]:
        life = asyncio.create_task(self.fake.run())
        async with self.radio.held():
            await self.until(lambda: self.radio.state is Health.UP)
            yield self
        life.cancel()

    async def until(self, true: Callable[[], object], within_s: float = 300.0) -> None:
        async with asyncio.timeout(within_s):
            while True:
                if true():
                    return
                await asyncio.sleep(0.05)


def private(payload: bytes = b"frame", to: int = BROADCAST, want_ack: bool = False) -> MeshPacket:
    packet = MeshPacket(to=to, want_ack=want_ack)
    packet.decoded.portnum, packet.decoded.payload = PortNum.PRIVATE_APP, payload
    return packet


def test_the_handshake_tells_who_the_radio_is() -> None:
    async def main() -> None:
        async with Bench().up() as it:
            facts = it.radio.facts
            assert (facts.number, facts.region, facts.preset.name) == (it.fake.number, "CN", "MediumFast")
            assert facts.firmware == (2, 7, 11)
            assert facts.lora.tx_power == 14

    run_virtual(main)


def test_packets_leave_no_faster_than_the_gap() -> None:
    async def main() -> None:
        async with Bench().up() as it:
            start = it.clock.mono()
            for _ in range(10):
                await it.radio.send(private())
            assert it.clock.mono() - start >= 0.9 - 1e-6
            await it.until(lambda: len(it.fake.sent) == 10)

    run_virtual(main)


def test_a_full_queue_ends_in_link_busy_and_blocks_nobody() -> None:
    async def main() -> None:
        async with Bench(full=1.0).up() as it:
            with pytest.raises(LinkBusy):
                for _ in range(3):
                    await it.radio.send(private(), patience_s=5.0)
            it.fake.faults.clear()
            await it.radio.send(private(), patience_s=5.0)

    run_virtual(main)


def test_lost_queue_statuses_only_slow_it_down() -> None:
    async def main() -> None:
        async with Bench(drop_status=0.7).up() as it:
            for _ in range(30):
                await it.radio.send(private(), patience_s=60.0)
            await it.until(lambda: len(it.fake.sent) == 30)
            assert it.radio.counters.unconfirmed > 0

    run_virtual(main)


def test_a_refused_packet_is_reported() -> None:
    async def main() -> None:
        async with Bench(refuse=1.0).up() as it:
            number = await it.radio.send(private())
            await it.until(lambda: it.ear.outcomes)
            assert it.ear.outcomes[0].packet == number
            assert it.ear.outcomes[0].word == "REFUSED"

    run_virtual(main)


def test_too_large_comes_back_as_its_reason() -> None:
    async def main() -> None:
        async with Bench().up() as it:
            await it.radio.send(private(bytes(232)))
            await it.until(lambda: it.ear.outcomes)
            assert it.ear.outcomes[0].word == "TOO_LARGE"

    run_virtual(main)


def test_a_mute_radio_is_noticed_and_comes_back() -> None:
    async def main() -> None:
        async with Bench().up() as it:
            it.fake.faults["mute"] = 1.0
            await it.until(lambda: it.radio.state is Health.DOWN, 60.0)
            assert "mute" in it.ear.states[-1][1] or "handshake" in it.ear.states[-1][1]
            with pytest.raises(LinkDown):
                await it.radio.send(private())
            it.fake.faults.clear()
            await it.until(lambda: it.radio.state is Health.UP, 120.0)
            assert it.radio.counters.connections > 1

    run_virtual(main)


def test_a_restart_of_the_radio_is_followed_by_a_new_handshake() -> None:
    async def main() -> None:
        async with Bench().up() as it:
            it.fake.setting.preset = 6
            it.fake.reboot(away_s=7.0)
            await it.until(lambda: it.radio.counters.reboots == 1)
            await it.until(lambda: it.radio.state is Health.UP)
            assert it.radio.facts.preset.name == "ShortFast"
            assert (Health.DOWN, "the radio restarted") in it.ear.states

    run_virtual(main)


def test_an_unfinished_handshake_is_retried_then_the_connection_rebuilt() -> None:
    async def main() -> None:
        it = Bench(no_complete=1.0)
        async with it.radio.held():
            await it.until(lambda: it.radio.counters.connections >= 2)
            assert it.radio.state is Health.DOWN
            it.fake.faults.clear()
            await it.until(lambda: it.radio.state is Health.UP)

    run_virtual(main)


def test_pauses_between_connections_grow_to_their_limit() -> None:
    async def main() -> None:
        it = Bench(mute=1.0)
        async with it.radio.held():
            await asyncio.sleep(1800)
        assert 20 <= it.radio.counters.connections <= 40

    run_virtual(main)


def test_nothing_is_heard_twice_and_nothing_is_lost_under_noise() -> None:
    async def main() -> None:
        faults = {"log_text": 0.5, "unknown_field": 0.5, "duplicate": 0.3, "reorder": 0.2}
        async with Bench(members=6, **faults).up() as it:
            await asyncio.sleep(600)
            it.fake.faults.clear()
            await asyncio.sleep(60)
            heard = [(getattr(packet, "from"), packet.id) for packet in it.ear.packets]
            assert len(heard) == len(set(heard)) == sum(it.fake.emitted.values())
            assert it.radio.counters.copies > 0
            assert it.radio.counters.log_lines > 0
            assert it.radio.state is Health.UP

    run_virtual(main)


def test_lying_lengths_cost_at_most_their_neighbours() -> None:
    async def main() -> None:
        async with Bench(members=6, bad_length=0.2).up() as it:
            await asyncio.sleep(600)
            assert len(it.ear.packets) > 0.6 * sum(it.fake.emitted.values())
            assert it.radio.state is Health.UP

    run_virtual(main)


def test_a_chatty_mesh_does_not_let_the_firmwares_idle_limit_strike() -> None:
    async def main() -> None:
        async with Bench(members=6).up() as it:
            await asyncio.sleep(3600)
            assert it.radio.counters.connections == 1

    run_virtual(main)


def test_the_fake_radio_keeps_the_firmwares_idle_limit() -> None:
    async def main() -> None:
        async with Bench(members=6, timing=Timing(keepalive_s=1200.0)).up() as it:
            await asyncio.sleep(3600)
            assert it.radio.counters.connections > 1

    run_virtual(main)


def test_two_users_share_one_connection() -> None:
    async def main() -> None:
        it = Bench()
        async with it.radio.held() as first, it.radio.held() as second:
            assert first is second
            await it.until(lambda: it.radio.state is Health.UP)
        assert it.radio.state is Health.DOWN
        assert it.radio.counters.connections == 1

    run_virtual(main)


def test_an_unknown_fault_is_refused() -> None:
    with pytest.raises(ValueError, match="no such fault"):
        FakeRadio(SystemClock(), faults={"gremlin": 1.0})


async def _answered(radio: Radio, fake: FakeRadio) -> None:
    async with asyncio.timeout(10), radio.held():
        while radio.state is not Health.UP:
            await asyncio.sleep(0.01)
        await radio.send(private(bytes(range(200))))
        while not fake.sent:
            await asyncio.sleep(0.01)
    assert fake.sent[0].decoded.payload == bytes(range(200))


async def test_over_tcp() -> None:
    clock = SystemClock()
    fake = FakeRadio(clock, setting=Setting(7, preset=8), number=7)
    async with serve_tcp(fake) as port:
        await _answered(Radio("mesh0", f"tcp://127.0.0.1:{port}", clock), fake)


async def test_over_a_serial_line() -> None:
    clock = SystemClock()
    fake = FakeRadio(clock, setting=Setting(7, preset=8), number=7)
    async with serve_pty(fake) as path:
        await _answered(Radio("mesh0", path, clock), fake)


async def test_a_new_tcp_client_puts_the_old_one_out_and_both_survive() -> None:
    clock = SystemClock()
    fake = FakeRadio(clock)
    timing = Timing(retry_s=(0.05, 0.1))
    async with serve_tcp(fake) as port:
        radios = [Radio(f"mesh{index}", f"tcp://127.0.0.1:{port}", clock, timing) for index in range(2)]
        async with asyncio.timeout(10), radios[0].held():
            while radios[0].state is not Health.UP:
                await asyncio.sleep(0.01)
            async with radios[1].held():
                while radios[1].state is not Health.UP:
                    await asyncio.sleep(0.01)
            while radios[0].state is not Health.UP or radios[0].counters.connections < 2:
                await asyncio.sleep(0.01)

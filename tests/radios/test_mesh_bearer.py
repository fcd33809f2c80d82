"""The bearer on the private port: frame sizes, air, power, holds, hints, standard messages, many users of one radio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from meshtastic.protobuf.mesh_pb2 import MeshPacket
from meshtastic.protobuf.portnums_pb2 import PortNum

from hardware.driver import Health, Heard
from hardware.errors import DecodeError, FrameTooLong, LinkBusy, LinkDown, LinkError
from hardware.observation import Observation
from hardware.virtual import VirtualClock, run_virtual
from radios.meshtastic.airtime import BY_NAME, WINDOW_S
from radios.meshtastic.bearer import CHINA_POWER_DBM, MeshtasticBearer, Policy
from radios.meshtastic.driver import MeshtasticDriver
from radios.meshtastic.ether import Ether
from radios.meshtastic.fake import FakeRadio
from radios.meshtastic.fake_config import Setting
from radios.meshtastic.fake_ports import in_memory
from radios.meshtastic.messages import alert, text, waypoint
from radios.meshtastic.radio import Radio
from radios.meshtastic.station import Station

PRESET = {"ShortFast": 6, "MediumFast": 4, "LongFast": 0, "LongSlow": 1}


class Pair:
    """Two bearers, each with its own fake radio, that hear each other."""

    def __init__(self, policy: Policy | None = None, **setting: object) -> None:
        self.clock = VirtualClock(asyncio.get_running_loop(), 1_800_000_000_000)
        settings = [Setting(number, **setting) for number in (0x11, 0x12)]  # type: ignore[arg-type]
        self.ether = Ether(self.clock, settings[0].modem)
        self.fakes = [FakeRadio(self.clock, each.number, setting=each) for each in settings]
        self.stations = [Station(self.ether, fake) for fake in self.fakes]
        self.ether.link(0x11, 0x12)
        self.radios = [Radio(f"mesh{fake.number}", in_memory(fake), self.clock, seed=1) for fake in self.fakes]
        self.bearers = [MeshtasticBearer(f"lora{radio.name}", radio, self.clock, policy) for radio in self.radios]

    @asynccontextmanager
    async def running(self, ready: Callable[[Pair], bool] | None = None) -> AsyncIterator[Pair]:
        tasks = [asyncio.create_task(bearer.run()) for bearer in self.bearers]
        try:
            await self.until(ready or (lambda it: all(bearer.health.state is Health.UP for bearer in it.bearers)))
            yield self
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def until(self, true: Callable[[Pair], object], within_s: float = 120.0) -> None:
        async with asyncio.timeout(within_s):
            while not true(self):
                await asyncio.sleep(0.05)


def test_frames_go_to_all_and_to_one() -> None:
    async def main() -> None:
        async with Pair().running() as it:
            one, other = it.bearers
            await one.send(bytes(range(200)))
            arrival = await other.receive()
            assert (arrival.frame, arrival.peer) == (bytes(range(200)), "!00000011")
            await other.send(b"back", arrival.peer)
            assert (await one.receive()).frame == b"back"
            assert one.health.frames_out == other.health.frames_out == 1
            assert one.health.frames_in == other.health.frames_in == 1

    run_virtual(main)


@pytest.mark.parametrize(
    ("preset", "region", "firmware", "policy", "mtu"),
    [
        ("MediumFast", "CN", "2.7.11", Policy(), 200),
        ("MediumFast", "CN", "2.8.0", Policy(mtu=300), 231),
        ("MediumFast", "US", "2.7.11", Policy(mtu=300), 231),
        ("ShortFast", "CN", "2.8.0", Policy(), 200),
        ("LongFast", "CN", "2.7.11", Policy(), 63),
        ("LongFast", "CN", "2.8.0", Policy(), 9),
        ("LongFast", "US", "2.8.0", Policy(), 200),
        ("LongSlow", "US", "2.7.11", Policy(), 200),
    ],
)
def test_the_mtu_follows_preset_region_and_firmware(
    preset: str, region: str, firmware: str, policy: Policy, mtu: int
) -> None:
    async def main() -> None:
        async with Pair(policy, preset=PRESET[preset], region=region, firmware=firmware).running() as it:
            assert it.bearers[0].limits.mtu == mtu
            if region == "CN":
                costs = [it.bearers[0].airtime_us(size, cast) for size in range(1, mtu + 1) for cast in (True, False)]
                assert max(costs) <= 1_000_000
            with pytest.raises(FrameTooLong):
                await it.bearers[0].send(bytes(mtu + 1))

    run_virtual(main)


def test_to_a_known_key_the_limit_is_219() -> None:
    async def main() -> None:
        async with Pair(Policy(mtu=231), region="US").running() as it:
            with pytest.raises(FrameTooLong, match="at most 219"):
                await it.bearers[0].send(bytes(220), "!00000012")
            await it.bearers[0].send(bytes(219), "!00000012")
            await it.bearers[0].send(bytes(231))
            assert len((await it.bearers[1].receive()).frame) == 219
            assert len((await it.bearers[1].receive()).frame) == 231

    run_virtual(main)


def test_no_preset_without_a_frame_of_one_second_is_used_in_china() -> None:
    async def main() -> None:
        async with Pair(preset=1, region="CN").running(lambda it: "within 1 s" in it.bearers[0].health.why) as it:
            assert it.bearers[0].health.state is Health.DOWN
            assert it.bearers[0].budget().messages_left == 0
            with pytest.raises((LinkDown, FrameTooLong)):
                await it.bearers[0].send(b"x")

    run_virtual(main)


def test_a_radio_that_is_too_loud_is_corrected_before_anything_is_sent() -> None:
    async def main() -> None:
        it = Pair(power=0)
        async with it.running():
            assert [fake.setting.power for fake in it.fakes] == [CHINA_POWER_DBM] * 2
            assert it.radios[0].counters.reboots == 1
            assert not it.ether.log

    run_virtual(main)


def test_an_antennas_gain_is_given_back() -> None:
    async def main() -> None:
        async with Pair(Policy(antenna_dbi=5), power=14).running() as it:
            assert it.fakes[0].setting.power == 12

    run_virtual(main)


async def flood(it: Pair, hours: float) -> None:
    """Send all that the bearer takes, for so many hours."""
    end = it.clock.mono() + hours * WINDOW_S
    while it.clock.mono() < end:
        try:
            await it.bearers[0].send(bytes(200))
        except LinkBusy as busy:
            await asyncio.sleep(busy.wait_s)


def worst_hour(ether: Ether, by: int) -> float:
    """The greatest share of the air that one radio took in any hour."""
    sendings = [each for each in ether.log if each.by == by]
    worst, start, used = 0.0, 0, 0.0
    for each in sendings:
        used += each.end - each.start
        while sendings[start].end <= each.end - WINDOW_S:
            used -= sendings[start].end - sendings[start].start
            start += 1
        worst = max(worst, used)
    return worst / WINDOW_S


@pytest.mark.parametrize(("policy", "region", "share"), [(Policy(), "CN", 0.25), (Policy(), "EU_868", 0.1)])
def test_a_flooding_sender_keeps_its_share_in_every_hour(policy: Policy, region: str, share: float) -> None:
    async def main() -> None:
        async with Pair(policy, region=region).running() as it:
            await flood(it, 2.5)
            assert share * 0.9 < worst_hour(it.ether, 0x11) <= share

    run_virtual(main)


def test_a_crowded_channel_makes_us_quiet() -> None:
    async def main() -> None:
        async with Pair().running() as it:
            it.fakes[0].utilisation = 45.0
            it.fakes[0].report()
            await it.until(lambda it: it.radios[0].facts.utilisation == 45.0)
            before = len(it.ether.log)
            await flood(it, 0.5)
            assert (len(it.ether.log) - before) / 2 * BY_NAME["MediumFast"].airtime_us(224) / 1e6 < 0.05 * 1800 + 30

    run_virtual(main)


def test_a_down_radio_takes_nothing_and_keeps_the_air() -> None:
    async def main() -> None:
        async with Pair().running() as it:
            left = it.bearers[0].air.left_us(it.clock.mono())
            it.fakes[0].faults["full"] = 1.0
            with pytest.raises(LinkError):
                for _ in range(12):
                    await it.bearers[0].send(bytes(100))
            spent = it.bearers[0].airtime_us(100) * it.bearers[0].health.frames_out
            assert it.bearers[0].air.left_us(it.clock.mono()) >= left - spent
            it.fakes[0].faults["mute"] = 1.0
            await it.until(lambda it: it.bearers[0].health.state is Health.DOWN)
            assert it.bearers[0].budget().messages_left == 0
            with pytest.raises(LinkDown):
                await it.bearers[0].send(b"x")

    run_virtual(main)


def test_the_duty_cycles_refusal_holds_us_back() -> None:
    async def main() -> None:
        async with Pair().running() as it:
            await it.bearers[0].send(b"x")
            packet = it.fakes[0].sent[-1] if it.fakes[0].sent else MeshPacket(id=next(iter(it.radios[0]._sent)))
            it.fakes[0].answer(packet, 9, it.fakes[0].number)
            await it.until(lambda it: it.bearers[0].health.refused)
            assert it.bearers[0].health.refused == {"DUTY_CYCLE_LIMIT": 1}
            with pytest.raises(LinkBusy, match="DUTY_CYCLE_LIMIT"):
                await it.bearers[0].send(b"x")
            assert it.bearers[0].budget().wait_s > 50

    run_virtual(main)


def test_a_full_inbox_refuses_and_counts() -> None:
    async def main() -> None:
        async with Pair(region="US", preset=8).running() as it:
            for _ in range(300):
                await it.bearers[0].send(b"x")
            await asyncio.sleep(5)
            assert it.bearers[1].health.refused["inbox full"] == 300 - it.bearers[1].health.frames_in > 0

    run_virtual(main)


class Context:
    """A driver's context that keeps everything."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.observations: list[Observation] = []
        self.things: list[Heard] = []

    def emit(self, observation: Observation) -> None:
        self.observations.append(observation)

    def heard(self, item: Heard) -> None:
        self.things.append(item)

    def health(self, state: Health, why: str = "") -> None:
        return


def test_driver_and_bearer_share_one_radio() -> None:
    async def main() -> None:
        async with Pair().running() as it:
            context = Context(it.clock)
            driver = asyncio.create_task(MeshtasticDriver("mesh0", it.radios[1]).run(context))
            await asyncio.sleep(1)
            await it.bearers[0].send(b"frame")
            await it.bearers[0].post(text("一组到达", "!00000012"))
            await it.bearers[0].post(alert("撤离"))
            await it.bearers[0].post(waypoint(1, "集合点", 301_500_000, 1_191_000_000))
            await asyncio.sleep(20)
            assert it.radios[1].counters.connections == 1
            assert [item.kind for item in context.things] == ["text", "alert", "waypoint"]
            assert it.bearers[1].health.frames_in == 1
            driver.cancel()
            await asyncio.gather(driver, return_exceptions=True)

    run_virtual(main)


def test_a_text_to_one_comes_back_as_a_receipt_of_that_one() -> None:
    async def main() -> None:
        async with Pair().running() as it:
            context = Context(it.clock)
            driver = asyncio.create_task(MeshtasticDriver("mesh0", it.radios[0]).run(context))
            await asyncio.sleep(1)
            number = await it.bearers[0].post(text("全体撤离", "!00000012"))
            await asyncio.sleep(20)
            receipts = [item for item in context.things if item.kind == "receipt"]
            assert [(item.sender, item.body["request"]) for item in receipts] == [("!00000012", number)]
            assert it.bearers[0].hints["acknowledged"] == 1
            driver.cancel()
            await asyncio.gather(driver, return_exceptions=True)

    run_virtual(main)


def test_messages_that_the_firmware_would_drop_are_held_back() -> None:
    async def main() -> None:
        async with Pair().running() as it:
            for make, gap in ((text, 2.0), (alert, 10.0)):
                await it.bearers[0].post(make("安"))
                with pytest.raises(LinkBusy) as busy:
                    await it.bearers[0].post(make("安"))
                assert busy.value.wait_s <= gap
                await asyncio.sleep(busy.value.wait_s)
                await it.bearers[0].post(make("安"))
            await asyncio.sleep(20)
            assert not it.fakes[0].dropped
            assert sum(packet.decoded.portnum == PortNum.ALERT_APP for packet in it.fakes[0].sent) == 2

    run_virtual(main)


def test_what_does_not_fit_a_standard_message() -> None:
    with pytest.raises(ValueError, match="at most 200"):
        text("撤" * 67)
    with pytest.raises(ValueError, match="at most 29"):
        waypoint(1, "十" * 10, 0, 0)
    with pytest.raises(ValueError, match="on earth"):
        waypoint(1, "x", 910_000_000, 0)
    with pytest.raises(DecodeError):
        text("x", "nobody")


def test_the_budget_survives_a_restart() -> None:
    async def main() -> None:
        async with Pair().running() as it:
            await it.bearers[0].send(bytes(200))
            again = MeshtasticBearer("lora", it.radios[0], it.clock)
            again.restore(it.bearers[0].export())
            now = it.clock.mono()
            assert again.air.left_us(now) == pytest.approx(it.bearers[0].air.left_us(now), abs=2)

    run_virtual(main)


def test_the_budget_is_in_a_file_when_the_program_ends(tmp_path: Path) -> None:
    async def main() -> None:
        pair = Pair()
        one = pair.bearers[0] = MeshtasticBearer("lora", pair.radios[0], pair.clock, file=tmp_path / "lora.air")
        async with pair.running() as it:
            for _ in range(40):
                await asyncio.sleep(one.budget().wait_s)
                await one.send(bytes(200))
                await asyncio.sleep(one.limits.gap_s)
            left = one.air.left_us(it.clock.mono())
        again = MeshtasticBearer("lora", pair.radios[0], pair.clock, file=tmp_path / "lora.air")
        assert left < 29_000_000 and again.air.left_us(pair.clock.mono()) == pytest.approx(left, rel=0.05)
        (tmp_path / "lora.air").write_text("[]")
        blind = MeshtasticBearer("lora", pair.radios[0], pair.clock, file=tmp_path / "lora.air")
        assert blind.air.left_us(pair.clock.mono()) == 0, "an account that cannot be read is empty"

    run_virtual(main)


def test_loss_is_what_the_radio_counted() -> None:
    async def main() -> None:
        async with Pair().running() as it:
            fake, health = it.fakes[0], it.bearers[0].health
            assert health.loss is None
            fake.statistics(90, 10)
            await it.until(lambda _: health.loss == pytest.approx(0.1))
            fake.statistics(5, 1)  # it restarted
            fake.statistics(5 + 40, 1 + 40)
            await it.until(lambda _: health.loss is not None and health.loss > 0.1)

    run_virtual(main)

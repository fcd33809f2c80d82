"""LoRa mesh: a sealed object over two hops of lossy air, from node to node through a radio that only relays, in virtual time.

The real exchange, bearers and stream protocol over simulated radios that keep the firmware's rules; every frame that any radio
puts on the air counts, acknowledgements, lists and relayed copies included, from the moment the object is written until its
sender knows that the other end has committed it.
"""

from __future__ import annotations

import asyncio
import random
import statistics
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from edge.node import Node
from edge.sim.memory import MemoryDisk
from edge.supervisor import Supervisor
from hardware.virtual import VirtualClock, run_virtual
from radios.meshtastic.airtime import WINDOW_S
from radios.meshtastic.bearer import MeshtasticBearer
from radios.meshtastic.ether import Ether
from radios.meshtastic.fake import FakeRadio
from radios.meshtastic.fake_config import Setting
from radios.meshtastic.fake_ports import in_memory
from radios.meshtastic.radio import Radio
from radios.meshtastic.station import Station
from sync.exchange import Exchange, Policy
from sync.exchange.frame import symbol_head
from sync.ids import BlockId, KeyClass, Lane, Source
from sync.ranges import Ranges
from sync.repair import count
from sync.seal.contract import MAC, Role
from sync.seal.demo import demo_keyring

OBJECT: Final = 4000  # bytes as sealed
FRAME: Final = 200
PRESET: Final = 6  # ShortFast, one of the two that the Chinese band allows
SENDER, MIDDLE, RECEIVER = 1, 2, 3
KEYS: Final = b"bench mesh"
ROLES: Final = {SENDER: Role.MEMBER, RECEIVER: Role.COMMAND}
QUIET_S: Final = 120.0  # between the two messages by which the ends meet, and the object
LIMIT_S: Final = 6 * 3600.0
WALL_MS: Final = 1_800_000_000_000
BARS: Final = {0.2: 3.7, 0.4: 5.7}  # transmissions of all radios for each fragment, a frame of at most 200 bytes


@dataclass(slots=True)
class End:
    """One node with its radio."""

    disk: MemoryDisk
    node: Node
    bearer: MeshtasticBearer

    @property
    def source(self) -> Source:
        """Where its commands are numbered."""
        return Source(self.disk.origin, self.disk.incarnation, Lane.COMMAND)


def _end(number: int, fake: FakeRadio, clock: VirtualClock, seed: int) -> End:
    disk = MemoryDisk(lambda incarnation: demo_keyring(KEYS, ROLES, number, incarnation), number, clock.mono)
    policy = Policy(central=frozenset((RECEIVER,)), members=frozenset((SENDER, RECEIVER)))
    exchange = Exchange(disk, disk.ring, policy, random.Random(seed * 10 + number))
    node = Node(exchange, Supervisor(clock))
    bearer = MeshtasticBearer("lora", Radio(f"radio{number}", in_memory(fake), clock, seed=seed * 10 + number), clock)
    node.add(bearer)
    return End(disk, node, bearer)


async def _object(loss: float, seed: int) -> dict[str, float]:
    """One object from one end to the other."""
    clock = VirtualClock(asyncio.get_running_loop(), WALL_MS)
    settings = [Setting(number, PRESET) for number in (SENDER, MIDDLE, RECEIVER)]
    ether = Ether(clock, settings[0].modem, seed)
    fakes = [FakeRadio(clock, each.number, setting=each, seed=seed * 10 + each.number) for each in settings]
    for fake in fakes:
        Station(ether, fake)
    ether.link(SENDER, MIDDLE, loss)
    ether.link(MIDDLE, RECEIVER, loss)
    here, there = _end(SENDER, fakes[0], clock, seed), _end(RECEIVER, fakes[2], clock, seed)
    running = [asyncio.create_task(end.node.run()) for end in (here, there)]
    await _delivered(here, there, b"here I am")
    await _delivered(there, here, b"here am I")
    await asyncio.sleep(QUIET_S)
    before = len(ether.log)
    room = OBJECT - here.disk.ring.overhead(Lane.COMMAND, KeyClass.FIELD) - 2  # the length of the one item in it
    came, confirmed, false = await _delivered(here, there, random.Random(seed).randbytes(room))
    sent = len(ether.log) - before
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    share = max(_busiest(ether, number) for number in (SENDER, RECEIVER))
    fragments = count(OBJECT, here.bearer.limits.mtu - MAC - symbol_head(BlockId(*here.source, 1), OBJECT))
    return {"fragments": fragments, "sent": sent, "came": came, "confirmed": confirmed, "false": false, "share": share}


async def _delivered(by: End, to: End, item: bytes) -> tuple[float, float, int]:
    """Write an item at one end: seconds until the other has it, until the first knows, 0 for never; receipts that were false."""
    began, number = by.bearer.clock.mono(), len(by.disk.have().get(by.source, Ranges()))
    by.disk.add(Lane.COMMAND, item)
    by.node.nudge()
    came, confirmed, false = 0.0, 0.0, 0
    while not confirmed and by.bearer.clock.mono() - began < LIMIT_S:
        await asyncio.sleep(0.25)
        passed = by.bearer.clock.mono() - began
        here = number in to.disk.have().get(by.source, Ranges())
        told = number in by.disk.end_of(to.disk.origin).get(by.source, Ranges())
        came, confirmed, false = came or here * passed, told * passed, false + (told and not here)
    return came, confirmed, false


def _busiest(ether: Ether, number: int) -> float:
    """The largest share of any hour that a radio sent, its own frames and those it relayed."""
    mine = [each for each in ether.log if each.by == number]
    hours = [sum(other.end - other.start for other in mine if each.start <= other.start < each.start + WINDOW_S) for each in mine[::20]]  # fmt: skip
    return max(hours, default=0.0) / WINDOW_S


def campaign(loss: float, runs: int, seed: int) -> dict[str, Any]:
    """Objects at one loss per link, each in a world of its own."""
    found = [run_virtual(partial(_object, loss, seed + at)) for at in range(runs)]
    per_fragment = [each["sent"] / each["fragments"] for each in found if each["confirmed"]]
    median = statistics.median(per_fragment) if per_fragment else float("inf")
    return {
        "runs": runs,
        "seed": seed,
        "loss_per_link": loss,
        "complete": sum(each["came"] > 0 for each in found),
        "confirmed": len(per_fragment),
        "false_receipts": sum(int(each["false"]) for each in found),
        "fragments": found[0]["fragments"],
        "median_transmissions_per_fragment": round(median, 2),
        "median_transmissions": statistics.median(each["sent"] for each in found),
        "bar": BARS.get(loss),
        "median_complete_s": round(statistics.median(each["came"] for each in found)),
        "median_confirmed_s": round(statistics.median(each["confirmed"] for each in found)),
        "greatest_air_share_of_an_hour": round(max(each["share"] for each in found), 4),
        "ok": len(per_fragment) == runs
        and not any(each["false"] for each in found)
        and median <= BARS.get(loss, float("inf"))
        and all(each["share"] <= 0.25 for each in found),
    }


def run(runs: int = 100, seed: int = 20261124) -> dict[str, Any]:
    """An object of 4,000 bytes over two hops at 20 and 40 % loss per link: transmissions of all radios for each frame it takes."""
    parts = {f"loss_{loss:.0%}".rstrip("%"): campaign(loss, runs, seed) for loss in BARS}
    return {
        **parts,
        "object_bytes": OBJECT,
        "frame_bytes": FRAME,
        "counted": "every frame that any of the three radios put on the air from writing the object to its confirmation",
        "per_fragment": "divided by the frames that the object alone takes without loss, head and hop MAC of each included",
        "ok": all(part["ok"] for part in parts.values()),
    }

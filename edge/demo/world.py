"""The simulated world around the processes: receivers on pseudo-terminals, radios in one ether, a link that can be cut, a stick."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final, Self

from edge.demo.plan import MEASURING, MEMBERS, PLACE, RELAY, UNIT, VEHICLE, WEARABLES, Actor, Sockets, home
from edge.devices import HUSH
from hardware.clock import SystemClock
from hardware.replay import by_time
from hardware.sim.gnss import GnssSimulator
from hardware.sim.pty_player import PtyPlayer
from radios.gate import Gate
from radios.meshtastic.ether import Ether
from radios.meshtastic.fake import FakeRadio
from radios.meshtastic.fake_config import Setting
from radios.meshtastic.fake_ports import serve_pty
from radios.meshtastic.station import Station
from radios.meshtastic.team import Periods, Team

RECORDINGS: Final = Path(__file__).resolve().parents[2] / "tests" / "data" / "gnss"
RECEIVERS: Final = {"V1": {"gnss0": "skytraq-dgps.log", "gnss1": "unicore-um621.log"}, "U1": {"gnss0": ""}}
PERIODS: Final = Periods(position=5, device=20, health=10, text=25)
PRESET: Final = 6  # ShortFast
LOSS: Final = 0.1

Plan = Iterator[tuple[float, bytes]]


class World:
    """Enter it to start everything; `hush` makes all devices fall silent, after which the counts stand still."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self._seed, self._clock = seed, SystemClock()
        self._quiet = False
        self._players: dict[str, dict[str, PtyPlayer]] = {}
        self._radios: dict[str, FakeRadio] = {}
        self._lives: list[asyncio.Task[None]] = []
        self._stack = AsyncExitStack()
        self.gate = Gate("127.0.0.1", _free_port())
        self.ether = Ether(self._clock, Setting(VEHICLE.radio, preset=PRESET).modem, seed)

    async def __aenter__(self) -> Self:
        await self.gate.start()
        self._stack.push_async_callback(self.gate.stop)
        for actor in MEASURING:
            home(self.folder, actor).mkdir(parents=True)
            self._receive(actor)
        self.ports = {actor.name: await self._radio(actor) for actor in (VEHICLE, UNIT, RELAY)}
        for one, other in ((UNIT, RELAY), (RELAY, VEHICLE)):
            self.ether.link(one.radio, other.radio, LOSS)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._rest()
        await self._stack.aclose()

    @property
    def sockets(self) -> Sockets:
        """Where it can be reached."""
        receivers = {name: {each: str(player.link) for each, player in players.items()} for name, players in self._players.items()}  # fmt: skip
        return Sockets(receivers, self.ports, self.gate.target, self.gate.port)

    def emitted(self) -> int:
        """Observations that the simulators themselves count: epochs played, packets told to a host, wearables' own files.

        The relay reads nothing, so what its radio tells it does not count.
        """
        files = [file for actor in MEASURING for file in home(self.folder, actor).glob("*.emitted")]
        epochs = sum(player.epochs for players in self._players.values() for player in players.values())
        packets = sum(self._radios[actor.name].observations for actor in MEASURING)
        return epochs + packets + sum(file.stat().st_size for file in files)

    async def hush(self) -> None:
        """Every device falls silent after its present word."""
        self._quiet = True
        for name in WEARABLES:
            (self.folder / name / HUSH).touch()
        await self._rest()
        for players in self._players.values():
            for player in players.values():
                await asyncio.to_thread(player.finished.wait, 10.0)

    async def _rest(self) -> None:
        for life in self._lives:
            life.cancel()
        await asyncio.gather(*self._lives, return_exceptions=True)
        self._lives.clear()

    def _receive(self, actor: Actor) -> None:
        """Receivers of an actor: recordings played again and again, or a simulator where there is no recording."""
        players = self._players.setdefault(actor.name, {})
        for name, recording in RECEIVERS[actor.name].items():
            file = RECORDINGS / recording
            source = _again(file.read_bytes()) if recording and file.is_file() else GnssSimulator(path=_walk()).plan()
            player = PtyPlayer(self.folder / f"tty-{actor.name}-{name}", self._until_quiet(source))
            players[name] = self._stack.enter_context(player)

    def _until_quiet(self, plan: Plan) -> Plan:
        return itertools.takewhile(lambda _: not self._quiet, plan)

    async def _radio(self, actor: Actor) -> str:
        """A radio of an actor in the ether, served on a pseudo-terminal; the port's path."""
        centre = round(PLACE[0] * 1e7), round(PLACE[1] * 1e7)
        team = Team(self._clock, MEMBERS if actor is VEHICLE else 0, self._seed, PERIODS, centre)
        setting = Setting(actor.radio, preset=PRESET)
        radio = FakeRadio(self._clock, actor.radio, seed=self._seed, team=team, setting=setting)
        Station(self.ether, radio, relays=False)
        self._radios[actor.name] = radio
        port = await self._stack.enter_async_context(serve_pty(radio))
        self._lives.append(asyncio.create_task(radio.run(), name=f"radio {actor.name}"))
        return port


def _again(data: bytes) -> Plan:
    while True:
        yield from by_time(data)


def _walk() -> tuple[tuple[float, float], ...]:
    """The foot unit's path: some 300 m away and back."""
    lat, lon = PLACE
    return (lat + 0.001, lon + 0.001), (lat + 0.003, lon + 0.002), (lat + 0.004, lon + 0.005)


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])

"""The demo: a simulated exam room, the gateway as a process of its own, and an EHR that takes its messages.

The gateway is the real service on a real configuration; it may be killed at any moment, and is started
again. What it had accepted by then arrives all the same, also when the whole demo was killed and is run
once more in the same folder.
"""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from gateway.hl7 import Message
from gateway.model import Encounter, Identifier, Patient
from gateway.store import Database, outbox, readings
from gateway.testing.adt import adt_a04
from gateway.testing.demo_summary import Row, summary
from gateway.testing.fake_ehr import Delivery, FakeEhr, send
from gateway.testing.gateway_process import GatewayProcess, LogEvent
from gateway.testing.room import ROOM, STATIONS, ZONE, Room, Station
from gateway.testing.virtual_device import until

_PATIENTS = (
    Patient((Identifier("8834021", "NORTH", "MR"),), "TESTPATIENT", "ALMA", "R", "19610417", "F"),
    Patient((Identifier("8834022", "NORTH", "MR"),), "TESTPATIENT", "BRUNO", "", "19550902", "M"),
    Patient((Identifier("8834023", "NORTH", "MR"),), "TESTPATIENT", "CARLA", "", "19880130", "F"),
)
_ROUND_S = 120.0
_POLL_S = 0.1
_TAKEN = {"reading stored", "stored record delivered again"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(slots=True)
class Demo:
    """One simulated clinic morning, entered with ``async with``.

    Parameters
    ----------
    folder : Path
        Where everything is: configuration, database, the EHR's messages, the EKG machine's folder.
    say : callable
        Prints a line.
    ehr : str, optional
        HOST:PORT of another receiver in the place of the demo's own.
    """

    folder: Path
    say: Callable[[str], None]
    ehr: str | None = None
    _own_ehr: FakeEhr | None = None
    _room: Room = field(init=False)
    _gateway: GatewayProcess = field(init=False)
    _guard: asyncio.Task[None] | None = None
    _taken: dict[str, asyncio.Event] = field(default_factory=dict)
    _inbound_port: int = field(default_factory=_free_port)
    _started_with: int = 0
    _left_over: tuple[int, ...] = ()
    _database: Database = field(init=False)
    _rounds: int = 0

    async def __aenter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._taken = {station.name: asyncio.Event() for station in STATIONS}
        if self.ehr is None:
            self._own_ehr = FakeEhr(directory=self.folder / "ehr", on_delivery=self._delivered)
            await self._own_ehr.__aenter__()
        self._room = Room(self.folder)
        await self._room.__aenter__()
        configuration = self.folder / "gateway.toml"
        address = self.ehr or f"127.0.0.1:{self._own_ehr.port if self._own_ehr else 0}"
        configuration.write_text(self._room.configuration(ehr=address, inbound_port=self._inbound_port))
        self._database = Database(self.folder / "gateway.db")
        self._note_where_it_stands()
        self._introduce(configuration, address)
        self._gateway = GatewayProcess(configuration, self._logged)
        await self._gateway.start()
        self._guard = asyncio.create_task(self._restart_when_killed())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._guard is not None:
            self._guard.cancel()
            await asyncio.gather(self._guard, return_exceptions=True)
            await self._gateway.stop()
        await self._room.__aexit__(kind, error, trace)
        if self._own_ehr is not None:
            await self._own_ehr.__aexit__(kind, error, trace)
        self._database.close()

    async def play_round(self) -> None:
        """A patient is sent to the room, every device measures, everything is acknowledged.

        Raises
        ------
        TimeoutError
            It was not, in two minutes; the summary shows what is missing.
        """
        patient = _PATIENTS[self._rounds % len(_PATIENTS)]
        self._rounds += 1
        async with asyncio.timeout(_ROUND_S):
            await self._send_to_room(patient)
            await asyncio.gather(*map(self._measure, STATIONS))
            await until(lambda: not self._database.do(outbox.unsettled))

    @property
    def gateway_pid(self) -> int:
        """The process that may be killed."""
        return self._gateway.pid

    def rows(self) -> tuple[Row, ...]:
        """What was accepted in this run, and what was left from one before, with what the EHR has."""
        taken: dict[str, Message] | None = None
        if self._own_ehr is not None:
            taken = {
                d.message.control_id: d.message for d in self._own_ehr.deliveries if d.message and d.accepted
            }
        return self._database.do(
            lambda db: summary(db, since=self._started_with, left_over=self._left_over, ehr=taken)
        )

    def _introduce(self, configuration: Path, address: str) -> None:
        self.say(f"exam room {ROOM}, configuration {configuration}")
        for station in STATIONS:
            device = self._room.devices[station.name]
            self.say(f"  {station.name}: {device.fixture.driver} on {device.url} ({station.link})")
        kept = f", messages kept in {self.folder / 'ehr'}" if self._own_ehr else ""
        self.say(f"  EHR: MLLP on {address}{kept}")
        if self._left_over:
            self.say(f"  {len(self._left_over)} readings of an earlier run are still to be delivered")

    def _note_where_it_stands(self) -> None:
        accepted = self._database.do(readings.since)
        self._started_with = accepted[-1].id if accepted else 0
        self._left_over = tuple(dict.fromkeys(m.reading_id for m in self._database.do(outbox.unsettled)))

    async def _send_to_room(self, patient: Patient) -> None:
        now = datetime.now(ZONE)
        number = Identifier(f"V{now:%y%m%d%H%M%S}", "NORTH", "VN")
        encounter = Encounter(
            room=ROOM, patient=patient, location=f"FAMMED^{ROOM}^^NORTH", visit=number, opened_at=now
        )
        message = adt_a04(encounter, control_id=f"REG{now:%y%m%d%H%M%S%f}"[:20], sent_at=now)
        while True:
            try:
                answer = await send(message, "127.0.0.1", self._inbound_port)
            except OSError:
                await asyncio.sleep(_POLL_S)  # the gateway was killed a moment ago and is coming back
                continue
            self.say(f"EHR -> gateway: ADT^A04, {patient.given_name} is in {ROOM}: {answer.get('MSA-1')}")
            # clocks of devices count whole seconds: one that starts now was not before the arrival
            await asyncio.sleep(1.0)
            return

    async def _measure(self, station: Station) -> None:
        """The device measures, again if need be, until the gateway has accepted a reading of it."""
        taken = self._taken[station.name]
        taken.clear()
        while not taken.is_set():
            playing = asyncio.create_task(self._room.play(station))
            waiting = asyncio.create_task(taken.wait())
            try:
                await playing
                async with asyncio.timeout(10):
                    await waiting
            except TimeoutError:
                self.say(f"{station.name}: no reading was accepted, measuring again")
            finally:
                playing.cancel()
                waiting.cancel()
                await asyncio.gather(playing, waiting, return_exceptions=True)

    async def _restart_when_killed(self) -> None:
        while True:
            status = await self._gateway.ended()
            self.say(f"the gateway ended ({status}); starting it again")
            await self._gateway.start()

    def _logged(self, event: LogEvent) -> None:
        """The service's log, as it speaks to people."""
        what = event["event"]
        if what in _TAKEN and event.get("device") in self._taken:
            self._taken[event["device"]].set()
        subject = event.get("device") or event.get("destination") or "gateway"
        details = ", ".join(
            f"{key} {value}"
            for key, value in event.items()
            if key not in {"event", "level", "timestamp", "device", "destination"} and value is not None
        )
        self.say(f"{subject}: {what}" + (f" ({details})" if details else ""))

    def _delivered(self, delivery: Delivery) -> None:
        if delivery.message is not None:
            count = sum(segment.name == "OBX" for segment in delivery.message.segments)
            self.say(f"EHR: {delivery.message.control_id}, {count} results, {delivery.verdict}")

"""One device's life on its link: it vanishes, comes back, talks rubbish, and no reading is lost for it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from structlog.testing import capture_logs

from gateway.drivers import Conversation, Events, Measured, Send, SetTimer, load
from gateway.errors import StoreError, TransportError
from gateway.model import Device, Reading
from gateway.service.acceptance import Accepted
from gateway.service.device_task import DeviceTask
from gateway.service.journal import Journal
from gateway.store import Database, journal
from gateway.transports import Connection, Received, Transport, open_transport

NOW = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)


@dataclass
class Taken:
    """Where accepted readings go; it may refuse the first few."""

    readings: list[Reading] = field(default_factory=list)
    refusals: int = 0

    async def __call__(self, reading: Reading, at: datetime) -> Accepted:
        if self.refusals:
            self.refusals -= 1
            raise StoreError("the disk is full")
        self.readings.append(reading)
        return Accepted(len(self.readings))


async def _run_until(task: DeviceTask, done: Callable[[], bool]) -> None:
    running = asyncio.create_task(task.run())
    async with asyncio.timeout(60):
        while not done():
            await asyncio.sleep(0.01)
            if running.done():
                running.result()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


def _scale_task(database: Database, port: int, taken: Taken, *, hold_kept: bool = False) -> DeviceTask:
    driver = load("and-scale")
    return DeviceTask(
        name="scale-3",
        transport=open_transport(f"socket://127.0.0.1:{port}", driver.links),
        converse=lambda: Conversation.start(driver, {}),
        accept=taken,
        journal=Journal(database, "scale-3"),
        now=lambda: datetime.now(UTC),
        hold_kept=hold_kept,
    )


@asynccontextmanager
async def _device(*lines: bytes, port: int = 0) -> AsyncIterator[int]:
    """A device server that says this to whoever connects; its port."""
    served: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            for line in lines:
                writer.write(line)
            await reader.read()
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(asyncio.create_task(serve(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", port)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await asyncio.gather(*served)


STABLE = b"ST,+00072.45 kg\r\n" * 6
EMPTY = b"ST,+00000.00 kg\r\n" * 6


def _weights(taken: Taken) -> list[Decimal | None]:
    return [reading.value("weight") for reading in taken.readings]


def test_a_good_frame_after_garbage_is_still_a_reading(database: Database):
    async def run() -> Taken:
        async with _device(b"\x00\xff\x80ST,+0", b"\r\n", STABLE, EMPTY) as port:
            taken = Taken()
            await _run_until(_scale_task(database, port, taken), lambda: bool(taken.readings))
            return taken

    with capture_logs() as logs:
        taken = asyncio.run(run())
    assert _weights(taken)[0] == Decimal("72.45")
    faults = [entry for entry in logs if entry["event"] == "fault"]
    advice = next(entry["advice"] for entry in faults if entry["code"] == "noise")
    assert advice.startswith("check the line settings of the device server")


@pytest.mark.parametrize(
    ("hold_kept", "doubt"),
    [(True, "it was waiting when the gateway connected; nobody knows when it was measured"), (False, None)],
)
def test_a_weight_that_was_waiting_at_a_device_server_that_keeps_some_waits_for_a_person(
    hold_kept: bool, doubt: str | None, database: Database
):
    async def run() -> Taken:
        async with _device(STABLE, EMPTY) as port:
            taken = Taken()
            task = _scale_task(database, port, taken, hold_kept=hold_kept)
            await _run_until(task, lambda: bool(taken.readings))
            return taken

    (reading, *_) = asyncio.run(run()).readings
    assert reading.doubt == doubt


@dataclass
class PluggedInLate:
    """A transport whose device appears just before the fourth attempt."""

    real: Transport
    plug_in: Callable[[], Awaitable[object]]
    attempts: int = 0

    @property
    def url(self) -> str:
        return self.real.url

    async def open(self) -> Connection:
        self.attempts += 1
        if self.attempts == 4:
            await self.plug_in()
        return await self.real.open()


def test_a_device_that_cannot_be_reached_is_logged_once_and_taken_when_it_comes(database: Database):
    async def run() -> list[str]:
        async with AsyncExitStack() as plugged:
            async with _device() as free_port:
                port = free_port
            taken = Taken()
            task = _scale_task(database, port, taken)
            task.transport = PluggedInLate(
                task.transport, lambda: plugged.enter_async_context(_device(STABLE, EMPTY, port=port))
            )
            with capture_logs() as logs:
                await _run_until(task, lambda: bool(taken.readings))
        return [str(entry["event"]) for entry in logs if "reach" in str(entry["event"])]

    assert asyncio.run(run()) == ["not reachable, trying again"]


@dataclass
class Scripted:
    """A link whose every step the test sees."""

    arrivals: list[Received]
    steps: list[str] = field(default_factory=list)
    url: str = "scripted://"
    device: Device = field(default_factory=Device)
    opened: int = 0

    async def open(self) -> "Scripted":
        self.opened += 1
        if self.opened > 1:
            await asyncio.Event().wait()
        return self

    async def receive(self) -> Received | None:
        return self.arrivals.pop(0) if self.arrivals else None

    async def send(self, data: bytes, channel: str) -> None:
        self.steps.append(f"send {data.decode()}")

    async def read(self, channel: str) -> None:
        raise KeyError(channel)

    async def subscribe(self, channel: str) -> None:
        raise TransportError("no channels here")

    async def settle(self, received: Received, refusal: str | None) -> None:
        self.steps.append(f"settle {refusal}")

    async def close(self) -> None:
        self.steps.append("close")


class DeletesWhatIsConfirmed:
    """A device's session that confirms each record by its own command."""

    def received(self, data: bytes, channel: str, at: datetime) -> Events:
        return Measured(Reading(kind="weight", provenance=data)), Send(b"delete")


def _task(
    database: Database, link: Scripted, accept: Callable[[Reading, datetime], Awaitable[Accepted]]
) -> DeviceTask:
    return DeviceTask(
        name="scale-3",
        transport=link,
        converse=lambda: Conversation(load("and-scale"), DeletesWhatIsConfirmed()),
        accept=accept,
        journal=Journal(database, "scale-3"),
        now=lambda: datetime.now(UTC),
    )


def test_a_device_is_told_to_delete_only_after_its_record_is_stored(database: Database):
    link = Scripted([Received(b"record", "", NOW)])

    async def accept(reading: Reading, at: datetime) -> Accepted:
        await asyncio.sleep(0)
        link.steps.append("stored")
        return Accepted(1)

    asyncio.run(_run_until(_task(database, link, accept), lambda: "close" in link.steps))
    assert link.steps == ["stored", "send delete", "settle None", "close"]


def test_a_device_is_told_nothing_when_its_record_could_not_be_stored(database: Database):
    link = Scripted([Received(b"record", "", NOW)])
    taken = Taken(refusals=1)
    asyncio.run(_run_until(_task(database, link, taken), lambda: "close" in link.steps))
    assert link.steps == ["close"]


def test_what_a_crash_left_in_the_journal_is_accepted_first_with_its_own_time(database: Database):
    database.do(lambda db: journal.keep(db, "scale-3", "", b"left", NOW))
    link = Scripted([Received(b"new", "", datetime.now(UTC))])
    taken = Taken()
    asyncio.run(_run_until(_task(database, link, taken), lambda: "close" in link.steps))
    assert [reading.provenance for reading in taken.readings] == [b"left", b"new"]
    assert database.do(lambda db: journal.rows(db, "scale-3")) == ()


def test_a_journalled_value_stays_until_its_reading_is_stored(database: Database):
    class Journalling(Scripted):
        async def receive(self) -> Received | None:
            received = await super().receive()
            if received is not None:
                task.journal.keep(received)
            return received

    link = Journalling([Received(b"record", "", NOW, device_id="F0:F1:F2:F3:F4:01")])
    taken = Taken(refusals=1)
    task = _task(database, link, taken)
    asyncio.run(_run_until(task, lambda: bool(taken.readings)))
    ((provenance, device_id),) = ((reading.provenance, reading.device.id) for reading in taken.readings)
    assert (provenance, device_id) == (b"record", "F0:F1:F2:F3:F4:01")


class AsksAgain:
    """A session that lives by its timer."""

    def connected(self, at: datetime) -> Events:
        return (SetTimer("poll", 0.01),)

    def timer(self, name: str, at: datetime) -> Events:
        return Send(name.encode()), SetTimer("poll", 0.01)

    def received(self, data: bytes, channel: str, at: datetime) -> Events:
        return ()


def test_timers_run_while_the_device_is_silent(database: Database):
    class Silent(Scripted):
        async def receive(self) -> Received | None:
            await asyncio.Event().wait()
            return None

    link = Silent([])
    task = _task(database, link, Taken())
    task.converse = lambda: Conversation(load("and-scale"), AsksAgain())
    asyncio.run(_run_until(task, lambda: len(link.steps) >= 3))
    assert link.steps[:3] == ["send poll"] * 3

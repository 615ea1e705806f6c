"""An analyser forgets a message once it was acknowledged: that happens only when its results are on disk."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from gateway.codecs.astm_frames import encode_frame
from gateway.drivers import Conversation, load
from gateway.errors import StoreError
from gateway.model import Reading
from gateway.service.acceptance import Accepted
from gateway.service.device_task import DeviceTask
from gateway.service.journal import Journal
from gateway.store import Database
from gateway.transports import open_transport

_MESSAGE = (
    b"H|\\^&|||TEST^1.0^0001|||||||P|LIS2-A2|20240102030405\rP|1|A17\rO|1|S9\r"
    b"R|1|^^^GLU|5.4|mmol/L||N||F||||20240102030400\rL|1|N\r"
)


@dataclass
class Analyser:
    """Sends its one message to whoever connects, until it is acknowledged to the end."""

    answers: list[bytes] = field(default_factory=list)
    delivered: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for said in (b"\x05", encode_frame(1, _MESSAGE, ends_message=True)):
            writer.write(said)
            self.answers.append(await reader.read(1))
        if self.answers[-1] == b"\x06":
            writer.write(b"\x04")
            self.delivered.set()
        with suppress(ConnectionError):
            await reader.read()
        writer.close()


@dataclass
class FullDisk:
    """A store that takes nothing the first time."""

    refusals: int = 1
    readings: list[Reading] = field(default_factory=list)

    async def accept(self, reading: Reading, at: datetime) -> Accepted:
        if self.refusals:
            self.refusals -= 1
            raise StoreError("the disk is full")
        self.readings.append(reading)
        return Accepted(len(self.readings))


async def _run_until_delivered(analyser: Analyser, store: FullDisk, database: Database) -> None:
    server = await asyncio.start_server(analyser.serve, "127.0.0.1", 0)
    driver = load("astm")
    task = DeviceTask(
        name="chemistry",
        transport=open_transport(f"socket://127.0.0.1:{server.sockets[0].getsockname()[1]}", driver.links),
        converse=lambda: Conversation.start(driver, {}),
        accept=store.accept,
        journal=Journal(database, "chemistry"),
        now=lambda: datetime.now(UTC),
    )
    running = asyncio.create_task(task.run())
    async with asyncio.timeout(60):
        await analyser.delivered.wait()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    server.close()


def test_a_message_is_acknowledged_to_its_end_only_when_its_results_are_stored(tmp_path: Path) -> None:
    analyser, store = Analyser(), FullDisk()
    with Database(tmp_path / "gateway.db") as database:
        asyncio.run(_run_until_delivered(analyser, store, database))
    assert analyser.answers == [b"\x06", b"", b"\x06", b"\x06"]
    assert [reading.subject for reading in store.readings] == ["A17"]

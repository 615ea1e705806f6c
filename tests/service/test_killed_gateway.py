"""A gateway that is killed again and again, at any moment: what it accepted arrives, with the same bytes."""

import asyncio
import random
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from gateway.model import Encounter, Identifier, Patient
from gateway.store import Database, outbox, readings
from gateway.testing import FakeEhr
from gateway.testing.adt import adt_a04
from gateway.testing.fake_ehr import send
from gateway.testing.gateway_process import GatewayProcess, LogEvent
from gateway.testing.talking_scale import write_site
from gateway.testing.virtual_device import until

KILLS = 12
SEED = 20260302


@dataclass
class TalkingScale:
    """Says another weight every few milliseconds for as long as somebody listens."""

    weight: int = 4000
    pause_s: float = 0.004
    patient_is_there: asyncio.Event = field(default_factory=asyncio.Event)
    clients: set[asyncio.Task[None]] = field(default_factory=set)

    def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.clients.add(asyncio.create_task(self._talk(writer)))

    async def _talk(self, writer: asyncio.StreamWriter) -> None:
        try:
            await self.patient_is_there.wait()
            with suppress(OSError):
                while not writer.is_closing():
                    self.weight += 1
                    writer.write(f"{self.weight / 100:.2f}\n".encode())
                    await writer.drain()
                    await asyncio.sleep(self.pause_s)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


async def free_port() -> int:
    server = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0)
    port = int(server.sockets[0].getsockname()[1])
    server.close()
    await server.wait_closed()
    return port


async def _kill_again_and_again(folder: Path) -> tuple[FakeEhr, set[int]]:
    """The EHR after the last message has arrived, and every reading that the log said was stored."""
    dice = random.Random(SEED)
    logged: set[int] = set()

    def note(event: LogEvent) -> None:
        if event["event"] == "reading stored":
            logged.add(event["reading"])

    scale = TalkingScale()
    device = await asyncio.start_server(scale, "127.0.0.1", 0)
    inbound = await free_port()
    async with FakeEhr(directory=folder / "ehr") as ehr:
        port = device.sockets[0].getsockname()[1]
        configuration = write_site(folder, inbound=inbound, ehr=ehr.port, scale=port)
        gateway = GatewayProcess(configuration, note)
        await gateway.start()
        await send(arrival(), "127.0.0.1", inbound)
        scale.patient_is_there.set()
        for _ in range(KILLS):
            await asyncio.sleep(dice.uniform(0.0, 0.5))
            await gateway.kill()
            await gateway.start()
        await ehr.wait_for(len(ehr.received) + 1, timeout_s=60)
        device.close()
        for client in scale.clients:
            client.cancel()
        await asyncio.gather(*scale.clients, return_exceptions=True)
        async with asyncio.timeout(60):
            await until(lambda: not unsettled(folder))
        await gateway.stop()
        return ehr, logged


def arrival() -> bytes:
    now = datetime.now(UTC)
    alma = Patient((Identifier("8834021", "NORTH", "MR"),), "TESTPATIENT", "ALMA")
    encounter = Encounter(room="EXAM3", patient=alma, opened_at=now)
    return adt_a04(encounter, control_id="REG1", sent_at=now)


def unsettled(folder: Path) -> bool:
    with Database(folder / "gateway.db") as database:
        return bool(database.do(outbox.unsettled))


def test_every_accepted_reading_arrives_and_a_repeated_message_is_the_same(tmp_path: Path):
    ehr, logged = asyncio.run(_kill_again_and_again(tmp_path))
    with Database(tmp_path / "gateway.db") as database:
        stored = database.do(readings.since)
        messages = [m for r in stored for m in database.do(lambda db, r=r: outbox.of_reading(db, r.id))]  # type: ignore[misc] # lambda default
    received = {message.control_id: message.encode() for message in ehr.received}
    assert len(stored) >= KILLS
    assert logged <= {reading.id for reading in stored}
    assert len(messages) == len(stored)
    assert {m.control_id: m.body for m in messages} == received
    assert ehr.conflicts == ()
    weights = [message.get("OBX-5") for message in ehr.received]
    assert weights == [f"{reading.reading.value('weight'):f}" for reading in stored]

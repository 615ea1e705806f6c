"""An identifier that is entered at a device, through the whole gateway: the patient's, or something else."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.model import Encounter, Identifier, Patient
from gateway.store import Database, encounters
from gateway.testing.gateway_process import GatewayProcess, LogEvent
from gateway.testing.talking_scale import write_site

from .test_killed_gateway import free_port

ALMA = Patient((Identifier("8834021", "NORTH", "MR"),), family_name="TESTPATIENT", given_name="ALMA")


@pytest.mark.parametrize(("meaning", "held"), [("patient", True), ("other", False)])
def test_what_is_entered_holds_a_reading_only_where_it_is_a_patients(
    meaning: str, held: bool, tmp_path: Path
) -> None:
    async def weigh(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"72.4\n")
        with suppress(OSError):
            await reader.read()
        writer.close()

    async def run() -> LogEvent:
        stored: asyncio.Future[LogEvent] = asyncio.get_running_loop().create_future()

        def seen(event: LogEvent) -> None:
            if event["event"] == "reading stored" and not stored.done():
                stored.set_result(event)

        server = await asyncio.start_server(weigh, "127.0.0.1", 0)
        scale = server.sockets[0].getsockname()[1]
        site = write_site(tmp_path, inbound=await free_port(), ehr=await free_port(), scale=scale)
        site.write_text(site.read_text() + f'entered_id = "{meaning}"\n')
        driver = tmp_path / "drivers" / "talking_scale.py"
        driver.write_text(driver.read_text().replace("sequence=text", 'sequence=text, subject="5550123"'))
        with Database(tmp_path / "gateway.db") as database:
            since = datetime.now(UTC) - timedelta(minutes=5)
            in_room = Encounter(room="EXAM3", patient=ALMA, location="FAMMED^EXAM3", opened_at=since)
            database.do(lambda db: encounters.open_encounter(db, in_room))
        gateway = GatewayProcess(site, seen)
        await gateway.start()
        async with asyncio.timeout(60):
            event = await stored
        await gateway.stop()
        server.close()
        await server.wait_closed()
        return event

    assert bool(asyncio.run(run())["held"]) == held

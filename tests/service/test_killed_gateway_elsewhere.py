"""A gateway that is killed again and again while it files to a FHIR server and a practice system's folder."""

import asyncio
import random
from pathlib import Path

import pytest

from gateway.codecs.gdt import parse_file
from gateway.model import Reading
from gateway.store import Database, readings
from gateway.testing.ehr_faults import Fault
from gateway.testing.fake_ehr import send
from gateway.testing.fake_fhir import FakeFhirServer
from gateway.testing.gateway_process import GatewayProcess
from gateway.testing.talking_scale import write_site
from gateway.testing.virtual_device import until

from .test_killed_gateway import TalkingScale, arrival, free_port, unsettled

KILLS = 5
SEED = 20260302
MRN = "https://north.example.org/mrn"
FAULTS = ("close@10", "garbage@5", "nak@10", "wrong-id@5")
DESTINATIONS = """
[destinations.ehr]
address = "{address}"
profile = "fhir-r4"
ack_timeout_s = 2.0
longest_backoff_s = 0.05
tries = 1000
[destinations.ehr.identifier_systems]
NORTH = "{system}"
[destinations.praxis]
folder = "praxis"
profile = "gdt-2.1"
patient_authority = "NORTH"
[devices.scale]"""


def _write_site(folder: Path, *, inbound: int, address: str, scale: int) -> Path:
    file = write_site(folder, inbound=inbound, ehr=1, scale=scale)
    before, _, rest = file.read_text().partition("[destinations.ehr]")
    after = rest.partition("[devices.scale]")[2]
    file.write_text(before + DESTINATIONS.format(address=address, system=MRN) + after)
    (folder / "praxis").mkdir()
    return file


async def _take(folder: Path, taken: list[bytes]) -> None:
    """Read and delete whatever is there again and again, as a practice system does."""
    while True:
        for path in _placed(folder):
            taken.append(path.read_bytes())
            path.unlink()
        await asyncio.sleep(0.02)


def _placed(folder: Path) -> list[Path]:
    return sorted(folder.glob("PRAXGATE.[0-9][0-9][0-9]"))


async def _kill_again_and_again(folder: Path) -> tuple[FakeFhirServer, list[bytes]]:
    dice, taken = random.Random(SEED), list[bytes]()
    scale = TalkingScale(pause_s=0.02)
    device = await asyncio.start_server(scale, "127.0.0.1", 0)
    inbound = await free_port()
    faults = tuple(map(Fault.parse, FAULTS))
    async with FakeFhirServer(patients=((MRN, "8834021"),), faults=faults, seed=SEED) as server:
        port = device.sockets[0].getsockname()[1]
        configuration = _write_site(folder, inbound=inbound, address=server.address, scale=port)
        taking = asyncio.create_task(_take(folder / "praxis", taken))
        gateway = GatewayProcess(configuration)
        await gateway.start()
        await send(arrival(), "127.0.0.1", inbound)
        scale.patient_is_there.set()
        for _ in range(KILLS):
            await asyncio.sleep(dice.uniform(0.0, 0.5))
            await gateway.kill()
            await gateway.start()
        async with asyncio.timeout(120):
            await until(lambda: len(server.of_type("Observation")) > KILLS)
        device.close()
        for client in scale.clients:
            client.cancel()
        await asyncio.gather(*scale.clients, return_exceptions=True)
        async with asyncio.timeout(120):
            await until(lambda: not unsettled(folder) and not _placed(folder / "praxis"))
        await gateway.stop()
        taking.cancel()
        return server, taken


def _weight(reading: Reading) -> str:
    return f"{reading.value('weight'):f}"


@pytest.mark.timeout(300)
def test_every_accepted_reading_is_filed_once_and_handed_over(tmp_path: Path):
    server, taken = asyncio.run(_kill_again_and_again(tmp_path))
    with Database(tmp_path / "gateway.db") as database:
        weights = [_weight(stored.reading) for stored in database.do(readings.since)]
    assert len(weights) > KILLS
    assert [str(o["valueQuantity"]["value"]) for o in server.of_type("Observation")] == weights
    assert len(set(server.bodies)) == len(weights)
    assert len(server.of_type("Provenance")) == len(weights)
    files = list(dict.fromkeys(taken))
    assert [parse_file(data)[0].first("8420") for data in files] == weights
    assert len(taken) - len(files) <= KILLS

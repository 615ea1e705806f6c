"""Every Bluetooth fixture, served by a real GATT server, gives over the radio what its replay does."""

import asyncio
import math
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.drivers import BleLink, Conversation, load, registry
from gateway.drivers.viatom_o2ring import SERVICE as O2RING
from gateway.model import Reading
from gateway.service.acceptance import Accepted
from gateway.service.device_task import DeviceTask
from gateway.service.journal import Journal
from gateway.store import Database
from gateway.testing.ble_plan import (
    PeripheralPlan,
    VirtualService,
    advertisement,
    legacy_advertisement,
)
from gateway.testing.ble_room import BluetoothRoom
from gateway.testing.replay import replay
from gateway.testing.session_fixture import SessionFixture, load_fixture
from gateway.testing.virtual_ble_session import VirtualBle
from gateway.testing.virtual_device import until
from gateway.transports import open_transport

FIXTURES = Path(__file__).parents[1] / "fixtures"
# In these the host waits for seconds until a device says no more, which is tried without a radio.
WAITING = {"breaks_off", "unset_clock", "parts"}
# Of these the seconds between values count, which pass as they did.
STREAMS = {"berrymed-oximeter"}
SESSIONS = sorted(
    path
    for driver in registry.values()
    if any(isinstance(link, BleLink) for link in driver.links)
    for path in (FIXTURES / driver.id).glob("*.toml")
    if path.stem not in WAITING and load_fixture(path).gatt is not None
)


async def over_the_radio(fixture: SessionFixture, folder: Path) -> list[Reading]:
    """What comes of the fixture when the device is a peripheral in a simulated room."""
    taken: list[Reading] = []

    async def accept(reading: Reading, at: datetime) -> Accepted:
        taken.append(reading)
        return Accepted(len(taken))

    driver = load(fixture.driver)
    speed = 1.0 if driver.id in STREAMS else math.inf
    with Database(folder / "gateway.db") as database:
        async with BluetoothRoom() as room, VirtualBle(fixture, room=room, speed=speed) as device:
            journal = Journal(database, "device")
            task = DeviceTask(
                name="device",
                transport=open_transport(
                    device.url,
                    driver.links,
                    keep=journal.keep,
                    radio=f"tcp-client:127.0.0.1:{room.port}",
                    hold_off_s=0.0,
                ),
                converse=lambda: Conversation.start(driver, fixture.settings),
                accept=accept,
                journal=journal,
                now=lambda: datetime.now(UTC),
            )
            running = asyncio.create_task(task.run())
            async with asyncio.timeout(60):
                await device.play()
                await device.heard.departure()
            async with asyncio.timeout(20):
                await until(lambda: len(taken) >= len(replay(fixture, driver).readings))
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
    return taken


def said(reading: Reading) -> tuple[object, ...]:
    """Without the times and notes of the moment in which it is played."""
    return reading.kind, reading.status, reading.observations, reading.sequence


@pytest.mark.parametrize("path", SESSIONS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_fixture_played_as_a_peripheral_gives_what_its_replay_gives(path: Path, tmp_path: Path) -> None:
    fixture = load_fixture(path)
    expected = [said(reading) for reading in replay(fixture, load(fixture.driver)).readings]
    assert [said(reading) for reading in asyncio.run(over_the_radio(fixture, tmp_path))] == expected


@pytest.mark.parametrize(("name", "services"), [("CUFF-01", ("1810",)), ("O2Ring 0001", (O2RING,))])
def test_what_is_advertised_on_the_air_fits_and_loses_nothing(name: str, services: tuple[str, ...]) -> None:
    plan = PeripheralPlan(name, tuple(VirtualService(uuid, ()) for uuid in services))
    advertised, answer = legacy_advertisement(plan)
    assert max(len(advertised), len(answer)) <= 31
    assert advertised + answer == advertisement(plan)

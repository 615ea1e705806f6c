"""USB devices through pyusb and the gateway's own device task: sessions played, plugs pulled."""

import asyncio
import math
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.drivers import Conversation, UsbLink, load
from gateway.model import Reading
from gateway.service.acceptance import Accepted
from gateway.service.device_task import DeviceTask
from gateway.service.journal import Journal
from gateway.store import Database
from gateway.testing import SessionFixture, load_fixture, replay
from gateway.testing.impairment import Impairment
from gateway.testing.virtual_device import until
from gateway.testing.virtual_usb_session import VirtualUsbSession
from gateway.transports.usb import UsbTransport

FIXTURES = Path(__file__).parents[1] / "fixtures"
_SOON_S = 10.0


def _usb_link(fixture: SessionFixture) -> UsbLink | None:
    return next((link for link in load(fixture.driver).links if isinstance(link, UsbLink)), None)


def _is_soon_asked(fixture: SessionFixture) -> bool:
    """Whether the host says all of its part in the first seconds: its timers run in real time."""
    return all(each.at < _SOON_S for each in fixture.exchanges if each.direction == ">")


def _usb_sessions() -> list[Path]:
    fixtures = {path: load_fixture(path) for path in sorted(FIXTURES.glob("*/*.toml"))}
    return [path for path, each in fixtures.items() if _usb_link(each) and _is_soon_asked(each)]


def _gateway(device: VirtualUsbSession, database: Database, taken: list[Reading]) -> DeviceTask:
    fixture = device.fixture
    driver = load(fixture.driver)
    plan = device.device.plan

    async def accept(reading: Reading, at: datetime) -> Accepted:
        taken.append(reading)
        return Accepted(len(taken))

    return DeviceTask(
        name="usb",
        transport=UsbTransport(
            device.url,
            tuple(link for link in driver.links if isinstance(link, UsbLink)),
            plan.vendor,
            plan.product,
            backend=device.backend,
        ),
        converse=lambda: Conversation.start(driver, fixture.settings),
        accept=accept,
        journal=Journal(database, "usb"),
        now=lambda: datetime.now(UTC),
    )


def _play(
    device: VirtualUsbSession,
    database: Database,
    scenario: Callable[[VirtualUsbSession, list[Reading]], object],
) -> list[Reading]:
    """The readings that the gateway took while the device did as `scenario` says."""
    taken: list[Reading] = []

    async def run() -> None:
        running = asyncio.create_task(_gateway(device, database, taken).run())
        async with asyncio.timeout(60), device:
            result = scenario(device, taken)
            if asyncio.iscoroutine(result):
                await result
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running

    asyncio.run(run())
    return taken


def _stated(readings: list[Reading]) -> list[tuple[object, ...]]:
    """Without what depends on the time of the day."""
    return [(r.kind, r.status, r.observations) for r in readings]


@pytest.mark.parametrize("path", _usb_sessions(), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_session_played_through_pyusb_gives_the_readings_of_its_replay(
    path: Path, database: Database
) -> None:
    fixture = load_fixture(path)
    link = _usb_link(fixture)
    assert link is not None
    expected = _stated(list(replay(fixture, load(fixture.driver)).readings))

    async def scenario(device: VirtualUsbSession, taken: list[Reading]) -> None:
        await device.play()
        await until(lambda: len(taken) >= len(expected))

    taken = _play(VirtualUsbSession(fixture, link, speed=math.inf), database, scenario)
    assert _stated(taken) == expected


def test_a_scale_unplugged_in_the_middle_is_weighed_again_when_it_is_back(database: Database) -> None:
    fixture = load_fixture(FIXTURES / "usb-hid-scale" / "postal.toml")
    link = _usb_link(fixture)
    assert link is not None
    device = VirtualUsbSession(fixture, link, speed=math.inf, impairment=Impairment("disconnect", 6))

    async def scenario(device: VirtualUsbSession, taken: list[Reading]) -> None:
        await device.play()
        await until(lambda: len(taken) >= 2)

    taken = _play(device, database, scenario)
    assert [str(reading.value("weight")) for reading in taken] == ["113.5", "4.9"]


def test_a_report_that_an_unplugged_cuff_did_not_finish_is_sent_again_and_taken_once(
    database: Database,
) -> None:
    fixture = load_fixture(FIXTURES / "phdc" / "cuff_standard.toml")
    link = _usb_link(fixture)
    assert link is not None
    device = VirtualUsbSession(fixture, link, speed=math.inf, impairment=Impairment("disconnect", 3))

    async def scenario(device: VirtualUsbSession, taken: list[Reading]) -> None:
        await device.play()
        await until(lambda: bool(taken))

    (reading,) = _play(device, database, scenario)
    assert [str(each.value) for each in reading.observations] == ["120", "80", "100", "60.0"]


def test_a_stall_in_the_middle_of_an_association_is_lifted_and_it_goes_on(database: Database) -> None:
    fixture = load_fixture(FIXTURES / "phdc" / "cuff_standard.toml")
    link = _usb_link(fixture)
    assert link is not None

    async def scenario(device: VirtualUsbSession, taken: list[Reading]) -> None:
        device.device.stall(0x81)
        await device.play()
        await until(lambda: bool(taken))

    assert len(_play(VirtualUsbSession(fixture, link, speed=math.inf), database, scenario)) == 1

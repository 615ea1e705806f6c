"""The simulated exam room: four invented devices on four kinds of links, and their configuration.

What they say ships in ``room_sessions``. Their clocks run: a device that states a time states the present
one, so that the same session played twice is two measurements.
"""

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self
from zoneinfo import ZoneInfo

from gateway.testing.ble_room import BluetoothRoom
from gateway.testing.session_fixture import Exchange, SessionFixture, load_fixture
from gateway.testing.virtual_ble_session import VirtualBle
from gateway.testing.virtual_device import VirtualDevice
from gateway.testing.virtual_folder import VirtualFolder
from gateway.testing.virtual_serial import VirtualSerial
from gateway.testing.virtual_tcp import VirtualTcp

ROOM = "EXAM3"
ZONE = ZoneInfo("America/New_York")
_SESSIONS = Path(__file__).parent / "room_sessions"
_CUFF_TIME = slice(7, 14)  # after flags and three pressures: Blood Pressure Service 1.1.1, 3.1.1.3
_EKG_TIME = "%Y%m%d%H%M%S"

Stamp = Callable[[bytes, datetime], bytes]


def _stamp_cuff(value: bytes, now: datetime) -> bytes:
    date_time = now.year.to_bytes(2, "little") + bytes((now.month, now.day, now.hour, now.minute, now.second))
    return value[: _CUFF_TIME.start] + date_time + value[_CUFF_TIME.stop :]


def _stamp_ekg(file: bytes, now: datetime) -> bytes:
    recorded = load_fixture(_SESSIONS / "ekg.toml").started_at
    return file.replace(recorded.strftime(_EKG_TIME).encode(), now.strftime(_EKG_TIME).encode())


@dataclass(frozen=True, slots=True)
class Station:
    """One device of the room.

    Parameters
    ----------
    name : str
        In the configuration, and of its session's file.
    link : str
        For people: how it is connected.
    stamp : callable, optional
        Puts the present time where the device states one.
    measures : mapping
        Of an EKG: the range that each of the gateway's own measures must lie in, from how the waves were
        made: their beginnings and ends two to three standard deviations from their centres.
    """

    name: str
    link: str
    stamp: Stamp | None = None
    measures: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def fixture(self) -> SessionFixture:
        return load_fixture(_SESSIONS / f"{self.name}.toml")

    def fixture_at(self, now: datetime) -> SessionFixture:
        """The session as the device would play it `now`."""
        fixture, stamp = self.fixture, self.stamp
        if stamp is None:
            return fixture

        def stamped(exchange: Exchange) -> Exchange:
            return (
                replace(exchange, data=stamp(exchange.data, now)) if exchange.direction == "<" else exchange
            )

        connections = (
            replace(connection, exchanges=tuple(map(stamped, connection.exchanges)))
            for connection in fixture.connections
        )
        return replace(fixture, connections=tuple(connections))


STATIONS = (
    Station("scale", "serial port"),
    Station("cuff", "Bluetooth LE", stamp=_stamp_cuff),
    Station("oximeter", "TCP device server"),
    Station(
        "ekg",
        "folder",
        stamp=_stamp_ekg,
        measures={
            "heart-rate": (74, 76),
            "qrs-duration": (80, 125),
            "qt-interval": (390, 455),
        },
    ),
)


class Room:
    """The devices, switched on by ``async with``.

    Parameters
    ----------
    folder : Path
        Where the serial port's name and the EKG machine's folder appear.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = AsyncExitStack()
        self._radio = BluetoothRoom()
        self.devices: dict[str, VirtualDevice] = {}

    async def __aenter__(self) -> Self:
        exports = self._folder / "ekg"
        exports.mkdir(parents=True, exist_ok=True)
        for left_over in exports.glob("*.xml"):
            left_over.unlink()
        await self._stack.enter_async_context(self._radio)
        for station in STATIONS:
            self.devices[station.name] = await self._stack.enter_async_context(self._device(station))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def _device(self, station: Station) -> VirtualDevice:
        fixture = station.fixture
        match station.name:
            case "scale":
                return VirtualSerial(fixture, path=self._folder / "scale-port")
            case "cuff":
                return VirtualBle(fixture, room=self._radio)
            case "oximeter":
                return VirtualTcp(fixture)
        return VirtualFolder(fixture, folder=self._folder / "ekg")

    async def play(self, station: Station) -> None:
        """The device measures once, now; returns when the gateway has taken what it said."""
        device = self.devices[station.name]
        device.fixture = station.fixture_at(datetime.now(ZONE))
        await device.play()

    def configuration(self, *, ehr: str, inbound_port: int) -> str:
        """The gateway's configuration for this room, as TOML."""
        tables = [
            f'[site]\nname = "NORTHCLINIC"\nzone = "{ZONE.key}"',
            '[store]\npath = "gateway.db"',
            f'[inbound]\nlisten = "127.0.0.1:{inbound_port}"',
            f'[bluetooth]\ncontroller = "tcp-client:127.0.0.1:{self._radio.port}"',
            f'[destinations.ehr]\naddress = "{ehr}"\nfacility = "NORTHCLINIC"\nlongest_backoff_s = 2.0',
            *map(self._device_table, STATIONS),
        ]
        return "\n\n".join(tables) + "\n"

    def _device_table(self, station: Station) -> str:
        fixture = station.fixture
        settings = "".join(f'settings.{key} = "{value}"\n' for key, value in fixture.settings.items())
        return (
            f"[devices.{station.name}]\n"
            f'driver = "{fixture.driver}"\n'
            f'port = "{self.devices[station.name].url}"\n'
            f'room = "{ROOM}"\n'
            f'model = "{fixture.device.model}"\n'
            f'serial = "{fixture.device.serial}"\n'
            f"{settings}"
        ).rstrip()

"""Virtual devices, tried through the transports that the gateway uses for real ones."""

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import serial

from gateway.drivers import BleLink, FolderLink, Link, SerialLink
from gateway.errors import ConfigError, GatewayError, TransportError
from gateway.testing import SessionFixture
from gateway.testing.ble_room import BluetoothRoom
from gateway.testing.impairment import Impairment, parse_impairment
from gateway.testing.session_fixture import Connection, Exchange
from gateway.testing.virtual_ble_session import VirtualBle
from gateway.testing.virtual_device import VirtualDevice, until
from gateway.testing.virtual_folder import VirtualFolder
from gateway.testing.virtual_serial import VirtualSerial
from gateway.testing.virtual_tcp import VirtualTcp
from gateway.transports import open_transport
from gateway.transports.folder import FolderTransport

Sessions = Callable[[str], SessionFixture]
Scenario = Callable[[], Coroutine[Any, Any, None]]
Streamed = type[VirtualSerial] | type[VirtualTcp]

LINKS: tuple[Link, ...] = (SerialLink(baudrate=9600), BleLink(services=("1810",)), FolderLink(("*.txt",)))
EAR = b"T,0042,36.8,C,E*47\r\n\x00\xffT,\r\nB\r\nT,0043,LO,C,E*56\r\n"

streams = pytest.mark.parametrize("device", [VirtualSerial, VirtualTcp])


class Host:
    """The gateway's side of a connection, which notes all that arrives."""

    def __init__(self, url: str, radio: str) -> None:
        self._transport = open_transport(url, LINKS, radio=radio)
        self.heard: list[tuple[str, bytes]] = []

    async def __aenter__(self) -> "Host":
        self.connection = await self._transport.open()
        self._listening = asyncio.create_task(self._listen())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.connection.close()
        self._listening.cancel()
        await asyncio.gather(self._listening, return_exceptions=True)

    @property
    def data(self) -> bytes:
        return b"".join(data for _, data in self.heard)

    async def ended(self) -> None:
        """Wait until the device has ended the connection."""
        await self._listening

    async def _listen(self) -> None:
        with contextlib.suppress(TransportError):
            while received := await self.connection.receive():
                self.heard.append((received.channel, received.data))


@contextlib.asynccontextmanager
async def host_of(device: VirtualDevice, radio: str = "") -> AsyncIterator[Host]:
    async with Host(device.url, radio) as host:
        yield host


def run(scenario: Scenario) -> None:
    asyncio.run(scenario())


async def stopped(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def descriptors() -> list[str]:
    return sorted(path.name for path in Path("/proc/self/fd").iterdir())


async def heard(host: Host, data: bytes) -> None:
    """Wait until the host has all of `data`; what was taken off the line may still be on its way to it."""
    await until(lambda: host.data.endswith(data))


@streams
def test_what_the_device_says_arrives_whole(device: Streamed, session: Sessions):
    async def scenario() -> None:
        thermometer = device(session("ear_temperature"), speed=math.inf)
        async with thermometer, host_of(thermometer) as host:
            await thermometer.play()
            await heard(host, EAR)
            assert host.data == EAR

    run(scenario)


@streams
def test_a_session_can_be_played_again(device: Streamed, session: Sessions):
    async def scenario() -> None:
        async with device(session("ear_temperature"), speed=math.inf) as thermometer:
            async with host_of(thermometer) as host:
                await thermometer.play()
                await thermometer.play()
                await heard(host, EAR + EAR)
            async with host_of(thermometer) as host:
                await thermometer.play()
                await heard(host, EAR)

    run(scenario)


@streams
def test_the_device_says_nothing_before_it_was_asked(device: Streamed, session: Sessions):
    async def scenario() -> None:
        asked = session("polled_weight").connections[0].exchanges[:2]
        fixture = replace(session("polled_weight"), connections=(Connection(0.0, asked),))
        async with device(fixture, speed=math.inf) as scale, host_of(scale) as host:
            playing = asyncio.create_task(scale.play())
            await host.connection.send(b"I\r\n", "")
            await scale.heard.wait_for(b"I\r\n", "")
            assert (host.data, playing.done()) == (b"", False)
            await host.connection.send(b"W\r", "")
            await host.connection.send(b"\n", "")
            await playing
            await heard(host, b"71.90\r\n~\r\n")

    run(scenario)


def test_anything_will_do_where_the_fixture_does_not_say_what(session: Sessions):
    async def scenario() -> None:
        exchanges = (Exchange(0.0, ">", b""), Exchange(0.1, "<", b"ok"))
        fixture = replace(session("ear_temperature"), connections=(Connection(0.0, exchanges),))
        async with VirtualTcp(fixture, speed=math.inf) as device, host_of(device) as host:
            await host.connection.send(b"SET 2026-03-02", "")
            await device.play()
            await heard(host, b"ok")

    run(scenario)


@streams
def test_a_device_that_ends_the_connection_is_back_for_the_next_one(device: Streamed, session: Sessions):
    async def scenario() -> None:
        async with device(session("polled_weight"), speed=math.inf) as scale:
            playing = asyncio.create_task(scale.play())
            async with host_of(scale) as host:
                await host.connection.send(b"W\r\nW\r\n", "")
                await host.ended()
                assert host.data.endswith(b"M72.10,2026-01-15T08:00\r\n")
            while True:  # a port that was plugged in again takes a moment to be there
                with contextlib.suppress(TransportError):
                    async with host_of(scale) as host:
                        await host.connection.send(b"W\r\n", "")
                        await playing
                        await heard(host, b"70.05\r\n")
                        break

    run(scenario)


@streams
def test_a_host_that_left_too_early_hears_it_all_when_it_returns(device: Streamed, session: Sessions):
    async def scenario() -> None:
        asked = session("polled_weight").connections[1]
        fixture = replace(session("polled_weight"), connections=(asked,))
        async with device(fixture, speed=math.inf) as scale:
            playing = asyncio.create_task(scale.play())
            async with host_of(scale):
                await scale.heard.arrival()
            await scale.heard.departure()
            async with host_of(scale) as host:
                await host.connection.send(b"W\r\n", "")
                await playing
                await heard(host, b"70.05\r\n")

    run(scenario)


def test_play_ends_only_when_the_host_has_taken_everything(session: Sessions):
    async def scenario() -> None:
        async with VirtualSerial(session("ear_temperature"), speed=math.inf) as thermometer:
            with serial.Serial(thermometer.url, timeout=10) as port:
                playing = asyncio.create_task(thermometer.play())
                await until(lambda: port.in_waiting == len(EAR))
                assert not playing.done()
                assert port.read(len(EAR)) == EAR
                await playing

    run(scenario)


def test_more_than_the_line_holds_arrives_as_the_host_reads_it(session: Sessions):
    async def scenario() -> None:
        lines = b"0123456789" * 4000
        flood = replace(
            session("ear_temperature"), connections=(Connection(0.0, (Exchange(0.0, "<", lines),)),)
        )
        async with VirtualSerial(flood, speed=math.inf) as device, host_of(device) as host:
            await device.play()
            await heard(host, lines)

    run(scenario)


def test_a_serial_device_is_unplugged_and_plugged_in_at_the_same_path(tmp_path: Path, session: Sessions):
    async def scenario() -> None:
        path = tmp_path / "ttyUSB7"
        async with VirtualSerial(session("ear_temperature"), path=path, speed=math.inf) as thermometer:
            async with host_of(thermometer) as host:
                await thermometer.play()
                thermometer.unplug()
                await host.ended()
                assert not path.is_symlink()
            thermometer.plug_in()
            async with host_of(thermometer) as host:
                await thermometer.play()
                await heard(host, EAR)
        assert not path.is_symlink()

    run(scenario)


def test_a_device_server_has_one_client_at_a_time(session: Sessions):
    async def scenario() -> None:
        thermometer = VirtualTcp(session("ear_temperature"), speed=math.inf)
        async with thermometer, host_of(thermometer) as first, host_of(thermometer) as second:
            await second.ended()
            await thermometer.play()
            await heard(first, EAR)
            assert second.data == b""

    run(scenario)


def test_a_file_grows_under_its_final_name(tmp_path: Path, session: Sessions):
    async def scenario() -> None:
        async with VirtualFolder(session("height"), folder=tmp_path, speed=1000) as kiosk:
            playing = asyncio.create_task(kiosk.play())
            file = tmp_path / "height_0001.txt"
            sizes: set[int] = set()
            while len(sizes) < 2 or file.stat().st_size < len("height=1.72\n"):
                await asyncio.sleep(0)
                sizes.add(file.stat().st_size if file.exists() else 0)
            assert sizes - {0, len("height=1.72\n")}
            assert not playing.done()
            watched = FolderTransport(kiosk.url, tmp_path, ("*.txt",), settle_s=0.0, poll_s=0.01)
            connection = await watched.open()
            received = await connection.receive()
            assert received is not None
            assert (received.channel, received.data) == (file.name, b"height=1.72\n")
            await connection.settle(received, None)
            await playing
            await connection.close()

    run(scenario)


def test_a_bluetooth_device_serves_what_its_fixture_declares(session: Sessions):
    async def scenario() -> None:
        async with BluetoothRoom() as room, VirtualBle(session("cuff"), room=room, speed=math.inf) as cuff:
            playing = asyncio.create_task(cuff.play())
            async with host_of(cuff, f"tcp-client:127.0.0.1:{room.port}") as host:
                await host.connection.read("2A25")
                await host.connection.subscribe("2A35")
                await playing
                await host.ended()
                assert host.heard == [("2A25", b"C1-0007"), ("2A35", b"\x79\x4e")]

    run(scenario)


def test_a_bluetooth_device_waits_for_what_the_host_writes(session: Sessions):
    async def scenario() -> None:
        cuff = session("cuff")
        assert cuff.gatt is not None
        clock = replace(cuff.gatt.characteristics[1], uuid="2A08", properties=("write", "notify"))
        exchanges = (Exchange(0.0, ">", b"\x01", "2A08"), Exchange(0.1, "<", b"\x02", "2A08"))
        fixture = replace(
            cuff,
            gatt=replace(cuff.gatt, characteristics=(clock,)),
            connections=(Connection(0.0, exchanges, 1.0),),
        )
        async with BluetoothRoom() as room, VirtualBle(fixture, room=room, speed=math.inf) as device:
            playing = asyncio.create_task(device.play())
            async with host_of(device, f"tcp-client:127.0.0.1:{room.port}") as host:
                await host.connection.subscribe("2A08")
                await host.connection.send(b"\x01", "2A08")
                await playing
                await host.ended()
                assert host.heard == [("2A08", b"\x02")]

    run(scenario)


def test_a_bluetooth_fixture_has_to_declare_what_it_speaks_on(session: Sessions):
    room = BluetoothRoom()
    with pytest.raises(ConfigError, match=r"session\.gatt: there is none"):
        VirtualBle(session("ear_temperature"), room=room)
    cuff = session("cuff")
    assert cuff.gatt is not None
    bare = replace(cuff, gatt=replace(cuff.gatt, characteristics=cuff.gatt.characteristics[:1]))
    with pytest.raises(ConfigError, match="2A35 is not among them"):
        VirtualBle(bare, room=room)


@pytest.mark.parametrize(
    ("impairment", "arrives"),
    [("drop@2", EAR[:20] + EAR[24:]), ("garble@1", EAR[:10] + b"-" + EAR[11:]), ("split", EAR)],
)
def test_a_link_goes_wrong_as_it_is_told(impairment: str, arrives: bytes, session: Sessions):
    async def scenario() -> None:
        fault = parse_impairment(impairment)
        impaired = VirtualTcp(session("ear_temperature"), speed=math.inf, impairment=fault)
        async with impaired as device, host_of(device) as host:
            await device.play()
            await heard(host, arrives)
            assert host.data == arrives

    run(scenario)


def test_a_link_that_breaks_in_the_middle_is_whole_the_next_time(session: Sessions):
    async def scenario() -> None:
        breaking = VirtualTcp(
            session("ear_temperature"), speed=math.inf, impairment=Impairment("disconnect", 3)
        )
        async with breaking as device:
            playing = asyncio.create_task(device.play())
            async with host_of(device) as host:
                await host.ended()
                assert host.data == EAR[:24] + EAR[24:][: len(EAR[24:]) // 2]
            async with host_of(device) as host:
                await playing
                await heard(host, EAR)

    run(scenario)


def test_a_stalled_device_is_silent_until_the_host_has_left(session: Sessions):
    async def scenario() -> None:
        stalling = VirtualTcp(session("ear_temperature"), speed=math.inf, impairment=Impairment("stall", 3))
        async with stalling as device:
            playing = asyncio.create_task(device.play())
            async with host_of(device) as host:
                await heard(host, EAR[:24])
            async with host_of(device) as host:
                await playing
                await heard(host, EAR)

    run(scenario)


@pytest.mark.parametrize("text", ["", "explode", "drop@", "drop@0", "drop@-1", "drop@1.5", "DROP"])
def test_a_fault_that_there_is_not_is_refused(text: str):
    with pytest.raises(GatewayError, match="use one of drop, garble, split, stall, disconnect"):
        parse_impairment(text)


def test_a_device_leaves_no_descriptor_behind(session: Sessions):
    async def scenario() -> None:
        before = descriptors()
        for device in (VirtualSerial(session("cuff")), VirtualTcp(session("cuff"))):
            async with device:
                playing = asyncio.create_task(device.play())
                async with host_of(device):
                    await device.heard.arrival()
                await stopped(playing)
        await asyncio.sleep(0)
        assert descriptors() == before

    run(scenario)

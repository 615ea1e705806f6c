"""What the service can rely on from a serial port, tried on pseudo-terminals and an RFC 2217 server."""

import asyncio
import os
import pty
import resource
import socket
import termios
import threading
import tty
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import serial.rfc2217
from serial.tools.list_ports_common import ListPortInfo

from gateway.drivers import SerialLine, SerialLink, load, on_line
from gateway.errors import TransportError
from gateway.transports import open_transport
from gateway.transports.ports import NetworkPort
from gateway.transports.serial_port import SerialTransport

LINK = SerialLink(baudrate=9600)
FRAME = b"S S     72.35 kg\r\n"


@dataclass
class Cable:
    """A pseudo-terminal: `device` is the end that the device holds."""

    device: int
    port: int
    path: str
    plugged: bool = True

    def unplug(self) -> None:
        if self.plugged:
            os.close(self.port)
            os.close(self.device)
        self.plugged = False


@pytest.fixture
def cable() -> Iterator[Cable]:
    device, port = pty.openpty()
    tty.setraw(port)
    made = Cable(device, port, os.ttyname(port))
    yield made
    made.unplug()
    readers = [t.name for t in threading.enumerate() if t.name.startswith("reader of")]
    assert not readers, "a reader thread outlived its connection"


def test_bytes_of_the_device_arrive_with_the_time_of_the_gateway(cable: Cable) -> None:
    async def scenario() -> None:
        connection = await SerialTransport(cable.path, LINK).open()
        os.write(cable.device, FRAME)
        got = b""
        while len(got) < len(FRAME):
            received = await connection.receive()
            assert received is not None
            assert (received.channel, received.at.tzinfo is not None) == ("", True)
            got += received.data
        await connection.close()
        assert got == FRAME

    asyncio.run(scenario())


def test_bytes_sent_reach_the_device_at_the_link_s_speed(cable: Cable) -> None:
    async def scenario() -> None:
        connection = await SerialTransport(cable.path, SerialLink(baudrate=4800)).open()
        await connection.send(b"S\r\n", "")
        assert await asyncio.to_thread(os.read, cable.device, 16) == b"S\r\n"
        assert termios.tcgetattr(cable.port)[4] == termios.B4800
        await connection.close()

    asyncio.run(scenario())


def test_a_pseudo_terminal_is_opened_again_and_again_on_a_line_that_it_does_not_have(cable: Cable) -> None:
    async def scenario() -> None:
        for _ in range(3):
            connection = await SerialTransport(cable.path, SerialLink(2400, bytesize=7, parity="E")).open()
            os.write(cable.device, FRAME)
            received = await connection.receive()
            assert received is not None
            assert FRAME.startswith(received.data)
            await connection.close()

    asyncio.run(scenario())


def test_a_port_is_opened_on_the_line_that_was_chosen_of_several(cable: Cable) -> None:
    links = on_line(load("omron-hbp").links, SerialLine.parse("2400 8N1"))

    async def scenario() -> None:
        connection = await open_transport(cable.path, links).open()
        assert termios.tcgetattr(cable.port)[4] == termios.B2400
        await connection.close()

    asyncio.run(scenario())


def test_a_stream_has_only_the_nameless_channel(cable: Cable) -> None:
    async def scenario() -> None:
        connection = await SerialTransport(cable.path, LINK).open()
        await connection.subscribe("")
        for refused in (connection.subscribe("2A35"), connection.send(b"x", "2A35"), connection.read("")):
            with pytest.raises(KeyError):
                await refused
        await connection.close()

    asyncio.run(scenario())


def test_an_unplugged_port_is_a_transport_error_after_its_last_bytes(cable: Cable) -> None:
    async def scenario() -> None:
        connection = await SerialTransport(cable.path, LINK).open()
        os.write(cable.device, b"last")
        received = await connection.receive()
        assert received is not None
        cable.unplug()
        for _ in range(2):
            with pytest.raises(TransportError, match="unplugged"):
                await connection.receive()
        with pytest.raises(TransportError):
            await connection.send(b"S\r\n", "")
        await connection.close()

    asyncio.run(scenario())


def test_a_second_program_cannot_open_a_port_that_is_held(cable: Cable) -> None:
    async def scenario() -> None:
        connection = await SerialTransport(cable.path, LINK).open()
        with pytest.raises(TransportError, match="another program holds it"):
            await SerialTransport(cable.path, LINK).open()
        await connection.close()
        again = await SerialTransport(cable.path, LINK).open()
        await again.close()

    asyncio.run(scenario())


def test_a_port_that_is_not_there_says_what_to_check(tmp_path: Path) -> None:
    with pytest.raises(TransportError, match="no such port; check that the device is plugged in"):
        asyncio.run(SerialTransport(str(tmp_path / "ttyUSB7"), LINK).open())


def test_a_file_that_is_no_port_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ttyUSB7").write_bytes(b"")
    with pytest.raises(TransportError, match="Could not configure port"):
        asyncio.run(SerialTransport(str(tmp_path / "ttyUSB7"), LINK).open())


def test_closing_ends_a_receive_that_waits(cable: Cable) -> None:
    async def scenario() -> None:
        connection = await SerialTransport(cable.path, LINK).open()
        waiting = asyncio.ensure_future(connection.receive())
        await asyncio.sleep(0)
        await connection.close()
        assert await waiting is None
        await connection.close()

    asyncio.run(scenario())


def test_a_connection_that_nobody_reads_stops_reading_and_loses_nothing(cable: Cable) -> None:
    sent = bytes(range(256)) * 256

    def stream() -> None:
        left = memoryview(sent)
        while left:
            left = left[os.write(cable.device, left[:64]) :]

    async def scenario() -> bytes:
        connection = await SerialTransport(cable.path, LINK).open()
        device = asyncio.ensure_future(asyncio.to_thread(stream))
        got = b""
        while len(got) < len(sent):
            received = await connection.receive()
            assert received is not None
            got += received.data
        await device
        await connection.close()
        return got

    assert asyncio.run(scenario()) == sent


def test_closing_does_not_wait_for_bytes_that_nobody_takes(cable: Cable) -> None:
    os.set_blocking(cable.device, False)

    def stream_until_the_line_is_full() -> None:
        for _ in range(100_000):
            try:
                os.write(cable.device, b"x")
            except BlockingIOError:
                return

    async def scenario() -> None:
        connection = await SerialTransport(cable.path, LINK).open()
        await asyncio.to_thread(stream_until_the_line_is_full)
        await connection.close()

    asyncio.run(scenario())


def test_a_port_opened_after_a_thousand_other_files_works_like_any_other(cable: Cable) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(2048, hard), hard))

    async def scenario() -> None:
        connection = await SerialTransport(cable.path, LINK).open()
        await connection.send(b"S\r\n", "")
        assert await asyncio.to_thread(os.read, cable.device, 16) == b"S\r\n"
        os.write(cable.device, FRAME)
        assert await connection.receive() is not None
        await connection.close()

    others = [os.dup(cable.port) for _ in range(1030)]
    try:
        asyncio.run(scenario())
    finally:
        for other in others:
            os.close(other)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _cable(device: str, serial_number: str) -> ListPortInfo:
    listed = ListPortInfo(device)
    listed.vid, listed.pid, listed.serial_number, listed.location = 0x0403, 0x6001, serial_number, "1-2"
    return listed


@dataclass
class Sockets:
    """Pseudo-terminals with cables of those serial numbers in them, as the system lists them."""

    cables: dict[str, str]

    def __call__(self) -> list[ListPortInfo]:
        return [_cable(path, number) for path, number in self.cables.items()]


def test_the_same_cable_is_found_again_under_another_name(cable: Cable) -> None:
    async def scenario() -> None:
        sockets = Sockets({cable.path: "A10K"})
        transport = SerialTransport(cable.path, LINK, sockets)
        connection = await transport.open()
        assert connection.device.id == "usb:0403:6001:A10K"
        await connection.close()
        device, port = pty.openpty()
        tty.setraw(port)
        sockets.cables = {cable.path: "B20L", os.ttyname(port): "A10K"}
        connection = await transport.open()
        os.write(device, FRAME)
        received = await connection.receive()
        assert received is not None
        assert FRAME.startswith(received.data)
        await connection.close()
        os.close(port)
        os.close(device)

    asyncio.run(scenario())


def test_another_cable_under_the_same_name_is_not_taken_for_the_first(cable: Cable) -> None:
    async def scenario() -> None:
        sockets = Sockets({cable.path: "A10K"})
        transport = SerialTransport(cable.path, LINK, sockets)
        await (await transport.open()).close()
        sockets.cables = {cable.path: "B20L"}
        with pytest.raises(TransportError, match="another cable has this name now"):
            await transport.open()

    asyncio.run(scenario())


def test_a_name_that_the_system_keeps_for_a_socket_takes_whatever_cable_is_in_it(
    cable: Cable, tmp_path: Path
) -> None:
    async def scenario() -> None:
        by_path = tmp_path / "pci-usb-0:2"
        by_path.symlink_to(cable.path)
        sockets = Sockets({cable.path: "A10K"})
        transport = SerialTransport(str(by_path), LINK, sockets)
        await (await transport.open()).close()
        sockets.cables = {cable.path: "B20L"}
        connection = await transport.open()
        assert connection.device.id == "usb:0403:6001:B20L"
        await connection.close()

    asyncio.run(scenario())


class PseudoTerminal(serial.Serial):
    """A pseudo-terminal has no modem lines, and ``PortManager`` asks for them."""

    cts = dsr = cd = property(lambda self: True)
    ri = property(lambda self: False)

    def _update_dtr_state(self) -> None: ...

    def _update_rts_state(self) -> None: ...


class DeviceServer:
    """One port served by RFC 2217, as pyserial's own server does it."""

    def __init__(self, cable: Cable) -> None:
        self.port = PseudoTerminal(cable.path, 9600, timeout=0)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"rfc2217://127.0.0.1:{self._socket.getsockname()[1]}"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        client, _ = self._socket.accept()
        client.settimeout(0.02)

        class Outward(serial.Serial):
            def write(self, data: bytes) -> None:  # type: ignore[override]  # a socket in a port's clothes
                client.sendall(data)

        manager = serial.rfc2217.PortManager(self.port, Outward())  # type: ignore[arg-type]  # stubs differ
        with client:
            while not self._stop.is_set():
                try:
                    data = client.recv(256)
                except TimeoutError:
                    data = None
                if data == b"":
                    return
                if data:
                    self.port.write(b"".join(manager.filter(data)))
                waiting = self.port.read(256)
                if waiting:
                    client.sendall(b"".join(manager.escape(waiting)))

    def hang_up(self) -> None:
        self._stop.set()
        self._thread.join()

    def close(self) -> None:
        self.hang_up()
        self._socket.close()
        self.port.close()


@pytest.fixture
def device_server(cable: Cable) -> Iterator[DeviceServer]:
    server = DeviceServer(cable)
    yield server
    server.close()


@pytest.mark.filterwarnings("ignore:set(Daemon|Name).*deprecated:DeprecationWarning")
def test_a_port_on_the_network_is_set_to_the_line_that_was_chosen(device_server: DeviceServer) -> None:
    links = on_line(load("mt-sics").links, SerialLine.parse("2400 8N2"))

    async def scenario() -> None:
        connection = await open_transport(device_server.url, links).open()
        port = device_server.port
        assert (port.baudrate, port.bytesize, port.parity, port.stopbits) == (2400, 8, "N", 2)
        await connection.close()

    asyncio.run(scenario())


@pytest.mark.filterwarnings("ignore:set(Daemon|Name).*deprecated:DeprecationWarning")
def test_a_port_on_the_network_takes_the_speed_and_carries_every_byte(
    cable: Cable, device_server: DeviceServer
) -> None:
    async def scenario() -> None:
        connection = await SerialTransport(device_server.url, SerialLink(baudrate=4800)).open()
        assert device_server.port.baudrate == 4800
        await connection.send(b"\xff\x00S", "")
        assert await asyncio.to_thread(os.read, cable.device, 3) == b"\xff\x00S"
        os.write(cable.device, b"\x01\xff\xff\x02")
        got = b""
        while len(got) < 4:
            received = await connection.receive()
            assert received is not None
            got += received.data
        assert got == b"\x01\xff\xff\x02"
        await connection.close()

    asyncio.run(scenario())


@pytest.mark.filterwarnings("ignore:set(Daemon|Name).*deprecated:DeprecationWarning")
def test_a_port_whose_device_server_goes_away_is_a_transport_error(
    cable: Cable, device_server: DeviceServer
) -> None:
    async def scenario() -> None:
        connection = await SerialTransport(device_server.url, LINK).open()
        os.write(cable.device, FRAME)
        got = b""
        while got != FRAME:
            received = await connection.receive()
            assert received is not None
            got += received.data
        device_server.hang_up()
        with pytest.raises(TransportError, match="rfc2217"):
            await connection.receive()
        await connection.close()

    asyncio.run(scenario())


@pytest.mark.filterwarnings("ignore:set(Daemon|Name).*deprecated:DeprecationWarning")
def test_a_device_server_that_vanished_without_a_word_is_looked_for(device_server: DeviceServer) -> None:
    port = NetworkPort(None)
    port.port = device_server.url
    port.open()
    connected = port._socket
    assert connected.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    assert connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 15
    port.close()

"""What the service can rely on from a device behind a TCP port."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable

import pytest

from gateway.errors import TransportError
from gateway.transports.tcp import TcpConnection, TcpTransport

Device = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Scenario = Callable[[TcpConnection], Awaitable[None]]


def connected(device: Device, scenario: Scenario) -> None:
    """Run `scenario` over a connection with `device`."""

    async def run() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await device(reader, writer)
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        async with server:
            connection = await TcpTransport(f"socket://{host}:{port}", host, port).open()
            await scenario(connection)
            await connection.close()

    asyncio.run(run())


async def all_bytes(connection: TcpConnection) -> bytes:
    got = b""
    while (received := await connection.receive()) is not None:
        got += received.data
    return got


def test_what_the_device_sends_at_once_is_kept_and_its_close_ends_the_connection() -> None:
    async def device(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"first bytes, sent before anybody asked")

    async def scenario(connection: TcpConnection) -> None:
        assert await all_bytes(connection) == b"first bytes, sent before anybody asked"
        assert await connection.receive() is None

    connected(device, scenario)


def test_what_was_there_before_anything_was_asked_is_marked() -> None:
    async def device(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"an hour old\n")
        await reader.readline()
        writer.write(b"fresh\n")

    async def scenario(connection: TcpConnection) -> None:
        first = await connection.receive()
        await connection.send(b"S\r\n", "")
        second = await connection.receive()
        assert first is not None
        assert second is not None
        assert [(first.data, first.kept), (second.data, second.kept)] == [
            (b"an hour old\n", True),
            (b"fresh\n", False),
        ]

    connected(device, scenario)


def test_what_comes_later_is_fresh() -> None:
    async def device(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.4)
        writer.write(b"a person has stepped on")

    async def scenario(connection: TcpConnection) -> None:
        received = await connection.receive()
        assert received is not None
        assert not received.kept

    connected(device, scenario)


def test_a_command_is_answered() -> None:
    async def device(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"S S     72.35 kg\r\n" if await reader.readline() == b"S\r\n" else b"ES\r\n")

    async def scenario(connection: TcpConnection) -> None:
        await connection.send(b"S\r\n", "")
        assert await all_bytes(connection) == b"S S     72.35 kg\r\n"

    connected(device, scenario)


def test_a_reset_is_a_transport_error() -> None:
    async def device(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        linger_not_at_all = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_not_at_all)
        writer.transport.abort()

    async def scenario(connection: TcpConnection) -> None:
        with pytest.raises(TransportError, match=r"connection lost, .*reset"):
            await all_bytes(connection)
        with pytest.raises(TransportError, match="bytes not sent"):
            await connection.send(b"x", "")

    connected(device, scenario)


def test_closing_ends_a_receive_that_waits() -> None:
    async def device(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async def scenario(connection: TcpConnection) -> None:
        waiting = asyncio.ensure_future(connection.receive())
        await asyncio.sleep(0)
        await connection.close()
        assert await waiting is None

    connected(device, scenario)


def test_keepalive_is_on() -> None:
    async def device(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async def scenario(connection: TcpConnection) -> None:
        opened: socket.socket = connection._writer.get_extra_info("socket")
        assert opened.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 15

    connected(device, scenario)


def test_a_port_where_nobody_listens_says_what_to_check() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(TransportError, match=r"no connection, .*; check that the device server is on"):
        asyncio.run(TcpTransport(f"socket://127.0.0.1:{port}", "127.0.0.1", port).open())

"""A virtual device behind a TCP port, as a serial device server gives it: one client at a time."""

import asyncio
import contextlib
import fcntl
import struct
import termios
from typing import Any

from gateway.testing.impairment import Impairment
from gateway.testing.session_fixture import SessionFixture
from gateway.testing.virtual_device import HostLeft, VirtualDevice, until

_CHUNK = 4096


class VirtualTcp(VirtualDevice):
    """A device on a TCP port.

    Parameters
    ----------
    fixture, speed, impairment
        As for every virtual device.
    host, port
        Where to listen; port 0 for any free one.
    """

    def __init__(
        self,
        fixture: SessionFixture,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        speed: float = 1.0,
        impairment: Impairment | None = None,
    ) -> None:
        super().__init__(fixture, speed=speed, impairment=impairment)
        self._host = host
        self._port = port
        self._server: asyncio.Server | None = None
        self._client: asyncio.StreamWriter | None = None

    @property
    def url(self) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"socket://{host}:{self._port}"

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._serve, self._host, self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            await self.hang_up()
            await self._server.wait_closed()
            self._server = None

    async def await_host(self) -> None:
        await self.heard.arrival()

    async def send(self, data: bytes, channel: str) -> None:  # noqa: ARG002 - a socket has no channels
        if self._client is None:
            raise HostLeft
        try:
            self._client.write(data)
            await self._client.drain()
        except ConnectionError as error:
            raise HostLeft from error

    async def all_taken(self) -> None:
        await until(lambda: self._client is None or not _unacknowledged(self._client))
        if self._client is None:
            raise HostLeft

    async def hang_up(self) -> None:
        client = self._client
        if client is not None:
            client.close()
            with contextlib.suppress(ConnectionError):
                await client.wait_closed()
            await self.heard.departure()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._client is not None:
            writer.close()
            return
        self._client = writer
        self.heard.arrived()
        try:
            while data := await reader.read(_CHUNK):
                self.heard.add(data)
        except ConnectionError:
            pass  # a host that resets has left like any other
        finally:
            self._client = None
            self.heard.left()
            writer.close()


def _unacknowledged(writer: asyncio.StreamWriter) -> int:
    """Bytes that have not arrived at the client's machine."""
    socket: Any = writer.get_extra_info("socket")
    (count,) = struct.unpack("i", fcntl.ioctl(socket.fileno(), termios.TIOCOUTQ, struct.pack("i", 0)))
    transport = writer.transport
    return int(count) + transport.get_write_buffer_size()

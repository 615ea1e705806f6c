"""Devices behind a TCP port, ``socket://HOST:PORT``: a device server that passes raw serial bytes on.

Device servers serve one client, and keep a client that vanished for minutes; the same holds the other way
round. Keepalive finds a dead peer on a line that may rightly be silent for hours. Bytes arrive cut and
joined at will, so one ``receive`` is never one frame.

Some device servers keep what the device said while nobody was connected, and hand it to the next client: an
hour-old weight at the moment of connecting. What comes in the first moment, before anything was sent, is
marked as such.
"""

import asyncio
import contextlib
import socket
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.errors import TransportError
from gateway.model import Device
from gateway.transports.contract import Received
from gateway.transports.stream import Stream, only_channel

_CONNECT_S = 10.0
_SEND_S = 10.0
_CHUNK = 65536
_FIRST_MOMENT_S = 0.25
# A dead peer is found after 15 + 3 x 5 s of silence, and unacknowledged bytes are given up after 30 s.
_KEEPALIVE = (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3), ("TCP_USER_TIMEOUT", 30_000))


def keep_alive(connected: socket.socket) -> None:
    """Have the system find out whether the peer is still there; options it lacks are left out."""
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE:
        option = getattr(socket, name, None)
        if option is not None:
            connected.setsockopt(socket.IPPROTO_TCP, option, value)


class TcpConnection(Stream):
    """One open socket."""

    def __init__(self, url: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._url = url
        self._reader = reader
        self._writer = writer
        self._fresh_from = asyncio.get_running_loop().time() + _FIRST_MOMENT_S

    @property
    def device(self) -> Device:
        return Device()

    async def receive(self) -> Received | None:
        try:
            data = await self._reader.read(_CHUNK)
        except OSError as error:
            raise TransportError(f"{self._url}: connection lost, {_reason(error)}") from error
        kept = asyncio.get_running_loop().time() < self._fresh_from
        return Received(data, "", datetime.now(UTC), kept) if data else None

    async def send(self, data: bytes, channel: str) -> None:
        only_channel(channel)
        self._fresh_from = 0.0
        self._writer.write(data)
        try:
            async with asyncio.timeout(_SEND_S):
                await self._writer.drain()
        except OSError as error:
            raise TransportError(f"{self._url}: bytes not sent, {_reason(error)}") from error

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


@dataclass(frozen=True, slots=True)
class TcpTransport:
    """A device that listens, at `host` and `port`."""

    url: str
    host: str
    port: int

    async def open(self) -> TcpConnection:
        """A connection with the device.

        Raises
        ------
        TransportError
            Nobody listens there, or no answer came in time.
        """
        try:
            async with asyncio.timeout(_CONNECT_S):
                reader, writer = await asyncio.open_connection(self.host, self.port)
        except OSError as error:
            raise TransportError(
                f"{self.url}: no connection, {_reason(error)}; check that the device server is on, that "
                "this address and port are its own, and that no other program holds its only connection"
            ) from error
        keep_alive(writer.get_extra_info("socket"))
        return TcpConnection(self.url, reader, writer)


def _reason(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return error.strerror or type(error).__name__

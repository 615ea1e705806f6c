"""Serial ports by pyserial: a device path, or ``rfc2217://HOST:PORT`` for a port on the network.

Each open port has one thread, which does nothing but wait in a blocking read and hand the bytes over to the
event loop. What it has handed over and nobody has taken is bounded: then it stops reading, and the
operating system's buffer and the line's flow control have their turn. The thread ends before ``close`` does.

A name such as ``/dev/ttyUSB0`` is given out anew whenever something is plugged in. What was opened under it
first is what it stands for: the same cable is found again under another name, and another cable under this
name is refused. Names that the system keeps for one cable or one socket (``/dev/serial/by-id``) are taken as
they are.

A port that was pulled out shows itself as SerialException, as OSError, as TypeError from inside pyserial,
or as reads that stay empty while the device node is gone. All of them are one TransportError here.
"""

import asyncio
import contextlib
import errno
import os
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import serial
from serial.tools import list_ports
from serial.tools.list_ports_common import ListPortInfo

from gateway.drivers import SerialLine, SerialLink
from gateway.errors import TransportError
from gateway.model import Device
from gateway.transports.contract import Received
from gateway.transports.inbox import ThreadsInbox
from gateway.transports.ports import DevicePort, NetworkPort, Port
from gateway.transports.stream import Stream, only_channel
from gateway.transports.threads import in_own_thread

if sys.platform == "win32":
    _LINE_REFUSED: tuple[type[Exception], ...] = ()
else:
    import termios

    _LINE_REFUSED = (termios.error,)

_UNPLUGGED = (serial.SerialException, OSError, TypeError)
_READ_S = 1.0
_NETWORK_READ_S = 0.2
_WRITE_S = 5.0

_REFUSALS = {
    errno.ENOENT: "no such port; check that the device is plugged in",
    errno.ENXIO: "no device behind this port; check that the device is plugged in",
    errno.EACCES: "no permission to open it; add this user to the group that owns the port, often dialout",
    errno.EAGAIN: "another program holds it; close that program",
    errno.EBUSY: "another program holds it; close that program",
}


def _configured(url: str, link: SerialLink) -> Port:
    """The port as pyserial has it, closed, with the line's settings and DTR and RTS as they shall be."""
    port: Port
    if url.startswith("rfc2217://"):
        port = NetworkPort(None)
        port.port = url
        port.timeout = _NETWORK_READ_S
    else:
        port = DevicePort(exclusive=True)
        port.port = url
        port.timeout = _READ_S
        port.write_timeout = _WRITE_S
    port.baudrate = link.baudrate
    if not _is_pseudo_terminal(url):
        port.bytesize, port.parity = link.bytesize, link.parity
    port.stopbits, port.xonxoff, port.rtscts = link.stopbits, link.xonxoff, link.rtscts
    if link.dtr is not None:
        port.dtr = link.dtr
    if link.rts is not None:
        port.rts = link.rts
    return port


def _is_pseudo_terminal(path: str) -> bool:
    """It passes whole bytes and refuses to be told of seven bits or parity."""
    return Path(path).resolve().is_relative_to("/dev/pts")


def _identity(found: ListPortInfo) -> str | None:
    """The cable, by its serial number or its place. What hangs on it has a serial number of its own."""
    if found.vid is None:
        return None
    _, colon, interface = (found.location or "").partition(":")
    place = f"{found.serial_number}{colon}{interface}" if found.serial_number else found.location
    return f"usb:{found.vid:04x}:{found.pid:04x}:{place}"


def _open(url: str, path: str, link: SerialLink) -> Port:
    try:
        port = _configured(path, link)
        port.open()
    except _LINE_REFUSED as error:
        raise TransportError(
            f"{url}: it cannot be set to {SerialLine.of(link)}; configure another line"
        ) from error
    except (serial.SerialException, OSError, ValueError) as error:
        number = error.errno if isinstance(error, OSError) else None
        raise TransportError(f"{url}: {_REFUSALS.get(number or 0) or _plain(error)}") from error
    return port


class SerialConnection(Stream):
    """One open port and the thread that reads it."""

    def __init__(self, url: str, path: str, port: Port, device: Device) -> None:
        self._url = url
        self._path = path
        self._port = port
        self._device = device
        self._inbox = ThreadsInbox()
        self._writing: asyncio.Future[None] | None = None
        self._thread = threading.Thread(target=self._read_on, name=f"reader of {url}", daemon=True)
        self._thread.start()

    @property
    def device(self) -> Device:
        return self._device

    async def receive(self) -> Received | None:
        return await self._inbox.take()

    async def send(self, data: bytes, channel: str) -> None:
        only_channel(channel)
        await self._written()
        if self._inbox.closing:
            raise TransportError(f"{self._url}: closed")
        # Shielded, so that close() can wait for it: a cancelled write would go on in its thread, with a file
        # descriptor that may belong to another port by then.
        self._writing = in_own_thread(f"writer of {self._url}", lambda: self._port.deliver(data))
        try:
            await asyncio.shield(self._writing)
        except _UNPLUGGED as error:
            raise TransportError(f"{self._url}: bytes not sent, {_plain(error)}") from error

    async def close(self) -> None:
        if not self._inbox.closing:
            self._inbox.close()
            self._port.wake()
        await self._written()
        await in_own_thread(f"closer of {self._url}", self._end)

    async def _written(self) -> None:
        if self._writing is not None:
            await asyncio.gather(self._writing, return_exceptions=True)

    def _end(self) -> None:
        self._thread.join()
        with contextlib.suppress(*_UNPLUGGED):
            self._port.close()

    def _read_on(self) -> None:
        """The thread: read and hand over, until closed or unplugged."""
        try:
            while not self._inbox.closing:
                data = self._port.arrived()
                if data:
                    self._inbox.put(Received(data, "", datetime.now(UTC)))
                elif self._node_is_gone():
                    raise OSError(errno.ENODEV, "device node is gone")
        except Exception as error:  # noqa: BLE001  # the thread's root: whoever receives must hear of it
            self._inbox.end(TransportError(f"{self._url}: unplugged, {_plain(error)}"))

    def _node_is_gone(self) -> bool:
        return "://" not in self._path and not Path(self._path).exists()


@dataclass(slots=True)
class SerialTransport:
    """A serial port at `url`, with the line settings of `link`.

    `listed` lists the ports that there are, as pyserial does.
    """

    url: str
    link: SerialLink
    listed: Callable[[], Iterable[ListPortInfo]] = list_ports.comports
    _cable: str | None = field(default=None, init=False)

    async def open(self) -> SerialConnection:
        """The port, opened for this program alone.

        Raises
        ------
        TransportError
            No such port, no permission, held by another program, another cable than before, or settings that
            it does not have.
        """
        opening = in_own_thread(f"opener of {self.url}", self._open)
        try:
            path, port, cable = await asyncio.shield(opening)
        except asyncio.CancelledError:
            for opened in await asyncio.gather(opening, return_exceptions=True):
                if not isinstance(opened, BaseException):
                    opened[1].close()
            raise
        return SerialConnection(self.url, path, port, Device(id=cable))

    def _open(self) -> tuple[str, Port, str | None]:
        if "://" in self.url:
            return self.url, _open(self.url, self.url, self.link), None
        cables = {found.device: _identity(found) for found in self.listed()}
        path = self._path(cables)
        port = _open(self.url, path, self.link)
        cable = cables.get(os.path.realpath(path))
        if not Path(self.url).is_symlink():
            self._cable = self._cable or cable
        return path, port, cable

    def _path(self, cables: Mapping[str, str | None]) -> str:
        """Where the cable is now that was opened first; the configured name until one was."""
        if self._cable is None or cables.get(self.url) == self._cable:
            return self.url
        elsewhere = [path for path, cable in cables.items() if cable == self._cable]
        if len(elsewhere) == 1:
            return elsewhere[0]
        if self.url in cables:
            raise TransportError(
                f"{self.url}: another cable has this name now; plug the first one in again, or configure a "
                "name that stays: `gateway devices` lists them"
            )
        return self.url


def _plain(error: BaseException) -> str:
    return str(error).strip("'\"") or type(error).__name__

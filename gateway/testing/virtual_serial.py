"""A virtual device on a pseudo-terminal, which a host opens as it opens any serial port.

The port is a symbolic link, so that its name stays when the device is unplugged and plugged in again: to
unplug is to close the master, and a new pseudo-terminal takes the place of the old one.

A host has come when the master stops reporting a hang-up, and would hear what is said once it has thrown
away its old input, as serial libraries do when they open a port; packet mode of the terminal shows that.
Programs that do not are given a moment instead.
"""

import asyncio
import contextlib
import fcntl
import os
import select
import struct
import tempfile
import termios
import tty
from pathlib import Path

from gateway.testing.impairment import Impairment
from gateway.testing.session_fixture import SessionFixture
from gateway.testing.virtual_device import HostLeft, VirtualDevice, until

_POLL_S = 0.01
_FLUSH_S = 0.3
_CHUNK = 4096
_FLUSHED = 0x01  # TIOCPKT_FLUSHREAD


class VirtualSerial(VirtualDevice):
    """A device on a serial port.

    Parameters
    ----------
    fixture, speed, impairment
        As for every virtual device.
    path : Path, optional
        Where the port is to appear; without it, in a folder of its own.
    """

    def __init__(
        self,
        fixture: SessionFixture,
        *,
        path: Path | None = None,
        speed: float = 1.0,
        impairment: Impairment | None = None,
    ) -> None:
        super().__init__(fixture, speed=speed, impairment=impairment)
        self._path = path
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._master: int | None = None
        self._flushed = asyncio.Event()

    @property
    def url(self) -> str:
        assert self._path is not None, "the port has its name once it is open"
        return str(self._path)

    async def open(self) -> None:
        if self._path is None:
            self._folder = tempfile.TemporaryDirectory(prefix="gateway-port-")
            self._path = Path(self._folder.name, self.fixture.driver)
        self.plug_in()

    async def close(self) -> None:
        self.unplug()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder, self._path = None, None

    def plug_in(self) -> None:
        """Make the port appear, if it is not there."""
        if self._master is not None:
            return
        self._master, slave = os.openpty()
        tty.setraw(slave)
        os.set_blocking(self._master, False)
        fcntl.ioctl(self._master, termios.TIOCPKT, struct.pack("i", 1))
        terminal = os.ttyname(slave)
        os.close(slave)
        path = Path(self.url)
        path.unlink(missing_ok=True)
        path.symlink_to(terminal)

    def unplug(self) -> None:
        """Make the port vanish."""
        if self._master is None:
            return
        asyncio.get_running_loop().remove_reader(self._master)
        os.close(self._master)
        self._master = None
        Path(self.url).unlink(missing_ok=True)
        self.heard.left()

    async def await_host(self) -> None:
        self.plug_in()
        if self.heard.host_is_there:
            return
        await until(lambda: not self._hung_up())
        self._flushed.clear()
        self.heard.arrived()
        asyncio.get_running_loop().add_reader(self._descriptor, self._listen)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._flushed.wait(), _FLUSH_S)

    async def send(self, data: bytes, channel: str) -> None:  # noqa: ARG002 - a serial line has no channels
        while data:
            if not self.heard.host_is_there:
                raise HostLeft
            try:
                data = data[os.write(self._descriptor, data) :]
            except BlockingIOError:
                await asyncio.sleep(_POLL_S)

    async def all_taken(self) -> None:
        # Twice in a row, since bytes on their way through the terminal are counted on neither side.
        seen_empty = 0
        while seen_empty < 2:
            if not self.heard.host_is_there:
                raise HostLeft
            seen_empty = 0 if self._waiting() else seen_empty + 1
            await asyncio.sleep(_POLL_S)

    async def hang_up(self) -> None:
        self.unplug()

    @property
    def _descriptor(self) -> int:
        if self._master is None:
            raise HostLeft
        return self._master

    def _listen(self) -> None:
        try:
            packet = os.read(self._descriptor, _CHUNK)
        except BlockingIOError:
            return
        except OSError:  # EIO: the host has closed the port
            asyncio.get_running_loop().remove_reader(self._descriptor)
            self.heard.left()
            return
        if packet[0] == termios.TIOCPKT_DATA:
            self.heard.add(packet[1:])
        if packet[0] & _FLUSHED or len(packet) > 1:
            self._flushed.set()

    def _hung_up(self) -> bool:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        return any(event & select.POLLHUP for _, event in poll.poll(0))

    def _waiting(self) -> int:
        """Bytes that the host has not read."""
        slave = os.open(self.url, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            (count,) = struct.unpack("i", fcntl.ioctl(slave, termios.FIONREAD, struct.pack("i", 0)))
        finally:
            os.close(slave)
        return int(count)

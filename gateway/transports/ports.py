"""pyserial's ports with one way to wait and one way to write, for threads that may have hundreds of them.

pyserial waits by select, which has no room for file descriptors past 1023, and an open port takes five. On
POSIX systems these ports wait by poll.
"""

import contextlib
import errno
import os
import select
import socket
import sys

import serial
import serial.rfc2217

from gateway.transports.tcp import keep_alive

_CHUNK = 4096


class NetworkPort(serial.rfc2217.Serial):
    """A port of an RFC 2217 device server, whose death is noticed."""

    _socket: socket.socket

    def open(self) -> None:
        super().open()
        keep_alive(self._socket)

    def arrived(self) -> bytes:
        """What has come, at least a byte; empty after the timeout."""
        return _arrived(self)

    def deliver(self, data: bytes) -> None:
        self.write(data)

    def wake(self) -> None:
        """Nothing: the timeout is short."""


if sys.platform == "win32":

    class DevicePort(serial.Serial):
        """A port of this machine."""

        def arrived(self) -> bytes:
            """What has come, at least a byte; empty after the timeout or `wake`."""
            return _arrived(self)

        def deliver(self, data: bytes) -> None:
            self.write(data)

        def wake(self) -> None:
            """End the waiting of both directions."""
            self.cancel_read()
            self.cancel_write()

else:

    class DevicePort(serial.Serial):
        """A port of this machine."""

        def arrived(self) -> bytes:
            """What has come, at least a byte; empty after the timeout or `wake`.

            Raises
            ------
            OSError
                The device is gone: EIO, or readiness with nothing to read.
            """
            if not self._ready(select.POLLIN, self.pipe_abort_read_r, self.timeout):
                return b""
            try:
                data = os.read(self.fileno(), _CHUNK)
            except BlockingIOError:
                return b""
            if not data:
                raise OSError(errno.ENODEV, "ready to be read, and nothing there")
            return data

        def deliver(self, data: bytes) -> None:
            """Write all of it.

            Raises
            ------
            OSError
                The device is gone, or has taken nothing for the whole write timeout.
            """
            left = memoryview(data)
            while left:
                if not self._ready(select.POLLOUT, self.pipe_abort_write_r, self.write_timeout):
                    raise serial.SerialTimeoutException("the device takes no more bytes")
                with contextlib.suppress(BlockingIOError):
                    left = left[os.write(self.fileno(), left) :]

        def wake(self) -> None:
            """End the waiting of both directions."""
            self.cancel_read()
            self.cancel_write()

        def _ready(self, event: int, abort: int | None, seconds: float | None) -> bool:
            """Whether the port is ready, or broken, before the time is over or `abort` is written to."""
            assert abort is not None
            poll = select.poll()
            poll.register(self.fileno(), event)
            poll.register(abort, select.POLLIN)
            found = {descriptor for descriptor, _ in poll.poll(None if seconds is None else seconds * 1000)}
            if abort in found:
                os.read(abort, _CHUNK)
                return False
            return bool(found)


Port = DevicePort | NetworkPort


def _arrived(port: serial.rfc2217.Serial | serial.Serial) -> bytes:
    first = port.read(1)
    return first + port.read(port.in_waiting) if first else b""

"""What a transport gives the service: connections that carry bytes, whatever they run over."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from gateway.model import Device

HOLD_OFF_S = 10.0
"""How long a wireless device that has just hung up is left alone, where nothing else is configured."""


@dataclass(frozen=True, slots=True)
class Received:
    """Bytes that arrived on one channel, and when by the gateway's clock (timezone-aware).

    `kept` says that they were there when the connection was made, before anything was asked: a device server
    may have kept them for hours. `device_id` is the sender's, where the bytes may outlive the connection.
    """

    data: bytes
    channel: str
    at: datetime
    kept: bool = False
    device_id: str | None = None


class Connection(Protocol):
    """An open link with one device, until one of the two ends it."""

    @property
    def device(self) -> Device:
        """What the link itself knows of the device: USB serial number, Bluetooth address, path."""
        ...

    async def receive(self) -> Received | None:
        """The next bytes, in order; None when the device or `close` has ended the connection in good order.

        It may be cancelled, and nothing is lost by that.

        Raises
        ------
        TransportError
            The link broke: unplugged, reset, out of range.
        """
        ...

    async def send(self, data: bytes, channel: str) -> None:
        """Bytes to the device.

        Raises
        ------
        KeyError
            The device has no such channel.
        RefusedError
            It did not take them.
        TransportError
            The connection ended.
        """
        ...

    async def read(self, channel: str) -> None:
        """Ask for a channel's present value, which comes by `receive`. Raises as `send`."""
        ...

    async def subscribe(self, channel: str) -> None:
        """Ask for a channel's notifications, with pairing where the device wants it.

        Raises
        ------
        KeyError
            The device has no such channel.
        RefusedError
            It did not agree.
        TransportError
            The connection ended.
        """
        ...

    async def settle(self, received: Received, refusal: str | None) -> None:
        """Everything that came of `received` is on disk; `refusal` says why nothing did.

        A folder moves the file then. Other transports have nothing to do.
        """
        ...

    async def close(self) -> None:
        """End the connection, also one that has ended; once is needed, twice does no harm. Never raises."""
        ...


Keep = Callable[[Received], None]
"""Called within a notification's callback: the raw value is on disk when it returns, or it raises."""


class Transport(Protocol):
    """A way to one device. `url` is how it was configured, for logs."""

    @property
    def url(self) -> str: ...

    async def open(self) -> Connection:
        """A connection, as soon as the device is there.

        A transport that has to wait for its device (an advertisement, a caller) waits here for ever.

        Raises
        ------
        TransportError
            Now it cannot be had: no such port, port held by another program, adapter off. Worth trying
            again later.
        """
        ...

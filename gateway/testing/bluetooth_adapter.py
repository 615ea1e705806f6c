"""A real Bluetooth adapter that a virtual device is on the air with, driven over HCI.

The adapter is named as bumble names it: ``usb:0`` or ``hci-socket:0`` for one that the operating system has
let go of, ``tcp-client:HOST:PORT`` for one behind a socket.
"""

import asyncio
import contextlib
import logging
from typing import Self

from bumble.core import BaseBumbleError
from bumble.host import Host
from bumble.transport import open_transport
from bumble.transport.common import Transport, TransportLostError

from gateway.errors import GatewayError
from gateway.testing.ble_plan import PeripheralPlan
from gateway.testing.virtual_ble import VirtualPeripheral

# Without a handler Python prints to standard error what bumble logs of errors that are raised here as well.
logging.getLogger("bumble").addHandler(logging.NullHandler())

_ANSWER_S = 10.0


class _Sink:
    """To the adapter. bumble waits without end for the answer to what it tells one that is gone."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def on_packet(self, packet: bytes) -> None:
        if self._transport.source.terminated.done():
            raise TransportLostError("the adapter is gone")
        self._transport.sink.on_packet(packet)


class Adapter:
    """One adapter, of which one device has the use. Use it as a context: ``async with Adapter(name)``.

    Raises
    ------
    GatewayError
        It is not there, or does not answer; or it went, which ends what is done with it.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._transport: Transport | None = None
        self._peripheral: VirtualPeripheral | None = None
        self._user: asyncio.Task[object] | None = None
        self._is_gone = False

    async def __aenter__(self) -> Self:
        try:
            async with asyncio.timeout(_ANSWER_S):
                self._transport = await open_transport(self.name)
        # Each kind of port raises what the library under it raises: socket, serial, libusb.
        except Exception as error:
            raise self._not_to_be_had(error) from error
        self._user = asyncio.current_task()
        self._transport.source.terminated.add_done_callback(self._end)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        assert self._transport is not None, "the adapter is open"
        self._transport.source.terminated.remove_done_callback(self._end)
        if self._peripheral is not None:
            # What is left of an adapter that was pulled out answers nothing.
            with contextlib.suppress(BaseBumbleError, TimeoutError):
                await asyncio.wait_for(self._peripheral.power_off(), _ANSWER_S)
        await self._transport.close()
        if self._is_gone and kind is asyncio.CancelledError:
            raise GatewayError(f"Bluetooth controller {self.name} is gone; plug it in and begin again")

    async def add(self, plan: PeripheralPlan) -> VirtualPeripheral:
        """A device of that plan, switched on but not yet advertising."""
        assert self._transport is not None, "the adapter is open"
        peripheral = VirtualPeripheral(plan, Host(self._transport.source, _Sink(self._transport)))
        try:
            await asyncio.wait_for(peripheral.power_on(), _ANSWER_S)
        except (BaseBumbleError, TimeoutError) as error:
            raise self._not_to_be_had(error) from error
        self._peripheral = peripheral
        return peripheral

    def _end(self, _: object) -> None:
        self._is_gone = True
        if self._user is not None:
            self._user.cancel()

    def _not_to_be_had(self, error: Exception) -> GatewayError:
        reason = str(error) or type(error).__name__
        fix = "free it from the operating system, and check its name"
        return GatewayError(f"Bluetooth controller {self.name}: not to be had, {reason}; {fix}")

"""A virtual USB device that plays a session fixture, under pyusb.

Its ids and class are those of the driver's first link; its endpoints are the channels of the fixture, and
where it names none, ``0x81`` to be read and ``0x02`` to be written. More than an interrupt endpoint can carry
goes out as several transfers.
"""

import asyncio
from collections.abc import Callable, Iterator
from functools import partial

import usb.backend

from gateway.drivers import UsbLink
from gateway.testing.impairment import Impairment
from gateway.testing.session_fixture import SessionFixture
from gateway.testing.virtual_device import HostLeft, VirtualDevice, until
from gateway.testing.virtual_usb import (
    BULK,
    INTERRUPT,
    UsbPlan,
    VirtualEndpoint,
    VirtualUsb,
    VirtualUsbDevice,
)

_HID = 3
_IN, _OUT = 0x81, 0x02
_FEATURE_REPORT = 0x0300
_INVENTED_IDS = (0xF1F0, 0x0001)


class VirtualUsbSession(VirtualDevice):
    """A device on a bus of its own, :attr:`backend`.

    Parameters
    ----------
    fixture, speed, impairment
        As for every virtual device.
    link : UsbLink
        Of the driver.
    """

    def __init__(
        self,
        fixture: SessionFixture,
        link: UsbLink,
        *,
        speed: float = 1.0,
        impairment: Impairment | None = None,
    ) -> None:
        super().__init__(fixture, speed=speed, impairment=impairment)
        self.device = VirtualUsbDevice(_plan(fixture, link))
        self.device.unplug()
        self.backend: usb.backend.IBackend = VirtualUsb(self.device)
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def url(self) -> str:
        return f"usb://{self.device.plan.vendor:04x}:{self.device.plan.product:04x}"

    async def open(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.device.on_claim = lambda: self._tell(self.heard.arrived)
        self.device.on_release = lambda: self._tell(self.heard.left)
        self.device.on_write = self._note
        self.device.plug_in()

    async def close(self) -> None:
        self.device.unplug()

    async def await_host(self) -> None:
        if not self.device.plugged:
            self.device.plug_in()
        await self.heard.arrival()

    async def send(self, data: bytes, channel: str) -> None:
        if not self.heard.host_is_there:
            raise HostLeft
        address = int(channel, 16) if channel else _IN
        endpoint = next(each for each in self.device.plan.endpoints if each.address == address)
        size = endpoint.packet_size if endpoint.transfer_type == INTERRUPT else len(data)
        for at in range(0, len(data), size):
            self.device.speak(address, data[at : at + size])

    async def all_taken(self) -> None:
        await until(lambda: self.device.is_read_out() or not self.heard.host_is_there)
        if not self.heard.host_is_there:
            raise HostLeft

    async def hang_up(self) -> None:
        self.device.unplug()
        await self.heard.departure()

    def _note(self, address: int, data: bytes) -> None:
        channels = ("feature",) if address == _FEATURE_REPORT else (f"0x{address:02x}", "")
        for channel in channels:
            self._tell(partial(self.heard.add, data, channel))

    def _tell(self, news: Callable[[], None]) -> None:
        """From the host's thread to the loop of the device."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(news)


def _plan(fixture: SessionFixture, link: UsbLink) -> UsbPlan:
    vendor, product = _INVENTED_IDS
    interface_class = link.interface_class or _HID
    kind = INTERRUPT if interface_class == _HID else BULK
    return UsbPlan(
        vendor=link.vendor or vendor,
        product=link.product or product,
        serial=fixture.device.serial,
        interface_class=interface_class,
        endpoints=tuple(VirtualEndpoint(address, kind) for address in _addresses(fixture)),
        kernel_driver=interface_class == _HID,
    )


def _addresses(fixture: SessionFixture) -> Iterator[int]:
    said = {exchange.channel for exchange in fixture.exchanges if exchange.direction == "<"}
    heard = {exchange.channel for exchange in fixture.exchanges if exchange.direction == ">"}
    yield from sorted({int(channel, 16) if channel else _IN for channel in said or {""}})
    yield from sorted({int(channel, 16) if channel else _OUT for channel in heard - {"feature"} or {""}})

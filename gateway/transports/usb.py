"""USB devices by pyusb and libusb: ``usb://VID:PID[:SERIAL]``, or ``usb://`` for the one that fits.

One interface is claimed: the first of the class, and for HID of the usage, that the driver's link names, or
else the first that has an endpoint to read from. Each of its IN endpoints has a thread with a read
outstanding at all times, since some devices speak only when somebody listens. One transfer is one
``Received``.

============  ==========================================================================================
channel
============  ==========================================================================================
``0x81``      an endpoint, by its address
``""``        to send: the interface's only OUT endpoint; where HID has none, an output report by
              SET_REPORT
``feature``   to send, on a HID interface: a feature report without a report id, by SET_REPORT
============  ==========================================================================================

On Linux the kernel's HID driver is detached from the interface while it is in use and given it back. The
user needs the right to the device node, which a udev rule gives.
"""

import asyncio
import contextlib
import errno
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol, cast

import usb.backend
import usb.core
import usb.util

from gateway.drivers import UsbLink
from gateway.errors import TransportError
from gateway.model import Device
from gateway.transports.contract import Received
from gateway.transports.hid import top_usages
from gateway.transports.inbox import ThreadsInbox
from gateway.transports.threads import in_own_thread

TARGET = re.compile(r"(?P<vendor>[0-9A-Fa-f]{4}):(?P<product>[0-9A-Fa-f]{4})(:(?P<serial>.+))?")

_READ_MS = 200
_WRITE_MS = 5000
_LONGEST_TRANSFER = 65536
_DIRECTION_IN = 0x80
_TRANSFER_TYPE = 0x03
_BULK = 0x02
_HID = 0x03
_OUTPUT_REPORT, _FEATURE_REPORT = 0x0200, 0x0300
_SET_REPORT = (0x21, 0x09)
_GET_REPORT_DESCRIPTOR = (0x81, 0x06, 0x2200)
_LONGEST_DESCRIPTOR = 4096
_WORDS = {
    **dict.fromkeys((errno.ENODEV, errno.EIO, errno.ESHUTDOWN), "unplugged"),
    errno.ETIMEDOUT: "the device takes none",
    errno.EPIPE: "the device refuses them",
}
_REFUSALS = {
    errno.EACCES: "no permission to use it; install the udev rule for this device",
    errno.EBUSY: "another program holds it; close that program",
}


class _Endpoint(Protocol):
    bEndpointAddress: int  # noqa: N815  # pyusb has the specification's names
    bmAttributes: int  # noqa: N815
    wMaxPacketSize: int  # noqa: N815


class _Interface(Protocol):
    bInterfaceNumber: int  # noqa: N815
    bInterfaceClass: int  # noqa: N815

    def endpoints(self) -> tuple[_Endpoint, ...]: ...


class _UsbDevice(Protocol):
    idVendor: int  # noqa: N815
    idProduct: int  # noqa: N815
    serial_number: str | None
    bus: int | None
    port_numbers: tuple[int, ...] | None

    def get_active_configuration(self) -> Iterable[_Interface]: ...
    def is_kernel_driver_active(self, interface: int) -> bool: ...
    def detach_kernel_driver(self, interface: int) -> None: ...
    def attach_kernel_driver(self, interface: int) -> None: ...
    def read(self, endpoint: int, size: int, timeout: int) -> Iterable[int]: ...
    def write(self, endpoint: int, data: bytes, timeout: int) -> int: ...
    def ctrl_transfer(
        self,
        request_type: int,
        request: int,
        value: int,
        index: int,
        data_or_length: bytes | int,
        timeout: int,
    ) -> Iterable[int] | int: ...
    def clear_halt(self, endpoint: int) -> None: ...


_find = cast("Callable[..., Iterable[_UsbDevice]]", usb.core.find)
_claim = cast("Callable[[_UsbDevice, int], None]", usb.util.claim_interface)
_release = cast("Callable[[_UsbDevice, int], None]", usb.util.release_interface)
_dispose = cast("Callable[[_UsbDevice], None]", usb.util.dispose_resources)


@dataclass(slots=True)
class _Claimed:
    """An interface that is ours, and what was taken from the kernel for it."""

    device: _UsbDevice
    interface: _Interface
    serial: str | None
    kernel_had_it: bool

    def addresses(self, direction: int) -> list[int]:
        return [address for address in self.endpoints() if address & _DIRECTION_IN == direction]

    def endpoints(self) -> dict[int, _Endpoint]:
        return {endpoint.bEndpointAddress: endpoint for endpoint in self.interface.endpoints()}

    def give_back(self) -> None:
        number = self.interface.bInterfaceNumber
        with contextlib.suppress(usb.core.USBError):
            _release(self.device, number)
            if self.kernel_had_it:
                self.device.attach_kernel_driver(number)
        with contextlib.suppress(usb.core.USBError):
            _dispose(self.device)


class UsbConnection:
    """One claimed interface and the threads that read it."""

    def __init__(self, url: str, claimed: _Claimed, identity: Device) -> None:
        self._url = url
        self._claimed = claimed
        self._identity = identity
        self._inbox = ThreadsInbox()
        self._writing: asyncio.Future[None] | None = None
        self._readers = [
            threading.Thread(target=self._read_on, args=(address,), name=f"reader of {url}", daemon=True)
            for address in claimed.addresses(_DIRECTION_IN)
        ]
        for reader in self._readers:
            reader.start()

    @property
    def device(self) -> Device:
        return self._identity

    async def receive(self) -> Received | None:
        return await self._inbox.take()

    async def send(self, data: bytes, channel: str) -> None:
        address = self._destination(channel)
        await self._written()
        if self._inbox.closing:
            raise TransportError(f"{self._url}: closed")
        self._writing = in_own_thread(f"writer of {self._url}", lambda: self._write(address, data))
        try:
            await asyncio.shield(self._writing)
        except usb.core.USBError as error:
            raise TransportError(f"{self._url}: bytes not sent, {_plain(error)}") from error

    async def read(self, channel: str) -> None:
        """Refused: an endpoint has no present value to ask for."""
        raise KeyError(channel)

    async def subscribe(self, channel: str) -> None:
        """Granted for every IN endpoint: they are read anyway."""
        self._address(channel, _DIRECTION_IN)

    async def settle(self, received: Received, refusal: str | None) -> None:
        """Nothing to do: what a cable has carried cannot be put away."""

    async def close(self) -> None:
        if not self._inbox.closing:
            self._inbox.close()
        await self._written()
        await in_own_thread(f"closer of {self._url}", self._end)

    async def _written(self) -> None:
        if self._writing is not None:
            await asyncio.gather(self._writing, return_exceptions=True)

    def _address(self, channel: str, direction: int) -> int:
        offered = self._claimed.addresses(direction)
        if channel == "" and len(offered) == 1:
            return offered[0]
        for address in offered:
            if channel == _channel(address):
                return address
        raise KeyError(channel)

    def _destination(self, channel: str) -> int:
        """An OUT endpoint, or for HID the kind of report that SET_REPORT carries."""
        if self._claimed.interface.bInterfaceClass == _HID:
            if channel == "feature":
                return _FEATURE_REPORT
            if channel == "" and not self._claimed.addresses(0):
                return _OUTPUT_REPORT
        return self._address(channel, 0)

    def _write(self, address: int, data: bytes) -> None:
        if address in (_OUTPUT_REPORT, _FEATURE_REPORT):
            number = self._claimed.interface.bInterfaceNumber
            self._claimed.device.ctrl_transfer(*_SET_REPORT, address, number, data, _WRITE_MS)
            return
        try:
            self._write_to_endpoint(address, data)
        except usb.core.USBError as error:
            if error.errno == errno.EPIPE:
                self._claimed.device.clear_halt(address)
            raise

    def _write_to_endpoint(self, address: int, data: bytes) -> None:
        endpoint = self._claimed.endpoints()[address]
        self._claimed.device.write(address, data, _WRITE_MS)
        # A bulk transfer ends with a packet that is not full, if need be with an empty one.
        if endpoint.bmAttributes & _TRANSFER_TYPE == _BULK and len(data) % endpoint.wMaxPacketSize == 0:
            self._claimed.device.write(address, b"", _WRITE_MS)

    def _read_on(self, address: int) -> None:
        """The thread: read and hand over, until closed or unplugged."""
        try:
            while not self._inbox.closing:
                data = self._transfer(address)
                if data:
                    self._inbox.put(Received(data, _channel(address), datetime.now(UTC)))
        except Exception as error:  # noqa: BLE001  # the thread's root: whoever receives must hear of it
            self._inbox.end(TransportError(f"{self._url}: {_plain(error)}"))

    def _transfer(self, address: int) -> bytes:
        """What one transfer brought; nothing after a time-out, or after a stall, which is lifted."""
        endpoint = self._claimed.endpoints()[address]
        bulk = endpoint.bmAttributes & _TRANSFER_TYPE == _BULK
        try:
            return bytes(
                self._claimed.device.read(
                    address, _LONGEST_TRANSFER if bulk else endpoint.wMaxPacketSize, _READ_MS
                )
            )
        except usb.core.USBTimeoutError:
            return b""
        except usb.core.USBError as error:
            if error.errno != errno.EPIPE:
                raise
            self._claimed.device.clear_halt(address)
            return b""

    def _end(self) -> None:
        for reader in self._readers:
            reader.join()
        self._claimed.give_back()


@dataclass(frozen=True, slots=True)
class UsbTransport:
    """A device by its ids and, where several alike are plugged in, its serial number.

    Parameters
    ----------
    url : str
    links : tuple of UsbLink
        Of the driver; the first that the device fits names the interface to use.
    vendor, product : int, optional
        None for any device that fits one of the links by its ids or its class.
    serial : str, optional
    backend : usb.backend.IBackend, optional
        libusb where none is given.
    """

    url: str
    links: tuple[UsbLink, ...]
    vendor: int | None = None
    product: int | None = None
    serial: str | None = None
    backend: usb.backend.IBackend | None = None

    async def open(self) -> UsbConnection:
        """The device, with an interface claimed for this program alone.

        Raises
        ------
        TransportError
            Not plugged in, several that fit, no permission, held by another program, or no libusb.
        """
        opening = in_own_thread(f"opener of {self.url}", self._open)
        try:
            claimed = await asyncio.shield(opening)
        except asyncio.CancelledError:
            for opened in await asyncio.gather(opening, return_exceptions=True):
                if isinstance(opened, _Claimed):
                    opened.give_back()
            raise
        return UsbConnection(self.url, claimed, self._identity(claimed))

    def _identity(self, claimed: _Claimed) -> Device:
        device = claimed.device
        place = claimed.serial or _place(device)
        return Device(serial=claimed.serial, id=f"usb:{device.idVendor:04x}:{device.idProduct:04x}:{place}")

    def _open(self) -> _Claimed:
        try:
            device, serial = self._device()
            return self._claim(device, serial)
        except usb.core.NoBackendError as error:
            raise TransportError(
                f"{self.url}: libusb is not installed; install the package libusb-1.0-0"
            ) from error
        except usb.core.USBError as error:
            reason = _REFUSALS.get(error.errno or 0) or _plain(error)
            raise TransportError(f"{self.url}: {reason}") from error

    def _device(self) -> tuple[_UsbDevice, str | None]:
        found = [
            (device, _serial_number(device))
            for device in _find(find_all=True, backend=self.backend, custom_match=self._wanted)
        ]
        fitting = [each for each in found if self.serial is None or each[1] == self.serial]
        for device, _ in found:
            if len(fitting) != 1 or device is not fitting[0][0]:
                _dispose(device)
        if not fitting:
            raise TransportError(f"{self.url}: no such device; check that it is plugged in and on")
        if len(fitting) > 1:
            raise TransportError(
                f"{self.url}: {len(fitting)} such devices; write usb://VID:PID:SERIAL to say which"
            )
        return fitting[0]

    def _wanted(self, device: _UsbDevice) -> bool:
        if self.vendor is not None:
            return (device.idVendor, device.idProduct) == (self.vendor, self.product)
        return any(_fits(device, link) for link in self.links)

    def _claim(self, device: _UsbDevice, serial: str | None) -> _Claimed:
        link = next((link for link in self.links if _has_ids(device, link)), UsbLink())
        for interface in _readable(device, link.interface_class):
            claimed = self._claim_interface(device, interface, serial)
            try:
                is_wanted = link.usage is None or _is_for(claimed, link.usage)
            except usb.core.USBError:
                claimed.give_back()
                raise
            if is_wanted:
                return claimed
            claimed.give_back()
        wanted = "" if link.interface_class is None else f" of class 0x{link.interface_class:02X}"
        usage = "" if link.usage is None else f" and usage 0x{link.usage[0]:02X}:0x{link.usage[1]:02X}"
        raise TransportError(f"{self.url}: it has no interface{wanted}{usage} to read from; check the driver")

    def _claim_interface(self, device: _UsbDevice, interface: _Interface, serial: str | None) -> _Claimed:
        number = interface.bInterfaceNumber
        kernel_has_it = _kernel_has(device, number)
        if kernel_has_it:
            device.detach_kernel_driver(number)
        claimed = _Claimed(device, interface, serial, kernel_has_it)
        try:
            _claim(device, number)
        except usb.core.USBError:
            claimed.give_back()
            raise
        return claimed


def usb_transport(url: str, target: str, links: tuple[UsbLink, ...]) -> UsbTransport:
    """The transport for ``VID:PID[:SERIAL]``, which fits :data:`TARGET`, or for ``""``."""
    parts = TARGET.fullmatch(target)
    if parts is None:
        return UsbTransport(url, links)
    return UsbTransport(url, links, int(parts["vendor"], 16), int(parts["product"], 16), parts["serial"])


def _has_ids(device: _UsbDevice, link: UsbLink) -> bool:
    return link.vendor in {None, device.idVendor} and link.product in {None, device.idProduct}


def _fits(device: _UsbDevice, link: UsbLink) -> bool:
    """Whether the device is one that the link describes, as far as that shows without touching it."""
    if link.vendor is not None:
        return _has_ids(device, link)
    if link.interface_class is None or link.usage is not None:
        return False
    with contextlib.suppress(usb.core.USBError):
        return any(True for _ in _readable(device, link.interface_class))
    return False


def _readable(device: _UsbDevice, interface_class: int | None) -> Iterator[_Interface]:
    for interface in device.get_active_configuration():
        has_in = any(endpoint.bEndpointAddress & _DIRECTION_IN for endpoint in interface.endpoints())
        if has_in and interface_class in {None, interface.bInterfaceClass}:
            yield interface


def _is_for(claimed: _Claimed, usage: tuple[int, int]) -> bool:
    """Whether the interface's report descriptor has the usage; a device that does not show it is believed."""
    try:
        descriptor = claimed.device.ctrl_transfer(
            *_GET_REPORT_DESCRIPTOR, claimed.interface.bInterfaceNumber, _LONGEST_DESCRIPTOR, _WRITE_MS
        )
    except usb.core.USBError as error:
        if error.errno not in {errno.EPIPE, errno.ETIMEDOUT}:
            raise
        return True
    assert not isinstance(descriptor, int)
    return usage in top_usages(bytes(descriptor))


def _serial_number(device: _UsbDevice) -> str | None:
    """None where the device has none, or does not let this user ask."""
    with contextlib.suppress(usb.core.USBError, ValueError):
        return device.serial_number
    return None


def _place(device: _UsbDevice) -> str:
    """Bus and ports on the way to the socket that it is plugged in."""
    return f"{device.bus}-{'.'.join(map(str, device.port_numbers or ()))}"


def _kernel_has(device: _UsbDevice, interface: int) -> bool:
    """Only Linux can say; elsewhere nothing is to be detached."""
    with contextlib.suppress(NotImplementedError):
        return device.is_kernel_driver_active(interface)
    return False


def _channel(address: int) -> str:
    return f"0x{address:02x}"


def _plain(error: Exception) -> str:
    words = _WORDS.get(error.errno or 0) if isinstance(error, usb.core.USBError) else None
    return words or str(error) or type(error).__name__

"""USB devices that are Python objects, under pyusb in libusb's place.

``VirtualUsb`` is a backend for ``usb.core.find(backend=...)``: everything above it, descriptors and claims
and transfers, is pyusb's own. Errors are those of libusb on Linux: errno 110 time-out, 19 gone, 32 stall,
75 overflow, 16 busy.
"""

import errno
import os
import threading
from array import array
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import cast

import usb.backend
from usb.core import USBError, USBTimeoutError

INTERRUPT, BULK = 3, 2
_DIRECTION_IN = 0x80
_GET_DESCRIPTOR, _STRING, _REPORT = 6, 3, 0x22
_TO_INTERFACE, _FROM_INTERFACE, _SET_REPORT = 0x21, 0x81, 9
_HID = 3
_LIBUSB_ERROR = {errno.ENODEV: -4, errno.EBUSY: -6, errno.EPIPE: -9, errno.EOVERFLOW: -8, errno.EACCES: -3}

_make_error = cast("Callable[[str, int, int], USBError]", USBError)
_make_timeout = cast("Callable[[str, int, int], USBTimeoutError]", USBTimeoutError)


@dataclass(frozen=True, slots=True)
class VirtualEndpoint:
    """One endpoint; bit 7 of `address` is set where the device sends."""

    address: int
    transfer_type: int = INTERRUPT
    packet_size: int = 64


@dataclass(frozen=True, slots=True)
class UsbPlan:
    """A device with one interface, as it shall be.

    `kernel_driver` says that the system's HID driver takes the interface when the device is plugged in,
    `permitted` that this user may open it, and `report_descriptor` is what a HID interface shows of itself,
    nothing where it stalls when asked.
    """

    vendor: int
    product: int
    serial: str | None
    interface_class: int
    endpoints: tuple[VirtualEndpoint, ...]
    kernel_driver: bool = False
    permitted: bool = True
    report_descriptor: bytes = b""


class VirtualUsbDevice:
    """A device that can be plugged in and pulled out, speaks when told to, and keeps what it was sent.

    What came by SET_REPORT is kept under the kind of report and its id, ``0x0300``, in place of an address.

    Attributes
    ----------
    on_claim, on_release : callable
        Called in the host's thread when a program has claimed the interface, and when none has it any more.
    on_write : callable
        Called in the host's thread with the address and data of each write.
    is_deaf : bool
        Takes no bytes; a write runs into its time-out.
    """

    def __init__(self, plan: UsbPlan) -> None:
        self.plan = plan
        self.on_claim: Callable[[], None] = lambda: None
        self.on_release: Callable[[], None] = lambda: None
        self.on_write: Callable[[int, bytes], None] = lambda _address, _data: None
        self.is_deaf = False
        self.written: list[tuple[int, bytes]] = []
        self.plugged = True
        self.kernel_driver = plan.kernel_driver
        self.claimed_by: object | None = None
        self._news = threading.Condition()
        self._waiting: dict[int, deque[bytes | int]] = {e.address: deque() for e in plan.endpoints}

    def speak(self, address: int, data: bytes) -> None:
        """One transfer, for the next read of that endpoint."""
        self._add(address, data)

    def stall(self, address: int) -> None:
        """The next read of that endpoint, or write to it, fails with a stall until the host lifts it."""
        self._add(address, errno.EPIPE)

    def unplug(self) -> None:
        """Pull it out; a read that waits fails at once."""
        with self._news:
            self.plugged = False
            self.claim(None)
            self._news.notify_all()

    def plug_in(self) -> None:
        """Put it in again; what it had said before and nobody had read is gone."""
        with self._news:
            self.plugged = True
            self.kernel_driver = self.plan.kernel_driver
            for waiting in self._waiting.values():
                waiting.clear()

    def writes(self, count: int, timeout_s: float = 30.0) -> bool:
        """Wait until `written` holds that many; False when the time ran out. Blocks."""
        with self._news:
            return self._news.wait_for(lambda: len(self.written) >= count, timeout_s)

    def claim(self, program: object | None) -> None:
        """The interface is that program's, or nobody's."""
        had_it, self.claimed_by = self.claimed_by, program
        if program is not None:
            self.on_claim()
        elif had_it is not None:
            self.on_release()

    def take(self, address: int, data: bytes, program: object) -> None:
        with self._news:
            self._check_claimed(program)
            if self._waiting.get(address):
                raise _error(errno.EPIPE)
            if self.is_deaf:
                raise _make_timeout("Operation timed out", -7, errno.ETIMEDOUT)
            self.written.append((address, data))
            self._news.notify_all()
        self.on_write(address, data)

    def is_read_out(self) -> bool:
        """Whether the host has taken everything that was said."""
        with self._news:
            return not any(self._waiting.values())

    def next_transfer(self, address: int, size: int, timeout_s: float, program: object) -> bytes:
        with self._news:
            waiting = self._waiting[address]
            arrived = self._news.wait_for(lambda: waiting or self.claimed_by is not program, timeout_s)
            self._check_claimed(program)
            if not arrived:
                raise _make_timeout("Operation timed out", -7, errno.ETIMEDOUT)
            transfer = waiting[0] if waiting[0] == errno.EPIPE else waiting.popleft()
        if isinstance(transfer, int):
            raise _error(transfer)
        if len(transfer) > size:
            raise _error(errno.EOVERFLOW)
        return transfer

    def lift_stall(self, address: int) -> None:
        with self._news:
            waiting = self._waiting[address]
            if waiting and waiting[0] == errno.EPIPE:
                waiting.popleft()

    def check_open(self) -> None:
        with self._news:
            self._check_plugged()
        if not self.plan.permitted:
            raise _error(errno.EACCES)

    def _add(self, address: int, transfer: bytes | int) -> None:
        with self._news:
            self._waiting[address].append(transfer)
            self._news.notify_all()

    def _check_claimed(self, program: object) -> None:
        """What was pulled out and put in again is another device to whoever had it."""
        if self.claimed_by is not program:
            raise _error(errno.ENODEV)

    def _check_plugged(self) -> None:
        if not self.plugged:
            raise _error(errno.ENODEV)


class VirtualUsb(usb.backend.IBackend):
    """A USB bus with the devices given; each ``VirtualUsb`` of the same devices is another program."""

    def __init__(self, *devices: VirtualUsbDevice) -> None:
        super().__init__()
        self._devices = devices

    def enumerate_devices(self) -> Iterator[VirtualUsbDevice]:
        return (device for device in self._devices if device.plugged)

    def get_parent(self, dev: VirtualUsbDevice) -> None: ...

    def get_device_descriptor(self, dev: VirtualUsbDevice) -> SimpleNamespace:
        place = self._devices.index(dev) + 1
        return _descriptor(
            bLength=18,
            bDescriptorType=1,
            bcdUSB=0x0200,
            bDeviceClass=0,
            bDeviceSubClass=0,
            bDeviceProtocol=0,
            bMaxPacketSize0=8,
            idVendor=dev.plan.vendor,
            idProduct=dev.plan.product,
            bcdDevice=0x0100,
            iManufacturer=0,
            iProduct=0,
            iSerialNumber=0 if dev.plan.serial is None else 3,
            bNumConfigurations=1,
            address=place,
            bus=1,
            port_number=place,
            port_numbers=(1, place),
            speed=1,
        )

    def get_configuration_descriptor(self, dev: VirtualUsbDevice, config: int) -> SimpleNamespace:  # noqa: ARG002
        if config:
            raise IndexError(config)
        return _descriptor(
            bLength=9,
            bDescriptorType=2,
            wTotalLength=34,
            bNumInterfaces=1,
            bConfigurationValue=1,
            iConfiguration=0,
            bmAttributes=0xA0,
            bMaxPower=16,
        )

    def get_interface_descriptor(
        self, dev: VirtualUsbDevice, intf: int, alt: int, config: int
    ) -> SimpleNamespace:
        if intf or alt or config:
            raise IndexError(intf)
        return _descriptor(
            bLength=9,
            bDescriptorType=4,
            bInterfaceNumber=0,
            bAlternateSetting=0,
            bNumEndpoints=len(dev.plan.endpoints),
            bInterfaceClass=dev.plan.interface_class,
            bInterfaceSubClass=0,
            bInterfaceProtocol=0,
            iInterface=0,
        )

    def get_endpoint_descriptor(
        self,
        dev: VirtualUsbDevice,
        ep: int,
        intf: int,  # noqa: ARG002
        alt: int,  # noqa: ARG002
        config: int,  # noqa: ARG002
    ) -> SimpleNamespace:
        endpoint = dev.plan.endpoints[ep]
        return _descriptor(
            bLength=7,
            bDescriptorType=5,
            bEndpointAddress=endpoint.address,
            bmAttributes=endpoint.transfer_type,
            wMaxPacketSize=endpoint.packet_size,
            bInterval=10,
            bRefresh=0,
            bSynchAddress=0,
        )

    def open_device(self, dev: VirtualUsbDevice) -> VirtualUsbDevice:
        dev.check_open()
        return dev

    def close_device(self, dev_handle: VirtualUsbDevice) -> None: ...

    def get_configuration(self, dev_handle: VirtualUsbDevice) -> int:
        dev_handle.check_open()
        return 1

    def claim_interface(self, dev_handle: VirtualUsbDevice, intf: int) -> None:  # noqa: ARG002
        dev_handle.check_open()
        if dev_handle.kernel_driver or dev_handle.claimed_by not in (None, self):
            raise _error(errno.EBUSY)
        dev_handle.claim(self)

    def release_interface(self, dev_handle: VirtualUsbDevice, intf: int) -> None:  # noqa: ARG002
        dev_handle.check_open()
        dev_handle.claim(None)

    def is_kernel_driver_active(self, dev_handle: VirtualUsbDevice, intf: int) -> bool:  # noqa: ARG002
        return dev_handle.kernel_driver

    def detach_kernel_driver(self, dev_handle: VirtualUsbDevice, intf: int) -> None:  # noqa: ARG002
        dev_handle.kernel_driver = False

    def attach_kernel_driver(self, dev_handle: VirtualUsbDevice, intf: int) -> None:  # noqa: ARG002
        dev_handle.kernel_driver = True

    def clear_halt(self, dev_handle: VirtualUsbDevice, ep: int) -> None:
        dev_handle.lift_stall(ep)

    def intr_read(
        self,
        dev_handle: VirtualUsbDevice,
        ep: int,
        intf: int,  # noqa: ARG002
        size: "array[int]",
        timeout: int,
    ) -> int:
        data = dev_handle.next_transfer(ep, len(size), timeout / 1000, self)
        size[: len(data)] = array("B", data)
        return len(data)

    bulk_read = intr_read

    def intr_write(
        self,
        dev_handle: VirtualUsbDevice,
        ep: int,
        intf: int,  # noqa: ARG002
        data: "array[int]",
        timeout: int,  # noqa: ARG002
    ) -> int:
        dev_handle.take(ep, data.tobytes(), self)
        return len(data)

    bulk_write = intr_write

    def ctrl_transfer(
        self,
        dev_handle: VirtualUsbDevice,
        bmRequestType: int,  # noqa: N803  # the specification's name, by which pyusb calls it
        bRequest: int,  # noqa: N803
        wValue: int,  # noqa: N803
        wIndex: int,  # noqa: ARG002, N803
        data: "array[int]",
        timeout: int,  # noqa: ARG002
    ) -> int:
        """Serial number and report descriptor can be asked for, reports be set; anything else stalls."""
        dev_handle.check_open()
        plan = dev_handle.plan
        if (bmRequestType, bRequest) == (_TO_INTERFACE, _SET_REPORT) and plan.interface_class == _HID:
            dev_handle.take(wValue, data.tobytes(), self)
            return len(data)
        if (bmRequestType, bRequest) == (_FROM_INTERFACE, _GET_DESCRIPTOR) and wValue >> 8 == _REPORT:
            answer = plan.report_descriptor
        elif (bmRequestType, bRequest) == (_DIRECTION_IN, _GET_DESCRIPTOR) and wValue >> 8 == _STRING:
            text = b"\x09\x04" if wValue & 0xFF == 0 else (plan.serial or "").encode("utf-16-le")
            answer = bytes([len(text) + 2, _STRING]) + text
        else:
            answer = b""
        if not answer:
            raise _error(errno.EPIPE)
        size = min(len(answer), len(data))
        data[:size] = array("B", answer[:size])
        return size


def _descriptor(**fields: object) -> SimpleNamespace:
    return SimpleNamespace(extra_descriptors=(), **fields)


def _error(number: int) -> USBError:
    return _make_error(os.strerror(number), _LIBUSB_ERROR[number], number)

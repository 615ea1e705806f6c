"""What is plugged in or advertising now, each under the port by which a configuration would name it.

Nothing is opened and nothing is sent: a device that does not know us may take a question for a command.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, cast

import usb.backend
import usb.core
import usb.util
from serial.tools import list_ports
from serial.tools.list_ports_common import ListPortInfo

from gateway.errors import TransportError
from gateway.transports.bluetooth_adapter import BluetoothAdapter, Sighting

_LINKS = Path("/dev/serial")
_HUB = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """A port or a device that is there.

    Parameters
    ----------
    transport : {"serial", "usb", "ble"}
    port : str
        As a configuration names it; the name that stays, where the system has one.
    name : str
        As the device or the system calls it.
    usb_ids : tuple of int, optional
        Vendor and product, of the cable's chip where it is a serial port.
    serial : str, optional
    place : str, optional
        Bus and ports on the way to the socket.
    interface_classes : frozenset of int
    services : frozenset of str
        Advertised, as 128-bit UUIDs.
    signal_dbm : int, optional
    """

    transport: Literal["serial", "usb", "ble"]
    port: str
    name: str = ""
    usb_ids: tuple[int, int] | None = None
    serial: str | None = None
    place: str | None = None
    interface_classes: frozenset[int] = frozenset()
    services: frozenset[str] = frozenset()
    signal_dbm: int | None = None


def serial_ports(ports: Iterable[ListPortInfo] | None = None, links: Path = _LINKS) -> tuple[Present, ...]:
    """The serial ports of this machine.

    Parameters
    ----------
    ports : iterable of ListPortInfo, optional
        pyserial's list, asked for where none is given.
    links : Path
        Where the system keeps names that stay: ``by-id`` and ``by-path``.
    """
    found = sorted(list_ports.comports() if ports is None else ports)
    return tuple(_serial_port(port, links) for port in found)


def stable_path(device: str, serial: str | None, links: Path = _LINKS) -> str:
    """The name of a port that stays when cables are moved; `device` itself where the system has none.

    Two cables without serial numbers have one name by id, so that those go by the socket they are in.
    """
    for folder in ("by-id", "by-path") if serial else ("by-path",):
        with contextlib.suppress(OSError):
            for link in sorted((links / folder).iterdir()):
                if os.path.realpath(link) == os.path.realpath(device):
                    return str(link)
    return device


def _serial_port(port: ListPortInfo, links: Path) -> Present:
    named = (text for text in (port.manufacturer, port.product) if text)
    return Present(
        transport="serial",
        port=stable_path(port.device, port.serial_number, links),
        name=" ".join(named) or (port.description if port.description != "n/a" else ""),
        usb_ids=(port.vid, port.pid) if port.vid is not None and port.pid is not None else None,
        serial=port.serial_number,
        place=port.location,
    )


class _Interface(Protocol):
    bInterfaceClass: int  # noqa: N815  # pyusb has the specification's names


class _UsbDevice(Protocol):
    idVendor: int  # noqa: N815
    idProduct: int  # noqa: N815
    bDeviceClass: int  # noqa: N815
    manufacturer: str | None
    product: str | None
    serial_number: str | None
    bus: int | None
    port_numbers: tuple[int, ...] | None

    def __iter__(self) -> Iterator[Iterable[_Interface]]: ...


_find = cast("Callable[..., Iterable[_UsbDevice]]", usb.core.find)
_dispose = cast("Callable[[_UsbDevice], None]", usb.util.dispose_resources)


def usb_devices(backend: usb.backend.IBackend | None = None) -> tuple[Present, ...]:
    """The USB devices of this machine, hubs left out.

    Raises
    ------
    TransportError
        There is no libusb, or it does not get at the bus.
    """
    try:
        found = [device for device in _find(find_all=True, backend=backend) if device.bDeviceClass != _HUB]
        present = tuple(map(_usb_device, found))
        for device in found:
            _dispose(device)
    except usb.core.NoBackendError as error:
        raise TransportError("libusb is not installed; install the package libusb-1.0-0") from error
    except usb.core.USBError as error:
        raise TransportError(f"the bus cannot be read: {error.strerror or error}") from error
    return tuple(sorted(present, key=lambda each: each.port))


def _usb_device(device: _UsbDevice) -> Present:
    serial = _text(lambda: device.serial_number)
    names = (_text(lambda: device.manufacturer), _text(lambda: device.product))
    ids = f"{device.idVendor:04x}:{device.idProduct:04x}"
    return Present(
        transport="usb",
        port=f"usb://{ids}:{serial}" if serial else f"usb://{ids}",
        name=" ".join(name for name in names if name),
        usb_ids=(device.idVendor, device.idProduct),
        serial=serial,
        place=f"{device.bus}-{'.'.join(map(str, device.port_numbers or ()))}",
        interface_classes=frozenset(i.bInterfaceClass for configuration in device for i in configuration),
    )


def _text(ask: Callable[[], str | None]) -> str | None:
    """What a device calls itself; None where it does not, or does not let this user ask."""
    with contextlib.suppress(usb.core.USBError, ValueError, NotImplementedError):
        return ask()
    return None


async def bluetooth_devices(adapter: BluetoothAdapter, seconds: float) -> tuple[Present, ...]:
    """The Bluetooth LE devices that advertise within so many seconds, the nearest first.

    Raises
    ------
    TransportError
        There is no adapter, or it is off.
    """
    seen: dict[str, Sighting] = {}
    with contextlib.suppress(TimeoutError):
        async with adapter.looking_out(lambda _: True) as lookout, asyncio.timeout(seconds):
            while True:
                sighting = await lookout.next()
                seen[sighting.address] = _together(seen.get(sighting.address), sighting)
    near = sorted(seen.values(), key=lambda sighting: (-sighting.rssi, sighting.address))
    return tuple(map(_bluetooth_device, near))


def _together(before: Sighting | None, now: Sighting) -> Sighting:
    """A device tells its name in one advertisement and its services in another."""
    if before is None:
        return now
    return Sighting(now.device, now.name or before.name, now.services | before.services, now.rssi)


def _bluetooth_device(sighting: Sighting) -> Present:
    return Present(
        transport="ble",
        port=f"ble://{sighting.address}",
        name=sighting.name or "",
        services=sighting.services,
        signal_dbm=sighting.rssi,
    )

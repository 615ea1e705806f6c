"""What a technician is shown of what is plugged in or advertising, and the driver that is proposed for it."""

import asyncio
import re
from pathlib import Path
from typing import cast

import pytest
import usb.core
from serial.tools.list_ports_common import ListPortInfo

from gateway.drivers import BleLink, Driver, Events, Link, SerialLink, UsbLink
from gateway.errors import TransportError
from gateway.testing.ble_plan import PeripheralPlan, VirtualCharacteristic, VirtualService
from gateway.testing.ble_room import BluetoothRoom
from gateway.testing.virtual_usb import UsbPlan, VirtualEndpoint, VirtualUsb, VirtualUsbDevice
from gateway.transports.bluetooth_adapter import BluetoothAdapter
from gateway.transports.hci import HciRadio
from gateway.transports.matching import USB_SERIAL_CHIPS, Match, match
from gateway.transports.presence import (
    Present,
    bluetooth_devices,
    serial_ports,
    stable_path,
    usb_devices,
)

BLOOD_PRESSURE = "00001810-0000-1000-8000-00805f9b34fb"


def _port(
    device: str, vid: int | None = None, pid: int | None = None, serial: str | None = None
) -> ListPortInfo:
    port = ListPortInfo(device)
    port.vid, port.pid, port.serial_number = vid, pid, serial
    return port


def _names(folder: Path, kind: str, name: str, device: Path) -> Path:
    link = folder / kind / name
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(device)
    return link


def test_a_serial_port_is_named_so_that_it_stays_when_cables_are_moved(tmp_path: Path):
    device = tmp_path / "ttyUSB0"
    device.touch()
    by_id = _names(tmp_path, "by-id", "usb-FTDI_FT232R_A10K2JXX-if00-port0", device)
    _names(tmp_path, "by-path", "pci-0000:00:14.0-usb-0:2:1.0-port0", device)
    (found,) = serial_ports([_port(str(device), 0x0403, 0x6001, "A10K2JXX")], tmp_path)
    assert (found.port, found.usb_ids, found.serial) == (str(by_id), (0x0403, 0x6001), "A10K2JXX")


def test_a_cable_without_a_serial_number_is_named_by_its_socket(tmp_path: Path):
    device = tmp_path / "ttyUSB1"
    device.touch()
    _names(tmp_path, "by-id", "usb-1a86_USB_Serial-if00-port0", device)
    by_path = _names(tmp_path, "by-path", "pci-0000:00:14.0-usb-0:3:1.0-port0", device)
    assert stable_path(str(device), None, tmp_path) == str(by_path)


def test_a_port_for_which_the_system_keeps_no_name_has_its_own(tmp_path: Path):
    assert stable_path("/dev/ttyS0", None, tmp_path) == "/dev/ttyS0"


def test_a_usb_device_is_shown_by_ids_serial_number_and_class():
    scale = VirtualUsbDevice(UsbPlan(0x0922, 0x8003, "0071531234567", 3, (VirtualEndpoint(0x81),)))
    (found,) = usb_devices(VirtualUsb(scale))
    assert found.port == "usb://0922:8003:0071531234567"
    assert found.interface_classes == {3}


def test_a_usb_device_that_this_user_may_not_open_is_shown_without_its_serial_number():
    plan = UsbPlan(0x0922, 0x8003, "0071531234567", 3, (VirtualEndpoint(0x81),), permitted=False)
    (found,) = usb_devices(VirtualUsb(VirtualUsbDevice(plan)))
    assert (found.port, found.serial) == ("usb://0922:8003", None)


def test_a_bus_without_libusb_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("usb.backend.libusb1.get_backend", lambda: None)
    monkeypatch.setattr("usb.backend.libusb0.get_backend", lambda: None)
    monkeypatch.setattr("usb.backend.openusb.get_backend", lambda: None)
    with pytest.raises(TransportError, match="install the package libusb"):
        usb_devices()


def test_a_bus_that_cannot_be_read_is_an_error_and_no_traceback():
    class Broken(VirtualUsb):
        def enumerate_devices(self):
            raise cast("type[OSError]", usb.core.USBError)("Access denied", -3, 13)

    with pytest.raises(TransportError, match="the bus cannot be read"):
        usb_devices(Broken())


def test_a_bluetooth_device_is_shown_while_it_advertises():
    plan = PeripheralPlan(
        "CUFF-01", (VirtualService("1810", (VirtualCharacteristic("2A35", ("indicate",)),)),)
    )

    async def seen() -> tuple[Present, ...]:
        async with BluetoothRoom() as room:
            await (await room.add(plan)).advertise()
            adapter = BluetoothAdapter(HciRadio(f"tcp-client:127.0.0.1:{room.port}"))
            return await bluetooth_devices(adapter, seconds=2)

    (found,) = asyncio.run(seen())
    assert (found.port, found.name) == (f"ble://{plan.address}", "CUFF-01")
    assert BLOOD_PRESSURE in found.services


def test_a_controller_that_is_not_there_says_so():
    adapter = BluetoothAdapter(HciRadio("tcp-client:127.0.0.1:1"))
    with pytest.raises(TransportError, match=re.escape("tcp-client:127.0.0.1:1")):
        asyncio.run(bluetooth_devices(adapter, seconds=1))


class _Session:
    def received(self, *_: object) -> Events:
        return ()


def _driver(name: str, *links: Link) -> Driver:
    return Driver(
        id=name,
        vendor="Exemplar",
        models=(),
        kind="scale",
        emits={},
        links=links,
        evidence="manual",
        session=_Session,
    )


GENERIC = _driver("gatt-blood-pressure", BleLink(services=("1810",)))
OWN = _driver("exemplar-cuff", BleLink(services=("1810",), name="EX-.*"))
CUFF = Present(
    transport="ble", port="ble://EC:21:E5:00:00:01", name="EX-651", services=frozenset({BLOOD_PRESSURE})
)


def test_a_driver_that_knows_the_device_goes_before_one_that_knows_what_it_speaks():
    assert match(CUFF, (GENERIC, OWN)) == Match("exemplar-cuff", ("exemplar-cuff", "gatt-blood-pressure"), "")


def test_another_makers_device_is_left_to_the_driver_of_the_service():
    other = Present(transport="ble", port="ble://x", name="ZZ-1", services=CUFF.services)
    assert match(other, (GENERIC, OWN)).driver == "gatt-blood-pressure"


def test_no_driver_is_proposed_where_two_fit_as_well():
    twin = _driver("other-cuff", BleLink(services=("1810",)))
    found = match(CUFF, (GENERIC, twin))
    assert found == Match(None, ("gatt-blood-pressure", "other-cuff"), "several fit")


@pytest.mark.parametrize("ids", USB_SERIAL_CHIPS)
def test_the_chip_of_a_cable_never_names_the_device_even_if_a_driver_claims_it(ids: tuple[int, int]):
    greedy = _driver("exemplar-scale", SerialLink(9600, usb_ids=(ids,)))
    found = match(Present(transport="serial", port="/dev/ttyUSB0", usb_ids=ids), (greedy,))
    assert (found.driver, found.candidates) == (None, ("exemplar-scale",))
    as_usb = _driver("exemplar-cuff", UsbLink(vendor=ids[0], product=ids[1]))
    assert match(Present(transport="usb", port="usb://", usb_ids=ids), (as_usb,)).driver is None


def test_a_makers_own_cable_names_the_device():
    meter = _driver("exemplar-meter", SerialLink(19200, usb_ids=((0x1A61, 0x3410),)))
    present = Present(transport="serial", port="/dev/ttyUSB0", usb_ids=(0x1A61, 0x3410))
    assert match(present, (meter,)).driver == "exemplar-meter"


def test_a_serial_port_tells_nothing_of_what_hangs_on_it():
    found = match(Present(transport="serial", port="/dev/ttyS0"), (_driver("a-scale", SerialLink(9600)),))
    assert found == Match(None, (), "a serial port does not tell what hangs on it")


@pytest.mark.parametrize(
    ("link", "driver"),
    [
        (UsbLink(vendor=0x0922, product=0x8003), "exemplar-usb"),
        (UsbLink(vendor=0x0922, product=0x8004), None),
        (UsbLink(vendor=0x0922, product=0x8003, interface_class=8), None),
        (UsbLink(interface_class=0x0F), "exemplar-usb"),
        (UsbLink(interface_class=3), None),
    ],
)
def test_a_usb_device_fits_by_its_ids_or_by_a_class_that_is_not_of_anything(
    link: UsbLink, driver: str | None
):
    present = Present(
        transport="usb", port="usb://", usb_ids=(0x0922, 0x8003), interface_classes=frozenset({3, 0x0F})
    )
    assert match(present, (_driver("exemplar-usb", link),)).driver == driver

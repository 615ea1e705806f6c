"""What the service can rely on from a USB device, tried through pyusb on devices that are Python objects."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from gateway.drivers import UsbLink
from gateway.errors import TransportError
from gateway.testing.virtual_usb import BULK, UsbPlan, VirtualEndpoint, VirtualUsb, VirtualUsbDevice
from gateway.transports.contract import Received
from gateway.transports.usb import UsbConnection, UsbTransport

SCALE = UsbPlan(
    0x0922, 0x8003, "0071531234567", 3, (VirtualEndpoint(0x81, packet_size=6),), kernel_driver=True
)
METER = UsbPlan(0x1A79, 0x6002, "A1", 3, (VirtualEndpoint(0x83), VirtualEndpoint(0x04)))
PHDC = UsbPlan(
    0x0419,
    0x0001,
    None,
    0x0F,
    (VirtualEndpoint(0x81, BULK), VirtualEndpoint(0x02, BULK), VirtualEndpoint(0x83)),
)
REPORT = bytes([3, 4, 3, 0xFE, 0xEC, 0x00])


def transport(*devices: VirtualUsbDevice, serial: str | None = None) -> UsbTransport:
    plan = devices[0].plan
    url = f"usb://{plan.vendor:04x}:{plan.product:04x}"
    links = (UsbLink(interface_class=plan.interface_class),)
    return UsbTransport(url, links, plan.vendor, plan.product, serial, VirtualUsb(*devices))


def plugged(
    plan: UsbPlan, scenario: Callable[[UsbConnection, VirtualUsbDevice], Awaitable[None]]
) -> VirtualUsbDevice:
    """Run `scenario` on a connection with a device of that plan."""
    device = VirtualUsbDevice(plan)

    async def run() -> None:
        connection = await transport(device).open()
        await scenario(connection, device)
        await connection.close()

    asyncio.run(run())
    readers = [thread.name for thread in threading.enumerate() if thread.name.startswith("reader of")]
    assert not readers, "a reader thread outlived its connection"
    return device


async def received(connection: UsbConnection) -> Received:
    got = await connection.receive()
    assert got is not None
    return got


def test_a_report_arrives_on_the_channel_of_its_endpoint() -> None:
    async def scenario(connection: UsbConnection, scale: VirtualUsbDevice) -> None:
        scale.speak(0x81, REPORT)
        got = await received(connection)
        assert (got.data, got.channel, got.at.tzinfo is not None) == (REPORT, "0x81", True)

    plugged(SCALE, scenario)


def test_a_device_is_known_by_its_ids_and_serial_number() -> None:
    async def scenario(connection: UsbConnection, scale: VirtualUsbDevice) -> None:
        assert connection.device.id == "usb:0922:8003:0071531234567"
        assert connection.device.serial == "0071531234567"

    plugged(SCALE, scenario)


def test_a_device_without_a_serial_number_is_known_by_where_it_is_plugged_in() -> None:
    async def scenario(connection: UsbConnection, oximeter: VirtualUsbDevice) -> None:
        assert (connection.device.id, connection.device.serial) == ("usb:0419:0001:1-1.1", None)

    plugged(PHDC, scenario)


def test_the_kernel_s_driver_is_detached_while_the_device_is_in_use_and_given_back() -> None:
    async def scenario(connection: UsbConnection, scale: VirtualUsbDevice) -> None:
        assert not scale.kernel_driver

    assert plugged(SCALE, scenario).kernel_driver


def test_bytes_go_to_the_only_out_endpoint_or_to_the_one_that_is_named() -> None:
    async def scenario(connection: UsbConnection, meter: VirtualUsbDevice) -> None:
        await connection.send(b"ABC\x01X", "")
        await connection.send(b"ABC\x01Y", "0x04")
        assert meter.written == [(0x04, b"ABC\x01X"), (0x04, b"ABC\x01Y")]

    plugged(METER, scenario)


def test_a_channel_that_the_device_lacks_is_a_key_error() -> None:
    async def scenario(connection: UsbConnection, oximeter: VirtualUsbDevice) -> None:
        await connection.subscribe("0x81")
        for refused in (
            connection.send(b"x", "0x81"),
            connection.send(b"x", "feature"),
            connection.subscribe("0x82"),
            connection.read("0x81"),
        ):
            with pytest.raises(KeyError):
                await refused

    plugged(PHDC, scenario)


def test_reports_go_through_the_control_endpoint_where_no_other_takes_them() -> None:
    async def to_scale(connection: UsbConnection, scale: VirtualUsbDevice) -> None:
        await connection.send(b"\x02\x01", "")
        await connection.send(b"\x74\xbc", "feature")
        assert scale.written == [(0x0200, b"\x02\x01"), (0x0300, b"\x74\xbc")]

    plugged(SCALE, to_scale)


def test_every_in_endpoint_is_read() -> None:
    async def scenario(connection: UsbConnection, oximeter: VirtualUsbDevice) -> None:
        oximeter.speak(0x81, bytes(900))
        oximeter.speak(0x83, b"event")
        got = {r.channel: r.data for r in [await received(connection), await received(connection)]}
        assert got == {"0x81": bytes(900), "0x83": b"event"}

    plugged(PHDC, scenario)


@pytest.mark.parametrize(("length", "packets"), [(63, [63]), (64, [64, 0]), (65, [65])])
def test_a_bulk_transfer_of_full_packets_ends_with_an_empty_one(length: int, packets: list[int]) -> None:
    async def scenario(connection: UsbConnection, oximeter: VirtualUsbDevice) -> None:
        await connection.send(bytes(length), "")
        assert [len(data) for _, data in oximeter.written] == packets

    plugged(PHDC, scenario)


def test_a_stall_is_lifted_and_what_follows_arrives() -> None:
    async def scenario(connection: UsbConnection, scale: VirtualUsbDevice) -> None:
        scale.stall(0x81)
        scale.speak(0x81, REPORT)
        assert (await received(connection)).data == REPORT

    plugged(SCALE, scenario)


def test_an_unplugged_device_is_a_transport_error_and_can_be_opened_again() -> None:
    scale = VirtualUsbDevice(SCALE)

    async def run() -> None:
        connection = await transport(scale).open()
        scale.unplug()
        with pytest.raises(TransportError, match="unplugged"):
            await connection.receive()
        await connection.close()
        with pytest.raises(TransportError, match="no such device; check that it is plugged in"):
            await transport(scale).open()
        scale.plug_in()
        again = await transport(scale).open()
        scale.speak(0x81, REPORT)
        assert (await received(again)).data == REPORT
        await again.close()

    asyncio.run(run())


def test_bytes_to_an_unplugged_device_are_a_transport_error() -> None:
    async def scenario(connection: UsbConnection, meter: VirtualUsbDevice) -> None:
        meter.unplug()
        with pytest.raises(TransportError, match="bytes not sent, unplugged"):
            await connection.send(b"x", "")

    plugged(METER, scenario)


def test_a_report_larger_than_its_endpoint_allows_is_a_transport_error() -> None:
    async def scenario(connection: UsbConnection, scale: VirtualUsbDevice) -> None:
        scale.speak(0x81, bytes(7))
        with pytest.raises(TransportError, match="too large"):
            await connection.receive()

    plugged(SCALE, scenario)


def test_one_of_several_alike_is_chosen_by_its_serial_number() -> None:
    first, second = (
        VirtualUsbDevice(METER),
        VirtualUsbDevice(UsbPlan(0x1A79, 0x6002, "B2", 3, METER.endpoints)),
    )

    async def run() -> None:
        connection = await transport(first, second, serial="B2").open()
        second.speak(0x83, b"mine")
        assert (await received(connection)).data == b"mine"
        await connection.close()
        with pytest.raises(TransportError, match="2 such devices; write usb://VID:PID:SERIAL"):
            await transport(first, second).open()

    asyncio.run(run())


def test_a_device_that_another_program_holds_is_refused() -> None:
    meter = VirtualUsbDevice(METER)

    async def run() -> None:
        connection = await transport(meter).open()
        with pytest.raises(TransportError, match="another program holds it"):
            await transport(meter).open()
        await connection.close()

    asyncio.run(run())


def test_a_device_that_this_user_may_not_use_says_what_to_install() -> None:
    forbidden = VirtualUsbDevice(UsbPlan(0x0922, 0x8003, None, 3, SCALE.endpoints, permitted=False))
    with pytest.raises(TransportError, match="install the udev rule"):
        asyncio.run(transport(forbidden).open())


def test_a_device_without_the_wanted_interface_is_refused() -> None:
    meter = VirtualUsbDevice(METER)
    links = (UsbLink(interface_class=0x0F),)
    wanted = UsbTransport("usb://1a79:6002", links, 0x1A79, 0x6002, None, VirtualUsb(meter))
    with pytest.raises(TransportError, match="no interface of class 0x0F to read from"):
        asyncio.run(wanted.open())


def test_closing_ends_a_receive_that_waits() -> None:
    async def scenario(connection: UsbConnection, scale: VirtualUsbDevice) -> None:
        waiting = asyncio.ensure_future(connection.receive())
        await asyncio.sleep(0)
        await connection.close()
        assert await waiting is None

    plugged(SCALE, scenario)


SCALE_DESCRIPTOR = bytes.fromhex("05 8D 09 20 A1 01 85 03 95 05 75 08 81 02 C0")
KEYBOARD_DESCRIPTOR = bytes.fromhex("05 01 09 06 A1 01 05 07 19 00 29 65 81 00 C0")


def used(descriptor: bytes) -> UsbTransport:
    """A transport to a device that shows that descriptor, for a driver that wants weighing devices."""
    device = VirtualUsbDevice(replace(SCALE, report_descriptor=descriptor))
    links = (UsbLink(interface_class=3, usage=(0x8D, 0x20)),)
    return UsbTransport("usb://0922:8003", links, 0x0922, 0x8003, None, VirtualUsb(device))


@pytest.mark.parametrize("descriptor", [SCALE_DESCRIPTOR, b""])
def test_an_interface_with_the_usage_or_one_that_does_not_tell_is_taken(descriptor: bytes) -> None:
    async def run() -> None:
        connection = await used(descriptor).open()
        await connection.close()

    asyncio.run(run())


def test_an_interface_for_another_use_is_refused_and_given_back() -> None:
    refused = used(KEYBOARD_DESCRIPTOR)
    with pytest.raises(TransportError, match="no interface of class 0x03 and usage 0x8D:0x20"):
        asyncio.run(refused.open())
    assert isinstance(refused.backend, VirtualUsb)
    (device,) = refused.backend.enumerate_devices()
    assert device.kernel_driver


def test_the_one_device_of_the_class_or_the_ids_needs_no_ids_in_its_port() -> None:
    oximeter, scale = VirtualUsbDevice(PHDC), VirtualUsbDevice(SCALE)
    bus = VirtualUsb(oximeter, scale)

    async def ids(*links: UsbLink) -> str | None:
        connection = await UsbTransport("usb://", links, backend=bus).open()
        await connection.close()
        return connection.device.id

    assert asyncio.run(ids(UsbLink(interface_class=0x0F))) == "usb:0419:0001:1-1.1"
    assert asyncio.run(ids(UsbLink(vendor=0x0922, product=0x8003))) == "usb:0922:8003:0071531234567"
    with pytest.raises(TransportError, match="no such device"):
        asyncio.run(ids(UsbLink(interface_class=3, usage=(0x8D, 0x20))))


def test_a_stalled_write_is_a_transport_error_and_the_stall_is_lifted() -> None:
    async def scenario(connection: UsbConnection, meter: VirtualUsbDevice) -> None:
        meter.stall(0x04)
        with pytest.raises(TransportError, match="bytes not sent, the device refuses them"):
            await connection.send(b"x", "")
        await connection.send(b"y", "")
        assert meter.written == [(0x04, b"y")]

    plugged(METER, scenario)


def test_a_device_that_takes_no_bytes_is_a_transport_error() -> None:
    async def scenario(connection: UsbConnection, meter: VirtualUsbDevice) -> None:
        meter.is_deaf = True
        with pytest.raises(TransportError, match="bytes not sent, the device takes none"):
            await connection.send(b"x", "")

    plugged(METER, scenario)


def test_a_packet_that_is_not_full_arrives_as_it_is() -> None:
    async def scenario(connection: UsbConnection, scale: VirtualUsbDevice) -> None:
        scale.speak(0x81, REPORT[:4])
        assert (await received(connection)).data == REPORT[:4]

    plugged(SCALE, scenario)

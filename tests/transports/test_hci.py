"""What bleak can rely on from a controller that is driven over HCI."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from bleak import BleakClient
from bleak.backends.device import BLEDevice
from bleak.exc import BleakError, BleakGATTProtocolError
from bumble.hci import Address

from gateway.errors import TransportError
from gateway.testing.ble_plan import PeripheralPlan, VirtualCharacteristic, VirtualService
from gateway.testing.ble_room import BluetoothRoom
from gateway.testing.virtual_ble import VirtualPeripheral
from gateway.transports.hci import HciClient, HciRadio

PLAN = PeripheralPlan(
    "CUFF-01",
    (
        VirtualService(
            "1810",
            (
                VirtualCharacteristic("2A35", ("indicate",)),
                VirtualCharacteristic("2A08", ("read", "write"), b"clock", encrypted=True),
                VirtualCharacteristic("2A49", ("read", "notify"), bytes(300)),
            ),
        ),
    ),
)
Scenario = Callable[[HciRadio, VirtualPeripheral], Awaitable[None]]


def powered(scenario: Scenario) -> None:
    """Run `scenario` with a controller that is on, and a device that does not advertise yet."""

    async def run() -> None:
        async with BluetoothRoom() as room:
            peripheral = await room.add(PLAN)
            radio = HciRadio(f"tcp-client:127.0.0.1:{room.port}")
            await radio.power_on(lambda: None)
            await scenario(radio, peripheral)
            await radio.power_off()

    asyncio.run(run())


def client(radio: HciRadio, attempt_s: float = 30.0) -> BleakClient:
    device = BLEDevice(PLAN.address, PLAN.name, Address(PLAN.address))
    return BleakClient(device, timeout=attempt_s, backend=HciClient, radio=radio)


async def read_for_ever(connected: BleakClient) -> None:
    while True:
        await connected.read_gatt_char("2A49")


def test_an_attempt_that_times_out_leaves_the_controller_free_for_the_next() -> None:
    async def scenario(radio: HciRadio, peripheral: VirtualPeripheral) -> None:
        with pytest.raises(BleakError):
            await client(radio, attempt_s=0.05).connect()
        await peripheral.advertise()
        async with client(radio):
            await peripheral.connected()

    powered(scenario)


def test_an_attempt_that_is_given_up_leaves_the_controller_free_for_the_next() -> None:
    async def scenario(radio: HciRadio, peripheral: VirtualPeripheral) -> None:
        connecting = asyncio.ensure_future(client(radio).connect())
        await asyncio.wait({connecting}, timeout=0.05)
        connecting.cancel()
        await asyncio.wait({connecting})
        assert connecting.cancelled()
        await peripheral.advertise()
        async with client(radio):
            await peripheral.connected()

    powered(scenario)


def test_an_att_error_keeps_its_code() -> None:
    async def scenario(radio: HciRadio, peripheral: VirtualPeripheral) -> None:
        await peripheral.advertise()
        async with client(radio) as connected:
            with pytest.raises(BleakGATTProtocolError) as refusal:
                await connected.read_gatt_char("2A08")
            assert refusal.value.code == 0x0F
            await connected.pair()
            assert await connected.read_gatt_char("2A08") == b"clock"

    powered(scenario)


def test_a_value_longer_than_one_packet_is_read_whole() -> None:
    async def scenario(radio: HciRadio, peripheral: VirtualPeripheral) -> None:
        await peripheral.advertise()
        async with client(radio) as connected:
            assert await connected.read_gatt_char("2A49") == bytes(300)

    powered(scenario)


def test_a_subscription_can_be_taken_back() -> None:
    async def scenario(radio: HciRadio, peripheral: VirtualPeripheral) -> None:
        await peripheral.advertise()
        async with client(radio) as connected:
            arrived: list[bytes] = []
            await connected.start_notify("2A35", lambda _, value: arrived.append(bytes(value)))
            assert await peripheral.indicate("2A35", b"\x01")
            await connected.stop_notify("2A35")
            assert not await peripheral.indicate("2A35", b"\x02")
            assert arrived == [b"\x01"]

    powered(scenario)


def test_a_device_that_leaves_in_the_middle_of_an_answer_ends_the_wait() -> None:
    async def scenario(radio: HciRadio, peripheral: VirtualPeripheral) -> None:
        await peripheral.advertise()
        connected = client(radio)
        await connected.connect()
        leaving = asyncio.ensure_future(peripheral.power_off())
        with pytest.raises(BleakError):
            await read_for_ever(connected)
        await leaving
        assert not connected.is_connected

    powered(scenario)


def test_a_controller_that_leaves_in_the_middle_of_connecting_ends_the_wait() -> None:
    async def run() -> None:
        lost = asyncio.Event()
        async with BluetoothRoom() as room:
            await room.add(PLAN)
            radio = HciRadio(f"tcp-client:127.0.0.1:{room.port}")
            await radio.power_on(lost.set)
            connecting = asyncio.ensure_future(client(radio).connect())
            await asyncio.wait({connecting}, timeout=0.05)
            room.drop_clients()
            with pytest.raises(BleakError):
                await connecting
            await lost.wait()
            with pytest.raises(BleakError, match="is gone"):
                await client(radio).connect()

    asyncio.run(run())


@pytest.mark.parametrize("port", ["tcp-client:nowhere", "nonsense:5", "usb:there-is-none"])
def test_a_controller_that_is_not_to_be_had_is_a_transport_error(port: str) -> None:
    async def run() -> None:
        with pytest.raises(TransportError, match="not to be had"):
            await HciRadio(port).power_on(lambda: None)

    asyncio.run(run())

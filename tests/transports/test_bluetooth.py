"""What the service can rely on from Bluetooth LE, tried on simulated radios over real HCI sockets."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from bleak import BleakScanner
from bleak.backends.scanner import AdvertisementDataCallback
from bumble.pairing import PairingConfig, PairingDelegate

from gateway.drivers import BleLink
from gateway.errors import RefusedError, StoreError, TransportError
from gateway.testing.ble_plan import PeripheralPlan, VirtualCharacteristic, VirtualService
from gateway.testing.ble_room import BluetoothRoom
from gateway.testing.virtual_ble import VirtualPeripheral
from gateway.transports.bluetooth import BleConnection, BleTransport
from gateway.transports.bluetooth_adapter import BluetoothAdapter
from gateway.transports.contract import Keep, Received
from gateway.transports.hci import HciRadio

MEASUREMENT = bytes.fromhex("1E7C004F005D00E40707010A0E1E4800010000")
LINK = BleLink(services=("1810",))
CUFF = PeripheralPlan(
    name="CUFF-01",
    services=(
        VirtualService(
            "1810",
            (
                VirtualCharacteristic("2A35", ("indicate",)),
                VirtualCharacteristic("2A36", ("notify",)),
                VirtualCharacteristic("2A08", ("read", "write"), bytes.fromhex("E40707010A0E1E")),
                VirtualCharacteristic("2A52", ("write-without-response",)),
            ),
        ),
        VirtualService(
            "233BF000-5A34-1B6D-975C-000D5690ABE4",
            (VirtualCharacteristic("233BF001-5A34-1B6D-975C-000D5690ABE4", ("read",), b"\x01"),),
            advertised=False,
        ),
    ),
)
PASSKEY = 52_731
LOCKED = PeripheralPlan(
    name="LOCKED-01",
    services=(
        VirtualService(
            "1810",
            (
                VirtualCharacteristic("2A35", ("indicate",), encrypted=True),
                VirtualCharacteristic("2A08", ("read", "write"), b"clock", encrypted=True),
            ),
        ),
    ),
)


def transport(room: BluetoothRoom, target: str = "CUFF-01", keep: Keep | None = None) -> BleTransport:
    """A gateway of its own in the room, with a controller of its own."""
    adapter = BluetoothAdapter(HciRadio(f"tcp-client:127.0.0.1:{room.port}"))
    return BleTransport(f"ble://{target}", target, LINK, adapter, keep, hold_off_s=0.0)


@asynccontextmanager
async def room_with(plan: PeripheralPlan = CUFF) -> AsyncIterator[tuple[BluetoothRoom, VirtualPeripheral]]:
    async with BluetoothRoom() as room:
        peripheral = await room.add(plan)
        await peripheral.advertise()
        yield room, peripheral


def connected(
    scenario: Callable[[BleConnection, VirtualPeripheral], Awaitable[None]],
    plan: PeripheralPlan = CUFF,
    keep: Keep | None = None,
) -> None:
    """Run `scenario` on a connection with a device of that plan."""

    async def run() -> None:
        async with room_with(plan) as (room, peripheral):
            connection = await transport(room, plan.name, keep).open()
            await scenario(connection, peripheral)
            await connection.close()
            await peripheral.disconnected()

    asyncio.run(run())


async def received(connection: BleConnection) -> Received:
    got = await connection.receive()
    assert got is not None
    return got


def test_an_indication_arrives_on_the_channel_as_the_session_spells_it_and_is_confirmed() -> None:
    async def scenario(connection: BleConnection, cuff: VirtualPeripheral) -> None:
        await connection.subscribe("2A35")
        assert await cuff.indicate("2A35", MEASUREMENT) is True
        got = await received(connection)
        assert (got.data, got.channel, got.at.tzinfo is not None) == (MEASUREMENT, "2A35", True)

    connected(scenario)


def test_the_device_is_known_by_its_address() -> None:
    async def scenario(connection: BleConnection, cuff: VirtualPeripheral) -> None:
        assert connection.device.id == cuff.plan.address

    connected(scenario)


def test_a_notification_arrives() -> None:
    async def scenario(connection: BleConnection, cuff: VirtualPeripheral) -> None:
        await connection.subscribe("2a36")
        await cuff.notify("2A36", b"\x01\x02")
        got = await received(connection)
        assert (got.data, got.channel) == (b"\x01\x02", "2a36")

    connected(scenario)


def test_values_arrive_once_each_and_in_order() -> None:
    async def scenario(connection: BleConnection, cuff: VirtualPeripheral) -> None:
        await connection.subscribe("2A35")
        for number in range(50):
            await cuff.indicate("2A35", bytes([number]))
        assert [(await received(connection)).data[0] for _ in range(50)] == list(range(50))

    connected(scenario)


def test_the_present_value_comes_by_receive() -> None:
    async def scenario(connection: BleConnection, cuff: VirtualPeripheral) -> None:
        await connection.read("2A08")
        got = await received(connection)
        assert (got.data, got.channel) == (bytes.fromhex("E40707010A0E1E"), "2A08")

    connected(scenario)


def test_what_is_written_reaches_the_device_with_and_without_its_answer() -> None:
    async def scenario(connection: BleConnection, cuff: VirtualPeripheral) -> None:
        await connection.send(b"\xe4\x07", "2A08")
        await connection.send(b"\x01\x01", "2A52")
        await cuff.writes(2)
        assert cuff.written == [("2A08", b"\xe4\x07"), ("2A52", b"\x01\x01")]

    connected(scenario)


def test_a_channel_that_the_device_lacks_is_a_key_error() -> None:
    async def scenario(connection: BleConnection, cuff: VirtualPeripheral) -> None:
        for refused in (
            connection.subscribe("2A9D"),
            connection.read("2A9D"),
            connection.send(b"", "no uuid"),
        ):
            with pytest.raises(KeyError):
                await refused

    connected(scenario)


def test_a_refusal_of_the_device_is_a_transport_error_and_the_connection_goes_on() -> None:
    async def scenario(connection: BleConnection, cuff: VirtualPeripheral) -> None:
        with pytest.raises(TransportError, match="neither notifies nor indicates"):
            await connection.subscribe("2A08")
        await connection.read("2A08")

    connected(scenario)


def test_what_arrived_before_the_device_hung_up_is_still_received() -> None:
    async def scenario(connection: BleConnection, cuff: VirtualPeripheral) -> None:
        await connection.subscribe("2A35")
        await cuff.indicate("2A35", MEASUREMENT)
        await cuff.disconnect()
        assert (await received(connection)).data == MEASUREMENT
        for _ in range(2):
            assert await connection.receive() is None
        with pytest.raises(TransportError):
            await connection.send(b"\x00", "2A08")

    connected(scenario)


def test_a_device_that_vanishes_ends_the_connection() -> None:
    async def run() -> None:
        async with room_with() as (room, cuff):
            connection = await transport(room).open()
            await cuff.power_off()
            assert await connection.receive() is None
            await connection.close()

    asyncio.run(run())


def test_closing_ends_a_receive_that_waits() -> None:
    async def scenario(connection: BleConnection, cuff: VirtualPeripheral) -> None:
        waiting = asyncio.ensure_future(connection.receive())
        await asyncio.sleep(0)
        await connection.close()
        assert await waiting is None

    connected(scenario)


def test_a_device_is_connected_with_each_time_it_wakes() -> None:
    async def run() -> None:
        async with room_with() as (room, cuff):
            waiting = transport(room)
            for number in range(5):
                connection = await waiting.open()
                await connection.subscribe("2A35")
                assert await cuff.indicate("2A35", bytes([number]))
                await cuff.disconnect()
                assert (await received(connection)).data == bytes([number])
                assert await connection.receive() is None
                await connection.close()

    asyncio.run(run())


@pytest.mark.parametrize("target", ["CUFF-02", "f0:f1:f2:f3:f4:02"])
def test_the_device_that_is_meant_is_found_among_others(target: str) -> None:
    async def run() -> None:
        async with BluetoothRoom() as room:
            for number in (1, 2, 3):
                plan = PeripheralPlan(f"CUFF-0{number}", CUFF.services, f"F0:F1:F2:F3:F4:0{number}")
                await (await room.add(plan)).advertise()
            connection = await transport(room, target).open()
            assert connection.device.id == "F0:F1:F2:F3:F4:02"
            await connection.close()

    asyncio.run(run())


def test_without_a_name_any_device_with_the_link_s_services_will_do() -> None:
    async def run() -> None:
        async with BluetoothRoom() as room:
            scale = PeripheralPlan("SCALE", (VirtualService("181D", ()),), "F0:F1:F2:F3:F4:07")
            await (await room.add(scale)).advertise()
            await (await room.add(CUFF)).advertise()
            connection = await transport(room, "").open()
            assert connection.device.id == CUFF.address
            await connection.close()

    asyncio.run(run())


def test_opening_waits_until_the_device_advertises() -> None:
    async def run() -> None:
        async with BluetoothRoom() as room:
            cuff = await room.add(CUFF)
            opening = asyncio.ensure_future(transport(room).open())
            await asyncio.wait({opening}, timeout=0.1)
            assert not opening.done()
            await cuff.advertise()
            await (await opening).close()

    asyncio.run(run())


def test_opening_can_be_given_up_while_it_waits() -> None:
    async def run() -> None:
        async with BluetoothRoom() as room:
            opening = asyncio.ensure_future(transport(room).open())
            await asyncio.wait({opening}, timeout=0.1)
            opening.cancel()
            await asyncio.wait({opening})
            assert opening.cancelled()

    asyncio.run(run())


def test_a_protected_value_is_read_after_pairing() -> None:
    async def scenario(connection: BleConnection, locked: VirtualPeripheral) -> None:
        await connection.read("2A08")
        assert (await received(connection)).data == b"clock"

    connected(scenario, LOCKED)


def test_a_protected_indication_arrives_once_after_pairing() -> None:
    async def scenario(connection: BleConnection, locked: VirtualPeripheral) -> None:
        await connection.subscribe("2A35")
        assert await locked.indicate("2A35", MEASUREMENT)
        assert (await received(connection)).data == MEASUREMENT
        await locked.disconnect()
        assert await connection.receive() is None

    connected(scenario, LOCKED)


def test_a_bond_holds_over_the_next_connection() -> None:
    async def run() -> None:
        async with room_with(LOCKED) as (room, locked):
            waiting = transport(room, "LOCKED-01")
            for _ in range(2):
                connection = await waiting.open()
                await connection.read("2A08")
                assert (await received(connection)).data == b"clock"
                await connection.close()
                await locked.disconnected()
            assert locked.pairings == 1

    asyncio.run(run())


class Typist(PairingDelegate):
    """The person who pairs with the system's tool, and types what stands on the label."""

    def __init__(self) -> None:
        super().__init__(PairingDelegate.KEYBOARD_INPUT_ONLY)
        self.asked = 0

    async def get_number(self) -> int:
        self.asked += 1
        return PASSKEY


def test_a_device_that_a_person_paired_by_its_passkey_serves_every_connection_of_the_gateway() -> None:
    async def run() -> None:
        async with room_with(replace(LOCKED, passkey=PASSKEY)) as (room, locked):
            radio = HciRadio(room.name)
            await radio.power_on(lambda: None)
            person = Typist()
            radio.device.pairing_config_factory = lambda _: PairingConfig(delegate=person)
            by_hand = await radio.device.connect(locked.address)
            await by_hand.pair()
            await by_hand.disconnect()
            radio.device.pairing_config_factory = lambda _: PairingConfig()
            waiting = BleTransport(
                "ble://LOCKED-01", "LOCKED-01", LINK, BluetoothAdapter(radio), hold_off_s=0.0
            )
            for _ in range(2):
                connection = await waiting.open()
                await connection.read("2A08")
                assert (await received(connection)).data == b"clock"
                await connection.close()
                await locked.disconnected()
            assert (person.asked, locked.pairings) == (1, 1)

    asyncio.run(run())


def test_a_device_that_wants_a_passkey_is_refused_with_what_a_person_has_to_do() -> None:
    async def scenario(connection: BleConnection, locked: VirtualPeripheral) -> None:
        with pytest.raises(TransportError, match="bears a passkey, pair it once with the system's own tool"):
            await connection.subscribe("2A35")
        assert locked.pairings == 0

    connected(scenario, replace(LOCKED, passkey=PASSKEY))


def test_a_controller_whose_kept_pairings_are_damaged_says_which_file_to_remove(tmp_path: Path) -> None:
    HciRadio("usb:0", tmp_path / "keys")
    (file,) = (tmp_path / "keys").iterdir()
    file.write_text("{}")
    with pytest.raises(TransportError, match="remove it, and pair the devices again"):
        HciRadio("usb:0", tmp_path / "keys")
    assert (tmp_path / "keys").stat().st_mode & 0o077 == 0


def test_a_device_that_has_lost_its_bond_is_not_paired_again_by_itself() -> None:
    async def run() -> None:
        async with room_with(LOCKED) as (room, locked):
            waiting = transport(room, "LOCKED-01")
            connection = await waiting.open()
            await connection.read("2A08")
            await connection.close()
            await locked.power_off()
            reset = await room.add(LOCKED)
            await reset.advertise()
            connection = await waiting.open()
            with pytest.raises(TransportError, match="remove an old pairing at both ends"):
                await connection.read("2A08")
            await connection.close()
            assert reset.pairings == 0

    asyncio.run(run())


def test_a_value_is_kept_before_its_indication_is_confirmed() -> None:
    journal: list[bytes] = []

    async def scenario(connection: BleConnection, cuff: VirtualPeripheral) -> None:
        await connection.subscribe("2A35")
        assert await cuff.indicate("2A35", MEASUREMENT)
        assert journal == [MEASUREMENT]

    connected(scenario, keep=lambda received: journal.append(received.data))


def test_a_value_that_cannot_be_kept_is_not_confirmed_and_ends_the_connection() -> None:
    def disk_full(_: Received) -> None:
        raise StoreError("disk full")

    async def scenario(connection: BleConnection, cuff: VirtualPeripheral) -> None:
        await connection.subscribe("2A35")
        indication = asyncio.ensure_future(cuff.indicate("2A35", MEASUREMENT))
        with pytest.raises(TransportError, match="could not be put on disk"):
            await connection.receive()
        await connection.close()
        assert await indication is False

    connected(scenario, keep=disk_full)


def test_an_adapter_that_goes_ends_its_connections_and_can_come_back() -> None:
    async def run() -> None:
        async with room_with() as (room, cuff):
            gateway = transport(room)
            connection = await gateway.open()
            room.drop_clients()
            assert await connection.receive() is None
            await cuff.disconnected()
            await connection.close()
            again = await gateway.open()
            await again.read("2A08")
            await again.close()

    asyncio.run(run())


def test_an_adapter_that_goes_is_told_to_whoever_waits_for_a_device() -> None:
    async def run() -> None:
        async with BluetoothRoom() as room:
            opening = asyncio.ensure_future(transport(room).open())
            await room.occupied()
            await asyncio.wait({opening}, timeout=0.1)
            room.drop_clients()
            with pytest.raises(TransportError, match="Bluetooth controller tcp-client"):
                await opening

    asyncio.run(run())


def test_an_adapter_that_is_not_there_is_a_transport_error() -> None:
    async def run() -> None:
        async with BluetoothRoom() as room:
            pass
        with pytest.raises(TransportError, match="not to be had"):
            await transport(room).open()

    asyncio.run(run())


def test_devices_that_wake_together_are_all_served_over_one_adapter() -> None:
    names = [f"CUFF-{number:02}" for number in range(10)]

    async def measure(gateway: BleTransport, cuff: VirtualPeripheral) -> bytes:
        connection = await gateway.open()
        await connection.subscribe("2A35")
        await cuff.indicate("2A35", gateway.target.encode())
        got = await received(connection)
        await connection.close()
        return got.data

    async def run() -> None:
        async with BluetoothRoom() as room:
            cuffs = [
                await room.add(PeripheralPlan(name, CUFF.services, f"F0:F1:F2:F3:F4:{index:02}"))
                for index, name in enumerate(names)
            ]
            adapter = transport(room).adapter
            gateways = [BleTransport(f"ble://{name}", name, LINK, adapter) for name in names]
            measured = [asyncio.ensure_future(measure(*pair)) for pair in zip(gateways, cuffs, strict=True)]
            for cuff in cuffs:
                await cuff.advertise()
            assert await asyncio.gather(*measured) == [name.encode() for name in names]

    asyncio.run(run())


def test_a_scan_that_hears_nothing_at_all_is_begun_anew() -> None:
    class CountedRadio(HciRadio):
        scans = 0
        third = asyncio.Event()

        def scanner(self, seen: AdvertisementDataCallback) -> BleakScanner:
            self.scans += 1
            if self.scans == 3:
                self.third.set()
            return super().scanner(seen)

    async def run() -> None:
        async with BluetoothRoom() as room:
            cuff = await room.add(CUFF)
            radio = CountedRadio(f"tcp-client:127.0.0.1:{room.port}")
            adapter = BluetoothAdapter(radio, silence_s=0.05)
            opening = asyncio.ensure_future(BleTransport("ble://", "", LINK, adapter).open())
            third = asyncio.ensure_future(radio.third.wait())
            await asyncio.wait((opening, third), return_when=asyncio.FIRST_COMPLETED)
            assert third.done(), opening
            adapter._silence_s = 3600.0  # a device is heard at its second advertisement, however slow we are
            await cuff.advertise()
            await (await opening).close()

    asyncio.run(run())


def test_closing_one_connection_says_nothing_of_an_adapter_that_others_wait_for() -> None:
    async def run() -> None:
        async with room_with() as (room, _):
            gateway = transport(room)
            connection = await gateway.open()
            waiting = BleTransport("ble://OTHER", "OTHER", LINK, gateway.adapter)
            opening = asyncio.ensure_future(waiting.open())
            await asyncio.wait({opening}, timeout=0.05)
            await room.close()
            with pytest.raises(TransportError):
                await opening
            await connection.close()

    asyncio.run(run())


def test_a_device_that_comes_back_under_another_address_is_known_by_its_name() -> None:
    async def run() -> None:
        async with room_with() as (room, cuff):
            waiting = transport(room)
            first = await waiting.open()
            await cuff.power_off()
            assert await first.receive() is None
            await first.close()
            moved = await room.add(PeripheralPlan(CUFF.name, CUFF.services, "F0:F1:F2:F3:F4:99"))
            await moved.advertise()
            second = await waiting.open()
            assert second.device.id == "F0:F1:F2:F3:F4:99"
            await second.close()

    asyncio.run(run())


PRIVATE = PeripheralPlan("LOCKED-01", LOCKED.services, "F0:F1:F2:F3:F4:77", private=True)


def test_a_paired_device_that_changes_its_address_is_known_by_the_one_that_it_told() -> None:
    async def run() -> None:
        async with room_with(PRIVATE) as (room, private):
            gateway = transport(room, "LOCKED-01")
            first = await gateway.open()
            seen_at_first = first.device.id
            await first.read("2A08")
            assert (await received(first)).data == b"clock"
            await first.close()
            await private.disconnected()
            await private.change_address()
            known = BleTransport("ble://x", PRIVATE.address, LINK, gateway.adapter, hold_off_s=0.0)
            second = await known.open()
            await second.read("2A08")
            assert (await received(second)).data == b"clock"
            assert second.device.id == PRIVATE.address != seen_at_first
            assert private.pairings == 1
            await second.close()

    asyncio.run(run())


def test_each_of_several_adapters_serves_its_own_devices_and_fails_alone() -> None:
    async def run() -> None:
        async with BluetoothRoom() as room:
            cuffs = []
            for number in (1, 2):
                plan = PeripheralPlan(f"CUFF-0{number}", CUFF.services, f"F0:F1:F2:F3:F4:0{number}")
                cuffs.append(await room.add(plan))
                await cuffs[-1].advertise()
            gateways = [transport(room, f"CUFF-0{number}") for number in (1, 2)]
            first, second = await asyncio.gather(*(gateway.open() for gateway in gateways))
            for connection, cuff in ((first, cuffs[0]), (second, cuffs[1])):
                await connection.subscribe("2A35")
                assert await cuff.indicate("2A35", cuff.plan.name.encode())
                assert (await received(connection)).data == cuff.plan.name.encode()
            room.drop_client(serving=cuffs[0])
            assert await first.receive() is None
            assert await cuffs[1].indicate("2A35", b"still here")
            assert (await received(second)).data == b"still here"
            await first.close()
            again = await gateways[0].open()
            assert again.device.id == cuffs[0].plan.address
            await again.close()
            await second.close()

    asyncio.run(run())


def test_a_device_that_wakes_is_served_while_ten_others_are_connected_and_talk() -> None:
    async def run() -> None:
        async with BluetoothRoom() as room:
            adapter = transport(room).adapter
            talking = []
            connections = []
            for number in range(10):
                plan = PeripheralPlan(f"CUFF-{number:02}", CUFF.services, f"F0:F1:F2:F3:F4:{number:02}")
                cuff = await room.add(plan)
                await cuff.advertise()
                connection = await BleTransport("ble://x", plan.name, LINK, adapter).open()
                await connection.subscribe("2A36")
                talking.append(asyncio.create_task(_talk(cuff)))
                connections.append(connection)
            late = await room.add(PeripheralPlan("LATE", CUFF.services, "F0:F1:F2:F3:F4:99"))
            opening = asyncio.create_task(BleTransport("ble://LATE", "LATE", LINK, adapter).open())
            await late.advertise()
            async with asyncio.timeout(30):
                connection = await opening
                await connection.subscribe("2A35")
                assert await late.indicate("2A35", MEASUREMENT)
                assert (await received(connection)).data == MEASUREMENT
                for busy in connections:  # and none of the ten was starved for it
                    assert (await received(busy)).data == b"pressure"
            for task in talking:
                task.cancel()
            await asyncio.gather(*talking, return_exceptions=True)
            for each in (connection, *connections):
                await each.close()

    asyncio.run(run())


async def _talk(cuff: VirtualPeripheral) -> None:
    while True:
        await cuff.notify("2A36", b"pressure")
        await asyncio.sleep(0.02)


def test_what_is_only_notified_is_not_journalled_for_nobody_confirms_it() -> None:
    journal: list[bytes] = []

    async def scenario(connection: BleConnection, cuff: VirtualPeripheral) -> None:
        await connection.subscribe("2A36")
        await connection.subscribe("2A35")
        await cuff.notify("2A36", b"pressure")
        assert (await received(connection)).data == b"pressure"
        assert await cuff.indicate("2A35", MEASUREMENT)
        assert journal == [MEASUREMENT]

    connected(scenario, keep=lambda received: journal.append(received.data))


def test_a_write_that_the_device_refuses_is_told_apart_from_a_lost_connection() -> None:
    async def scenario(connection: BleConnection, cuff: VirtualPeripheral) -> None:
        with pytest.raises(RefusedError):
            await connection.send(b"\x00", "233BF001-5A34-1B6D-975C-000D5690ABE4")
        await connection.send(b"\xe4\x07", "2A08")
        await cuff.disconnect()
        with pytest.raises(TransportError) as lost:
            await connection.send(b"\x00", "2A08")
        assert not isinstance(lost.value, RefusedError)

    connected(scenario)


def test_a_device_that_leaves_while_it_is_asked_for_is_waited_for_again() -> None:
    async def run() -> None:
        async with room_with() as (room, cuff):
            waiting = transport(room)
            opening = asyncio.ensure_future(waiting.open())
            await cuff.connected()
            await cuff.disconnect()
            connection = await opening
            await connection.read("2A08")
            assert (await received(connection)).channel == "2A08"
            await connection.close()

    asyncio.run(run())

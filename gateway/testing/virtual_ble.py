"""One simulated Bluetooth LE device, in a room or on the air.

What was written to it is on record, and of an indication it knows whether it was confirmed.
"""

import asyncio
import contextlib
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from bumble.att import ATT_Error, Attribute, ErrorCode
from bumble.core import BaseBumbleError
from bumble.device import Connection, Device, DeviceConfiguration
from bumble.gatt import (
    GATT_CLIENT_CHARACTERISTIC_CONFIGURATION_DESCRIPTOR,
    Characteristic,
    CharacteristicValue,
    Descriptor,
    Service,
)
from bumble.hci import Address, HCI_LE_Set_Random_Address_Command
from bumble.host import Host
from bumble.keys import PairingKeys
from bumble.pairing import PairingConfig, PairingDelegate

from gateway.testing.ble_plan import (
    PeripheralPlan,
    VirtualCharacteristic,
    VirtualService,
    advertisement,
    legacy_advertisement,
)

_PROPERTIES = {
    "read": Characteristic.Properties.READ,
    "write": Characteristic.Properties.WRITE,
    "write-without-response": Characteristic.Properties.WRITE_WITHOUT_RESPONSE,
    "notify": Characteristic.Properties.NOTIFY,
    "indicate": Characteristic.Properties.INDICATE,
}
_ADVERTISING_INTERVAL_MS = 20.0
_WRITES = {"write", "write-without-response"}


class _Label(PairingDelegate):
    """Of a device that shows a passkey, has no keys, and pairs with nobody who does not type it."""

    def __init__(self, passkey: int) -> None:
        super().__init__(PairingDelegate.DISPLAY_OUTPUT_ONLY)
        self._passkey = passkey

    async def generate_passkey(self) -> int:
        return self._passkey

    async def confirm(self, auto: bool = False) -> bool:  # noqa: ARG002 - however it came to be asked
        return False


@dataclass(slots=True)
class _State:
    """What a peripheral has been through, and who waits for it to change."""

    connections: list[Connection] = field(default_factory=list)
    subscribed: set[str] = field(default_factory=set)
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class VirtualPeripheral:
    """A device in the room, or on an adapter.

    Parameters
    ----------
    plan : PeripheralPlan
    host : Host
        Of the controller that it has.
    leave : callable, optional
        Takes that controller out of the room without a word on the link.

    Attributes
    ----------
    plan : PeripheralPlan
    written : list of (str, bytes)
        Everything that was written, with the characteristic's UUID as the plan spells it.
    pairings : int
        How often somebody has paired with it; a bonded gateway that comes back does not.
    on_write : callable, optional
        Called with the same, to answer as the device would. It must not wait.
    """

    def __init__(self, plan: PeripheralPlan, host: Host, *, leave: Callable[[], None] | None = None) -> None:
        self.plan = plan
        self.written: list[tuple[str, bytes]] = []
        self.pairings = 0
        self.on_write: Callable[[str, bytes], None] | None = None
        self._state = _State()
        self._leave = leave
        self._device = Device(config=_configuration(plan), host=host)
        self._characteristics: dict[str, Characteristic[bytes]] = {}
        self._values: dict[str, bytes] = {}
        self._refused: set[str] = set()
        self._device.add_services([self._service(service) for service in plan.services])
        if leave is None:
            self._device.advertising_data, self._device.scan_response_data = legacy_advertisement(plan)
        else:  # a simulated controller answers each scan with its advertisement again
            self._device.advertising_data = advertisement(plan)
        if plan.passkey is not None:
            label = _Label(plan.passkey)
            self._device.pairing_config_factory = lambda _: PairingConfig(delegate=label)
        self._device.on(Device.EVENT_CONNECTION, self._connected)

    async def power_on(self) -> None:
        await self._device.power_on()

    async def advertise(self) -> None:
        """Be found, now and after every disconnection."""
        await self._device.start_advertising(
            auto_restart=True,
            advertising_interval_min=_ADVERTISING_INTERVAL_MS,
            advertising_interval_max=_ADVERTISING_INTERVAL_MS,
        )

    async def fall_silent(self) -> None:
        """Stop advertising; a connection goes on."""
        await self._device.stop_advertising()

    async def change_address(self) -> None:
        """Be seen under another address from now on, as a private device is every few minutes."""
        await self.fall_silent()
        self._device.random_address = Address.generate_private_address(self._device.irk)
        await self._device.send_sync_command(
            HCI_LE_Set_Random_Address_Command(random_address=self._device.random_address)
        )
        await self.advertise()

    async def disconnect(self) -> None:
        """Hang up, as a device does that has told everything."""
        for connection in tuple(self._state.connections):
            with contextlib.suppress(BaseBumbleError):
                await connection.disconnect()
        await self.disconnected()

    async def power_off(self) -> None:
        """Be gone; in a room without a word on the link."""
        if self._leave is not None:
            self._leave()
        await self._device.stop_advertising()
        await self._device.power_off()

    @property
    def address(self) -> Address:
        """Under which it is seen now."""
        return self._device.random_address

    @property
    def is_connected(self) -> bool:
        return bool(self._state.connections)

    async def connected(self) -> None:
        """Wait for somebody to connect."""
        await self._until(lambda: self.is_connected)

    async def disconnected(self) -> None:
        """Wait until nobody is connected."""
        await self._until(lambda: not self.is_connected)

    async def subscribed(self, uuid: str) -> None:
        """Wait until somebody has asked for the notifications or indications of a characteristic."""
        await self._until(lambda: uuid in self._state.subscribed)

    async def writes(self, count: int) -> None:
        """Wait until `written` holds that many."""
        await self._until(lambda: len(self.written) >= count)

    async def indicate(self, uuid: str, value: bytes) -> bool:
        """Send an indication to whoever asked for it; whether it was confirmed before the link ended."""
        if not self.is_connected or uuid not in self._state.subscribed:
            return False
        server, connection = self._device.gatt_server, self._state.connections[0]
        sending = asyncio.ensure_future(
            server.indicate_subscriber(connection, self._characteristics[uuid], value)
        )
        leaving = asyncio.ensure_future(self._until(lambda: connection not in self._state.connections))
        await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
        confirmed = sending.done() and sending.exception() is None
        sending.cancel()
        leaving.cancel()
        await asyncio.gather(sending, leaving, return_exceptions=True)
        return confirmed

    async def notify(self, uuid: str, value: bytes) -> None:
        """Send a notification to whoever asked for it. Whether it arrives, nobody knows."""
        await self._device.notify_subscribers(self._characteristics[uuid], value)

    def set_value(self, uuid: str, value: bytes) -> None:
        """What the next read gives."""
        self._values[uuid] = value

    def refuse(self, uuid: str) -> None:
        """Let nobody read a characteristic from now on."""
        self._refused.add(uuid)

    async def _until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            self._state.changed.clear()
            await self._state.changed.wait()

    def _connected(self, connection: Connection) -> None:
        self._state.connections.append(connection)
        connection.on(Connection.EVENT_DISCONNECTION, lambda _: self._left(connection))
        connection.on(Connection.EVENT_PAIRING, self._paired)
        self._state.changed.set()

    def _paired(self, _: PairingKeys) -> None:
        self.pairings += 1

    def _left(self, connection: Connection) -> None:
        self._state.connections.remove(connection)
        self._state.subscribed.clear()
        self._state.changed.set()

    def _give(self, planned: VirtualCharacteristic) -> bytes:
        if planned.uuid in self._refused:
            raise ATT_Error(ErrorCode.READ_NOT_PERMITTED)
        return self._values[planned.uuid]

    def _take(self, planned: VirtualCharacteristic, value: bytes) -> None:
        if not _WRITES.intersection(planned.properties):
            raise ATT_Error(ErrorCode.WRITE_NOT_PERMITTED)
        self.written.append((planned.uuid, value))
        self._state.changed.set()
        if self.on_write is not None:
            self.on_write(planned.uuid, value)

    def _subscription(self, uuid: str, wanted: bool) -> None:
        if wanted:
            self._state.subscribed.add(uuid)
        else:
            self._state.subscribed.discard(uuid)
        self._state.changed.set()

    def _service(self, service: VirtualService) -> Service:
        return Service(service.uuid, [self._characteristic(each) for each in service.characteristics])

    def _characteristic(self, planned: VirtualCharacteristic) -> "Characteristic[bytes]":
        properties = Characteristic.Properties(0)
        for each in planned.properties:
            properties |= _PROPERTIES[each]
        descriptors: list[Descriptor] = []
        made: Characteristic[bytes] = Characteristic(
            planned.uuid,
            properties,
            _permissions(planned.encrypted),
            CharacteristicValue(
                read=lambda _: self._give(planned),
                write=lambda _, value: self._take(planned, bytes(value)),
            ),
            descriptors,
        )
        self._values[planned.uuid] = planned.value
        self._characteristics[planned.uuid] = made
        made.on(
            Characteristic.EVENT_SUBSCRIPTION,
            lambda _, notify, indicate: self._subscription(planned.uuid, notify or indicate),
        )
        if {"notify", "indicate"}.intersection(planned.properties):
            descriptors.append(
                Descriptor(
                    GATT_CLIENT_CHARACTERISTIC_CONFIGURATION_DESCRIPTOR,
                    _permissions(planned.encrypted),
                    self._device.gatt_server.make_descriptor_value(made),
                )
            )
        return made


def _configuration(plan: PeripheralPlan) -> DeviceConfiguration:
    return DeviceConfiguration(
        name=plan.name,
        address=Address(plan.address),
        irk=hashlib.sha256(plan.address.encode()).digest()[:16],
        le_privacy_enabled=plan.private,
        le_rpa_timeout=0,
    )


def _permissions(encrypted: bool) -> Attribute.Permissions:
    allowed = Attribute.READABLE | Attribute.WRITEABLE
    if encrypted:
        allowed |= Attribute.READ_REQUIRES_ENCRYPTION | Attribute.WRITE_REQUIRES_ENCRYPTION
    return allowed

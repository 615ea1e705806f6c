"""A room full of simulated Bluetooth LE devices, and a controller in it for each gateway that connects.

``BluetoothRoom`` listens on a loopback TCP port and speaks HCI there, as a controller does. Every client has
a controller of its own, in reach of all the room's peripherals. When a client's socket closes, its
controller drops out of the room as if its power had failed, and the devices that it was connected with
notice and advertise again.

``VirtualPeripheral`` is one device: services and characteristics from a declaration, what was written to
them on record, indications of which it knows whether they were confirmed. The radio layers are bumble's:
advertising, link layer, L2CAP, ATT, pairing. What this cannot show is a radio's: losses, ranges, intervals.
"""

import asyncio
import contextlib
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Self

from bumble.att import ATT_Error, Attribute, ErrorCode
from bumble.controller import Controller
from bumble.core import UUID, AdvertisingData, BaseBumbleError
from bumble.device import Connection, Device, DeviceConfiguration
from bumble.gatt import (
    GATT_CLIENT_CHARACTERISTIC_CONFIGURATION_DESCRIPTOR,
    Characteristic,
    CharacteristicValue,
    Descriptor,
    Service,
)
from bumble.hci import (
    Address,
    HCI_ErrorCode,
    HCI_LE_Connection_Complete_Event,
    HCI_LE_Create_Connection_Cancel_Command,
    HCI_LE_Set_Random_Address_Command,
    HCI_StatusReturnParameters,
    Role,
)
from bumble.host import Host
from bumble.keys import PairingKeys
from bumble.link import LocalLink
from bumble.ll import AdvertisingPdu, TerminateInd
from bumble.pairing import PairingConfig, PairingDelegate
from bumble.transport.common import PacketParser

Property = Literal["read", "write", "write-without-response", "notify", "indicate"]

_PROPERTIES = {
    "read": Characteristic.Properties.READ,
    "write": Characteristic.Properties.WRITE,
    "write-without-response": Characteristic.Properties.WRITE_WITHOUT_RESPONSE,
    "notify": Characteristic.Properties.NOTIFY,
    "indicate": Characteristic.Properties.INDICATE,
}
_UUID_LISTS = {
    2: AdvertisingData.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS,
    16: AdvertisingData.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,
}
_ADVERTISING_INTERVAL_MS = 20.0
_WRITES = {"write", "write-without-response"}


@dataclass(frozen=True, slots=True)
class VirtualCharacteristic:
    """One value of a device. An `encrypted` one answers only on a paired link."""

    uuid: str
    properties: tuple[Property, ...]
    value: bytes = b""
    encrypted: bool = False


@dataclass(frozen=True, slots=True)
class VirtualService:
    """A service; one that is not `advertised` is found only after connecting."""

    uuid: str
    characteristics: tuple[VirtualCharacteristic, ...]
    advertised: bool = True


@dataclass(frozen=True, slots=True)
class PeripheralPlan:
    """A device as it shall be: its name, address and services.

    A `private` one is seen under addresses that change, and tells whom it pairs with which it really has.
    One with a `passkey` on its label asks whoever can type for it.
    """

    name: str
    services: tuple[VirtualService, ...]
    address: str = "F0:F1:F2:F3:F4:F5"
    private: bool = False
    passkey: int | None = None


class _Label(PairingDelegate):
    """Of a device that shows a passkey, has no keys, and pairs with nobody who does not type it."""

    def __init__(self, passkey: int) -> None:
        super().__init__(PairingDelegate.DISPLAY_OUTPUT_ONLY)
        self._passkey = passkey

    async def generate_passkey(self) -> int:
        return self._passkey

    async def confirm(self, auto: bool = False) -> bool:  # noqa: ARG002 - however it came to be asked
        return False


class _RoomController(Controller):
    """A simulated controller that can also be told to stop connecting, and can lose its power."""

    def on_hci_le_create_connection_cancel_command(
        self, _command: HCI_LE_Create_Connection_Cancel_Command
    ) -> HCI_StatusReturnParameters:
        """End the pending attempt, with the event that the specification asks for (vol. 4, E, 7.8.13)."""
        pending, self.pending_le_connection = self.pending_le_connection, None
        if pending is None:
            return HCI_StatusReturnParameters(HCI_ErrorCode.COMMAND_DISALLOWED_ERROR)
        self.send_hci_packet(
            HCI_LE_Connection_Complete_Event(
                status=HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR,
                connection_handle=0,
                role=Role.CENTRAL,
                peer_address_type=pending.peer_address.address_type,
                peer_address=pending.peer_address,
                connection_interval=0,
                peripheral_latency=0,
                supervision_timeout=0,
                central_clock_accuracy=0,
            )
        )
        return HCI_StatusReturnParameters(HCI_ErrorCode.SUCCESS)

    def send_advertising_pdu(self, packet: AdvertisingPdu) -> None:
        if self in self.link.controllers:
            super().send_advertising_pdu(packet)

    def lose_power(self) -> None:
        """Be gone from the room, so that every peer's supervision timer runs out."""
        if self not in self.link.controllers:
            return
        for connection in self.le_connections.values():
            # The peer may have left in the same moment.
            with contextlib.suppress(BaseBumbleError):
                connection.send_ll_control_pdu(TerminateInd(HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR))
        self.le_connections.clear()
        self.link.remove_controller(self)


class _HciSocket(asyncio.Protocol):
    """One client's side of the room: HCI packets, each after its type byte (H4)."""

    def __init__(self, room: "BluetoothRoom") -> None:
        self._room = room
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._controller = _RoomController("client", host_sink=self, link=self._room.link)
        self._parser = PacketParser(self._controller)
        self._room.clients.add(self)
        self._room.arrival.set()

    def is_connected_with(self, peripheral: "VirtualPeripheral") -> bool:
        return any(address == peripheral.address for address in self._controller.le_connections)

    def on_packet(self, packet: bytes) -> None:
        self.transport.write(packet)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # however it went, it is gone
        self._controller.host = None
        self._controller.lose_power()
        self._room.clients.discard(self)
        self.closed.set_result(None)


class BluetoothRoom:
    """What is in radio range of each other. Use it as a context: ``async with BluetoothRoom() as room``.

    Parameters
    ----------
    port : int
        On 127.0.0.1; 0 for any free one.
    """

    def __init__(self, port: int = 0) -> None:
        self.link: LocalLink = LocalLink()  # type: ignore[no-untyped-call]  # bumble annotates it nowhere
        self.clients: set[_HciSocket] = set()
        self.arrival = asyncio.Event()
        self._peripherals: list[VirtualPeripheral] = []
        self._port = port
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """The TCP port."""
        return self._port

    @property
    def name(self) -> str:
        """Of the controller that a gateway finds here."""
        return f"tcp-client:127.0.0.1:{self._port}"

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _HciSocket(self), "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def add(self, plan: PeripheralPlan) -> "VirtualPeripheral":
        """A device of that plan, switched on but not yet advertising."""
        controller = _RoomController(plan.name, link=self.link)
        peripheral = VirtualPeripheral(plan, Host(controller, controller), leave=controller.lose_power)
        self._peripherals.append(peripheral)
        await peripheral.power_on()
        return peripheral

    async def occupied(self) -> None:
        """Wait until a client has connected."""
        while not self.clients:
            self.arrival.clear()
            await self.arrival.wait()

    def drop_clients(self) -> None:
        """Cut the sockets of all clients, as if their adapters had been pulled out."""
        for client in tuple(self.clients):
            client.transport.abort()

    def drop_client(self, *, serving: "VirtualPeripheral") -> None:
        """Cut the socket of the client that is connected with a device, as if its adapter had been pulled."""
        for client in tuple(self.clients):
            if client.is_connected_with(serving):
                client.transport.abort()

    async def close(self) -> None:
        for peripheral in self._peripherals:
            await peripheral.power_off()
        self._peripherals.clear()
        leaving = [client.closed for client in self.clients]
        self.drop_clients()
        await asyncio.gather(*leaving)
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()


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
        self._device.advertising_data = _advertisement(plan)
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


def _advertisement(plan: PeripheralPlan) -> bytes:
    """Flags, the advertised services and the name; UUIDs have the low byte first."""
    uuids = [UUID(service.uuid).to_bytes() for service in plan.services if service.advertised]
    lists = [(_UUID_LISTS[len(uuid)], uuid) for uuid in uuids]
    merged = [(kind, b"".join(uuid for k, uuid in lists if k == kind)) for kind in dict(lists)]
    return bytes(
        AdvertisingData(
            [
                (AdvertisingData.FLAGS, b"\x06"),
                *merged,
                (AdvertisingData.COMPLETE_LOCAL_NAME, plan.name.encode()),
            ]
        )
    )

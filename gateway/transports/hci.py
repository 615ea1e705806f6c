"""bleak over a Bluetooth controller that this program drives itself, by HCI: with bumble as the host.

The controller is named as bumble names it: ``tcp-client:127.0.0.1:6402`` for a simulated one, ``usb:0`` for
a dongle that the operating system has let go of. Everything above HCI is bumble's; bleak sees a backend as
it sees BlueZ, errors included.

bumble leaves a wait hanging when a device or the controller goes away, or cancels it from inside. Each one
is raced against that here, and becomes a BleakError.
"""

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import quote

from bleak import BleakClient, BleakScanner
from bleak.args import SizedBuffer
from bleak.assigned_numbers import CharacteristicPropertyName
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient, NotifyCallback
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, AdvertisementDataCallback, BaseBleakScanner
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import BleakError, BleakGATTProtocolError
from bleak.uuids import normalize_uuid_str
from bumble.core import UUID, AdvertisingData, BaseBumbleError, ProtocolError
from bumble.device import Advertisement, Connection, Device, Peer
from bumble.gatt import Characteristic
from bumble.gatt_client import CharacteristicProxy
from bumble.hci import Address, HCI_LE_Create_Connection_Cancel_Command
from bumble.keys import JsonKeyStore, KeyStore, MemoryKeyStore
from bumble.transport import open_transport
from bumble.transport.common import Transport

from gateway.errors import TransportError

T = TypeVar("T")

# Without a handler Python prints to standard error what bumble logs, tracebacks included, of errors that are
# raised here as well. Whoever sets up logging still gets them.
logging.getLogger("bumble").addHandler(logging.NullHandler())

_POWER_ON_S = 10.0
_POWER_OFF_S = 2.0
_CONNECT_S = 15.0
_MTU = 517

# Kind of structure in an advertisement, and how many bytes a UUID has in it.
_SERVICE_LISTS = {
    AdvertisingData.INCOMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS: 2,
    AdvertisingData.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS: 2,
    AdvertisingData.INCOMPLETE_LIST_OF_32_BIT_SERVICE_CLASS_UUIDS: 4,
    AdvertisingData.COMPLETE_LIST_OF_32_BIT_SERVICE_CLASS_UUIDS: 4,
    AdvertisingData.INCOMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS: 16,
    AdvertisingData.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS: 16,
}
_NAMES = (AdvertisingData.COMPLETE_LOCAL_NAME, AdvertisingData.SHORTENED_LOCAL_NAME)
_PROPERTIES: tuple[tuple[Characteristic.Properties, CharacteristicPropertyName], ...] = (
    (Characteristic.Properties.READ, "read"),
    (Characteristic.Properties.WRITE, "write"),
    (Characteristic.Properties.WRITE_WITHOUT_RESPONSE, "write-without-response"),
    (Characteristic.Properties.NOTIFY, "notify"),
    (Characteristic.Properties.INDICATE, "indicate"),
)


class HciRadio:
    """A controller at `port`, in bumble's name for it, with this program as its host.

    Its address and its bonds are kept in a file of the folder `bonds`, else only as long as it lives.
    """

    def __init__(self, port: str, bonds: Path | None = None) -> None:
        self._port = port
        self._address, self._bonds = _identity(bonds and bonds / f"{quote(port, safe='')}.json")
        self._transport: Transport | None = None
        self._device: Device | None = None

    @property
    def name(self) -> str:
        return f"Bluetooth controller {self._port}"

    @property
    def device(self) -> Device:
        """The host side, in bumble.

        Raises
        ------
        BleakError
            The controller is off, or gone.
        """
        if self._device is None:
            raise BleakError(f"{self.name} is gone")
        return self._device

    async def power_on(self, lost: Callable[[], None]) -> None:
        """Open the controller, unless it is open.

        Raises
        ------
        TransportError
            It is not there, or does not answer.
        """
        if self._device is not None:
            return
        ready = False
        try:
            async with asyncio.timeout(_POWER_ON_S):
                self._transport = await open_transport(self._port)
                device = Device.with_hci(
                    "gateway", self._address, self._transport.source, self._transport.sink
                )
                device.keystore = self._bonds
                await self.ask(device.power_on())
            ready = True
        # Each kind of port raises what the library under it raises: socket, serial, libusb.
        except Exception as error:
            raise TransportError(f"{self.name}: not to be had, {_plain(error)}") from error
        finally:
            if not ready:
                await self.power_off()
        self._device = device
        self._transport.source.terminated.add_done_callback(lambda _: self._terminated(device, lost))

    async def power_off(self) -> None:
        """Close the controller. No connection is hung up in good order by this."""
        transport, self._transport, self._device = self._transport, None, None
        if transport is not None:
            await transport.close()
            await asyncio.wait((transport.source.terminated,), timeout=_POWER_OFF_S)

    async def ask(self, operation: Coroutine[Any, Any, T], *endings: "asyncio.Future[None]") -> T:
        """The result of `operation`, unless the controller goes or one of `endings` comes first.

        Raises
        ------
        BleakGATTProtocolError
            The device answered with an ATT error.
        BleakError
            Anything else.
        """
        if self._transport is None:
            operation.close()
            raise BleakError(f"{self.name} is gone")
        doing = asyncio.ensure_future(operation)
        first: list[asyncio.Future[Any]] = [doing, self._transport.source.terminated, *endings]
        try:
            with _in_bleaks_words():
                await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
                if doing.done() and not doing.cancelled():
                    return doing.result()
            raise BleakError("disconnected")
        finally:
            doing.cancel()
            await asyncio.gather(doing, return_exceptions=True)

    def scanner(self, seen: AdvertisementDataCallback) -> BleakScanner:
        return BleakScanner(seen, backend=HciScanner, radio=self)

    def client(self, device: BLEDevice, gone: Callable[[BleakClient], None]) -> BleakClient:
        return BleakClient(device, gone, backend=HciClient, radio=self, timeout=_CONNECT_S)

    def _terminated(self, device: Device, lost: Callable[[], None]) -> None:
        if self._device is device:
            self._device = self._transport = None
            lost()


def _identity(file: Path | None) -> tuple[Address, KeyStore]:
    """The address under which bonds are kept in a file, and those; fresh ones where there are none.

    Raises
    ------
    TransportError
        The file is not what was written there.
    """
    if file is None:
        return Address.generate_static_address(), MemoryKeyStore()
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not file.exists():
        address = Address.generate_static_address()
        file.write_text(json.dumps({str(address): {}}))
    try:
        (known,) = json.loads(file.read_text())
        address = Address(known, Address.RANDOM_DEVICE_ADDRESS)
    except (ValueError, TypeError) as error:
        raise TransportError(f"{file}: holds no pairings; remove it, and pair the devices again") from error
    return address, JsonKeyStore(known, str(file))


class HciScanner(BaseBleakScanner):
    """bleak's scanner on the controller of `radio`."""

    def __init__(
        self,
        detection_callback: AdvertisementDataCallback | None,
        service_uuids: list[str] | None,
        scanning_mode: Literal["active", "passive"],
        *,
        radio: HciRadio,
        **_: object,
    ) -> None:
        super().__init__(detection_callback, service_uuids)
        self._active = scanning_mode == "active"
        self._radio = radio

    async def start(self) -> None:
        self.seen_devices = {}
        device = self._radio.device
        device.on(Device.EVENT_ADVERTISEMENT, self._seen)
        await self._radio.ask(device.start_scanning(active=self._active, filter_duplicates=False))

    async def stop(self) -> None:
        device = self._radio.device
        device.remove_listener(Device.EVENT_ADVERTISEMENT, self._seen)
        await self._radio.ask(device.stop_scanning())

    def _seen(self, advertisement: Advertisement) -> None:
        data = _advertised(advertisement)
        if self.is_allowed_uuid(data.service_uuids):
            address = _text(self._identity(advertisement.address))
            device = self.create_or_update_device(
                address, address, data.local_name, advertisement.address, data
            )
            self.call_detection_callbacks(device, data)

    def _identity(self, seen: Address) -> Address:
        """Whose address it is, where a device that changes it has told when it was paired with."""
        resolver = self._radio.device.address_resolver
        if resolver is None or not seen.is_resolvable:
            return seen
        return resolver.resolve(seen) or seen


class HciClient(BaseBleakClient):
    """bleak's client on the controller of `radio`."""

    def __init__(
        self,
        address_or_ble_device: BLEDevice | str,
        *,
        radio: HciRadio,
        disconnected_callback: Callable[[], None] | None,
        timeout: float,
        **_: object,
    ) -> None:
        super().__init__(address_or_ble_device, disconnected_callback=disconnected_callback, timeout=timeout)
        self._radio = radio
        self._peer = (
            address_or_ble_device.details
            if isinstance(address_or_ble_device, BLEDevice)
            else Address(address_or_ble_device)
        )
        self._connection: Connection | None = None
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._subscribers: dict[int, Callable[[bytes], None]] = {}
        self._callbacks: dict[int, NotifyCallback] = {}

    @property
    def name(self) -> str:
        return self.address

    @property
    def mtu_size(self) -> int:
        return self._connected().att_mtu

    @property
    def is_connected(self) -> bool:
        return self._connection is not None

    async def connect(self, pair: bool, **_: object) -> None:
        device = self._radio.device
        connecting = asyncio.ensure_future(device.connect(self._peer, timeout=self._timeout))
        try:
            connection = await self._radio.ask(_outcome(connecting))
        except asyncio.CancelledError:
            await self._abandon(device, connecting)
            raise
        finally:
            connecting.cancel()
        self._connection = connection
        connection.on(Connection.EVENT_DISCONNECTION, self._lost)
        if device.connections.get(connection.handle) is not connection:
            self._lost(0)  # it was already over when we could listen for that
        peer = Peer(connection)
        with contextlib.suppress(BleakGATTProtocolError):
            await self._ask(peer.request_mtu(_MTU))
        if pair:
            await self.pair()
        self.services = await self._ask(self._discover(peer))

    async def disconnect(self) -> None:
        if self._connection is not None:
            await self._radio.ask(self._connection.disconnect(), self._ended)

    async def pair(self, *_: object, **__: object) -> None:
        """Encrypt with the keys of an earlier pairing, or pair."""
        connection = self._connected()
        store = self._radio.device.keystore
        bonded = store is not None and await store.get(str(connection.peer_address)) is not None
        await self._ask(connection.encrypt() if bonded else connection.pair())

    async def unpair(self) -> None:
        store = self._radio.device.keystore
        if store is not None:
            await self._radio.ask(store.delete(str(self._peer)))

    async def read_gatt_char(self, characteristic: BleakGATTCharacteristic, **_: object) -> bytearray:
        return bytearray(await self._ask(characteristic.obj.read_value()))

    async def read_gatt_descriptor(self, descriptor: BleakGATTDescriptor, **_: object) -> bytearray:
        return bytearray(await self._ask(descriptor.obj.read_value()))

    async def write_gatt_char(
        self, characteristic: BleakGATTCharacteristic, data: SizedBuffer, response: bool
    ) -> None:
        await self._ask(characteristic.obj.write_value(bytes(data), with_response=response))

    async def write_gatt_descriptor(self, descriptor: BleakGATTDescriptor, data: SizedBuffer) -> None:
        await self._ask(descriptor.obj.write_value(bytes(data), with_response=True))

    async def start_notify(
        self, characteristic: BleakGATTCharacteristic, callback: NotifyCallback, **_: object
    ) -> None:
        if not {"notify", "indicate"}.intersection(characteristic.properties):
            raise BleakError(f"{characteristic.uuid} neither notifies nor indicates")
        # One subscriber for each characteristic, however often it is asked for: bumble keeps one whose
        # subscription was refused, and a second would have each value delivered twice.
        handle = characteristic.handle
        self._callbacks[handle] = callback
        subscriber = self._subscribers.setdefault(
            handle, lambda value: self._callbacks[handle](bytearray(value))
        )
        await self._ask(characteristic.obj.subscribe(subscriber, "notify" in characteristic.properties))

    async def stop_notify(self, characteristic: BleakGATTCharacteristic) -> None:
        subscriber = self._subscribers.pop(characteristic.handle, None)
        await self._ask(characteristic.obj.unsubscribe(subscriber))

    def _connected(self) -> Connection:
        if self._connection is None:
            raise BleakError("not connected")
        return self._connection

    async def _ask(self, operation: Coroutine[Any, Any, T]) -> T:
        return await self._radio.ask(operation, self._ended)

    async def _abandon(self, device: Device, connecting: "asyncio.Future[Connection]") -> None:
        """Take back an attempt to connect, and hang up if it has just succeeded."""
        with contextlib.suppress(BleakError):
            await self._radio.ask(device.send_sync_command(HCI_LE_Create_Connection_Cancel_Command()))
        with contextlib.suppress(BleakError):
            connection = await self._radio.ask(_outcome(connecting))
            await self._radio.ask(connection.disconnect())

    async def _discover(self, peer: Peer) -> BleakGATTServiceCollection:
        found = BleakGATTServiceCollection()
        for service in await peer.discover_services():
            known = BleakGATTService(service, service.handle, _uuid(service.uuid))
            found.add_service(known)
            for characteristic in await service.discover_characteristics():
                described = self._described(characteristic, known)
                found.add_characteristic(described)
                for descriptor in await characteristic.discover_descriptors():
                    found.add_descriptor(
                        BleakGATTDescriptor(descriptor, descriptor.handle, _uuid(descriptor.type), described)
                    )
        return found

    def _described(
        self, found: "CharacteristicProxy[bytes]", service: BleakGATTService
    ) -> BleakGATTCharacteristic:
        offered = [name for flag, name in _PROPERTIES if flag in found.properties]
        return BleakGATTCharacteristic(
            found, found.handle, _uuid(found.uuid), offered, lambda: self.mtu_size - 3, service
        )

    def _lost(self, _: int) -> None:
        if self._connection is not None:
            self._connection = None
            self._ended.set_result(None)
            if self._disconnected_callback is not None:
                self._disconnected_callback()


@contextlib.contextmanager
def _in_bleaks_words() -> Iterator[None]:
    """Errors of bumble as bleak's; ATT errors keep their code, which tells what to do."""
    try:
        yield
    except ProtocolError as error:
        if error.error_namespace == "att" and error.error_code is not None:
            raise BleakGATTProtocolError(error.error_code) from error
        raise BleakError(_plain(error)) from error
    except BaseBumbleError as error:
        raise BleakError(_plain(error)) from error


def _advertised(advertisement: Advertisement) -> AdvertisementData:
    name: str | None = None
    services: list[str] = []
    makers: dict[int, bytes] = {}
    for kind, value in advertisement.data.ad_structures:
        if kind in _NAMES:
            name = value.decode("utf-8", "replace")
        elif kind == AdvertisingData.MANUFACTURER_SPECIFIC_DATA:
            makers[int.from_bytes(value[:2], "little")] = value[2:]
        elif kind in _SERVICE_LISTS:
            services += _uuids(value, _SERVICE_LISTS[kind])
    return AdvertisementData(name, makers, {}, services, None, advertisement.rssi, ())


def _uuids(data: bytes, width: int) -> list[str]:
    """The UUIDs of a list in an advertisement, which has them with the low byte first."""
    whole = len(data) - len(data) % width
    return [normalize_uuid_str(data[i : i + width][::-1].hex()) for i in range(0, whole, width)]


async def _outcome(task: "asyncio.Future[T]") -> T:
    """What `task` gives; it goes on when the one who waits for it is cancelled."""
    return await asyncio.shield(task)


def _plain(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _uuid(uuid: UUID) -> str:
    return normalize_uuid_str(uuid.to_hex_str("-"))


def _text(address: Address) -> str:
    return str(address).removesuffix("/P")

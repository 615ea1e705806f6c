"""Bluetooth LE by bleak: ``ble://ADDRESS-or-NAME``.

A value goes to the journal, where there is one, inside the callback in which the stack hands it over: a
device may forget a record at the moment that its indication is confirmed. BlueZ confirms by itself when the
indication arrives; what a crash costs between that and the journal's commit, no program can prevent there.
A simulated controller confirms when the callback has returned, and not at all when it raises.

bleak does not tell why a connection ended. Every end counts as the device's own, and the next ``open`` says
what is wrong when the adapter has gone.
"""

import asyncio
import contextlib
import re
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from bleak import BleakClient
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.exc import BleakDBusError, BleakError, BleakGATTProtocolError
from bleak.uuids import normalize_uuid_str

from gateway.drivers import BleLink
from gateway.errors import RefusedError, TransportError
from gateway.model import Device
from gateway.transports.bluetooth_adapter import FAILURES, BluetoothAdapter, Lookout, Sighting, plain
from gateway.transports.contract import HOLD_OFF_S, Keep, Received
from gateway.transports.inbox import Inbox

T = TypeVar("T")

_OPERATION_S = 30.0
_ATTEMPTS = 3

_ADDRESS = re.compile(
    r"([0-9A-F]{2}(:[0-9A-F]{2}){5}|[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12})", re.IGNORECASE
)
# Insufficient authentication, authorization and encryption: Core specification, volume 3, part F, 3.4.1.1.
_TO_PAIR = (
    "put it in pairing mode, and remove an old pairing at both ends; if it shows or bears a passkey, pair it "
    "once with the system's own tool, which can type it"
)
_ASKS_FOR_PAIRING = frozenset({0x05, 0x08, 0x0F})
_ASKS_FOR_PAIRING_BLUEZ = frozenset({"org.bluez.Error.NotPermitted", "org.bluez.Error.NotAuthorized"})


class BleConnection:
    """One connected device. Channels are characteristic UUIDs, 16 or 128 bit, as the session writes them."""

    def __init__(
        self, url: str, adapter: BluetoothAdapter, client: BleakClient, line: "Line", keep: Keep | None
    ) -> None:
        self._url = url
        self._adapter = adapter
        self._client = client
        self._services = client.services
        self._line = line
        self._keep = keep
        self._paired = False

    @property
    def device(self) -> Device:
        return Device(id=self._client.address)

    async def receive(self) -> Received | None:
        return await self._line.inbox.take()

    async def subscribe(self, channel: str) -> None:
        """Ask for notifications or indications, with pairing where the device wants it.

        Raises
        ------
        KeyError
            The device has no such characteristic.
        RefusedError
            The device did not agree.
        TransportError
            The connection ended.
        """
        characteristic = self._characteristic(channel)
        # What is only notified is never confirmed, so nothing is gained by a commit for each such value.
        keep = self._keep if "indicate" in characteristic.properties else None
        arrived = partial(self._arrived, channel, keep)
        await self._ask(lambda: self._client.start_notify(characteristic, arrived))

    async def send(self, data: bytes, channel: str) -> None:
        characteristic = self._characteristic(channel)
        offered = characteristic.properties
        # Cheap devices forget to offer either: then the write that is answered shows whether it was taken.
        answered = "write" in offered or "write-without-response" not in offered
        await self._ask(lambda: self._client.write_gatt_char(characteristic, data, response=answered))

    async def read(self, channel: str) -> None:
        characteristic = self._characteristic(channel)
        value = await self._ask(lambda: self._client.read_gatt_char(characteristic))
        self._line.inbox.put(Received(bytes(value), channel, datetime.now(UTC)))

    async def settle(self, received: Received, refusal: str | None) -> None:
        """Nothing to do: the device was answered when the value arrived."""

    async def close(self) -> None:
        await self._adapter.hang_up(self._client)
        self._line.cut()

    def _characteristic(self, channel: str) -> BleakGATTCharacteristic:
        """The first characteristic of that UUID; a device has several of one only for batteries."""
        with contextlib.suppress(ValueError):
            uuid = normalize_uuid_str(channel)
            for characteristic in self._services.characteristics.values():
                if characteristic.uuid == uuid:
                    return characteristic
        raise KeyError(channel)

    def _arrived(self, channel: str, keep: Keep | None, _: BleakGATTCharacteristic, data: bytearray) -> None:
        """The stack's callback. What it raises keeps the stack from confirming, where the stack waits."""
        received = Received(bytes(data), channel, datetime.now(UTC), device_id=self._client.address)
        if keep is not None:
            kept = False
            try:
                keep(received)
                kept = True
            finally:
                if not kept:
                    self._line.inbox.end(TransportError(f"{self._url}: a value could not be put on disk"))
        self._line.inbox.put(received)

    async def _ask(self, operation: Callable[[], Coroutine[Any, Any, T]]) -> T:
        try:
            try:
                return await self._line.while_connected(operation())
            except (BleakGATTProtocolError, BleakDBusError) as refusal:
                if self._paired or not _asks_for_pairing(refusal):
                    raise
            await self._pair()
            return await self._line.while_connected(operation())
        except (BleakGATTProtocolError, BleakDBusError) as refusal:
            raise self._refused(refusal) from refusal
        except FAILURES as error:
            raise TransportError(f"{self._url}: {plain(error)}") from error

    def _refused(self, refusal: BleakGATTProtocolError | BleakDBusError) -> TransportError:
        said = f"{self._url}: {plain(refusal)}"
        if self._paired and _asks_for_pairing(refusal):
            said = f"{said}, although it was just paired; {_TO_PAIR}"
        return RefusedError(said) if self._client.is_connected else TransportError(said)

    async def _pair(self) -> None:
        """Pair, once a connection. A bond that the device has lost is for a person to remove, not for us."""
        self._paired = True
        try:
            await self._line.while_connected(self._client.pair())
        except FAILURES as error:
            raise TransportError(
                f"{self._url}: the device wants to be paired and pairing failed, {plain(error)}; {_TO_PAIR}"
            ) from error


class Line:
    """What is known of a connection from the moment it is attempted: what arrived, and whether it ended."""

    def __init__(self, ended: Callable[[], None]) -> None:
        self.inbox = Inbox()
        self._ended = ended
        self._gone = asyncio.Event()

    def cut(self) -> None:
        """The connection has ended, whoever ended it."""
        if not self._gone.is_set():
            self._gone.set()
            self.inbox.end()
            self._ended()

    async def while_connected(self, operation: Coroutine[Any, Any, T]) -> T:
        """The result of `operation`; stacks leave some waits hanging when the device has gone.

        Raises
        ------
        BleakError
            The device disconnected first, or gave no answer in time.
        """
        doing = asyncio.ensure_future(operation)
        leaving = asyncio.ensure_future(self._gone.wait())
        try:
            await asyncio.wait((doing, leaving), timeout=_OPERATION_S, return_when=asyncio.FIRST_COMPLETED)
            if doing.done() and not doing.cancelled():
                return doing.result()
            raise BleakError("the device disconnected" if leaving.done() else "no answer in time")
        finally:
            for task in (doing, leaving):
                task.cancel()
            await asyncio.gather(doing, leaving, return_exceptions=True)


@dataclass(slots=True)
class BleTransport:
    """A peripheral that is waited for.

    Parameters
    ----------
    url : str
    target : str
        Its address, or its name as advertised; ``""`` for any device that one of the links describes.
    link : BleLink
    adapter : BluetoothAdapter
    keep : callable, optional
        The journal: called with each value in the callback, before the stack's confirmation where it waits.
    hold_off_s : float
        After a disconnection many devices go on advertising for a while with nothing new to tell.
    others : tuple of BleLink
        Further descriptions of the same family.
    """

    url: str
    target: str
    link: BleLink
    adapter: BluetoothAdapter
    keep: Keep | None = None
    hold_off_s: float = HOLD_OFF_S
    others: tuple[BleLink, ...] = ()
    _free_at: float = field(default=0.0, init=False)

    async def open(self) -> BleConnection:
        """A connection, when the device advertises. Waits for ever for that.

        Raises
        ------
        TransportError
            The adapter cannot be used, or the device was there several times and did not connect.
        """
        await asyncio.sleep(self._free_at - time.monotonic())
        connection: BleConnection | None = None
        try:
            async with self.adapter.looking_out(self._wanted) as lookout:
                connection = await self._connected(lookout)
        except BaseException:
            if connection is not None:
                await connection.close()
            raise
        return connection

    async def _connected(self, lookout: Lookout) -> BleConnection:
        for _ in range(_ATTEMPTS - 1):
            with contextlib.suppress(TransportError):
                return await self._attempt(lookout)
            lookout.forget()
        return await self._attempt(lookout)

    async def _attempt(self, lookout: Lookout) -> BleConnection:
        sighting = await lookout.next()
        line = Line(self._hold_off)
        try:
            client = await self.adapter.connect(sighting.device, line.cut)
        except TransportError:
            self._free_at = 0.0
            raise
        return BleConnection(self.url, self.adapter, client, line, self.keep)

    def _wanted(self, sighting: Sighting) -> bool:
        if _ADDRESS.fullmatch(self.target):
            return sighting.address.lower() == self.target.lower()
        if self.target:
            return sighting.name == self.target
        return any(fits(link, sighting) for link in (self.link, *self.others))

    def _hold_off(self) -> None:
        self._free_at = time.monotonic() + self.hold_off_s


def fits(link: BleLink, sighting: Sighting) -> bool:
    """Whether a device advertises all the services of `link` and, where one is wanted, its name."""
    if link.name is not None and re.fullmatch(link.name, sighting.name or "") is None:
        return False
    return sighting.services.issuperset(normalize_uuid_str(uuid) for uuid in link.services)


def _asks_for_pairing(refusal: BleakGATTProtocolError | BleakDBusError) -> bool:
    if isinstance(refusal, BleakGATTProtocolError):
        return refusal.code in _ASKS_FOR_PAIRING
    return refusal.dbus_error in _ASKS_FOR_PAIRING_BLUEZ

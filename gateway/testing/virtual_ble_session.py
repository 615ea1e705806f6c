"""A virtual Bluetooth device that plays a session fixture in a simulated room, or on an adapter.

The fixture's ``[session.gatt]`` says what it advertises and serves. A value goes out on its characteristic
once the host has subscribed to it: as an indication, of which the device waits for the confirmation, or as a
notification.
"""

import asyncio
import contextlib
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

from bumble.core import BaseBumbleError

from gateway.errors import ConfigError, Problem
from gateway.testing.ble_plan import PeripheralPlan, VirtualCharacteristic, VirtualService
from gateway.testing.ble_room import BluetoothRoom
from gateway.testing.bluetooth_adapter import Adapter
from gateway.testing.impairment import Impairment
from gateway.testing.session_fixture import Characteristic, Gatt, SessionFixture, uuid_name
from gateway.testing.virtual_ble import VirtualPeripheral
from gateway.testing.virtual_device import HostLeft, VirtualDevice

_LEAVE_S = 5.0


class VirtualBle(VirtualDevice):
    """A device in `room`, which may be an adapter's real one.

    Raises
    ------
    ConfigError
        The fixture has no ``[session.gatt]``, or the device speaks on a characteristic that it lacks.
    """

    def __init__(
        self,
        fixture: SessionFixture,
        *,
        room: BluetoothRoom | Adapter,
        speed: float = 1.0,
        impairment: Impairment | None = None,
    ) -> None:
        super().__init__(fixture, speed=speed, impairment=impairment)
        self._gatt = _declared(fixture)
        self._room = room
        self._peripheral: VirtualPeripheral | None = None
        self._leaving: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        return f"ble://{plan_of(self._gatt).address}"

    async def open(self) -> None:
        self._peripheral = await self._room.add(plan_of(self._gatt))
        self._peripheral.on_write = lambda uuid, value: self.heard.add(value, uuid_name(uuid))

    async def close(self) -> None:
        if self._leaving is not None:
            self._leaving.cancel()
            await asyncio.gather(self._leaving, return_exceptions=True)
        # An adapter that was pulled out takes no leave.
        with contextlib.suppress(BaseBumbleError, TimeoutError):
            async with asyncio.timeout(_LEAVE_S):
                await self._device.fall_silent()
                await self._device.disconnect()

    async def await_host(self) -> None:
        if self.heard.host_is_there:
            return
        if not self._device.is_connected:
            await self._device.advertise()
            await self._device.connected()
        self.heard.arrived()
        self._leaving = asyncio.create_task(self._note_departure())

    async def send(self, data: bytes, channel: str) -> None:
        await self._while_connected(self._device.subscribed(channel))
        characteristic = _characteristic(self._gatt, channel)
        if characteristic is None or "indicate" not in characteristic.properties:
            await self._device.notify(channel, data)
        elif not await self._device.indicate(channel, data):
            raise HostLeft

    async def all_taken(self) -> None:
        """Indications were confirmed one by one; of notifications nobody knows."""

    async def hang_up(self) -> None:
        await self._device.fall_silent()
        await self._device.disconnect()
        await self.heard.departure()

    @property
    def _device(self) -> VirtualPeripheral:
        assert self._peripheral is not None, "the device is switched on by open()"
        return self._peripheral

    async def _note_departure(self) -> None:
        await self._device.disconnected()
        self.heard.left()

    async def _while_connected(self, waiting: Coroutine[Any, Any, None]) -> None:
        doing = asyncio.ensure_future(waiting)
        leaving = asyncio.ensure_future(self.heard.departure())
        try:
            await asyncio.wait((doing, leaving), return_when=asyncio.FIRST_COMPLETED)
            if not doing.done():
                raise HostLeft
        finally:
            doing.cancel()
            leaving.cancel()
            await asyncio.gather(doing, leaving, return_exceptions=True)


def plan_of(gatt: Gatt) -> PeripheralPlan:
    """The peripheral that the declaration describes."""
    services = dict.fromkeys([*(c.service for c in gatt.characteristics), *gatt.advertises])
    planned = tuple(
        VirtualService(
            service,
            tuple(_planned(c) for c in gatt.characteristics if c.service == service),
            advertised=service in gatt.advertises,
        )
        for service in services
    )
    plan = PeripheralPlan(gatt.name, planned)
    return replace(plan, address=gatt.address) if gatt.address else plan


def _planned(characteristic: Characteristic) -> VirtualCharacteristic:
    return VirtualCharacteristic(
        characteristic.uuid, characteristic.properties, characteristic.value, characteristic.encrypted
    )


def _characteristic(gatt: Gatt, uuid: str) -> Characteristic | None:
    return next((c for c in gatt.characteristics if c.uuid == uuid), None)


def _declared(fixture: SessionFixture) -> Gatt:
    """The fixture's declaration, which has to have every channel that is spoken on."""
    gatt = fixture.gatt
    if gatt is None:
        fix = "declare name and characteristics there"
        raise ConfigError(fixture.name, (Problem("session.gatt", "there is none", fix),))
    lacking = {each.channel for each in fixture.exchanges if _characteristic(gatt, each.channel) is None}
    if lacking:
        problems = (
            Problem("session.gatt.characteristics", f"{uuid or 'no channel'} is not among them", "declare it")
            for uuid in sorted(lacking)
        )
        raise ConfigError(fixture.name, tuple(problems))
    return gatt

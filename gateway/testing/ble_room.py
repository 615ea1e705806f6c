"""A room full of simulated Bluetooth LE devices, and a controller in it for each gateway that connects.

``BluetoothRoom`` listens on a loopback TCP port and speaks HCI there, as a controller does. Every client has
a controller of its own, in reach of all the room's peripherals. When a client's socket closes, its
controller drops out of the room as if its power had failed, and the devices that it was connected with
notice and advertise again.

The radio layers are bumble's: advertising, link layer, L2CAP, ATT, pairing. What this cannot show is a
radio's: losses, ranges, intervals.
"""

import asyncio
import contextlib
from typing import Self

from bumble.controller import Controller
from bumble.core import BaseBumbleError
from bumble.hci import (
    HCI_ErrorCode,
    HCI_LE_Connection_Complete_Event,
    HCI_LE_Create_Connection_Cancel_Command,
    HCI_StatusReturnParameters,
    Role,
)
from bumble.host import Host
from bumble.link import LocalLink
from bumble.ll import AdvertisingPdu, TerminateInd
from bumble.transport.common import PacketParser

from gateway.testing.ble_plan import PeripheralPlan
from gateway.testing.virtual_ble import VirtualPeripheral


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

    def is_connected_with(self, peripheral: VirtualPeripheral) -> bool:
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

    async def add(self, plan: PeripheralPlan) -> VirtualPeripheral:
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

    def drop_client(self, *, serving: VirtualPeripheral) -> None:
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

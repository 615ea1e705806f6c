"""A Bluetooth adapter that many transports share: one scan for all, one connection attempt at a time.

Cuffs, scales and thermometers wake for a few seconds, advertise, and vanish. So the adapter scans all the
time while anybody waits for a device, and a connection is made with the very device that the scan found.
Adapters make one connection at a time, so attempts queue.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from bleak import BleakClient, BleakScanner
from bleak.args.bluez import BlueZClientArgs
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, AdvertisementDataCallback
from bleak.exc import BleakError

from gateway.errors import TransportError

FAILURES = (BleakError, OSError, EOFError)
"""What bleak and the stacks below it raise when a device or an adapter does not do what it is asked."""

# A device that is awake is connected with in a few seconds; one that fell asleep must not hold up the others.
_ATTEMPT_S = 15.0
_CONNECT_S = 30.0
_DISCONNECT_S = 10.0
_SIGHTINGS_WAITING = 64


@dataclass(frozen=True, slots=True)
class Sighting:
    """One advertisement, of a device that can be connected with now."""

    device: BLEDevice
    name: str | None
    services: frozenset[str]
    rssi: int

    @property
    def address(self) -> str:
        return self.device.address


class Radio(Protocol):
    """What stands behind an adapter: the system's own stack, or a controller that is driven over HCI."""

    @property
    def name(self) -> str: ...

    async def power_on(self, lost: Callable[[], None]) -> None:
        """Make it ready, if it is not. `lost` is called when it goes away by itself.

        Raises
        ------
        TransportError
            It is not there, or does not answer.
        """
        ...

    async def power_off(self) -> None: ...

    def scanner(self, seen: AdvertisementDataCallback) -> BleakScanner: ...

    def client(self, device: BLEDevice, gone: Callable[[BleakClient], None]) -> BleakClient: ...


@dataclass(frozen=True, slots=True)
class SystemRadio:
    """The operating system's Bluetooth; `adapter` is BlueZ's name of one of several: ``hci1``."""

    adapter: str | None = None

    @property
    def name(self) -> str:
        return self.adapter or "this system's Bluetooth adapter"

    async def power_on(self, lost: Callable[[], None]) -> None:
        """Nothing: the system has the power switch."""

    async def power_off(self) -> None:
        """Nothing: other programs use it too."""

    def scanner(self, seen: AdvertisementDataCallback) -> BleakScanner:
        return BleakScanner(seen, bluez={"adapter": self.adapter} if self.adapter else {})

    def client(self, device: BLEDevice, gone: Callable[[BleakClient], None]) -> BleakClient:
        bluez: BlueZClientArgs = {"adapter": self.adapter} if self.adapter else {}
        return BleakClient(device, gone, timeout=_ATTEMPT_S, bluez=bluez)


class Lookout:
    """Somebody who waits for devices: sightings that fit, or the loss of the adapter.

    After `silence_s` without one that fits, and after each such time again, `silent` is called.
    """

    def __init__(
        self,
        wanted: Callable[[Sighting], bool],
        silence_s: float,
        silent: Callable[[], Awaitable[None]],
    ) -> None:
        self._wanted = wanted
        self._silence_s = silence_s
        self._silent = silent
        self._seen: deque[Sighting] = deque(maxlen=_SIGHTINGS_WAITING)
        self._loss: TransportError | None = None
        self._news = asyncio.Event()

    def notice(self, sighting: Sighting) -> None:
        if self._wanted(sighting):
            self._seen.append(sighting)
            self._news.set()

    def give_up(self, loss: TransportError) -> None:
        self._loss = loss
        self._news.set()

    def forget(self) -> None:
        """Drop what was seen until now: it may be asleep again."""
        self._seen.clear()

    async def next(self) -> Sighting:
        """The next device that fits; it advertised a moment ago.

        Raises
        ------
        TransportError
            The adapter went away.
        """
        while not self._seen and self._loss is None:
            self._news.clear()
            try:
                # not wait_for: before Python 3.12 it may swallow a cancellation that comes with the news
                async with asyncio.timeout(self._silence_s):
                    await self._news.wait()
            except TimeoutError:
                await self._silent()
        if self._loss is not None:
            raise self._loss
        return self._seen.popleft()


class BluetoothAdapter:
    """One adapter, shared by every transport that goes through it; off while none of them needs it.

    Parameters
    ----------
    radio : Radio, optional
        The system's default adapter where none is given.
    silence_s : float
        When nothing at all was heard for so long, the scan is begun anew: a scan of BlueZ's may go on in
        name only, and in a clinic something always advertises.
    """

    def __init__(self, radio: Radio | None = None, silence_s: float = 300.0) -> None:
        self._radio = radio or SystemRadio()
        self._silence_s = silence_s
        self._heard_at = 0.0
        self._lookouts: set[Lookout] = set()
        self._clients: set[BleakClient] = set()
        self._scanner: BleakScanner | None = None
        self._switching = asyncio.Lock()
        self._connecting = asyncio.Lock()

    @property
    def name(self) -> str:
        return self._radio.name

    @contextlib.asynccontextmanager
    async def looking_out(self, wanted: Callable[[Sighting], bool]) -> AsyncIterator[Lookout]:
        """Scan for as long as the context lasts.

        Raises
        ------
        TransportError
            There is no adapter, or it is off.
        """
        lookout = Lookout(wanted, self._silence_s, self._scan_anew_if_silent)
        self._lookouts.add(lookout)
        try:
            async with self._switching:
                if self._scanner is None:
                    await self._start()
            yield lookout
        finally:
            self._lookouts.discard(lookout)
            await self._rest_if_unneeded()

    async def connect(self, device: BLEDevice, gone: Callable[[], None]) -> BleakClient:
        """A connected client whose services are known, to be given back by `hang_up`.

        `gone` is called once it is disconnected.

        Raises
        ------
        TransportError
            The connection did not come about.
        """
        async with self._connecting:
            client = self._radio.client(device, lambda _: gone())
            self._clients.add(client)
            connected = False
            try:
                async with asyncio.timeout(_CONNECT_S):
                    await client.connect()
                connected = True
            except FAILURES as error:
                raise TransportError(f"{device.address}: no connection, {plain(error)}") from error
            finally:
                if not connected:
                    await self.hang_up(client)
            return client

    async def hang_up(self, client: BleakClient) -> None:
        """Disconnect, whatever state the client is in. May be called again."""
        with contextlib.suppress(*FAILURES):
            async with asyncio.timeout(_DISCONNECT_S):
                await client.disconnect()
        self._clients.discard(client)
        await self._rest_if_unneeded()

    async def _rest_if_unneeded(self) -> None:
        """Scan only while anybody looks out; be on only while anybody looks out or is connected."""
        async with self._switching:
            if not self._lookouts:
                await self._stop()
            if not self._lookouts and not self._clients:
                await self._radio.power_off()

    async def _scan_anew_if_silent(self) -> None:
        async with self._switching:
            if time.monotonic() - self._heard_at < self._silence_s:
                return
            await self._stop()
            try:
                await self._start()
            except TransportError as error:
                self._give_up(error)

    async def _stop(self) -> None:
        scanner, self._scanner = self._scanner, None
        if scanner is not None:
            with contextlib.suppress(*FAILURES):
                await scanner.stop()

    async def _start(self) -> None:
        await self._radio.power_on(self._lost)
        scanner = self._radio.scanner(self._seen)
        try:
            await scanner.start()
        except FAILURES as error:
            raise TransportError(
                f"{self.name}: cannot scan, {plain(error)}; check that there is an adapter and that it is on"
            ) from error
        self._scanner = scanner
        self._heard_at = time.monotonic()

    def _seen(self, device: BLEDevice, advertised: AdvertisementData) -> None:
        self._heard_at = time.monotonic()
        sighting = Sighting(
            device,
            advertised.local_name or device.name,
            frozenset(advertised.service_uuids),
            advertised.rssi,
        )
        for lookout in self._lookouts:
            lookout.notice(sighting)

    def _lost(self) -> None:
        self._scanner = None
        self._give_up(TransportError(f"{self.name}: gone; check that it is plugged in and on"))

    def _give_up(self, loss: TransportError) -> None:
        for lookout in self._lookouts:
            lookout.give_up(loss)


def plain(error: BaseException) -> str:
    """What an error says, or at least what it is."""
    if isinstance(error, FileNotFoundError):
        return "the system has no Bluetooth service running"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return str(error) or type(error).__name__

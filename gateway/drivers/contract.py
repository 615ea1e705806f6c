"""What a driver is: a declaration, and a session that turns bytes into events without any I/O.

A session gets what happened on the link and answers with a tuple of events, carried out in order.
A ``Send`` that follows a ``Measured`` goes out only when that reading is on disk, so that a device
which deletes what was acknowledged can be answered with a clear conscience.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol, Self

from gateway.errors import DecodeError
from gateway.model import Device, Reading
from gateway.model.vocabulary import DeviceKind


@dataclass(frozen=True, slots=True)
class Send:
    """Bytes for the device. `channel` is a characteristic's UUID, an endpoint's address or ``""``.

    An `optional` one is passed over where the device lacks the channel.
    """

    data: bytes
    channel: str = ""
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Notifications or indications of `channel` wanted, whichever the device offers."""

    channel: str
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Read:
    """The present value of `channel` wanted; it comes as ``received``. Passed over where it is missing."""

    channel: str


@dataclass(frozen=True, slots=True)
class SetTimer:
    """``timer(name, at)`` wanted after so many seconds. Set again, it starts anew; zero cancels it."""

    name: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Identified:
    """What the device said of itself. Readings from now on carry it."""

    device: Device


@dataclass(frozen=True, slots=True)
class Measured:
    """A reading."""

    reading: Reading


@dataclass(frozen=True, slots=True)
class Unfinished:
    """The value just received is a part, and the reading of which it is one comes later.

    Its raw bytes stay in the journal until a later value of the same channel has made a reading.
    """


@dataclass(frozen=True, slots=True)
class Progress:
    """For the screen only: measuring, moving, searching. Never a value to keep.

    `fraction` is 0 to 1 where the device tells how far it has come.
    """

    text: str
    fraction: float | None = None


_NO_FRAME = frozenset({"sync", "noise"})


@dataclass(frozen=True, slots=True)
class Fault:
    """Bytes that do not hold, or a protocol that was broken.

    Parameters
    ----------
    code, message : str
        As in :class:`gateway.errors.DecodeError`.
    offset : int, optional
        Of the first wrong byte, counted over all that this channel received since the connection.
    """

    code: str
    message: str
    offset: int | None = None

    @property
    def is_no_frame(self) -> bool:
        """Whether the bytes were in no form of the protocol: most likely the link is to blame."""
        return self.code in _NO_FRAME

    @classmethod
    def from_error(cls, error: DecodeError, *, offset: int = 0) -> Self:
        """The fault of a frame that starts `offset` bytes into what was received."""
        return cls(error.code, error.message, error.offset + offset)


@dataclass(frozen=True, slots=True)
class ClockRead:
    """What the device's clock shows at this moment, naive where it states no zone.

    Readings with ``time_source="device"`` that follow carry the difference to the gateway's clock. A clock
    that was never set shows nothing: emit nothing of it.
    """

    shown: datetime


@dataclass(frozen=True, slots=True)
class ClockSet:
    """The device's clock was set to the `at` of this call, or the device has confirmed that it was.

    Stored records keep the stamps that they have: what a ``ClockRead`` before it found holds for those.
    """


@dataclass(frozen=True, slots=True)
class Close:
    """The link is to be closed; for the log, why."""

    reason: str


Event = (
    Send
    | Subscribe
    | Read
    | SetTimer
    | Identified
    | Measured
    | Unfinished
    | Progress
    | Fault
    | ClockRead
    | ClockSet
    | Close
)
Events = tuple[Event, ...]


class Session(Protocol):
    """A driver's side of one connection.

    Besides ``received`` it may have any of ``connected(at)``, ``timer(name, at)`` and
    ``disconnected(at)``, which return events too; one that it has no use for is left out.
    Foreign bytes never make it raise, and after garbage the next good frame is decoded.

    A time that the device states without a zone is given as a naive datetime with
    ``time_source="device"``; the site's zone is put to it by whoever knows it. `at` is always aware, and in
    the zone of the device's clock where that is known: the time to set a clock to is its own fields.
    """

    def received(self, data: bytes, channel: str, at: datetime) -> Events: ...


@dataclass(frozen=True, slots=True)
class SerialLink:
    """A serial port; the same bytes may come through ``socket://`` or ``rfc2217://``.

    `dtr` and `rts` are the states to be set before opening, None to leave them to the system. `usb_ids` are
    vendor and product of a maker's own cable or socket, by which such a port is recognised; those of a chip
    that anybody may build in tell nothing. `only_with` is a setting of the driver and the value with which
    the line is like this.
    """

    baudrate: int
    bytesize: Literal[7, 8] = 8
    parity: Literal["N", "E", "O"] = "N"
    stopbits: Literal[1, 2] = 1
    xonxoff: bool = False
    rtscts: bool = False
    dtr: bool | None = None
    rts: bool | None = None
    usb_ids: tuple[tuple[int, int], ...] = ()
    only_with: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class UsbLink:
    """A USB device by vendor and product id, or any that has an interface of `interface_class`.

    `usage` is page and usage of a top-level collection that the interface's HID report descriptor must have.
    """

    vendor: int | None = None
    product: int | None = None
    interface_class: int | None = None
    usage: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class BleLink:
    """A Bluetooth LE peripheral by advertised services (16- or 128-bit UUIDs) and, where needed, its name.

    `name` is a regular expression that the whole advertised name must match.
    `deletes_confirmed` says that the device forgets a record once its indication was confirmed: the raw
    value is then journalled before the confirmation.
    """

    services: tuple[str, ...] = ()
    name: str | None = None
    deletes_confirmed: bool = False


@dataclass(frozen=True, slots=True)
class TcpLink:
    """A device, or the box that it hangs on, that listens on a TCP port."""

    port: int | None = None


@dataclass(frozen=True, slots=True)
class FolderLink:
    """Files in a folder, by name pattern: each complete file is one ``received``, its name the channel."""

    patterns: tuple[str, ...]


Link = SerialLink | UsbLink | BleLink | TcpLink | FolderLink


@dataclass(frozen=True, slots=True)
class Setting:
    """What the wire does not say. One without a default must be configured.

    Parameters
    ----------
    name : str
        Also the keyword argument by which the session receives it.
    choices : tuple of str
        Empty where any text will do.
    default : str, optional
    help : str
    """

    name: str
    choices: tuple[str, ...] = ()
    default: str | None = None
    help: str = ""


ClockUse = Literal["off", "measure", "set"]


def clock_setting(*uses: ClockUse) -> Setting:
    """The setting of a driver whose device has a clock that can be read or set: what is done with it.

    Parameters
    ----------
    *uses : {"off", "measure", "set"}
        Those that the device is capable of, the usual one first: it is the default. ``measure`` reads the
        clock at each connection and emits :class:`ClockRead`, ``set`` sets it as well and emits
        :class:`ClockSet`. Where the clock can be read it is read before it is set, for the stamps of what
        is stored in the device are by the clock that was.

    Examples
    --------
    ``settings=(clock_setting("measure", "set", "off"),)``; the session receives ``clock="measure"``, and a
    configuration says ``clock = "set"`` in the device's table.
    """
    return Setting(CLOCK, uses, uses[0], "what to do with the device's clock")


CLOCK = "clock"

Evidence = Literal["capture", "manual", "one-implementation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """A device family, declared.

    Parameters
    ----------
    id : str
        Lower case, vendor first: ``nonin-serial``.
    vendor : str
        Empty where devices of any maker follow the protocol.
    models : tuple of str
    kind : str
    emits : mapping of str to tuple of str
        Every observation name that it may emit, with the UCUM units (``""`` for none).
    own_codes : bool
        It may emit an analyser's own codes besides, which no list can hold.
    links : tuple of Link
        The ways to reach it, the usual one first.
    settings : tuple of Setting
    evidence : {"capture", "manual", "one-implementation"}
        The best that its byte table rests on.
    session : callable
        Called with the settings as keyword arguments, once a connection.
    specials : tuple of str
        Every error code and every value that the documents say is no number, under the names that they have
        there. Each has to be shown in a fixture, and to give no number.
    frames : callable, optional
        Called like `session`; its session reports every frame for itself. For a driver whose session
        concludes something from several frames (debouncing, ignoring the first): a technician who
        decodes one frame wants to see what that frame says.
    """

    id: str
    vendor: str
    models: tuple[str, ...]
    kind: DeviceKind
    emits: Mapping[str, tuple[str, ...]]
    links: tuple[Link, ...]
    evidence: Evidence
    session: Callable[..., Session]
    settings: tuple[Setting, ...] = ()
    own_codes: bool = False
    specials: tuple[str, ...] = ()
    frames: Callable[..., Session] | None = field(default=None)

    @property
    def device(self) -> Device:
        """What the declaration alone says of a connected device: its model only where there is just one."""
        return Device(vendor=self.vendor or None, model=self.models[0] if len(self.models) == 1 else None)

    def links_for(self, settings: Mapping[str, str]) -> tuple[Link, ...]:
        """The links of a device that is configured so, the usual one first."""
        values = {setting.name: setting.default for setting in self.settings} | dict(settings)
        return tuple(
            link
            for link in self.links
            if not isinstance(link, SerialLink)
            or link.only_with is None
            or values.get(link.only_with[0]) == link.only_with[1]
        )

"""What the sessions of Bluetooth's own services have in common.

Every value of a characteristic is a frame: it comes whole, and says something for itself. What the device
says of itself (maker, model, battery, clock) is the same for all of them; each driver adds the
characteristics of its service, and asks for its measurements last, since that is what releases the records
that a device has stored.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import MAXYEAR, datetime, timedelta
from decimal import Decimal
from functools import partial
from types import MappingProxyType

from gateway.codecs.gatt import current_time, date_time
from gateway.codecs.gatt import device_information as information
from gateway.codecs.gatt.date_time import Stamp
from gateway.codecs.ieee11073 import Number, Special, resembles_special
from gateway.drivers.contract import (
    ClockRead,
    ClockSet,
    Event,
    Events,
    Fault,
    Identified,
    Progress,
    Read,
    Send,
    clock_setting,
)
from gateway.errors import DecodeError
from gateway.model import Device, Observation, Reading

_STORED_AFTER = timedelta(days=1)  # longer than any zone's offset, which a session does not know
_RECORDS_REMEMBERED = 512
_IDENTITY = {
    information.MANUFACTURER: "vendor",
    information.MODEL: "model",
    information.SERIAL: "serial",
}
_CLOCKS: Mapping[str, Callable[[datetime], bytes]] = {  # in the order of preference
    current_time.CURRENT_TIME: current_time.encode_current_time,
    date_time.CHARACTERISTIC: date_time.encode_date_time,
}
_SET_WITHIN = timedelta(seconds=5)  # of what was written, when the clock is read back

CLOCK_SETTING = clock_setting("measure", "set", "off")

Decoder = Callable[[bytes, datetime], Events]
NOTHING_BESIDES: Mapping[str, Decoder] = MappingProxyType({})
"""Of a driver that adds no characteristics of its maker's to a service's own."""


class GattFrames:
    """Every value for itself.

    Parameters
    ----------
    noun : str
        What notes call the device: ``cuff``, ``scale``.
    decoders : mapping of str to callable
        By characteristic. The first is meant where none is named.
    clock : {"off", "measure", "set"}
        What is done with the device's clock. One that is set is read back, for not every device that has a
        clock takes a time.
    """

    def __init__(self, noun: str, decoders: Mapping[str, Decoder], clock: str = "measure") -> None:
        self.noun = noun
        self._clock_use = clock
        self._clock_set: str | None = None
        self.device = Device()
        self.decoders = decoders
        self._default = next(iter(decoders))
        self._all_decoders = {**self._own_decoders(), **decoders}
        self._received: Counter[str] = Counter()

    def inquiries(self) -> Events:
        """What every device is asked first."""
        clocks = () if self._clock_use == "off" else _CLOCKS
        return tuple(Read(channel) for channel in (*_IDENTITY, information.BATTERY_LEVEL, *clocks))

    def received(self, data: bytes, channel: str, at: datetime) -> Events:
        channel = channel or self._default
        decode = self._all_decoders.get(channel)
        if decode is None:
            return (Fault("channel", f"no characteristic {channel} is known of this {self.noun}"),)
        offset = self._received[channel]
        self._received[channel] += len(data)
        try:
            return decode(data, at)
        except DecodeError as error:
            return (Fault.from_error(error, offset=offset),)

    def _own_decoders(self) -> dict[str, Decoder]:
        return {
            **{uuid: partial(self._identified, field) for uuid, field in _IDENTITY.items()},
            **{uuid: partial(self._revision, of) for uuid, of in information.REVISIONS.items()},
            information.SYSTEM_ID: self._system_id,
            information.PNP_ID: self._pnp_id,
            information.CERTIFICATION: self._certification,
            information.BATTERY_LEVEL: self._battery,
            date_time.CHARACTERISTIC: self._date_time,
            current_time.CURRENT_TIME: self._current_time,
            current_time.LOCAL_TIME_INFORMATION: self._local_time,
            current_time.REFERENCE_TIME_INFORMATION: self._reference_time,
        }

    def _identified(self, field: str, data: bytes, at: datetime) -> Events:
        self.device = replace(self.device, **{field: information.decode_text(data)})
        return (Identified(self.device),)

    def _revision(self, of: str, data: bytes, at: datetime) -> Events:
        return (Progress(f"{of} {information.decode_text(data) or 'not named'}"),)

    def _system_id(self, data: bytes, at: datetime) -> Events:
        return (Progress(f"system id {information.decode_system_id(data)}"),)

    def _pnp_id(self, data: bytes, at: datetime) -> Events:
        pnp = information.decode_pnp_id(data)
        product = f"product 0x{pnp.product:04X} version 0x{pnp.version:04X}"
        return (Progress(f"vendor 0x{pnp.vendor:04X} ({pnp.source}), {product}"),)

    def _certification(self, data: bytes, at: datetime) -> Events:
        return (Progress(f"regulatory certification list of {len(data)} bytes"),)

    def _battery(self, data: bytes, at: datetime) -> Events:
        return (Progress(f"battery of the {self.noun} at {information.decode_battery_level(data)} %"),)

    def _date_time(self, data: bytes, at: datetime) -> Events:
        return self._clock(date_time.CHARACTERISTIC, date_time.decode_date_time(data), at)

    def _current_time(self, data: bytes, at: datetime) -> Events:
        now = current_time.decode_current_time(data)
        wrong = ("its day of the week is another",) if now.day_is_wrong else ()
        besides = ", ".join((*wrong, *now.reasons))
        noted = (Progress(f"clock of the {self.noun}: {besides}"),) if besides else ()
        return (*self._clock(current_time.CURRENT_TIME, now.time, at), *noted)

    def _clock(self, channel: str, shown: datetime | None, at: datetime) -> Events:
        if channel == self._clock_set:
            return (self._read_back(shown, at),)
        read = Progress(f"clock of the {self.noun} is not set") if shown is None else ClockRead(shown)
        if self._clock_use != "set" or self._clock_set is not None:
            return (read,)
        self._clock_set = channel
        return (read, Send(_CLOCKS[channel](at), channel, optional=True), Read(channel))

    def _read_back(self, shown: datetime | None, at: datetime) -> Event:
        """What follows from the clock's value after it was written."""
        if shown is not None and abs(shown - at.replace(tzinfo=None)) <= _SET_WITHIN:
            return ClockSet()
        return Fault("clock", f"the {self.noun} did not take the time that it was given")

    def _local_time(self, data: bytes, at: datetime) -> Events:
        local = current_time.decode_local_time(data)
        zone = "unknown" if local.zone is None else f"{local.zone / timedelta(hours=1):+g} h"
        saving = local.daylight_saving
        daylight = "unknown" if saving is None else f"{saving / timedelta(hours=1):g} h"
        return (Progress(f"zone of the {self.noun} {zone}, daylight saving {daylight}"),)

    def _reference_time(self, data: bytes, at: datetime) -> Events:
        since = current_time.decode_reference_time(data)
        when = "long ago or never" if since is None else f"{since / timedelta(hours=1):g} h ago"
        return (Progress(f"clock of the {self.noun} was set from its reference {when}"),)


class Recent:
    """The values that came in this connection: one that comes again is the same record, sent again."""

    def __init__(self) -> None:
        self._seen: deque[bytes] = deque(maxlen=_RECORDS_REMEMBERED)

    def once(self, data: bytes, events: Callable[[], Events]) -> Events:
        """What comes of `data` the first time that it holds."""
        if data in self._seen:
            return (Progress("record sent again"),)
        found = events()
        self._seen.append(data)
        return found

    def forget(self, values: Iterable[bytes]) -> None:
        """Take the like of these for new records again."""
        gone = set(values)
        self._seen = deque((data for data in self._seen if data not in gone), maxlen=_RECORDS_REMEMBERED)


def supported(noun: str, names: Iterable[str], *besides: str) -> Event:
    """What a device says that it is capable of."""
    listed = ", ".join(name.replace("-", " ") for name in names) or "nothing optional"
    return Progress("; ".join((f"the {noun} supports {listed}", *besides)))


def timed(reading: Reading, stamp: Stamp | None, at: datetime | None, noun: str) -> Reading:
    """The reading with the time that its device states, else with that of its arrival and why.

    A record that is older than the connection is noted as such.
    """
    if stamp is not None and stamp.time is not None and stamp.time.year < MAXYEAR:
        if at is not None and at.replace(tzinfo=None) - stamp.time > _STORED_AFTER:
            reading = reading.noted(f"stored in the {noun} before this connection")
        return reading.taken(stamp.time, by="device")
    if stamp is not None:
        reading = reading.noted(_no_time(stamp, noun))
    return reading.taken(at, by="gateway") if at is not None else reading


def _no_time(stamp: Stamp, noun: str) -> str:
    if stamp.error is not None:
        return f"time stamp of the {noun}: {stamp.error.message}"
    if stamp.time is not None:
        return f"time stamp of the {noun}: no such date and time: {stamp.time}, the end of the calendar"
    return f"clock of the {noun} is not set"


def numbers(*fields: tuple[str, Number | None, str]) -> Iterator[Observation]:
    """The observations of those (name, value, unit) that are numbers."""
    for name, value, unit in fields:
        if isinstance(value, Decimal):
            yield Observation(name, value, unit)


def no_numbers(*fields: tuple[str, Number | None]) -> Iterator[str]:
    """Notes of those (name, value) that are special values; NaN is the usual one for none, and no news."""
    for name, value in fields:
        if isinstance(value, Special) and value is not Special.NAN:
            yield f"{name} is {value.value}"


def disguised(observations: Iterable[Observation]) -> Iterator[str]:
    """Notes of numbers that may be a special value, sent with an exponent that makes it a number."""
    for observation in observations:
        if observation.value is not None and resembles_special(observation.value):
            yield f"{observation.name}: the number may stand for no result"


def left_over(rest: bytes) -> Iterator[str]:
    """A note of what a later version of the service may have added."""
    if rest:
        yield f"{len(rest)} bytes beyond the known fields ignored"


def user_slot(user: int | None, noun: str) -> Iterator[str]:
    """A note of the slot of the device that a measurement is in, which is never a patient."""
    if user is not None:
        yield f"user {user} of the {noun}"

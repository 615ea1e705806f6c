"""Any USB Personal Healthcare Device, or whatever speaks IEEE 11073-20601 over TCP or a pipe.

The device speaks first: an association request, its configuration where that is not a standard one, then scan
reports and what its store holds. The manager's side is :mod:`gateway.codecs.phd.association`, what becomes of
values :mod:`gateway.drivers.phd_readings`. A report is confirmed when its readings are on disk.

Over USB one message is one transfer; its own length is looked at in any case, so that a stream does as well,
and a message that was cut short ends where a transfer begins with another.
An oximeter that streams gives one reading a finger: at once where its report wants a confirmation, for then
it may forget it; else when the values were steady, when they stop, or when the device goes. Its gaps are
progress. A time stamp is the device's local time.

Source: USB-IF, Personal Healthcare Device Class 1.0; the sources of :mod:`gateway.codecs.phd`. Evidence: one
implementation, with the standard's own examples.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from gateway.codecs.framing import Frame
from gateway.codecs.phd import apdus
from gateway.codecs.phd.association import (
    Associated,
    Association,
    Broken,
    ClockWasSet,
    Deadline,
    Described,
    Notice,
    Observed,
    Output,
    Reply,
)
from gateway.codecs.phd.objects import Description
from gateway.codecs.phd.reader import Reader
from gateway.drivers.contract import (
    ClockRead,
    ClockSet,
    Driver,
    Event,
    Events,
    Fault,
    Identified,
    Measured,
    Progress,
    Send,
    SetTimer,
    TcpLink,
    UsbLink,
    clock_setting,
)
from gateway.drivers.phd_readings import EMITS, SPECIALS, RelativeClocks, readings_of
from gateway.drivers.steadiness import OneFinger
from gateway.model import Device, Reading

_PERSONAL_HEALTHCARE = 0x0F
_OWN_SYSTEM_ID = b"\x02GATEWAY"  # an EUI-64 that is locally administered
_WHOLE_FRAME_S = 3.0
_SILENCE_S = 3.0
_STEADY_REPORTS = 5
_REPEAT = timedelta(seconds=300)


class Frames:
    """Every message for itself."""

    def __init__(self, clock: str = "measure") -> None:
        self._clock = clock
        self._framer = apdus.framer()
        self._association: Association = Reader()
        self._clocks: RelativeClocks | None = None

    def received(self, data: bytes, channel: str, at: datetime) -> Events:
        cut_short = self._framer.flush() if apdus.begins(data) else ()
        frames = (*cut_short, *self._framer.feed(data))
        return tuple(event for frame in frames for event in self._events(frame, at))

    def disconnected(self, at: datetime) -> Events:
        return tuple(event for frame in self._framer.flush() for event in self._events(frame, at))

    def _events(self, frame: Frame, at: datetime) -> Iterator[Event]:
        if frame.error is not None:
            yield Fault.from_error(frame.error, offset=frame.offset)
            return
        for output in self._association.received(frame.content, at):
            yield from self._event(output, frame.offset, at)

    def _event(self, output: Output, offset: int, at: datetime) -> Iterator[Event]:
        match output:
            case Notice(text):
                yield Progress(text)
            case Broken(error):
                yield Fault.from_error(error, offset=offset)
            case Associated(system_id):
                yield Identified(Device(id=system_id.hex() or None))
            case Described(description):
                yield from self._described(description, at)
            case ClockWasSet():
                yield ClockSet()
            case Observed():
                yield from self._observed(output, offset, at)
            case Reply(data):
                yield from self.reply(data)
            case Deadline(seconds):
                yield from self.deadline(seconds)

    def _described(self, said: Description, at: datetime) -> Iterator[Event]:
        system_id = said.system_id.hex() if said.system_id else None
        yield Identified(Device(said.vendor, said.model, said.serial, system_id))
        self._clocks = RelativeClocks(at, said.ticks, said.microseconds)
        if said.clock is not None and self._clock != "off":
            yield ClockRead(said.clock)

    def _observed(self, observed: Observed, offset: int, at: datetime) -> Iterator[Event]:
        readings, errors = readings_of(observed.observations, at, self._clocks)
        is_spot = any(each.is_spot or each.is_stored for each in observed.observations)
        for reading in readings:
            if observed.assumed is None:
                yield from self.reading(reading, streams=not (is_spot or observed.is_confirmed))
            else:
                yield Measured(_assumed(reading, observed.assumed))
        for error in errors:
            yield Fault.from_error(error, offset=offset)

    def reading(self, reading: Reading, *, streams: bool) -> Events:
        return (Measured(reading),)

    def reply(self, data: bytes) -> Events:
        return ()

    def deadline(self, seconds: float) -> Events:
        return ()


def _assumed(reading: Reading, configuration_id: int) -> Reading:
    note = f"read as standard configuration 0x{configuration_id:04X}, which no message states"
    return reading.noted(note, status=None if reading.status == "rejected" else "questionable")


class Session(Frames):
    """The manager of one device."""

    def __init__(self, clock: str) -> None:
        super().__init__(clock)
        self._association = Association(_OWN_SYSTEM_ID, sets_clock=clock == "set")
        self._finger = OneFinger(_STEADY_REPORTS, _REPEAT)
        self._unsettled: Reading | None = None

    def received(self, data: bytes, channel: str, at: datetime) -> Events:
        return *super().received(data, channel, at), SetTimer("frame", _WHOLE_FRAME_S)

    def timer(self, name: str, at: datetime) -> Events:
        if name == "frame":
            return super().disconnected(at)
        if name == "finger":
            return self._stream_ended()
        return tuple(
            event for output in self._association.timed_out() for event in self._event(output, 0, at)
        )

    def disconnected(self, at: datetime) -> Events:
        return *super().disconnected(at), *self._stream_ended()

    def reading(self, reading: Reading, *, streams: bool) -> Events:
        if reading.kind != "pulse-oximetry" or not streams:
            return (Measured(reading),)
        if reading.status == "rejected":
            return self._finger.gone(reading.notes[0])
        if reading.value("spo2") is None or reading.value("pulse-rate") is None:
            return self._finger.disturbed("measuring")
        events = self._finger.valid(reading)
        if any(isinstance(event, Measured) for event in events):
            self._unsettled = None
        elif self._finger.is_new:
            self._unsettled = reading
        return *events, SetTimer("finger", _SILENCE_S)

    def reply(self, data: bytes) -> Events:
        return (Send(data),)

    def deadline(self, seconds: float) -> Events:
        return (SetTimer("answer", seconds),)

    def _stream_ended(self) -> Events:
        """Nothing more came: the last value of a finger that gave none yet is its reading."""
        last, self._unsettled = self._unsettled, None
        self._finger = OneFinger(_STEADY_REPORTS, _REPEAT)
        return () if last is None else (Measured(last),)


DRIVER = Driver(
    id="phdc",
    vendor="",
    models=(),
    kind="blood-pressure-monitor",
    emits=EMITS,
    links=(UsbLink(interface_class=_PERSONAL_HEALTHCARE), TcpLink()),
    settings=(clock_setting("measure", "set", "off"),),
    evidence="one-implementation",
    specials=SPECIALS,
    session=Session,
    frames=Frames,
)

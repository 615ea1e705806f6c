"""Nonin oximeters on a serial line: OEM III, Xpod, 3150, 9560, and the handhelds that print ASCII.

The formats, DF1, DF2, DF7, DF8, DF13 and ASCII, with their byte tables, sources and evidence, are in
:mod:`gateway.codecs.nonin`. Which one the device is set to is found by what it sends: one good packet,
record or line, or, for DF1 and DF8, which have no checksum, five frames in step. It can also be stated.

========================================  ========================================================
what a frame says                         what becomes of it
========================================  ========================================================
no SpO2 (127), no pulse rate (511)        no reading: the finger is out, or not yet found
sensor disconnected, out of track, alarm  no reading, even where digits are sent: they are old
artifact                                  no reading
low perfusion                             questionable
marginal perfusion, battery low           noted
========================================  ========================================================

These devices stream. One reading comes when the values have been valid and steady for `settle_s` seconds,
or when the device itself says that they are settled (SmartPoint); more of the same finger only when they
change or after `repeat_s`: :class:`gateway.drivers.steadiness.OneFinger`. A DF13 record is a finished spot
check: one reading each, acknowledged when stored, upon which the device deletes it; it repeats until then.
Devices with DF13 have a clock, which is read or set where the configuration says so.

Evidence: capture (DF2), one implementation (DF8, DF13), manuals (ASCII); DF1 and DF7 unconfirmed.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType

from gateway.codecs.nonin import ASK_CLOCK, ClockAnswers, Sample, set_clock
from gateway.codecs.nonin_stream import FORMATS, Heard, Hearing, explain
from gateway.drivers.contract import (
    ClockRead,
    ClockSet,
    Driver,
    Events,
    Fault,
    Measured,
    Send,
    SerialLink,
    Setting,
    TcpLink,
    clock_setting,
)
from gateway.drivers.finger_samples import unusable
from gateway.drivers.steadiness import REPEAT, OneFinger, repeat_after
from gateway.model import Observation, Reading, rejected

_NO_FINGER = ("sensor disconnected", "out of track", "sensor alarm", "no measurement")
_DOUBTFUL = ("low perfusion", "artifact")
_NOTED = ("low perfusion", "marginal perfusion", "artifact", "battery critical", "battery low", "from memory")
_RECORDS_REMEMBERED = 256
_ACKNOWLEDGE = b"\x06"
_SELECTABLE: Mapping[str, int] = MappingProxyType({"df2": 2, "df7": 7, "df8": 8, "df13": 13})


def select_format(name: str) -> bytes:
    """The command that sets a device which has a choice to ``df2``, ``df7``, ``df8`` or ``df13``."""
    return bytes((0x02, 0x70, 0x02, 0x02, _SELECTABLE[name], 0x03))


def reading_of(heard: Heard, sample: Sample, at: datetime) -> Reading:
    """What a frame says when it is taken for itself."""
    if reason := unusable(sample, _NO_FINGER):
        reading = rejected("pulse-oximetry", reason)
    else:
        reading = Reading(
            kind="pulse-oximetry",
            observations=(
                Observation("spo2", sample.spo2, "%"),
                Observation("pulse-rate", sample.pulse_rate, "/min"),
            ),
            status="questionable" if set(_DOUBTFUL) & set(sample.conditions) else "final",
            notes=tuple(name for name in sample.conditions if name in _NOTED),
        )
    if sample.time_error is not None:
        reading = reading.noted(f"clock of the oximeter: {sample.time_error.message}")
    reading = replace(reading, provenance=heard.frame.content)
    return reading.taken(sample.taken_at, by="device") if sample.taken_at else reading.taken(at, by="gateway")


class Frames:
    """What some bytes say for themselves, whatever came before."""

    def __init__(self, data_format: str, **_concluding: str) -> None:
        self._formats = FORMATS if data_format == "auto" else {data_format: FORMATS[data_format]}

    def received(self, data: bytes, channel: str, at: datetime) -> Events:
        heard = explain(data, self._formats)
        if not heard:
            return (Fault("sync", "no Nonin format: no frame, packet, record or line holds", 0),)
        complete = any(one.sample is not None for one in heard)
        return tuple(event for one in heard for event in self._events(one, at, complete))

    def _events(self, heard: Heard, at: datetime, complete: bool) -> Events:
        if heard.sample is not None:
            return (Measured(reading_of(heard, heard.sample, at)),)
        return () if complete and heard.is_cut_off else _fault(heard)


class Session:
    """The stream of one connection."""

    def __init__(self, data_format: str, settle_s: str, repeat_s: str, select: str, clock: str) -> None:
        self._command = select_format(data_format) if select == "yes" and data_format in _SELECTABLE else b""
        self._hearing = Hearing(FORMATS if data_format == "auto" else {data_format: FORMATS[data_format]})
        self._settle_s = int(settle_s)
        self._repeat = repeat_after(repeat_s)
        self._finger: OneFinger | None = None
        self._records: deque[bytes] = deque(maxlen=_RECORDS_REMEMBERED)
        self._clock = clock
        self._answers = ClockAnswers()

    def connected(self, at: datetime) -> Events:
        commands = (self._command, b"" if self._clock == "off" else ASK_CLOCK)
        return tuple(Send(command) for command in commands if command)

    def received(self, data: bytes, channel: str, at: datetime) -> Events:
        if self._clock == "off":
            return self._all(self._hearing.feed(data), at)
        rest, shown = self._answers.feed(data)
        return (*(self._shown(shown, at) if shown else ()), *self._all(self._hearing.feed(rest), at))

    def disconnected(self, at: datetime) -> Events:
        left = self._all(self._hearing.feed(self._answers.flush()), at)
        return (*left, *self._all(self._hearing.flush(), at))

    def _shown(self, shown: datetime, at: datetime) -> Events:
        if self._clock == "measure":
            return (ClockRead(shown),)
        return ClockRead(shown), Send(set_clock(at)), ClockSet()

    def _all(self, heard: tuple[Heard, ...], at: datetime) -> Events:
        return tuple(event for one in heard for event in self._events(one, at))

    def _events(self, heard: Heard, at: datetime) -> Events:
        if heard.sample is None:
            return _fault(heard)
        if heard.sample.is_record:
            return self._record(heard, heard.sample, at)
        return self._streamed(heard, heard.sample, at)

    def _record(self, heard: Heard, sample: Sample, at: datetime) -> Events:
        acknowledged = Send(_ACKNOWLEDGE)
        if heard.frame.content in self._records:
            return (acknowledged,)
        self._records.append(heard.frame.content)
        return Measured(reading_of(heard, sample, at)), acknowledged

    def _streamed(self, heard: Heard, sample: Sample, at: datetime) -> Events:
        if self._finger is None:
            self._finger = OneFinger(self._settle_s * heard.per_second, self._repeat)
        if reason := unusable(sample, _NO_FINGER):
            return self._finger.gone(reason)
        if "artifact" in sample.conditions:
            return self._finger.disturbed("artifact: keep the finger still")
        return self._finger.valid(reading_of(heard, sample, at), settled="SmartPoint" in sample.conditions)


def _fault(heard: Heard) -> Events:
    if heard.error is None or heard.is_rest_of_packet:
        return ()
    return (Fault.from_error(heard.error, offset=heard.frame.offset),)


DRIVER = Driver(
    id="nonin-serial",
    vendor="Nonin",
    models=("OEM III", "Xpod", "3150", "9560", "2500", "4100", "8500", "9600", "9847"),
    kind="pulse-oximeter",
    emits={"spo2": ("%",), "pulse-rate": ("/min",)},
    links=(SerialLink(baudrate=9600), TcpLink()),
    settings=(
        Setting("data_format", ("auto", *FORMATS), "auto", "what the device is set to send"),
        Setting("settle_s", ("3", "5", "10", "20"), "5", "seconds that values must be steady"),
        REPEAT,
        Setting("select", ("no", "yes"), "no", "set the device to data_format when it connects"),
        clock_setting("off", "measure", "set"),
    ),
    evidence="capture",
    specials=(
        *_NO_FINGER,
        *(f"packet: {what}" for what in _NO_FINGER[:3]),
        *("SpO2 127", "pulse rate 511", "zeros", "beyond 100 %", "packet without values", "dashes"),
    ),
    session=Session,
    frames=Frames,
)

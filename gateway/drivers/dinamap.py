r"""GE Dinamap PRO, ProCare and Compact, Carescape V100: the host port. Serial, 9600 8N1, ASCII, ended by
CR.

The host asks, once a second. A message is a blank, two letters, data, two check characters::

     NA1000025130067086&)\r

======  =====  ===============================================================
offset  width  ``NA``: blood pressure
======  =====  ===============================================================
3       1      status: 1 valid, above 2 an error
4       2      not understood, and not looked at
6       4      seconds since the determination
10      3      systolic, mmHg
13      3      diastolic
16      3      mean
======  =====  ===============================================================

``RC`` has the pulse rate in 4 to 6, which for itself, as ``gateway decode`` shows it, is a heart rate.
Check: the sum v of all characters from the blank on, each less 0x1F; 0x20 + v div 64, then 0x20 + v mod 64.

The monitor keeps its last result for hours. It is new when its age has gone back, or its numbers changed,
while we watched; what stood there at the first look is passed over. Its pulse rate is asked for then. The
time is that of the reply less the age. Commands that start a determination are left out on purpose.

Source: a public program that was used with a monitor (TKUtility), and one for the Carescape V100 that reads
the same places; the check was deduced from their commands and fits them. GE's own description was not seen.
Evidence: one implementation.
"""

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from gateway.drivers.contract import Driver, Events, Measured, Progress, Send, SerialLink, SetTimer, TcpLink
from gateway.drivers.cuff_results import UNITS, blood_pressure
from gateway.drivers.line_session import LineFrames
from gateway.errors import DecodeError
from gateway.model import Observation, Reading, rejected

_ASK_PRESSURE, _ASK_PULSE = b" NA!2\r", b" RC!8\r"
_POLL_S, _PULSE_WAIT_S = 1.0, 2.0
_MESSAGE_START = re.compile(rb" (?:NA|RC)(?=\d)")
_PRESSURE = re.compile(rb" NA(\d)..(.{4})(.{3})(.{3})(.{3}).*", re.DOTALL)
_PULSE = re.compile(rb" RC.(\d{3}).*", re.DOTALL)
_VALID, _LAST_GOOD = 1, 2
_NAMES = ("systolic", "diastolic", "mean-arterial-pressure")


@dataclass(frozen=True, slots=True)
class Pressure:
    """A reply to NA: the result that the monitor shows, if it has one, and how old it is."""

    reading: Reading | None
    age: timedelta


@dataclass(frozen=True, slots=True)
class Pulse:
    """A reply to RC, 1/min."""

    rate: Decimal
    provenance: bytes = b""

    @property
    def observed(self) -> Observation:
        return Observation("pulse-rate", self.rate, "/min")


def check_characters(message: bytes) -> bytes:
    """The two characters that belong behind `message`, which begins with its blank."""
    total = sum(byte - 0x1F for byte in message)
    return bytes((0x20 + total // 64 & 0xFF, 0x20 + total % 64))


def parse_message(line: bytes) -> Pressure | Pulse:
    """One message of the monitor, without its CR.

    Raises
    ------
    DecodeError
        Check characters or layout do not hold.
    """
    message, check = line[:-2], line[-2:]
    if check != check_characters(message):
        raise DecodeError(
            "checksum", f"{check!r}, computed {check_characters(message)!r}", offset=len(message)
        )
    if match := _PRESSURE.fullmatch(message):
        return Pressure(_reading(match), timedelta(seconds=_digits(match, 2) if match[2].strip() else 0))
    if match := _PULSE.fullmatch(message):
        return Pulse(Decimal(int(match[1])))
    raise DecodeError("layout", "neither a blood pressure nor a pulse rate", offset=0)


def _reading(match: re.Match[bytes]) -> Reading | None:
    status = int(match[1])
    if status > _LAST_GOOD:
        return rejected("blood-pressure", f"status {status}: error of the monitor")
    if status != _VALID:
        return None
    return blood_pressure({name: _digits(match, group) for group, name in enumerate(_NAMES, start=3)})


def _digits(match: re.Match[bytes], group: int) -> int:
    if not match[group].isdigit():
        raise DecodeError("value", f"{match[group]!r} is no number", offset=match.start(group))
    return int(match[group])


class Frames(LineFrames):
    """Every message for itself."""

    terminator = b"\r"
    longest = 64
    silent = b"\n"
    frame = _MESSAGE_START

    def line(self, line: bytes, at: datetime) -> Events:
        if not line:
            return ()
        message = parse_message(line)
        if isinstance(message, Pulse):
            return self.pulse(replace(message, provenance=line), at)
        if message.reading is None:
            return (Progress("no result"),)
        reading = replace(message.reading, provenance=line).taken(at - message.age, by="gateway")
        return self.pressure(reading, message.age)

    def pressure(self, reading: Reading, _age: timedelta) -> Events:
        return (Measured(reading),)

    def pulse(self, pulse: Pulse, at: datetime) -> Events:
        if not pulse.rate:
            return (Progress("no pulse rate"),)
        reading = Reading(kind="heart-rate", observations=(pulse.observed,), provenance=pulse.provenance)
        return (Measured(reading.taken(at, by="gateway")),)


class Session(Frames):
    """Watches for a new result, and asks for its pulse rate."""

    def __init__(self) -> None:
        super().__init__()
        self._shown: tuple[Reading, timedelta] | None = None
        self._new: Reading | None = None

    def connected(self, at: datetime) -> Events:
        return (SetTimer("poll", _POLL_S),)

    def timer(self, name: str, at: datetime) -> Events:
        if name == "poll":
            return Send(_ASK_PRESSURE), SetTimer("poll", _POLL_S)
        return self._done()

    def disconnected(self, at: datetime) -> Events:
        return super().disconnected(at) + self._done()

    def pressure(self, reading: Reading, age: timedelta) -> Events:
        before, self._shown = self._shown, (reading, age)
        if before is None:
            return (Progress("result of an earlier measurement passed over"),)
        shown, shown_age = before
        if age >= shown_age and (reading.notes, reading.observations) == (shown.notes, shown.observations):
            return ()
        unfinished = self._done()
        if reading.status == "rejected":
            return *unfinished, Measured(reading)
        self._new = reading
        return *unfinished, Send(_ASK_PULSE), SetTimer("pulse", _PULSE_WAIT_S)

    def pulse(self, pulse: Pulse, at: datetime) -> Events:
        if self._new is not None and pulse.rate:
            self._new = replace(self._new, observations=(*self._new.observations, pulse.observed))
        return *self._done(), SetTimer("pulse", 0)

    def _done(self) -> Events:
        reading, self._new = self._new, None
        return () if reading is None else (Measured(reading),)


DRIVER = Driver(
    id="dinamap",
    vendor="GE",
    models=("Dinamap PRO", "Dinamap ProCare", "Dinamap Compact", "Carescape V100"),
    kind="blood-pressure-monitor",
    emits={name: (unit,) for name, unit in UNITS.items()},
    links=(SerialLink(baudrate=9600), TcpLink()),
    evidence="one-implementation",
    specials=("status above 2", "no result"),
    session=Session,
    frames=Frames,
)

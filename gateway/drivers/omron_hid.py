"""Omron cuffs with a USB socket: HEM-7301-ITKE7, and by report HEM-759P. HID, reports of 8 bytes.

Byte 0 of a report counts those of the next seven that mean something; the rest is garbage. A feature report
``74 BC`` chooses that readings are spoken of. The cuff sleeps: seven zero bytes, twice, wake it, up to ten
times until it answers. Then it is asked for its clock, the number of its records, and each record:

==================  ===============================================================================
asked               answer
==================  ===============================================================================
``GCL00``           ``OK``, 00, then year less 2000, month, day, hour, minute, second
``CNT00``           ``OK``, 00, 00, count
``MES`` 00 00 i i   ``OK``, 00, then a record; the second i is the exclusive-or of the first and 00
``END00``           ``OFF``: the cuff goes to sleep
``NO`` (4E 4F)      anything was asked in vain: it is asked again
==================  ===============================================================================

A record has, from its first byte: year less 2000, month, day, hour, minute, second, two bytes not known,
systolic, diastolic, pulse rate. Failed measurements are not known to be stored. A clock that was never set
gives impossible dates: the values are kept. The command that clears the memory is not among
those that this driver can send.

The HEM-790IT has the same ids and framing, and other commands, of which too little is known.

Source: libomron and a program for the HEM-7301-ITKE7. Evidence: one implementation.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from gateway.codecs.hid_reports import counted_content
from gateway.drivers.contract import (
    ClockRead,
    Driver,
    Event,
    Events,
    Fault,
    Measured,
    Progress,
    Send,
    SetTimer,
    UsbLink,
    clock_setting,
)
from gateway.drivers.cuff_results import UNITS, at_stated_time, blood_pressure
from gateway.drivers.stored_records import from_memory
from gateway.errors import DecodeError
from gateway.model import Reading

_HID = 3
_REPORT_SIZE, _MOST_IN_REPORT = 8, 7
_MODE = bytes.fromhex("74 BC")
_WAKE = bytes((_MOST_IN_REPORT,)) + bytes(_MOST_IN_REPORT)
_OK, _NO, _OFF, _AWAKE = b"OK\x00", b"NO", b"OFF", b"OK"
_VALUES = (("systolic", 8), ("diastolic", 9), ("pulse-rate", 10))
_RECORD_SIZE = 11
_CLOCK_SIZE = 6
_CLOCK, _COUNT, _END = b"GCL00", b"CNT00", b"END00"
_MOST_RECORDS = 100
_ANSWER_S, _AGAIN_S = 1.0, 60.0
_MOST_TRIES = 10
_RECORDS_REMEMBERED = 512


def report(command: bytes) -> tuple[bytes, ...]:
    """The reports that carry a command."""
    parts = (command[at : at + _MOST_IN_REPORT] for at in range(0, len(command), _MOST_IN_REPORT))
    return tuple((bytes((len(part),)) + part).ljust(_REPORT_SIZE, b"\0") for part in parts)


def parse_record(record: bytes) -> Reading:
    """The reading of a record, from its first byte after the answer's head.

    Raises
    ------
    DecodeError
        It is cut short.
    """
    if len(record) < _RECORD_SIZE:
        raise DecodeError("length", f"a record of {len(record)} bytes, expected {_RECORD_SIZE}", offset=0)
    values = {name: record[at] for name, at in _VALUES}
    reading = replace(blood_pressure(values), provenance=record[:_RECORD_SIZE])
    year, month, day, hour, minute, second = record[:_CLOCK_SIZE]
    stated = reading.noted("from the memory of the cuff")
    return at_stated_time(stated, 2000 + year, month, day, hour, minute, second)


def _time(data: bytes) -> datetime | None:
    year, month, day, hour, minute, second = data[:_CLOCK_SIZE]
    try:
        return datetime(2000 + year, month, day, hour, minute, second)  # noqa: DTZ001 - no zone is stated
    except ValueError:
        return None


class Frames:
    """Every answer for itself: what is as long as a record is one, a clock is shorter."""

    def __init__(self, clock: str = "measure") -> None:
        self._clock = clock
        self._answer = b""
        self._is_taken = False
        self._received = 0

    def received(self, data: bytes, channel: str, at: datetime) -> Events:
        offset, self._received = self._received, self._received + len(data)
        try:
            said = counted_content(data, size=_REPORT_SIZE)
        except DecodeError as error:
            self._answer = b""
            return (Fault.from_error(error, offset=offset),)
        if said.startswith((_AWAKE, _NO, _OFF)):
            self._answer, self._is_taken = said, False
        elif self._is_taken:
            return ()  # the end of a record, which is not known
        else:
            self._answer += said
        return tuple(self._events(offset, at))

    def _events(self, offset: int, at: datetime) -> Iterator[Event]:
        try:
            yield from self.answer(self._answer, at)
        except DecodeError as error:
            yield Fault.from_error(error, offset=offset)

    def answer(self, answer: bytes, at: datetime) -> Events:
        """What has come of an answer by now; nothing while more of it is to come."""
        data = answer[len(_OK) :]
        if answer.startswith(_NO):
            raise DecodeError("refused", "the cuff says NO: ask again", offset=1)
        if answer.startswith(_OFF):
            return (Progress("the cuff is off"),)
        if not answer.startswith(_OK):
            raise DecodeError("layout", "no answer of a cuff: neither OK nor NO", offset=0)
        if len(data) < _RECORD_SIZE:
            return ()
        self._is_taken = True
        return self.record(parse_record(data), at)

    def record(self, reading: Reading, at: datetime) -> Events:
        return (Measured(from_memory(reading, at)),)


class Session(Frames):
    """Wakes the cuff and reads its memory; each record counts once."""

    def __init__(self, clock: str) -> None:
        super().__init__(clock)
        self._seen: deque[bytes] = deque(maxlen=_RECORDS_REMEMBERED)
        self._wanted: deque[bytes] = deque()
        self._asked = b""
        self._tries = 0

    def connected(self, at: datetime) -> Events:
        self._wanted = deque((_CLOCK, _COUNT))
        self._asked = b""
        self._tries = 1
        return Send(_MODE, "feature"), *self._wake()

    def timer(self, name: str, at: datetime) -> Events:
        """Nothing came: wake it or ask again, and after ten times wait for a minute."""
        self._answer = b""
        self._tries += 1
        if name == "again":
            return self.connected(at)
        if self._tries > _MOST_TRIES:
            return Progress("the cuff does not answer"), SetTimer("again", _AGAIN_S)
        return self._ask() if self._asked else self._wake()

    def answer(self, answer: bytes, at: datetime) -> Events:
        if answer.startswith(_NO):
            return *self._ask(), Progress("the cuff says NO: asked again")
        if answer.startswith(_OFF):
            return *super().answer(answer, at), *self._next()
        if not self._asked and answer.startswith(_AWAKE):
            self._is_taken = True
            return self._next()
        if not answer.startswith(_OK):
            return super().answer(answer, at)
        data = answer[len(_OK) :]
        if len(data) < _size_of_answer(self._asked):
            return ()
        self._is_taken = True
        return *self._said(data, at), *self._next()

    def record(self, reading: Reading, at: datetime) -> Events:
        if reading.provenance in self._seen:
            return ()
        self._seen.append(reading.provenance)
        return super().record(reading, at)

    def _said(self, data: bytes, at: datetime) -> Events:
        if self._asked == _CLOCK:
            shown = _time(data)
            return (ClockRead(shown),) if shown is not None and self._clock != "off" else ()
        if self._asked == _COUNT:
            count = min(data[1], _MOST_RECORDS)
            self._wanted.extend(b"MES\0\0" + bytes((number, number)) for number in range(count))
            self._wanted.append(_END)
            return (Progress(f"{count} records in the memory", 0.0),)
        if self._asked.startswith(b"MES"):
            return self.record(parse_record(data), at)
        return ()

    def _next(self) -> Events:
        self._tries = 0
        if not self._wanted:
            return (SetTimer("answer", 0), SetTimer("again", _AGAIN_S))
        self._asked = self._wanted.popleft()
        return self._ask()

    def _ask(self) -> Events:
        return *(Send(each) for each in report(self._asked)), SetTimer("answer", _ANSWER_S)

    def _wake(self) -> Events:
        return Send(_WAKE), Send(_WAKE), SetTimer("answer", _ANSWER_S)


def _size_of_answer(asked: bytes) -> int:
    if asked == _CLOCK:
        return _CLOCK_SIZE
    if asked == _COUNT:
        return 2
    return _RECORD_SIZE if asked.startswith(b"MES") else 0


DRIVER = Driver(
    id="omron-hid",
    vendor="Omron",
    models=("HEM-7301-ITKE7", "HEM-759P"),
    kind="blood-pressure-monitor",
    emits={name: (UNITS[name],) for name, _ in _VALUES},
    links=(UsbLink(0x0590, 0x0028, _HID),),
    settings=(clock_setting("measure", "off"),),
    evidence="one-implementation",
    specials=("no systolic", "no diastolic", "no pulse rate", "NO", "OFF"),
    session=Session,
    frames=Frames,
)

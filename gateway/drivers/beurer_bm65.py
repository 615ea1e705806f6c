r"""Beurer BM65 cuff: its memory over a serial line at 4800 8N1, with a PL2303 inside. Binary; the host
asks.

=============  =====================================================================
host sends     device answers
=============  =====================================================================
``AA``         ``55``: it is there
``A4``         32 characters, its name
``A2``         number of records, one byte
``A3 n``       record n, counted from 1, 9 bytes
=============  =====================================================================

======  ====================================================
byte    field of a record
======  ====================================================
0       ``AC``
1, 2    systolic, diastolic, mmHg, less 25
3       pulse rate, /min
4-8     month, day, hour, minute, year less 2000, local time
======  ====================================================

There is no checksum: a record holds when its fields can be what they are, and is asked for again when not.
The memory is read at once and every minute, never cleared, and each record counts once. Their order is not
documented: they are given by their times. Some models keep two users apart; only the memory that the device
shows is read.

Source: a public program for the BM65 and the article of its author. Evidence: one implementation.
"""

import re
from collections import deque
from dataclasses import dataclass, replace
from datetime import datetime

from gateway.codecs.framing import Blocks, Frame
from gateway.drivers.block_session import BlockFrames
from gateway.drivers.contract import (
    Driver,
    Event,
    Events,
    Fault,
    Identified,
    Measured,
    Progress,
    Send,
    SerialLink,
    SetTimer,
    TcpLink,
)
from gateway.drivers.cuff_results import UNITS, at_stated_time, blood_pressure
from gateway.drivers.stored_records import from_memory
from gateway.errors import DecodeError
from gateway.model import Device, Reading

_ASK_PRESENCE, _ASK_NAME, _ASK_COUNT, _ASK_RECORD = b"\xaa", b"\xa4", b"\xa2", b"\xa3"
_RECORD_MARK, _PRESENT = 0xAC, 0x55
_RECORD_SIZE, _NAME_SIZE = 9, 32
_OFFSET_MMHG = 25
_LATEST = (12, 31, 23, 59, 99)  # month, day, hour, minute, year less 2000
_NAMES = ("systolic", "diastolic", "pulse-rate")
_ANSWER_S, _AGAIN_S, _TRIES = 1.0, 60.0, 3
_RECORDS_REMEMBERED = 512


def parse_record(record: bytes) -> Reading:
    """The reading in one record of nine bytes.

    Raises
    ------
    DecodeError
        A field cannot be what it should; names it, and its offset.
    """
    if len(record) != _RECORD_SIZE or record[0] != _RECORD_MARK:
        raise DecodeError(
            "layout", f"{len(record)} bytes, expected {_RECORD_SIZE} that begin with AC", offset=0
        )
    raw_systolic, raw_diastolic, pulse, *when = record[1:]
    for at, (value, latest) in enumerate(zip(when, _LATEST, strict=True), start=4):
        if value > latest:
            raise DecodeError("value", f"{value} in the date or time", offset=at)
    if raw_systolic and raw_systolic <= raw_diastolic:
        raise DecodeError("value", "systolic is not above diastolic", offset=1)
    reading = blood_pressure(
        {
            "systolic": raw_systolic and raw_systolic + _OFFSET_MMHG,
            "diastolic": raw_diastolic and raw_diastolic + _OFFSET_MMHG,
            "pulse-rate": pulse,
        }
    )
    month, day, hour, minute, year = when
    return at_stated_time(reading.noted("from the memory of the cuff"), 2000 + year, month, day, hour, minute)


class Frames(BlockFrames):
    """Every record for itself, wherever it stands."""

    def __init__(self) -> None:
        lengths = {_PRESENT: 1, _RECORD_MARK: _RECORD_SIZE}
        super().__init__(
            Blocks(
                re.compile(rb"[\x55\xac]"),
                1,
                lambda data: lengths[data[0]],
                lambda _: True,
                longest=_RECORD_SIZE,
            )
        )

    def block(self, frame: Frame, at: datetime) -> Events:
        if frame.data[0] == _PRESENT:
            return (Progress("the cuff is there"),)
        reading = replace(parse_record(frame.content), provenance=frame.content)
        return (Measured(from_memory(reading, at)),)


@dataclass(slots=True)
class _Noise:
    """Bytes that answer nothing, counted until something does."""

    offset: int = 0
    count: int = 0

    def add(self, offset: int) -> None:
        if not self.count:
            self.offset = offset
        self.count += 1

    def reported(self) -> Events:
        if not self.count:
            return ()
        fault = Fault("noise", f"{self.count} bytes that answer nothing", self.offset)
        self.count = 0
        return (fault,)


class Session:
    """Asks for presence, name, count and each record in turn; a record is taken whenever it comes."""

    def __init__(self) -> None:
        self._asked = b""
        self._tries = 0
        self._count = 0
        self._buffer = bytearray()
        self._offset = 0
        self._noise = _Noise()
        self._new: list[Reading] = []
        self._seen: deque[bytes] = deque(maxlen=_RECORDS_REMEMBERED)

    def connected(self, at: datetime) -> Events:
        return self._ask(_ASK_PRESENCE)

    def received(self, data: bytes, channel: str, at: datetime) -> Events:
        self._buffer += data
        events: list[Event] = []
        while self._buffer and len(self._buffer) >= (size := self._next_size()):
            events += self._answer(bytes(self._buffer[:size]), at)
        return tuple(events)

    def timer(self, name: str, at: datetime) -> Events:
        if name == "again":
            return self._ask(_ASK_PRESENCE)
        if self._tries < _TRIES:
            return *self._cut_off(), *self._ask(self._asked)
        return *self._cut_off(), *self._finished()

    def disconnected(self, at: datetime) -> Events:
        return *self._cut_off(), *self._noise.reported(), *self._given()

    def _next_size(self) -> int:
        if self._asked == _ASK_NAME and chr(self._buffer[0]).isascii() and chr(self._buffer[0]).isprintable():
            return _NAME_SIZE
        return _RECORD_SIZE if self._buffer[0] == _RECORD_MARK else 1

    def _answer(self, answer: bytes, at: datetime) -> Events:
        """What the next bytes say; one that answers nothing is passed over."""
        try:
            said = self._said(answer, at)
        except DecodeError as error:
            offset, again = self._offset, answer.find(_RECORD_MARK, 1)
            self._drop(again if again > 0 else len(answer))
            return (Fault.from_error(error, offset=offset),)
        if said is None:
            self._noise.add(self._offset)
            self._drop(1)
            return ()
        self._drop(len(answer))
        return *self._noise.reported(), *said

    def _said(self, answer: bytes, at: datetime) -> Events | None:
        if len(answer) == _NAME_SIZE:
            name = answer.decode("latin-1").strip("\0 ")
            named = (Identified(Device(model=name)),) if name.isprintable() and name else ()
            return *named, *self._ask(_ASK_COUNT)
        if len(answer) == _RECORD_SIZE:
            return self._record(replace(parse_record(answer), provenance=answer), at)
        if self._asked == _ASK_PRESENCE and answer[0] == _PRESENT:
            return self._ask(_ASK_NAME)
        if self._asked in {_ASK_NAME, _ASK_COUNT}:  # one that gives no name goes on to the count
            self._count = answer[0]
            return Progress(f"{self._count} records in the memory", 0.0), *self._ask_record(1)
        return None

    def _record(self, reading: Reading, at: datetime) -> Events:
        if reading.provenance not in self._seen:
            self._seen.append(reading.provenance)
            self._new.append(from_memory(reading, at))
        if not self._asked.startswith(_ASK_RECORD):
            return self._given()
        number = self._asked[-1]
        return Progress(f"record {number}", number / max(self._count, number)), *self._ask_record(number + 1)

    def _ask_record(self, number: int) -> Events:
        return self._ask(_ASK_RECORD + bytes((number,))) if number <= self._count else self._finished()

    def _ask(self, command: bytes) -> Events:
        self._tries = self._tries + 1 if command == self._asked else 1
        self._asked = command
        return Send(command), SetTimer("answer", _ANSWER_S)

    def _finished(self) -> Events:
        self._asked = b""
        return *self._given(), SetTimer("answer", 0), SetTimer("again", _AGAIN_S)

    def _given(self) -> Events:
        new, self._new = sorted(self._new, key=_by_time), []
        return tuple(Measured(reading) for reading in new)

    def _cut_off(self) -> Events:
        """The bytes of an answer that was not finished."""
        left, expected = len(self._buffer), self._next_size() if self._buffer else 0
        if not left:
            return ()
        offset = self._offset
        self._drop(left)
        return (Fault("cut-off", f"{left} of {expected} bytes, then silence", offset),)

    def _drop(self, count: int) -> None:
        del self._buffer[:count]
        self._offset += count


def _by_time(reading: Reading) -> tuple[bool, str]:
    """Those without a time of the device's last."""
    by_device = reading.time_source == "device"
    return not by_device, reading.taken_at.isoformat() if by_device and reading.taken_at else ""


DRIVER = Driver(
    id="beurer-bm65",
    vendor="Beurer",
    models=("BM65",),
    kind="blood-pressure-monitor",
    emits={name: (UNITS[name],) for name in _NAMES},
    links=(SerialLink(baudrate=4800), TcpLink()),
    evidence="one-implementation",
    session=Session,
    frames=Frames,
)

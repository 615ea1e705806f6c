r"""Abbott FreeStyle and Precision (Optium) glucose meters on their serial cable, in lines of text.

The host says ``mem`` (FreeStyle) or ``$xmem`` (Precision, Optium); the first command after the connection is
often swallowed, so it is repeated. The answer is one block:

=====================================  ==========================================================
line                                   content
=====================================  ==========================================================
``XCGE123-A4567``                      serial number
``0.22``                               version
``July 10 2013 14:26:44``              what the clock shows
``003``                                count of the results, or ``Log Empty``
``098  July 10 2013 08:15 G 0x00``     value in three characters or ``HI``, ``LO``; time; what it is
                                       (G glucose, K ketone, or two digits); flags
``0x1D0C  END``                        sum of every byte before it, modulo 65536
=====================================  ==========================================================

Flag bit 0 is control solution, bit 1 that the clock had been lost. Names of months have four characters,
``Apr `` or ``July``. Glucose is always mg/dL. Nothing of a block counts before its sum is right; ketones are
passed over.

Source: glucometer-protocols texts, Tidepool's uploader. Evidence: one implementation.
"""

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from gateway.codecs.checksum import sum16
from gateway.codecs.framing import Frame, Lines
from gateway.drivers.contract import (
    ClockRead,
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
    Setting,
    TcpLink,
    clock_setting,
)
from gateway.drivers.glucose_results import CONTROL_SOLUTION, glucose, unknown_time
from gateway.errors import DecodeError
from gateway.model import Device, Reading

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_TIME = rb"([A-Z][a-z]{2})[a-z ] +(\d\d) (\d{4})\s(\d\d):(\d\d)(?::(\d\d))?"
_RESULT = re.compile(rb"(\d{3}|HI |LO )  " + _TIME + rb" ([GK]|\d\d) 0x([0-9A-Fa-f]{2})")
_CLOCK = re.compile(rb"(?:Clock:\s)?" + _TIME)
_SERIAL = re.compile(rb"[A-Z][A-Z0-9]{3}[A-Z0-9]*-[A-Z0-9]+")
_END = re.compile(rb"0x([0-9A-Fa-f]{4})  END")
_COUNT = re.compile(rb"(\d{3})|Log Empty")
_KETONE = b"K"
_CONTROL, _CLOCK_LOST = 0x01, 0x02
_BEYOND = {b"HI ": "HI: above 500 mg/dL", b"LO ": "LO: below 20 mg/dL"}
_COMMANDS = {"freestyle": b"mem\r\n", "precision": b"$xmem\r\n"}
_LONGEST_LINE = 80
_LONGEST_BLOCK = 32 * 1024
_ANSWER_S, _AGAIN_S = 3.0, 60.0
_RECORDS_REMEMBERED = 2048


def reading_of(match: re.Match[bytes]) -> Reading:
    """The reading of a result line."""
    value, flags = match[1], int(match[9], 16)
    reading = glucose(
        None if value in _BEYOND else Decimal(int(value)), "mg/dL", reasons=_reasons(value, flags)
    )
    taken_at = _time(match, 2)
    reading = replace(reading, provenance=match[0])
    reading = reading if taken_at is None else reading.taken(taken_at, by="device")
    return unknown_time(reading) if taken_at is None or flags & _CLOCK_LOST else reading


def _reasons(value: bytes, flags: int) -> tuple[str, ...]:
    beyond = _BEYOND.get(value)
    return (*((CONTROL_SOLUTION,) if flags & _CONTROL else ()), *((beyond,) if beyond else ()))


def _time(match: re.Match[bytes], first: int) -> datetime | None:
    """The time in five or six groups of a match; None where there is no such time."""
    month, *numbers = (match[first + place] for place in range(6))
    day, year, hour, minute, second = (int(number or 0) for number in numbers)
    try:
        return datetime(year, _MONTHS.index(month.decode()) + 1, day, hour, minute, second)  # noqa: DTZ001 - no zone
    except ValueError:
        return None


class Frames:
    """Every block for itself."""

    def __init__(self, model: str, clock: str) -> None:
        self._model = model
        self._clock = clock
        self._lines = Lines(b"\n", _LONGEST_LINE, keep_tail=True)
        self._block: list[bytes] = []
        self._offset = 0
        self._size = 0

    def received(self, data: bytes, channel: str, at: datetime) -> Events:
        return tuple(event for frame in self._lines.feed(data) for event in self._events(frame, at))

    def disconnected(self, at: datetime) -> Events:
        cut_off = tuple(
            Fault.from_error(each.error, offset=each.offset) for each in self._lines.flush() if each.error
        )
        has_results = any(_RESULT.search(line) for line in self._block)
        missing = (Fault("cut-off", "the block did not end; its results count for nothing", self._offset),)
        self._begin()
        return cut_off or (missing if has_results else ())

    def _begin(self) -> None:
        self._block, self._size = [], 0

    def _events(self, frame: Frame, at: datetime) -> Iterator[Event]:
        if frame.error is not None:
            self._begin()
            yield Fault.from_error(frame.error, offset=frame.offset)
            return
        line = frame.content + b"\n"
        text = line.strip(b"\r\n\0\xff")
        if serial := _SERIAL.search(text):
            self._block, self._size, self._offset = [b"\r\n"], 2, frame.offset
            line = line[line.index(serial[0]) :]
        self._block.append(line)
        self._size += len(line)
        if self._size > _LONGEST_BLOCK:
            self._begin()
        if end := _END.search(text):
            yield from self._ended(end, frame, at)
            self._begin()
        elif text.startswith(b"Clock:"):
            yield from self._shown(_CLOCK.fullmatch(text))

    def _ended(self, end: re.Match[bytes], frame: Frame, at: datetime) -> Events:
        lines = self._block[:-1]
        stated, computed = int(end[1], 16), sum16(b"".join(lines))
        if stated != computed:
            what = f"0x{stated:04X} stated, 0x{computed:04X} computed"
            return (Fault("checksum", what, frame.offset), *self.over())
        said = tuple(event for line in lines for event in self._line(line.strip(b"\r\n"), at))
        return *said, *self.over()

    def _line(self, line: bytes, at: datetime) -> Iterator[Event]:
        if result := _RESULT.fullmatch(line):
            if result[8] == _KETONE:
                yield Progress("a ketone, passed over")
                return
            reading = reading_of(result)
            yield from self.measured(reading if reading.taken_at else reading.taken(at, by="gateway"))
        elif _SERIAL.fullmatch(line):
            yield Identified(Device(serial=line.decode("ascii")))
        elif count := _COUNT.fullmatch(line):
            yield Progress(f"{int(count[1] or 0)} records in the memory")
        elif clock := _CLOCK.fullmatch(line):
            yield from self._shown(clock)
        elif line and not re.fullmatch(rb"[\w. -]+", line):
            error = DecodeError("layout", "no line of a memory", offset=0)
            yield Fault.from_error(error, offset=self._offset)

    def _shown(self, clock: re.Match[bytes] | None) -> Iterator[Event]:
        shown = clock and _time(clock, 1)
        if shown is not None and self._clock != "off":
            yield ClockRead(shown)

    def measured(self, reading: Reading) -> Events:
        return (Measured(reading),)

    def over(self) -> Events:
        return ()


class Session(Frames):
    """Asks for the memory; each result counts once."""

    def __init__(self, model: str, clock: str) -> None:
        super().__init__(model, clock)
        self._seen: deque[bytes] = deque(maxlen=_RECORDS_REMEMBERED)

    def connected(self, at: datetime) -> Events:
        return Send(_COMMANDS[self._model]), SetTimer("answer", _ANSWER_S)

    def timer(self, name: str, at: datetime) -> Events:
        return *self.disconnected(at), *self.connected(at)

    def received(self, data: bytes, channel: str, at: datetime) -> Events:
        return SetTimer("answer", _ANSWER_S), *super().received(data, channel, at)

    def measured(self, reading: Reading) -> Events:
        if reading.provenance in self._seen:
            return ()
        self._seen.append(reading.provenance)
        return super().measured(reading)

    def over(self) -> Events:
        return (SetTimer("answer", _AGAIN_S),)


DRIVER = Driver(
    id="freestyle-serial",
    vendor="Abbott",
    models=("FreeStyle Lite", "FreeStyle Freedom Lite", "Precision Xtra", "Optium Xceed"),
    kind="glucose-meter",
    emits={"glucose": ("mg/dL",)},
    links=(SerialLink(baudrate=19200, usb_ids=((0x1A61, 0x3410), (0x1A61, 0x3420))), TcpLink()),
    settings=(
        Setting("model", tuple(_COMMANDS), "freestyle", "which command asks for the memory"),
        clock_setting("measure", "off"),
    ),
    evidence="one-implementation",
    specials=("HI", "LO", "control solution", "ketone", "empty memory"),
    session=Session,
    frames=Frames,
)

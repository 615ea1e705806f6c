"""Microlife cuffs with a USB socket: BPA100 Plus, WatchBP. HID, reports of 8 bytes.

The low half of byte 0 counts those of the next seven that mean something. The chip inside is one that passes
serial bytes on, and is in other devices too: what does not answer so is no cuff. The host asks for the whole
memory with ``12 16 18 22``; the answer is text:

========  ======  ==============================================================
offset    digits  field
========  ======  ==============================================================
0         1       06
1         4       number of records, hexadecimal
9                 what was entered as the patient's identifier
33        32      a record: year, month, day, hour, minute, two digits each; at
                  16 a word of 32 bits: 0-9 systolic, 10-19 diastolic, 20-29
                  pulse rate
..        2       sum of all digits as characters, modulo 256
========  ======  ==============================================================

Failed measurements are not known to be stored. The memory is read at the connection and again a minute later;
each record counts once. Clearing commands are not known to this driver.

Source: joergmlpts/blood-pressure-monitor. Evidence: one implementation.
"""

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from gateway.codecs.checksum import sum8
from gateway.codecs.hid_reports import counted_content
from gateway.drivers.contract import Driver, Events, Fault, Measured, Progress, Send, SetTimer, UsbLink
from gateway.drivers.cuff_results import UNITS, at_stated_time, blood_pressure
from gateway.drivers.stored_records import from_memory
from gateway.errors import DecodeError
from gateway.model import Reading

_HID = 3
_REPORT_SIZE, _COUNT = 8, 0x0F
_ASK = bytes.fromhex("04 12 16 18 22 00 00 00")
_BEGINNING = b"\x06"
_HEAD, _RECORD, _SUM = 32, 32, 2
_DIGITS = re.compile(rb"[0-9A-Fa-f]+")
_MOST_RECORDS = 512
_VALUES = (("systolic", 0), ("diastolic", 10), ("pulse-rate", 20))
_NO_NUMBER = 99
_VALUE_BITS = 0x3FF
_ANSWER_S, _AGAIN_S = 5.0, 60.0
_RECORDS_REMEMBERED = 1024


def parse_record(digits: bytes) -> Reading:
    """The reading of the 32 digits of a record."""
    word = int(digits[16:24], 16)
    values = {name: word >> bit & _VALUE_BITS for name, bit in _VALUES}
    reading = replace(blood_pressure(values), provenance=digits).noted("from the memory of the cuff")
    pairs = (digits[at : at + 2] for at in range(0, 10, 2))
    year, month, day, hour, minute = (int(pair) if pair.isdigit() else _NO_NUMBER for pair in pairs)
    return at_stated_time(reading, 2000 + year, month, day, hour, minute)


def parse_memory(digits: bytes) -> tuple[Reading, ...]:
    """The readings in an answer whose length is right, without its first byte.

    Raises
    ------
    DecodeError
        Its sum is wrong, or there are other characters than digits.
    """
    text, stated = digits[:-_SUM], digits[-_SUM:]
    if not _DIGITS.fullmatch(digits):
        raise DecodeError("layout", "characters that are no hexadecimal digits", offset=1)
    if int(stated, 16) != sum8(text):
        what = f"0x{int(stated, 16):02X} stated, 0x{sum8(text):02X} computed"
        raise DecodeError("checksum", what, offset=1 + len(text))
    return tuple(parse_record(text[at : at + _RECORD]) for at in range(_HEAD, len(text), _RECORD))


class Frames:
    """Every answer for itself."""

    def __init__(self) -> None:
        self._answer = b""
        self._received = 0

    def received(self, data: bytes, channel: str, at: datetime) -> Events:
        offset, self._received = self._received, self._received + len(data)
        try:
            said = counted_content(data, size=_REPORT_SIZE, mask=_COUNT)
        except DecodeError as error:
            self._answer = b""
            return (Fault.from_error(error, offset=offset),)
        self._answer += said
        return tuple(event for events in self._answers(offset, at) for event in events)

    def disconnected(self, at: datetime) -> Events:
        left, self._answer = self._answer, b""
        return (Fault("cut-off", "the answer did not come to its end", self._received),) if left else ()

    def _answers(self, offset: int, at: datetime) -> Iterator[Events]:
        start = self._answer.rfind(_BEGINNING)
        if start:
            if len(self._answer.strip(b"\0")) > 0 and start < 0:
                yield (Fault("layout", "no answer of a cuff", offset),)
            self._answer = self._answer[start:] if start > 0 else b""
        size = _size(self._answer)
        if size and len(self._answer) >= size:
            answer, self._answer = self._answer[1:size], b""
            try:
                yield self.memory(parse_memory(answer), at)
            except DecodeError as error:
                yield (Fault.from_error(error, offset=offset),)

    def memory(self, readings: tuple[Reading, ...], at: datetime) -> Events:
        found = (from_memory(each, at) for each in readings)
        return Progress(f"{len(readings)} records in the memory"), *map(Measured, found)


class Session(Frames):
    """Asks for the memory; each record counts once."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: deque[bytes] = deque(maxlen=_RECORDS_REMEMBERED)

    def connected(self, at: datetime) -> Events:
        return Send(_ASK), SetTimer("answer", _ANSWER_S)

    def timer(self, name: str, at: datetime) -> Events:
        return *self.disconnected(at), *self.connected(at)

    def received(self, data: bytes, channel: str, at: datetime) -> Events:
        return SetTimer("answer", _ANSWER_S), *super().received(data, channel, at)

    def memory(self, readings: tuple[Reading, ...], at: datetime) -> Events:
        new = tuple(each for each in readings if each.provenance not in self._seen)
        self._seen.extend(each.provenance for each in new)
        return *super().memory(new, at), SetTimer("answer", _AGAIN_S)


def _size(answer: bytes) -> int:
    """Of the whole answer; 0 while it cannot be told."""
    if len(answer) < 5:
        return 0
    count = int(answer[1:5], 16) if _DIGITS.fullmatch(answer[1:5]) else 0
    return 1 + _HEAD + min(count, _MOST_RECORDS) * _RECORD + _SUM


DRIVER = Driver(
    id="microlife-hid",
    vendor="Microlife",
    models=("BPA100 Plus", "WatchBP"),
    kind="blood-pressure-monitor",
    emits={name: (UNITS[name],) for name, _ in _VALUES},
    links=(UsbLink(0x04B4, 0x5500, _HID),),
    evidence="one-implementation",
    specials=("no records", "no systolic", "no diastolic", "no pulse rate"),
    session=Session,
    frames=Frames,
)
